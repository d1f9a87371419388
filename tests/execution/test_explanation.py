"""Which rows of a sample are explained: those that the model answers."""

import numpy as np
import pandas as pd

from estimators.answers import Predictions, RowError
from execution.explanation import Explained, answered


def refuses_blanks(rows: pd.DataFrame) -> Predictions:
    """As an estimator does that takes no NaN, asked row by row."""
    failed = rows.isna().any(axis=1).to_numpy()
    values = np.where(failed, np.nan, rows["a"].fillna(0))
    errors = (RowError("ValueError", "Input X contains NaN.", int(failed.sum()), 0),) if failed.any() else ()
    return Predictions(values, None, None, failed, errors)


def subject(values: list[float]) -> Explained:
    rows = pd.DataFrame({"a": values, "b": range(len(values))})
    labels = pd.Series([10.0 * i for i in range(len(values))])
    return Explained(rows, rows.dropna(), labels, "label", "regression")


def test_rows_that_the_model_refuses_are_left_out_with_their_labels() -> None:
    found = answered(subject([1.0, np.nan, 3.0]), refuses_blanks)
    assert found.rows["b"].tolist() == [0, 2]
    assert found.labels is not None and found.labels.tolist() == [0.0, 20.0]


def test_a_sample_that_is_answered_whole_or_not_at_all_stays_as_it_is() -> None:
    for whole in (subject([1.0, 2.0]), subject([np.nan, np.nan])):
        assert answered(whole, refuses_blanks) is whole


def test_without_labels_there_are_none_afterwards() -> None:
    given = subject([1.0, np.nan])
    found = answered(Explained(given.rows, given.background, None, "", "regression"), refuses_blanks)
    assert found.labels is None and len(found.rows) == 1
