"""Drift: compare distributions column by column; the types of simulated drift live here too.

Promises: KS, Wasserstein and Jensen-Shannon equal SciPy's, PSI its definition. Leaves simulating
shifts and asking the model to `drift_simulation`, and verdicts to `checks`.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field

from errors import InvalidInput
from records import Figure, Record

__all__ = [
    "BreakingPoint",
    "ColumnDrift",
    "Distances",
    "DriftAnalysis",
    "DriftPlan",
    "DriftReport",
    "Scenario",
    "ScenarioKind",
    "ScenarioPlan",
    "compare",
    "jensen_shannon_distance",
    "kolmogorov_smirnov",
    "population_stability_index",
    "spread",
    "wasserstein_distance",
]

Numbers = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

QUANTILE_BINS = 10
SHARE_FLOOR = 1e-4  # an empty bin of 10,000 rows; keeps the PSI finite
PARALLEL_CELLS = 4_000_000  # below, starting threads costs more than it saves
MAX_THREADS = 4
NANOSECONDS = {"s": 1e9, "ms": 1e6, "us": 1e3, "ns": 1.0}
NANOSECONDS_A_DAY = 86_400e9

ScenarioKind = Literal["mean_shift", "variance_scale", "missing_values", "unseen_category", "category_mix"]


class ScenarioPlan(Record):
    """One simulated shift. `features` empty means every feature that the kind applies to.

    magnitude: standard deviations (mean_shift), factor (variance_scale), share of rows (the others; for
    category_mix the rows that take the rarest category).
    """

    kind: ScenarioKind
    magnitude: float = Field(gt=0, le=1000)
    features: tuple[str, ...] = ()


DEFAULT_SCENARIOS = (
    ScenarioPlan(kind="mean_shift", magnitude=0.5),
    ScenarioPlan(kind="mean_shift", magnitude=1.0),
    ScenarioPlan(kind="variance_scale", magnitude=2.0),
    ScenarioPlan(kind="missing_values", magnitude=0.1),
    ScenarioPlan(kind="unseen_category", magnitude=0.1),
    ScenarioPlan(kind="category_mix", magnitude=0.5),
)


class DriftPlan(Record):
    """Which shifts to simulate, and from which share of changed answers a feature counts as broken."""

    scenarios: tuple[ScenarioPlan, ...] = Field(DEFAULT_SCENARIOS, max_length=100)
    changed_limit: float = Field(0.1, gt=0, le=1)
    breaking_points: bool = True
    budget_s: float = Field(2.0, gt=0, le=600, description="Seconds for the breaking points.")


class ColumnDrift(Record):
    """Distances of one column, current against reference. A statistic that does not fit is null."""

    column: str
    kind: Literal["numeric", "categorical"]
    psi: Figure
    ks: Figure = None
    ks_p: Figure = None
    wasserstein: Figure = None
    js: Figure = None
    missing_reference: float = 0.0
    missing_current: float = 0.0


class DriftReport(Record):
    """One entry a column, in the reference's order."""

    columns: tuple[ColumnDrift, ...]
    rows_reference: int
    rows_current: int


class Distances(Record):
    """The largest distance over the columns concerned, and the column that has the largest PSI."""

    psi: Figure = None
    ks: Figure = None
    wasserstein: Figure = None  # in standard deviations of the reference column, so that columns compare
    js: Figure = None
    column: str | None = None


class Scenario(Record):
    """One shift as it was simulated, and what it did to inputs and answers.

    changed_share: share of rows whose answer changed: another class, or for numbers a change of more
    than `changed_tolerance` (a tenth of the reference predictions' standard deviation).
    failed_share: share of rows that could no longer be answered at all.
    """

    kind: ScenarioKind
    features: tuple[str, ...]
    magnitude: float
    input: Distances
    prediction: Distances
    changed_share: Figure
    failed_share: float = 0.0
    reason: str | None = None


class BreakingPoint(Record):
    """The smallest shift of one feature at which more than the plan's share of answers change.

    magnitude: standard deviations, the midpoint of `interval`; null when even the largest shift tried
    did not reach the limit (`searched_to`). psi: the PSI that this shift makes on the feature.
    """

    feature: str
    kind: ScenarioKind
    magnitude: Figure
    psi: Figure
    interval: tuple[float, float] | None
    searched_to: float


class DriftAnalysis(Record):
    """The report's `drift` section."""

    scenarios: tuple[Scenario, ...]
    breaking_points: tuple[BreakingPoint, ...] = ()
    changed_tolerance: Figure = None
    columns: tuple[ColumnDrift, ...] = ()  # every column under the strongest simulated scenario
    columns_scenario: str | None = None
    notes: tuple[str, ...] = ()


def compare(reference: pd.DataFrame, current: pd.DataFrame) -> DriftReport:
    """Distances of every column of `current` (m rows) against `reference` (n rows).

    Numbers and datetimes get KS with its asymptotic p, Wasserstein (datetimes: in days), PSI and
    Jensen-Shannon over ten quantile bins of the reference; text, categories and booleans get PSI and
    Jensen-Shannon over their categories. Missing values are a bin of their own, and are left out of
    KS and Wasserstein. Infinities count in the end bins and in KS; Wasserstein is then null.
    A column that is numeric on one side only is compared as categories.

    Raises InvalidInput for an empty table and for columns that one side lacks.
    """
    names = _common_columns(reference, current)
    cells = (len(reference) + len(current)) * len(names)
    threads = min(MAX_THREADS, os.cpu_count() or 1) if cells >= PARALLEL_CELLS else 1

    def measure(name: object) -> _Measured:
        return _measure(str(name), reference[name], current[name])

    if threads == 1:
        measured = [measure(name) for name in names]
    else:  # numpy's sort and search release the interpreter lock
        with ThreadPoolExecutor(threads) as pool:
            measured = list(pool.map(measure, names))
    return DriftReport(
        columns=_with_p_values(measured), rows_reference=len(reference), rows_current=len(current)
    )


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
    from scipy.special import rel_entr  # slow to import, and the web process never comes here

    r, c = reference / reference.sum(), current / current.sum()
    middle = (r + c) / 2
    divergence = float(rel_entr(r, middle).sum() + rel_entr(c, middle).sum()) / 2 / np.log(2)
    return float(np.sqrt(max(divergence, 0.0)))


def kolmogorov_smirnov(reference: Numbers, current: Numbers) -> float:
    """Largest gap between the two empirical distribution functions; both sides sorted, without NaN.

    The gap is widest either at one of the reference's values or just below one, so the current side
    is searched at those alone. Equals scipy.stats.ks_2samp's statistic.
    """
    n, m = len(reference), len(current)
    at = np.searchsorted(reference, reference, "right") / n
    at -= np.searchsorted(current, reference, "right") / m
    below = np.searchsorted(current, reference, "left") / m
    below -= np.searchsorted(reference, reference, "left") / n
    return float(max(at.max(), below.max(), 0.0))


def wasserstein_distance(reference: Numbers, current: Numbers) -> float:
    """Area between the two distribution functions, in the column's unit; both sides sorted, without NaN.

    Infinite or NaN where values are infinite. Equals scipy.stats.wasserstein_distance.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if len(reference) == len(current):  # sorted values pair off one to one
            return float(np.mean(np.abs(reference - current)))
        both = np.concatenate((reference, current))
        both.sort(kind="stable")  # merges the two sorted runs in linear time
        steps, at = np.diff(both), both[:-1]
        gap = np.searchsorted(reference, at, "right") / len(reference)
        gap -= np.searchsorted(current, at, "right") / len(current)
        return float(np.dot(np.abs(gap), steps))


def spread(values: Numbers) -> float:
    """Population standard deviation of the finite values; exactly 0 where they are all the same."""
    finite = values[np.isfinite(values)]
    if len(finite) == 0 or finite.min() == finite.max():
        return 0.0
    scale = float(np.abs(finite).max())  # keeps the squares of huge values finite
    return float(np.std(finite / scale)) * scale


@dataclass(frozen=True)
class _Measured:
    """A column without its p-value, and the effective number of rows that the p-value needs."""

    drift: ColumnDrift
    ks_rows: int = 0


def _common_columns(reference: pd.DataFrame, current: pd.DataFrame) -> list[object]:
    for side, frame in (("reference", reference), ("current", current)):
        if frame.shape[0] == 0 or frame.shape[1] == 0:
            raise InvalidInput(
                f"The {side} table is empty, so there is nothing to compare.",
                hint="Give both tables at least one row and one column.",
            )
        if not frame.columns.is_unique:
            twice = sorted({str(c) for c in frame.columns[frame.columns.duplicated()]})
            raise InvalidInput(
                f"The {side} table has more than one column named {', '.join(twice)}.",
                hint="Give every column a name of its own.",
            )
    for side, lacking, other in (("reference", reference, current), ("current", current, reference)):
        missing = [str(c) for c in other.columns if c not in lacking.columns]
        if missing:
            raise InvalidInput(
                f"The {side} table lacks {', '.join(missing)}.",
                hint="Compare tables that have the same columns.",
            )
    return list(reference.columns)


def _measure(name: str, reference: pd.Series, current: pd.Series) -> _Measured:
    kind = _common_kind(reference, current)
    if kind == "category":
        return _measure_categories(name, reference, current)
    unit = 1.0 if kind == "number" else NANOSECONDS_A_DAY
    r, r_missing = _sorted_numbers(reference)
    c, c_missing = _sorted_numbers(current)
    cuts = _quantile_cuts(r)
    r_counts, c_counts = _bin_counts(r, r_missing, cuts), _bin_counts(c, c_missing, cuts)
    both = len(r) > 0 and len(c) > 0
    drift = ColumnDrift(
        column=name,
        kind="numeric",
        psi=population_stability_index(r_counts, c_counts),
        ks=kolmogorov_smirnov(r, c) if both else None,
        wasserstein=wasserstein_distance(r, c) / unit if both else None,
        js=jensen_shannon_distance(r_counts, c_counts),
        missing_reference=r_missing / len(reference),
        missing_current=c_missing / len(current),
    )
    # SciPy rounds the effective number of rows as well; with one row a side it rounds to none.
    return _Measured(drift, round(len(r) * len(c) / (len(r) + len(c))) if both else 0)


def _measure_categories(name: str, reference: pd.Series, current: pd.Series) -> _Measured:
    r, c = _category_counts(reference), _category_counts(current)
    keys = list(dict.fromkeys((*r, *c)))
    r_counts = np.array([r.get(k, 0) for k in keys], dtype=np.int64)
    c_counts = np.array([c.get(k, 0) for k in keys], dtype=np.int64)
    return _Measured(
        ColumnDrift(
            column=name,
            kind="categorical",
            psi=population_stability_index(r_counts, c_counts),
            js=jensen_shannon_distance(r_counts, c_counts),
            missing_reference=r.get(None, 0) / len(reference),
            missing_current=c.get(None, 0) / len(current),
        )
    )


def _with_p_values(measured: Sequence[_Measured]) -> tuple[ColumnDrift, ...]:
    """All p-values in one call: SciPy's overhead a call is larger than a thousand rows' sort."""
    tested = [m for m in measured if m.ks_rows > 0 and m.drift.ks is not None]
    if not tested:
        return tuple(m.drift for m in measured)
    from scipy.stats import distributions  # slow to import, and the web process never comes here

    statistics = np.array([m.drift.ks for m in tested], dtype=np.float64)
    rows = np.array([m.ks_rows for m in tested], dtype=np.float64)
    p_values = np.clip(distributions.kstwo.sf(statistics, rows), 0.0, 1.0)
    by_column = {m.drift.column: float(p) for m, p in zip(tested, p_values, strict=True)}
    return tuple(m.drift.model_copy(update={"ks_p": by_column.get(m.drift.column)}) for m in measured)


def _kind(column: pd.Series) -> Literal["number", "time", "category"]:
    dtype = column.dtype
    if pd.api.types.is_datetime64_any_dtype(dtype) or pd.api.types.is_timedelta64_dtype(dtype):
        return "time"
    number = pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)
    return "number" if number and not pd.api.types.is_complex_dtype(dtype) else "category"


def _common_kind(reference: pd.Series, current: pd.Series) -> Literal["number", "time", "category"]:
    """The kind both sides share; a side without any value takes the other's."""
    r, c = _kind(reference), _kind(current)
    if r == c or bool(current.isna().all()):
        return r
    return c if bool(reference.isna().all()) else "category"


def _numbers(column: pd.Series) -> Numbers:
    """float64 (n,), NaN where missing; times in nanoseconds."""
    kind = _kind(column)
    if kind == "category":  # only a side without any value comes here
        return np.full(len(column), np.nan)
    values: Numbers
    if kind == "number":
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return values
    index = pd.Index(column)
    # Not converted by pandas: years beyond 2262 overflow its nanoseconds.
    values = index.asi8.astype(np.float64) * NANOSECONDS[index.unit]
    values[index.isna()] = np.nan
    return values


def _sorted_numbers(column: pd.Series) -> tuple[Numbers, int]:
    """The present values in ascending order, and how many are missing (NaN sorts last)."""
    values = np.sort(_numbers(column))
    present = int(np.searchsorted(values, np.nan, "left"))
    return values[:present], len(values) - present


@dataclass(frozen=True)
class _Cuts:
    """Where bins begin. A value that holds two quantiles or more is an atom and gets its own bin."""

    edges: Numbers
    atoms: Numbers


def _quantile_cuts(reference: Numbers) -> _Cuts:
    """Edges of ten bins with equal shares of the finite values of the sorted `reference`."""
    finite = reference[np.isfinite(reference)]
    if len(finite) == 0:
        return _Cuts(finite, finite)
    # NumPy's positions and interpolation, so that a value lying on an edge falls as in np.quantile.
    position = np.linspace(0, 1, QUANTILE_BINS + 1) * (len(finite) - 1)
    below = np.floor(position).astype(np.int64)
    low, high = finite[below], finite[np.minimum(below + 1, len(finite) - 1)]
    share = position - below
    with np.errstate(over="ignore", invalid="ignore"):
        step = high - low
        quantiles = np.where(share < 0.5, low + step * share, high - step * (1 - share))
    huge = ~np.isfinite(step)  # the difference overflowed
    quantiles[huge] = (low * (1 - share) + high * share)[huge]
    edges, held = np.unique(quantiles, return_counts=True)
    inner = (held > 1) | ((edges > quantiles[0]) & (edges < quantiles[-1]))
    return _Cuts(edges[inner], edges[held > 1])


def _bin_counts(ordered: Numbers, missing: int, cuts: _Cuts) -> Counts:
    """Rows a bin, the missing ones last; bins are closed on the left, the end bins are open-ended."""
    starts = np.concatenate(
        (np.searchsorted(ordered, cuts.edges, "left"), np.searchsorted(ordered, cuts.atoms, "right"))
    )
    starts.sort()
    counts = np.diff(starts, prepend=0, append=len(ordered))
    return np.append(counts, missing).astype(np.int64)


def _category_counts(column: pd.Series) -> dict[str | None, int]:
    """Rows of each category, by its text; missing under None."""
    try:
        codes, categories = pd.factorize(column)
    except TypeError:  # lists and the like cannot be hashed
        codes, categories = pd.factorize(column.map(str, na_action="ignore"))
    counts: dict[str | None, int] = {None: int(np.count_nonzero(codes < 0))}
    present = np.bincount(codes[codes >= 0], minlength=len(categories))
    for category, rows in zip(categories, present.tolist(), strict=True):
        text = _text(category)
        counts[text] = counts.get(text, 0) + rows
    return counts


def _text(category: object) -> str:
    """One text for one category: True, 1 and 1.0 are the same, as they are to a model."""
    if isinstance(category, bool | int | np.bool_ | np.integer):
        return str(int(category))
    if isinstance(category, float | np.floating) and float(category).is_integer():
        return str(int(category))
    return str(category)
