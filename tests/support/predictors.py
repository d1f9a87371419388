"""Models as plain functions of a table, for tests of what asks a model."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from estimators.answers import Predictions, RowError


def answers(values: Any) -> Predictions:
    """What a regressor answered; a number that is not finite is a row that failed."""
    found = np.asarray(values, dtype=np.float64)
    failed = ~np.isfinite(found)
    first = int(np.argmax(failed)) if failed.any() else 0
    errors = (RowError("ValueError", "not finite", int(failed.sum()), first),) if failed.any() else ()
    return Predictions(np.where(failed, np.nan, found), None, None, failed, errors)


def numbers(function: Callable[[pd.DataFrame], Any]) -> Callable[[pd.DataFrame], Predictions]:
    def predict(frame: pd.DataFrame) -> Predictions:
        values = np.asarray(function(frame), dtype=np.float64)
        return Predictions(values, None, None, ~np.isfinite(values))

    return predict


def classes(function: Callable[[pd.DataFrame], Any]) -> Callable[[pd.DataFrame], Predictions]:
    """Two classes from the probability of the second; a NaN probability is a failed row."""

    def predict(frame: pd.DataFrame) -> Predictions:
        p = np.asarray(function(frame), dtype=np.float64)
        failed = np.isnan(p)
        return Predictions(
            np.where(failed, np.nan, p > 0.5), np.column_stack((1 - p, p)), ("no", "yes"), failed
        )

    return predict
