"""A run as a row: its types, and the way into the table and back.

Promises: a row that was stored can be read back. Leaves queries to `store.runs` and `store.run_lists`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import AwareDatetime, Field, ValidationError

from errors import InvalidInput
from records.base import Figure, Record
from records.model import ModelFile
from records.run import RunPlan, Source, Stage
from records.schema import Schema
from store.tables import clean, runs

__all__ = [
    "COLUMNS", "OPEN_STATES", "WITH_FIGURES", "RunFile", "RunRow", "RunState", "RunSummary", "found_by",
    "lines_of", "one_line", "row_of", "values_of",
]  # fmt: skip

RunState = Literal["queued", "running", "passed", "warned", "failed", "error", "cancelled"]
OPEN_STATES: tuple[RunState, ...] = ("queued", "running")
WITH_FIGURES: tuple[RunState, ...] = ("passed", "warned", "failed")
"""Over, with a report that was judged: what another run can be held against."""


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
    """One run without its report. `revision` grows with every change, and can serve as an ETag.

    model: the name that versions of one model share; model_name: of the file. baseline_id: the run that
    `plan.baseline` stood for when this one was submitted.
    """

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
    model: str = ""
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
    baseline_id: str | None = None
    notes: str = ""
    revision: int = 0


class RunFile(Record):
    """A file that belongs to a run, by the name the API offers it under."""

    name: str
    sha256: str
    bytes: int
    media_type: str


COLUMNS = tuple(runs.c[name] for name in RunRow.model_fields if name != "companions")
"""What is read of a run; the files beside its model are in a table of their own."""


def values_of(row: RunRow) -> dict[str, Any]:
    """The row for the table. InvalidInput when it could not be read back."""
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
    values["tags"] = lines_of(row.tags)
    values["found_by"] = found_by(row)
    values["plan"] = row.plan.model_dump(mode="json")
    values["user_schema"] = None if row.user_schema is None else row.user_schema.model_dump(mode="json")
    return values


def row_of(row: Mapping[Any, Any], companions: tuple[ModelFile, ...]) -> RunRow:
    """What `COLUMNS` gave, typed."""
    values = dict(row) | {"companions": companions}
    values["tags"] = tuple(values["tags"].removeprefix("\n").removesuffix("\n").split("\n"))
    if values["tags"] == ("",):
        values["tags"] = ()
    return RunRow.model_validate(values)


def lines_of(tags: Sequence[str]) -> str:
    """Tags as they are stored, so that a whole one can be looked for."""
    return "".join(["\n", *(f"{one_line(tag)}\n" for tag in tags)])


def found_by(row: RunRow) -> str:
    """What words are looked for in. Not the database's own lower(): SQLite's knows no letter beyond ASCII."""
    return "\n".join((row.name, row.model, row.model_name, lines_of(row.tags))).casefold()


def one_line(tag: str) -> str:
    """Tags stand one a line."""
    return tag.replace("\n", " ")
