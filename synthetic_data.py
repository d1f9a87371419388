"""Rows from a schema: seeded, columnar, within the bounds.

Promises: the same schema and seed give the same rows everywhere; changing one feature changes no
other; fewer rows are the first rows of more. Leaves how columns hang together to `rows.joint`, and
shifting and breaking rows to `drift` and `robustness.examination`.
"""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtr, ndtri

from errors import InvalidPlan
from interruption import check, in_one_piece
from records.schema import FieldSpec, Schema
from rows.joint import Joint
from rows.one_hot import chosen_members, groups_of
from schema_utils import check_complete

__all__ = ["MAX_ROWS", "SyntheticData", "generate"]

Floats = npt.NDArray[np.float64]

MAX_ROWS = 1_000_000
MANY_COLUMNS = 500  # fewer are left where they were drawn, which saves the memory of a second table
FIRST_DAY = "2024-01-01"  # of a datetime without bounds; fixed, so that a seed means the same next year
DEFAULT_SPAN = timedelta(days=366)
FIT_STEPS = 60  # of the truncated normal; it is within 1 % after about ten where a fit exists


@dataclass(frozen=True)
class SyntheticData:
    """Generated rows: `frame` has one column a feature, in the schema's order, and a RangeIndex.

    dtypes: number float64; integer int64, float64 when values are missing; boolean bool, object (True,
    False, NaN) when missing; category str for texts, int64 or float64 for numbers, object for a mixture;
    datetime datetime64[us], in UTC when the bounds carry an offset. Missing is NaN or NaT, as pandas
    reads it from a CSV.
    """

    frame: pd.DataFrame
    schema: Schema
    seed: int


def generate(schema: Schema, rows: int, seed: int, joint: Joint | None = None) -> SyntheticData:
    """`rows` rows (1 to MAX_ROWS) drawn from the schema, each feature independent of the others.

    With a `joint`, features that it names hang together as its example rows do; each still follows its
    own distribution of the schema, and which values are missing stays independent. Of features of one group
    at most one is 1 in a row.

    Every value is drawn by inverting the distribution's cumulative function, so bounds cut it off
    (a truncated distribution) and nothing piles up at them. Each feature has its own stream, seeded
    by `seed` and its name. Raises InvalidPlan for a row count or seed out of range, InvalidSchema for
    a category without categories.
    """
    if not 1 <= rows <= MAX_ROWS:
        raise InvalidPlan(
            f"{rows} rows cannot be generated.", hint=f"Ask for 1 to {MAX_ROWS:,}.", field="rows"
        )
    if seed < 0:
        raise InvalidPlan(f"The seed {seed} is negative.", hint="Use 0 or more.", field="seed")
    check_complete(schema)
    donors = None if joint is None else joint.donors(rows, seed)
    columns = {field.name: _column(field, rows, seed, joint, donors) for field in schema.features}
    for group, members in groups_of(schema.features).items():
        chosen = chosen_members(group, members, rows, seed, joint, donors)
        for place, member in enumerate(members):
            columns[member.name] = _as_told(columns[member.name], chosen == place)
    if len(columns) <= MANY_COLUMNS:
        return SyntheticData(pd.DataFrame(columns, copy=False), schema, seed)
    # A column by itself is a block of its own, and each later cut or copy takes as long as blocks are many.
    return SyntheticData(in_one_piece(lambda: pd.DataFrame(columns, copy=True)), schema, seed)


def _column(
    field: FieldSpec, rows: int, seed: int, joint: Joint | None, donors: npt.NDArray[np.int64] | None
) -> "pd.Series[Any]":
    check()
    name = int.from_bytes(hashlib.sha256(field.name.encode()).digest()[:16], "little")
    values_seed, missing_seed = np.random.SeedSequence([seed, name]).spawn(2)
    shares = np.random.default_rng(values_seed).random(rows)
    if joint is not None and donors is not None and field.name in joint.places:
        shares = joint.shares(field.name, donors, shares)
        if field.type == "boolean":
            shares = 1 - shares  # the lowest shares are drawn as true, which is the higher value
    missing = None
    if field.missing_share > 0:
        missing = np.random.default_rng(missing_seed).random(rows) < field.missing_share
    return pd.Series(_BY_TYPE[field.type](field, shares, missing))


def _as_told(column: "pd.Series[Any]", ones: npt.NDArray[np.bool_]) -> "pd.Series[Any]":
    """A one-hot column in the type it was drawn in; what is missing stays so."""
    if column.dtype == object:
        return column.where(column.isna(), pd.Series(ones, dtype=object))
    return pd.Series(ones).astype(column.dtype).where(column.notna(), column)


def _numbers(field: FieldSpec, shares: Floats, missing: npt.NDArray[np.bool_] | None) -> Any:
    values = _quantiles(field, shares)
    if missing is not None:
        values[missing] = np.nan
    return values


def _integers(field: FieldSpec, shares: Floats, missing: npt.NDArray[np.bool_] | None) -> Any:
    values = _quantiles(field, shares)
    low, high = _bounds(field)
    np.clip(np.rint(values, out=values), low, high, out=values)
    if missing is None:
        return np.clip(values, -(2.0**62), 2.0**62).astype(np.int64)
    values[missing] = np.nan
    return values


def _booleans(field: FieldSpec, shares: Floats, missing: npt.NDArray[np.bool_] | None) -> Any:
    values = shares < (0.5 if field.mean is None else field.mean)
    if missing is None:
        return values
    mixed = values.astype(object)
    mixed[missing] = np.nan
    return mixed


def _categories(field: FieldSpec, shares: Floats, missing: npt.NDArray[np.bool_] | None) -> Any:
    """Codes first, then one `take` from the few values: drawing texts row by row is five times slower."""
    values = field.categories or ()
    weights = np.asarray(field.weights or [1.0] * len(values), dtype=np.float64)
    edges = np.cumsum(weights / weights.max())
    last = int(np.flatnonzero(weights)[-1])  # rounding must not reach a trailing category of weight 0
    codes = np.minimum(np.searchsorted(edges, shares * edges[-1], side="right"), last)
    if missing is not None:
        codes[missing] = -1
    if all(isinstance(value, str) for value in values):
        return pd.array([str(value) for value in values], dtype="str").take(codes, allow_fill=True)
    plain = not any(isinstance(value, str | bool) for value in values)
    table = np.array([*values, np.nan], dtype=None if plain and _fits_int64(values) else object)
    if plain and missing is None and _fits_int64(values):
        table = np.array(values)  # whole numbers stay whole where none is missing
    return table[codes]


def _fits_int64(values: tuple[Any, ...]) -> bool:
    return all(abs(value) < 2**63 for value in values)


def _dates(field: FieldSpec, shares: Floats, missing: npt.NDArray[np.bool_] | None) -> Any:
    """Uniform from min to max; whole days when both bounds are days."""
    first, last = _date_bounds(field)
    aware = first.tzinfo is not None
    if aware:
        first, last = (date.astimezone(UTC).replace(tzinfo=None) for date in (first, last))
    days = not aware and all(len(str(b)) == 10 for b in (field.min, field.max) if b is not None)
    unit = timedelta(days=1) if days else timedelta(microseconds=1)
    steps = (last - first) // unit + 1
    offsets = np.minimum(np.floor(shares * steps), steps - 1).astype(np.int64) * (
        unit // timedelta(microseconds=1)
    )
    values = np.datetime64(first, "us") + offsets.astype("timedelta64[us]")
    if missing is not None:
        values[missing] = np.datetime64("NaT")
    return pd.DatetimeIndex(values, tz="UTC") if aware else values


def _date_bounds(field: FieldSpec) -> tuple[datetime, datetime]:
    """Min and max; one that is not given is DEFAULT_SPAN away from the other, without both from FIRST_DAY."""
    low, high = (datetime.fromisoformat(str(b)) if b is not None else None for b in (field.min, field.max))
    if low is None and high is None:
        low = datetime.fromisoformat(FIRST_DAY)
    try:
        first = low if low is not None else (high or datetime.max) - DEFAULT_SPAN
        return first, high if high is not None else first + DEFAULT_SPAN
    except OverflowError:  # a bound in the year 1 or 9999
        only = low or high or datetime.max
        return only, only


_BY_TYPE: dict[str, Callable[[FieldSpec, Floats, npt.NDArray[np.bool_] | None], Any]] = {
    "number": _numbers,
    "integer": _integers,
    "boolean": _booleans,
    "category": _categories,
    "datetime": _dates,
}


# --- distributions ---------------------------------------------------------------------------------


def _quantiles(field: FieldSpec, shares: Floats) -> Floats:
    """The field's quantile function at `shares` (0 to 1), inside its bounds.

    Straight lines between the quantiles where there are any. Else auto is uniform when bounds are all
    that is known, and normal otherwise. Integers are drawn half a unit wider and rounded, so that the
    outermost values are as likely as their neighbours.
    """
    low, high = _bounds(field)
    half = 0.5 if field.type == "integer" else 0.0
    known = field.mean is not None or field.std is not None
    bounded = math.isfinite(low) and math.isfinite(high)
    if low == high:
        return np.full(len(shares), low)
    if field.type == "integer" and high - low == 1 and field.mean is not None and field.quantiles is None:
        return np.where(shares > high - field.mean, high, low)  # of two values the mean tells all
    if field.quantiles is not None:
        return np.interp(shares, np.linspace(0.0, 1.0, len(field.quantiles)), field.quantiles)
    if field.distribution == "lognormal":
        values = _lognormal(field, max(low - half, 0.0), high + half, shares)
    elif field.distribution == "uniform" or (field.distribution == "auto" and bounded and not known):
        low, high = _uniform_bounds(field, low, high)
        low, high = low - half, high + half
        values = low * (1 - shares) + high * shares  # not low + (high - low) * u, which can overflow
    else:
        mean, std = _normal_figures(field, low, high)
        std = math.sqrt(max(std * std - half / 6, 0.0))  # rounding adds 1/12 to the variance (Sheppard)
        values = _normal(mean, std, low - half, high + half, shares)
    return np.clip(values, low - half, high + half)


def _bounds(field: FieldSpec) -> tuple[float, float]:
    low = -math.inf if field.min is None else float(field.min)
    high = math.inf if field.max is None else float(field.max)
    if field.type == "integer":
        low = low if math.isinf(low) else float(math.ceil(low))
        high = high if math.isinf(high) else float(math.floor(high))
    return low, high


def _uniform_bounds(field: FieldSpec, low: float, high: float) -> tuple[float, float]:
    """Bounds that are not given follow from mean and std (width = sqrt(12) std), else the width is 1."""
    width = math.sqrt(12) * field.std if field.std else 1.0
    if math.isinf(low) and math.isinf(high):
        middle = field.mean if field.mean is not None else width / 2
        return middle - width / 2, middle + width / 2
    if math.isinf(low):
        return high - width, high
    return low, low + width if math.isinf(high) else high


def _normal_figures(field: FieldSpec, low: float, high: float) -> tuple[float, float]:
    """Mean and std; what is not given follows from the bounds (six std wide), else 0 and 1."""
    std = field.std
    bounded = math.isfinite(low) and math.isfinite(high)
    if std is None:
        std = high / 6 - low / 6 if bounded else 1.0
    if field.mean is not None:
        return field.mean, std
    if bounded:
        return low / 2 + high / 2, std
    return (low + 3 * std if math.isfinite(low) else high - 3 * std if math.isfinite(high) else 0.0), std


def _lognormal(field: FieldSpec, low: float, high: float, shares: Floats) -> Floats:
    """From the mean m and std s of the values: sigma^2 = ln(1 + s^2/m^2), mu = ln m - sigma^2/2.

    Without a mean, the geometric middle of the bounds, else 1; without a std, half the mean. The
    bounds truncate it without a correction of the mean.
    """
    mean = field.mean
    if mean is None:
        mean = (
            math.sqrt(low) * math.sqrt(high) if low > 0 and math.isfinite(high) else min(high / 2, low + 1.0)
        )
    std = mean / 2 if field.std is None else field.std
    sigma = math.sqrt(math.log1p((std / mean) ** 2))
    mu = math.log(mean) - sigma * sigma / 2
    log_low = math.log(low) if low > 0 else -math.inf
    log_high = math.log(high) if math.isfinite(high) else math.inf
    logs = _truncated(mu, sigma, log_low, log_high, shares)
    return np.exp(np.minimum(logs, 709.0))  # exp(710) is infinite


def _normal(mean: float, std: float, low: float, high: float, shares: Floats) -> Floats:
    """A normal between the bounds whose mean and std, after truncation, are those given.

    Cutting a normal off at one side moves its mean, so its parameters are fitted by fixed-point steps
    (Robert 1995 gives the moments). Where no truncated normal has these moments, the nearest found.
    """
    mu, sigma = mean, std
    if std > 0 and (ndtr((low - mean) / std) > 1e-4 or ndtr((mean - high) / std) > 1e-4):
        reach = 20 * std
        for _ in range(FIT_STEPS):
            m, s = _truncated_moments(mu, sigma, low, high)
            if not s > 0 or abs(m - mean) + abs(s - std) < 1e-6 * std:
                break
            mu = min(max(mu + (mean - m), mean - reach), mean + reach)
            sigma = min(max(sigma * std / s, std / 100), 5 * std)
    return _truncated(mu, sigma, low, high, shares)


def _truncated_moments(mu: float, sigma: float, low: float, high: float) -> tuple[float, float]:
    a, b = (low - mu) / sigma, (high - mu) / sigma
    mass = float(ndtr(-a) - ndtr(-b)) if a > 0 else float(ndtr(b) - ndtr(a))
    if mass <= 0:
        return mu, 0.0
    pa, pb = (
        math.exp(-min(z * z, 1400.0) / 2) / math.sqrt(2 * math.pi) if math.isfinite(z) else 0.0
        for z in (a, b)
    )
    shift = (pa - pb) / mass
    tails = ((a * pa if math.isfinite(a) else 0.0) - (b * pb if math.isfinite(b) else 0.0)) / mass
    return mu + sigma * shift, sigma * math.sqrt(max(1 + tails - shift * shift, 0.0))


def _truncated(mu: float, sigma: float, low: float, high: float, shares: Floats) -> Floats:
    """Quantiles of normal(mu, sigma) between the bounds; mirrored above mu, where ndtr is exact."""
    if sigma <= 0:
        return np.full(len(shares), min(max(mu, low), high))
    a, b = (low - mu) / sigma, (high - mu) / sigma
    sign = -1.0 if a > 0 else 1.0
    if sign < 0:
        a, b = -b, -a
    pa, pb = float(ndtr(a)), float(ndtr(b))
    # The share 0 would be an infinite value where there is no bound.
    points = pa + (pb - pa) * np.clip(shares, 2.0**-54, None)
    z = ndtri(points)
    np.clip(z, a, b, out=z)
    return np.asarray(mu + sigma * sign * z, dtype=np.float64)
