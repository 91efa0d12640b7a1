#!/usr/bin/env bash
# Does what a newcomer does, and prints the minutes of each step: clone, set up, run the pipeline on a folder of music,
# send a listen as a player does, and read the recommendations that follow.
#
#     scripts/newcomer.sh MUSIC [FOLDER]
#
# MUSIC is a folder of audio files, which is only read. The clone goes into FOLDER, which must not exist yet (default: a
# temporary folder, removed at the end). Environment and state take some GB there. The stack is stopped at the end. It
# uses Segue's usual ports, or those of variables such as SEGUE_API_PORT; other variables of Segue are ignored.
set -euo pipefail

stop() {
    echo "$1" >&2
    exit 1
}

[[ $# -ge 1 && $# -le 2 ]] || stop 'Usage: scripts/newcomer.sh MUSIC [FOLDER]'
[[ -d $1 ]] || stop "There is no folder $1."
[[ $# -eq 1 || ! -e $2 ]] || stop "$2 exists. Name a folder that does not exist yet."
music=$(realpath "$1")
project=$(cd "$(dirname "$0")/.." && pwd)
for name in "${!SEGUE_@}"; do # the clone has settings and a state of its own
    [[ $name == *_PORT ]] || unset "$name"
done
for tool in git make curl; do
    command -v "$tool" >/dev/null || stop "This needs $tool. Install it with: sudo apt-get install $tool"
done

scratch=$(mktemp --directory)
folder=$(realpath --canonicalize-missing "${2:-$scratch/segue}")
tidy() {
    if [[ -x $folder/.venv/bin/segue ]]; then
        "$folder/.venv/bin/segue" down >&2 || true
    fi
    rm -rf "$scratch"
}
trap tidy EXIT

step_began=0
line() { # of the table: a name, and seconds as minutes
    printf '%-34s %5d.%d min\n' "$1" $(($2 / 60)) $(($2 % 60 / 6))
}
minutes() { # of the step that has just ended
    line "$1" $((SECONDS - step_began)) | tee --append "$scratch/times"
    step_began=$SECONDS
}

SECONDS=0
git clone --quiet "$project" "$folder"
cd "$folder"
minutes 'clone'

make setup
minutes 'set up'

make demo MUSIC="$music" SIMULATE=1
minutes 'demo on the own library'

# From here on, everything goes over HTTP, as in a player and in a browser.
token=$(.venv/bin/segue users add newcomer)
port=$(.venv/bin/python -c 'from segue.settings import get_settings; print(get_settings().api_port)')
api=http://127.0.0.1:$port

request() {
    curl --noproxy '*' --fail --silent --show-error --max-time 60 --header "Authorization: Token $token" "$@"
}

read_list() {
    request "$api/v1/users/newcomer/recommendations?explain=true"
}

a_listen='
import json, sys, time
track = next(track for track in json.load(sys.stdin)["items"] if track["artist"] and track["title"])
names = {"artist_name": track["artist"], "track_name": track["title"]}
print(json.dumps({"listen_type": "single", "payload": [{"listened_at": int(time.time()), "track_metadata": names}]}))
'
read_list | .venv/bin/python -c "$a_listen" >"$scratch/listen.json"
request --header 'Content-Type: application/json' --data "@$scratch/listen.json" "$api/1/submit-listens"
echo
minutes 'a player sends a listen'

# A list is stored for this listener as soon as the live recommendations have read the listen.
for _ in {1..120}; do
    stored=$(request "$api/1/cf/recommendation/user/newcomer/recording")
    [[ -z $stored ]] || break
    sleep 1
done
[[ -n $stored ]] || stop 'The listen was accepted two minutes ago, but no recommendations are stored for it.'
show='
import json, sys
for track in json.load(sys.stdin)["items"][:5]:
    print(track["rank"], track["title"], "-", track["artist"], "-", track["reason"])
'
read_list | .venv/bin/python -c "$show"
minutes 'recommendations follow'

echo
cat "$scratch/times"
line 'from nothing to recommendations' $SECONDS
