"""One column of two tables: what kind it is, its values or categories, and every statistic of it.

Promises: numbers and datetimes by `distances.sorting` or, where there are many, `distances.refining`, the
same to rounding. Leaves which statistic decides to `distances.decisions`, and tables to `drift`.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from distances.formulas import (
    Counts,
    Numbers,
    chi_squared,
    jensen_shannon_distance,
    population_stability_index,
    two_proportions,
)
from distances.refining import by_refining
from distances.sorting import NumberFigures, Ordered, Side, bin_counts, by_sorting, side_of
from distances.texts import Texts, compare_texts, word_psi

__all__ = [
    "ColumnFigures",
    "ReferenceColumn",
    "category_codes_of_both",
    "category_counts",
    "common_kind",
    "measure",
    "numbers",
    "numeric_psi",
    "text_psi",
]

REFINE_ROWS = 50_000  # of both sides together; below, sorting is faster (benchmarks/drift_tables.py)
NANOSECONDS = {"s": 1e9, "ms": 1e6, "us": 1e3, "ns": 1.0}
NANOSECONDS_A_DAY = 86_400e9

Kind = Literal["number", "time", "category"]


@dataclass(frozen=True)
class ColumnFigures:
    """Every statistic of one column but the KS p-value, which is looked up for all columns together.

    ks_rows: the effective number of rows n * m / (n + m) that it needs. wasserstein: in the column's unit;
    wasserstein_normed: in standard deviations of the reference. distinct: values on both sides together,
    None where a numeric column has more than a handful. Null is what does not fit the column.
    """

    numeric: bool
    psi: float
    js: float
    rows: tuple[int, int]
    missing: tuple[int, int]
    ks: float | None = None
    ks_rows: int = 0
    wasserstein: float | None = None
    wasserstein_normed: float | None = None
    chi2: tuple[float, float] | None = None
    z: tuple[float, float] | None = None
    distinct: int | None = None
    unknown: float | None = None
    is_text: bool = False


class ReferenceColumn:
    """A column that others are compared with, one or many: read and sorted once.

    is_text: its values are texts to be read word by word, not categories.
    """

    def __init__(self, column: pd.Series, *, is_text: bool = False) -> None:
        self.column = column
        self.is_text = is_text

    @cached_property
    def side(self) -> Side:
        """Its numbers; only of a column of numbers or times."""
        return side_of(numbers(self.column))

    @cached_property
    def ordered(self) -> Ordered:
        """The same, sorted."""
        return Ordered(self.side)

    @cached_property
    def texts(self) -> Texts:
        """Its texts, cut into words."""
        return Texts(self.column)


def measure(reference: ReferenceColumn, current: pd.Series) -> ColumnFigures:
    """Compare one column of two tables; neither is empty.

    Chi-squared is taken over categories, over the values of a number that has five or fewer, else over
    the quantile bins; missing values are a bin of their own there as in PSI and Jensen-Shannon. z needs
    two values and leaves missing ones out. Of texts KS and Wasserstein are those of their numbers of words.
    """
    if reference.is_text:
        return _measure_texts(reference, current)
    kind = common_kind(reference.column, current)
    if kind == "category":
        return _measure_categories(reference.column, current)
    unit = 1.0 if kind == "number" else NANOSECONDS_A_DAY
    r, c = reference.side, side_of(numbers(current))
    found = _counted(reference, c)
    chi2, z = None, None
    if found.distinct is None:
        chi2 = chi_squared(*found.bins)
    else:
        by_value = [np.append(k, side.missing) for k, side in zip(found.distinct, (r, c), strict=True)]
        chi2 = chi_squared(by_value[0], by_value[1])
        z = two_proportions(*found.distinct) if len(found.distinct[0]) == 2 else None
    distance = found.wasserstein
    return ColumnFigures(
        numeric=True,
        psi=population_stability_index(*found.bins),
        js=jensen_shannon_distance(*found.bins),
        rows=(r.present + r.missing, c.present + c.missing),
        missing=(r.missing, c.missing),
        ks=found.ks,
        # SciPy rounds the effective number of rows as well; with one row a side it rounds to none.
        ks_rows=round(r.present * c.present / (r.present + c.present)) if found.ks is not None else 0,
        wasserstein=None if distance is None else distance / unit,
        wasserstein_normed=distance / found.spread if distance is not None and found.spread > 0 else None,
        chi2=chi2,
        z=z,
        distinct=None if found.distinct is None else len(found.distinct[0]),
    )


def numeric_psi(reference: ReferenceColumn, current: Numbers) -> float:
    """PSI of float64 (m,) against a column of numbers, as `measure` has it."""
    bins = bin_counts(Ordered(side_of(current)).side, reference.ordered.cuts)
    return population_stability_index(reference.ordered.bins, bins)


def text_psi(reference: ReferenceColumn, current: pd.Series) -> float:
    """PSI of texts (m,) against a column of texts, as `measure` has it."""
    return word_psi(reference.texts, Texts(current))


def _measure_texts(reference: ReferenceColumn, current: pd.Series) -> ColumnFigures:
    r, c = reference.texts, Texts(current)
    found = compare_texts(r, c)
    lengths = by_sorting(Ordered(side_of(r.lengths)), Ordered(side_of(c.lengths)))
    distance, present = lengths.wasserstein, (len(r.words), len(c.words))
    return ColumnFigures(
        numeric=False,
        psi=found.psi,
        js=found.js,
        rows=(len(reference.column), len(current)),
        missing=(int(reference.column.isna().sum()), int(current.isna().sum())),
        ks=lengths.ks,
        ks_rows=round(present[0] * present[1] / sum(present)) if lengths.ks is not None else 0,
        wasserstein=distance,
        wasserstein_normed=distance / lengths.spread if distance is not None and lengths.spread > 0 else None,
        chi2=found.chi2,
        unknown=found.unknown,
        is_text=True,
    )


def _counted(reference: ReferenceColumn, c: Side) -> NumberFigures:
    if len(reference.side.values) + len(c.values) >= REFINE_ROWS:
        refined = by_refining(reference.side, c)
        if refined is not None:
            return refined
    return by_sorting(reference.ordered, Ordered(c))


def _measure_categories(reference: pd.Series, current: pd.Series) -> ColumnFigures:
    (r, r_missing), (c, c_missing) = category_counts(reference), category_counts(current)
    keys = list(dict.fromkeys((*r, *c)))
    r_counts = np.array([*(r.get(k, 0) for k in keys), r_missing], dtype=np.int64)
    c_counts = np.array([*(c.get(k, 0) for k in keys), c_missing], dtype=np.int64)
    binary = len(keys) == 2
    order = np.argsort(np.array(keys)) if binary else np.arange(0)
    return ColumnFigures(
        numeric=False,
        psi=population_stability_index(r_counts, c_counts),
        js=jensen_shannon_distance(r_counts, c_counts),
        rows=(len(reference), len(current)),
        missing=(r_missing, c_missing),
        chi2=chi_squared(r_counts, c_counts),
        z=two_proportions(r_counts[order], c_counts[order]) if binary else None,
        distinct=len(keys),
    )


def _kind(column: pd.Series) -> Kind:
    dtype = column.dtype
    if pd.api.types.is_datetime64_any_dtype(dtype) or pd.api.types.is_timedelta64_dtype(dtype):
        return "time"
    number = pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)
    return "number" if number and not pd.api.types.is_complex_dtype(dtype) else "category"


def common_kind(reference: pd.Series, current: pd.Series) -> Kind:
    """The kind both sides share; a side without any value takes the other's."""
    r, c = _kind(reference), _kind(current)
    if r == c or bool(current.isna().all()):
        return r
    return c if bool(reference.isna().all()) else "category"


def numbers(column: pd.Series) -> Numbers:
    """float64 (n,), NaN where missing; times in nanoseconds. Perhaps the column's own memory."""
    kind = _kind(column)
    if kind == "category":  # only a side without any value comes here
        return np.full(len(column), np.nan)
    values: Numbers
    if kind == "number":
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return np.ascontiguousarray(values)
    index = pd.Index(column)
    # Not converted by pandas: years beyond 2262 overflow its nanoseconds.
    values = index.asi8.astype(np.float64) * NANOSECONDS[index.unit]
    values[index.isna()] = np.nan
    return values


def category_counts(column: pd.Series) -> tuple[dict[str, int], int]:
    """Rows of each category that occurs, by its text, and how many rows are missing."""
    codes, categories = _codes(column)
    missing = int(np.count_nonzero(codes < 0))
    present = np.bincount(codes[codes >= 0] if missing else codes, minlength=len(categories))
    counts: dict[str, int] = {}
    for category, rows in zip(categories, present.tolist(), strict=True):
        if rows:
            text = _text(category)
            counts[text] = counts.get(text, 0) + rows
    return counts, missing


def _codes(column: pd.Series) -> tuple[Counts, list[Hashable]]:
    """Each row's category as a number, -1 where missing, and the categories; some may have no row."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return np.asarray(column.cat.codes, dtype=np.int64), list(column.cat.categories)
    try:
        codes, categories = pd.factorize(column)
    except TypeError:  # lists and the like cannot be hashed
        codes, categories = pd.factorize(column.map(str, na_action="ignore"))
    return np.asarray(codes, dtype=np.int64), list(categories)


def _text(category: object) -> str:
    """One text for one category: True, 1 and 1.0 are the same, as they are to a model."""
    if isinstance(category, bool | int | np.bool_ | np.integer):
        return str(int(category))
    if isinstance(category, float | np.floating) and float(category).is_integer():
        return str(int(category))
    return str(category)


def category_codes_of_both(reference: pd.Series, current: pd.Series, most: int) -> Numbers:
    """One number for one category on both sides (n + m,), NaN where missing, the commonest first.

    Categories beyond the `most` - 1 commonest share the last number.
    """
    texts: list[npt.NDArray[np.object_]] = []
    totals: dict[str, int] = {}
    for column in (reference, current):
        codes, categories = _codes(column)
        named = np.array([*(_text(category) for category in categories), None], dtype=object)
        texts.append(named[codes])
        for text, rows in category_counts(column)[0].items():
            totals[text] = totals.get(text, 0) + rows
    ranked = sorted(totals, key=lambda text: (-totals[text], text))
    numbers_of: dict[str | None, float] = {text: min(i, most - 1) for i, text in enumerate(ranked)}
    numbers_of[None] = np.nan
    return np.array([numbers_of[text] for side in texts for text in side.tolist()], dtype=np.float64)
