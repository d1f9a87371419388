"""What is said where nobody told what the inputs hold, and where all answers are alike."""

import numpy as np
import pytest

from checks import judge
from estimators.answers import Predictions
from execution.reservations import guessed_ranges, with_reservations
from records.base import Section
from records.checks import Check
from records.drift import BreakingPoint, Distances, DriftAnalysis, Scenario
from records.gates import Gates
from records.schema import FieldSpec, Schema
from reports.words import breaking_distance
from settings import Settings

UNKNOWN = FieldSpec(name="x0", origin="model")
NAMED = FieldSpec(name="age", origin="name", type="integer", min=0, max=100)
KNOWN = FieldSpec(name="rate", origin="model", min=0, max=1)
POINT = BreakingPoint(
    feature="x0", kind="mean_shift", magnitude=0.5, psi=0.1, interval=(0.4, 0.6), searched_to=4.0, rows=256
)
CALM = Scenario(
    kind="mean_shift", features=("x0",), magnitude=0.5, input=Distances(psi=0.3),
    prediction=Distances(psi=0.0), changed_share=0.0,
)  # fmt: skip


def answers(share: float) -> Predictions:
    values = np.where(np.arange(1_000) < share * 1_000, 0.0, 1.0)
    return Predictions(values, None, ("no", "yes"), np.zeros(1_000, dtype=bool))


def reserved(share: float, *fields: FieldSpec, has_sample: bool = False) -> DriftAnalysis:
    drift = DriftAnalysis(scenarios=(CALM,), breaking_points=(POINT,))
    return with_reservations(drift, Schema(features=fields), answers(share), has_sample=has_sample)


def test_features_of_unknown_range_are_counted_and_named() -> None:
    told = guessed_ranges(Schema(features=(UNKNOWN, NAMED, KNOWN)))
    assert told[0].startswith(
        "No ranges are known for 1 of 3 features (x0): they were drawn from standard normals"
    )
    assert told[1].startswith("The ranges of 1 of 3 features (age) are ordinary ones by their names")
    assert guessed_ranges(Schema(features=(KNOWN,))) == []


def test_breaking_points_of_assumed_ranges_are_marked() -> None:
    drift = reserved(0.5, UNKNOWN, KNOWN)
    assert drift.breaking_points[0].assumed
    assert breaking_distance(drift.breaking_points[0]).endswith(", of an assumed range")
    assert drift.reservation.startswith("The ranges of 1 of 2 features are not known but assumed")
    plain = reserved(0.5, KNOWN)
    assert not plain.breaking_points[0].assumed and plain.reservation == plain.unjudged == ""


@pytest.mark.parametrize(
    ("share", "has_sample", "is_judged"),
    [(0.5, False, True), (0.98, False, True), (0.995, False, False), (0.995, True, True), (1.0, True, False)],
)
def test_nearly_all_answers_alike_show_no_drift(share: float, has_sample: bool, is_judged: bool) -> None:
    drift = reserved(share, KNOWN, has_sample=has_sample)
    assert (drift.unjudged == "") == is_judged
    if not is_judged:
        assert "of the generated rows alike (no)" in drift.unjudged


def judged(drift: DriftAnalysis, gates: Gates) -> dict[str, Check]:
    none: Section = Section.not_applicable("Not looked at.")  # type: ignore[type-arg]
    found = judge(
        metrics=none, accuracy=none, robustness=none, drift=Section[DriftAnalysis].ok(drift),
        explanation=none, likeness=none, gates=gates, thresholds=Settings(_env_file=None), baseline=None,
    )  # fmt: skip
    return {check.id: check for check in found if "drift" in check.id or "psi" in check.id}


def test_no_check_of_drift_passes_where_nothing_could_show() -> None:
    assert judged(reserved(0.5, KNOWN), Gates())["prediction_psi"].status == "measured"
    checks = judged(reserved(0.999, KNOWN), Gates(max_changed_share=0.1, min_breaking_point=0.1))
    assert checks["prediction_psi"].status == "not_applicable"
    assert checks["prediction_psi"].reason.startswith("Not judged. The model answers 99.9 %")
    assert checks["drift_changed_share"].status == checks["drift_breaking_point"].status == "error"


def test_what_warns_or_fails_is_told_all_the_same() -> None:
    moved = CALM.model_copy(update={"changed_share": 0.4, "prediction": Distances(psi=2.0)})
    drift = reserved(0.999, KNOWN).model_copy(update={"scenarios": (moved,)})
    checks = judged(drift, Gates(max_changed_share=0.1))
    assert (checks["prediction_psi"].status, checks["drift_changed_share"].status) == (
        "not_applicable",
        "fail",
    )
