"""A report of many features: bounded, and summing to what it summed to."""

import numpy as np
import pytest

from execution import wide_reports
from execution.wide_reports import bounded
from records.base import Section
from records.drift import BreakingPoint, ColumnDrift, Decomposition, DriftAnalysis, Scenario, SingleEffect
from records.drift import Distances as NoDistances
from records.explanation import Explanation, FeatureImportance, FeatureShare, ShiftExplanation
from records.run import RunReport
from tests.support.sample_reports import sample_report

FEATURES = 1_200
NAMES = tuple(f"gene {i}" for i in range(FEATURES))


def wide_report(outputs: int = 1) -> RunReport:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(4, FEATURES, outputs)).astype(float)
    mean = np.abs(values).mean(axis=(0, 2))
    shap = values[:, :, 0] if outputs == 1 else values
    order = np.argsort(-mean)
    report = sample_report()
    assert report.drift.value is not None
    explanation = Explanation(
        method="linear", explainer="x", output="margin", outputs=tuple(map(str, range(outputs))), rows=4,
        features=NAMES,
        importance=tuple(FeatureImportance(feature=NAMES[i], mean_abs=float(mean[i])) for i in order),
        base_values=(0.5,) * outputs,
        shap_values=tuple(tuple(tuple(c) if outputs > 1 else c for c in row) for row in shap.tolist()),
        feature_values=tuple(tuple(row) for row in rng.normal(size=(4, FEATURES)).tolist()),
        additivity_error=0.0,
        shift=ShiftExplanation(
            scenario="mean_shift 1", output="margin", of="1", rows=4, change=float(FEATURES), remainder=0.0,
            features=tuple(FeatureShare(feature=name, change=1.0) for name in NAMES),
        ),
    )  # fmt: skip
    drift = report.drift.value.model_copy(update={
        "columns": tuple(
            ColumnDrift(column=name, kind="numeric", psi=float(i % 1_000), drifted=i % 2 == 0)
            for i, name in enumerate(NAMES)
        ),
        "breaking_points": tuple(
            BreakingPoint(feature=n, kind="mean_shift", magnitude=1.0, psi=1.0, interval=None, searched_to=4)
            for n in NAMES
        ),
        "scenarios": (Scenario(
            kind="mean_shift", features=NAMES, magnitude=1.0, input=NoDistances(), prediction=NoDistances(),
            changed_share=0.5,
        ),),
        "decomposition": Decomposition(
            kind="mean_shift", magnitude=1.0, rows=64, joint_changed_share=0.5, single_changed_sum=12.0,
            changed_remainder=-11.5,
            singles=tuple(SingleEffect(feature=n, changed_share=0.01, output_change=0.5) for n in NAMES),
        ),
    })  # fmt: skip
    return report.model_copy(
        update={
            "drift": Section.ok(drift),
            "explanation": Section.ok(explanation),
        }
    )


def test_a_report_of_few_features_is_left_as_it_is() -> None:
    assert bounded(sample_report()) == sample_report()


@pytest.mark.parametrize("outputs", [1, 3])
def test_of_many_features_the_most_important_stay_and_a_row_still_sums_to_its_output(outputs: int) -> None:
    before = wide_report(outputs).explanation.value
    after = bounded(wide_report(outputs)).explanation.value
    assert before is not None and after is not None
    assert after.importance == before.importance[: wide_reports.SHOWN]
    assert set(after.features[:-1]) == {item.feature for item in after.importance}
    assert after.features[-1] == "700 others, summed"
    whole, cut = (np.asarray(e.shap_values) for e in (before, after))
    np.testing.assert_allclose(cut.sum(axis=1), whole.sum(axis=1), atol=1e-9)
    place = before.features.index(after.features[3])
    np.testing.assert_array_equal(cut[:, 3], whole[:, place])
    assert [row[3] for row in after.feature_values] == [row[place] for row in before.feature_values]
    assert {len(row) for row in after.feature_values} == {wide_reports.SHOWN + 1}
    assert "1,200 features" in after.notes[-1]


def test_the_parts_of_a_shift_still_sum_to_its_change() -> None:
    report = bounded(wide_report())
    assert report.explanation.value is not None and report.explanation.value.shift is not None
    assert report.drift.value is not None and report.drift.value.decomposition is not None
    shift, parts = report.explanation.value.shift, report.drift.value.decomposition
    assert sum(share.change for share in shift.features) == pytest.approx(shift.change)
    assert len(shift.features) == len(parts.singles) == wide_reports.SHOWN + 1
    assert sum(s.changed_share or 0.0 for s in parts.singles) == pytest.approx(parts.single_changed_sum)


def test_features_that_were_not_searched_are_not_listed_among_the_breaking_points() -> None:
    report = wide_report()
    drift = report.drift.value
    assert drift is not None
    points = tuple(
        point if i < 20 else point.model_copy(update={"magnitude": None, "searched_to": 0.0})
        for i, point in enumerate(drift.breaking_points)
    )
    drift = drift.model_copy(update={"breaking_points": points})
    found = bounded(
        report.model_copy(update={"drift": Section[DriftAnalysis](status="ok", value=drift)})
    ).drift.value
    assert found is not None and len(found.breaking_points) == 20
    assert not any("breaking points" in note for note in found.notes)


def test_of_many_columns_those_with_the_largest_psi_stay_in_their_order_and_the_rest_is_told() -> None:
    drift = bounded(wide_report()).drift.value
    assert drift is not None
    places = [NAMES.index(column.column) for column in drift.columns]
    assert places == sorted(places) and len(places) == wide_reports.SHOWN
    assert min(column.psi or 0.0 for column in drift.columns) == 500.0
    assert any("of the others 350 drifted, with a PSI of 499 at most" in note for note in drift.notes)
    assert [point.feature for point in drift.breaking_points] == list(NAMES[: wide_reports.SHOWN])
    assert drift.scenarios[0].features[-1] == "700 others, summed"
