"""Tables as histograms that add up: over chunks, workers and days, without keeping a raw row.

Promises: counting in parts and adding equals counting at once (sums of values to rounding). Leaves comparing
two of them, and how exact that is, to `distances.estimates`.
"""

from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from distances.columns import NANOSECONDS_A_DAY, category_counts, common_kind, numbers
from distances.formulas import Numbers
from distances.sorting import DISTINCT_LIMIT, quantile_cuts, side_of
from errors import InvalidInput
from records.base import Figure, Record

__all__ = [
    "FARTHEST",
    "CategoryHistogram",
    "ColumnHistogram",
    "NumberHistogram",
    "TableHistogram",
    "calibrate",
]

FINE_BINS = 64
TAILS = tuple(2.0**-k for k in range(7, 13))  # shares: the outermost bins are halved that often, being wide
TOP_CATEGORIES = 64
# Widths of the reference; no distance is told of columns that reach so far.
FARTHEST = 1e75


class NumberHistogram(Record):
    """One numeric column. Bin i holds the finite values from edges[i - 1] up to, not including, edges[i].

    The end bins are open. starts: which edges begin the ten quantile bins that PSI is taken over. sums,
    squares: of (value - shift) / scale, by bin and in all. low, high: the outermost finite values. unit: what
    one unit of distance is in values, a day of nanoseconds for times.
    """

    kind: Literal["numeric"] = "numeric"
    column: str
    unit: float = 1.0
    shift: float
    scale: float
    edges: tuple[float, ...]
    starts: tuple[int, ...]
    counts: tuple[int, ...]
    sums: tuple[float, ...]
    squares: float = 0.0
    low: Figure = None
    high: Figure = None
    below: int = 0
    above: int = 0
    missing: int = 0

    @property
    def present(self) -> int:
        return sum(self.counts) + self.below + self.above

    def empty(self) -> "NumberHistogram":
        """The same bins without a value."""
        zero = {"squares": 0.0, "low": None, "high": None, "below": 0, "above": 0, "missing": 0}
        k = len(self.counts)
        return self.model_copy(update={**zero, "counts": (0,) * k, "sums": (0.0,) * k})

    def count(self, column: pd.Series) -> "NumberHistogram":
        """With the values of a chunk added. Raises InvalidInput where they are neither numbers nor times."""
        kind = "time" if self.unit == NANOSECONDS_A_DAY else "number"
        if common_kind(column, column) != kind and not bool(column.isna().all()):
            raise InvalidInput(
                f"Column {self.column} is not made of {'times' if kind == 'time' else 'numbers'} any more.",
                hint="Bring the column to the type it had in the reference, or calibrate anew.",
            )
        side = side_of(numbers(column))
        ordered = np.sort(side.values)
        ends = np.searchsorted(ordered, np.array(self.edges), "left")
        counts = np.diff(ends, prepend=0, append=len(ordered))
        scaled = self.scaled(ordered)
        sums = np.zeros(len(counts))
        held = np.flatnonzero(counts)
        if len(held):
            sums[held] = np.add.reduceat(scaled, (np.cumsum(counts) - counts)[held])
        chunk = self.model_copy(
            update={
                "counts": tuple(counts.tolist()),
                "sums": tuple(sums.tolist()),
                "squares": float(np.sum(scaled * scaled)),
                "low": float(ordered[0]) if len(ordered) else None,
                "high": float(ordered[-1]) if len(ordered) else None,
                "below": side.below,
                "above": side.above,
                "missing": side.missing,
            }
        )
        return self + chunk

    def scaled(self, values: Numbers) -> Numbers:
        with np.errstate(over="ignore"):
            return np.clip((values - self.shift) / self.scale, -FARTHEST, FARTHEST)

    def _bins(self) -> tuple[object, ...]:
        return self.column, self.edges, self.starts, self.shift, self.scale, self.unit

    def __add__(self, other: "NumberHistogram | CategoryHistogram") -> "NumberHistogram":
        if not isinstance(other, NumberHistogram) or self._bins() != other._bins():
            raise _other_bins(self.column)
        lows = [h.low for h in (self, other) if h.low is not None]
        highs = [h.high for h in (self, other) if h.high is not None]
        return self.model_copy(
            update={
                "counts": tuple(a + b for a, b in zip(self.counts, other.counts, strict=True)),
                "sums": tuple(a + b for a, b in zip(self.sums, other.sums, strict=True)),
                "squares": self.squares + other.squares,
                "low": min(lows, default=None),
                "high": max(highs, default=None),
                "below": self.below + other.below,
                "above": self.above + other.above,
                "missing": self.missing + other.missing,
            }
        )


class CategoryHistogram(Record):
    """One column of categories: the reference's commonest by their text, all others together, and missing."""

    kind: Literal["categorical"] = "categorical"
    column: str
    categories: tuple[str, ...]
    counts: tuple[int, ...]
    other: int = 0
    missing: int = 0

    @property
    def present(self) -> int:
        return sum(self.counts) + self.other

    def empty(self) -> "CategoryHistogram":
        return self.model_copy(update={"counts": (0,) * len(self.counts), "other": 0, "missing": 0})

    def count(self, column: pd.Series) -> "CategoryHistogram":
        """With the values of a chunk added."""
        by_text, missing = category_counts(column)
        counts = tuple(
            before + by_text.pop(name, 0) for name, before in zip(self.categories, self.counts, strict=True)
        )
        return self.model_copy(
            update={
                "counts": counts,
                "other": self.other + sum(by_text.values()),
                "missing": self.missing + missing,
            }
        )

    def __add__(self, other: "NumberHistogram | CategoryHistogram") -> "CategoryHistogram":
        bins = self.column, self.categories
        if not isinstance(other, CategoryHistogram) or bins != (other.column, other.categories):
            raise _other_bins(self.column)
        return self.model_copy(
            update={
                "counts": tuple(a + b for a, b in zip(self.counts, other.counts, strict=True)),
                "other": self.other + other.other,
                "missing": self.missing + other.missing,
            }
        )


ColumnHistogram = Annotated[NumberHistogram | CategoryHistogram, Field(discriminator="kind")]


class TableHistogram(Record):
    """Every column of a table; adds up with one that was calibrated on the same reference."""

    columns: tuple[ColumnHistogram, ...]
    rows: int = 0

    def empty(self) -> "TableHistogram":
        """The same bins without a row: what a new chunk, worker or day begins with."""
        return TableHistogram(columns=tuple(c.empty() for c in self.columns))

    def count(self, frame: pd.DataFrame) -> "TableHistogram":
        """With the rows of a chunk added; columns that were not calibrated are passed over.

        Raises InvalidInput for a column that is lacking or no longer of its kind.
        """
        by_name = {str(name): name for name in frame.columns}
        lacking = [c.column for c in self.columns if c.column not in by_name]
        if lacking:
            raise InvalidInput(
                f"The rows to count lack {', '.join(lacking)}.",
                hint="Give every column that the reference has.",
            )
        return TableHistogram(
            columns=tuple(c.count(frame[by_name[c.column]]) for c in self.columns),
            rows=self.rows + len(frame),
        )

    def __add__(self, other: "TableHistogram") -> "TableHistogram":
        if [c.column for c in self.columns] != [c.column for c in other.columns]:
            raise _other_bins("a table")
        added = [mine + theirs for mine, theirs in zip(self.columns, other.columns, strict=True)]
        return TableHistogram(columns=tuple(added), rows=self.rows + other.rows)


def calibrate(reference: pd.DataFrame) -> TableHistogram:
    """Choose every column's bins on the reference (n rows) and count its rows.

    A numeric column gets 64 bins of equal shares, the outermost halved again and again, the edges of the ten
    that PSI is taken over, a bin for each value that holds a share of its own and, where there are five
    values or fewer, for each value. A column of categories gets the 64 commonest.
    """
    bins: list[NumberHistogram | CategoryHistogram] = []
    for name in reference.columns:
        column = reference[name]
        kind = common_kind(column, column)
        if kind == "category":
            bins.append(_category_bins(str(name), column))
        else:
            bins.append(_number_bins(str(name), column, 1.0 if kind == "number" else NANOSECONDS_A_DAY))
    return TableHistogram(columns=tuple(bins)).count(reference)


def _number_bins(name: str, column: pd.Series, unit: float) -> NumberHistogram:
    ordered = np.sort(side_of(numbers(column)).values)
    if len(ordered) == 0:
        return NumberHistogram(
            column=name, unit=unit, shift=0.0, scale=1.0, edges=(), starts=(), counts=(0,), sums=(0.0,)
        )
    fine, ten = quantile_cuts(ordered, FINE_BINS), quantile_cuts(ordered)
    begins = np.sort(np.concatenate((ten.edges, _after(ten.atoms))))
    ranks = [int(share * len(ordered)) for share in TAILS]
    outer = np.concatenate((ordered[[0, *ranks, *(-1 - k for k in ranks)]], _after(ordered[-1:])))
    values = np.unique(ordered)
    few = values if len(values) <= DISTINCT_LIMIT else values[:0]
    edges = np.unique(np.concatenate((begins, fine.edges, _after(fine.atoms), outer, few, _after(few))))
    edges = edges[np.isfinite(edges)]
    begins = begins[np.isfinite(begins)]
    varies = len(values) > 1
    width = float(edges[-1] / 2 - edges[0] / 2) if varies else max(1.0, abs(float(values[0])))
    return NumberHistogram(
        column=name,
        unit=unit,
        shift=float(ordered[len(ordered) // 2]),
        scale=width if width > 0 else 1.0,
        edges=tuple(edges.tolist()),
        starts=tuple(np.searchsorted(edges, begins).tolist()),
        counts=(0,) * (len(edges) + 1),
        sums=(0.0,) * (len(edges) + 1),
    )


def _after(values: Numbers) -> Numbers:
    with np.errstate(over="ignore"):
        return np.nextafter(values, np.inf)


def _category_bins(name: str, column: pd.Series) -> CategoryHistogram:
    by_text, _ = category_counts(column)
    ranked = sorted(by_text, key=lambda text: (-by_text[text], text))[:TOP_CATEGORIES]
    return CategoryHistogram(column=name, categories=tuple(ranked), counts=(0,) * len(ranked))


def _other_bins(what: str) -> InvalidInput:
    return InvalidInput(
        f"Histograms of {what} with different bins cannot be added or compared.",
        hint="Count both with bins that were calibrated on the same reference.",
    )
