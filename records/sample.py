"""What is told of a sample that was read: enough to refuse it, to choose a label and to fill in a schema.

Promises: bounded in size, whatever the sample holds. Leaves reading it to `rows.samples`.
"""

from pydantic import Field

from records.base import Record
from records.schema import MAX_FEATURES, Schema

__all__ = ["SampleFacts"]


class SampleFacts(Record):
    """rows: those that are taken; cut_at: their number, where the sample has more. empty: the columns that
    hold no value. head: the first rows of the first columns as short texts. schema: what the columns show,
    a label among them; None where that is too long to be sent.
    """

    rows: int = Field(ge=1)
    cut_at: int | None = Field(None, ge=1)
    columns: tuple[str, ...] = Field(min_length=1, max_length=MAX_FEATURES)
    empty: tuple[str, ...] = Field((), max_length=MAX_FEATURES)
    head: tuple[tuple[str, ...], ...] = Field((), max_length=10)
    schema_: Schema | None = Field(None, alias="schema")

    def schema_without(self, target: str | None) -> Schema | None:
        """What the columns show, without the label; None where nothing would be left, or nothing is known."""
        features = self.schema_.features if self.schema_ is not None else ()
        kept = tuple(field for field in features if field.name != target)
        return Schema(features=kept) if kept else None
