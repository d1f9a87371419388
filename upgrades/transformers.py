"""Transformers of scikit-learn 0.20 whose arithmetic is gone, in classes of our own that hold it.

Leaves transformers whose state alone changed to `upgrades.columns`.
"""

from itertools import pairwise
from typing import Any

import numpy as np
from scipy import sparse
from sklearn import decomposition, preprocessing
from sklearn.linear_model import ridge_regression
from sklearn.utils.validation import FLOAT_DTYPES, check_array, check_is_fitted

from upgrades.steps import State, step

__all__ = ["STEPS", "MiniBatchSparsePCA", "OneHotEncoder", "QuantileTransformer", "SparsePCA"]

NEAR = 1e-7  # BOUNDS_THRESHOLD of preprocessing/data.py


class OneHotEncoder(preprocessing.OneHotEncoder):  # type: ignore[misc]  # scikit-learn is not typed
    """The legacy mode: whole numbers from 0; one that was not seen, below the highest, is no error but zeros.

    encoded: which columns are; others stand behind them as they are. None: all.
    """

    encoded: Any
    below: Any  # what each column's numbers have to stay below

    def transform(self, X: Any) -> Any:
        check_is_fitted(self)
        x = check_array(X, accept_sparse="csc", dtype=FLOAT_DTYPES)
        if self.encoded is None:
            return self._encoded(x)
        chosen = np.zeros(x.shape[1], dtype=bool)
        chosen[self.encoded] = True
        parts = [self._encoded(x[:, chosen]), x[:, ~chosen]] if chosen.any() else [x]
        if any(sparse.issparse(part) for part in parts):
            return sparse.hstack(parts, format="csr")
        return np.hstack(parts)

    def _encoded(self, x: Any) -> Any:
        whole = check_array(x, dtype=int)
        if whole.shape[1] != len(self.categories_):
            raise ValueError(
                f"X has {whole.shape[1]} columns to encode, but OneHotEncoder is expecting "
                f"{len(self.categories_)}."
            )
        if (whole < 0).any() or (self.handle_unknown == "error" and (whole >= self.below).any()):
            raise ValueError("Found categories that are negative, or higher than any of those fitted on.")
        flags = [column[:, None] == known for column, known in zip(whole.T, self.categories_, strict=True)]
        found = np.hstack(flags).astype(self.dtype)
        return sparse.csr_matrix(found) if self.sparse_output else found


@step("sklearn.preprocessing._encoders.OneHotEncoder", before="0.22", needs="_legacy_mode")
def whole_numbers_are_encoded_as_they_were(made: Any, state: State) -> None:
    """The legacy mode was the default for whole numbers, and went in 0.22 (preprocessing/_encoders.py)."""
    if not state["_legacy_mode"]:
        return
    places, below = state.pop("_feature_indices_", None), state.pop("_n_values_", None)
    seen, chosen = state.pop("_active_features_", None), state.pop("_categorical_features", "all")
    if places is None:
        places, below = np.zeros(1, dtype=int), np.zeros(0, dtype=int)  # no column was to be encoded
    seen = np.arange(places[-1]) if seen is None else np.asarray(seen)
    spans = pairwise(places)
    state["categories_"] = [seen[(seen >= a) & (seen < b)] - a for a, b in spans]
    state["_n_features_outs"] = [len(found) for found in state["categories_"]]
    state["below"] = np.asarray(below)
    state["encoded"] = None if isinstance(chosen, str) else np.asarray(chosen)
    state.pop("n_features_in_", None)
    if state["encoded"] is None:
        state["n_features_in_"] = len(state["categories_"])
    elif state["encoded"].dtype == bool:
        state["n_features_in_"] = len(state["encoded"])
    made.__class__ = OneHotEncoder


@step("sklearn.preprocessing._encoders.OneHotEncoder", before="0.22")
def encoders_forget_how_legacy_they_are(_made: Any, state: State) -> None:
    """Parameters and attributes of the legacy mode."""
    for name in ("categorical_features", "n_values", "_categorical_features", "_n_values", "_legacy_mode"):
        state.pop(name, None)
    if state.get("categories") is None:
        state["categories"] = "auto"


class QuantileTransformer(preprocessing.QuantileTransformer):  # type: ignore[misc]
    """Uniform values cut at 1e-7 from 0 and 1."""

    def _transform_col(self, X_col: Any, quantiles: Any, inverse: bool) -> Any:
        if self.output_distribution != "uniform":
            return super()._transform_col(X_col, quantiles, inverse)
        first, last = (0.0, 1.0) if inverse else (quantiles[0], quantiles[-1])
        with np.errstate(invalid="ignore"):
            low, high = X_col - NEAR < first, X_col + NEAR > last
        found = super()._transform_col(X_col, quantiles, inverse)
        found[high] = quantiles[-1] if inverse else 1.0
        found[low] = quantiles[0] if inverse else 0.0
        edge = NEAR - np.spacing(1)
        return found if inverse else np.clip(found, edge, 1 - edge)


@step("sklearn.preprocessing._data.QuantileTransformer", before="0.22")
def quantiles_stay_away_from_the_ends(made: Any, state: State) -> None:
    """Uniform ones too, until 0.20 (`_transform_col`)."""
    if state.get("output_distribution", "uniform") == "uniform":
        made.__class__ = QuantileTransformer


class _ScaledByTable:
    """Components of each table, not centred, scaled by that table itself."""

    def transform(self, X: Any) -> Any:
        check_is_fitted(self)
        x = check_array(X, dtype=FLOAT_DTYPES)
        found = ridge_regression(self.components_.T, x.T, self.ridge_alpha, solver="cholesky")  # type: ignore[attr-defined]
        lengths = np.sqrt((found**2).sum(axis=0))
        lengths[lengths == 0] = 1
        return found / lengths


class SparsePCA(_ScaledByTable, decomposition.SparsePCA):  # type: ignore[misc]
    """With `normalize_components=False`, 0.20's default."""


class MiniBatchSparsePCA(_ScaledByTable, decomposition.MiniBatchSparsePCA):  # type: ignore[misc]
    """With `normalize_components=False`, 0.20's default."""


@step("sklearn.decomposition._sparse_pca._BaseSparsePCA", before="0.22", needs="components_")
def components_are_scaled_by_the_table(made: Any, state: State) -> None:
    """Unless `normalize_components` said not to, until 0.21 (decomposition/sparse_pca.py)."""
    if not state.pop("normalize_components", False):
        batches = isinstance(made, decomposition.MiniBatchSparsePCA)
        made.__class__ = MiniBatchSparsePCA if batches else SparsePCA


STEPS = (
    whole_numbers_are_encoded_as_they_were,
    encoders_forget_how_legacy_they_are,
    quantiles_stay_away_from_the_ends,
    components_are_scaled_by_the_table,
)
