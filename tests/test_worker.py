"""A worker that hangs in the middle of a run: it is replaced, the run ends once and says so, others go on."""

import json
import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import psutil
import pytest

from execution.heartbeat import Heartbeat
from jobs import Jobs
from runs import get_run, store_upload, submit
from services import Services
from store.jobs import JobRow, Lease
from tests.support.live_server import ExampleOnDisk, LiveServer, start_server, stop_server
from tests.support.waiting import WAIT_S, gone, wait_until
from worker import Hold, Worker

EXPIRED = -1.0  # a lease that ended before it began
LIMIT_S = 120.0
LONG: dict[str, Any] = {
    "rows": 200,
    "latency": {"budget_s": 3, "calls": 10_000},  # long enough to be stopped in
    "explain": {"method": "none"},
    "drift": {"budget_s": 0.3},
    "gates": {"p95_ms": 1e6},
}


def test_a_run_that_lost_two_workers_ends_with_what_happened_and_what_to_do(
    services: Services, tmp_path: Path
) -> None:
    (tmp_path / "model").write_bytes(b"model")
    with (tmp_path / "model").open("rb") as stream:
        row = submit(services, model=store_upload(services, stream, "m.pkl"))
    for name in ("host-1", "host-2"):
        assert services.store.jobs.claim(name, EXPIRED) is not None
    Worker(services, Heartbeat())._reap()
    lost = get_run(services, row.id)
    assert lost.state == "error" and lost.error_message is not None
    assert "(host-1, then host-2) was lost 2 times" in lost.error_message
    assert "try again" in lost.error_message


class FakeJobs:
    """A queue whose job was cancelled after the first renewal would have been due only in a long while."""

    def __init__(self, job: SimpleNamespace) -> None:
        self.job, self.looks, self.extended = job, 0, 0

    def get(self, _id: str) -> SimpleNamespace:
        self.looks += 1
        return SimpleNamespace(cancel_requested=self.looks > 3)

    def extend(self, _id: str, _attempt: int) -> Lease:
        self.extended += 1
        return Lease(still_mine=True, cancel_requested=True)


def test_a_cancel_is_heard_between_two_renewals_of_the_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.LISTEN_S", 0.001)
    job = SimpleNamespace(id="j" * 8, attempt=1)
    jobs = FakeJobs(job)
    hold = Hold(cast(Jobs, jobs), cast(JobRow, job), lease_s=3_000)
    hold._interval = 3_000.0  # no renewal is due
    with hold:
        assert hold.stop.wait(WAIT_S)
    assert not hold.lost and jobs.looks >= 4 and jobs.extended >= 1


# With the real thing ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that waits three seconds for a sign of life."""
    running = start_server(tmp_path_factory.mktemp("impatient"), LEASE_S="3")
    yield running
    stop_server(running)


def posted(server: LiveServer, model: Path) -> str:
    answer = httpx.post(
        f"{server.url}/run_tests",
        params={"wait": 0},
        files={"model": ("model.pkl", model.read_bytes())},
        data={"config": json.dumps(LONG)},
        timeout=60,
    )
    assert answer.status_code == 202, answer.text
    return f"{server.url}/api/v1/runs/{answer.json()['id']}"


def document(run: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(run, timeout=60).json()
    return found


def ended(run: str) -> dict[str, Any]:
    wait_until(lambda: document(run)["status"] not in {"queued", "running"}, LIMIT_S)
    return document(run)


def worker_of(server: LiveServer) -> psutil.Process | None:
    children = psutil.Process(server.process.pid).children()
    return next((child for child in children if "--with-parent" in child.cmdline()), None)


def stop_the_worker_amid(server: LiveServer, run: str) -> int:
    """Stop it while it measures, and wait until it and all that it had started are gone; its number."""
    wait_until(lambda: document(run).get("stage") == "latency", LIMIT_S)
    worker = worker_of(server)
    assert worker is not None
    family = [worker.pid, *(child.pid for child in worker.children(recursive=True))]
    assert len(family) == 3  # with the zygote and the model's process
    os.kill(worker.pid, signal.SIGSTOP)
    wait_until(lambda: all(gone(pid) for pid in family), LIMIT_S)
    wait_until(lambda: document(run).get("stage") != "latency", LIMIT_S)  # of the attempt that was lost
    return worker.pid


def readiness(server: LiveServer) -> dict[str, Any]:
    wait_until(lambda: httpx.get(f"{server.url}/ready", timeout=60).status_code == 200, LIMIT_S)
    found: dict[str, Any] = httpx.get(f"{server.url}/ready", timeout=60).json()
    return found


def attempts_at(server: LiveServer, run: str) -> tuple[int, str]:
    with closing(sqlite3.connect(server.data_dir / "dashboard.sqlite3")) as database:
        query = "SELECT attempt, state FROM jobs WHERE subject = ?"
        [(attempt, state)] = database.execute(query, (run.rpartition("/")[2],)).fetchall()
    return attempt, state


@pytest.mark.slow
def test_a_run_whose_worker_is_stopped_ends_once_and_says_so(
    impatient: LiveServer, examples: dict[str, ExampleOnDisk]
) -> None:
    before = readiness(impatient)["worker_restarts"]["silent"]
    run = posted(impatient, examples["wine"].model)
    stopped = stop_the_worker_amid(impatient, run)
    report = ended(run)
    assert report["status"] in {"passed", "warned"}, report
    [warning] = [text for text in report["warnings"] if "attempt" in text]
    assert f"-{stopped})" in warning and "'latency'" in warning
    assert attempts_at(impatient, run) == (2, "done")
    restarts = readiness(impatient)["worker_restarts"]
    assert restarts["silent"] == before + 1
    assert run.rpartition("/")[2] in restarts["last_reason"]


@pytest.mark.slow
def test_a_run_that_stops_every_worker_ends_as_an_error_and_the_next_run_is_done(
    impatient: LiveServer, examples: dict[str, ExampleOnDisk]
) -> None:
    run, other = (posted(impatient, examples["wine"].model) for _ in range(2))
    first, second = (stop_the_worker_amid(impatient, run) for _ in range(2))
    lost = ended(run)
    assert lost["status"] == "error"
    assert f"-{first}, then " in lost["message"] and f"-{second}) was lost 2 times" in lost["message"]
    assert "in the stage 'latency'" in lost["message"]
    assert attempts_at(impatient, run) == (2, "failed")
    assert ended(other)["status"] in {"passed", "warned"}
    assert attempts_at(impatient, other) == (1, "done")
    assert readiness(impatient)["status"] == "ready"
