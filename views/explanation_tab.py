"""The Explainability tab of a run: importance, shuffled columns, who carries a drift, single rows."""

from typing import Any

import streamlit as st

from records.explanation import Explanation, ShiftExplanation
from records.run import RunReport
from reports import words
from views import charts, text_effects
from views import components as ui

__all__ = ["render"]

ROUNDING = 1e-6  # of the change: what the parts miss by less is arithmetic


def render(services: Any, report: RunReport) -> None:
    explanation = ui.section_value(report.explanation, "Explanation")
    if explanation is None:
        return
    error = explanation.additivity_error
    summed = "" if error is None else f" Largest error of the sum of attributions: {ui.number(error)}"
    sampling = (
        f", sampling error {ui.number(explanation.sampling_error)}"
        if explanation.sampling_error is not None
        else ""
    )
    st.caption(
        f"Method {ui.plain(explanation.method)}, {ui.plain(explanation.explainer)}; output "
        f"{ui.plain(explanation.output)}; {ui.count(explanation.rows, 'row')}.{summed}{sampling}"
    )
    left, right = st.columns(2)
    with left:
        ui.chart(
            "Feature importance, mean absolute attribution", charts.importance(explanation), key="importance",
            note=f"{ui.count(explanation.rows, 'row')}; lines show the sampling error where there is one",
            alt="Features by mean absolute attribution, largest first",
        )  # fmt: skip
    with right:
        _shuffled(explanation)
    text_effects.render(explanation)
    if explanation.shift is not None:
        _shift(explanation.shift)
    if explanation.shap_values and explanation.feature_values:
        _attributions(explanation)
    else:
        st.caption("This method ranks features but does not explain single rows.")
    for note in explanation.notes:
        st.caption(ui.plain(note))


def _shuffled(explanation: Explanation) -> None:
    """What the attributions are held against: columns shuffled, answers counted."""
    told = [item for item in explanation.importance if item.shuffled_change is not None]
    if not told:
        return
    ui.chart(
        "Answers that change when a column is shuffled", charts.shuffled(explanation), key="shuffled",
        note="Another class, or a number moved by more than a tenth of its spread",
        alt="Features by the share of answers that change when their column is shuffled",
    )  # fmt: skip
    dropped = [item for item in told if item.score_drop is not None]
    if dropped:
        worst = max(dropped, key=lambda item: item.score_drop or 0.0)
        st.caption(
            f"On your labels the score falls most when {ui.plain(worst.feature)} is shuffled: by "
            f"{ui.number(worst.score_drop)}."
        )


def _shift(shift: ShiftExplanation) -> None:
    rest = (
        ""
        if abs(shift.remainder) < ROUNDING * abs(shift.change)
        else f" and a rest of {ui.number(shift.remainder)}"
    )
    ui.chart(
        f"Who carries the change under {ui.plain(words.under(shift.scenario))}", charts.shift(shift),
        key="shift",
        note=f"The mean {ui.plain(shift.output)} of {ui.plain(shift.of)} moves by {ui.number(shift.change)} "
        f"over {ui.count(shift.rows, 'row')}, the sum of these parts{rest}",
        alt="Features by their part of the change of the mean output, under the strongest drift",
    )  # fmt: skip


def _attributions(explanation: Explanation) -> None:
    output = 0
    if len(explanation.outputs) > 1:
        output = st.selectbox(
            "Output", range(len(explanation.outputs)), format_func=lambda i: explanation.outputs[i],
            key="explain_output", width=320,
        )  # fmt: skip
    ui.chart(
        "Attribution of each row, by feature", charts.attribution_dots(explanation, output), key="dots",
        note="A dot is a row; right of zero raises the output, left lowers it",
        alt="Attributions of all explained rows, a line of dots for each feature",
    )  # fmt: skip
    left, right = st.columns(2)
    with left:
        rows = len(explanation.shap_values)
        row = st.number_input("Row to explain", 1, rows, 1, key="explain_row", help=f"1 to {rows}") - 1
        ui.chart(
            f"How row {row + 1} gets its output", charts.waterfall(explanation, row, output), key="waterfall",
            note="From the base value, a step for each feature, to the output",
            alt=f"Contributions of the features to the output of row {row + 1}",
        )  # fmt: skip
    with right:
        place = {name: i for i, name in enumerate(explanation.features)}
        ranked = [place[i.feature] for i in explanation.importance if i.feature in place]
        feature = st.selectbox(
            "Feature", ranked, format_func=lambda i: explanation.features[i], key="explain_feature"
        )
        ui.chart(
            "Attribution against the feature's value", charts.dependence(explanation, feature, output),
            note=f"A dot is a row, n = {len(explanation.shap_values)}", key="dependence",
            alt=f"Attribution of {explanation.features[feature]} against its value",
        )  # fmt: skip
