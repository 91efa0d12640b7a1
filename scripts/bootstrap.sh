#!/usr/bin/env bash
# Creates the Python environment (.venv) and fetches the JVM jars. If the machine lacks something, the script stops at
# once and names the command that installs it. The script passes its arguments, such as --no-dev, to `uv sync`.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly UV_VERSION=0.13.9
export UV_PYTHON_DOWNLOADS=never

stop() {
    echo "Segue needs $1. Install it with: $2" >&2
    exit 1
}

if [[ $(uname) == Darwin ]]; then
    install_python='brew install python@3.12'
    install_venv='brew reinstall python@3.12'
    install_java='brew install openjdk@17'
else
    install_python='sudo apt-get install python3 python3-venv'
    install_venv='sudo apt-get install python3-venv'
    install_java='sudo apt-get install openjdk-17-jre-headless'
fi

python=
for candidate in python3 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
[[ -n $python ]] || stop 'Python 3.11, 3.12 or 3.13' "$install_python"
"$python" -c 'import ensurepip, venv' 2>/dev/null || stop "Python's venv module" "$install_venv"

# tinysoundfont, which renders the sample corpus, has no wheel for Linux on other processors: uv compiles it.
if [[ $(uname) == Linux && $(uname -m) != x86_64 ]]; then
    headers=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include") + "/Python.h")')
    command -v c++ >/dev/null && [[ -e $headers ]] ||
        stop "a C++ compiler and Python's headers on $(uname -m)" 'sudo apt-get install g++ python3-dev'
fi

java_version=$({ "${JAVA_HOME:+$JAVA_HOME/bin/}java" -version 2>&1 || true; } | sed -nE 's/.*version "(1\.)?([0-9]+).*/\2/p')
((${java_version:-0} >= 17)) || stop 'Java 17 or newer' "$install_java"

if ! uv=$(command -v uv); then
    uv=.uv/bin/uv
    if [[ $("$uv" --version 2>/dev/null) != "uv $UV_VERSION"* ]]; then
        echo "Installing uv $UV_VERSION into .uv"
        "$python" -m venv --clear .uv
        .uv/bin/pip install --quiet --disable-pip-version-check "uv==$UV_VERSION"
    fi
fi

quiet=--quiet
if [[ ! -d .venv ]]; then
    echo "Making .venv from uv.lock; the first time it downloads some 700 MB"
    quiet=
fi
# Frozen: install exactly what uv.lock lists. Inexact: keep packages that a developer has added to .venv.
"$uv" sync ${quiet:+"$quiet"} --frozen --inexact --python "$python" --extra embedded --extra s3 "$@"

# Otherwise the first extraction would compile. One core does so while the other makes Spark's archive.
.venv/bin/python -m segue.audio.isolation.warm_up &
.venv/bin/segue jars
wait "$!"
