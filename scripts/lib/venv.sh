# shellcheck shell=bash
# Sourced after env.sh: virtual environments, made once.

say() { printf '%s: %s\n' "${0##*/}" "$*"; }

# find_python OLDEST NEWEST: the path of a Python with venv, in a version such as 3.12. pyenv's are looked at too.
find_python() {
    local python
    for python in /usr/bin/python3 python3.{13,12,11,10,9} ~/.pyenv/versions/*/bin/python3; do
        if "$python" - "$1" "$2" 2>/dev/null <<'PYTHON'; then
import ensurepip, sys, venv
oldest, newest = (tuple(map(int, version.split("."))) for version in sys.argv[1:])
sys.exit(not oldest <= sys.version_info[:2] <= newest)
PYTHON
            "$python" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    return 1
}

# make_venv DIRECTORY PYTHON PIP-ARGUMENT…: made anew when Python, the arguments or tests/requirements.txt change.
make_venv() {
    local directory="$1" python="$2" stamp
    shift 2
    stamp="$directory/.made-of-$({ printf '%s\n' "$directory" "$python" "$@"; cat "$REPO/tests/requirements.txt"; } | sha256sum | cut -c1-12)"
    [[ -e $stamp ]] && return 0
    say "${directory#"$REPO"/} with $("$python" --version)"
    "$python" -m venv --clear "$directory"
    "$directory/bin/python" -m pip install -qq --disable-pip-version-check "$@"
    touch "$stamp"
}
