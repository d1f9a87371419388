"""The third door: claims jobs and does them, in a process of its own (`python -m worker`).

Promises: a job is held by a lease that is renewed while it is worked on, and closed once. Leaves the
stages of a run to `execution.stages`, and being started again to `supervisor`.
"""

import sys

from execution.heartbeat import Heartbeat

HEARTBEAT = Heartbeat()
if __name__ == "__main__" and "--with-parent" in sys.argv:
    HEARTBEAT.start()  # before the imports: from a cold disk they may take longer than a lease

import argparse
import logging
import math
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO
from types import TracebackType
from typing import Any, Self

import example_models
from distances import domain
from errors import Cancelled, DashboardError, NotFound
from execution.housekeeping import tidy
from execution.inspection import describe_sample, inspect_model
from execution.results import as_stored, kept_figures, summary_of
from execution.stages import Outcome, executed
from jobs import Jobs
from records.model import ModelFile, ModelInfo
from records.run import Stage
from runs import Upload, store_upload
from sandbox.zygote import Zygote
from services import Services, build_services
from settings import Settings
from storage import GLANCE_S
from store.jobs import KINDS, JobKind, JobRow
from store.run_rows import RunRow

__all__ = ["Hold", "Worker", "main"]

READING: tuple[JobKind, ...] = ("read",)  # samples are read beside the runs, for whom a caller waits
WORK = tuple(kind for kind in KINDS if kind not in READING)
READERS = 2
POLL_S = 0.1
LISTEN_S = 0.25  # between looks whether a job is to be cancelled; what is then left of a second ends its work
TIDY_S = 3600.0
_LOG = logging.getLogger("worker")


class Hold:
    """A claimed job, held: a thread renews its lease and sets `stop` when the work should end.

    `lost` says that the job is no longer ours: another attempt has it, and nothing may be written.
    """

    def __init__(self, jobs: Jobs, job: JobRow, lease_s: float) -> None:
        self.job = job
        self.stop = threading.Event()
        self.lost = False
        self._jobs = jobs
        self._interval = min(lease_s / 3, 1.0)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._renew, name=f"lease-{job.id[:8]}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _renew(self) -> None:
        extended = time.monotonic()
        while not self._over.wait(min(LISTEN_S, self._interval)):
            try:
                # Looking costs a tenth of a write, which waits for the disk and for other writers.
                due = time.monotonic() - extended >= self._interval
                if not due and self._is_wanted():
                    continue
                lease = self._jobs.extend(self.job.id, self.job.attempt)
                extended = time.monotonic()
            except Exception:  # a busy database costs one renewal, not the job
                _LOG.exception("could not renew the lease of job %s", self.job.id)
                continue
            if not lease.still_mine:
                self.lost = True
                self.stop.set()
                return
            if lease.cancel_requested:
                self.stop.set()

    def _is_wanted(self) -> bool:
        try:
            return not self._jobs.get(self.job.id).cancel_requested
        except NotFound:  # deleted with its run: the lease will say so
            return False


class Worker:
    """Claims jobs while it runs; `MAX_WORKERS` of them at a time, each model in a child of its own."""

    def __init__(self, services: Services, heartbeat: Heartbeat) -> None:
        self._services = services
        self._heartbeat = heartbeat
        self._settings = services.settings
        self._name = f"{os.uname().nodename if hasattr(os, 'uname') else 'worker'}-{os.getpid()}"
        self._holds: set[Hold] = set()
        self._stopping = threading.Event()
        self._reaped, self._tidied = -math.inf, 0.0

    def stop(self) -> None:
        """Take no more jobs and let go of those in work: their leases end, and another attempt takes them."""
        self._stopping.set()
        for hold in tuple(self._holds):
            hold.lost = True
            hold.stop.set()

    def run(self) -> None:
        """Work until `stop` is called."""
        with Zygote(self._settings) as zygote, ThreadPoolExecutor(1) as beside:
            reading = beside.submit(self._serve, zygote, READING, READERS)
            reading.add_done_callback(lambda _future: self.stop())  # a fault ends both, and is raised below
            domain.warm_up()  # while the zygote starts, before which no job could run
            _LOG.info("worker %s is ready", self._name)
            self._serve(zygote, WORK, self._settings.max_workers, self._keep_house)
            reading.result()

    def _serve(
        self,
        zygote: Zygote,
        kinds: tuple[JobKind, ...],
        places: int,
        between: Callable[[], None] | None = None,
    ) -> None:
        """Claim jobs of some kinds and do them, so many at a time; `between` is called before each look."""
        slots = threading.Semaphore(places)
        with ThreadPoolExecutor(places) as pool:
            while not self._stopping.is_set():
                if between is not None:
                    between()
                if not slots.acquire(timeout=POLL_S):
                    continue
                mark = self._services.store.mark()  # taken first: what is written from here on is noticed
                job = self._claim(kinds)
                if job is None:
                    slots.release()
                    self._rest(mark)
                    continue
                pool.submit(self._work, job, zygote).add_done_callback(lambda _future: slots.release())

    def _keep_house(self) -> None:
        if time.monotonic() - self._reaped > self._settings.lease_s / 3:
            self._reaped = time.monotonic()
            self._reap()
        if time.monotonic() - self._tidied > TIDY_S:
            self._tidied = time.monotonic()
            self._tidy()

    def _rest(self, mark: int | None) -> None:
        """Until somebody has written to the database since, which may be a job; for one poll at most."""
        until = time.monotonic() + POLL_S
        while time.monotonic() < until:
            if self._stopping.wait(POLL_S if mark is None else GLANCE_S):
                return
            if mark is not None and self._services.store.mark() != mark:
                return

    def _claim(self, kinds: tuple[JobKind, ...]) -> JobRow | None:
        try:
            return self._services.jobs.claim(self._name, kinds)
        except Exception:  # the database may be away for a moment; the next poll tries again
            _LOG.exception("could not claim a job")
            self._stopping.wait(1.0)
            return None

    def _tidy(self) -> None:
        try:
            removed = tidy(self._services)
        except Exception:  # as for claiming
            _LOG.exception("could not tidy up")
        else:
            if removed.files or removed.jobs:
                _LOG.info("removed %d unused files and %d old jobs", removed.files, removed.jobs)

    def _reap(self) -> None:
        try:
            # One transaction: a run whose job is settled must never be left behind as running.
            with self._services.store.transaction():
                for job in self._services.jobs.reap():
                    if job.kind != "run":
                        continue
                    if job.error is None:
                        self._services.store.runs.mark_cancelled(job.subject)
                    else:
                        message = f"{job.error['message']} {job.error['hint']}"
                        self._services.store.runs.mark_error(job.subject, message)
        except Exception:  # as for claiming
            _LOG.exception("could not settle the jobs of lost workers")

    def _work(self, job: JobRow, zygote: Zygote) -> None:
        with Hold(self._services.jobs, job, self._settings.lease_s) as hold:
            self._holds.add(hold)
            self._tell()
            try:
                if self._stopping.is_set():
                    hold.lost = True
                    return
                if job.kind == "run":
                    self._run(job, zygote, hold)
                else:
                    result = self._answer(job, zygote, hold)
                    self._services.jobs.finish(job.id, job.attempt, result)
            except Exception as error:  # the boundary of a job: recorded, and the worker goes on
                self._give_up(job, hold, error)
            finally:
                self._holds.discard(hold)
                self._tell()

    def _tell(self) -> None:
        self._heartbeat.tell(f"{hold.job.kind} {hold.job.subject}" for hold in tuple(self._holds))

    def _run(self, job: JobRow, zygote: Zygote, hold: Hold) -> None:
        store = self._services.store
        row = store.runs.get(job.subject)
        if row is None or not store.runs.start(row.id, job.attempt):
            self._services.jobs.finish(job.id, job.attempt, {})
            return

        def report_progress(stage: Stage, fraction: float) -> None:
            store.runs.progress(job.subject, job.attempt, stage, fraction)

        lost = _lost_before(job, row.stage)  # of the row as it was before this attempt started
        with executed(self._services, zygote, row, hold.stop, report_progress, lost) as outcome:
            if hold.lost:
                return  # another attempt has the run now; what this one found is dropped
            self._store(job, row, outcome)
        _LOG.info("run %s: %s", row.id, outcome.report.status)

    def _store(self, job: JobRow, row: RunRow, outcome: Outcome) -> None:
        report, document = as_stored(outcome.report)
        summary = outcome.summary if report is outcome.report else summary_of(report)
        with self._services.store.transaction():
            self._services.store.runs.finish(
                row.id, job.attempt, report.status, document, summary, outcome.files, kept_figures(report)
            )
            if report.status == "cancelled":
                self._services.jobs.cancelled(job.id, job.attempt)
            else:
                self._services.jobs.finish(job.id, job.attempt, {})

    def _answer(self, job: JobRow, zygote: Zygote, hold: Hold) -> dict[str, Any]:
        if job.kind == "read":
            name = job.payload["name"]
            facts = describe_sample(self._services, zygote, job.subject, name, hold.stop)
            return facts.model_dump(mode="json")
        return self._inspect(job, zygote, hold) if job.kind == "inspect" else self._example(job)

    def _inspect(self, job: JobRow, zygote: Zygote, hold: Hold) -> dict[str, Any]:
        given = job.payload
        beside = tuple(ModelFile(**one) for one in given.get("companions", ()))
        info = ModelInfo(name=given["name"], sha256=job.subject, bytes=given["bytes"], companions=beside)
        info, schema, warnings = inspect_model(
            self._services,
            zygote,
            info,
            hold.stop,
            contained=given.get("contained", False),
            entry=given.get("entry"),
            steps=given.get("steps", ()),
        )
        return {
            "model": info.model_dump(mode="json"),
            "schema": None if schema is None else schema.model_dump(mode="json"),
            "warnings": list(warnings),
        }

    def _example(self, job: JobRow) -> dict[str, Any]:
        example = next(e for e in example_models.EXAMPLES if e.name == job.subject)
        files = example_models.build(example.name)
        return {
            "model": self._keep(files.model, f"{example.name}.pkl").model_dump(),
            "sample": self._keep(files.sample_csv, f"{example.name}.csv").model_dump(),
            "target": files.target,
            "title": example.title,
        }

    def _keep(self, data: bytes, name: str) -> Upload:
        return store_upload(self._services, BytesIO(data), name)

    def _give_up(self, job: JobRow, hold: Hold, error: Exception) -> None:
        if hold.lost:
            return
        if not isinstance(error, DashboardError):
            _LOG.error("job %s (%s %s) failed", job.id, job.kind, job.subject, exc_info=error)
            error = DashboardError(
                f"{type(error).__name__}: {error}"[:500],
                hint="This is a fault of the dashboard, not of the model: please report it.",
            )
        with self._services.store.transaction():
            if job.kind == "run":
                self._services.store.runs.mark_error(job.subject, error.message)
            if isinstance(error, Cancelled):
                self._services.jobs.cancelled(job.id, job.attempt)
            else:
                self._services.jobs.fail(job.id, job.attempt, error)


def _lost_before(job: JobRow, stage: Stage) -> tuple[str, ...]:
    if not job.lost_workers:
        return ()
    return (
        f"An earlier attempt was lost with its worker ({job.lost_workers}), in the stage {stage!r}; this "
        "report is of the later attempt alone. The server's log tells what became of that worker.",
    )


def main(arguments: list[str] | None = None) -> None:
    """Run one worker until it is told to stop: SIGTERM, Ctrl-C, or the end of its parent."""
    parser = argparse.ArgumentParser(prog="worker", description=__doc__)
    parser.add_argument(
        "--with-parent",
        action="store_true",
        help="stop when standard input closes, as it does when the parent ends; where it is a socket, "
        "send signs of life up it",
    )
    options = parser.parse_args(arguments)
    settings = Settings()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    with build_services(settings) as services:
        worker = Worker(services, HEARTBEAT)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: worker.stop())
        if options.with_parent:
            threading.Thread(target=_stop_with_parent, args=(worker,), daemon=True).start()
        worker.run()


def _stop_with_parent(worker: Worker) -> None:
    with suppress(ConnectionError):  # as it ends when the parent was killed with a beat unread
        while os.read(0, 1):  # sys.stdin would hold a lock that aborts the interpreter's exit
            pass
    worker.stop()


if __name__ == "__main__":
    main()
