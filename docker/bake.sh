#!/usr/bin/env bash
# What follows from Segue's own files: its version, the jars, the compiled code, and a user who may write only where
# Segue and Airflow do. Run as install.sh is; the argument is the user's number.
set -euo pipefail

# Segue asks for its own version as of any package. Installing it would need a build tool without a hash.
version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
mkdir -p "include/segue-$version.dist-info"
printf 'Metadata-Version: 2.1\nName: segue\nVersion: %s\n' "$version" >"include/segue-$version.dist-info/METADATA"

python -m segue jars --no-class-archive # 200 MB, and only for a driver that runs the tasks itself

# numba compares times in nanoseconds, and layers of an image keep seconds.
find include -exec touch --date=@1735689600 {} +
python -m segue.audio.isolation.warm_up

useradd --uid "$1" --gid 0 --create-home segue
mkdir -p "$SEGUE_HOME/sample/live" "$AIRFLOW_HOME/logs" /data/lake /data/tuning
# The command `jars` lets only its user read what it writes, and any user may run the image.
chmod -R go+rX jars
# Without the right to write there, numba would not look for its code. On another processor it adds its own.
mapfile -t compiled < <(find include venv -name '*.nbi' -printf '%h\n' | sort -u)
chown -R segue:0 "$SEGUE_HOME" "$AIRFLOW_HOME" /data "${compiled[@]}"
chmod -R g=u "$SEGUE_HOME" "$AIRFLOW_HOME" /data "${compiled[@]}"
