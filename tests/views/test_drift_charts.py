"""Figures of the Drift tab hold the report's numbers, and none that nobody measured."""

import math
from typing import Any

import pytest

from records.drift import Decomposition, Distances, Scenario, SingleEffect
from views import drift_charts as charts


def scenario(changed: float | None, failed: float = 0.0, **changes: Any) -> Scenario:
    fields: dict[str, Any] = {
        "kind": "mean_shift", "features": ("a", "b"), "magnitude": 1.0, "input": Distances(psi=9.0),
        "prediction": Distances(psi=0.0), "changed_share": changed, "failed_share": failed,
    }  # fmt: skip
    return Scenario(**(fields | changes))


def parts(**changes: Any) -> Decomposition:
    fields: dict[str, Any] = {
        "kind": "mean_shift", "magnitude": 1.0, "rows": 256, "joint_changed_share": 1.0,
        "singles": (
            SingleEffect(feature="a", changed_share=1.0, output_change=2.0),
            SingleEffect(feature="b", changed_share=1.0, output_change=-0.5),
        ),
        "single_changed_sum": 2.0, "changed_remainder": -1.0, "output": "answer", "joint_output_change": 1.5,
        "single_output_sum": 1.5, "output_remainder": 1e-15,
    }  # fmt: skip
    return Decomposition(**(fields | changes))


def test_rows_that_failed_are_drawn_as_such() -> None:
    """A scenario that no row survived was not drawn at all."""
    shown = [scenario(0.3, 0.2), scenario(None, 1.0, kind="missing_values"), scenario(None, kind="noise")]
    changed, failed = charts.changed_share(shown, 0.1).data
    assert (changed.name, failed.name) == ("Changed", "No answer")
    assert list(changed.x) == [0.0, 30.0] and list(failed.x) == [100.0, 20.0]
    assert len(charts.changed_share([scenario(0.3)], 0.1).data) == 1


def test_a_psi_axis_shows_its_lines_beside_a_psi_of_nine() -> None:
    figure = charts.psi_by_scenario([scenario(0.3)], 0.1, 0.2)
    axis = figure.layout.xaxis
    assert axis.type == "log" and {0.1, 0.2} <= set(axis.tickvals)
    low, high = axis.range
    assert low < math.log10(0.1) < math.log10(9.0) < high
    assert math.log10(0.2) - math.log10(0.1) > 0.08 * (high - low)  # apart on the page
    dots = {t.name: t.customdata for t in figure.data if t.mode == "markers"}
    assert dots["Answers"][0] == 0.0 and dots["Inputs"][0] == 9.0


def test_a_linear_model_has_no_interaction_and_shares_are_not_summed() -> None:
    """Two features that change all answers each were told to interact by -100 %."""
    (steps,) = charts.effect_on_output(parts()).data
    assert list(steps.y) == ["a", "b", "All together"] and list(steps.x) == [2.0, -0.5, 0.0]
    (shares,) = charts.alone_and_together(parts()).data
    assert list(shares.x) == [100.0, 100.0, 100.0] and "Interaction" not in shares.y


@pytest.mark.parametrize(("left", "told"), [(0.3, True), (0.005, False)])
def test_numbers_that_do_not_add_up_interact(left: float, told: bool) -> None:
    found = parts(joint_output_change=1.5 + left, output_remainder=left)
    assert charts.interacts(found) is told
    assert ("Interaction" in charts.effect_on_output(found).data[0].y) is told


def test_probabilities_never_interact() -> None:
    found = parts(output="yes", joint_output_change=0.4, output_remainder=-1.1)
    assert not charts.interacts(found)
    (bars,) = charts.effect_on_output(found).data
    assert bars.type == "bar" and list(bars.x) == [2.0, -0.5, 0.4]


def test_how_far_numbers_move_is_drawn_of_numbers_alone() -> None:
    (bars,) = charts.mean_move([scenario(1.0, mean_move=0.5), scenario(1.0, mean_move=2.0)]).data
    assert list(bars.x) == [2.0, 0.5]  # the first on top
    assert list(charts.mean_move([scenario(1.0)]).data[0].x) == []
