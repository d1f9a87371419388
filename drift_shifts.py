"""Simulated shifts of a table: what one drift scenario does to its columns.

Promises: the same seed gives the same shift, and column types change only where they must. Leaves
asking the model about the shifted rows to `drift_simulation` and `breaking_points`.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from drift import ScenarioKind, ScenarioPlan, spread
from errors import InvalidPlan
from schema_utils import FieldSpec, Schema

__all__ = [
    "applicable_features",
    "as_numbers",
    "check_scenario",
    "scenario_title",
    "shifted_numbers",
    "simulate",
    "spread_of",
]

Numbers = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

NUMERIC: tuple[ScenarioKind, ...] = ("mean_shift", "variance_scale")
SHARES: tuple[ScenarioKind, ...] = ("missing_values", "unseen_category", "category_mix")
UNSEEN = "unseen_category"


def simulate(
    frame: pd.DataFrame, schema: Schema, scenario: ScenarioPlan, rng: np.random.Generator
) -> pd.DataFrame:
    """A copy of `frame` under the scenario; unchanged when the kind applies to none of its features.

    mean_shift      numbers + magnitude * their standard deviation; whole numbers stay whole
    variance_scale  numbers are moved away from their mean by the factor `magnitude`
    missing_values  that share of each feature's cells becomes missing
    unseen_category that share of rows gets a category that the schema does not have: the text
                    "unseen_category", or the largest code + 1
    category_mix    that share of rows gets the feature's rarest category, so that the category shares
                    move from p to (1 - magnitude) p + magnitude (1 for the rarest, 0 for the others)

    At one seed a larger share contains the rows of a smaller one. Column types change only where the
    new value has no place in the old one (a missing whole number, a missing boolean).
    Raises InvalidPlan for unknown features and for a share above 1.
    """
    check_scenario(frame, schema, scenario)
    specs = {spec.name: spec for spec in schema.features}
    shifted = frame.copy()
    for name in applicable_features(frame, schema, scenario):
        shifted[name] = _shift(frame[name], specs[name], scenario, rng)
    return shifted


def applicable_features(frame: pd.DataFrame, schema: Schema, scenario: ScenarioPlan) -> tuple[str, ...]:
    """The scenario's features (all, when it names none) that its kind can change, in the schema's order."""
    return tuple(
        spec.name
        for spec in schema.features
        if (not scenario.features or spec.name in scenario.features)
        and spec.name in frame.columns
        and _applies(scenario.kind, spec, frame[spec.name])
    )


def shifted_numbers(column: pd.Series, spec: FieldSpec, by: Numbers | float) -> pd.Series:
    """`column` + `by`, whole where the feature is; a wider type only where the old one would overflow."""
    with np.errstate(over="ignore", invalid="ignore"):
        return _as_column(as_numbers(column) + by, column, spec)


def check_scenario(frame: pd.DataFrame, schema: Schema, scenario: ScenarioPlan) -> None:
    known = {spec.name for spec in schema.features} & set(frame.columns)
    unknown = [name for name in scenario.features if name not in known]
    if unknown:
        raise InvalidPlan(
            f"The drift scenario {scenario_title(scenario)} names features that the model does not have: "
            f"{', '.join(unknown)}.",
            hint="Use names from the schema, or leave `features` out to shift every feature.",
            field="drift.scenarios",
        )
    if scenario.kind in SHARES and scenario.magnitude > 1:
        raise InvalidPlan(
            f"The magnitude of {scenario_title(scenario)} is a share of rows and cannot exceed 1.",
            hint="Give a magnitude above 0 and up to 1.",
            field="drift.scenarios",
        )


def scenario_title(scenario: ScenarioPlan) -> str:
    return f"{scenario.kind} {scenario.magnitude:g}"


def _applies(kind: ScenarioKind, spec: FieldSpec, column: pd.Series) -> bool:
    if kind in NUMERIC:
        return spec.type in ("number", "integer") and _is_number(column) and spread_of(column) > 0
    if kind == "unseen_category":
        return spec.type == "category"
    if kind == "category_mix":
        return spec.type in ("category", "boolean") and int(column.nunique()) > 1
    return bool(column.notna().any())


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype)


def _shift(column: pd.Series, spec: FieldSpec, scenario: ScenarioPlan, rng: np.random.Generator) -> pd.Series:
    if scenario.kind == "mean_shift":
        return shifted_numbers(column, spec, scenario.magnitude * spread_of(column))
    if scenario.kind == "variance_scale":
        values = as_numbers(column)
        finite = values[np.isfinite(values)]
        with np.errstate(over="ignore", invalid="ignore"):
            away = (scenario.magnitude - 1) * (values - finite.mean())
        return shifted_numbers(column, spec, np.where(np.isfinite(values), away, 0.0))
    rows = rng.permutation(len(column))[: max(1, round(scenario.magnitude * len(column)))]
    if scenario.kind == "missing_values":
        return _with_missing(column, rows)
    if scenario.kind == "unseen_category":
        return _with_value(column, rows, _unseen(column, spec))
    counts = column.value_counts(sort=False)
    counts = counts[counts > 0]  # a categorical lists levels that do not occur
    rarest = min(counts.index, key=lambda value: (int(counts[value]), str(value)))
    return _with_value(column, rows, rarest)


def as_numbers(column: pd.Series) -> Numbers:
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def spread_of(column: pd.Series) -> float:
    """Standard deviation in the unit that `compare` gives Wasserstein in: days for times."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        return spread(as_numbers(column))
    days = (pd.Index(column) - column.min()) / pd.Timedelta(days=1)
    return spread(days.to_numpy(dtype=np.float64))


def _as_column(values: Numbers, like: pd.Series, spec: FieldSpec) -> pd.Series:
    """`values` in the type of `like`; whole numbers are rounded, and widened where they would overflow."""
    whole = pd.api.types.is_integer_dtype(like.dtype)
    if whole or spec.type == "integer":
        values = np.rint(values)
    new = pd.Series(values, index=like.index, name=like.name)
    if not whole:
        return new.astype(like.dtype)
    finite = values[np.isfinite(values)]
    for dtype in (like.dtype, np.dtype(np.int64)):
        limits = np.iinfo(getattr(dtype, "numpy_dtype", dtype))
        # Strictly below: the float nearest to the largest int64 is one above it.
        if finite.min(initial=0.0) >= limits.min and finite.max(initial=0.0) < float(limits.max):
            return new.astype(dtype)
    return new


def _with_missing(column: pd.Series, rows: Rows) -> pd.Series:
    # NumPy's whole numbers and booleans have no missing value; as in generated rows they become these.
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biu":
        column = column.astype(object) if column.dtype.kind == "b" else column.astype(np.float64)
    changed = column.copy()
    changed.iloc[rows] = pd.NaT if pd.api.types.is_datetime64_any_dtype(column.dtype) else np.nan
    return changed


def _unseen(column: pd.Series, spec: FieldSpec) -> str | int:
    """A category that neither the schema nor the column has."""
    known = {*(spec.categories or ()), *column.dropna().unique().tolist()}
    if known and all(isinstance(v, int | float) and not isinstance(v, bool) for v in known):
        return int(max(known)) + 1
    value = UNSEEN
    while value in known:
        value += "_"
    return value


def _with_value(column: pd.Series, rows: Rows, value: Any) -> pd.Series:
    """`value` at `rows`, in the column's own type where it can hold it."""
    if isinstance(column.dtype, pd.CategoricalDtype) and value not in column.cat.categories:
        column = column.cat.add_categories([value])
    changed = column.copy()
    try:
        changed.iloc[rows] = value
    except (TypeError, ValueError):  # a small integer type, a boolean, a text column
        whole = pd.api.types.is_integer_dtype(column.dtype)
        changed = column.astype("int64") if whole else column.astype(object)
        changed.iloc[rows] = value
    return changed
