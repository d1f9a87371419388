"""Which runs to list, in which order, and where a page ends.

Promises: a page's cursor stays valid while runs come and go, and what a run lacks stands last in either
direction. Leaves asking to `store.runs`.
"""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, Self, get_args

import sqlalchemy as sa
from pydantic import Field

from errors import InvalidInput
from records.base import Record
from records.run import Source
from store.run_rows import RunRow, RunState, one_line
from store.tables import runs

__all__ = ["SORTS", "Place", "RunPage", "RunQuery", "Sort", "fitting", "key_of", "order_of"]

Sort = Literal[
    "-created", "created", "name", "-name", "model", "-model", "status", "-status", "p95", "-p95",
    "throughput", "-throughput", "error_rate", "-error_rate", "score", "-score", "changed_share",
    "-changed_share",
]  # fmt: skip
SORTS: tuple[Sort, ...] = get_args(Sort)
"""A column, from its lowest value; with a minus from its highest."""

URGENCY = ("failed", "error", "warned", "running", "queued", "passed", "cancelled")
MAX_CURSOR = 2_000
MOST_WORDS = 10
KEYS: Mapping[str, sa.ColumnElement[Any]] = {
    "created": runs.c.created_at,
    "name": sa.func.lower(runs.c.name),
    "model": runs.c.model,  # as the index has it
    "status": sa.case({state: i for i, state in enumerate(URGENCY)}, value=runs.c.state, else_=len(URGENCY)),
    "p95": runs.c.p95_ms,
    "throughput": runs.c.throughput_rows_s,
    "error_rate": runs.c.error_rate,
    "score": runs.c.score,
    "changed_share": runs.c.changed_share,
}
NEVER_NULL = ("created", "name", "model", "status")


class RunQuery(Record):
    """Which runs to list, in which order.

    q: words, each of which is in the run's name, its model's, its file's or its tags. model: a part of the
    file's name; of_model: the whole name of the model that the run belongs to; tag: a whole tag. sort: by
    status, what needs a look comes first.
    """

    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = None
    states: tuple[RunState, ...] = ()
    source: Source | None = None
    model: str | None = None
    of_model: str | None = None
    tag: str | None = None
    q: str | None = None
    sort: Sort = "-created"


class RunPage(Record):
    """`total` counts every run that fits the query, on all pages."""

    rows: tuple[RunRow, ...]
    next_cursor: str | None
    total: int


class Place(Record):
    """A position in a list of one order: the value that it is sorted by, and the id; opaque to callers."""

    sort: Sort
    value: str | float | None
    id: str

    @classmethod
    def of(cls, sort: Sort, value: Any, id: str) -> Self:
        return cls(sort=sort, value=value.isoformat() if isinstance(value, datetime) else value, id=id)

    @classmethod
    def read(cls, cursor: str, sort: Sort) -> Self:
        """InvalidInput for what is no cursor, and for one of another order."""
        try:
            if len(cursor) > MAX_CURSOR:
                raise ValueError("too long")
            padded = cursor + "=" * (-len(cursor) % 4)
            of, value, id = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
            place = cls(sort=of, value=value, id=id)
            place._typed()
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise InvalidInput(
                "The cursor cannot be read.",
                hint="Use next_cursor of the page before, unchanged, or leave it out.",
                field="cursor",
            ) from error
        if place.sort != sort:
            raise InvalidInput(
                f"The cursor belongs to a list sorted by {place.sort}, not by {sort}.",
                hint="Keep the order from page to page, or begin again without a cursor.",
                field="cursor",
            )
        return place

    def text(self) -> str:
        document = json.dumps([self.sort, self.value, self.id]).encode()
        return base64.urlsafe_b64encode(document).decode().rstrip("=")

    def after(self) -> sa.ColumnElement[bool]:
        """What stands behind this place."""
        key, value = key_of(self.sort), self._typed()
        older = runs.c.id < self.id
        if value is None:
            return sa.and_(key.is_(None), older)
        beyond = key < value if _descending(self.sort) else key > value
        behind = sa.or_(beyond, sa.and_(key == value, older))
        return behind if _column(self.sort) in NEVER_NULL else sa.or_(behind, key.is_(None))

    def _typed(self) -> Any:
        column = _column(self.sort)
        if column == "created":
            moment = datetime.fromisoformat(str(self.value))
            if moment.tzinfo is None:
                raise ValueError("without a time zone")
            return moment.astimezone(UTC)  # OverflowError at the ends of the calendar
        if isinstance(self.value, str) != (column in ("name", "model")):
            raise ValueError("a value of another column")
        if self.value is None and column in NEVER_NULL:
            raise ValueError("a value is missing")
        return self.value


def key_of(sort: Sort) -> sa.ColumnElement[Any]:
    """What runs are sorted by."""
    return KEYS[_column(sort)]


def order_of(sort: Sort) -> list[sa.ColumnElement[Any]]:
    """What a run lacks comes last; of equal ones the newest comes first."""
    key = key_of(sort)
    nulls = [] if _column(sort) in NEVER_NULL else [key.is_(None)]
    return [*nulls, key.desc() if _descending(sort) else key.asc(), runs.c.id.desc()]


def fitting(query: RunQuery) -> list[sa.ColumnElement[bool]]:
    """What a run must be to be listed."""
    fits: list[sa.ColumnElement[bool]] = [runs.c.deleted_at.is_(None)]
    if query.states:
        fits.append(runs.c.state.in_(query.states))
    if query.source is not None:
        fits.append(runs.c.source == query.source)
    if query.of_model is not None:
        fits.append(runs.c.model == query.of_model)
    if query.model:
        fits.append(_found(query.model))
        fits.append(runs.c.model_name.icontains(query.model, autoescape=True))
    if query.tag:
        fits.append(_found(f"\n{one_line(query.tag)}\n"))
        fits.append(runs.c.tags.icontains(f"\n{one_line(query.tag)}\n", autoescape=True))
    fits.extend(_found(word) for word in (query.q or "").split()[:MOST_WORDS])
    return fits


def _found(text: str) -> sa.ColumnElement[bool]:
    """Looked for first: what is stored is in small letters already."""
    return runs.c.found_by.contains(text.casefold(), autoescape=True)


def _column(sort: Sort) -> str:
    return sort.removeprefix("-")


def _descending(sort: Sort) -> bool:
    return sort.startswith("-")
