"""Which runs to list, in which order, and where a page ends.

Promises: a page's cursor stays valid while runs come and go. Leaves asking to `store.runs`.
"""

import base64
import json
from typing import Self

import sqlalchemy as sa
from pydantic import AwareDatetime, Field

from errors import InvalidInput
from records.base import Record
from records.run import Source
from store.run_rows import RunRow, RunState, one_line
from store.tables import runs

__all__ = ["Place", "RunPage", "RunQuery", "fitting"]

MAX_CURSOR = 512


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


class Place(Record):
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


def fitting(query: RunQuery) -> list[sa.ColumnElement[bool]]:
    """What a run must be to be listed."""
    fits: list[sa.ColumnElement[bool]] = [runs.c.deleted_at.is_(None)]
    if query.states:
        fits.append(runs.c.state.in_(query.states))
    if query.source is not None:
        fits.append(runs.c.source == query.source)
    if query.model:
        fits.append(runs.c.model_name.icontains(query.model, autoescape=True))
    if query.tag:
        fits.append(runs.c.tags.icontains(f"\n{one_line(query.tag)}\n", autoescape=True))
    return fits
