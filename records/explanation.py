"""The report's `explanation` section, and what is asked for.

Leaves computing it to `explainability`.
"""

from typing import Literal

from pydantic import Field

from records.base import Figure, Record

__all__ = ["ExplainPlan", "Explanation", "FeatureImportance", "FeatureShare", "ShiftExplanation"]

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
