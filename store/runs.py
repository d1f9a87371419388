"""The runs, their files and their idempotency keys.

Promises: a run is closed once, and only by the attempt that holds its job. Leaves what the figures mean to
the report, files to `store.artifacts`, and lists' order and pages to `store.run_lists`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import IntegrityError

from errors import Conflict, NotFound
from records.model import ModelFile
from records.run import Stage
from store.database import Database
from store.run_lists import Place, RunPage, RunQuery, fitting, key_of, order_of
from store.run_rows import (
    COLUMNS,
    OPEN_STATES,
    RunFile,
    RunRow,
    RunState,
    RunSummary,
    found_by,
    row_of,
    values_of,
)
from store.tables import clean_text, idempotency, jobs, run_companions, run_files, run_reports, runs

__all__ = ["RunsRepository"]


class RunsRepository:
    """Every method is one transaction, or part of the caller's `Store.transaction()`.

    `attempt` is the attempt of the run's job: a write counts only while that attempt holds the job
    and the run is open. The jobs table is asked each time, so there is no second truth to keep in step.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def insert(self, row: RunRow, report: Mapping[str, Any] | None = None) -> None:
        """Conflict when the id is taken; InvalidInput when the row could not be read back."""
        values = values_of(row) | {"updated_at": datetime.now(UTC)}
        beside = [
            {"run_id": row.id, "position": i} | one.model_dump(include={"name", "sha256", "bytes"})
            for i, one in enumerate(row.companions)
        ]
        with self._database.writing() as connection:
            try:
                connection.execute(sa.insert(runs).values(values))
            except IntegrityError as error:
                raise Conflict(f"There is already a run {row.id}.") from error
            if beside:
                connection.execute(sa.insert(run_companions), beside)
            if report is not None:
                connection.execute(sa.insert(run_reports).values(run_id=row.id, report=report))

    def get(self, id: str) -> RunRow | None:
        """The run; None for an unknown one, and for one that was discarded."""
        there = sa.and_(runs.c.id == id, runs.c.deleted_at.is_(None))
        with self._database.reading() as connection:
            row = connection.execute(sa.select(*COLUMNS).where(there)).one_or_none()
            return None if row is None else row_of(row._mapping, _companions(connection, [id])[id])

    def report(self, id: str) -> dict[str, Any] | None:
        """The report as it was stored; None for an unknown run and for one that has none (yet)."""
        with self._database.reading() as connection:
            found = sa.select(run_reports.c.report).where(run_reports.c.run_id == id)
            report = connection.execute(found).scalar_one_or_none()
        return report if report is None else dict(report)

    def list(self, query: RunQuery) -> RunPage:
        """InvalidInput for a cursor that is not ours, or of another order."""
        fits, key = fitting(query), key_of(query.sort)
        place = None if query.cursor is None else Place.read(query.cursor, query.sort)
        # The ids first: they come out of the index alone, and the rows of one page only are read.
        wanted = sa.select(runs.c.id, key.label("value")).where(*fits).order_by(*order_of(query.sort))
        if place is not None:
            wanted = wanted.where(place.after())
        with self._database.reading() as connection:
            total = connection.execute(sa.select(sa.func.count()).select_from(runs).where(*fits)).scalar_one()
            found = connection.execute(wanted.limit(query.limit + 1)).all()
            ids = [row.id for row in found[: query.limit]]
            beside = _companions(connection, ids)
            read = connection.execute(sa.select(*COLUMNS).where(runs.c.id.in_(ids))).all()
        by_id = {row.id: row_of(row._mapping, beside[row.id]) for row in read}
        cursor = None
        if len(found) > query.limit:
            end = found[query.limit - 1]
            cursor = Place.of(query.sort, end.value, end.id).text()
        # PostgreSQL looks anew for each statement: a run may be gone between them.
        return RunPage(rows=tuple(by_id[id] for id in ids if id in by_id), next_cursor=cursor, total=total)

    def at_work(self, limit: int) -> tuple[RunRow, ...]:
        """Runs that are not over, the one that began last first; cheap enough for every page to ask."""
        # Nothing but the state: an open run is never discarded, and an index answers it.
        newest = sa.select(*COLUMNS).where(runs.c.state.in_(OPEN_STATES)).order_by(runs.c.id.desc())
        with self._database.reading() as connection:
            found = connection.execute(newest.limit(limit)).all()
        return tuple(row_of(row._mapping, ()) for row in found)

    def last_change(self) -> str:
        """A token that differs whenever any run was added, changed or deleted; cheap enough to poll."""
        figures = sa.select(
            sa.func.count(), sa.func.sum(runs.c.revision), sa.func.max(runs.c.updated_at)
        ).select_from(runs)
        with self._database.reading() as connection:
            count, revisions, latest = connection.execute(figures).one()
        return f"{count}.{revisions or 0}.{latest.isoformat() if latest else ''}"

    def start(self, id: str, attempt: int) -> bool:
        """The run is being worked on. False (stop) when it is closed or the job is another attempt's."""
        return self._write(
            _held(id, attempt),
            {"state": "running", "stage": "load", "progress": 0.0, "started_at": datetime.now(UTC)},
        )

    def progress(self, id: str, attempt: int, stage: Stage, fraction: float) -> bool:
        """Write where the run stands (fraction 0 to 1); False as for `start`."""
        return self._write(_held(id, attempt), {"stage": stage, "progress": min(max(fraction, 0.0), 1.0)})

    def finish(
        self,
        id: str,
        attempt: int,
        state: RunState,
        report: Mapping[str, Any] | None,
        summary: RunSummary | None = None,
        files: Sequence[RunFile] = (),
        figures: Mapping[str, float] | None = None,
    ) -> bool:
        """Close the run with its report and files, all or nothing; False as for `start`.

        figures: the report's, by path, for trends.
        """
        values = {
            **(summary or RunSummary()).model_dump(),
            "state": state,
            "stage": "done",
            "progress": 1.0,
            "finished_at": datetime.now(UTC),
        }
        with self._database.writing() as connection:
            mine = self._write(_held(id, attempt), values)
            if mine and report is not None:
                kept = sa.insert(run_reports).values(run_id=id, report=report, figures=figures)
                connection.execute(kept)
            for file in files if mine else ():
                self.add_file(id, file)
        return mine

    def mark_error(self, id: str, message: str) -> bool:
        """Close an open run that nobody works on any more; False when it is closed or unknown."""
        return self._write(_open(id), _over("error") | {"error_message": message})

    def mark_cancelled(self, id: str, message: str = "The run was cancelled.") -> bool:
        """As `mark_error`, for a run whose job was cancelled before anyone took it, or lost after."""
        return self._write(_open(id), _over("cancelled") | {"error_message": message})

    def edit(self, id: str, values: Mapping[str, Any], revision: int | None = None) -> bool:
        """Set some of `name`, `tags` and `notes`; False where the run has another revision or is gone."""
        with self._database.writing() as connection:
            row = self.get(id)
            if row is None or (revision is not None and row.revision != revision):
                return False
            changed = row.model_copy(update=dict(values))
            kept = {name: value for name, value in values_of(changed).items() if name in values}
            kept["found_by"] = found_by(changed)
            grown = {"revision": runs.c.revision + 1, "updated_at": datetime.now(UTC)}
            connection.execute(sa.update(runs).where(runs.c.id == id).values(**kept, **grown))
        return True

    def discard(self, id: str) -> bool:
        """Take a run out of sight, until it is restored or purged; False where it is not there."""
        there = sa.and_(runs.c.id == id, runs.c.deleted_at.is_(None))
        return self._write(there, {"deleted_at": datetime.now(UTC)})

    def restore(self, id: str) -> bool:
        """Bring a discarded run back; False where there is none of that id."""
        return self._write(sa.and_(runs.c.id == id, runs.c.deleted_at.is_not(None)), {"deleted_at": None})

    def discarded_before(self, seconds: float) -> tuple[str, ...]:
        """The runs that were discarded longer ago than that."""
        limit = datetime.now(UTC) - timedelta(seconds=seconds)
        statement = sa.select(runs.c.id).where(runs.c.deleted_at < limit)
        with self._database.reading() as connection:
            return tuple(connection.execute(statement).scalars())

    def delete(self, id: str) -> tuple[str, ...]:
        """Delete the run with its job, files' entries and key; the sha256s that nothing refers to now.

        Remove those files inside the same `Store.transaction()`, and check in the transaction that
        submits a run that its files exist: then neither can pull a file from under the other.
        NotFound for an unknown id.
        """
        with self._database.writing() as connection:
            row = connection.execute(
                sa.select(runs.c.model_sha256, runs.c.sample_sha256, runs.c.job_id).where(runs.c.id == id)
            ).one_or_none()
            if row is None:
                raise NotFound(f"There is no run {id}.", hint="It may have been deleted already.")
            held = {file.sha256 for file in self.files(id)} | {row.model_sha256, row.sample_sha256}
            held |= {one.sha256 for one in _companions(connection, [id])[id]}
            for table in (run_companions, run_reports):
                connection.execute(sa.delete(table).where(table.c.run_id == id))
            connection.execute(sa.delete(run_files).where(run_files.c.run_id == id))
            connection.execute(sa.delete(idempotency).where(idempotency.c.run_id == id))
            connection.execute(sa.delete(jobs).where(jobs.c.id == row.job_id))
            connection.execute(sa.delete(runs).where(runs.c.id == id))
            return tuple(sorted(sha for sha in held if sha is not None and not self.referenced(sha)))

    def files(self, id: str) -> tuple[RunFile, ...]:
        columns = [run_files.c[name] for name in RunFile.model_fields]
        statement = sa.select(*columns).where(run_files.c.run_id == id).order_by(run_files.c.name)
        with self._database.reading() as connection:
            found = connection.execute(statement).all()
        return tuple(RunFile.model_validate(dict(row._mapping)) for row in found)

    def add_file(self, id: str, file: RunFile) -> None:
        """A file of the same name is replaced. NotFound for an unknown run."""
        with self._database.writing() as connection:
            if connection.execute(sa.select(runs.c.id).where(runs.c.id == id)).first() is None:
                raise NotFound(f"There is no run {id}.")
            same = sa.and_(run_files.c.run_id == id, run_files.c.name == clean_text(file.name))
            connection.execute(sa.delete(run_files).where(same))
            connection.execute(sa.insert(run_files).values(run_id=id, **file.model_dump()))

    def referenced(self, sha256: str) -> bool:
        """Whether a run, a run's file or a job that is not over needs the file."""
        users = (
            sa.select(runs.c.id).where(runs.c.model_sha256 == sha256),
            sa.select(runs.c.id).where(runs.c.sample_sha256 == sha256),
            sa.select(run_companions.c.run_id).where(run_companions.c.sha256 == sha256),
            sa.select(run_files.c.run_id).where(run_files.c.sha256 == sha256),
            sa.select(jobs.c.id).where(jobs.c.subject == sha256, jobs.c.state.in_(OPEN_STATES)),
        )
        with self._database.reading() as connection:
            return any(connection.execute(user.limit(1)).first() is not None for user in users)

    def run_of_key(self, key: str) -> str | None:
        """The id of the run that was submitted under an idempotency key."""
        statement = sa.select(idempotency.c.run_id).where(idempotency.c.key == key)
        with self._database.reading() as connection:
            return connection.execute(statement).scalar_one_or_none()

    def claim_idempotency(self, key: str, fingerprint: str, run_id: str) -> str | None:
        """None when the key is now this run's, else the id of the run that has it.

        Claim and insert within one `Store.transaction()`. Conflict when the key came with another
        request before (another fingerprint).
        """
        claim = self._insert(idempotency).values(
            key=key, fingerprint=fingerprint, run_id=run_id, created_at=datetime.now(UTC)
        )
        known = sa.select(idempotency.c.fingerprint, idempotency.c.run_id).where(idempotency.c.key == key)
        with self._database.writing() as connection:
            mine = connection.execute(claim.on_conflict_do_nothing().returning(idempotency.c.key)).first()
            if mine is not None:
                return None
            earlier = connection.execute(known).one()
        if earlier.fingerprint != fingerprint:
            raise Conflict(
                "The Idempotency-Key was used before with a different request.",
                hint="Send a new key with a new request, or repeat the first request unchanged.",
            )
        return str(earlier.run_id)

    def _insert(self, table: sa.Table) -> Any:
        """The dialect's own INSERT, which knows ON CONFLICT; PostgreSQL's is slow to import."""
        if self._database.dialect == "sqlite":
            return sqlite.insert(table)
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)

    def _write(self, where: sa.ColumnElement[bool], values: Mapping[str, Any]) -> bool:
        change = {**values, "revision": runs.c.revision + 1, "updated_at": datetime.now(UTC)}
        statement = sa.update(runs).where(where).values(change).returning(runs.c.id)
        with self._database.writing() as connection:
            return connection.execute(statement).one_or_none() is not None


def _companions(connection: sa.Connection, ids: Sequence[str]) -> dict[str, tuple[ModelFile, ...]]:
    """The files beside the model of each run, as they were sent. On the caller's connection: one asked for
    while another is held waits for ever where as many callers hold theirs as there are."""
    table = run_companions
    statement = sa.select(table).where(table.c.run_id.in_(ids)).order_by(table.c.run_id, table.c.position)
    found: dict[str, tuple[ModelFile, ...]] = dict.fromkeys(ids, ())
    for row in connection.execute(statement):
        found[row.run_id] += (ModelFile(name=row.name, sha256=row.sha256, bytes=row.bytes),)
    return found


def _open(id: str) -> sa.ColumnElement[bool]:
    return sa.and_(runs.c.id == id, runs.c.state.in_(OPEN_STATES))


def _held(id: str, attempt: int) -> sa.ColumnElement[bool]:
    holder = sa.exists().where(
        jobs.c.id == runs.c.job_id, jobs.c.attempt == attempt, jobs.c.state == "running"
    )
    return sa.and_(_open(id), holder)


def _over(state: RunState) -> dict[str, Any]:
    return {"state": state, "stage": "done", "progress": 1.0, "finished_at": datetime.now(UTC)}
