"""How soon the server answers, against a bare Streamlit page, and what it takes up when idle.

    python -m benchmarks.start

Both are started in turn, so that a busy moment of the machine meets both.
"""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 5
LIMIT_S = 120.0
IDLE_S = 5.0
BARE_PAGE = "import streamlit as st\n\nst.title('Bare')\n"


@contextmanager
def served(script: Path, folder: Path, health: str) -> Iterator[tuple[float, int, str]]:
    """A running server: seconds to its first healthy answer, its process's number and its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "DATA_DIR": str(folder / "data"), "HOST": "localhost", "PORT": str(port)}
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)]
    command += ["--server.address", "localhost", "--server.headless", "true"]
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=script.parent, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://localhost:{port}"
    try:
        while not _answers(url + health):
            if process.poll() is not None or time.perf_counter() - started > LIMIT_S:
                raise SystemExit(f"{script.name} did not start")
            time.sleep(0.01)
        yield time.perf_counter() - started, process.pid, url
    finally:
        process.terminate()
        process.wait(30)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def main() -> None:
    bare, ours, memory = [], [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        page = folder / "bare.py"
        page.write_text(BARE_PAGE)
        for _ in range(ROUNDS):
            with served(page, folder, "/_stcore/health") as (seconds, _, _):
                bare.append(seconds)
            with served(ROOT / "app.py", folder, "/health") as (seconds, pid, url):
                ours.append(seconds)
                while not _answers(url + "/ready"):
                    time.sleep(0.05)
                time.sleep(IDLE_S)
                memory.append(psutil.Process(pid).memory_info().rss / 1e6)
    slower = statistics.median(b / a for a, b in zip(bare, ours, strict=True))
    print(f"seconds to healthy, median of {ROUNDS}")
    print(f"  bare Streamlit page  {statistics.median(bare):.2f}")
    print(f"  this dashboard       {statistics.median(ours):.2f}   {slower:.2f} x (to stay under 2.2 x)")
    print(f"idle web process       {statistics.median(memory):.0f} MB resident (to stay under 250 MB)")


if __name__ == "__main__":
    main()
