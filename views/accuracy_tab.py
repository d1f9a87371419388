"""The Accuracy tab: scores on the real labels of the sample.

Promises: nothing is scored on made-up labels. Leaves the scores to `metrics`.
"""

from typing import Any

import streamlit as st

from records.metrics import SCORES, Accuracy
from records.run import RunReport
from views import charts
from views import components as ui

__all__ = ["render"]


def render(services: Any, report: RunReport) -> None:
    """The tab."""
    accuracy = ui.section_value(report.accuracy, "Scores on real labels")
    if accuracy is not None:
        _scores(accuracy)


def _scores(accuracy: Accuracy) -> None:
    known = [(SCORES[key], value) for key, value in accuracy.known.items()]
    st.caption(f"{ui.count(accuracy.rows, 'labelled row')}, label column {ui.plain(accuracy.target)}")
    left, right = st.columns(2)
    with left:
        st.dataframe(
            {"Score": [title for title, _ in known], "Value": [ui.number(value) for _, value in known]},
            hide_index=True, height="content", alt="Scores on real labels",
        )  # fmt: skip
    if accuracy.confusion:
        with right:
            ui.chart(
                "Confusion matrix, rows of the sample", charts.confusion(accuracy), key="confusion",
                alt="Counts of true against predicted class",
            )  # fmt: skip
