"""Of rows that are equally near, the neighbours that NumPy 1 took, and scikit-learn before 1.1, 1.2 and 1.4.

NumPy 2 chooses the k smallest by other code, in which ties fall otherwise; scikit-learn measures tables
without a tree by code of its own since 1.1 (dense) and 1.2 (sparse; not by Euclid's distance since 1.4).
Classes of our own hold what was before. Leaves trees of neighbours alone: they are in the file, ties and all.
"""

from typing import Any

import numpy as np
import sklearn
from scipy import sparse
from sklearn import impute, neighbors
from sklearn.metrics._pairwise_distances_reduction import ArgKmin

from upgrades.steps import State, release_of, step

__all__ = [
    "STEPS", "KNNImputer", "KNeighborsClassifier", "KNeighborsRegressor", "KNeighborsTransformer",
    "LocalOutlierFactor", "NearestNeighbors", "chosen_by_numpy_1", "only_those",
]  # fmt: skip

FEW = 3  # so many are chosen one by one


def only_those(distances: Any, k: int) -> Any:
    """Distances (n, rows), infinite but for the k that NumPy 1 takes, where a tie lets it choose.

    Blanks count as farthest. What calls `argpartition` on these finds what NumPy 1 found, in any NumPy.
    """
    rows = distances.shape[1]
    if not 0 < k < rows:
        return distances
    last = np.partition(distances, k - 1, axis=1)[:, k - 1 : k]
    with np.errstate(invalid="ignore"):
        tied = np.flatnonzero((distances <= last).sum(axis=1) > k)
    if not len(tied):
        return distances
    kept = np.array(distances)
    for row in tied:
        left_out = chosen_by_numpy_1(distances[row], k)[k:]
        kept[row, left_out] = np.inf
    return kept


def chosen_by_numpy_1(values: Any, k: int) -> Any:
    """`np.argpartition(values, k - 1)` of NumPy 1 for 0 < k < len(values), to the place.

    Quickselect with the median of three, then of medians of five (npysort/selection.c.src, introselect).
    """
    v, order = np.array(values, dtype=float), np.arange(len(values))
    v[np.isnan(v)] = np.inf
    _select(v, order, 0, len(v), k - 1)
    return order


def _select(v: Any, order: Any, start: int, count: int, kth: int) -> None:
    """Of v[start : start + count] the kth smallest to its place, smaller ones before it."""
    v, order = v[start : start + count], order[start : start + count]  # views
    low, high = 0, count - 1
    if kth < FEW:
        for i in range(kth + 1):
            _swap(v, order, i, i + int(v[i:].argmin()))
        return
    depth = 2 * (count.bit_length() - 1)
    while low + 1 < high:
        below, above = low + 1, high
        if depth > 0 or above - below < 5:
            _median_of_three_first(v, order, low, high)
        else:
            middle = below + _median_of_medians(v, order, below, above - below)
            _swap(v, order, middle, low)
            below, above = below - 1, above + 1
        depth -= 1
        below, above = _parted(v, order, v[low], below, above)
        _swap(v, order, low, above)
        if above >= kth:
            high = above - 1
        if above <= kth:
            low = below
    if high == low + 1 and v[high] < v[low]:
        _swap(v, order, low, high)


def _swap(v: Any, order: Any, a: Any, b: Any) -> None:
    v[a], v[b] = v[b], v[a]
    order[a], order[b] = order[b], order[a]


def _median_of_three_first(v: Any, order: Any, low: int, high: int) -> None:
    middle = low + (high - low) // 2
    if v[high] < v[middle]:
        _swap(v, order, high, middle)
    if v[high] < v[low]:
        _swap(v, order, high, low)
    if v[low] < v[middle]:
        _swap(v, order, low, middle)
    _swap(v, order, middle, low + 1)


def _parted(v: Any, order: Any, pivot: Any, below: int, above: int) -> tuple[int, int]:
    """Swaps pairs, from both ends, of one not below the pivot and one not above it; where the ends meet."""
    inside = v[below + 1 : above]
    rising = np.flatnonzero(inside >= pivot) + below + 1
    falling = np.flatnonzero(inside <= pivot)[::-1] + below + 1
    both = min(len(rising), len(falling))
    pairs = int((rising[:both] <= falling[:both]).sum())  # the first ones: the one rises, the other falls
    a, b = rising[:pairs], falling[:pairs]
    v[a], v[b] = v[b], v[a]
    order[a], order[b] = order[b], order[a]
    if pairs and a[-1] == b[-1]:  # they met at one that is the pivot's equal
        return int(a[-1]) + 1, int(a[-1]) - 1
    end = int(b[-1]) if pairs else above
    up = min(int(rising[pairs]), end) if pairs < len(rising) else end
    down = int(falling[pairs]) if pairs < len(falling) else below
    return up, max(down, up - 1)


def _median_of_medians(v: Any, order: Any, start: int, count: int) -> int:
    """The place, from `start`, of the median of the medians of fives, which it brings to the front."""
    fives = count // 5
    for i in range(fives):
        first = start + 5 * i
        _swap(v, order, first + _median_of_five(v, order, first), start + i)
    if fives > 2:
        _select(v, order, start, fives, fives // 2)
    return fives // 2


def _median_of_five(v: Any, order: Any, at: int) -> int:
    for high, low in ((1, 0), (4, 3), (3, 0), (4, 1), (2, 1)):
        if v[at + high] < v[at + low]:
            _swap(v, order, at + high, at + low)
    if v[at + 3] < v[at + 2]:
        return 1 if v[at + 3] < v[at + 1] else 3
    return 2


# Models ---------------------------------------------------------------------------------------------


class _OldTies:
    """Neighbours that are found without a tree, as before 1.4."""

    measured_by: str  # which tables scikit-learn's own code measures: "none", "doubles", "any" or "today's"

    def kneighbors(self, X: Any = None, n_neighbors: Any = None, return_distance: bool = True) -> Any:
        x = self._fit_X if X is None else X  # type: ignore[attr-defined]
        if self.measured_by == "any" and X is not None and self._both_are_sparse(x):
            k = self.n_neighbors if n_neighbors is None else n_neighbors  # type: ignore[attr-defined]
            kind: Any = self.effective_metric_  # type: ignore[attr-defined]
            return ArgKmin.compute(x.tocsr(), self._fit_X, k, kind, return_distance=return_distance)  # type: ignore[attr-defined]
        with self._as_measured(x):
            return super().kneighbors(X, n_neighbors, return_distance)  # type: ignore[misc]

    def predict(self, X: Any) -> Any:
        with self._as_measured(X):
            return super().predict(X)  # type: ignore[misc]

    def _kneighbors_reduce_func(self, dist: Any, start: Any, n_neighbors: int, return_distance: bool) -> Any:
        chosen = only_those(dist, n_neighbors)
        return super()._kneighbors_reduce_func(chosen, start, n_neighbors, return_distance)  # type: ignore[misc]

    def _as_measured(self, x: Any) -> Any:
        fitted = self._fit_X  # type: ignore[attr-defined]
        own = self.measured_by not in ("none", "doubles")
        if self.measured_by == "doubles" and not sparse.issparse(x) and not sparse.issparse(fitted):
            own = np.asarray(x).dtype == fitted.dtype == np.float64
        return sklearn.config_context(enable_cython_pairwise_dist=own)

    def _both_are_sparse(self, x: Any) -> bool:
        """Two sparse tables and Euclid's distance: what 1.2 and 1.3 measured by other code than 1.4."""
        fitted = self._fit_X  # type: ignore[attr-defined]
        return (
            sparse.issparse(x)
            and sparse.issparse(fitted)
            and x.nnz > 0
            and x.shape[1] == fitted.shape[1]
            and x.dtype == fitted.dtype
            and x.dtype in (np.float32, np.float64)
            and "euclidean" in str(self.effective_metric_)  # type: ignore[attr-defined]
        )


class KNeighborsClassifier(_OldTies, neighbors.KNeighborsClassifier):  # type: ignore[misc]
    """Votes of the neighbours that were taken before 1.4."""

    def predict_proba(self, X: Any) -> Any:
        with self._as_measured(X):
            return super().predict_proba(X)


class KNeighborsRegressor(_OldTies, neighbors.KNeighborsRegressor):  # type: ignore[misc]
    """Means of the neighbours that were taken before 1.4."""


class NearestNeighbors(_OldTies, neighbors.NearestNeighbors):  # type: ignore[misc]
    """The neighbours that were taken before 1.4."""


class KNeighborsTransformer(_OldTies, neighbors.KNeighborsTransformer):  # type: ignore[misc]
    """Distances to the neighbours that were taken before 1.4."""


class LocalOutlierFactor(_OldTies, neighbors.LocalOutlierFactor):  # type: ignore[misc]
    """Densities around the neighbours that were taken before 1.4."""


class KNNImputer(impute.KNNImputer):  # type: ignore[misc]
    """Means of the neighbours that NumPy 1 took."""

    def _calc_impute(self, dist_pot_donors: Any, n_neighbors: int, *columns: Any) -> Any:
        return super()._calc_impute(only_those(dist_pot_donors, n_neighbors), n_neighbors, *columns)


OURS: dict[Any, Any] = {
    base: ours
    for ours in (
        KNeighborsClassifier, KNeighborsRegressor, NearestNeighbors, KNeighborsTransformer, LocalOutlierFactor
    )
    for base in ours.__bases__[1:]
}  # fmt: skip


@step("sklearn.neighbors._base.KNeighborsMixin", before="1.9", needs="_fit_X", of_numpy_1=True)
def neighbours_are_those_that_were_taken(made: Any, state: State) -> None:
    """Equally near ones fell otherwise in NumPy 1 (argpartition); 1.1, 1.2 and 1.4 changed who measures."""
    if state.get("_fit_method") != "brute" or type(made) not in OURS:
        return
    release = release_of(state["_sklearn_version"]) or (0, 0)
    since = (((1, 4), "today's"), ((1, 2), "any"), ((1, 1), "doubles"), ((0, 0), "none"))
    state["measured_by"] = next(who for first, who in since if release >= first)
    made.__class__ = OURS[type(made)]


@step("sklearn.impute._knn.KNNImputer", before="1.9", needs="_fit_X", of_numpy_1=True)
def donors_are_those_that_were_taken(made: Any, _state: State) -> None:
    """Equally near ones fell otherwise in NumPy 1 (argpartition)."""
    made.__class__ = KNNImputer


STEPS = (neighbours_are_those_that_were_taken, donors_are_those_that_were_taken)
