#!/usr/bin/env bash
# Installs the players that `make test-clients` runs: Debian's packages by apt-get, which needs root; players in Rust by
# cargo and Mopidy's extension by pip, both into .clients. The script names players that it cannot install; the tests
# skip these.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly PACKAGES=(
    mpd mpdscribble mopidy gstreamer1.0-plugins-good
    dbus python3-dbus python3-gi python3-venv
    libdbus-1-dev libsqlite3-dev libssl-dev pkg-config
)
readonly CRATES=(rescrobbled@0.10.0 listenbrainz-mpd@2.6.0)

missing=()
for package in "${PACKAGES[@]}"; do
    dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if ((${#missing[@]})); then
    if command -v apt-get >/dev/null && ((EUID == 0)); then
        apt-get install --yes --no-install-recommends "${missing[@]}"
    else
        echo "Not installed, since apt-get needs root: ${missing[*]}." >&2
    fi
fi

if command -v cargo >/dev/null; then
    nice cargo install --quiet --locked --root .clients "${CRATES[@]}"
else
    echo "Not built, since there is no cargo (https://rustup.rs): ${CRATES[*]}." >&2
fi

if command -v mopidy >/dev/null && [[ ! -d .clients/mopidy ]]; then
    /usr/bin/python3 -m venv --system-site-packages .clients/mopidy
    .clients/mopidy/bin/pip install --quiet Mopidy-Listenbrainz==0.3.0
fi
