"""The runs, their files and their idempotency keys.

Promises: a run is closed once, and only by the attempt that holds its job; a page's cursor stays valid
while runs come and go. Leaves what the figures mean to the report, and files to `store.artifacts`.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, Self

import sqlalchemy as sa
from pydantic import AwareDatetime, Field, ValidationError
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import IntegrityError

from errors import Conflict, InvalidInput, NotFound
from records.base import Figure, Record
from records.model import ModelFile
from records.run import RunPlan, Source, Stage
from records.schema import Schema
from store.database import Database
from store.tables import clean, clean_text, idempotency, jobs, run_companions, run_files, runs

__all__ = ["RunFile", "RunPage", "RunQuery", "RunRow", "RunState", "RunSummary", "RunsRepository"]

RunState = Literal["queued", "running", "passed", "warned", "failed", "error", "cancelled"]
OPEN_STATES = ("queued", "running")
MAX_CURSOR = 512


class RunSummary(Record):
    """What is known of a run once it is over, as sortable columns. Names as in the report."""

    framework: str | None = None
    estimator: str | None = None
    task: str | None = None
    rows: int | None = None
    p50_ms: Figure = None
    p95_ms: Figure = None
    throughput_rows_s: Figure = None
    error_rate: Figure = None
    score: Figure = None
    score_name: str | None = None
    changed_share: Figure = None
    checks_failed: int = 0
    checks_warned: int = 0
    error_message: str | None = None


class RunRow(RunSummary):
    """One run without its report. `revision` grows with every change, and can serve as an ETag."""

    id: str
    name: str
    tags: tuple[str, ...] = ()
    source: Source = "api"
    state: RunState = "queued"
    stage: Stage = "queued"
    progress: float = Field(0.0, ge=0, le=1)
    created_at: AwareDatetime
    started_at: AwareDatetime | None = None
    finished_at: AwareDatetime | None = None
    model_name: str
    model_sha256: str
    model_bytes: int
    companions: tuple[ModelFile, ...] = ()
    sample_sha256: str | None = None
    sample_name: str | None = None
    target: str | None = None
    job_id: str | None = None
    plan: RunPlan = RunPlan()
    user_schema: Schema | None = None
    revision: int = 0


class RunQuery(Record):
    """Which runs to list, newest first. `model` is a part of the model's name; `tag` a whole tag."""

    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = None
    states: tuple[RunState, ...] = ()
    source: Source | None = None
    model: str | None = None
    tag: str | None = None


class RunPage(Record):
    """`total` counts every run that fits the query, on all pages."""

    rows: tuple[RunRow, ...]
    next_cursor: str | None
    total: int


class RunFile(Record):
    """A file that belongs to a run, by the name the API offers it under."""

    name: str
    sha256: str
    bytes: int
    media_type: str


class RunsRepository:
    """Every method is one transaction, or part of the caller's `Store.transaction()`.

    `attempt` is the attempt of the run's job: a write counts only while that attempt holds the job
    and the run is open. The jobs table is asked each time, so there is no second truth to keep in step.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def insert(self, row: RunRow, report: Mapping[str, Any] | None = None) -> None:
        """Conflict when the id is taken; InvalidInput when the row could not be read back."""
        values = _values(row) | {"updated_at": datetime.now(UTC), "report": report}
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

    def get(self, id: str) -> RunRow | None:
        with self._database.reading() as connection:
            row = connection.execute(sa.select(*_COLUMNS).where(runs.c.id == id)).one_or_none()
            return None if row is None else _run(row, _companions(connection, [id])[id])

    def report(self, id: str) -> dict[str, Any] | None:
        """The report as it was stored; None for an unknown run and for one that has none (yet)."""
        with self._database.reading() as connection:
            report = connection.execute(sa.select(runs.c.report).where(runs.c.id == id)).scalar_one_or_none()
        return report if report is None else dict(report)

    def list(self, query: RunQuery) -> RunPage:
        """InvalidInput for a cursor that is not ours."""
        fits = _fits(query)
        page = sa.select(*_COLUMNS).where(*fits).order_by(runs.c.created_at.desc(), runs.c.id.desc())
        if query.cursor is not None:
            page = page.where(_Place.read(query.cursor).after())
        with self._database.reading() as connection:
            total = connection.execute(sa.select(sa.func.count()).select_from(runs).where(*fits)).scalar_one()
            found = connection.execute(page.limit(query.limit + 1)).all()
            beside = _companions(connection, [row.id for row in found[: query.limit]])
        rows = tuple(_run(row, beside[row.id]) for row in found[: query.limit])
        more = len(found) > query.limit
        return RunPage(rows=rows, next_cursor=_Place.of(rows[-1]).text() if more else None, total=total)

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
    ) -> bool:
        """Close the run with its report and files, all or nothing; False as for `start`."""
        values = {
            **(summary or RunSummary()).model_dump(),
            "state": state,
            "stage": "done",
            "progress": 1.0,
            "report": report,
            "finished_at": datetime.now(UTC),
        }
        with self._database.writing():
            mine = self._write(_held(id, attempt), values)
            for file in files if mine else ():
                self.add_file(id, file)
        return mine

    def mark_error(self, id: str, message: str) -> bool:
        """Close an open run that nobody works on any more; False when it is closed or unknown."""
        return self._write(_open(id), _over("error") | {"error_message": message})

    def mark_cancelled(self, id: str, message: str = "The run was cancelled.") -> bool:
        """As `mark_error`, for a run whose job was cancelled before anyone took it, or lost after."""
        return self._write(_open(id), _over("cancelled") | {"error_message": message})

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
            connection.execute(sa.delete(run_companions).where(run_companions.c.run_id == id))
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


class _Place(Record):
    """A position in the list, newest first; opaque to callers."""

    created_at: AwareDatetime
    id: str

    @classmethod
    def of(cls, row: RunRow) -> Self:
        return cls(created_at=row.created_at, id=row.id)

    @classmethod
    def read(cls, cursor: str) -> Self:
        try:
            if len(cursor) > MAX_CURSOR:
                raise ValueError("too long")
            padded = cursor + "=" * (-len(cursor) % 4)
            created_at, id = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
            return cls(created_at=created_at, id=id)
        except (ValueError, TypeError, RecursionError) as error:
            raise InvalidInput(
                "The cursor cannot be read.",
                hint="Use next_cursor of the page before, unchanged, or leave it out.",
                field="cursor",
            ) from error

    def text(self) -> str:
        document = json.dumps([self.created_at.isoformat(), self.id]).encode()
        return base64.urlsafe_b64encode(document).decode().rstrip("=")

    def after(self) -> sa.ColumnElement[bool]:
        same = sa.and_(runs.c.created_at == self.created_at, runs.c.id < self.id)
        return sa.or_(runs.c.created_at < self.created_at, same)


_COLUMNS = tuple(runs.c[name] for name in RunRow.model_fields if name != "companions")


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


def _fits(query: RunQuery) -> list[sa.ColumnElement[bool]]:
    fits: list[sa.ColumnElement[bool]] = []
    if query.states:
        fits.append(runs.c.state.in_(query.states))
    if query.source is not None:
        fits.append(runs.c.source == query.source)
    if query.model:
        fits.append(runs.c.model_name.icontains(query.model, autoescape=True))
    if query.tag:
        fits.append(runs.c.tags.icontains(f"\n{_one_line(query.tag)}\n", autoescape=True))
    return fits


def _one_line(tag: str) -> str:
    return tag.replace("\n", " ")


def _values(row: RunRow) -> dict[str, Any]:
    try:
        # A number that becomes null at the boundary (1e999 in a plan) may break the row's own rules,
        # and one row that cannot be read back would break every list.
        RunRow.model_validate(clean(row.model_dump(mode="json")))
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise InvalidInput(
            f"{place} holds a value that cannot be stored.", hint="Use finite numbers.", field=place
        ) from error
    values = row.model_dump(exclude={"plan", "user_schema", "companions"})
    values["tags"] = "".join(["\n", *(f"{_one_line(tag)}\n" for tag in row.tags)])
    values["plan"] = row.plan.model_dump(mode="json")
    values["user_schema"] = None if row.user_schema is None else row.user_schema.model_dump(mode="json")
    return values


def _run(row: sa.Row[Any], companions: tuple[ModelFile, ...]) -> RunRow:
    values = dict(row._mapping) | {"companions": companions}
    values["tags"] = tuple(values["tags"].removeprefix("\n").removesuffix("\n").split("\n"))
    if values["tags"] == ("",):
        values["tags"] = ()
    return RunRow.model_validate(values)
