"""Texts that a caller may send, as behaviours: none at all, empty ones, emoji, very long ones.

Promises: asked only where a feature is a text, one feature at a time. Leaves titles, advice and what counts
as serious to `robustness.examination`; words that change are a drift (`shifts.text_shifts`).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from records.schema import FieldSpec
from robustness.behaviours import Examined, NotApplicable, Observation, spaced

__all__ = ["empty_text", "missing_text", "unusual_text", "very_long_text"]

FEW_ROWS = 20
LONG_TEXT = 100_000  # characters
EMPTY = ("", " ", "\n\t", "...", "?!")
UNUSUAL = (
    "\U0001f600 \U0001f44d\U0001f3fd \U0001f468\u200d\U0001f469\u200d\U0001f467",  # emoji, of several parts
    "\u4f60\u597d\uff0c\u4e16\u754c",  # no blanks between words
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0643",  # from right to left
    "Stra\u00dfe \u00c5ngstr\u00f6m \ufb01ne \u0130stanbul",  # longer or shorter in the other case
    "e\u0301te\u0301 nai\u0308ve",  # letters and accents apart
    "zero\u200bwidth\ufeffjoined\u00a0space",
    "<b>bold</b> & \"quoted\" 'text' ; DROP TABLE x; --",
    "https://example.org/a?b=c#d name@example.org",
    "12,345.67 \u20ac 50% 2024-01-31",
    "a\u0000b\u0007c",
)


def empty_text(subject: Examined) -> Observation:
    """Nothing, blanks and marks in place of words."""
    return _answered(subject, lambda column: _cycled(column, EMPTY))


def unusual_text(subject: Examined) -> Observation:
    """Emoji, other scripts, marks and addresses after the text's own words."""
    return _answered(subject, lambda column: column.map(str) + " " + _cycled(column, UNUSUAL))


def very_long_text(subject: Examined) -> Observation:
    """The text again and again, up to 100,000 characters."""

    def lengthened(text: str) -> str:
        own = text.strip() or "word"
        return ((own + " ") * (LONG_TEXT // (len(own) + 1) + 1))[:LONG_TEXT]

    return _answered(subject, lambda column: column.map(lambda value: lengthened(str(value))))


def missing_text(subject: Examined) -> Observation:
    """None in place of the text; a finding where the schema or the sample has such texts."""
    found = _answered(subject, lambda column: pd.Series([None] * len(column), dtype=object))
    if any(spec.nullable for spec in _texts(subject)):
        return found
    return replace(found, trait="Needs a text in every row: a missing one gets no answer.")


def _answered(subject: Examined, change: Callable[["pd.Series"], "pd.Series"]) -> Observation:
    """One entry a row and feature: whether a row that was answered before no longer is."""
    texts = _texts(subject)
    if not texts:
        raise NotApplicable("No feature is a text.")
    answered = np.flatnonzero(~subject.reference.failed)
    picked = answered[spaced(len(answered), FEW_ROWS)] if len(answered) else np.arange(0)
    if not len(picked):
        raise NotApplicable("No row was answered before.")
    rows = subject.frame.iloc[picked].reset_index(drop=True)
    failing, example = [], None
    for spec in texts:
        changed = change(rows[spec.name].astype(object))
        answers = subject.ask(rows.assign(**{spec.name: changed.astype(object)}))
        failing.append(answers.failed)
        if answers.failed.any() and example is None:
            row = int(np.flatnonzero(answers.failed)[0])
            value = changed.iloc[row]
            shown = "None" if value is None else repr(str(value)[:40])
            why = answers.errors[0].message if answers.errors else "no usable answer"
            example = f"{spec.name} = {shown}: {why}"
    return Observation(np.concatenate(failing), example)


def _cycled(column: "pd.Series", values: Sequence[str]) -> "pd.Series":
    return pd.Series([values[i % len(values)] for i in range(len(column))], dtype=object)


def _texts(subject: Examined) -> list[FieldSpec]:
    return [s for s in subject.schema.features if s.type == "text" and s.name in subject.frame]
