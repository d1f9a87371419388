"""What the drift stage of a run costs beside bare predictions, and how few rows the search asks for.

    python -m benchmarks.drift_stage

In units of one bare prediction of 20,000 rows, taken in turn with the stage; and the rows asked for breaking
points, against asking all rows at each step of the ladder and of three bisections.
"""

import time
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from distances.subject import Subject
from estimators.answers import Predictions
from records.drift import DriftPlan
from records.schema import FieldSpec, Schema
from shifts.analysis import analyse
from shifts.breaking_points import MAX_ROWS, find_breaking_points
from shifts.search import LEVELS, RELATIVE_WIDTH

ROWS, FEATURES, ROUNDS = 1_000, 20, 5
MODELS: dict[str, Any] = {
    "forest of 100 trees": RandomForestClassifier(100, random_state=0),
    "hist gradient boosting": HistGradientBoostingClassifier(random_state=0),
    "scaler + logistic": make_pipeline(StandardScaler(), LogisticRegression()),
}


class Asked:
    """A model as the drift stage asks it, and how many rows it was asked about."""

    def __init__(self, model: Any) -> None:
        self.model, self.rows = model, 0

    def __call__(self, table: pd.DataFrame) -> Predictions:
        self.rows += len(table)
        scores = self.model.predict_proba(table.fillna(0.0))
        failed = np.zeros(len(table), dtype=bool)
        return Predictions(scores.argmax(1).astype(float), scores, ("0", "1"), failed)


def main() -> None:
    x, y = make_classification(2_000, FEATURES, n_informative=10, random_state=0)
    names = [f"f{i}" for i in range(FEATURES)]
    schema = Schema(features=tuple(FieldSpec(name=name) for name in names))
    # Each column on its own: as rows that nothing ties together.
    frame = pd.DataFrame(np.random.default_rng(0).permuted(x[:ROWS], axis=0), columns=names)
    many = pd.concat([frame] * 20, ignore_index=True)
    every = 2 * FEATURES * (len(LEVELS) + 3 * round(np.log2(1 / (2 * RELATIVE_WIDTH)))) * MAX_ROWS
    print(f"{'':24} {'20,000 rows':>12} {'stage':>8} {'ratio':>6} {'rows asked':>11} {'of':>9} {'found':>6}")
    for name, model in MODELS.items():
        asked = Asked(model.fit(pd.DataFrame(x, columns=names), y))
        reference = asked(frame)

        def stage(asked: Asked = asked, reference: Predictions = reference) -> None:
            analyse(Subject.of(frame, schema, asked, reference, 0), DriftPlan())

        def bare(asked: Asked = asked) -> None:
            asked(many)

        # In turn, so that a busy moment of the machine meets both.
        taken = [(seconds(bare), seconds(stage)) for _ in range(ROUNDS)]
        bare_s, stage_s = (min(column) for column in zip(*taken, strict=True))
        asked.rows = 0
        points, _ = find_breaking_points(
            Subject.of(frame, schema, asked, reference, 0), DriftPlan(budget_s=60)
        )
        found = sum(point.magnitude is not None for point in points)
        print(f"{name:24} {bare_s:10.3f} s {stage_s:6.3f} s {stage_s / bare_s:5.1f}x", end=" ")
        print(f"{asked.rows:11,} {every:9,} {found:6}")


def seconds(work: Any) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
