"""Simulated shifts of a table: what one drift scenario does to its columns.

Promises: the same seed gives the same shift, and column types change only where they must. Leaves
asking the model about the shifted rows to `shifts.analysis` and `shifts.breaking_points`.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse.linalg import LinearOperator, eigsh

from distances.formulas import spread
from errors import InvalidPlan
from interruption import check, in_one_piece
from records.drift import DEFAULT_SCENARIOS, TEXT_KINDS, TEXT_SCENARIOS, ScenarioKind, ScenarioPlan
from records.schema import FieldSpec, Schema
from shifts.text_shifts import changed_texts

__all__ = [
    "applicable_features",
    "as_numbers",
    "check_scenario",
    "scenarios_for",
    "shifted_numbers",
    "simulate",
    "spread_of",
    "with_columns",
]

Numbers = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

NUMERIC: tuple[ScenarioKind, ...] = (
    "mean_shift", "variance_scale", "noise", "quantile_shift", "correlated_shift",
)  # fmt: skip
SHARES: tuple[ScenarioKind, ...] = (
    "missing_values", "unseen_category", "category_mix", "segment_swap",
    "unknown_words", "rare_words", "typos", "upper_case",
)  # fmt: skip
UNSEEN = "unseen_category"
MANY_COLUMNS = 300  # from which on a table takes long enough for a thread to be nothing beside it
DENSE_SIDE = 1_500  # of a matrix that is decomposed as a whole: about a second


def simulate(
    frame: pd.DataFrame,
    schema: Schema,
    scenario: ScenarioPlan,
    rng: np.random.Generator,
    features: Sequence[str] | None = None,
) -> pd.DataFrame:
    """A copy of `frame` under the scenario; unchanged when the kind applies to none of its features.

    mean_shift      numbers + magnitude * their standard deviation; whole numbers stay whole
    variance_scale  numbers are moved away from their mean by the factor `magnitude`
    missing_values  that share of each feature's cells becomes missing
    unseen_category that share of rows gets a category that the schema does not have: the text
                    "unseen_category", or the largest code + 1
    category_mix    that share of rows gets the feature's rarest category, so that the category shares
                    move from p to (1 - magnitude) p + magnitude (1 for the rarest, 0 for the others); of
                    one-hot columns (`FieldSpec.group`) the rarest of those asked for becomes 1 and the rest 0
    noise           numbers + magnitude * their standard deviation * a standard normal of each row's own
    quantile_shift  numbers + 2 * magnitude * their standard deviation * their rank, which runs from 0 for
                    the smallest to 1 for the largest (mid-ranks): by `magnitude` on average, twice that at
                    the top, not at all at the bottom
    correlated_shift  numbers move together along the main axis of their correlation matrix, by `magnitude`
                    standard deviations of the rows' own positions on it: each by magnitude * its correlation
                    with the axis * its standard deviation
    segment_swap    that share of rows gets the values of rows of the other segment, all features of a
                    row from the same one. The segments: either side of the median along the main axis of
                    all numbers; where no number varies, rows with the most frequent value of the first
                    category or boolean against the others. Each column keeps about its own values, and
                    loses what goes with them
    unknown_words, rare_words, typos, upper_case, text_length
                    of texts: see `shifts.text_shifts.changed_texts`

    features: its `applicable_features`, where the caller knows them already.
    At one seed a larger share contains the rows of a smaller one. Column types change only where the
    new value has no place in the old one (a missing whole number, a missing boolean).
    Raises InvalidPlan for unknown features and for a share above 1.
    """
    check_scenario(frame, schema, scenario)
    specs = {spec.name: spec for spec in schema.features}
    names = list(applicable_features(frame, schema, scenario) if features is None else features)
    if scenario.kind == "segment_swap":
        return _swapped(frame.copy(), names, _segment(frame, schema), scenario.magnitude, rng)
    if scenario.kind == "correlated_shift" and names:
        steps = zip(names, _along_the_axis(frame[names], scenario.magnitude), strict=True)
        return with_columns(frame, {n: shifted_numbers(frame[n], specs[n], by) for n, by in steps})
    groups = _groups(frame, specs, names) if scenario.kind == "category_mix" else []
    changed = {
        n: _shift(frame[n], specs[n], scenario, rng)
        for n in names
        if scenario.kind != "category_mix" or specs[n].group is None
    }
    for rarest, members in groups:
        rows = rng.permutation(len(frame))[: max(1, round(scenario.magnitude * len(frame)))]
        changed |= {n: _with_value(frame[n], rows, int(n == rarest)) for n in members}
    return with_columns(frame, changed)


def _groups(
    frame: pd.DataFrame, specs: Mapping[str, FieldSpec], names: Sequence[str]
) -> list[tuple[str, list[str]]]:
    """(the rarest of the columns named, all columns) of each one-hot group that is named."""
    found = []
    wanted = set(names)
    every: dict[str, list[str]] = {}
    for name, spec in specs.items():
        if spec.group is not None and name in frame.columns:
            every.setdefault(spec.group, []).append(name)
    for group in dict.fromkeys(group for n in names if (group := specs[n].group) is not None):
        check()
        members = every[group]
        asked = [n for n in members if n in wanted]
        found.append((min(asked, key=lambda n: (float(np.nansum(as_numbers(frame.loc[:, n]))), n)), members))
    return found


def scenarios_for(plans: Sequence[ScenarioPlan], schema: Schema) -> tuple[ScenarioPlan, ...]:
    """The plan's scenarios. Where they are those that stand there by themselves and a feature is a text,
    the ones for texts join them, and those whose kind fits no feature's type leave."""
    types = {spec.type for spec in schema.features}
    if "text" not in types or tuple(plans) != DEFAULT_SCENARIOS:
        return tuple(plans)
    numeric = bool(types & {"number", "integer"})
    fitting = {kind: numeric for kind in NUMERIC}
    fitting |= {"unseen_category": "category" in types, "category_mix": bool(types & {"category", "boolean"})}
    return (*TEXT_SCENARIOS, *(plan for plan in plans if fitting.get(plan.kind, True)))


def with_columns(frame: pd.DataFrame, columns: Mapping[str, pd.Series]) -> pd.DataFrame:
    """A copy of `frame` with some of its columns replaced.

    Many at once: set one by one each would be a block of its own, which takes longer, then and afterwards.
    """
    if 2 * len(columns) < frame.shape[1]:
        return frame.assign(**columns)
    every = {}
    for place, name in enumerate(frame.columns):
        check()
        every[place] = columns[name] if name in columns else frame[name]
    built = partial(pd.DataFrame, every, index=frame.index)
    changed = in_one_piece(built) if len(every) > MANY_COLUMNS else built()
    changed.columns = frame.columns
    return changed


def applicable_features(frame: pd.DataFrame, schema: Schema, scenario: ScenarioPlan) -> tuple[str, ...]:
    """The scenario's features (all, when it names none) that its kind can change, in the schema's order."""
    wanted = frozenset(scenario.features or schema.names)
    found = tuple(
        spec.name
        for spec in schema.features
        if spec.name in wanted
        and spec.name in frame.columns
        and _applies(scenario.kind, spec, frame[spec.name])
    )
    if scenario.kind == "correlated_shift" and len(found) < 2:
        return ()
    if scenario.kind == "segment_swap" and found and not _has_segments(frame, schema):
        return ()
    return found


def shifted_numbers(column: pd.Series, spec: FieldSpec, by: Numbers | float) -> pd.Series:
    """`column` + `by`, whole where the feature is; a wider type only where the old one would overflow."""
    check()
    with np.errstate(over="ignore", invalid="ignore"):
        return _as_column(as_numbers(column) + by, column, spec)


def check_scenario(frame: pd.DataFrame, schema: Schema, scenario: ScenarioPlan) -> None:
    known = {spec.name for spec in schema.features} & set(frame.columns)
    unknown = [name for name in scenario.features if name not in known]
    if unknown:
        raise InvalidPlan(
            f"The drift scenario {scenario.key} names features that the model does not have: "
            f"{', '.join(unknown)}.",
            hint=f"Use names from the schema ({', '.join(schema.names[:10])}"
            f"{' ...' if len(schema.names) > 10 else ''}), or leave `features` out to shift all.",
            field="config.drift.scenarios",
        )
    if scenario.kind in SHARES and scenario.magnitude > 1:
        raise InvalidPlan(
            f"The magnitude of {scenario.key} is a share of rows and cannot exceed 1.",
            hint="Give a magnitude above 0 and up to 1.",
            field="config.drift.scenarios",
        )


def _applies(kind: ScenarioKind, spec: FieldSpec, column: pd.Series) -> bool:
    check()
    if kind in NUMERIC:
        numeric = spec.type in ("number", "integer") and spec.group is None  # two of a group would be 1
        return numeric and _is_number(column) and _varies(as_numbers(column))
    if kind == "unseen_category":
        return spec.type == "category"
    if kind in TEXT_KINDS:
        return spec.type == "text" and bool(column.notna().any())
    if kind == "segment_swap":
        return bool(column.nunique(dropna=False) > 1)
    if kind == "category_mix":
        is_category = spec.type in ("category", "boolean") or spec.group is not None
        return is_category and int(column.nunique()) > 1
    return bool(column.notna().any())


def _varies(values: Numbers) -> bool:
    finite = values if np.isfinite(values.sum()) else values[np.isfinite(values)]
    return len(finite) > 0 and bool(finite.min() < finite.max())


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
    if scenario.kind == "noise":
        by = scenario.magnitude * spread_of(column) * rng.standard_normal(len(column))
        return shifted_numbers(column, spec, by)
    if scenario.kind == "quantile_shift":
        return shifted_numbers(column, spec, 2 * scenario.magnitude * spread_of(column) * _ranks(column))
    if scenario.kind in TEXT_KINDS:
        return changed_texts(column, spec, scenario.kind, scenario.magnitude, int(rng.integers(2**32)))
    check()
    rows = rng.permutation(len(column))[: max(1, round(scenario.magnitude * len(column)))]
    if scenario.kind == "missing_values":
        return _with_missing(column, rows)
    if scenario.kind == "unseen_category":
        return _with_value(column, rows, _unseen(column, spec))
    counts = column.value_counts(sort=False)
    counts = counts[counts > 0]  # a categorical lists levels that do not occur
    rarest = min(counts.index, key=lambda value: (int(counts[value]), str(value)))
    return _with_value(column, rows, rarest)


def _ranks(column: pd.Series) -> Numbers:
    """Mid-ranks of the finite values as shares between 0 and 1, on average a half; 0 for the others."""
    values = as_numbers(column)
    finite = np.isfinite(values)
    ranks = np.zeros(len(values))
    ranks[finite] = (pd.Series(values[finite]).rank().to_numpy() - 0.5) / max(int(finite.sum()), 1)
    return ranks


def _standardised(frame: pd.DataFrame) -> Numbers:
    """(rows, columns) of numbers that vary, each with mean 0 and deviation 1; what is missing is average."""
    table = np.zeros(frame.shape)
    for place, name in enumerate(frame.columns):
        check()
        values = as_numbers(frame[name])
        finite = np.isfinite(values)
        own = values[finite]
        table[finite, place] = (own - own.mean()) / spread(own)
    return table


class _Correlations(LinearOperator):  # type: ignore[misc]
    """The correlation matrix of standardised columns as what it does to a vector; it listens in between."""

    def __init__(self, table: Numbers) -> None:
        super().__init__(np.dtype(np.float64), (table.shape[1], table.shape[1]))
        self._table = table

    def _matvec(self, vector: Numbers) -> Numbers:
        check()
        return np.asarray(self._table.T @ (self._table @ vector.ravel()) / len(self._table))


def _main_axis(table: Numbers) -> tuple[Numbers, float]:
    """The first eigenvector of the correlation matrix and its eigenvalue; its largest entry is positive.

    Of fewer rows than columns the matrix of rows x rows has the same eigenvalues, and its vectors give the
    columns' (Z'Z Z'u = Z' ZZ'u): 0.4 s in place of 16 s for 3,000 columns, which cost their cube. Where there
    are many of both, Lanczos' method needs no matrix at all.
    """
    rows, columns = table.shape
    if min(rows, columns) > DENSE_SIDE:
        values, vectors = eigsh(_Correlations(table), k=1, v0=np.ones(columns))
        axis = vectors[:, 0]
    elif rows < columns:
        values, vectors = in_one_piece(lambda: np.linalg.eigh(table @ table.T / rows))
        axis = table.T @ vectors[:, -1]
        axis /= np.linalg.norm(axis)
    else:
        matrix = table.T @ table / rows
        solved = partial(np.linalg.eigh, matrix)
        values, vectors = in_one_piece(solved) if columns > MANY_COLUMNS else solved()
        axis = vectors[:, -1]
    axis = axis * np.sign(axis[np.argmax(np.abs(axis))])
    return axis, float(values[-1])


def _along_the_axis(frame: pd.DataFrame, magnitude: float) -> list[float]:
    """How far each column moves, in its own unit.

    A row's position is z . v, whose variance is the eigenvalue: a step of one deviation moves z by
    sqrt(eigenvalue) * v, which are the columns' correlations with the position (Jolliffe 2002, ch. 2.3).
    """
    axis, eigenvalue = _main_axis(_standardised(frame))
    stds = [spread_of(frame[name]) for name in frame.columns]
    steps = magnitude * np.sqrt(max(eigenvalue, 0.0)) * axis * stds
    return [float(step) for step in steps]


def _has_segments(frame: pd.DataFrame, schema: Schema) -> bool:
    """Whether `_segment` finds any, without looking for them."""
    kinds: tuple[ScenarioKind, ...] = ("mean_shift", "category_mix")
    return any(
        _applies(kind, spec, frame[spec.name])
        for spec in schema.features
        if spec.name in frame.columns
        for kind in kinds
    )


def _segment(frame: pd.DataFrame, schema: Schema) -> npt.NDArray[np.bool_] | None:
    """bool (rows,), which of two segments a row is in, neither of them empty; None where nothing varies."""
    numeric = [
        spec.name
        for spec in schema.features
        if spec.name in frame.columns and _applies("mean_shift", spec, frame[spec.name])
    ]
    if numeric:
        table = _standardised(frame[numeric])
        position = table @ _main_axis(table)[0]
        middle = np.median(position)
        # Where more than half of the rows share the largest position, none is above the median.
        return np.asarray(position > middle if (position > middle).any() else position >= middle)
    for spec in schema.features:
        if spec.name in frame.columns and _applies("category_mix", spec, frame[spec.name]):
            column = frame[spec.name]
            counts = column.value_counts(sort=False)
            commonest = min(counts.index, key=lambda value: (-int(counts[value]), str(value)))
            return np.asarray((column == commonest).fillna(False), dtype=np.bool_)
    return None


def _swapped(
    frame: pd.DataFrame,
    names: list[str],
    segment: npt.NDArray[np.bool_] | None,
    share: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """`frame` with the named columns of that share of rows taken from rows of the other segment.

    Donors are drawn for every row before the share is, so that a larger share contains a smaller one; each
    donor serves as often as any other, give or take one.
    """
    if segment is None or not names:
        return frame
    donors = np.empty(len(frame), dtype=np.intp)
    for side in (segment, ~segment):
        others = rng.permutation(np.flatnonzero(~side))
        donors[side] = np.resize(others, int(side.sum()))
    rows = rng.permutation(len(frame))[: max(1, round(share * len(frame)))]
    source = np.arange(len(frame))
    source[rows] = donors[rows]
    for name in names:
        check()
        taken = frame[name].take(source)
        taken.index = frame.index
        frame[name] = taken
    return frame


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
        return new if like.dtype == new.dtype else new.astype(like.dtype)
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
