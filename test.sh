#!/bin/sh
# Lint, check types and run the tests, as many at a time as there are cores. Arguments go to pytest:
# ./test.sh -k drift, ./test.sh -m slow, ./test.sh tests/test_drift.py, ./test.sh -n 0 (one at a time)
set -eu
cd "$(dirname "$0")"
. scripts/venv.sh
ensure_venv requirements.txt requirements-dev.txt

.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy .
# Not among the arguments, so that a PYTEST_ADDOPTS of yours has the last word.
export PYTEST_ADDOPTS="-n auto --dist loadfile --no-loadscope-reorder ${PYTEST_ADDOPTS-}"
exec .venv/bin/python -m pytest "$@"
