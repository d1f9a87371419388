#!/bin/sh
# Lint, check types and run the tests. Arguments go to pytest: ./test.sh -m slow
set -eu
cd "$(dirname "$0")"
. scripts/venv.sh
ensure_venv requirements.txt requirements-dev.txt

.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy .
exec .venv/bin/python -m pytest "$@"
