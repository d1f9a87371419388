"""The report's `likeness` section: how well the generated rows pass for the sample's.

Leaves measuring it to `execution.likeness`.
"""

from records.base import Record
from records.drift import ColumnDrift, DomainDrift

__all__ = ["RowLikeness", "finding"]

MOST_NAMED, WORTH_NAMING = 3, 0.005  # columns, and the loss of AUC from which one is named
# From which AUC on, in words; an interval that reaches 0.5 is said to be none of them.
WORDS = (
    (0.95, "are told from the sample's nearly always"),
    (0.8, "are told from the sample's mostly"),
    (0.65, "are told from the sample's in part"),
    (0.0, "can hardly be told from the sample's"),
)


class RowLikeness(Record):
    """How far the figures that rest on generated rows may be trusted.

    domain: rows made after one half of the sample (`current`) told from the rows of the other half
    (`reference`). columns: the run's own rows against the whole sample's, column by column. left_out: columns
    of a wide table that were not looked at.
    """

    domain: DomainDrift
    columns: tuple[ColumnDrift, ...]
    rows_sample: int
    left_out: int = 0


def finding(domain: DomainDrift) -> str:
    """In plain words, with the columns that give rows away.

    >>> even = DomainDrift(auc=0.56, interval=(0.48, 0.64), drifted=False, rows_reference=90, rows_current=90,
    ...                    folds=3, columns=())
    >>> finding(even)
    "They cannot be told from the sample's: AUC 0.56 (95 % interval 0.48 to 0.64); 0.5 is guessing."
    """
    words = next(words for least, words in WORDS if domain.auc >= least)
    told = f"They {words}" if domain.drifted else "They cannot be told from the sample's"
    low, high = domain.interval
    told += f": AUC {domain.auc:.3g} (95 % interval {low:.3g} to {high:.3g}); 0.5 is guessing."
    carriers = [c.column for c in domain.columns[:MOST_NAMED] if c.auc_loss >= WORTH_NAMING]
    if domain.drifted and carriers:
        told += f" What gives them away: {', '.join(carriers)}."
    return told
