"""What columns of numbers look like, many at once: range, quantiles, and the kind of their distribution.

Promises: pure, the same for a column alone as among others, and fast enough for a table of 10,000 columns.
Leaves types and bounds to `schema_utils`.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from records.schema import Distribution
from rows.blocks import number_blocks

__all__ = ["QUANTILES", "number_figures", "numbers_of_columns", "quantiles_of", "shapes_of"]

QUANTILES = 101
MIN_FOR_QUANTILES = 30  # below, a fitted shape says more than the few values
ENOUGH_FOR_A_SHAPE = 30  # rows below which skewness and kurtosis say nothing

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def numbers_of_columns(frame: pd.DataFrame, quantiles: bool) -> dict[int, tuple[float, dict[str, Any]]]:
    """By position, of each column of NumPy's floats and integers: the share missing, and its figures."""
    found: dict[int, tuple[float, dict[str, Any]]] = {}
    for positions, columns, dtype in number_blocks(frame):
        gaps = np.isnan(columns)
        missing = gaps.mean(axis=1)
        integer: Bools = np.full(len(columns), dtype.kind != "f")
        holes = missing > 0
        if dtype.kind == "f" and holes.any():
            # NumPy has no missing integer: pandas turns whole numbers with holes into floats.
            with_holes = columns[holes]
            integer[holes] = ((with_holes == np.rint(with_holes)) | gaps[holes]).all(axis=1)
        figures = number_figures(columns, integer, quantiles)
        found |= dict(zip(positions, zip(missing.tolist(), figures, strict=True), strict=True))
    return found


def number_figures(columns: Floats, integer: Bools, quantiles: bool = False) -> list[dict[str, Any]]:
    """Range, mean, population std and shape of the finite values of each row of `columns`; {} without any.

    columns: (columns, values), in one piece. integer: (columns,), which of them hold whole numbers only.
    """
    finite = np.isfinite(columns)
    counts = finite.sum(axis=1)
    found: list[dict[str, Any]] = [{}] * len(columns)
    for count in np.unique(counts[counts > 0]).tolist():  # those with as many values make one array
        places = np.flatnonzero(counts == count)
        values = columns if len(places) == len(columns) else columns[places]
        if count < columns.shape[1]:
            values = values[finite[places]].reshape(len(places), count)
        told = _figures(values, integer[places], quantiles)
        for place, figures in zip(places.tolist(), told, strict=True):
            found[place] = figures
    return found


def shapes_of(columns: Floats) -> list[Distribution]:
    """normal, lognormal or uniform, by the moments of each row of `columns` (columns, values), all finite.

    lognormal: all above 0, skewness above 1, and the logarithms less skewed than the values.
    uniform: skewness within 0.3 and excess kurtosis between -1.4 and -1 (uniform: -1.2, normal: 0, two
    heaps: -2). Else normal; also below ENOUGH_FOR_A_SHAPE values.
    """
    found: list[Distribution] = ["normal"] * len(columns)
    if columns.shape[1] < ENOUGH_FOR_A_SHAPE or not len(columns):
        return found
    skewness, kurtosis = _moments(columns)
    for place in np.flatnonzero((abs(skewness) < 0.3) & (kurtosis > -1.4) & (kurtosis < -1)).tolist():
        found[place] = "uniform"
    above = np.flatnonzero((columns.min(axis=1) > 0) & (skewness > 1))
    less = np.abs(_moments(np.log(columns[above]))[0]) < skewness[above]
    for place in above[less].tolist():
        found[place] = "lognormal"
    return found


def quantiles_of(values: Floats) -> tuple[float, ...] | None:
    """The finite values' own quantiles at whole percents; None for few values, and for too far ones.

    Values that occur, not means of two: a value that many rows have stays exactly that.
    """
    if len(values) < MIN_FOR_QUANTILES or not math.isfinite(float(values.max()) - float(values.min())):
        return None
    shares = np.linspace(0, 1, QUANTILES)
    return tuple(np.quantile(values, shares, method="inverted_cdf").tolist())


def _figures(values: Floats, integer: Bools, quantiles: bool) -> Iterator[dict[str, Any]]:
    with np.errstate(over="ignore", invalid="ignore"):  # values near 1e308 square to infinity: no std then
        lows, highs, means, stds = (f(values, axis=1) for f in (np.min, np.max, np.mean, np.std))
        whole = integer & (np.maximum(-lows, highs) <= 2**53)
        shaped = ~(whole & (highs - lows < 10))
    shapes = iter(shapes_of(values if shaped.all() else values[shaped]))
    figures = zip(*(each.tolist() for each in (lows, highs, means, stds, whole, shaped)), strict=True)
    for place, (low, high, mean, std, is_whole, has_shape) in enumerate(figures):
        yield {
            "type": "integer" if is_whole else "number",
            "min": low,
            "max": high,
            "mean": min(max(mean, low), high),  # rounding can carry the mean of equal values past them
            "std": std,
            "quantiles": quantiles_of(values[place]) if quantiles else None,
            **({"distribution": next(shapes)} if has_shape else {}),
        }


def _moments(columns: Floats) -> tuple[Floats, Floats]:
    """Skewness and excess kurtosis, as scipy.stats.skew and kurtosis; 0 for values all alike."""
    with np.errstate(all="ignore"):
        z = (columns - columns.mean(axis=1, keepdims=True)) / columns.std(axis=1, keepdims=True)
        squares = z * z  # a power of 3 or 4 takes ten times as long
        skewness, kurtosis = np.mean(squares * z, axis=1), np.mean(squares * squares, axis=1) - 3
    told = np.isfinite(skewness) & np.isfinite(kurtosis)
    return np.where(told, skewness, 0.0), np.where(told, kurtosis, 0.0)
