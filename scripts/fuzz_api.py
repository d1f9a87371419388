"""Asks a server all that its own description allows and forbids: `python -m scripts.fuzz_api [CASES]`.

Fails on a 500, and on any answer that /openapi.json does not describe. Needs schemathesis, which is no
requirement of ours: `python3 -m venv /tmp/st && /tmp/st/bin/pip install schemathesis`, then
SCHEMATHESIS=/tmp/st/bin/schemathesis. CASES is for each operation and pass (100); takes some minutes.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx

from auth import new_token
from tests.support.live_server import start_server, stop_server

SETTINGS = {"MAX_UPLOAD_MB": "1", "RATE_PER_MINUTE": "1000000", "MAX_QUEUE": "20"}
# Which values are rightly refused, JSON in a form and a cursor do not tell; nor is every form that breaks the
# description still broken once it is on the wire.
UNFIT = "positive_data_acceptance,negative_data_rejection"


def main(cases: int) -> int:
    tool = shutil.which(os.environ.get("SCHEMATHESIS", "schemathesis"))
    if tool is None:
        print("There is no schemathesis. Install it apart and name it, as this module's first lines say.")
        return 2
    failed = []
    for with_tokens in (False, True):
        token, entry = new_token("fuzz", "admin")
        authorization = {"Authorization": f"Bearer {token}"}
        with tempfile.TemporaryDirectory() as folder:
            server = start_server(Path(folder), **SETTINGS, **({"API_TOKENS": entry} if with_tokens else {}))
            try:
                with httpx.Client(base_url=server.url, headers=authorization, timeout=120) as client:
                    Path(folder, "openapi.json").write_bytes(client.get("/openapi.json").content)
                    run = client.post("/run_tests", files={"model": ("m.pkl", b"no model")}).json()["id"]
                run_id = f'[parameters]\n"path.run_id" = {json.dumps(run)}\n'
                bearer = ["-H", f"Authorization: Bearer {token}"] if with_tokens else []
                passes = {  # in this order: where ids are free, the run is found in the list, and deleted
                    f"tokens={with_tokens}, a finished run": (
                        run_id,
                        [*bearer, "--exclude-method", "DELETE"],
                    ),
                    f"tokens={with_tokens}, any id": ("", bearer),
                }
                if with_tokens:
                    # To whom nothing is told, an unknown method is 401 too.
                    passes["no token sent"] = ("", ["--exclude-checks", f"{UNFIT},unsupported_method"])
                for name, (config, options) in passes.items():
                    print(f"\n{name}", flush=True)
                    Path(folder, "schemathesis.toml").write_text(config)
                    command = [tool, "run", "openapi.json", "--url", server.url, "-n", str(cases)]
                    command += ["--checks", "all", "--exclude-checks", UNFIT, "--continue-on-failure"]
                    if subprocess.run([*command, *options], cwd=folder, check=False).returncode != 0:
                        failed.append(name)
            finally:
                stop_server(server)
    print(f"\nfailed: {'; '.join(failed) or 'none'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100))
