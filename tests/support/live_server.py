"""The real thing, started as run.sh does it: for tests that talk to it from outside."""

import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from settings import PROJECT_ROOT

__all__ = ["ExampleOnDisk", "LiveServer", "start_server", "stop_server"]

START_LIMIT_S = 120.0


@dataclass(frozen=True)
class LiveServer:
    """A running server: where it answers, where it keeps its data, and its process."""

    url: str
    data_dir: Path
    process: "subprocess.Popen[bytes]"


@dataclass(frozen=True)
class ExampleOnDisk:
    """A shipped example as a person would have it: two files, and the name of the label column."""

    model: Path
    sample: Path
    target: str


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def start_server(data_dir: Path, **settings: str) -> LiveServer:
    """Start the real thing as run.sh does, and wait until a worker is there."""
    port = free_port()
    environment = {
        **os.environ,
        "DATA_DIR": str(data_dir),
        "HOST": "localhost",
        "PORT": str(port),
        **settings,
    }
    with (data_dir / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", "--server.address", "localhost",
             "--server.port", str(port)],
            cwd=PROJECT_ROOT, env=environment, stdout=log, stderr=log,
        )  # fmt: skip
    url = f"http://localhost:{port}"
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            # 401: up, and asking for a token; its worker is the caller's to wait for.
            if httpx.get(f"{url}/ready", timeout=5).status_code in (200, 401):
                return LiveServer(url, data_dir, process)
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    process.kill()
    raise RuntimeError(f"the server did not start:\n{(data_dir / 'server.log').read_text()[-3000:]}")


def stop_server(server: LiveServer) -> None:
    server.process.terminate()
    try:
        server.process.wait(20)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait()
