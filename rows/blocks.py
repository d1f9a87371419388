"""Columns of a wide table, many at once: a table of 10,000 is looked at in some twenty pieces.

Promises: a piece is of bounded size, and what is found of a column does not depend on those beside it.
Leaves what is looked for to `rows.shapes`, `rows.dates`, `rows.csv_files` and `rows.taking`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from interruption import check

__all__ = ["VALUES", "TextBlock", "arrays_at", "number_blocks", "replaced", "text_blocks", "text_positions"]

VALUES = 1 << 18  # of a piece: 2 MB of numbers, some 30 of short texts
CHARACTERS = 16 << 20  # of a piece of texts, as far as several columns may make it up
MANY = 50  # columns, from which on a table is made anew sooner than they are set one by one

Bools = npt.NDArray[np.bool_]


def number_blocks(
    frame: pd.DataFrame,
) -> Iterator[tuple[Sequence[int], npt.NDArray[np.float64], np.dtype[Any]]]:
    """Positions, values (columns, rows) and type, of the columns of NumPy's floats and integers."""
    by_type: dict[np.dtype[Any], list[int]] = {}
    for position, dtype in enumerate(frame.dtypes):
        if isinstance(dtype, np.dtype) and dtype.kind in "fiu":
            by_type.setdefault(dtype, []).append(position)
    step = max(1, VALUES // max(1, len(frame)))
    for dtype, positions in by_type.items():
        for start in range(0, len(positions), step):
            check()
            part = positions[start : start + step]
            yield part, np.ascontiguousarray(frame.iloc[:, part].to_numpy().T, dtype=np.float64), dtype


@dataclass(frozen=True)
class TextBlock:
    """The values that are present in some columns of texts, one column after the other.

    Each column has at least one. present: per column, which of its rows they are. starts: where each
    column begins in `texts`.
    """

    positions: tuple[int, ...]
    texts: list[str]
    present: tuple[Bools, ...]
    starts: npt.NDArray[np.intp]

    def every(self, holds: Bools) -> Bools:
        """Per column, whether something holds of all its texts."""
        return np.logical_and.reduceat(holds, self.starts)

    def some(self, holds: Bools) -> Bools:
        """Per column, whether something holds of any of its texts."""
        return np.logical_or.reduceat(holds, self.starts)

    def only(self, kept: Bools) -> "TextBlock | None":
        """Those of the columns; None where none is left."""
        if kept.all():
            return self
        ends = [*self.starts[1:].tolist(), len(self.texts)]
        parts = [self.texts[a:b] for a, b, k in zip(self.starts.tolist(), ends, kept, strict=True) if k]
        chosen = np.flatnonzero(kept).tolist()
        positions = [self.positions[i] for i in chosen]
        return _block(positions, parts, [self.present[i] for i in chosen]) if chosen else None

    def column(self, place: int, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Of numbers that stand for all `texts`, those of one column, nan where it has no value."""
        found = np.full(len(self.present[place]), np.nan)
        start = int(self.starts[place])
        found[self.present[place]] = values[start : start + int(self.present[place].sum())]
        return found


def arrays_at(frame: pd.DataFrame, positions: Sequence[int]) -> Iterator[Any]:
    """The arrays of some columns, taken out together, which costs less than one by one."""
    part = frame if len(positions) == frame.shape[1] else frame.iloc[:, list(positions)]
    return (column.array for _, column in part.items())


def replaced(frame: pd.DataFrame, columns: Mapping[str, Any]) -> pd.DataFrame:
    """The frame with other values in some of its columns, whose names are unique."""
    if len(columns) < MANY:
        return frame.assign(**columns) if columns else frame
    every = {place: columns.get(str(title), column) for place, (title, column) in enumerate(frame.items())}
    made = pd.DataFrame(every, index=frame.index).set_axis(frame.columns, axis=1)
    made.attrs = frame.attrs
    return made


def text_positions(frame: pd.DataFrame) -> list[int]:
    """The columns of the type that pandas gives to texts."""
    return [place for place, dtype in enumerate(frame.dtypes) if isinstance(dtype, pd.StringDtype)]


def text_blocks(frame: pd.DataFrame, positions: Sequence[int]) -> Iterator[TextBlock]:
    """Blocks of some columns of texts, in that order; one without any value is left out."""
    taken: list[int] = []
    parts: list[list[str]] = []
    present: list[Bools] = []
    values = size = 0
    for position, column in zip(positions, arrays_at(frame, positions), strict=True):
        check()
        there = ~np.asarray(column.isna())
        if not there.any():
            continue
        taken.append(position)
        parts.append((column if there.all() else column[there]).tolist())
        present.append(there)
        values += len(parts[-1])
        size += column.nbytes
        if values >= VALUES or size >= CHARACTERS:
            yield _block(taken, parts, present)
            taken, parts, present, values, size = [], [], [], 0, 0
    if taken:
        yield _block(taken, parts, present)


def _block(positions: Sequence[int], parts: Sequence[list[str]], present: Sequence[Bools]) -> TextBlock:
    starts = np.cumsum([0, *map(len, parts[:-1])])
    return TextBlock(tuple(positions), [text for part in parts for text in part], tuple(present), starts)
