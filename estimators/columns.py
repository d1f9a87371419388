"""Fitted transformers as steps that take some of a table's columns by name, as people apply them by hand.

Promises: `ColumnSteps` takes the raw table and gives the columns that the next step was fitted on, each
transformer asked for its own columns only. Leaves which transformers take which columns to `bundles`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = [
    "ColumnPart",
    "ColumnSteps",
    "MappedCategories",
    "Named",
    "of_sklearn",
    "takes_one_column",
]


@dataclass(frozen=True)
class ColumnPart:
    """One transformer: the columns that it takes, and the names of those that take their place."""

    transformer: Any
    takes: tuple[str, ...]
    gives: tuple[str, ...]

    def transform(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table with this part's columns put in place of those that it takes."""
        taken = table[list(self.takes)]
        one = takes_one_column(self.transformer)
        answer = self.transformer.transform(taken.iloc[:, 0] if one else taken_as_fitted(self, taken))
        found = as_table(answer, self.gives, table.index)
        if self.takes == self.gives:
            return table.assign(**{name: found[name] for name in self.gives})
        return pd.concat([table.drop(columns=list(self.takes)), found], axis=1)


def of_sklearn(kind: type) -> bool:
    """Whether a class is scikit-learn's own, or one of `upgrades` that answers as an older release's did."""
    return kind.__module__.partition(".")[0] in ("sklearn", "upgrades")


def takes_one_column(transformer: Any) -> bool:
    """Whether it takes one column of values, not a table: label encoders and vectorizers do."""
    kind = type(transformer).__name__
    return kind in ("LabelEncoder", "MappedCategories") or hasattr(transformer, "build_analyzer")


def taken_as_fitted(part: ColumnPart, taken: pd.DataFrame) -> Any:
    """A table for what was fitted on one, an array for what was fitted on an array."""
    return taken if hasattr(part.transformer, "feature_names_in_") else taken.to_numpy()


def as_table(answer: Any, names: Sequence[str], index: Any) -> pd.DataFrame:
    """What a transformer gave, as a table of these columns. Raises ValueError for another number of them."""
    if hasattr(answer, "toarray"):
        answer = answer.toarray()
    values = np.asarray(answer)
    values = values.reshape(len(values), -1) if values.ndim != 2 else values
    if values.shape[1] != len(names):
        raise ValueError(f"a step gave {values.shape[1]} columns in place of {len(names)}")
    return pd.DataFrame(values, columns=list(names), index=index)


class ColumnSteps:
    """The first step of an assembled pipeline: transformers in turn, each on its own columns by name.

    names: the raw columns, in order. out: the columns that leave it, in order. frame: whether the next step
    was fitted on a table with names.
    """

    def __init__(
        self, names: Sequence[str], parts: Sequence[ColumnPart], out: Sequence[str], frame: bool
    ) -> None:
        self.feature_names_in_ = np.array(list(names), dtype=object)
        self.n_features_in_ = len(names)
        self.parts = tuple(parts)
        self.out = tuple(out)
        self.frame = frame

    def fit(self, _x: Any, _y: Any = None) -> "ColumnSteps":
        """It is made of fitted parts: nothing is left to learn."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def get_feature_names_out(self, _names: Any = None) -> npt.NDArray[Any]:
        return np.array(self.out, dtype=object)

    def transform(self, table: Any) -> Any:
        """(n, raw columns) -> (n, out): a table, or an array of floats where all of it is numbers."""
        names = list(self.feature_names_in_)
        table = table[names] if isinstance(table, pd.DataFrame) else pd.DataFrame(table, columns=names)
        for part in self.parts:
            table = part.transform(table)
        table = table[list(self.out)]
        if self.frame:
            return table
        try:
            return table.to_numpy(dtype=np.float64, na_value=np.nan)
        except (TypeError, ValueError):
            return table.to_numpy()


class Named:
    """A step that gives the columns of an array the names that the next step was fitted with."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.n_features_in_ = len(self.names)

    def fit(self, _x: Any, _y: Any = None) -> "Named":
        """Nothing is learnt."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def get_feature_names_out(self, _names: Any = None) -> npt.NDArray[Any]:
        return np.array(self.names, dtype=object)

    def transform(self, x: Any) -> Any:
        """(n, f) array or table -> table of the names; a sparse one stays as it is."""
        if hasattr(x, "toarray"):
            return x
        if isinstance(x, pd.DataFrame):
            return (
                x[list(self.names)] if set(self.names) <= set(x.columns) else x.set_axis(self.names, axis=1)
            )
        return pd.DataFrame(x, columns=list(self.names))


class MappedCategories:
    """A dict from category to number, as people write it by hand, as an encoder of one column."""

    def __init__(self, numbers: Mapping[str, float]) -> None:
        self.numbers = dict(numbers)
        self.classes_ = np.array(list(self.numbers), dtype=object)

    def transform(self, values: Any) -> npt.NDArray[np.float64]:
        """The number of each category (n,). Raises ValueError for one that the dict lacks."""
        given = pd.Series(np.asarray(values, dtype=object))
        found = given.map(self.numbers)
        if found.isna().any():
            unseen = given[found.isna()].iloc[0]
            raise ValueError(f"y contains previously unseen labels: {str(unseen)[:100]!r}")
        return np.asarray(found, dtype=np.float64)
