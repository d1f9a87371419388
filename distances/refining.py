"""The exact distances of two large numeric columns by histogram and refinement, without sorting them.

Promises: the figures of `distances.sorting.by_sorting` to rounding, from one pass over the values and one
over their bin numbers, or None where sorting is better. Leaves that choice's row limit to
`distances.columns`.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from distances.formulas import Counts, Numbers, spread
from distances.sorting import DISTINCT_LIMIT, NumberFigures, Quantiles, Side, counts_between, merged

__all__ = ["by_refining"]

MAX_BINS = 1 << 16  # as two bytes can number; their counts and sums fit a second-level cache of 1 MB
CHUNK = 1 << 15  # values
SAMPLE = 4096  # values of either side that the range of the bins is taken from
TAIL = 0.02  # share of the sample on either side that may lie in the end bins
BINS_A_ROOT = 48  # times the root of the rows
MARGIN = 0.1  # the range is this much wider than what lies between the tails
REFINED_SHARE = 0.4  # of the rows; where more lie in bins that must be sorted, sorting all is no slower
TIED = 0.1  # a sample with fewer distinct values than this share of it comes from a column of few
FAR = 1e100  # bins from the first; squares of such distances are still finite


def by_refining(reference: Side, current: Side, bins: int | None = None) -> NumberFigures | None:
    """Bin both sides into equal bins, and sort only those in which something is left to find out.

    The counts are the exact distribution functions at the bins' edges; between two edges each function
    stays between its values there. So KS is the widest gap at an edge, unless a bin exists in which the
    functions could part further. The area between them (Wasserstein) follows from counts and sums of
    values, unless they may cross inside the bin. Quantiles lie in the bins that hold their ranks.

    bins: at most 65,536; as many as the rows are worth if not given. None where a side has no finite value,
    where the values do not fill a range of equal bins (few distinct values, extreme tails) and where too
    many rows would have to be sorted.
    """
    grid = _grid(reference.values, current.values, bins or _bins_for(len(reference.values)))
    if grid is None:
        return None
    r, c = _binned(reference, grid), _binned(current, grid)
    if np.count_nonzero(r.counts + c.counts) <= DISTINCT_LIMIT:
        return None  # perhaps no more distinct values either, which the sorted ones tell
    finite = not (reference.below or reference.above or current.below or current.above)
    quantiles = Quantiles.of(len(reference.values))
    widest, unsettled, crossing = _unsettled(r, c)
    if finite:
        unsettled |= crossing
    for low, high in zip(r.bin_of_rank(quantiles.below), r.bin_of_rank(quantiles.above), strict=True):
        unsettled[low : high + 1] = True
    rows = int(r.counts[unsettled].sum() + c.counts[unsettled].sum())
    if rows > REFINED_SHARE * (len(reference.values) + len(current.values)):
        return None
    r_picked, c_picked = _Picked(r, unsettled), _Picked(c, unsettled)
    deeper, area = _refined(r_picked, c_picked, unsettled, grid)
    if finite:
        area += _settled_area(r, c, ~unsettled | (r.counts + c.counts == 0), grid)
    cuts = quantiles.cuts(r_picked.at_rank(quantiles.below), r_picked.at_rank(quantiles.above))
    counts = [
        counts_between(
            side.binned.side,
            np.concatenate((side.ranks(cuts.edges, grid, "left"), side.ranks(cuts.atoms, grid, "right"))),
        )
        for side in (r_picked, c_picked)
    ]
    return NumberFigures(
        ks=max(widest, deeper),
        wasserstein=area / grid.scale if finite else None,
        bins=(counts[0], counts[1]),
        spread=r.spread(grid),
    )


@dataclass(frozen=True)
class _Grid:
    """Equal bins from `start`, `scale` of them to one unit; the end bins take all that lies beyond.

    first, last: the smallest and largest value of both sides, in bins from the start.
    """

    start: float
    scale: float
    bins: int
    first: float
    last: float

    def positions(self, values: Numbers) -> Numbers:
        """In bins from the start; never decreasing in the values, whatever is rounded."""
        return (values - self.start) * self.scale

    def numbers(self, positions: Numbers) -> Counts:
        return np.clip(positions, 0, self.bins - 1).astype(np.int64)


def _bins_for(rows: int) -> int:
    """A power of two. Undrifted functions are some 1 / sqrt(rows) apart, and bins should hold much less."""
    return min(MAX_BINS, 1 << max(8, math.ceil(math.log2(BINS_A_ROOT * math.sqrt(max(rows, 1))))))


def _grid(r: Numbers, c: Numbers, bins: int) -> _Grid | None:
    if len(r) == 0 or len(c) == 0:
        return None
    sample = np.sort(np.concatenate([side[:: len(side) // SAMPLE + 1] for side in (r, c)]))
    if np.count_nonzero(np.diff(sample)) < TIED * len(sample):
        return None
    low, high = min(float(r.min()), float(c.min())), max(float(r.max()), float(c.max()))
    inner_low = float(sample[int(TAIL * (len(sample) - 1))])
    inner_high = float(sample[-1 - int(TAIL * (len(sample) - 1))])
    width = MARGIN * (inner_high - inner_low)
    start, end = max(low, inner_low - width), min(high, inner_high + width)
    if not (0 < end - start < np.inf):
        return None
    scale = bins / (end - start)
    first, last = (low - start) * scale, (high - start) * scale
    if not (scale < np.inf and first > -FAR and last < FAR):
        return None
    return _Grid(start, scale, bins, first, last)


@dataclass(frozen=True)
class _Binned:
    """One side's rows by bin. where: each value's bin (n,). counts, sums of positions (bins,).

    before: finite values before each bin and before the end (bins + 1,). centre, squares: a position near
    the mean, and the sum of squared distances from it.
    """

    side: Side
    where: npt.NDArray[np.uint16]
    counts: Counts
    sums: Numbers
    before: Counts
    centre: float
    squares: float

    def shares(self) -> Numbers:
        """The distribution function at the bins' edges (bins + 1,)."""
        return (self.before + self.side.below) / self.side.present

    def bin_of_rank(self, ranks: Counts) -> Counts:
        return np.searchsorted(self.before[1:], ranks, "right")

    def spread(self, grid: _Grid) -> float:
        n = len(self.side.values)
        variance = self.squares / n - (float(self.sums.sum()) / n - self.centre) ** 2
        if variance * n < 1e-6 * self.squares:  # the centre was far off; what is left is rounding
            return spread(self.side.values)
        return float(np.sqrt(variance)) / grid.scale


def _binned(side: Side, grid: _Grid) -> _Binned:
    """One pass, chunk by chunk; every call below lets other threads run."""
    values = side.values
    counts, sums = np.zeros(grid.bins, np.int64), np.zeros(grid.bins)
    where = np.empty(len(values), np.uint16)
    centre = float(grid.positions(values[:: len(values) // SAMPLE + 1]).mean())
    squares = 0.0
    positions, work = np.empty(CHUNK), np.empty(CHUNK)
    numbers = np.empty(CHUNK, np.int64)
    for begin in range(0, len(values), CHUNK):
        chunk = values[begin : begin + CHUNK]
        k = len(chunk)
        at, scratch, number = positions[:k], work[:k], numbers[:k]
        np.subtract(chunk, grid.start, out=at)
        np.multiply(at, grid.scale, out=at)
        np.clip(at, 0, grid.bins - 1, out=scratch)
        np.copyto(number, scratch, casting="unsafe")  # rounds down
        np.copyto(where[begin : begin + k], number, casting="unsafe")
        counts += np.bincount(number, minlength=grid.bins)
        sums += np.bincount(number, at, minlength=grid.bins)
        np.subtract(at, centre, out=scratch)
        squares += float(np.einsum("i,i->", scratch, scratch))
    before = np.concatenate(([0], np.cumsum(counts)))
    return _Binned(side, where, counts, sums, before, centre, squares)


def _unsettled(r: _Binned, c: _Binned) -> tuple[float, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """The widest gap at an edge, the bins that may hold a wider one, and those where the sign may change."""
    r_share, c_share = r.shares(), c.shares()
    widest = float(np.abs(r_share - c_share).max())
    most, least = r_share[1:] - c_share[:-1], r_share[:-1] - c_share[1:]
    return widest, (most > widest) | (-least > widest), (most > 0) & (least < 0)


class _Picked:
    """One side's values in the bins to refine, sorted, and where they stand among all."""

    def __init__(self, binned: _Binned, unsettled: npt.NDArray[np.bool_]) -> None:
        self.binned = binned
        values, where = binned.side.values, binned.where
        parts = []
        for begin in range(0, len(values), CHUNK):
            chosen = unsettled.take(where[begin : begin + CHUNK])
            parts.append(values[begin : begin + CHUNK][chosen])
        self.values = np.concatenate(parts)
        self.values.sort()
        counts = np.where(unsettled, binned.counts, 0)
        # Finite values outside the chosen bins that lie before each bin.
        self.skipped = binned.before[:-1] - (np.cumsum(counts) - counts)
        self.numbers = np.repeat(np.arange(len(counts)), counts)  # each value's bin

    def at_rank(self, ranks: Counts) -> Numbers:
        found: Numbers = self.values[ranks - self.skipped[self.binned.bin_of_rank(ranks)]]
        return found

    def ranks(self, edges: Numbers, grid: _Grid, side: str) -> Counts:
        """How many finite values lie before each edge; the edges lie in chosen bins."""
        number = grid.numbers(grid.positions(edges))
        inside = np.searchsorted(self.values, edges, "left" if side == "left" else "right")
        return np.asarray(inside + self.skipped[number], dtype=np.int64)


def _refined(r: _Picked, c: _Picked, unsettled: npt.NDArray[np.bool_], grid: _Grid) -> tuple[float, float]:
    """The widest gap inside the chosen bins, and the area (in bins) between the functions over them."""
    values, passed_r, passed_c = merged(r.values, c.values)
    if len(values) == 0:
        return 0.0, 0.0
    numbers = np.concatenate((r.numbers, c.numbers))
    numbers.sort(kind="stable")
    n, m = r.binned.side.present, c.binned.side.present
    gaps = (passed_r + (r.skipped + r.binned.side.below)[numbers]) / n
    gaps -= (passed_c + (c.skipped + c.binned.side.below)[numbers]) / m
    np.abs(gaps, out=gaps)
    last = np.append(values[1:] != values[:-1], True)
    widest = float(gaps.max(initial=0.0, where=last))
    # From each value to the next one in its bin or to the bin's end; and from the bin's begin to its first.
    at = grid.positions(values)
    starts = np.flatnonzero(np.append(True, numbers[1:] != numbers[:-1]))
    ends = np.append(starts[1:], len(values)) - 1
    left, right = _edges(grid)
    nexts = np.append(at[1:], 0.0)
    nexts[ends] = right[numbers[ends]]
    at_left = np.abs(r.binned.shares() - c.binned.shares())[numbers[starts]]
    area = np.sum(gaps * (nexts - at)) + np.sum(at_left * (at[starts] - left[numbers[starts]]))
    return widest, float(area)


def _settled_area(r: _Binned, c: _Binned, settled: npt.NDArray[np.bool_], grid: _Grid) -> float:
    """The area (in bins) between the functions over bins in which they do not cross."""
    left, right = _edges(grid)
    areas = []
    for side in (r, c):
        # A value adds to the function from where it lies to the end of its bin.
        inside = right * side.counts - side.sums
        areas.append((side.before[:-1] * (right - left) + inside) / side.side.present)
    return float(np.abs(areas[0] - areas[1])[settled].sum())


def _edges(grid: _Grid) -> tuple[Numbers, Numbers]:
    """Begin and end of each bin; the end bins reach to the outermost values."""
    left, right = np.arange(grid.bins, dtype=np.float64), np.arange(1.0, grid.bins + 1)
    left[0], right[-1] = min(grid.first, 0.0), max(grid.last, float(grid.bins))
    return left, right
