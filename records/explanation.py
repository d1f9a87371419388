"""The report's `explanation` section, and what is asked for.

Leaves computing it to `explainability`.
"""

from typing import Literal

from pydantic import Field

from records.base import Figure, Record

__all__ = [
    "ExplainPlan", "Explanation", "FeatureImportance", "FeatureShare", "ShiftExplanation", "TextEffects",
    "TextRow", "WordEffect", "WordShare",
]  # fmt: skip

MAX_WORD = 200  # characters of a word, a class or a column that the model's process names

ADDITIVITY_LIMIT = 1e-3  # relative; a family's explainer that misses by more is not trusted


class ExplainPlan(Record):
    """How to explain: the method, how many rows, and the seconds that all of it together may take."""

    method: Literal["auto", "shap", "permutation", "lime", "none"] = "auto"
    rows: int = Field(100, ge=1, le=10_000)
    budget_s: float = Field(5.0, gt=0, le=3600)


class FeatureImportance(Record):
    """Mean absolute attribution of one feature, over rows and outputs."""

    feature: str
    mean_abs: float
    std_error: Figure = None  # sampling error, where the explainer samples
    shuffled_change: Figure = None  # share of answers that change when the column is shuffled
    score_drop: Figure = None  # what the score loses then (accuracy, or R^2), where there are labels


class FeatureShare(Record):
    """One feature's part of a change."""

    feature: str
    change: float


class ShiftExplanation(Record):
    """Which features carry the change of the mean output under one simulated drift.

    of: the output (a class, or the only one) whose mean changes most. The features' changes and the
    remainder sum to `change`.
    """

    scenario: str
    output: str
    of: str
    rows: int
    change: float
    remainder: float
    features: tuple[FeatureShare, ...]


class WordShare(Record):
    """What one word adds to the output for one text."""

    word: str = Field(max_length=MAX_WORD)
    effect: float = Field(allow_inf_nan=False)


class WordEffect(Record):
    """One word over all texts that were explained.

    mean_abs: the mean absolute effect, 0 in texts without it. effect: its mean in the texts that have it,
    on the output `of` (a class, or the only one). texts: how many have it.
    """

    word: str = Field(max_length=MAX_WORD)
    mean_abs: float = Field(ge=0, allow_inf_nan=False)
    effect: float = Field(allow_inf_nan=False)
    of: str = Field(max_length=MAX_WORD)
    texts: int = Field(ge=0)


class TextRow(Record):
    """One text: the words with the largest effects on its output `of`, and all others together."""

    row: int = Field(ge=0)
    of: str = Field(max_length=MAX_WORD)
    words: tuple[WordShare, ...] = Field(max_length=50)
    rest: float = Field(0.0, allow_inf_nan=False)


class TextEffects(Record):
    """Which words of a text feature make the model answer as it does, the weightiest first.

    A word is what the model's vectorizer takes for one. Effects are in units of `output`, against the same
    text without the word; those of a text sum to its output less that for no word. texts: how many were
    explained.
    """

    feature: str = Field(max_length=MAX_WORD)
    output: str = Field(max_length=MAX_WORD)
    texts: int = Field(ge=1)
    words: tuple[WordEffect, ...] = Field(max_length=100)
    rows: tuple[TextRow, ...] = Field((), max_length=100)
    note: str = Field("", max_length=1_000)


class Explanation(Record):
    """The report's `explanation` section, in units of `output`.

    shap_values: rows x features for one output, rows x features x outputs else. The sum over the
    features plus the output's base value is the explained output. feature_values: the explained rows,
    for plots: numbers stay, categories are text, datetimes ISO 8601, missing is null.
    """

    method: str
    explainer: str
    output: str
    outputs: tuple[str, ...]
    rows: int
    features: tuple[str, ...]
    importance: tuple[FeatureImportance, ...]
    base_values: tuple[float, ...]
    shap_values: tuple[tuple[float | tuple[float, ...], ...], ...]
    feature_values: tuple[tuple[float | str | bool | None, ...], ...]
    additivity_error: Figure
    sampling_error: Figure = None
    notes: tuple[str, ...] = ()
    shift: ShiftExplanation | None = None
    texts: tuple[TextEffects, ...] = ()
