"""The exact distances of two numeric columns by sorting each once; bins of a reference's quantiles.

Promises: KS, Wasserstein and the counts of quantile bins to rounding, with ties and infinities, in blocks
that keep memory small. Leaves large columns that need no sorting to `distances.refining`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from distances.formulas import Counts, Numbers, spread

__all__ = [
    "DISTINCT_LIMIT",
    "Cuts",
    "NumberFigures",
    "Ordered",
    "Quantiles",
    "Side",
    "bin_counts",
    "by_sorting",
    "merged",
    "quantile_cuts",
    "side_of",
]

QUANTILE_BINS = 10
DISTINCT_LIMIT = 5  # a numeric column with no more distinct values may be read as categories
BLOCK = 1 << 17  # values of one side that are merged at a time, so that the work arrays stay small


class Side(NamedTuple):
    """One side of a numeric column: its finite values in any order, and how many others it has."""

    values: Numbers
    below: int = 0  # minus infinity
    above: int = 0
    missing: int = 0

    @property
    def present(self) -> int:
        return len(self.values) + self.below + self.above


def side_of(numbers: Numbers) -> Side:
    """Take the finite values out of float64 (n,) with NaN where missing; no copy where all are finite."""
    if len(numbers) == 0 or (np.isfinite(numbers.min()) and np.isfinite(numbers.max())):
        return Side(numbers)  # the smallest is NaN where any is
    values = numbers[~np.isnan(numbers)]
    missing = len(numbers) - len(values)
    below, above = int(np.count_nonzero(values == -np.inf)), int(np.count_nonzero(values == np.inf))
    if below or above:
        values = values[np.isfinite(values)]
    return Side(values, below, above, missing)


@dataclass(frozen=True)
class NumberFigures:
    """What both ways of counting find out about a numeric column.

    ks, wasserstein: null where a side has no value; wasserstein also where one is infinite. bins: rows of
    each side by quantile bin of the reference, the missing ones last. spread: standard deviation of the
    reference's finite values. distinct: rows of each side by value, ascending, where both sides together
    have no more than DISTINCT_LIMIT values.
    """

    ks: float | None
    wasserstein: float | None
    bins: tuple[Counts, Counts]
    spread: float
    distinct: tuple[Counts, Counts] | None = None


class Ordered:
    """A side with its values sorted, and what follows from them, each worked out once."""

    def __init__(self, side: Side) -> None:
        self.side = side._replace(values=np.sort(side.values))

    @cached_property
    def cuts(self) -> "Cuts":
        """Where this side's quantile bins begin."""
        return quantile_cuts(self.side.values)

    @cached_property
    def bins(self) -> Counts:
        """Rows in each of its own quantile bins, the missing ones last."""
        return bin_counts(self.side, self.cuts)

    @cached_property
    def spread(self) -> float:
        """Standard deviation of its finite values."""
        return spread(self.side.values)

    @cached_property
    def steps(self) -> "_Steps":
        return _Steps.of(self.side.values)

    @cached_property
    def runs(self) -> int:
        """Different values."""
        return _runs(self.side.values)


def by_sorting(reference: Ordered, current: Ordered) -> NumberFigures:
    """Everything from the sorted values of both sides."""
    ks, wasserstein = _distances(reference, current)
    return NumberFigures(
        ks=ks,
        wasserstein=wasserstein,
        bins=(reference.bins, bin_counts(current.side, reference.cuts)),
        spread=reference.spread,
        distinct=_distinct_counts(reference, current),
    )


class Cuts(NamedTuple):
    """Where bins begin. A value that holds two quantiles or more is an atom and gets its own bin."""

    edges: Numbers
    atoms: Numbers


class Quantiles(NamedTuple):
    """Which order statistics of n values the quantiles 0, 1/k ... 1 lie between, as numpy.quantile has it.

    below, above: ranks from 0 (k + 1,). share: of the way from one to the other.
    """

    below: Counts
    above: Counts
    share: Numbers

    @classmethod
    def of(cls, n: int, bins: int = QUANTILE_BINS) -> "Quantiles":
        if n == 0:
            return cls(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
        position = np.linspace(0, 1, bins + 1) * (n - 1)
        below = np.floor(position).astype(np.int64)
        return cls(below, np.minimum(below + 1, n - 1), position - below)

    def cuts(self, low: Numbers, high: Numbers) -> Cuts:
        """Edges of bins with equal shares; `low` and `high` are the values at the ranks."""
        if len(low) == 0:
            return Cuts(low, low)
        with np.errstate(over="ignore", invalid="ignore"):
            step = high - low
            # Interpolated as numpy.quantile does, so that a value lying on an edge falls the same way.
            found = np.where(self.share < 0.5, low + step * self.share, high - step * (1 - self.share))
            huge = ~np.isfinite(step)  # the difference overflowed
            found[huge] = (low * (1 - self.share) + high * self.share)[huge]
        np.clip(found, low, high, out=found)
        edges, held = np.unique(found, return_counts=True)
        inner = (held > 1) | ((edges > found[0]) & (edges < found[-1]))
        return Cuts(edges[inner], edges[held > 1])


def quantile_cuts(ordered: Numbers, bins: int = QUANTILE_BINS) -> Cuts:
    """Cuts of a sorted array of finite values."""
    quantiles = Quantiles.of(len(ordered), bins)
    return quantiles.cuts(ordered[quantiles.below], ordered[quantiles.above])


def bin_counts(side: Side, cuts: Cuts) -> Counts:
    """Rows a bin of a side with sorted values, the missing ones last.

    Bins are closed on the left; the end bins are open-ended and take the infinities.
    """
    starts = np.concatenate(
        (np.searchsorted(side.values, cuts.edges, "left"), np.searchsorted(side.values, cuts.atoms, "right"))
    )
    return counts_between(side, starts)


def counts_between(side: Side, starts: Counts) -> Counts:
    """Rows a bin, from the number of finite values that lie before each bin."""
    starts = np.sort(starts) + side.below
    counts = np.diff(starts, prepend=0, append=side.present)
    return np.append(counts, side.missing).astype(np.int64)


def merged(reference: Numbers, current: Numbers) -> tuple[Numbers, Counts, Counts]:
    """Two sorted arrays as one, and how many of either have been passed at each value.

    Among equal values only the last one's counts are those at or below the value.
    """
    both = np.concatenate((reference, current))
    order = np.argsort(both, kind="stable")  # finds the two sorted runs and merges them in linear time
    passed_c: Counts = np.cumsum(order >= len(reference), dtype=np.int64)
    passed_r: Counts = np.arange(1, len(both) + 1, dtype=np.int64) - passed_c
    return both[order], passed_r, passed_c


def _distances(reference: Ordered, current: Ordered) -> tuple[float | None, float | None]:
    """The widest gap between the distribution functions, and the area between them."""
    r, c = reference.side, current.side
    n, m = r.present, c.present
    if n == 0 or m == 0:
        return None, None
    gap_before = r.below / n - c.below / m
    value_before: float | None = None
    widest, area = abs(gap_before), 0.0
    r_steps, c_steps = reference.steps, current.steps
    with np.errstate(over="ignore", invalid="ignore"):
        for r_part, c_part in _blocks(r_steps.values, c_steps.values):
            values, passed_r, passed_c = merged(r_steps.values[r_part], c_steps.values[c_part])
            gaps = (r_steps.rows(passed_r + r_part.start) + r.below) / n
            gaps -= (c_steps.rows(passed_c + c_part.start) + c.below) / m
            np.abs(gaps, out=gaps)
            steps = np.diff(values)
            widest = max(widest, float(gaps[:-1].max(initial=0.0, where=steps > 0)), float(gaps[-1]))
            area += float(np.sum(gaps[:-1] * steps))
            if value_before is not None:
                area += gap_before * float(values[0] - value_before)
            gap_before, value_before = float(gaps[-1]), values[-1]
    return widest, None if r.below or r.above or c.below or c.above else area


class _Steps(NamedTuple):
    """A sorted array by its values; where most are tied each value stands once, which is less to merge.

    until: rows before each value, and in all; None where each row is a step of its own.
    """

    values: Numbers
    until: Counts | None = None

    @classmethod
    def of(cls, ordered: Numbers) -> "_Steps":
        begins = np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]
        if 2 * np.count_nonzero(begins) > len(ordered):
            return cls(ordered)
        at = np.flatnonzero(begins)
        return cls(ordered[at], np.append(at, len(ordered)))

    def rows(self, passed: Counts) -> Counts:
        """Rows in so many steps."""
        return passed if self.until is None else self.until[passed]


def _blocks(r: Numbers, c: Numbers) -> Iterator[tuple[slice, slice]]:
    """Parts of two sorted arrays that cover the same stretch of values; equal values share a part."""
    cuts = np.unique(np.concatenate((r[BLOCK::BLOCK], c[BLOCK::BLOCK])))
    r_ends = np.append(np.searchsorted(r, cuts, "left"), len(r)).tolist()
    c_ends = np.append(np.searchsorted(c, cuts, "left"), len(c)).tolist()
    r_start = c_start = 0
    for r_end, c_end in zip(r_ends, c_ends, strict=True):
        if r_end > r_start or c_end > c_start:
            yield slice(r_start, r_end), slice(c_start, c_end)
        r_start, c_start = r_end, c_end


def _distinct_counts(reference: Ordered, current: Ordered) -> tuple[Counts, Counts] | None:
    """Rows by value; None for more than DISTINCT_LIMIT values."""
    if max(reference.runs, current.runs) > DISTINCT_LIMIT:
        return None
    r, c = reference.side, current.side
    values = np.union1d(_firsts(r.values), _firsts(c.values))
    counts = []
    for side in (r, c):
        inside = np.diff(np.searchsorted(side.values, values, "left"), append=len(side.values))
        counts.append(np.concatenate(([side.below], inside, [side.above])).astype(np.int64))
    seen = counts[0] + counts[1] > 0
    return (counts[0][seen], counts[1][seen]) if np.count_nonzero(seen) <= DISTINCT_LIMIT else None


def _runs(ordered: Numbers) -> int:
    return int(np.count_nonzero(ordered[1:] != ordered[:-1])) + 1 if len(ordered) else 0


def _firsts(ordered: Numbers) -> Numbers:
    return ordered[np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))] if len(ordered) else ordered
