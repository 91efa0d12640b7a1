#!/usr/bin/env bash
# Look the packages of uv.lock up in the database of known vulnerabilities, https://osv.dev. The script passes its
# arguments to `uv audit`. It exits with 1 if there are vulnerabilities, and with 2 if the database does not answer.
set -uo pipefail
cd "$(dirname "$0")/.."
uv=$(command -v uv || echo .uv/bin/uv)

said=$(UV_HTTP_RETRIES=0 timeout 30 "$uv" audit --quiet --preview-features audit-command --frozen "$@" 2>&1)
case $? in
0) echo 'No package of uv.lock has a known vulnerability.' ;;
1)
    echo "$said"
    echo 'Packages of uv.lock have known vulnerabilities. SECURITY.md says what to do about them.'
    exit 1
    ;;
*)
    echo "The packages were not looked up in the database of known vulnerabilities: ${said##*: }. Run \`make audit\`" \
        'on a machine with Internet.' >&2
    exit 2
    ;;
esac
