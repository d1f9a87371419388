"""Reads a schema out of a fitted model: names, ranges, categories and which columns may be missing.

Promises: what the model itself remembers of its training data, marked origin "model", and where it tells
nothing of a feature, what the name does, marked "name"; a part that cannot be read loses that part only.
Runs in the locked child.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
from pydantic import ValidationError

from estimators.columns import ColumnSteps, Named
from estimators.texts import reads_text
from mining import onnx_columns
from mining.catboost_trees import catboost_trees
from mining.companions import UNKNOWN_CATEGORY, after_companion, mine_companion
from mining.facts import Column, Columns, Facts, Floats, mine_categories, tell_raw, tell_spread
from mining.moments import MOMENT_MINERS
from mining.splits import SPLIT_MINERS, tell_boosted, tell_thresholds, trees_of
from mining.vocabulary import mine_texts, mine_vectorizer
from records.schema import MAX_FEATURES, TEXT, FieldSpec, Schema, is_placeholder
from rows.column_names import with_names
from rows.joint import Joint
from rows.one_hot import with_groups
from rows.shapes import quantiles_of
from schema_utils import CATEGORIES_KEPT, MAX_WITH_QUANTILES

__all__ = ["Mined", "infer_from_model", "mine"]

MAX_DEPTH = 12  # of estimators inside estimators; a crafted object may contain itself
MEMBERS = 3  # of an ensemble of different estimators that are looked into


class Mined(NamedTuple):
    """What a model remembers of its input: each feature, and how they hang together where it keeps that."""

    schema: Schema
    joint: Joint | None


def infer_from_model(estimator: Any) -> Schema | None:
    """The features alone: see `mine`."""
    found = mine(estimator)
    return None if found is None else found.schema


def mine(estimator: Any, promised: Schema | None = None) -> Mined | None:
    """The features that a fitted estimator takes, in its order; None when it knows neither names nor count.

    promised: what stands beside it of its inputs, taken where the estimator itself knows nothing.

    A model fitted without names has x0, x1, ... What is looked into: pipelines and column transformers
    (through to the raw columns), encoders, scalers, imputers; tree ensembles of scikit-learn, XGBoost
    and LightGBM (split thresholds, bins); neighbours, support vectors, naive Bayes, clusters. A feature
    about which nothing was found has what its name tells (`rows.column_names`, `rows.one_hot`), else it is a
    number without figures, drawn from normal(0, 1): see `Schema.unknown`.
    What a vectorizer reads is a text, called "text" where it has no name.
    """
    names = _names(estimator)
    count = len(names) or _count(estimator)
    if promised is not None and not names and count in (0, len(promised.features)):
        names, count = list(promised.names), len(promised.features)
    if not count and reads_text(estimator):
        names, count = [TEXT], 1
    if not count or count > MAX_FEATURES:
        return None
    if len(set(names)) != count or is_placeholder(names):
        names = [f"x{position}" for position in range(count)]
    facts = Facts(names)
    _walk(estimator, [Column(i, True) for i in range(count)], facts, 0)
    fields = with_groups([_field(name, facts.of(i)) for i, name in enumerate(names)], facts.together)
    if promised is not None:
        fields = _filled(fields, promised)
    schema = Schema(features=tuple(with_names(fields)))
    return Mined(schema, None if facts.rows is None else Joint.of_values(names, facts.rows))


def _filled(fields: Sequence[FieldSpec], promised: Schema) -> list[FieldSpec]:
    """What was promised of each feature about which the estimator remembers nothing."""
    known = {field.name: field for field in promised.features}
    return [known.get(field.name, field) if _is_unknown(field) else field for field in fields]


def _is_unknown(field: FieldSpec) -> bool:
    told = (field.min, field.max, field.mean, field.std)
    return field.type in ("number", "integer") and all(figure is None for figure in told)


# --- identity ------------------------------------------------------------------------------------


def _names(estimator: Any) -> list[str]:
    """Names as the model was given them; [] when it has none. Names that are not text are none."""
    readers: tuple[Callable[[], Any], ...] = (
        lambda: estimator.feature_names_in_,
        lambda: estimator.get_booster().feature_names,  # XGBoost's estimators
        lambda: estimator.feature_names,  # xgboost.Booster
        lambda: estimator.feature_name_,  # LightGBM's estimators
        lambda: estimator.feature_name(),  # lightgbm.Booster
        lambda: [n for i, n in enumerate(estimator.feature_names_) if n != str(i)],  # CatBoost
        lambda: _names(_within(estimator)),
    )
    for read in readers:
        with suppress(Exception):
            names = [name for name in read() if isinstance(name, str) and name]
            if names and len(names) == len(list(read())):
                return [str(name) for name in names]
    return []


def _within(estimator: Any) -> Any:
    """What a search found best, or a pipeline's first real step; these ask only their own first part."""
    if hasattr(estimator, "steps"):
        return next(step for _, step in estimator.steps if step is not None and not isinstance(step, str))
    return estimator.best_estimator_


def _count(estimator: Any) -> int:
    readers: tuple[Callable[[], Any], ...] = (
        lambda: estimator.n_features_in_,
        lambda: estimator.num_features(),  # xgboost.Booster
        lambda: estimator.num_feature(),  # lightgbm.Booster
        lambda: _count(_within(estimator)),
        lambda: np.ndim(estimator.X_thresholds_),  # IsotonicRegression: of one column
        lambda: len(estimator.feature_names_),  # CatBoost out of a file, whose count is 0
        lambda: len(estimator.coef_) if np.ndim(estimator.coef_) == 1 else np.shape(estimator.coef_)[1],
    )
    for read in readers:
        with suppress(Exception):
            if count := int(read()):
                return count
    return 0


def _field(name: str, known: dict[str, Any]) -> FieldSpec:
    """The facts as a field; they come from different parts of a model and may contradict each other."""
    known = {"nullable": False, **known, "name": name, "origin": "model"}
    kind = known.get("type", "number")
    if kind == "category" and not known.get("categories"):
        kind = known["type"] = "number"
    if kind == "category":
        keys = {"categories", "weights", "closed"}
    elif kind == "boolean":
        keys = {"mean"}
    elif kind == "text":
        keys = {"categories", "weights", "mean"}
    else:
        keys = {"min", "max", "mean", "std", "quantiles"}
        _make_consistent(known)
    try:
        return FieldSpec(
            **{k: v for k, v in known.items() if k in keys | {"name", "type", "nullable", "origin"}}
        )
    except ValidationError:
        return FieldSpec(name=name, nullable=bool(known["nullable"]), origin="model")


def _make_consistent(known: dict[str, Any]) -> None:
    for key in ("min", "max", "mean", "std"):
        value = known.get(key)
        if value is not None and not math.isfinite(value):
            del known[key]
    low, high, mean = (known.get(key) for key in ("min", "max", "mean"))
    quantiles = known.get("quantiles")
    if quantiles and not ((low is None or low <= quantiles[0]) and (high is None or quantiles[-1] <= high)):
        del known["quantiles"]  # told of other values than the bounds were
    if low is not None and high is not None and low > high:
        del known["min"], known["max"]
    elif mean is not None:
        bounded = max(mean, low) if low is not None else mean
        known["mean"] = min(bounded, high) if high is not None else bounded
    if known.get("mean") is not None and not known.get("std") and "min" not in known:
        known["std"] = abs(known["mean"]) / 4 or 1.0


# --- walking -------------------------------------------------------------------------------------


def _walk(step: Any, columns: Columns, facts: Facts, depth: int) -> Columns:
    """Learns from one step and what is inside it; returns what its output columns are."""
    if depth > MAX_DEPTH or step is None or isinstance(step, str):
        return columns if step == "passthrough" or step is None else []
    with suppress(Exception):
        if hasattr(step, "transformers_"):
            return _walk_column_transformer(step, columns, facts, depth)
        if hasattr(step, "steps"):
            mine_texts(step.steps, columns, facts)
            for _, inner in step.steps:
                columns = _walk(inner, columns, facts, depth + 1)
            return columns
        if isinstance(step, ColumnSteps):
            return _walk_column_steps(step, columns, facts, depth)
        if isinstance(step, Named):
            return columns
        if hasattr(step, "transformer_list"):
            return [c for _, inner in step.transformer_list for c in _walk(inner, columns, facts, depth + 1)]
    for inner, its_columns in _inside(step, columns):
        _walk(inner, its_columns, facts, depth + 1)
    for mine in _MINERS:
        with suppress(Exception), np.errstate(all="ignore"):
            mine(step, columns, facts)
    with suppress(Exception):
        return _after(step, columns)
    return []


def _walk_column_transformer(step: Any, columns: Columns, facts: Facts, depth: int) -> Columns:
    places = {str(name): i for i, name in enumerate(getattr(step, "feature_names_in_", ()))}
    slices = step.output_indices_
    out: Columns = [None] * max((part.stop for part in slices.values()), default=0)
    for name, inner, chosen in step.transformers_:
        taken = [columns[i] for i in _positions(chosen, places, len(columns))]
        given = [] if inner == "drop" else _walk(inner, taken, facts, depth + 1)
        part = slices.get(name, slice(0, 0))
        if len(given) == part.stop - part.start:
            out[part] = given
    return out


def _walk_column_steps(step: ColumnSteps, columns: Columns, facts: Facts, depth: int) -> Columns:
    """Transformers on their own columns, in turn; what takes the place of others goes by its name."""
    by_name = dict(zip(map(str, step.feature_names_in_), columns, strict=True))
    for part in step.parts:
        taken = [by_name[name] for name in part.takes]
        if hasattr(part.transformer, "classes_"):  # a label encoder: its list is closed
            _mine_label_encoder(part.transformer, taken[0], facts)
            given: Columns = [column and Column(column.feature, False) for column in taken]
        else:
            given = _walk(part.transformer, taken, facts, depth + 1)
        if len(given) != len(part.gives):
            given = [None] * len(part.gives)
        by_name |= dict(zip(part.gives, given, strict=True))
    return [by_name[name] for name in step.out]


def _mine_label_encoder(encoder: Any, column: Column | None, facts: Facts) -> None:
    values = [value.item() if isinstance(value, np.generic) else value for value in encoder.classes_]
    present = [value for value in values if value is not None and value == value]
    if column is None or not column.raw or not present or len(present) > CATEGORIES_KEPT:
        return
    kept = tuple(value if isinstance(value, str | int | float) else str(value) for value in present)
    facts.tell(column, type="category", categories=kept, closed=True)
    facts.tell(column, nullable=len(present) < len(values))


def _positions(chosen: Any, places: Mapping[str, int], count: int) -> list[int]:
    """A column transformer's choice of columns (names, positions, slice or mask) as positions."""
    if isinstance(chosen, slice):
        if isinstance(chosen.start, str) or isinstance(chosen.stop, str):
            first = places[chosen.start] if chosen.start is not None else 0
            last = places[chosen.stop] if chosen.stop is not None else count - 1
            return list(range(first, last + 1))
        return list(range(count))[chosen]
    values = [chosen] if isinstance(chosen, str | int) else list(chosen)
    if values and all(isinstance(value, bool | np.bool_) for value in values):
        return [i for i, taken in enumerate(values) if taken]
    return [places[value] if isinstance(value, str) else range(count)[int(value)] for value in values]


def _inside(step: Any, columns: Columns) -> Iterator[tuple[Any, Columns]]:
    """The fitted estimators that see this step's input: of searches, calibration, voting, bagging, ..."""
    for key in ("best_estimator_", "estimator_", "regressor_", "classifier_"):
        inner = getattr(step, key, None)
        if inner is not None and not isinstance(inner, type):
            # RFE fits its final estimator on the columns it kept, SelectFromModel on all.
            kept = step.support_ if hasattr(step, "ranking_") else [True] * len(columns)
            yield inner, [column for column, keep in zip(columns, kept, strict=True) if keep]
    for calibrated in list(getattr(step, "calibrated_classifiers_", ()))[:1]:
        yield calibrated.estimator, columns
    if type(step).__name__ in ("FrozenEstimator",):
        yield step.estimator, columns
    if hasattr(step, "variables_") and hasattr(step, "transformer_"):  # feature-engine's wrapper
        by_name = dict(zip(map(str, step.feature_names_in_), columns, strict=True))
        yield step.transformer_, [by_name[str(name)] for name in step.variables_]
    if not trees_of(step):
        subsets = getattr(step, "estimators_features_", None)
        for position, inner in enumerate(list(getattr(step, "estimators_", ()))[:MEMBERS]):
            if hasattr(inner, "predict"):
                chosen = columns if subsets is None else [columns[int(i)] for i in subsets[position]]
                yield inner, chosen


def _after(step: Any, columns: Columns) -> Columns:
    """What the columns are behind a transformer: the same, in other units, a selection, or unknown."""
    kind = type(step).__name__
    companions = after_companion(step, columns)
    if companions is not None:
        return companions
    if hasattr(step, "get_support"):
        return [columns[int(i)] for i in step.get_support(indices=True)]
    if kind in ("SimpleImputer", "KNNImputer", "IterativeImputer"):
        statistics = getattr(step, "statistics_", None)
        kept = statistics is None or not any(value is None or value != value for value in statistics)
        indicator = getattr(step, "indicator_", None)
        return (
            [*columns, *([None] * (len(indicator.features_) if indicator is not None else 0))] if kept else []
        )
    if kind == "FunctionTransformer" and step.func is None:
        return columns
    if kind in _AFFINE:
        addends = step.inverse_transform(np.zeros((1, len(columns))))[0]
        factors = step.inverse_transform(np.ones((1, len(columns))))[0] - addends
        return [
            column and _scaled(column, float(factor), float(addend))
            for column, factor, addend in zip(columns, factors, addends, strict=True)
        ]
    if kind in _RISING:
        return [column and Column(column.feature, False) for column in columns]
    return []


_AFFINE = {"StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler"}
_RISING = {"QuantileTransformer", "PowerTransformer", "OrdinalEncoder"}


def _scaled(column: Column, factor: float, addend: float) -> Column:
    """The column behind a scaler, with the way back through this one and those before."""
    before = (1.0, 0.0) if column.raw else column.undo
    if before is None or not (math.isfinite(factor) and math.isfinite(addend)):
        return Column(column.feature, False)
    return Column(column.feature, False, (factor * before[0], addend * before[0] + before[1]))


# --- transformers --------------------------------------------------------------------------------


def _mine_quantiles(step: Any, columns: Columns, facts: Facts) -> None:
    """QuantileTransformer: equally likely values, column by column."""
    for column, values in zip(columns, np.asarray(step.quantiles_).T, strict=True):
        tell_spread(facts, column, values, whole=True)


def _mine_edges(step: Any, columns: Columns, facts: Facts) -> None:
    """KBinsDiscretizer and SplineTransformer know the ends of the training data."""
    if hasattr(step, "bin_edges_"):
        ends = [(edges[0], edges[-1]) for edges in step.bin_edges_]
    else:
        ends = [(spline.t[spline.k], spline.t[-spline.k - 1]) for spline in step.bsplines_]
    for column, (low, high) in zip(columns, ends, strict=True):
        tell_raw(facts, column, min=low, max=high)


def _mine_imputer(step: Any, columns: Columns, facts: Facts) -> None:
    if type(step).__name__ not in ("SimpleImputer", "KNNImputer", "IterativeImputer"):
        return
    for column in columns:
        facts.tell(column, nullable=True)
    for column, value in zip(columns, getattr(step, "statistics_", ()), strict=False):
        if column is not None and column.raw and isinstance(value, int | float | np.number):
            facts.suggest(column, mean=float(value))


# --- estimators ----------------------------------------------------------------------------------


def _mine_rows(step: Any, columns: Columns, facts: Facts) -> None:
    """Estimators that keep rows of the training data: neighbours, support vectors, Gaussian processes."""
    if not any(columns):  # of words, perhaps, of which there are too many to be unfolded
        return
    for key in ("_fit_X", "support_vectors_", "X_train_", "cluster_centers_"):
        rows = getattr(step, key, None)
        if rows is not None:
            table = np.asarray(rows.toarray() if hasattr(rows, "toarray") else rows, dtype=np.float64)
            facts.tell_rows(columns, table)
            for column, values in zip(columns, table.T, strict=True):
                if key == "support_vectors_":
                    _tell_stretched(facts, column, values)
                tell_spread(facts, column, values, whole=key in ("_fit_X", "X_train_"))
            return


def _tell_stretched(facts: Facts, column: Column | None, values: Floats) -> None:
    """The shape of support vectors, which lie near the boundary, to the mean and std that a scaler told."""
    own = None if column is None else column.own(values)
    if column is None or own is None or facts.count > MAX_WITH_QUANTILES:
        return
    known = facts.of(column.feature)
    mean, std, spread = known.get("mean"), known.get("std"), float(own.std())
    if mean is not None and std is not None and spread > 0:
        stretched = (own - own.mean()) / spread * std + mean
        low = max(0.0, float(stretched.min())) if own.min() >= 0 else float(stretched.min())
        own = np.maximum(stretched, low)
        tell_raw(facts, Column(column.feature, True), min=low, max=float(own.max()))
    facts.tell(column, quantiles=quantiles_of(own))


def _mine_codes(step: Any, columns: Columns, facts: Facts) -> None:
    """CategoricalNB takes codes from 0, and kept how often it saw each."""
    if type(step).__name__ == "CategoricalNB":
        for column, counts in zip(columns, step.category_count_, strict=True):
            seen = np.asarray(counts).sum(axis=0)
            codes = np.repeat(np.arange(len(seen), dtype=np.float64), seen.astype(np.int64))
            facts.tell(column, type="integer")
            tell_spread(facts, column, codes, whole=True)


def _mine_isotonic(step: Any, columns: Columns, facts: Facts) -> None:
    tell_raw(facts, columns[0], min=step.X_min_, max=step.X_max_)


def _mine_catboost(step: Any, columns: Columns, facts: Facts) -> None:
    """Borders of its splits; of category columns that they are ones, for their values are hashes."""
    for position in set(step.get_cat_feature_indices()):  # first: its trees would tell of hashes
        facts.tell(columns[position], type="category", categories=(UNKNOWN_CATEGORY,))
    with suppress(ValueError):
        tell_boosted(step, catboost_trees(step), columns, facts)
    splits = [(feature, border) for feature, borders in step.get_borders().items() for border in borders]
    if splits:
        features, borders = (np.asarray(part) for part in zip(*splits, strict=True))
        tell_thresholds(facts, columns, features, borders, np.ones(len(splits)), midpoints=True)


def _mine_network(step: Any, columns: Columns, facts: Facts) -> None:
    """Graphs and networks: types of the inputs, what the graph holds, the first normalisation."""
    if step.named:
        for column, one in zip(columns, step.inputs, strict=True):
            if one.dtype is None:
                facts.suggest(column, type="category", categories=(UNKNOWN_CATEGORY,))
            elif np.issubdtype(one.dtype, np.integer):
                facts.suggest(column, type="integer")
    if step.graph_ is not None:
        onnx_columns.mine(step.graph_, columns, facts)
    if step.moments_ is not None:
        for column, mean, variance in zip(columns, *step.moments_, strict=True):
            tell_raw(facts, column, mean=float(mean), std=math.sqrt(max(float(variance), 0.0)))


_MINERS = (
    mine_vectorizer,
    mine_companion,
    mine_categories,
    _mine_quantiles,
    _mine_edges,
    _mine_imputer,
    *SPLIT_MINERS,
    _mine_rows,
    *MOMENT_MINERS,
    _mine_codes,
    _mine_isotonic,
    _mine_catboost,
    _mine_network,
)
