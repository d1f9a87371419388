"""How much of a stranger's sample is taken, and the refusals that CSV and Parquet share."""

from dataclasses import dataclass

from errors import TooLarge

__all__ = ["MAX_ROWS", "STANDARD", "Limits", "check_width", "listed"]

MAX_ROWS = 100_000
CELL = 8  # bytes of a number in a frame


@dataclass(frozen=True)
class Limits:
    """rows and decoded (bytes of the frame): what is beyond is left out, and it is said. columns, and value
    (characters of the longest text): a sample with more is refused."""

    rows: int = MAX_ROWS
    columns: int = 10_000
    value: int = 100_000
    decoded: int = 32 << 20

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


def listed(names: list[str], limit: int = 10) -> str:
    shown = ", ".join(repr(name[:60]) for name in names[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown
