"""A model under examination: the rows that it is asked about, and what it answered to them before."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
import pandas as pd

from distances.changes import ask, change_tolerance, subset
from estimators.answers import Predict, Predictions
from records.schema import Schema

__all__ = ["Subject"]


@dataclass(frozen=True)
class Subject:
    """What simulated shifts and behaviours are looked at on.

    frame: n rows of the schema's columns. predict: asks the model again. reference: what it answered for
    `frame`. tolerance: how far a number must move to count as another answer. seed: whatever is drawn at
    random is drawn from it.
    """

    frame: pd.DataFrame
    schema: Schema
    predict: Predict
    reference: Predictions
    tolerance: float
    seed: int

    @classmethod
    def of(
        cls, frame: pd.DataFrame, schema: Schema, predict: Predict, reference: Predictions, seed: int
    ) -> Self:
        """With the tolerance that follows from the answers: `distances.changes.change_tolerance`."""
        return cls(frame, schema, predict, reference, change_tolerance(reference), seed)

    @property
    def rows(self) -> int:
        return len(self.frame)

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """The features that are texts. Looked for once: asked for by each of 10,000 it took seconds."""
        return tuple(field.name for field in self.schema.features if field.type == "text")

    def ask(self, frame: pd.DataFrame) -> Predictions:
        """The answers for another table; BadAnswer when there is not one for each row."""
        return ask(self.predict, frame)

    def head(self, rows: int) -> Self:
        """The same model on the first rows alone; what counts as another answer stays."""
        kept = min(rows, self.rows)
        frame = self.frame.iloc[:kept].reset_index(drop=True)
        return replace(self, frame=frame, reference=subset(self.reference, np.arange(kept)))
