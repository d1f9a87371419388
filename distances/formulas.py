"""Formulas that compare two histograms or judge a distance: PSI, Jensen-Shannon, chi-squared, z, p-values.

Promises: Jensen-Shannon, chi-squared, the asymptotic KS p-value and Benjamini-Hochberg equal SciPy's, PSI
its definition. Leaves counting to `distances.sorting`, `distances.refining` and `distances.columns`.
"""

import math

import numpy as np
import numpy.typing as npt
from scipy.special import chdtrc, rel_entr
from scipy.stats import distributions

__all__ = [
    "Counts",
    "Numbers",
    "benjamini_hochberg",
    "chi_squared",
    "jensen_shannon_distance",
    "kolmogorov_p",
    "population_stability_index",
    "spread",
    "two_proportions",
]

Numbers = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

SHARE_FLOOR = 1e-4  # an empty bin of 10,000 rows; keeps the PSI finite
# Where SciPy takes Kolmogorov's p as twice Smirnov's: n * d * d at which it begins, and at which p is 0.
SMIRNOV_FROM, NO_P_FROM = 2.2, 370.0
SMIRNOV_TERMS = 4000
LONG_SUM = (20_000, 1_000_000)  # effective rows at which SciPy would sum as many terms; beyond it estimates


def population_stability_index(reference: Counts, current: Counts) -> float:
    """PSI of two histograms over the same bins; 0 = same, >= 0.2 is read as a major shift.

    sum((c - r) * ln(c / r)) over bins, shares floored at 1e-4 so that an empty bin is finite.
    Symmetric. Source: Siddiqi, Credit Risk Scorecards (2006).

    >>> population_stability_index(np.array([50, 50]), np.array([50, 50]))
    0.0
    >>> round(population_stability_index(np.array([50, 50]), np.array([80, 20])), 4)
    0.4159
    """
    r = np.maximum(reference / reference.sum(), SHARE_FLOOR)
    c = np.maximum(current / current.sum(), SHARE_FLOOR)
    return float(np.sum((c - r) * np.log(c / r)))


def jensen_shannon_distance(reference: Counts, current: Counts) -> float:
    """Distance of two histograms over the same bins, 0 (same) to 1 (nothing in common).

    Equals scipy.spatial.distance.jensenshannon(reference, current, base=2).

    >>> jensen_shannon_distance(np.array([1, 0]), np.array([0, 1]))
    1.0
    """
    r, c = reference / reference.sum(), current / current.sum()
    middle = (r + c) / 2
    divergence = float(rel_entr(r, middle).sum() + rel_entr(c, middle).sum()) / 2 / np.log(2)
    return float(np.sqrt(max(divergence, 0.0)))


def chi_squared(reference: Counts, current: Counts) -> tuple[float, float] | None:
    """Pearson's statistic and p-value that both histograms are drawn from one distribution.

    Bins that are empty on both sides are left out; None where fewer than two are left. Equals
    scipy.stats.chi2_contingency([reference, current], correction=False).
    """
    seen = reference + current > 0
    if np.count_nonzero(seen) < 2:
        return None
    r, c = reference[seen].astype(np.float64), current[seen].astype(np.float64)
    share = r.sum() / (r.sum() + c.sum())
    expected = (r + c) * share
    # The current side deviates by the same amount, from (r + c) * (1 - share).
    statistic = float(np.sum((r - expected) ** 2 / expected) / (1 - share))
    return statistic, float(chdtrc(len(r) - 1, statistic))


def two_proportions(reference: Counts, current: Counts) -> tuple[float, float] | None:
    """z and two-sided p-value that a binary column's second value has the same share on both sides.

    Counts of the first and the second value; the variance is pooled, so that z * z is Pearson's
    chi-squared of the same four counts. z > 0: the share grew. None where one value alone was seen.
    """
    n, m = int(reference.sum()), int(current.sum())
    pooled = int(reference[1] + current[1]) / (n + m)
    if n == 0 or m == 0 or pooled in (0.0, 1.0):
        return None
    z = (current[1] / m - reference[1] / n) / math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    return float(z), math.erfc(abs(float(z)) / math.sqrt(2))


def kolmogorov_p(statistics: npt.ArrayLike, rows: npt.ArrayLike) -> Numbers:
    """p-values of two-sample KS statistics, `rows` being the effective number of rows n * m / (n + m).

    Equals scipy.stats.ks_2samp(method="asymp"), which rounds the effective number as well. Small values of
    many rows are summed here, because SciPy's sum of `rows` terms takes a quarter of a second for a million.
    """
    d = np.asarray(statistics, dtype=np.float64)
    n = np.round(np.asarray(rows, dtype=np.float64))
    p = np.empty(len(d))
    square = n * d * d
    long = (n >= LONG_SUM[0]) & (n <= LONG_SUM[1]) & (square >= SMIRNOV_FROM) & (square < NO_P_FROM)
    long &= d < 0.5
    p[~long] = distributions.kstwo.sf(d[~long], n[~long])
    p[long] = [_smirnov_p(x, k) for x, k in zip(d[long].tolist(), n[long].tolist(), strict=True)]
    return np.clip(p, 0.0, 1.0)


def _smirnov_p(d: float, n: float) -> float:
    """Twice Smirnov's one-sided probability, the sum over j of d / (d + j / n) times the binomial probability
    of j out of n at d + j / n.

    The terms change so slowly in j that a few thousand of them, evenly spaced, have the same mean to
    rounding. Logarithms as in Loader (2000), Fast and accurate computation of binomial probabilities.
    """
    step = n / SMIRNOV_TERMS
    j = (np.arange(SMIRNOV_TERMS) + 0.5) * step
    j = j[j < n * (1 - d) - step]  # the terms beyond vanish, as do the first
    rest = n - j
    deviance = -j * np.log1p(n * d / j) - rest * np.log1p(-n * d / rest)
    stirling = (1 / n - 1 / j - 1 / rest) / 12 - (n**-3 - j**-3 - rest**-3) / 360
    terms = d / (d + j / n) * np.sqrt(n / (2 * np.pi * j * rest)) * np.exp(stirling - deviance)
    return 2 * step * float(terms.sum())


def benjamini_hochberg(p_values: npt.ArrayLike) -> Numbers:
    """p-values adjusted for their number, so that p <= q keeps the expected share of false alarms to q.

    Equals scipy.stats.false_discovery_control. Source: Benjamini and Hochberg (1995).

    >>> benjamini_hochberg([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.04, 0.04]
    """
    p = np.asarray(p_values, dtype=np.float64)
    descending = np.argsort(-p, kind="stable")
    adjusted = np.empty_like(p)
    ranks = np.arange(len(p), 0, -1)
    adjusted[descending] = np.minimum.accumulate(np.minimum(p[descending] * len(p) / ranks, 1.0))
    return adjusted


def spread(values: Numbers) -> float:
    """Population standard deviation of the finite values; exactly 0 where they are all the same."""
    finite = values[np.isfinite(values)]
    if len(finite) == 0 or finite.min() == finite.max():
        return 0.0
    scale = float(np.abs(finite).max())  # keeps the squares of huge values finite
    return float(np.std(finite / scale)) * scale
