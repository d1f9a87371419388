"""What several tests need: a free port, one live server for a session, and real model files."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Tests' models are tiny: threads that libraries start for them only wait for each other, longest on a busy
# machine, and several tests run at a time already. Libraries read it when they are loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import httpx
import hypothesis
import pytest

import example_models
from services import Services, build_services
from settings import PROJECT_ROOT, Settings

# By default an example may take 200 ms: how long things take is nothing that we assert.
slow_machines = [hypothesis.HealthCheck.too_slow]
hypothesis.settings.register_profile("no clock", deadline=None, suppress_health_check=slow_machines)
hypothesis.settings.load_profile("no clock")

START_LIMIT_S = 120.0
MOST_WORKERS = 4  # each has all libraries loaded


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """A process for each core; none where one file is asked for, all of whose tests would land in one."""
    files = {argument.partition("::")[0] for argument in config.args}
    if len(files) == 1 and Path(files.pop()).is_file():
        return 0
    return min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2, MOST_WORKERS)


@dataclass(frozen=True)
class Server:
    """A running server: where it answers, where it keeps its data, and its process."""

    url: str
    data_dir: Path
    process: "subprocess.Popen[bytes]"


@dataclass(frozen=True)
class ExampleOnDisk:
    model: Path
    sample: Path
    target: str


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def start_server(data_dir: Path, **settings: str) -> Server:
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
                return Server(url, data_dir, process)
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    process.kill()
    raise RuntimeError(f"the server did not start:\n{(data_dir / 'server.log').read_text()[-3000:]}")


def stop_server(server: Server) -> None:
    server.process.terminate()
    try:
        server.process.wait(20)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests that only talk to it."""
    running = start_server(tmp_path_factory.mktemp("server"))
    yield running
    stop_server(running)


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    with build_services(Settings(data_dir=tmp_path / "data", _env_file=None)) as built:
        yield built


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ExampleOnDisk]:
    """The shipped examples as files, as a person would have them."""
    folder = tmp_path_factory.mktemp("examples")
    found = {}
    for example in example_models.EXAMPLES:
        files = example_models.build(example.name)
        model, sample = folder / f"{example.name}.pkl", folder / f"{example.name}.csv"
        model.write_bytes(files.model)
        sample.write_bytes(files.sample_csv)
        found[example.name] = ExampleOnDisk(model, sample, files.target)
    return found


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's path; tests that need one skip, and say so, where there is none."""
    for name in (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"):
        if name and (path := shutil.which(name)):
            return path
    pytest.skip("no Chromium on this machine: install one, or set CHROMIUM to its path")
