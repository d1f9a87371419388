"""Drift of a whole table at once: how well a classifier tells reference rows from current ones.

Promises: an AUC from rows that the classifier had not seen, with DeLong's interval, and the columns that
carry it. Imports scikit-learn inside its functions; runs in the worker, on tables only. Leaves drift column
by column to `drift`.
"""

import math
from collections.abc import Collection, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from distances.columns import category_codes_of_both, common_kind, numbers
from distances.formulas import Numbers
from distances.texts import figures_of_both
from errors import InvalidInput
from interruption import check, in_one_piece
from records.drift import DomainColumn, DomainDrift

__all__ = ["MIN_ROWS", "Effort", "auc_with_variance", "domain_drift", "warm_up"]

MIN_ROWS = 20  # a side; fewer leave nothing to learn from
MAX_CATEGORIES = 200  # scikit-learn takes 255 a column; rarer ones are taken together
ONE_PIECE_CELLS = 200_000
Z = 1.959963984540054  # of a 95 % interval


@dataclass(frozen=True)
class Effort:
    """How hard the classifier tries. rows: a side, more narrow the interval by little. columns: whose share
    of the AUC is measured, the likeliest first; 0 names none. bins: of a column's values, at most 255.
    """

    rows: int = 10_000
    folds: int = 5
    trees: int = 60
    leaves: int = 15
    bins: int = 255
    columns: int = 50


def domain_drift(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    effort: Effort | None = None,
    *,
    seed: int = 0,
    texts: Collection[Hashable] = (),
) -> DomainDrift:
    """Cross-validated AUC of gradient boosting that tells `current` (m rows) from `reference` (n rows).

    At most `effort.rows` of a side are drawn. Each fold's AUC is of rows that its classifier has not seen;
    the AUC is their mean, and its variance follows from theirs, the classifiers taken as given. Missing
    values are seen as such, so that more of them is drift as well. Categories are compared by their text; the
    columns named in `texts` by their words (`distances.texts.figures_of_both`).
    The rows are taken to be independent: a row that stands in both tables, or nearly, is known by its twin
    and pulls the AUC below 0.5, one that stands twice in one table pulls it up.

    Raises InvalidInput for columns that one side lacks and for fewer than 20 rows on a side.
    """
    effort = effort or Effort()
    names = [name for name in reference.columns if name in current.columns]
    if not names or len(names) < max(reference.shape[1], current.shape[1]):
        raise InvalidInput(
            "The tables do not have the same columns.", hint="Compare tables that have the same columns."
        )
    for side, frame in (("reference", reference), ("current", current)):
        if len(frame) < MIN_ROWS:
            raise InvalidInput(
                f"The {side} table has {len(frame)} rows, too few to train a classifier on.",
                hint=f"Give both tables at least {MIN_ROWS} rows.",
            )
    import sklearn.ensemble  # noqa: F401 -- slow; here because only an OpenMP that is loaded can be limited
    from threadpoolctl import threadpool_limits  # one of scikit-learn's own requirements

    rng = np.random.default_rng(seed)
    r, c = (_drawn(frame, effort.rows, rng) for frame in (reference, current))
    table = _encoded(r, c, names, min(MAX_CATEGORIES, effort.bins), frozenset(texts))
    labels = np.repeat([0, 1], [len(r), len(c)])
    with threadpool_limits(1, "openmp"):  # waiting for each other costs more than it saves on busy cores
        outcomes = _cross_validated(table, labels, effort, seed)
        losses = _losses(outcomes, table, labels, effort.columns, rng) if effort.columns else []
    auc = float(np.mean([fold.auc for fold in outcomes]))
    interval = _interval(auc, [fold.variance for fold in outcomes], min(len(r), len(c)))
    ranked = sorted(range(len(losses)), key=lambda i: -losses[i])
    return DomainDrift(
        auc=auc,
        interval=interval,
        drifted=interval[0] > 0.5,
        rows_reference=len(r),
        rows_current=len(c),
        folds=effort.folds,
        columns=tuple(DomainColumn(column=str(names[i]), auc_loss=losses[i]) for i in ranked),
    )


def auc_with_variance(labels: npt.NDArray[np.int64], scores: Numbers) -> tuple[float, float]:
    """Area under the ROC curve and its variance by DeLong's method, ties counted half.

    The share of (0, 1) pairs in the right order; each row's own share is its structural component, and
    the variance is that of the components' means. Source: DeLong et al. (1988); by ranks as in Sun and Xu
    (2014). Both labels occur at least twice.

    >>> auc_with_variance(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]))
    (0.75, 0.125)
    """
    ones, zeros = np.sort(scores[labels == 1]), np.sort(scores[labels == 0])
    n, m = len(zeros), len(ones)
    of_ones = (np.searchsorted(zeros, ones, "left") + np.searchsorted(zeros, ones, "right")) / (2 * n)
    of_zeros = 1 - (np.searchsorted(ones, zeros, "left") + np.searchsorted(ones, zeros, "right")) / (2 * m)
    variance = float(np.var(of_ones, ddof=1)) / m + float(np.var(of_zeros, ddof=1)) / n
    return float(np.mean(of_ones)), variance


def warm_up() -> None:
    """Import what the first call would: nearly a second, which no run has to wait for."""
    import sklearn.ensemble
    import sklearn.model_selection  # noqa: F401


@dataclass(frozen=True)
class _Fold:
    model: Any
    unseen: npt.NDArray[np.int64]
    auc: float
    variance: float


@dataclass(frozen=True)
class _Encoded:
    """float64 (rows, columns), NaN where missing, and which columns hold codes of categories.

    parts: which of the columns stand for each column of the tables; a text has several.
    """

    values: Numbers
    categorical: npt.NDArray[np.bool_]
    parts: list[list[int]]


def _drawn(frame: pd.DataFrame, rows: int, rng: np.random.Generator) -> pd.DataFrame:
    if len(frame) <= rows:
        return frame
    return frame.iloc[np.sort(rng.choice(len(frame), rows, replace=False))]


def _encoded(
    r: pd.DataFrame, c: pd.DataFrame, names: list[Any], categories: int, texts: frozenset[Hashable]
) -> _Encoded:
    columns: list[Numbers] = []
    categorical: list[bool] = []
    parts: list[list[int]] = []
    for name in names:
        check()
        if name in texts:
            own = list(figures_of_both(r[name], c[name]).T)
        elif common_kind(r[name], c[name]) == "category":
            own = [category_codes_of_both(r[name], c[name], categories)]
        else:
            own = [_bounded(np.concatenate((numbers(r[name]), numbers(c[name]))))]
        categorical += [name not in texts and common_kind(r[name], c[name]) == "category"] * len(own)
        parts.append(list(range(len(columns), len(columns) + len(own))))
        columns += own
    return _Encoded(np.column_stack(columns), np.array(categorical), parts)


def _bounded(values: Numbers) -> Numbers:
    """Infinities as the largest numbers that trees may be split between."""
    return np.clip(values, -1e300, 1e300)


def _cross_validated(
    table: _Encoded, labels: npt.NDArray[np.int64], effort: Effort, seed: int
) -> list[_Fold]:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import StratifiedKFold

    found = []
    folds = StratifiedKFold(effort.folds, shuffle=True, random_state=seed)
    for seen, unseen in folds.split(table.values, labels):
        model = HistGradientBoostingClassifier(
            max_iter=effort.trees,
            max_leaf_nodes=effort.leaves,
            max_bins=effort.bins,
            early_stopping=False,
            categorical_features=table.categorical,
            random_state=seed,
        )
        rows = table.values[seen]
        rows[:, np.isnan(rows).all(axis=0)] = 0.0  # scikit-learn cannot bin a column without any value
        fit = partial(model.fit, rows, labels[seen])
        # Trees of many columns take seconds each; of few, a thread would cost more than it is good for.
        in_one_piece(fit) if rows.size > ONE_PIECE_CELLS else fit()
        check()
        auc, variance = auc_with_variance(labels[unseen], model.decision_function(table.values[unseen]))
        found.append(_Fold(model, unseen, auc, variance))
    return found


def _interval(auc: float, variances: list[float], rows: int) -> tuple[float, float]:
    """95 %, the folds' rows being independent; with every pair in order no variance is left, and the rule
    of three bounds the share of rows that might not be."""
    if auc in (0.0, 1.0):
        return (1 - 3 / rows, 1.0) if auc == 1.0 else (0.0, 3 / rows)
    width = Z * math.sqrt(sum(variances)) / len(variances)
    return max(0.0, auc - width), min(1.0, auc + width)


def _losses(
    outcomes: list[_Fold],
    table: _Encoded,
    labels: npt.NDArray[np.int64],
    most: int,
    rng: np.random.Generator,
) -> list[float]:
    """Mean loss of AUC over the folds when a column is shuffled; 0 for columns that are not tried."""
    losses = [0.0] * len(table.parts)
    for i in _likeliest(table, labels, most):
        columns, lost = table.parts[i], []
        for fold in outcomes:
            check()
            rows = table.values[fold.unseen]
            rows[:, columns] = rows[rng.permutation(len(rows))][:, columns]
            auc, _ = auc_with_variance(labels[fold.unseen], fold.model.decision_function(rows))
            lost.append(fold.auc - auc)
        losses[i] = float(np.mean(lost))
    return losses


def _likeliest(table: _Encoded, labels: npt.NDArray[np.int64], most: int) -> list[int]:
    """At most so many columns, by how far their own ranks, or their missing values, tell the sides apart."""
    if len(table.parts) <= most:
        return list(range(len(table.parts)))
    apart = []
    for part in table.parts:
        column = table.values[:, part[0]]
        check()
        missing = np.isnan(column)
        auc, _ = auc_with_variance(labels, np.where(missing, -np.inf, column))
        gone = abs(float(missing[labels == 1].mean() - missing[labels == 0].mean()))
        apart.append(max(abs(auc - 0.5), gone))
    return [int(i) for i in np.argsort(-np.array(apart), kind="stable")[:most]]
