# Sourced by run.sh and test.sh: makes .venv beside the project and installs what is asked for, once.

# The first Python of 3.11 or newer; PYTHON names another.
find_python() {
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return 0
        fi
    done
    echo "Python 3.11 or newer is needed. Install it, or name it: PYTHON=/path/to/python3 $0" >&2
    return 1
}

# ensure_venv FILE...: install the requirement files unless exactly these are installed already.
ensure_venv() {
    wanted=$(cat "$@" | cksum)
    stamp=".venv/.installed-$(echo "$*" | tr -c 'A-Za-z0-9\n' '-')"
    if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
        return 0
    fi
    if [ ! -x .venv/bin/python ]; then
        python=$(find_python)
        echo "Making a virtual environment in .venv ..."
        rm -rf .venv
        if ! "$python" -m venv .venv; then
            rm -rf .venv
            echo "'$python -m venv' failed. On Debian and Ubuntu: sudo apt-get install python3-venv" >&2
            return 1
        fi
    fi
    echo "Installing $* (once; a few minutes) ..."
    arguments=""
    for file in "$@"; do arguments="$arguments -r $file"; done
    # shellcheck disable=SC2086 # the file names hold no blanks
    .venv/bin/python -m pip install --quiet --disable-pip-version-check $arguments
    echo "$wanted" >"$stamp"
}
