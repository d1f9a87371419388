"""What is told of a sample: what it holds, once it was read, and what of it a run used and how.

Promises: bounded in size, whatever the sample holds. Leaves reading it to `rows.samples`, and what fits a
model to `rows.matching`.
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from records.base import Figure, Record
from records.schema import MAX_COLUMNS, Schema

__all__ = [
    "ColumnFacts", "EncodedColumn", "LabelCandidate", "LabelMap", "SampleFacts", "SampleUse", "TakenColumn",
    "TargetMap",
]  # fmt: skip


def _as_text(value: Any) -> Any:
    """A class that is written as a number or a truth in JSON is as good as its text."""
    return str(value) if isinstance(value, int | float) else value


_Class = Annotated[str, BeforeValidator(_as_text), Field(max_length=500)]
TargetMap = Annotated[dict[Annotated[str, Field(max_length=500)], _Class], Field(max_length=1_000)]
"""Which class of the model each label of a sample stands for."""


class ColumnFacts(Record):
    """One column of a sample. text: some values are texts that are no numbers; numbers: all are texts that
    are numbers, or stand for a missing one. values: its different values as texts, () where they are many.
    counts: different whole numbers that rise, or fall, from row to row.
    """

    name: str
    text: bool = False
    numbers: bool = False
    values: tuple[str, ...] = Field((), max_length=100)
    counts: bool = False


class SampleFacts(Record):
    """rows: those that are taken; cut_at: their number, where the sample has more. empty: the columns that
    hold no value. head: the first rows of the first columns as short texts. schema: what the columns show,
    a label among them; None where that is too long to be sent. told: what helps to find the label and the
    model's columns; () of a very wide sample. index: a first column without a name, which pandas writes and
    calls "Unnamed: 0", is not among the columns.
    """

    rows: int = Field(ge=1)
    cut_at: int | None = Field(None, ge=1)
    columns: tuple[str, ...] = Field(min_length=1, max_length=MAX_COLUMNS)
    empty: tuple[str, ...] = Field((), max_length=MAX_COLUMNS)
    head: tuple[tuple[str, ...], ...] = Field((), max_length=10)
    schema_: Schema | None = Field(None, alias="schema")
    told: tuple[ColumnFacts, ...] = Field((), max_length=MAX_COLUMNS)
    index: bool = False

    def schema_without(self, target: str | None) -> Schema | None:
        """What the columns show, without the label; None where nothing would be left, or nothing is known."""
        features = self.schema_.features if self.schema_ is not None else ()
        kept = tuple(field for field in features if field.name != target)
        return Schema(features=kept) if kept else None


class TakenColumn(Record):
    """A column of the sample under the name that the model has for it."""

    column: str
    feature: str


class EncodedColumn(Record):
    """A column of the sample as the 0/1 columns that the model has for its values, as pandas.get_dummies.

    without: its values for which the model has no column; in their rows all of these columns are 0.
    """

    column: str
    features: tuple[str, ...]
    without: tuple[str, ...] = ()


class LabelCandidate(Record):
    """One way to read the labels. score: the model's accuracy on the sample, read so."""

    pairs: tuple[tuple[str, str], ...]
    score: Figure = None


class LabelMap(Record):
    """How the sample's labels became the model's classes.

    pairs: label and class, of those that were translated. how: "" nothing had to be; "chosen" by the config's
    `target_map`; "spelling" case, blanks; "words" yes and no; "contained" the one within the other; "order"
    both sorted, and the model's own answers agree; "undecided" none of these, so that nothing was scored.
    candidates: of the last two, with the score of each. unknown: labels that are no class of the model.
    """

    pairs: tuple[tuple[str, str], ...] = ()
    how: Literal["", "chosen", "spelling", "words", "contained", "order", "undecided"] = ""
    candidates: tuple[LabelCandidate, ...] = ()
    unknown: tuple[str, ...] = ()


class SampleUse(Record):
    """What a run made of its sample. `told` says all of it in a sentence each.

    target_found: nobody named the target. renamed: taken under another spelling. numbers: columns of texts
    that were read as numbers. generated: features that the sample lacks. as_schema: the table listed features
    and was used as a schema. labels: None without a target.
    """

    rows: int
    target: str | None = None
    target_found: bool = False
    columns: tuple[str, ...] = ()
    renamed: tuple[TakenColumn, ...] = ()
    encoded: tuple[EncodedColumn, ...] = ()
    numbers: tuple[str, ...] = ()
    generated: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    as_schema: bool = False
    labels: LabelMap | None = None
    told: tuple[str, ...] = ()
