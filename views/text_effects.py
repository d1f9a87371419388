"""Which words of the texts make the model answer as it does: a chart, a table, single texts."""

from typing import Any

import plotly.graph_objects as go
import streamlit as st

from records.explanation import Explanation, TextEffects
from reports import words
from views import charts
from views import components as ui

__all__ = ["render"]

SHOWN = 20  # words in the chart; the table has all


def render(explanation: Explanation) -> None:
    """Nothing where no feature is a text."""
    for number, texts in enumerate(explanation.texts):
        st.subheader("Word by word")
        st.caption(
            f"Effects on the {ui.plain(texts.output)} against the same text without the word, over "
            f"{ui.count(texts.texts, 'text')} of {ui.plain(texts.feature)}: {ui.plain(texts.note)}."
        )
        if not texts.words:
            st.caption("None of these texts has a word that the model knows.")
            continue
        left, right = st.columns(2)
        with left:
            ui.chart(
                "Words with the largest effects", _chart(texts), key=f"words_{number}",
                note="Mean effect in the texts that have the word; the weightiest over all texts on top",
                alt="Words by their mean effect in the texts that have them",
            )  # fmt: skip
        with right:
            _table(texts)
        if texts.rows:
            _single(texts, explanation, number)


def _chart(texts: TextEffects) -> go.Figure:
    shown = list(texts.words[:SHOWN])[::-1]
    return charts.signed_bars(
        [word.word for word in shown], [word.effect for word in shown], f"Effect on the {texts.output}"
    )


def _table(texts: TextEffects) -> None:
    st.dataframe(
        {
            "Word": [word.word for word in texts.words],
            "Effect": [words.three_digits(word.effect) for word in texts.words],
            "On": [word.of for word in texts.words],
            "Texts": [word.texts for word in texts.words],
        },
        hide_index=True,
        column_config={"Word": st.column_config.TextColumn(pinned=True)},
        alt="Words with their mean effect and how many texts have them",
    )


def _single(texts: TextEffects, explanation: Explanation, number: int) -> None:
    place = st.number_input(
        "Text to explain", 1, len(texts.rows), 1, key=f"text_{number}", help=f"1 to {len(texts.rows)}"
    )
    row = texts.rows[int(place) - 1]
    text = _text_of(explanation, texts.feature, row.row)
    if text is not None:
        st.caption(ui.plain(text))
    if not row.words:
        st.caption("This text has no word that the model knows.")
        return
    shares = list(row.words)[::-1]
    rest = f"; all other words together {words.three_digits(row.rest)}" if row.rest else ""
    ui.chart(
        f"What the words of text {place} add",
        charts.signed_bars([s.word for s in shares], [s.effect for s in shares], f"Effect on {row.of}"),
        key=f"text_words_{number}",
        note=f"On the {ui.plain(texts.output)} of {ui.plain(row.of)}{rest}",
        alt=f"Effects of the words of text {place}",
    )


def _text_of(explanation: Explanation, feature: str, row: int) -> Any:
    if feature not in explanation.features or row >= len(explanation.feature_values):
        return None
    return explanation.feature_values[row][explanation.features.index(feature)]
