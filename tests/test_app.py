"""The assembly: found by `streamlit run`, light, one port for the page and the API."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

import api_handler
from settings import PROJECT_ROOT
from tests.support.live_server import LiveServer
from tests.support.waiting import wait_until

HEAVY = ("shap", "sklearn", "numba", "scipy", "xgboost", "lightgbm", "matplotlib")
PRELOADED = ("pandas", "pyarrow", "plotly.graph_objects", "streamlit", "fastapi")


def test_streamlit_run_finds_the_app_by_reading_its_source() -> None:
    from streamlit.web.server.app_discovery import discover_asgi_app

    assert discover_asgi_app(PROJECT_ROOT / "app.py").import_string == "app:app"


def test_answers_on_kept_connections_do_not_wait_for_the_clients_kernel() -> None:
    """A listener as Streamlit binds it: without its protocol, which asyncio would look at."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener, socket.socket() as plain:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 0
        before = set(Path("/proc/self/fd").iterdir())
        api_handler.without_delay()
        assert set(Path("/proc/self/fd").iterdir()) == before  # nothing was closed or left open
        with socket.create_connection(listener.getsockname()):
            accepted, _ = listener.accept()
            with accepted:
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
        assert plain.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 0  # only what listens


def test_the_web_process_never_imports_the_numeric_stack(tmp_path: Path) -> None:
    code = f"""
import sys, app
print(sorted(set({HEAVY}) & set(sys.modules)))
print(sorted(set({PRELOADED}) - set(sys.modules)))
"""
    environment = os.environ | {"DATA_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT_ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:2] == ["[]", "[]"]
    assert list(tmp_path.iterdir()) == []  # importing builds nothing


def test_streamlits_own_files_and_endpoints_carry_the_headers_and_stay_as_they_were(
    server: LiveServer,
) -> None:
    with httpx.Client(base_url=server.url, timeout=30, trust_env=False) as client:
        page = client.get("/")
        script = re.findall(r'src="\./(static/js/[^"]+)"', page.text)[0]
        file = client.get(f"/{script}")
        upload = client.put("/_stcore/upload_file/none/none", files={"file": b"x"})
        for answer in (page, file, upload, client.get("/_stcore/health"), client.get("/media/none")):
            assert "script-src 'self'" in answer.headers["content-security-policy"], answer.url
            assert answer.headers["x-frame-options"] == "SAMEORIGIN"
        assert page.headers["cache-control"] == "no-cache"
        assert "max-age=31536000" in file.headers["cache-control"]  # its name holds its hash
        again = client.get(f"/{script}", headers={"If-None-Match": file.headers["etag"]})
        assert again.status_code == 304


def is_ready(client: httpx.Client) -> bool:
    """The port is bound before the app is imported, so the first connections may be reset."""
    try:
        return client.get("/ready").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.slow
def test_streamlit_run_serves_the_page_and_the_api_and_stops_its_worker(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port=0", "--server.headless=true"],
        cwd=PROJECT_ROOT,
        env=os.environ | {"DATA_DIR": str(tmp_path / "data"), "HOST": "localhost"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            import psutil

            server = psutil.Process(process.pid)
            wait_until(lambda: [c for c in server.net_connections("tcp") if c.status == "LISTEN"], 240)
            port = next(c for c in server.net_connections("tcp") if c.status == "LISTEN").laddr.port
            with httpx.Client(base_url=f"http://localhost:{port}", timeout=30, trust_env=False) as client:
                wait_until(lambda: is_ready(client), 120)
                assert "text/html" in client.get("/").headers["content-type"]
                assert client.get("/_stcore/health").text == "ok"
                assert client.get("/api/nothing").headers["content-type"] == "application/problem+json"
                assert client.get("/run_tests").status_code == 405
                assert client.get("/", headers={"Host": "evil.example"}).status_code == 403
            workers = server.children()
            assert workers
        finally:
            process.terminate()
            process.wait(60)
        assert not [worker for worker in workers if worker.is_running()]
