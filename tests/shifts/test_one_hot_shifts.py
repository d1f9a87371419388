"""Simulated drift leaves one-hot groups what they are: at most one column is 1."""

import numpy as np
import pandas as pd
import pytest

from distances.subject import Subject
from estimators.answers import Predictions
from records.drift import DriftPlan, ScenarioKind, ScenarioPlan
from records.schema import FieldSpec, Schema
from shifts.breaking_points import find_breaking_points
from shifts.scenarios import applicable_features, simulate
from synthetic_data import generate

MEMBERS = [
    FieldSpec(name=f"port_{name}", type="integer", min=0, max=1, mean=share, group="port")
    for name, share in (("C", 0.2), ("Q", 0.1), ("S", 0.7))
]
SCHEMA = Schema(features=(FieldSpec(name="fare", mean=30, std=10), *MEMBERS))
FRAME = generate(SCHEMA, 500, 0).frame
NAMES = [field.name for field in MEMBERS]
KINDS: tuple[ScenarioKind, ...] = (
    "mean_shift", "variance_scale", "noise", "quantile_shift", "correlated_shift", "category_mix",
    "segment_swap",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_no_shift_makes_two_of_a_group_one(kind: ScenarioKind) -> None:
    scenario = ScenarioPlan(kind=kind, magnitude=0.5)
    shifted = simulate(FRAME, SCHEMA, scenario, np.random.default_rng(0))
    assert shifted[NAMES].sum(axis=1).eq(1).all() and shifted[NAMES].isin([0, 1]).all().all()
    assert (shifted.dtypes == FRAME.dtypes).all()


def test_a_mix_of_categories_moves_rows_to_the_rarest_column_or_the_one_asked_for() -> None:
    rarest = simulate(
        FRAME, SCHEMA, ScenarioPlan(kind="category_mix", magnitude=0.5), np.random.default_rng(0)
    )
    assert rarest["port_Q"].mean() == pytest.approx(0.5 + 0.5 * FRAME["port_Q"].mean(), abs=0.03)
    asked = ScenarioPlan(kind="category_mix", magnitude=0.5, features=("port_C",))
    shifted = simulate(FRAME, SCHEMA, asked, np.random.default_rng(0))
    assert shifted["port_C"].mean() == pytest.approx(0.5 + 0.5 * FRAME["port_C"].mean(), abs=0.04)
    assert applicable_features(FRAME, SCHEMA, asked) == ("port_C",)


def test_no_breaking_point_is_searched_for_a_one_hot_column() -> None:
    def predict(frame: pd.DataFrame) -> Predictions:
        values = (frame["fare"] > 30).to_numpy(dtype=float)
        return Predictions(values, None, ("no", "yes"), np.zeros(len(frame), dtype=bool))

    subject = Subject.of(FRAME, SCHEMA, predict, predict(FRAME), 0)
    points, _ = find_breaking_points(subject, DriftPlan())
    assert [point.feature for point in points] == ["fare"]
