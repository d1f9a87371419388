"""The explanation of one run, put together: attributions, shuffled columns, and who carries the worst drift.

Promises: real rows are explained where there are any, for attributions on rows that occur say more than on
made ones. Leaves running the stage, and what goes wrong in it, to `execution.stages`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

import metrics
from estimators.answers import Attributions, Predict, Predictions
from explainability import summarise
from explainers import effects
from records.drift import Scenario, ScenarioPlan
from records.explanation import ExplainPlan, Explanation, ShiftExplanation
from records.metrics import Accuracy
from records.model import Task
from records.schema import Schema
from sandbox.handle import ModelHandle

__all__ = ["Explained", "answered", "explain_rows", "with_effects", "worst_shift"]

# Of the plan's seconds. What is left is for a drift (`explainers.effects.SHIFT_BUDGET_SHARE`).
ROWS_BUDGET_SHARE, SHUFFLE_BUDGET_SHARE = 0.6, 0.15
MOST_ASKED = 10_000  # rows of a sample, of which those that the model answers are explained


@dataclass(frozen=True)
class Explained:
    """What is explained. rows: of the model's columns. labels: of these, None where nothing is scored."""

    rows: pd.DataFrame
    background: pd.DataFrame
    labels: "pd.Series | None"
    target: str
    task: Task


def answered(subject: Explained, predict: Predict) -> Explained:
    """With those of its rows that the model answers; as it was where that is all or none of them.

    A sample may hold rows that the model refuses, such as some with a blank: they have no attributions, and
    one of them would cost those of all the others.
    """
    rows = subject.rows.head(MOST_ASKED)
    failed = predict(rows).failed
    if failed.all() or not failed.any():
        return subject
    labels = None if subject.labels is None else subject.labels.head(MOST_ASKED)[~failed]
    return replace(subject, rows=rows[~failed], labels=labels)


def explain_rows(handle: ModelHandle, subject: Explained, plan: ExplainPlan, seed: int) -> Attributions:
    """Attributions of the first rows, as many as the plan asks for."""
    part = plan.model_copy(update={"budget_s": plan.budget_s * ROWS_BUDGET_SHARE})
    return handle.explain(subject.rows.head(plan.rows), subject.background, part, seed)


def with_effects(
    attributions: Attributions, subject: Explained, predict: Predict, plan: ExplainPlan, seed: int
) -> Explanation:
    """The summary of the attributions, held against what shuffled columns do."""

    def score(answers: Predictions) -> Accuracy:
        assert subject.labels is not None
        labels = subject.labels.iloc[: len(answers.values)]
        return metrics.score(labels, answers, subject.task, subject.target)

    return effects.with_shuffled_columns(
        summarise(attributions, subject.rows.head(plan.rows)),
        subject.rows,
        predict,
        None if subject.labels is None else score,
        budget_s=plan.budget_s * SHUFFLE_BUDGET_SHARE,
        seed=seed,
    )


def worst_shift(
    handle: ModelHandle,
    subject: Explained,
    schema: Schema | None,
    played: Sequence[Scenario],
    attributions: Attributions,
    plan: ExplainPlan,
    seed: int,
) -> ShiftExplanation | None:
    """Who carries the scenario that changed most answers; None where none changed any.

    attributions: those of `explain_rows`; where nothing was sampled they need not be computed again.
    """
    worst = max(played, key=lambda scenario: scenario.changed_share or 0.0, default=None)
    if worst is None or not worst.changed_share or schema is None:
        return None
    scenario = ScenarioPlan(kind=worst.kind, magnitude=worst.magnitude, features=worst.features)
    rows = subject.rows.head(plan.rows)
    exact = attributions.std_error is None and attributions.method != "lime"
    known = attributions if exact else None
    return effects.explain_shift(
        handle.explain, rows, subject.background, schema, scenario, plan, seed, known
    )
