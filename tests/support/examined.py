"""One behaviour of one model on rows that are always the same, for tests of `robustness`.

Promises: three features of three types, within the bounds that their schema declares. Leaves the
models to the tests, as plain functions of a table.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from distances.subject import Subject
from errors import DashboardError
from estimators.answers import Predictions
from records.robustness import Behaviour, BehaviourName, RobustnessPlan, Trend
from records.schema import FieldSpec, Schema
from robustness.examination import examine

__all__ = ["NUMBERS", "SCHEMA", "N", "Predict", "behaviour", "frame_of"]

Predict = Callable[[pd.DataFrame], Predictions]
N = 120  # four equal batches, for the threads
SCHEMA = Schema(
    features=(
        FieldSpec(name="x", min=0, max=10),
        FieldSpec(name="n", type="integer", min=0, max=8),
        FieldSpec(name="colour", type="category", categories=("red", "blue")),
    )
)
NUMBERS = Schema(features=SCHEMA.features[:2])


def frame_of(rows: int = N) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    return pd.DataFrame(
        {
            "x": rng.uniform(0, 10, rows),
            "n": rng.integers(0, 9, rows),
            "colour": rng.choice(["red", "blue"], rows),
        }
    )


def behaviour(
    name: BehaviourName,
    predict: Predict,
    schema: Schema = SCHEMA,
    *,
    rows: int = N,
    monotonic: Mapping[str, Trend] | None = None,
    together: Predict | None = None,
) -> Behaviour:
    """What is found on the schema's columns. A model that refuses even those is held against nought."""
    frame = frame_of(rows)[[f.name for f in schema.features]]
    try:
        reference = predict(frame)
    except DashboardError:
        reference = Predictions(np.zeros(rows), None, None, np.zeros(rows, dtype=bool))
    plan = RobustnessPlan(checks=(name,), monotonic=dict(monotonic or {}))
    (found,) = examine(Subject.of(frame, schema, predict, reference, 0), plan, together=together).behaviours
    return found
