"""Which raw column each input of a pipeline's final estimator comes from.

Promises an owner for every transformed column or None: a step that mixes columns, or that is not
known, ends the trace. Reads fitted structure only. Runs in the child.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from estimators.columns import ColumnSteps, Named, of_sklearn, takes_one_column

__all__ = ["Owner", "Unwrapped", "unwrap"]

MOST_CELLS = 50_000_000  # 400 MB dense; a wider one-hot is not worth making dense

# Each output column is a function of the input column at the same place. Imputers that look at other
# columns (KNNImputer, IterativeImputer) and row normalisers are not among them.
ONE_TO_ONE = frozenset((
    "Binarizer", "MaxAbsScaler", "MinMaxScaler", "OrdinalEncoder", "PowerTransformer",
    "QuantileTransformer", "RobustScaler", "SimpleImputer", "StandardScaler", "TargetEncoder",
))  # fmt: skip
Owner = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Unwrapped:
    """The final estimator, both tables as it sees them, and for each of their columns the raw one."""

    final: Any
    x: Any
    background: Any
    owner: Owner


def unwrap(estimator: Any, x: Any, background: Any, columns: int) -> Unwrapped | None:
    """Walk searches and pipelines down to the estimator that predicts; None when the trace is lost."""
    owner: Owner = np.arange(columns)
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif type(estimator).__name__ == "Pipeline" and hasattr(estimator, "steps"):
            for _, step in estimator.steps[:-1]:
                left = _through(step, owner)
                if left is None:
                    return None
                owner = left
                if step is not None and not isinstance(step, str):
                    x, background = step.transform(x), step.transform(background)
            estimator = estimator.steps[-1][1]
        else:
            break
    x, background = _dense(x), _dense(background)
    if x is None or background is None:
        return None
    if hasattr(x, "shape") and len(x.shape) == 2 and x.shape[1] != len(owner):
        return None
    return Unwrapped(estimator, x, background, owner)


def _dense(table: Any) -> Any:
    if not hasattr(table, "toarray"):
        return table
    return table.toarray() if table.shape[0] * table.shape[1] <= MOST_CELLS else None


def _through(step: Any, owner: Owner) -> Owner | None:
    """Owners of the columns that leave a fitted transformer, given those that enter it."""
    if step is None or (isinstance(step, str) and step == "passthrough"):
        return owner
    if isinstance(step, str):
        return owner[:0] if step == "drop" else None
    if isinstance(step, Named):
        return owner
    if isinstance(step, ColumnSteps):
        return _by_name(step, owner)
    kind = type(step).__name__
    if not of_sklearn(type(step)):
        return None
    if kind == "Pipeline":
        return _in_turn([s for _, s in step.steps], owner)
    if kind == "ColumnTransformer":
        return _side_by_side(step, owner)
    if getattr(step, "n_features_in_", len(owner)) != len(owner):
        return None
    if kind == "OneHotEncoder":
        widths = np.asarray(step._n_features_outs)
        repeated: Owner = np.repeat(owner, widths) if len(widths) == len(owner) else owner[:0]
        return repeated
    if kind == "FunctionTransformer":
        return owner if step.func is None else None
    if kind in ONE_TO_ONE and not getattr(step, "add_indicator", False):
        return owner if len(step.get_feature_names_out()) == len(owner) else None
    if hasattr(step, "get_support") and not hasattr(step, "coef_"):
        kept: Owner = owner[np.asarray(step.get_support(), dtype=bool)]
        return kept
    return None


def _by_name(steps: ColumnSteps, owner: Owner) -> Owner | None:
    """Owners of what leaves transformers of some of the columns each."""
    owners = dict(zip(map(str, steps.feature_names_in_), owner.tolist(), strict=True))
    for part in steps.parts:
        taken = np.array([owners[name] for name in part.takes], dtype=np.intp)
        given = taken if takes_one_column(part.transformer) else _through(part.transformer, taken)
        if given is None or len(given) != len(part.gives):
            return None
        owners |= dict(zip(part.gives, given.tolist(), strict=True))
    return np.array([owners[name] for name in steps.out], dtype=np.intp)


def _in_turn(steps: Sequence[Any], owner: Owner) -> Owner | None:
    current: Owner | None = owner
    for step in steps:
        if current is None:
            return None
        current = _through(step, current)
    return current


def _side_by_side(transformer: Any, owner: Owner) -> Owner | None:
    """A ColumnTransformer: each part's owners, put where `output_indices_` says its columns stand."""
    if transformer.n_features_in_ != len(owner):
        return None
    parts: dict[int, Owner] = {}
    inputs = transformer._transformer_to_input_indices
    for name, step, _ in transformer.transformers_:
        place = transformer.output_indices_.get(name)
        if place is None or place.stop == place.start:
            continue
        part = _through(step, owner[np.asarray(inputs[name], dtype=np.intp)])
        if part is None or len(part) != place.stop - place.start:
            return None
        parts[place.start] = part
    return np.concatenate([parts[start] for start in sorted(parts)]) if parts else None
