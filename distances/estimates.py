"""The statistics of two tables from their histograms, each with the bounds that the exact one lies in.

Promises: low <= exact <= high for every statistic, the exact one being `drift.compare` of the rows that were
counted. PSI, Jensen-Shannon and chi-squared of numbers are exact where both histograms were calibrated on the
reference. Leaves counting to `distances.histograms` and the choice of test to `distances.decisions`.
"""

import math
from typing import Literal

import numpy as np
import numpy.typing as npt

from distances.columns import ColumnFigures
from distances.decisions import decide
from distances.formulas import (
    SHARE_FLOOR,
    Counts,
    Numbers,
    chi_squared,
    jensen_shannon_distance,
    kolmogorov_p,
    population_stability_index,
    two_proportions,
)
from distances.histograms import FARTHEST, CategoryHistogram, NumberHistogram, TableHistogram
from distances.sorting import DISTINCT_LIMIT
from errors import InvalidInput
from records.base import Figure, Record
from records.drift import Decision, DriftRules

__all__ = ["Bounded", "ColumnEstimate", "TableEstimate", "compare_histograms"]


class Bounded(Record):
    """A statistic that lies between low and high; null where a side has no bound."""

    value: float
    low: Figure
    high: Figure


class ColumnEstimate(Decision):
    """What two histograms tell of one column; null is what does not fit. See drift.ColumnDrift."""

    column: str
    kind: Literal["numeric", "categorical"]
    psi: Bounded
    js: Bounded
    ks: Bounded | None = None
    ks_p: Bounded | None = None
    wasserstein: Bounded | None = None
    wasserstein_normed: Bounded | None = None
    chi2: Bounded | None = None
    chi2_p: Bounded | None = None
    z: Figure = None
    z_p: Figure = None
    missing_reference: float
    missing_current: float


class TableEstimate(Record):
    """One entry a column, judged by the same rules as a comparison of rows. See drift.DriftReport."""

    columns: tuple[ColumnEstimate, ...]
    rows_reference: int
    rows_current: int
    correction: Literal["benjamini_hochberg"] | None = None
    drifted_columns: int
    drifted_share: Figure


def compare_histograms(
    reference: TableHistogram, current: TableHistogram, rules: DriftRules | None = None
) -> TableEstimate:
    """Every column of `current` against `reference`, whose bins it must have.

    KS is the widest gap at an edge; between edges it can be wider by no more than the largest share of a
    bin. Wasserstein is exact but for bins in which the distribution functions may cross, where it is
    bounded by what counts and sums allow. Judgements rest on the values.

    Raises InvalidInput for tables without rows and for other bins.
    """
    rules = rules or DriftRules()
    reference.empty() + current.empty()  # refuses other bins
    if reference.rows == 0 or current.rows == 0:
        raise InvalidInput(
            "One of the histograms has no rows, so there is nothing to compare.",
            hint="Count at least one row on both sides.",
        )
    estimates, figures = [], []
    for r, c in zip(reference.columns, current.columns, strict=True):
        if isinstance(r, NumberHistogram) and isinstance(c, NumberHistogram):
            estimate = _numbers(r, c)
            distinct = _distinct(r, c)
        else:
            assert isinstance(r, CategoryHistogram) and isinstance(c, CategoryHistogram)
            estimate = _categories(r, c)
            distinct = None
        estimates.append(estimate)
        figures.append(_figures(estimate, distinct, (r.missing, c.missing)))
    ks_p = [None if e.ks_p is None else e.ks_p.value for e in estimates]
    decisions = decide(figures, ks_p, rules, min(reference.rows, current.rows))
    judged = [d.drifted for d in decisions if d.drifted is not None]
    return TableEstimate(
        columns=tuple(e.model_copy(update=dict(d)) for e, d in zip(estimates, decisions, strict=True)),
        rows_reference=reference.rows,
        rows_current=current.rows,
        correction="benjamini_hochberg" if any(d.p_adjusted is not None for d in decisions) else None,
        drifted_columns=sum(judged),
        drifted_share=sum(judged) / len(judged) if judged else None,
    )


def _figures(
    e: ColumnEstimate, distinct: tuple[Counts, Counts] | None, missing: tuple[int, int]
) -> ColumnFigures:
    """What the choice of a test looks at."""
    return ColumnFigures(
        numeric=e.kind == "numeric",
        psi=e.psi.value,
        js=e.js.value,
        rows=(0, 0),
        missing=missing,
        ks=e.ks.value if e.ks else None,
        wasserstein_normed=e.wasserstein_normed.value if e.wasserstein_normed else None,
        chi2=(e.chi2.value, e.chi2_p.value) if e.chi2 and e.chi2_p else None,
        z=(e.z, e.z_p) if e.z is not None and e.z_p is not None else None,
        distinct=None if distinct is None else len(distinct[0]),
    )


def _exactly(value: float) -> Bounded:
    return Bounded(value=value, low=value, high=value)


def _numbers(r: NumberHistogram, c: NumberHistogram) -> ColumnEstimate:
    bins = _quantile_bins(r), _quantile_bins(c)
    distinct = _distinct(r, c)
    chi2 = chi2_p = z = None
    if distinct is not None:
        by_value = [np.append(k, h.missing) for k, h in zip(distinct, (r, c), strict=True)]
        found = chi_squared(by_value[0], by_value[1])
        z = two_proportions(*distinct) if len(distinct[0]) == 2 else None
    else:
        found = chi_squared(*bins)
    if found is not None:
        known = distinct is not None or _many(r, c)
        chi2, chi2_p = (_exactly(v) if known else Bounded(value=v, low=None, high=None) for v in found)
    ks, wasserstein, normed = _distances(r, c)
    return ColumnEstimate(
        column=r.column,
        kind="numeric",
        psi=_exactly(population_stability_index(*bins)),
        js=_exactly(jensen_shannon_distance(*bins)),
        ks=ks,
        ks_p=_p_of(ks, r.present, c.present),
        wasserstein=wasserstein,
        wasserstein_normed=normed,
        chi2=chi2,
        chi2_p=chi2_p,
        z=z[0] if z else None,
        z_p=z[1] if z else None,
        missing_reference=r.missing / max(r.present + r.missing, 1),
        missing_current=c.missing / max(c.present + c.missing, 1),
    )


def _quantile_bins(h: NumberHistogram) -> Counts:
    """Rows by the ten bins that PSI is taken over, infinities in the end bins, the missing ones last."""
    before = h.below + np.concatenate(([0], np.cumsum(h.counts)))
    counts = np.diff(before[np.array(h.starts, dtype=np.int64) + 1], prepend=0, append=h.present)
    return np.append(counts, h.missing).astype(np.int64)


def _single(h: NumberHistogram) -> npt.NDArray[np.bool_]:
    """The bins that can hold but one value."""
    edges = np.array(h.edges)
    return np.concatenate(([False], np.nextafter(edges[:-1], np.inf) == edges[1:], [False]))[: len(h.counts)]


def _distinct(r: NumberHistogram, c: NumberHistogram) -> tuple[Counts, Counts] | None:
    """Rows by value, where each value has a bin of its own and there are no more than five."""
    counts = [np.array([h.below, *h.counts, h.above], dtype=np.int64) for h in (r, c)]
    seen = counts[0] + counts[1] > 0
    single = np.concatenate(([True], _single(r), [True]))
    if np.count_nonzero(seen) > DISTINCT_LIMIT or bool((seen & ~single).any()):
        return None
    return counts[0][seen], counts[1][seen]


def _many(r: NumberHistogram, c: NumberHistogram) -> bool:
    """Whether there are certainly more than five values."""
    seen = np.array(r.counts) + np.array(c.counts) > 0
    return int(np.count_nonzero(seen)) + (r.below + c.below > 0) + (r.above + c.above > 0) > DISTINCT_LIMIT


def _p_of(ks: Bounded | None, n: int, m: int) -> Bounded | None:
    rows = round(n * m / (n + m)) if ks else 0
    if ks is None or ks.low is None or ks.high is None or rows == 0:
        return None
    value, least, most = kolmogorov_p([ks.value, ks.high, ks.low], [rows] * 3).tolist()
    return Bounded(value=value, low=least, high=most)


def _distances(
    r: NumberHistogram, c: NumberHistogram
) -> tuple[Bounded | None, Bounded | None, Bounded | None]:
    """KS, Wasserstein in the column's unit, and Wasserstein in standard deviations of the reference."""
    if r.present == 0 or c.present == 0:
        return None, None, None
    r_share, c_share = ((h.below + np.concatenate(([0], np.cumsum(h.counts)))) / h.present for h in (r, c))
    gaps = r_share - c_share
    most, least = r_share[1:] - c_share[:-1], r_share[:-1] - c_share[1:]
    wide = ~_single(r)
    widest = float(np.abs(gaps).max())
    deepest = max(widest, float(np.maximum(most, -least).max(initial=0.0, where=wide)))
    ks = Bounded(value=widest, low=widest, high=min(deepest, 1.0))
    if r.below or r.above or c.below or c.above:
        return ks, None, None
    left, right = _ends(r, c)
    if max(-left[0], right[-1]) >= FARTHEST:  # sums of values stop there, so that their squares are finite
        return ks, None, None
    width = right - left
    # Areas that each side adds over a bin: from its height at the begin up, and from that at the end down.
    risen, lacked = [], []
    for h in (r, c):
        counts, sums = np.array(h.counts), np.array(h.sums)
        risen.append(np.maximum(right * counts - sums, 0) / h.present)
        lacked.append(np.maximum(sums - left * counts, 0) / h.present)
    start, end = gaps[:-1], gaps[1:]
    signed = start * width + risen[0] - risen[1]
    above = np.minimum(np.maximum(most, 0) * width, np.maximum(start, 0) * width + risen[0])
    above = np.minimum(above, np.maximum(end, 0) * width + lacked[1])
    under = np.minimum(np.maximum(-least, 0) * width, np.maximum(-start, 0) * width + risen[1])
    under = np.minimum(under, np.maximum(-end, 0) * width + lacked[0])
    # `signed` is all that lies above the axis less all below it.
    low = np.abs(signed)
    high = np.minimum(above + under, np.minimum(signed + 2 * under, 2 * above - signed))
    high = np.maximum(low, high)
    # Most bins that could hold a crossing hold none; signs that differ at the edges say that one is there.
    value = np.where(start * end < 0, np.clip(width * _under_line(start, end), low, high), low)
    crossing = (most > 0) & (least < 0) & wide
    value, high = np.where(crossing, value, low), np.where(crossing, high, low)
    totals = [float(part.sum()) for part in (value, low, high)]
    std = _spread(r)
    return ks, _in(totals, r.scale / r.unit), _in(totals, 1 / std) if std > 0 else None


def _in(totals: list[float], factor: float) -> Bounded | None:
    value, low, high = (t * factor for t in totals)
    return Bounded(value=value, low=low, high=high) if math.isfinite(value) else None


def _ends(r: NumberHistogram, c: NumberHistogram) -> tuple[Numbers, Numbers]:
    """Begin and end of each bin, scaled; the open ones reach to the outermost value of either side."""
    outer = [v for h in (r, c) for v in (h.low, h.high) if v is not None]
    edges = np.array(r.edges)
    first, last = min([*outer, *r.edges[:1]]), max([*outer, *r.edges[-1:]])
    return r.scaled(np.concatenate(([first], edges))), r.scaled(np.concatenate((edges, [last])))


def _under_line(start: Numbers, end: Numbers) -> Numbers:
    """Mean height, over a bin, of the absolute value of a line between two gaps of different signs."""
    total = np.abs(start) + np.abs(end)
    return np.asarray((start**2 + end**2) / (2 * np.where(total > 0, total, 1.0)))


def _spread(h: NumberHistogram) -> float:
    """Standard deviation of the finite values, scaled as they are."""
    n = sum(h.counts)
    if n == 0 or h.low == h.high:
        return 0.0
    return math.sqrt(max(h.squares / n - (sum(h.sums) / n) ** 2, 0.0))


def _categories(r: CategoryHistogram, c: CategoryHistogram) -> ColumnEstimate:
    counts = [np.array([*h.counts, h.missing, h.other], dtype=np.int64) for h in (r, c)]
    found = chi_squared(counts[0], counts[1])
    seen = np.flatnonzero(counts[0][:-2] + counts[1][:-2])
    z = None
    if len(seen) == 2 and r.other == c.other == 0:
        seen = seen[np.argsort(np.array(r.categories)[seen])]
        z = two_proportions(counts[0][seen], counts[1][seen])
    known = r.other == c.other == 0
    chi2 = chi2_p = None
    if found is not None:
        # Taking categories together makes the statistic smaller, and hides how many there are.
        chi2 = Bounded(value=found[0], low=found[0], high=found[0] if known else None)
        chi2_p = Bounded(value=found[1], low=found[1] if known else None, high=found[1] if known else None)
    return ColumnEstimate(
        column=r.column,
        kind="categorical",
        psi=_category_psi(counts[0], counts[1]),
        js=_category_js(counts[0], counts[1]),
        chi2=chi2,
        chi2_p=chi2_p,
        z=z[0] if z else None,
        z_p=z[1] if z else None,
        missing_reference=r.missing / max(r.present + r.missing, 1),
        missing_current=c.missing / max(c.present + c.missing, 1),
    )


def _category_psi(r: Counts, c: Counts) -> Bounded:
    """The last bin holds all other categories. Each adds at least nothing, and at most as if alone."""
    value = population_stability_index(r, c)
    others = [float(side[-1] / side.sum()) for side in (r, c)]
    if not any(others):
        return _exactly(value)
    a, b = (max(share, SHARE_FLOOR) for share in others)
    rest = max(value - (b - a) * math.log(b / a), 0.0)
    alone = sum((x - SHARE_FLOOR) * math.log(x / SHARE_FLOOR) for x in (a, b))
    return Bounded(value=value, low=rest, high=rest + alone)


def _category_js(r: Counts, c: Counts) -> Bounded:
    """Taking categories together makes it smaller; it is largest where the sides share no other category."""
    value = jensen_shannon_distance(r, c)
    a, b = float(r[-1] / r.sum()), float(c[-1] / c.sum())
    together = sum(x * math.log2(2 * x / (a + b)) for x in (a, b) if x > 0) / 2
    high = math.sqrt(min(max(value**2 - together + (a + b) / 2, value**2), 1.0))
    return Bounded(value=value, low=value, high=high)
