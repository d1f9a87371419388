"""The jobs table, which is the truth about what is to be done and who is doing it.

Promises: a job is held by one attempt at a time, and only the attempt that holds it may write to it;
leases run on the database's clock. Leaves what a job means to its callers.
"""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple, get_args

import sqlalchemy as sa

from errors import NotFound
from records.base import Record
from store.database import Database
from store.tables import database_clock, jobs, runs

__all__ = ["KINDS", "JobKind", "JobRow", "JobState", "JobsRepository", "Lease"]

JobKind = Literal["run", "inspect", "example", "read"]
JobState = Literal["queued", "running", "done", "failed", "cancelled"]
KINDS: tuple[JobKind, ...] = get_args(JobKind)


class JobRow(Record):
    """One job. `attempt` counts claims and is the token its holder writes with; `worker` names those who
    claimed it, in turn; `error` has the keys code, message and hint."""

    id: str
    kind: JobKind
    subject: str
    payload: dict[str, Any]
    state: JobState
    priority: int
    attempt: int
    max_attempts: int
    cancel_requested: bool
    worker: str | None = None
    stage: str
    progress: float
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    created_at: datetime
    finished_at: datetime | None

    @property
    def lost_workers(self) -> str:
        """Those who claimed it before its present holder; empty at the first attempt."""
        return (self.worker or "").rpartition(THEN)[0]


class Lease(NamedTuple):
    """What a holder learns when it extends: stop at once when not `still_mine`."""

    still_mine: bool
    cancel_requested: bool


class JobsRepository:
    """Every method is one transaction, or part of the caller's `Store.transaction()`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def insert(
        self,
        id: str,
        kind: JobKind,
        subject: str,
        payload: Mapping[str, Any],
        *,
        priority: int = 0,
        max_attempts: int = 2,
    ) -> JobRow:
        values = {
            "id": id,
            "kind": kind,
            "subject": subject,
            "payload": dict(payload),
            "state": "queued",
            "priority": priority,
            "attempt": 0,
            "max_attempts": max_attempts,
            "cancel_requested": False,
            "stage": "queued",
            "progress": 0.0,
            "created_at": datetime.now(UTC),
        }
        with self._database.writing() as connection:
            return _job(connection.execute(sa.insert(jobs).values(values).returning(*_COLUMNS)).one())

    def get(self, id: str) -> JobRow | None:
        with self._database.reading() as connection:
            row = connection.execute(sa.select(*_COLUMNS).where(jobs.c.id == id)).one_or_none()
        return None if row is None else _job(row)

    def counts(self, kinds: Collection[JobKind] = KINDS) -> dict[JobState, int]:
        """How many jobs are in each state, of some kinds or of all; states without a job are 0."""
        counts: dict[JobState, int] = {"queued": 0, "running": 0, "done": 0, "failed": 0, "cancelled": 0}
        statement = sa.select(jobs.c.state, sa.func.count()).where(jobs.c.kind.in_(kinds))
        with self._database.reading() as connection:
            for state, count in connection.execute(statement.group_by(jobs.c.state)):
                counts[state] = count
        return counts

    def is_stalled(self, after_s: float) -> bool:
        """Whether work waits that long, or for a holder whose lease has expired, and nobody is at work.

        At work is who holds a lease or closed a job within that time. Of a queue without work nothing
        can be told.
        """
        since = datetime.now(UTC) - timedelta(seconds=after_s)
        queued = sa.and_(
            jobs.c.state == "queued", jobs.c.created_at < since, jobs.c.cancel_requested.is_(False)
        )
        held = sa.and_(jobs.c.state == "running", jobs.c.lease_until >= database_clock())
        # What was never claimed was cancelled by its caller, which is no sign of a worker.
        closed = sa.and_(jobs.c.state.in_(SETTLED), jobs.c.finished_at >= since, jobs.c.attempt > 0)
        waits, works = (sa.exists().where(sa.or_(*either)) for either in ((queued, _EXPIRED), (held, closed)))
        with self._database.reading() as connection:
            return bool(connection.execute(sa.select(sa.and_(waits, ~works))).scalar_one())

    def claim(self, worker: str, lease_s: float, kinds: Collection[JobKind] = KINDS) -> JobRow | None:
        """Take the most urgent job that is queued or whose lease has expired; None when there is none.

        Higher priority first, then older first. A job that used up its attempts is left to `reap`.
        """
        waiting = _NEXT.where(jobs.c.kind.in_(kinds))
        with self._database.reading() as connection:  # idle polling takes no write lock
            if connection.execute(waiting).first() is None:
                return None
        statement = (
            sa.update(jobs)
            # SKIP LOCKED: on PostgreSQL two claimers would else pick the same row, one after the other.
            .where(jobs.c.id == waiting.with_for_update(skip_locked=True).scalar_subquery())
            .values(
                state="running",
                attempt=jobs.c.attempt + 1,
                worker=sa.func.coalesce(jobs.c.worker + THEN, "") + worker,
                lease_until=database_clock() + lease_s,
                stage="queued",
                progress=0.0,
            )
            .returning(*_COLUMNS)
        )
        with self._database.writing() as connection:
            row = connection.execute(statement).one_or_none()
        return None if row is None else _job(row)

    def extend(self, id: str, attempt: int, lease_s: float) -> Lease:
        statement = _held(id, attempt).values(lease_until=database_clock() + lease_s)
        with self._database.writing() as connection:
            row = connection.execute(statement.returning(jobs.c.cancel_requested)).one_or_none()
        return Lease(False, False) if row is None else Lease(True, bool(row.cancel_requested))

    def progress(self, id: str, attempt: int, stage: str, fraction: float) -> bool:
        """Write where the job stands (fraction 0 to 1); True only when the job is still this attempt's."""
        return self._write(_held(id, attempt).values(stage=stage, progress=min(max(fraction, 0.0), 1.0)))

    def finish(self, id: str, attempt: int, result: Mapping[str, Any] | None = None) -> bool:
        """True only when the job was still this attempt's, as for `fail` and `cancelled`."""
        return self._close(id, attempt, "done", result=None if result is None else dict(result), progress=1.0)

    def fail(self, id: str, attempt: int, error: Mapping[str, Any]) -> bool:
        return self._close(id, attempt, "failed", error=dict(error))

    def cancelled(self, id: str, attempt: int) -> bool:
        """The holder's word that it has stopped."""
        return self._close(id, attempt, "cancelled")

    def request_cancel(self, id: str) -> JobRow:
        """A queued job is cancelled at once; the holder of a running one learns of it when it extends.

        Answers with the job as it is now; one that is over stays as it is. NotFound for an unknown id.
        """
        queued = jobs.c.state == "queued"
        statement = (
            sa.update(jobs)
            .where(jobs.c.id == id, jobs.c.state.in_(("queued", "running")))
            .values(
                cancel_requested=True,
                state=sa.case((queued, "cancelled"), else_=jobs.c.state),
                finished_at=sa.case((queued, datetime.now(UTC)), else_=jobs.c.finished_at),
            )
        )
        with self._database.writing() as connection:
            connection.execute(statement)
            row = connection.execute(sa.select(*_COLUMNS).where(jobs.c.id == id)).one_or_none()
        if row is None:
            raise NotFound(f"There is no job {id}.", hint="It may have been deleted with its run.")
        return _job(row)

    def reap(self) -> tuple[JobRow, ...]:
        """Settle the jobs whose lease has expired, and return those that will not be tried again.

        A cancelled one becomes `cancelled`; one that used up its attempts `failed` with the code
        `worker_lost`; the others go back to the queue. Mark the runs of those returned within the same
        `Store.transaction()`, so that a reaper that dies leaves no run behind.
        """
        with self._database.reading() as connection:
            if connection.execute(sa.select(jobs.c.id).where(_EXPIRED).limit(1)).first() is None:
                return ()
        expired = sa.update(jobs).where(_EXPIRED)
        over = {"finished_at": datetime.now(UTC), "lease_until": None}
        stop = expired.where(jobs.c.cancel_requested.is_(True)).values(state="cancelled", **over)
        lost = expired.where(jobs.c.attempt >= jobs.c.max_attempts)
        lost = lost.values(state="failed", **over)
        again = expired.values(state="queued", lease_until=None)
        with self._database.writing() as connection:
            rows = [*connection.execute(stop.returning(*_COLUMNS))]
            for row in connection.execute(lost.returning(*_COLUMNS)).all():
                stage = connection.execute(sa.select(runs.c.stage).where(runs.c.job_id == row.id)).scalar()
                mine = sa.update(jobs).where(jobs.c.id == row.id).values(error=_worker_lost(_job(row), stage))
                rows.append(connection.execute(mine.returning(*_COLUMNS)).one())
            connection.execute(again)
        return tuple(_job(row) for row in rows)

    def prune(self, before: datetime) -> int:
        """Forget the jobs that were over before that moment; how many those were."""
        over = sa.delete(jobs).where(jobs.c.state.in_(SETTLED), jobs.c.finished_at < before)
        with self._database.writing() as connection:
            return len(connection.execute(over.returning(jobs.c.id)).all())

    def _close(self, id: str, attempt: int, state: JobState, **values: Any) -> bool:
        over = _held(id, attempt).values(
            state=state, finished_at=datetime.now(UTC), lease_until=None, **values
        )
        return self._write(over)

    def _write(self, statement: sa.Update) -> bool:
        with self._database.writing() as connection:
            return connection.execute(statement.returning(jobs.c.id)).one_or_none() is not None


SETTLED = ("done", "failed", "cancelled")
THEN = ", then "

_COLUMNS = tuple(jobs.c[name] for name in JobRow.model_fields)
_EXPIRED = sa.and_(jobs.c.state == "running", jobs.c.lease_until < database_clock())
_NEXT = (
    sa.select(jobs.c.id)
    .where(
        sa.or_(jobs.c.state == "queued", _EXPIRED),
        jobs.c.attempt < jobs.c.max_attempts,
        jobs.c.cancel_requested.is_(False),
    )
    .order_by(jobs.c.priority.desc(), jobs.c.created_at, jobs.c.id)
    .limit(1)
)


def _held(id: str, attempt: int) -> sa.Update:
    return sa.update(jobs).where(jobs.c.id == id, jobs.c.attempt == attempt, jobs.c.state == "running")


def _worker_lost(job: JobRow, stage: str | None) -> dict[str, str]:
    """`stage`: where the run stood, for a job that is a run's."""
    times = "" if job.attempt == 1 else f" {job.attempt} times"
    work = "job" if stage is None else f"run, the last time in the stage {stage!r}"
    return {
        "code": "worker_lost",
        "message": f"The worker ({job.worker}) was lost{times} while it was busy with this {work}.",
        "hint": "It hung, ran out of memory or was stopped: the server's log tells which. If it was not "
        "stopped, try again with fewer rows.",
    }


def _job(row: sa.Row[Any]) -> JobRow:
    return JobRow.model_validate(dict(row._mapping))
