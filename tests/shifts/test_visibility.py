"""What a classifier sees of a simulated shift, against closed forms, and where columns show nothing."""

import time

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from distances.subject import Subject
from records.drift import Distances, DomainDrift, DriftPlan, Scenario, ScenarioKind, ScenarioPlan, seen_by
from records.schema import FieldSpec, Schema
from shifts.analysis import analyse
from shifts.visibility import with_domain_auc
from tests.support.predictors import numbers

SCHEMA = Schema(features=tuple(FieldSpec(name=name) for name in ("a", "b", "c")))


def normal(rows: int = 2_000, correlation: float = 0.0, seed: int = 0) -> pd.DataFrame:
    a, b, c = np.random.default_rng(seed).normal(size=(3, rows))
    return pd.DataFrame({"a": a, "b": correlation * a + np.sqrt(1 - correlation**2) * b, "c": c})


def played(kind: ScenarioKind, magnitude: float, *features: str) -> Scenario:
    return Scenario(
        kind=kind, features=features or ("a", "b", "c"), magnitude=magnitude, input=Distances(),
        prediction=Distances(), changed_share=0.0,
    )  # fmt: skip


def domain(frame: pd.DataFrame, scenario: Scenario, seed: int = 0) -> DomainDrift:
    (found,), notes = with_domain_auc(frame, SCHEMA, [scenario], 60.0, seed)
    assert notes == () and found.domain is not None
    assert found.model_copy(update={"domain": None}) == scenario
    return found.domain


@pytest.mark.parametrize(
    ("kind", "magnitude", "features", "distance"),
    [("mean_shift", 1.0, ("a",), 1.0), ("mean_shift", 2.0, ("b",), 2.0),
     ("mean_shift", 0.5, ("a", "b", "c"), 0.5 * np.sqrt(3)), ("correlated_shift", 1.0, (), 1.0)],
)  # fmt: skip
def test_normal_rows_moved_by_d_deviations_are_told_as_well_as_can_be(
    kind: ScenarioKind, magnitude: float, features: tuple[str, ...], distance: float
) -> None:
    """Two normals whose means are d apart have the AUC Phi(d / sqrt(2)); trees come near from below.

    Along the main axis, d is the distance of Mahalanobis and equals the magnitude.
    """
    best = float(norm.cdf(distance / np.sqrt(2)))
    found = domain(normal(correlation=0.6 if kind == "correlated_shift" else 0.0),
                   played(kind, magnitude, *features))  # fmt: skip
    assert best - 0.08 < found.auc < best + 0.04
    assert found.interval[0] < found.auc < found.interval[1] and found.drifted
    assert (found.rows_reference, found.rows_current, found.columns) == (1_000, 1_000, ())


def test_what_is_not_moved_is_not_told_however_rows_repeat() -> None:
    """Twins across the halves or copies within one would show as an AUC far from 0.5."""
    still = [
        domain(normal(600, seed=seed), played("mean_shift", 1e-9), seed).auc for seed in range(8)
    ]  # fmt: skip
    assert np.mean(still) == pytest.approx(0.5, abs=0.03)
    swapped = [domain(normal(600, seed=seed), played("segment_swap", 0.5), seed).auc for seed in range(8)]
    assert np.mean(swapped) == pytest.approx(0.5, abs=0.03)


def test_a_swap_of_one_feature_shows_in_the_whole_table_only() -> None:
    frame = normal(correlation=0.95)
    plan = DriftPlan(
        scenarios=(ScenarioPlan(kind="segment_swap", magnitude=0.5, features=("a",)),
                   ScenarioPlan(kind="mean_shift", magnitude=1.0),
                   ScenarioPlan(kind="unseen_category", magnitude=0.1)),
        breaking_points=False, decomposition=False, domain_auc=True,
    )  # fmt: skip
    predict = numbers(lambda f: f["a"])
    found = analyse(Subject.of(frame, SCHEMA, predict, predict(frame), 0), plan)
    assert [seen_by(s) for s in found.scenarios] == ["whole table only", "columns and whole table", None]
    assert found.scenarios[2].domain is None  # it applies to no feature
    plain = analyse(
        Subject.of(frame, SCHEMA, predict, predict(frame), 0), plan.model_copy(update={"domain_auc": False})
    )
    assert [s.domain for s in plain.scenarios] == [None, None, None]
    assert plain.scenarios[0] == found.scenarios[0].model_copy(update={"domain": None})


def test_every_feature_alone_is_looked_at_too_and_the_seed_decides() -> None:
    frame, predict = normal(200), numbers(lambda f: f["a"])
    plan = DriftPlan(
        scenarios=(ScenarioPlan(kind="mean_shift", magnitude=1.0),), breaking_points=False,
        decomposition=False, domain_auc=True, each_feature=True, budget_s=60,
    )  # fmt: skip
    found = analyse(Subject.of(frame, SCHEMA, predict, predict(frame), 3), plan)
    assert [s.features for s in found.scenarios if s.domain] == [("a", "b", "c"), ("a",), ("b",), ("c",)]
    assert found == analyse(Subject.of(frame, SCHEMA, predict, predict(frame), 3), plan)


def test_the_budget_cuts_and_says_how_far_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10_000))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    scenarios = [played("mean_shift", magnitude) for magnitude in (0.5, 1.0, 2.0)]
    found, notes = with_domain_auc(normal(100), SCHEMA, scenarios, 2.5, 0)
    assert [s.domain is not None for s in found] == [True, True, False]
    assert notes == ("A classifier looked at 2 of 3 scenarios: the budget ended.",)


def test_too_few_rows_are_said_once() -> None:
    scenarios = [played("mean_shift", 1.0)]
    found, notes = with_domain_auc(normal(39), SCHEMA, scenarios, 60.0, 0)
    assert found == scenarios
    assert notes == ("A classifier needs 40 generated rows to look at the scenarios.",)


@pytest.mark.parametrize(
    ("psi", "drifted", "words"),
    [(0.1, True, "columns and whole table"), (0.1, False, "columns only"),
     (0.09, True, "whole table only"), (None, False, "neither")],
)  # fmt: skip
def test_who_sees_a_shift(psi: float | None, drifted: bool, words: str) -> None:
    told = DomainDrift(
        auc=0.6, interval=(0.55, 0.65), drifted=drifted, rows_reference=50, rows_current=50, folds=2,
        columns=(),
    )  # fmt: skip
    scenario = played("noise", 1.0).model_copy(update={"input": Distances(psi=psi)})
    assert seen_by(scenario) is None
    assert seen_by(scenario.model_copy(update={"domain": told})) == words
