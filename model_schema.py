"""Reads a schema out of a fitted model: names, ranges, categories and which columns may be missing.

Promises: only what the model itself remembers of its training data, marked origin "model"; a part
that cannot be read loses that part only. Runs beside the model, in the locked child.
"""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from schema_utils import CATEGORIES_KEPT, MAX_FEATURES, FieldSpec, Schema, is_placeholder

__all__ = ["guessed", "infer_from_model"]

Floats = npt.NDArray[np.float64]

MAX_DEPTH = 12  # of estimators inside estimators; a crafted object may contain itself
MEMBERS = 3  # of an ensemble of different estimators that are looked into
TREES = 50  # of a forest: enough thresholds, and a bound on the time
FEW = 64  # distinct thresholds up to which a column of k + 0.5 thresholds is one of integers


class Column(NamedTuple):
    """Which raw feature a column of an inner step is; `raw` when its values are still the feature's own."""

    feature: int
    raw: bool


Columns = list[Column | None]


class Facts:
    """What was learnt of each raw feature; the first to tell a fact wins, a suggestion is the last resort."""

    def __init__(self, count: int) -> None:
        self._told: list[dict[str, Any]] = [{} for _ in range(count)]
        self._suggested: list[dict[str, Any]] = [{} for _ in range(count)]

    def tell(self, column: Column | None, **facts: Any) -> None:
        if column is not None:
            for key, value in facts.items():
                self._told[column.feature].setdefault(key, value)

    def suggest(self, column: Column | None, **facts: Any) -> None:
        if column is not None:
            for key, value in facts.items():
                self._suggested[column.feature].setdefault(key, value)

    def of(self, index: int) -> dict[str, Any]:
        return {**self._suggested[index], **self._told[index]}


def infer_from_model(estimator: Any) -> Schema | None:
    """The features that a fitted estimator takes, in its order; None when it knows neither names nor count.

    A model fitted without names has x0, x1, ... What is looked into: pipelines and column transformers
    (through to the raw columns), encoders, scalers, imputers; tree ensembles of scikit-learn, XGBoost
    and LightGBM (split thresholds, bins); neighbours, support vectors, naive Bayes, clusters. A feature
    about which nothing was found is a number without figures, drawn from normal(0, 1): see `guessed`.
    """
    names = _names(estimator)
    count = len(names) or _count(estimator)
    if not count or count > MAX_FEATURES:
        return None
    if len(set(names)) != count or is_placeholder(names):
        names = [f"x{position}" for position in range(count)]
    facts = Facts(count)
    _walk(estimator, [Column(i, True) for i in range(count)], facts, 0)
    return Schema(features=tuple(_field(name, facts.of(i)) for i, name in enumerate(names)))


def guessed(schema: Schema) -> tuple[str, ...]:
    """Names of the features about which the model said nothing but that they exist."""
    return tuple(
        field.name
        for field in schema.features
        if field.origin == "model"
        and field.type in ("number", "integer")
        and field.min is field.max is field.mean is field.std is None
    )


# --- identity ------------------------------------------------------------------------------------


def _names(estimator: Any) -> list[str]:
    """Names as the model was given them; [] when it has none. Names that are not text are none."""
    readers: tuple[Callable[[], Any], ...] = (
        lambda: estimator.feature_names_in_,
        lambda: estimator.get_booster().feature_names,  # XGBoost's estimators
        lambda: estimator.feature_names,  # xgboost.Booster
        lambda: estimator.feature_name_,  # LightGBM's estimators
        lambda: estimator.feature_name(),  # lightgbm.Booster
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
        lambda: len(estimator.coef_) if np.ndim(estimator.coef_) == 1 else np.shape(estimator.coef_)[1],
    )
    for read in readers:
        with suppress(Exception):
            return int(read())
    return 0


def _field(name: str, known: dict[str, Any]) -> FieldSpec:
    """The facts as a field; they come from different parts of a model and may contradict each other."""
    known = {"nullable": False, **known, "name": name, "origin": "model"}
    kind = known.get("type", "number")
    if kind == "category" and not known.get("categories"):
        kind = known["type"] = "number"
    if kind == "category":
        keys = {"categories", "weights"}
    elif kind == "boolean":
        keys = {"mean"}
    else:
        keys = {"min", "max", "mean", "std"}
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
            for _, inner in step.steps:
                columns = _walk(inner, columns, facts, depth + 1)
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
    names = [str(name) for name in getattr(step, "feature_names_in_", ())]
    slices = step.output_indices_
    out: Columns = [None] * max((part.stop for part in slices.values()), default=0)
    for name, inner, chosen in step.transformers_:
        taken = [columns[i] for i in _positions(chosen, names, len(columns))]
        given = [] if inner == "drop" else _walk(inner, taken, facts, depth + 1)
        part = slices.get(name, slice(0, 0))
        if len(given) == part.stop - part.start:
            out[part] = given
    return out


def _positions(chosen: Any, names: Sequence[str], count: int) -> list[int]:
    """A column transformer's choice of columns (names, positions, slice or mask) as positions."""
    if isinstance(chosen, slice):
        if isinstance(chosen.start, str) or isinstance(chosen.stop, str):
            first = names.index(chosen.start) if chosen.start is not None else 0
            last = names.index(chosen.stop) if chosen.stop is not None else count - 1
            return list(range(first, last + 1))
        return list(range(count))[chosen]
    values = [chosen] if isinstance(chosen, str | int) else list(chosen)
    if values and all(isinstance(value, bool | np.bool_) for value in values):
        return [i for i, taken in enumerate(values) if taken]
    return [names.index(value) if isinstance(value, str) else range(count)[int(value)] for value in values]


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
    if not _trees(step):
        subsets = getattr(step, "estimators_features_", None)
        for position, inner in enumerate(list(getattr(step, "estimators_", ()))[:MEMBERS]):
            if hasattr(inner, "predict"):
                chosen = columns if subsets is None else [columns[int(i)] for i in subsets[position]]
                yield inner, chosen


def _after(step: Any, columns: Columns) -> Columns:
    """What the columns are behind a transformer: the same, in other units, a selection, or unknown."""
    kind = type(step).__name__
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
    if kind in _ONE_TO_ONE:
        return [column and Column(column.feature, False) for column in columns]
    return []


_ONE_TO_ONE = {
    "StandardScaler",
    "MinMaxScaler",
    "MaxAbsScaler",
    "RobustScaler",
    "QuantileTransformer",
    "PowerTransformer",
    "OrdinalEncoder",
}


# --- transformers --------------------------------------------------------------------------------


def _mine_categories(step: Any, columns: Columns, facts: Facts) -> None:
    """OneHotEncoder, OrdinalEncoder, TargetEncoder."""
    for column, values in zip(columns, step.categories_, strict=True):
        if column is None or not column.raw:
            continue
        plain = [value.item() if isinstance(value, np.generic) else value for value in values]
        present = [value for value in plain if value is not None and value == value]
        if len(present) < len(plain):
            facts.tell(column, nullable=True)
        if present and all(isinstance(value, bool) for value in present):
            facts.tell(column, type="boolean")
        elif present:
            kept = [v if isinstance(v, str | int | float) else str(v) for v in present[:CATEGORIES_KEPT]]
            facts.tell(column, type="category", categories=tuple(kept))


def _mine_scaler(step: Any, columns: Columns, facts: Facts) -> None:
    kind = type(step).__name__
    if kind == "StandardScaler":
        variances = step.var_ if step.var_ is not None else [None] * len(columns)
        for column, mean, variance in zip(columns, step.mean_, variances, strict=True):
            _tell_raw(facts, column, mean=mean, std=None if variance is None else math.sqrt(variance))
    elif kind == "MinMaxScaler":
        for column, low, high in zip(columns, step.data_min_, step.data_max_, strict=True):
            _tell_raw(facts, column, min=low, max=high)
    elif kind == "RobustScaler":
        # The scale is the range of two quantiles: for the default quartiles a normal's std is that / 1.349.
        for column, middle, spread in zip(columns, step.center_, step.scale_, strict=True):
            _tell_raw(facts, column, mean=middle, std=spread / 1.349)
    elif kind == "MaxAbsScaler":
        for column, largest in zip(columns, step.max_abs_, strict=True):
            _tell_raw(facts, column, min=-largest, max=largest)


def _mine_quantiles(step: Any, columns: Columns, facts: Facts) -> None:
    """QuantileTransformer: equally likely values, column by column."""
    for column, values in zip(columns, np.asarray(step.quantiles_).T, strict=True):
        _tell_spread(facts, column, values)


def _mine_power(step: Any, columns: Columns, facts: Facts) -> None:
    """PowerTransformer: undo it at -1, 0 and 1 standard deviations."""
    if type(step).__name__ == "PowerTransformer":
        below, middle, above = step.inverse_transform(np.repeat([[-1.0], [0.0], [1.0]], len(columns), axis=1))
        for column, low, mean, high in zip(columns, below, middle, above, strict=True):
            _tell_raw(facts, column, mean=mean, std=(high - low) / 2)


def _mine_edges(step: Any, columns: Columns, facts: Facts) -> None:
    """KBinsDiscretizer and SplineTransformer know the ends of the training data."""
    if hasattr(step, "bin_edges_"):
        ends = [(edges[0], edges[-1]) for edges in step.bin_edges_]
    else:
        ends = [(spline.t[spline.k], spline.t[-spline.k - 1]) for spline in step.bsplines_]
    for column, (low, high) in zip(columns, ends, strict=True):
        _tell_raw(facts, column, min=low, max=high)


def _mine_imputer(step: Any, columns: Columns, facts: Facts) -> None:
    if type(step).__name__ not in ("SimpleImputer", "KNNImputer", "IterativeImputer"):
        return
    for column in columns:
        facts.tell(column, nullable=True)
    for column, value in zip(columns, getattr(step, "statistics_", ()), strict=False):
        if column is not None and column.raw and isinstance(value, int | float | np.number):
            facts.suggest(column, mean=float(value))


# --- estimators ----------------------------------------------------------------------------------


def _mine_sklearn_trees(step: Any, columns: Columns, facts: Facts) -> None:
    """Forests, single trees, gradient boosting, isolation forests: the thresholds of their splits."""
    features, thresholds, weights = [], [], []
    for tree, chosen in _trees(step)[:TREES]:
        inner = tree.children_left >= 0
        split_on = tree.feature[inner]
        features.append(split_on if chosen is None else np.asarray(chosen)[split_on])
        thresholds.append(tree.threshold[inner])
        weights.append(tree.n_node_samples[inner])
    if features:
        _tell_thresholds(
            facts,
            columns,
            *(np.concatenate(parts) for parts in (features, thresholds, weights)),
            midpoints=True,
        )


def _trees(step: Any) -> list[tuple[Any, Any]]:
    """(tree, its features' positions or None) of every fitted scikit-learn tree of an estimator."""
    if hasattr(step, "tree_"):
        return [(step.tree_, None)]
    members = getattr(step, "estimators_", None)
    if members is None:
        return []
    flat = list(np.ravel(np.asarray(members, dtype=object))) if len(members) else []
    if not flat or not all(hasattr(member, "tree_") for member in flat):
        return []
    subsets = getattr(step, "estimators_features_", None)
    return [(member.tree_, None if subsets is None else subsets[i]) for i, member in enumerate(flat)]


def _mine_hist_boosting(step: Any, columns: Columns, facts: Facts) -> None:
    """HistGradientBoosting keeps its bin edges: quantiles of the training data. It takes missing values."""
    mapper = step._bin_mapper
    for column in columns:
        facts.tell(column, nullable=True)
    categorical = step.is_categorical_
    order = list(range(len(columns)))
    if categorical is not None and step._preprocessor is not None:
        order = [*np.flatnonzero(categorical), *np.flatnonzero(~np.asarray(categorical))]
        encoder = step._preprocessor.named_transformers_["encoder"]
        _mine_categories(encoder, [columns[i] for i in np.flatnonzero(categorical)], facts)
    for position, edges in zip(order, mapper.bin_thresholds_, strict=True):
        if categorical is None or not categorical[position]:
            _tell_spread(
                facts, columns[position], _widened(np.asarray(edges, dtype=np.float64)), midpoints=True
            )


def _mine_xgboost(step: Any, columns: Columns, facts: Facts) -> None:
    """Types, categories and thresholds of an XGBoost model; it takes missing values."""
    booster = step.get_booster() if hasattr(step, "get_booster") else step
    if type(booster).__module__.partition(".")[0] != "xgboost":
        return
    for column in columns:
        facts.tell(column, nullable=True)
    types = booster.feature_types or [""] * len(columns)
    with suppress(Exception):
        exported = dict(booster.get_categories(export_to_arrow=True).to_arrow())
        names = booster.feature_names or []
        for name, values in exported.items():
            if values is not None:
                kept = tuple(values.to_pylist()[:CATEGORIES_KEPT])
                facts.tell(columns[names.index(name)], type="category", categories=kept)
    for column, kind in zip(columns, types, strict=True):
        if column is not None and column.raw and kind in ("int", "i"):
            facts.tell(column, type="integer" if kind == "int" else "boolean")
    # Not trees_to_dataframe: it fails on boolean features. Their splits have no condition.
    names = booster.feature_names or [f"f{i}" for i in range(len(columns))]
    place = {name: i for i, name in enumerate(names)}
    rounds = min(booster.num_boosted_rounds(), TREES)
    dumped = booster[:rounds].get_dump(dump_format="json", with_stats=True)
    splits = [split for tree in dumped for split in _xgboost_splits(json.loads(tree), place)]
    if splits:
        features, thresholds, covers = (np.asarray(part) for part in zip(*splits, strict=True))
        _tell_thresholds(facts, columns, features.astype(np.int64), thresholds, covers)


def _xgboost_splits(root: dict[str, Any], place: dict[str, int]) -> Iterator[tuple[int, float, float]]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node.get("split_condition"), int | float):
            yield place[node["split"]], float(node["split_condition"]), float(node["cover"])
        waiting += node.get("children", ())


def _mine_lightgbm(step: Any, columns: Columns, facts: Facts) -> None:
    """Exact ranges and categories of a LightGBM model, and its thresholds; it takes missing values."""
    booster = getattr(step, "booster_", step)
    if type(booster).__module__.partition(".")[0] != "lightgbm":
        return
    model = booster.dump_model(num_iteration=TREES)
    categories = iter(model.get("pandas_categorical") or [])
    for column, name in zip(columns, model["feature_names"], strict=True):
        facts.tell(column, nullable=True)
        info = model["feature_infos"].get(name, {})
        if info.get("values"):
            values = next(categories, None) or [value for value in info["values"] if value >= 0]
            facts.tell(column, type="category", categories=tuple(values[:CATEGORIES_KEPT]))
        elif "min_value" in info:
            _tell_raw(facts, column, min=info["min_value"], max=info["max_value"])
    splits = [split for tree in model["tree_info"] for split in _lightgbm_splits(tree["tree_structure"])]
    if splits:
        features, thresholds, counts = (np.asarray(part) for part in zip(*splits, strict=True))
        _tell_thresholds(facts, columns, features.astype(np.int64), thresholds, counts, midpoints=True)


def _lightgbm_splits(root: dict[str, Any]) -> Iterator[tuple[int, float, float]]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if "split_feature" in node:
            if node["decision_type"] == "<=":
                yield node["split_feature"], float(node["threshold"]), float(node["internal_count"])
            waiting += [node["left_child"], node["right_child"]]


def _mine_rows(step: Any, columns: Columns, facts: Facts) -> None:
    """Estimators that keep rows of the training data: neighbours, support vectors, Gaussian processes."""
    for key in ("_fit_X", "support_vectors_", "X_train_", "cluster_centers_"):
        rows = getattr(step, key, None)
        if rows is not None:
            table = np.asarray(rows.toarray() if hasattr(rows, "toarray") else rows, dtype=np.float64)
            for column, values in zip(columns, table.T, strict=True):
                _tell_spread(facts, column, values, whole=key == "_fit_X")
            return


def _mine_moments(step: Any, columns: Columns, facts: Facts) -> None:
    """Means and variances: naive Bayes by class, mixtures by component, PCA over all."""
    if hasattr(step, "theta_"):
        # The smoothing added to the variances comes from the widest feature and swamps narrow ones.
        means, variances, shares = step.theta_, step.var_ - step.epsilon_, np.asarray(step.class_prior_)
    elif hasattr(step, "weights_") and hasattr(step, "means_"):
        means, shares = step.means_, np.asarray(step.weights_)
        if step.covariance_type not in ("full", "diag"):
            return
        full = step.covariance_type == "full"
        variances = np.array([np.diag(c) for c in step.covariances_]) if full else step.covariances_
    else:
        means, variances = step.mean_[None, :], np.diag(step.get_covariance())[None, :]
        shares = np.ones(1)
    mean = shares @ means
    std = np.sqrt(np.maximum(shares @ (variances + np.square(means)) - np.square(mean), 0))  # of the mixture
    for column, m, s in zip(columns, mean, std, strict=True):
        _tell_raw(facts, column, mean=m, std=s)


_MINERS = (
    _mine_categories,
    _mine_scaler,
    _mine_quantiles,
    _mine_power,
    _mine_edges,
    _mine_imputer,
    _mine_sklearn_trees,
    _mine_hist_boosting,
    _mine_xgboost,
    _mine_lightgbm,
    _mine_rows,
    _mine_moments,
)


# --- from values to facts ------------------------------------------------------------------------


def _tell_raw(facts: Facts, column: Column | None, **figures: Any) -> None:
    if column is not None and column.raw:
        numbers = {k: float(v) for k, v in figures.items() if v is not None and math.isfinite(v)}
        facts.tell(column, **numbers)


def _tell_spread(
    facts: Facts, column: Column | None, values: Floats, *, whole: bool = False, midpoints: bool = False
) -> None:
    """Range, mean and std of values that stand for the training data."""
    values = values[np.isfinite(values)]
    if column is None or not column.raw or not len(values):
        return
    low, high = float(values.min()), float(values.max())
    if (midpoints and _between_integers(values)) or (whole and np.all(values == np.rint(values))):
        facts.tell(column, type="integer")
        low, high = math.floor(low), math.ceil(high)
    _tell_raw(facts, column, min=low, max=high, mean=float(values.mean()), std=float(values.std()))


def _tell_thresholds(
    facts: Facts,
    columns: Columns,
    features: npt.NDArray[np.int64],
    thresholds: Floats,
    weights: Floats,
    *,
    midpoints: bool = False,
) -> None:
    """Splits as a picture of the data: they fall where rows are, and early ones near the middle.

    Mean and std are those of the thresholds, each weighted by the rows that reached its node; the
    range is the outermost thresholds, a tenth wider on each side: data lies on both sides of a split.
    midpoints: thresholds lie between two neighbouring values, so that k + 0.5 speaks of integers.
    """
    for position, column in enumerate(columns):
        mine = (features == position) & np.isfinite(thresholds)
        if column is None or not column.raw or not mine.any():
            continue
        values, mass = thresholds[mine], weights[mine].astype(np.float64)
        mean = float(np.average(values, weights=mass if mass.sum() > 0 else None))
        std = float(np.sqrt(np.average(np.square(values - mean), weights=mass if mass.sum() > 0 else None)))
        if midpoints and _between_integers(values):
            low, high = math.floor(values.min()), math.ceil(values.max())
            facts.tell(column, type="integer")
            _tell_raw(facts, column, min=low, max=high, mean=mean, std=max(std, (high - low) / 4))
        elif values.min() < values.max():
            wide = _widened(values)
            _tell_raw(facts, column, min=wide.min(), max=wide.max(), mean=mean, std=std)
        else:
            _tell_raw(facts, column, mean=mean)


def _widened(values: Floats) -> Floats:
    """With two values more, a tenth of the range outside; what is never negative does not become so."""
    if len(values) < 2 or _between_integers(values):
        return values
    low, high = values.min(), values.max()
    margin = (high - low) / 10
    return np.concatenate([values, [max(low - margin, 0.0) if low >= 0 else low - margin, high + margin]])


def _between_integers(values: Floats) -> bool:
    """All multiples of 0.5, few, and half of them or more k + 0.5: midpoints of neighbouring integers."""
    distinct = np.unique(values)
    halves = np.abs(distinct % 1 - 0.5) < 1e-9
    multiples = np.abs(distinct * 2 - np.rint(distinct * 2)) < 1e-9
    return bool(len(distinct) <= FEW and multiples.all() and halves.mean() >= 0.5)
