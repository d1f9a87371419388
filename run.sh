#!/bin/sh
# Start the dashboard and the API on one port. HOST, PORT and DATA_DIR are honoured, from the
# environment or from .env; everything else has a default (see docs/settings.md).
set -eu
cd "$(dirname "$0")"
. scripts/venv.sh
ensure_venv requirements.txt

# The settings know the defaults and .env, so that they are read in one place.
address=$(.venv/bin/python -c 'from settings import Settings; s = Settings(); print(s.host, s.port, s.max_upload_mb)')
# shellcheck disable=SC2086 # three words, on purpose
set -- $address "$@"
host=$1 port=$2 upload=$3
shift 3
echo "Model Monitoring Dashboard: http://$host:$port  (API: http://$host:$port/docs)"
exec .venv/bin/python -m streamlit run app.py \
    --server.address "$host" --server.port "$port" --server.maxUploadSize "$upload" "$@"
