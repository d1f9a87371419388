"""A real server on a free port for tests of the API and its client, and a worker that only pretends.

Promises: requests go through uvicorn and real sockets, so that disconnects, streams and limits are
real. The pretended worker finishes every job with the sample report; a behaviour can be handed in.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any, Self

import httpx
import uvicorn
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

import api_handler
from errors import DashboardError
from model_process.reader import described
from records.restarts import Restarts
from records.run import RunReport
from rows.samples import read_sample
from services import Services, build_services
from settings import Settings
from store.jobs import JobRow
from store.run_rows import RunRow, RunSummary
from tests.support.sample_reports import sample_report
from tests.support.waiting import WAIT_S, wait_until

__all__ = ["FakeWorker", "Server", "running_api", "serve", "test_settings"]


def test_settings(folder: Path, **changes: Any) -> Settings:
    return Settings(_env_file=None, data_dir=folder / "data", **{"max_upload_mb": 1, **changes})


test_settings.__test__ = False  # type: ignore[attr-defined]


@contextmanager
def serve(app: Any) -> Iterator[str]:
    """The app on a free port of this machine, until the block ends."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else each answer takes 40 ms
    port = listening.getsockname()[1]
    config = uvicorn.Config(app, log_level="critical", lifespan="off", ws="none", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    try:
        yield f"http://localhost:{port}"
    finally:
        server.should_exit = True
        thread.join(WAIT_S)
        listening.close()


class FakeWorker:
    """Claims run jobs and closes each with what `behave` returns for the row; None ends it in an error."""

    def __init__(
        self, services: Services, behave: Callable[[RunRow], RunReport | None] | None = None
    ) -> None:
        self.services = services
        self.behave: Callable[[RunRow], RunReport | None] = report_of
        self.works = threading.Event()
        self.works.set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(WAIT_S)

    def pause(self) -> None:
        self.works.clear()

    def resume(self) -> None:
        self.works.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            job = self.services.jobs.claim("fake") if self.works.is_set() else None
            if job is None:
                self._stop.wait(0.02)
                continue
            store = self.services.store.runs
            row = store.get(job.subject)
            if job.kind == "run" and row is not None and store.start(row.id, job.attempt):
                store.progress(row.id, job.attempt, "drift", 0.5)
                report = self.behave(row)
                if report is None:
                    store.mark_error(row.id, "The model's process died.")
                else:
                    document = report.model_dump(mode="json")
                    store.finish(row.id, job.attempt, report.status, document, RunSummary(p95_ms=1.5))
            if job.kind == "read":
                self._read(job)
            else:
                self.services.jobs.finish(job.id, job.attempt)

    def _read(self, job: JobRow) -> None:
        """As the worker's locked process does, without the lock."""
        try:
            with self.services.artifacts.path(job.subject).open("rb") as file:
                facts = described(read_sample(file, job.payload["name"]))
        except DashboardError as error:
            self.services.jobs.fail(job.id, job.attempt, error)
        else:
            self.services.jobs.finish(job.id, job.attempt, facts.model_dump(mode="json"))


def report_of(row: RunRow, **changes: Any) -> RunReport:
    return sample_report(
        **{"id": row.id, "name": row.name, "source": row.source, "created_at": row.created_at, **changes}
    )


@dataclass(frozen=True)
class Server:
    """What a test talks to."""

    url: str
    client: httpx.Client
    services: Services
    worker: FakeWorker
    app: FastAPI
    supervisor: SimpleNamespace

    def submit(self, content: bytes = b"model", **options: Any) -> httpx.Response:
        wait = options.pop("wait", 20)
        files = {"model": ("iris.pkl", content), **options.pop("files", {})}
        return self.client.post("/run_tests", params={"wait": wait}, files=files, **options)


async def dashboard(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers as the dashboard's mount does: everything with its page and 200."""
    headers = [(b"content-type", b"text/html")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"THE DASHBOARD"})


@contextmanager
def running_api(settings: Settings) -> Iterator[Server]:
    app = FastAPI(title="Test", version="0", docs_url=None, redoc_url=None)
    api_handler.install(app, settings)
    app.mount("/", dashboard)
    supervisor = SimpleNamespace(alive=True, restarts=Restarts())
    with build_services(settings) as services, FakeWorker(services) as worker:
        app.state.services, app.state.supervisor = services, supervisor
        with serve(app) as url, httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
            yield Server(url, client, services, worker, app, supervisor)
