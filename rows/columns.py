"""The columns of a sample that was read: the label apart from the features, and those that a model takes.

Leaves reading it to `rows.samples`, which neither server nor worker holds.
"""

from collections.abc import Collection, Sequence
from typing import Any

import pandas as pd

from errors import InvalidSample
from rows.limits import listed

__all__ = ["check_target", "features_of", "split_target"]


def split_target(frame: pd.DataFrame, target: str) -> tuple[pd.DataFrame, "pd.Series[Any]"]:
    """Features and labels, without the rows whose label is missing; both with a new RangeIndex.

    Raises InvalidSample when there is no such column, no other column, or no label at all.
    """
    empty = [target] if target in frame.columns and frame[target].isna().all() else []
    check_target(target, [str(column) for column in frame.columns], empty)
    labelled = frame[frame[target].notna()].reset_index(drop=True)
    return labelled.drop(columns=[target]), labelled[target]


def check_target(target: str, columns: Sequence[str], empty: Collection[str]) -> None:
    """Raises InvalidSample as `split_target`; empty: the columns without any value."""
    if target not in columns:
        raise InvalidSample(
            f"The sample has no column {target!r} to use as target.",
            hint=f"Its columns are: {listed(list(columns))}.",
            field="target",
        )
    if target in empty:
        raise InvalidSample(
            f"Every value of the target column {target!r} is missing.",
            hint="Choose another target.",
            field="target",
        )
    if len(columns) == 1:
        raise InvalidSample(
            f"The sample has no column beside the target {target!r}.", hint="Add the columns the model takes."
        )


def features_of(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The columns that a model takes, in its order. Raises InvalidSample for those that the sample lacks."""
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise InvalidSample(
            f"The sample lacks {listed(missing)}, which the model takes.",
            hint=f"Its columns are: {listed([str(column) for column in frame.columns])}.",
            field="sample",
        )
    return frame[list(names)]
