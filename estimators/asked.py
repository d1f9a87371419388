"""Models as the last step of a pipeline that cannot be one by themselves: boosters, networks, scaled targets.

Promises: `predict`, and `predict_proba` where the model has probabilities. Leaves the steps before it to
`estimators.columns`, and putting both together to `bundles`.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin

__all__ = ["Asked", "AskedWithScores", "Rescaled"]


class Rescaled(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is not typed
    """A regressor fitted on a scaled target, whose answers are brought back into the target's own unit."""

    def __init__(self, regressor: Any, scaler: Any) -> None:
        self.regressor = self.regressor_ = regressor
        self.scaler = scaler

    def __getattr__(self, name: str) -> Any:
        if name in ("n_features_in_", "feature_names_in_"):
            return getattr(self.__dict__["regressor_"], name)
        raise AttributeError(name)

    def fit(self, _x: Any, _y: Any = None) -> "Rescaled":
        """It holds a fitted model."""
        return self

    def predict(self, x: Any) -> npt.NDArray[np.float64]:
        """(n,) in the unit of the target."""
        answers = np.asarray(self.regressor_.predict(x), dtype=np.float64).reshape(len(x), -1)
        own: npt.NDArray[np.float64] = np.asarray(self.scaler.inverse_transform(answers), dtype=np.float64)
        return own[:, 0]


class Asked(BaseEstimator):  # type: ignore[misc]
    """A model that is no estimator of scikit-learn (a booster, a network) at the end of a pipeline.

    adapter: what asks it; its answers are class labels as text, or numbers.
    """

    def __init__(self, adapter: Any) -> None:
        self.adapter = adapter
        self.estimator_ = adapter.estimator
        self.n_features_in_ = adapter.n_features
        if adapter.labels is not None:
            self.classes_ = np.array(adapter.labels, dtype=object)

    def fit(self, _x: Any, _y: Any = None) -> "Asked":
        """It holds a fitted model."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict(self, x: Any) -> npt.NDArray[Any]:
        """One label as text, or one number, a row (n,)."""
        found = self.adapter.answer(self._table(x))
        if found.failed.any():
            error = found.errors[0]
            raise ValueError(f"{error.kind}: {error.message}")
        labels = found.labels
        if labels is None:
            return np.asarray(found.values)
        return np.asarray(np.array(labels, dtype=object)[found.values.astype(int)])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.estimator_type = {"classification": "classifier"}.get(self.adapter.task, "regressor")
        return tags

    def _table(self, x: Any) -> pd.DataFrame:
        if isinstance(x, pd.DataFrame):
            return x
        x = x.toarray() if hasattr(x, "toarray") else np.asarray(x)
        names = self.adapter.features or [f"x{i}" for i in range(x.shape[1])]
        return pd.DataFrame(x, columns=list(names))


class AskedWithScores(Asked):
    """One that gives probabilities as well."""

    def predict_proba(self, x: Any) -> npt.NDArray[np.float64]:
        """(n, k) in the order of `classes_`."""
        found = self.adapter.scores(self.adapter.prepare(self._table(x)))
        if found is None:
            raise ValueError("the model gives no probabilities")
        return np.asarray(found, dtype=np.float64)
