"""How much of a stranger's sample is taken, and the refusals that CSV and Parquet share."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from errors import InvalidSample, TooLarge
from records.schema import MAX_COLUMNS

__all__ = ["INDEX", "MAX_ROWS", "STANDARD", "Limits", "check_unique", "check_width", "listed"]

MAX_ROWS = 100_000
INDEX = "Unnamed: 0"  # as pandas calls it when it reads it again
CELL = 8  # bytes of a number in a frame


@dataclass(frozen=True)
class Limits:
    """rows and decoded (bytes of the frame): what is beyond is left out, and it is said. columns, and value
    (characters of the longest text): a sample with more is refused. index: the one that pandas wrote without
    a name is kept, as INDEX."""

    rows: int = MAX_ROWS
    columns: int = MAX_COLUMNS
    value: int = 100_000
    decoded: int = 32 << 20
    index: bool = False

    def rows_of(self, columns: int) -> int:
        """The most rows of so many columns, each value of at least a number's size."""
        return min(self.rows, max(1, self.decoded // (CELL * max(1, columns))))


STANDARD = Limits()


def check_width(columns: int, name: str, limits: Limits) -> None:
    if columns > limits.columns:
        raise TooLarge(
            f"The sample {name!r} has {columns:,} columns; at most {limits.columns:,} can be used.",
            hint="Leave out those that the model does not take.",
        )


def check_unique(titles: Sequence[str], name: str) -> None:
    """Columns without a title do not count."""
    twice = [title for title, count in Counter(titles).items() if count > 1 and title.strip()]
    if twice:
        raise InvalidSample(
            f"The sample {name!r} has more than one column {listed(twice)}.", hint="Rename them."
        )


def listed(names: list[str], limit: int = 10) -> str:
    shown = ", ".join(repr(name[:60]) for name in names[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown
