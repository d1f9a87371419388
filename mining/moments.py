"""What scalers, power transforms, mixtures and covariances tell: means, widths and the shape that fits them.

Promises: figures that the model holds are told as they are; a shape is a suggestion that anything more
exact overrides. Leaves the way through pipelines to `mining.schema`. Runs in the locked child.
"""

import math
from typing import Any

import numpy as np

from mining.facts import Column, Columns, Facts, Floats, tell_raw
from rows.shapes import QUANTILES
from schema_utils import MAX_WITH_QUANTILES

__all__ = ["MOMENT_MINERS"]

POSITIVE = 0.5  # mean over std from which a column counts as positive; at 0 are columns that were centred
DRAWN = 1_000
END = 0.0005  # the share beyond the outermost quantile of a shape without ends
SEED = 0


def _mine_scaler(step: Any, columns: Columns, facts: Facts) -> None:
    kind = type(step).__name__
    if kind == "StandardScaler":
        variances = step.var_ if step.var_ is not None else [None] * len(columns)
        seen = np.broadcast_to(np.asarray(step.n_samples_seen_, dtype=np.float64), len(columns))
        for column, mean, variance, rows in zip(columns, step.mean_, variances, seen, strict=True):
            tell_raw(facts, column, mean=mean, std=None if variance is None else math.sqrt(variance))
            if variance is not None and column is not None and column.raw:
                _suggest_shape(facts, column, float(mean), float(variance), float(rows))
    elif kind == "MinMaxScaler":
        for column, low, high in zip(columns, step.data_min_, step.data_max_, strict=True):
            tell_raw(facts, column, min=low, max=high)
    elif kind == "RobustScaler":
        # The scale is the range of two quantiles: for the default quartiles a normal's std is that / 1.349.
        for column, middle, spread in zip(columns, step.center_, step.scale_, strict=True):
            tell_raw(facts, column, mean=middle, std=spread / 1.349)
    elif kind == "MaxAbsScaler":
        for column, largest in zip(columns, step.max_abs_, strict=True):
            tell_raw(facts, column, min=-largest, max=largest)


def _suggest_shape(facts: Facts, column: Column, mean: float, variance: float, rows: float) -> None:
    """A gamma for what is positive and not far from 0, 0 and 1 for what can be nothing else, else nothing.

    A gamma of the same mean and variance never goes below 0 and is as skewed as the two figures ask for;
    far from 0 it is a normal. Whole numbers show in their sums over the rows: see `_are_whole`.
    """
    if variance <= 0 or mean <= 0 or facts.count > MAX_WITH_QUANTILES:
        return
    whole = _are_whole(mean, variance, rows)
    if whole:
        facts.tell(column, type="integer")
    shares = _shares()
    if whole and abs(variance - mean * (1 - mean)) < 1e-9:  # x^2 = x on average, so for each whole number
        facts.suggest(column, quantiles=tuple((shares > 1 - mean).astype(float).tolist()))
    elif mean > POSITIVE * math.sqrt(variance):
        from scipy.special import gammaincinv

        values = gammaincinv(mean * mean / variance, shares) * variance / mean
        if np.isfinite(values).all():
            facts.suggest(column, quantiles=tuple((np.rint(values) if whole else values).tolist()))


def _are_whole(mean: float, variance: float, rows: float) -> bool:
    """Whether the sum and the sum of squares of so many rows are those of whole numbers.

    Both are whole then, both even or both odd (x and x^2 are), and the squares' is not the smaller one;
    rounding must leave room to tell.
    """
    total, squares = mean * rows, (variance + mean * mean) * rows
    slack = 1e-11 * max(abs(squares), abs(total), 1.0)
    close = abs(total - round(total)) <= slack and abs(squares - round(squares)) <= slack
    same = (round(total) - round(squares)) % 2 == 0
    return rows >= 10 and slack < 0.01 and close and same and round(squares) >= abs(round(total)) > 0


def _shares() -> Floats:
    """Shares of a field's quantiles; the outermost stop short of the infinite."""
    shares = np.linspace(0.0, 1.0, QUANTILES)
    shares[0], shares[-1] = END, 1 - END
    return shares


def _mine_power(step: Any, columns: Columns, facts: Facts) -> None:
    """PowerTransformer: what it maps to a standard normal, undone. Mean and std from -1, 0 and 1."""
    if type(step).__name__ != "PowerTransformer" or not step.standardize:
        return
    from scipy.special import ndtri

    points = np.concatenate([[-1.0, 0.0, 1.0], ndtri(_shares())])
    undone = step.inverse_transform(np.repeat(points[:, None], len(columns), axis=1))
    for column, values in zip(columns, undone.T, strict=True):
        tell_raw(facts, column, mean=values[1], std=(values[2] - values[0]) / 2)
        own = values[3:]
        if column is not None and column.raw and facts.count <= MAX_WITH_QUANTILES and np.isfinite(own).all():
            facts.suggest(column, quantiles=tuple(np.maximum.accumulate(own).tolist()))


def _mine_moments(step: Any, columns: Columns, facts: Facts) -> None:
    """Means and covariances: naive Bayes and discriminants by class, mixtures by component, PCA over all."""
    means, covariances, shares = _components(step)
    variances = np.stack([np.diag(covariance) for covariance in covariances])
    mean = shares @ means
    std = np.sqrt(np.maximum(shares @ (variances + np.square(means)) - np.square(mean), 0))  # of the mixture
    for column, m, s in zip(columns, mean, std, strict=True):
        tell_raw(facts, column, mean=m, std=s)
    if len(columns) > 1 and facts.count <= MAX_WITH_QUANTILES:
        facts.tell_rows(columns, _drawn(means, covariances, shares))


def _components(step: Any) -> tuple[Floats, Floats, Floats]:
    """(means, covariances, shares) of the normals that an estimator's rows are taken to come from."""
    if hasattr(step, "theta_"):
        # The smoothing added to the variances comes from the widest feature and swamps narrow ones.
        variances = np.maximum(step.var_ - step.epsilon_, 0.0)
        return step.theta_, np.stack([np.diag(v) for v in variances]), np.asarray(step.class_prior_)
    if hasattr(step, "weights_") and hasattr(step, "means_"):
        found, count = np.asarray(step.covariances_), len(step.means_)
        width = step.means_.shape[1]
        if step.covariance_type == "diag":
            found = np.stack([np.diag(v) for v in found])
        elif step.covariance_type == "spherical":
            found = np.stack([np.eye(width) * v for v in found])
        elif step.covariance_type == "tied":
            found = np.stack([found] * count)
        return step.means_, found, np.asarray(step.weights_)
    if hasattr(step, "priors_") and hasattr(step, "means_"):
        own = np.asarray(step.covariance_)
        covariances = np.stack([own] * len(step.means_)) if own.ndim == 2 else own
        return step.means_, covariances, np.asarray(step.priors_)
    if hasattr(step, "location_"):
        return step.location_[None, :], np.asarray(step.covariance_)[None], np.ones(1)
    return step.mean_[None, :], np.asarray(step.get_covariance())[None], np.ones(1)


def _drawn(means: Floats, covariances: Floats, shares: Floats) -> Floats:
    """DRAWN rows of the mixture."""
    rng = np.random.default_rng(SEED)
    counts = rng.multinomial(DRAWN, shares / shares.sum())
    parts = [
        rng.multivariate_normal(mean, covariance, count, check_valid="ignore")
        for mean, covariance, count in zip(means, covariances, counts, strict=True)
    ]
    return np.concatenate(parts)


MOMENT_MINERS = (_mine_scaler, _mine_power, _mine_moments)
