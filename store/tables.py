"""The tables, the column types that clean what passes, and the database's clock.

Promises: whatever reaches a column can be stored by SQLite and by PostgreSQL alike (finite numbers,
text without NUL and lone surrogates, UTC), and comes back typed. Leaves queries to the repositories.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

__all__ = [
    "clean", "clean_text", "database_clock", "idempotency", "jobs", "metadata", "models", "run_companions",
    "run_files", "run_reports", "runs",
]  # fmt: skip

REPLACEMENT = "\ufffd"


def clean_text(text: str) -> str:
    """PostgreSQL refuses NUL and lone surrogates; both become U+FFFD, so that no text becomes empty."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        text = "".join(REPLACEMENT if "\ud800" <= c <= "\udfff" else c for c in text)
    return text.replace("\x00", REPLACEMENT)


def clean(value: Any) -> Any:
    """The same JSON document with NaN and infinity as null, and every text (keys too) cleaned."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {clean_text(str(key)): clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item) for item in value]
    return value


class Text(sa.TypeDecorator[str]):
    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else clean_text(value)


class Number(sa.TypeDecorator[float]):
    impl = sa.Double
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: sa.Dialect) -> float | None:
        return None if value is None or not math.isfinite(value) else float(value)


class Document(sa.TypeDecorator[Any]):
    impl = sa.JSON(none_as_null=True)
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        return clean(value)


class Moment(sa.TypeDecorator[datetime]):
    """UTC both ways: SQLite keeps no zone, so the naive value it returns is given its zone back."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone cannot be stored")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class database_clock(FunctionElement[float]):
    """Seconds since 1970 on the database's own clock, the only clock that all workers share."""

    type = sa.Double()
    inherit_cache = True
    name = "database_clock"


@compiles(database_clock, "sqlite")
def _sqlite_clock(element: database_clock, compiler: SQLCompiler, **options: Any) -> str:
    # Not unixepoch('subsec'): SQLite before 3.42 answers it with NULL, and Debian 12 ships 3.40.
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(database_clock, "postgresql")
def _postgresql_clock(element: database_clock, compiler: SQLCompiler, **options: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) AS DOUBLE PRECISION)"


metadata = sa.MetaData()

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("name", Text, nullable=False),
    sa.Column("tags", Text, nullable=False),  # one a line, with a line break at both ends
    sa.Column("source", Text, nullable=False),
    sa.Column("state", Text, nullable=False),
    sa.Column("stage", Text, nullable=False),
    sa.Column("progress", Number, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("updated_at", Moment, nullable=False),
    sa.Column("started_at", Moment),
    sa.Column("finished_at", Moment),
    sa.Column("model_name", Text, nullable=False),
    sa.Column("model_sha256", Text, nullable=False),
    sa.Column("model_bytes", sa.BigInteger, nullable=False),
    sa.Column("sample_sha256", Text),
    sa.Column("sample_name", Text),
    sa.Column("target", Text),
    sa.Column("job_id", Text),
    sa.Column("framework", Text),
    sa.Column("estimator", Text),
    sa.Column("task", Text),
    sa.Column("rows", sa.BigInteger),
    sa.Column("p50_ms", Number),
    sa.Column("p95_ms", Number),
    sa.Column("throughput_rows_s", Number),
    sa.Column("error_rate", Number),
    sa.Column("score", Number),
    sa.Column("score_name", Text),
    sa.Column("changed_share", Number),
    sa.Column("checks_failed", sa.Integer, nullable=False),
    sa.Column("checks_warned", sa.Integer, nullable=False),
    sa.Column("error_message", Text),
    sa.Column("plan", Document, nullable=False),
    sa.Column("user_schema", Document),
    sa.Column("model", Text, nullable=False, server_default=""),  # the name that its versions share
    sa.Column("baseline_id", Text),  # the run that `plan.baseline` stood for when this one was submitted
    sa.Column("notes", Text, nullable=False, server_default=""),
    sa.Column("deleted_at", Moment),  # can still be undone, see `RunsRepository.discard`
    sa.Column("found_by", Text, nullable=False, server_default=""),  # what words are looked for in
    sa.Index("ix_runs_created", "created_at", "id"),
    sa.Index("ix_runs_change", "updated_at", "revision"),
    sa.Index("ix_runs_model", "model_sha256"),
    sa.Index("ix_runs_sample", "sample_sha256"),
    sa.Index("ix_runs_state", "state", "id"),
    sa.Index("ix_runs_model_time", "model", "created_at", "id"),
    # All that lists are filtered and sorted by: a plan is ten times as long. PostgreSQL takes no long text.
    sa.Index(
        "ix_runs_listed", "deleted_at", "model", "id", "created_at", "state", "source", "name", "model_name",
        "model_sha256", "tags", "p95_ms", "throughput_rows_s", "error_rate", "score", "changed_share",
        "found_by",
    ).ddl_if(dialect="sqlite"),
)  # fmt: skip

# Apart from the runs: SQLite reads a row's pages up to the column asked for, and lists ask for no report.
run_reports = sa.Table(
    "run_reports",
    metadata,
    sa.Column("run_id", Text, sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("figures", Document),  # by path, as `records.figures` has them: what a trend reads
    sa.Column("report", Document, nullable=False),
)

models = sa.Table(
    "models",
    metadata,
    sa.Column("name", Text, primary_key=True),
    sa.Column("pinned_run_id", Text),
    sa.Column("gates", Document),
    sa.Column("notes", Text, nullable=False, server_default=""),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("updated_at", Moment, nullable=False),
)

run_files = sa.Table(
    "run_files",
    metadata,
    sa.Column("run_id", Text, sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("name", Text, primary_key=True),
    sa.Column("sha256", Text, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("media_type", Text, nullable=False),
    sa.Index("ix_run_files_sha256", "sha256"),
)

run_companions = sa.Table(
    "run_companions",
    metadata,
    sa.Column("run_id", Text, sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("name", Text, nullable=False),
    sa.Column("sha256", Text, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Index("ix_run_companions_sha256", "sha256"),
)

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("kind", Text, nullable=False),
    sa.Column("subject", Text, nullable=False),
    sa.Column("payload", Document, nullable=False),
    sa.Column("state", Text, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("max_attempts", sa.Integer, nullable=False),
    sa.Column("cancel_requested", sa.Boolean, nullable=False),
    sa.Column("stage", Text, nullable=False),
    sa.Column("progress", Number, nullable=False),
    sa.Column("worker", Text),
    sa.Column("lease_until", sa.Double),  # seconds on the database's clock
    sa.Column("result", Document),
    sa.Column("error", Document),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("finished_at", Moment),
    sa.Index("ix_jobs_queue", "state", "priority", "created_at"),
    sa.Index("ix_jobs_subject", "subject"),
)

idempotency = sa.Table(
    "idempotency",
    metadata,
    sa.Column("key", Text, primary_key=True),
    sa.Column("fingerprint", Text, nullable=False),
    sa.Column("run_id", Text, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Index("ix_idempotency_run", "run_id"),
)
