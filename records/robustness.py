"""The report's `robustness` section, and what is asked for.

Leaves examining a model to `robustness`.
"""

from typing import Literal

from pydantic import Field

from records.base import Figure, Record

__all__ = ["Behaviour", "BehaviourName", "Property", "Robustness", "RobustnessPlan", "Trend"]

Trend = Literal["increasing", "decreasing"]
BehaviourName = Literal[
    "determinism",
    "row_order",
    "batch_vs_single",
    "column_order",
    "duplicate_rows",
    "single_row",
    "empty_batch",
    "tiny_noise",
    "missing_values",
    "unseen_category",
    "extremes",
    "dtype",
    "monotonic",
    "thread_safety",
    "missing_column",
    "extra_column",
    "wrong_type",
    "infinities",
    "long_text",
    "outside_bounds",
    "probabilities",
    "empty_text",
    "unusual_text",
    "very_long_text",
    "missing_text",
]


class RobustnessPlan(Record):
    """Which behaviour checks to run; None means all that apply."""

    checks: tuple[BehaviourName, ...] | None = Field(None, max_length=50)
    monotonic: dict[str, Trend] = Field(
        default_factory=dict,
        max_length=20,
        description="Features with which answers must rise (`increasing`) or fall (`decreasing`).",
    )


class Behaviour(Record):
    """One behaviour check.

    serious: a failing share above 0 is a defect; else worth knowing, and a warning at most. trait: what fails
    is a property of the model's whole family, in a sentence; then it is told and not judged. rows: how many
    rows were looked at; tables or values where the check asks about these.
    """

    name: BehaviourName
    title: str
    status: Literal["ok", "not_applicable", "failed"]
    failing_share: Figure = None
    rows: int = 0
    serious: bool = True
    example: str | None = None
    reason: str | None = None
    advice: str = ""
    trait: str = ""


class Property(Record):
    """What callers have to know of the model, and what to do about it; nothing that a team has to mend."""

    name: BehaviourName
    sentence: str
    advice: str = ""


class Robustness(Record):
    """The report's `robustness` section. Older reports tell no properties: theirs are warnings."""

    behaviours: tuple[Behaviour, ...]
    properties: tuple[Property, ...] = ()
