"""What several tests need: one live server for a session, real model files, empty stores, a browser."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

# Tests' models are tiny: threads that libraries start for them only wait for each other, longest on a busy
# machine, and several tests run at a time already. Libraries read it when they are loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import hypothesis
import pytest

import example_models
from services import Services, build_services
from settings import Settings
from storage import Store
from tests.support.databases import KINDS, fresh_database
from tests.support.live_server import ExampleOnDisk, LiveServer, start_server, stop_server

# By default an example may take 200 ms: how long things take is nothing that we assert.
slow_machines = [hypothesis.HealthCheck.too_slow]
hypothesis.settings.register_profile("no clock", deadline=None, suppress_health_check=slow_machines)
hypothesis.settings.load_profile("no clock")

MOST_WORKERS = 4  # each has all libraries loaded


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """A process for each core; none where one file is asked for, all of whose tests would land in one."""
    files = {argument.partition("::")[0] for argument in config.args}
    if len(files) == 1 and Path(files.pop()).is_file():
        return 0
    return min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2, MOST_WORKERS)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """One server for all tests that only talk to it."""
    running = start_server(tmp_path_factory.mktemp("server"))
    yield running
    stop_server(running)


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    with build_services(Settings(data_dir=tmp_path / "data", _env_file=None)) as built:
        yield built


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, of each kind that this machine has."""
    with fresh_database(request.param, tmp_path) as url:
        yield url


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """An empty store with today's tables."""
    store = Store(url)
    store.migrate()
    yield store
    store.close()


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
