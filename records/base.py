"""The base of everything that crosses HTTP, the store or the child's pipe.

Promises: frozen values, unknown keys refused, numbers that JSON can carry. Leaves what the
values mean to the modules that own them.
"""

import math
from typing import Annotated, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict

__all__ = ["Figure", "Record", "Section"]


class Record(BaseModel):
    """A frozen value object; an unknown key is an error, not a silent no-op."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        ser_json_inf_nan="null",
        protected_namespaces=(),
        populate_by_name=True,
        serialize_by_alias=True,
        defer_build=True,  # when first used: a start needs few of them
    )


def _finite_or_none(value: object) -> object:
    """NaN and infinity become null: PostgreSQL refuses them in JSON, and JSON has no word for them."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


Figure = Annotated[float | None, BeforeValidator(_finite_or_none)]
"""A measured number; what is not finite is stored as null."""

T = TypeVar("T")


class Section(Record, Generic[T]):
    """One part of a report: its value, or why there is none.

    `not_applicable` says that the question makes no sense for this model, `failed` that it could
    not be answered. Neither ever reads as a pass.
    """

    status: Literal["ok", "not_applicable", "failed"]
    reason: str | None = None
    value: T | None = None

    @classmethod
    def ok(cls, value: T) -> Self:
        return cls(status="ok", value=value)

    @classmethod
    def not_applicable(cls, reason: str) -> Self:
        return cls(status="not_applicable", reason=reason)

    @classmethod
    def failed(cls, reason: str) -> Self:
        return cls(status="failed", reason=reason)
