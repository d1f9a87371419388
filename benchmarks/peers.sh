#!/bin/sh
# Give each peer of benchmarks/peers.py a virtual environment of its own; nothing of theirs enters ours.
# Where: PEERS_DIR, else .peers beside the project. Which: the arguments, else all.
#   benchmarks/peers.sh [evidently] [nannyml] [whylogs]
set -eu
cd "$(dirname "$0")/.."
folder=${PEERS_DIR:-.peers}
. scripts/venv.sh
python=$(find_python)

requirements() {
    # evidently 0.7 imports what pandas 3 no longer has; nannyml imports statsmodels and does not ask for it;
    # whylogs reads tables of pandas and does not ask for it either.
    case $1 in
        evidently) echo evidently==0.7.23 pandas==2.3.3 numpy==2.4.6 scipy==1.17.1 ;;
        nannyml) echo nannyml==0.13.1 statsmodels==0.15.0 pandas==2.3.3 numpy==2.4.6 scipy==1.17.1 ;;
        whylogs) echo "whylogs[viz]==1.6.4" pandas==2.3.3 numpy==2.4.6 scipy==1.17.1 ;;
        *) echo "There is no peer called $1." >&2; exit 2 ;;
    esac
}

missing=""
for peer in ${*:-evidently nannyml whylogs}; do
    wanted=$(requirements "$peer")
    [ -x "$folder/$peer/bin/python" ] || "$python" -m venv "$folder/$peer"
    # shellcheck disable=SC2086 # several words, on purpose
    "$folder/$peer/bin/python" -m pip install --quiet --disable-pip-version-check $wanted &&
        "$folder/$peer/bin/python" -c "import $peer" || missing="$missing $peer"
done
if [ -n "$missing" ]; then
    echo "Could not be set up:$missing" >&2
    exit 1
fi
echo "Ready: python -m benchmarks.peers"
