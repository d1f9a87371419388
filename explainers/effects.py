"""Which features matter, told by asking the model again: shuffled columns, and who carries a drift.

Runs in the worker. Promises: one measure of change for classes and numbers, the same as drift's; seeded.
Leaves attributions to `explainability` and shifting rows to `shifts.scenarios`.
"""

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd

from distances.changes import ask, call_rows, change_tolerance, changed_answers, in_parts
from estimators.answers import Attributions, Predict, Predictions
from records.drift import ScenarioPlan
from records.explanation import ExplainPlan, Explanation, FeatureShare, ShiftExplanation
from records.metrics import Accuracy
from records.schema import Schema
from shifts.scenarios import applicable_features, simulate, with_columns

__all__ = ["explain_shift", "with_shuffled_columns"]

ROWS = 200
REPEATS = 3
SHIFT_BUDGET_SHARE = 0.25  # of the plan's seconds, for the rows before and after

Explain = Callable[[pd.DataFrame, pd.DataFrame, ExplainPlan, int], Attributions]
Score = Callable[[Predictions], Accuracy]
"""From the answers for the first rows of a table, in their order, to their scores."""


def with_shuffled_columns(
    explanation: Explanation,
    frame: pd.DataFrame,
    predict: Predict,
    score: Score | None,
    *,
    budget_s: float,
    seed: int,
) -> Explanation:
    """The explanation with, for each feature, how many answers change when its column is shuffled.

    frame: rows of the model's columns, of which the first ROWS are used; each column is shuffled REPEATS
    times. score: where there are labels; then how much the score falls (accuracy, else R^2) is told too.
    What the budget does not reach has no figure. Source: Breiman, Random Forests (2001).
    """
    deadline = time.monotonic() + budget_s
    rows = frame.iloc[:ROWS].reset_index(drop=True)
    reference = ask(predict, rows)
    tolerance = change_tolerance(reference)
    before = None if score is None else _one_figure(score(reference))
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(rows)) for _ in range(REPEATS)]
    changed: dict[str, float] = {}
    dropped: dict[str, float] = {}
    ranked = [item.feature for item in explanation.importance if item.feature in rows.columns]
    at_once = 1  # until it is known what a call costs
    while ranked and time.monotonic() < deadline:
        some, ranked = ranked[:at_once], ranked[at_once:]
        begun = time.monotonic()
        parts = _asked_shuffled(rows, some, orders, predict)
        for name, answers in zip(some, parts, strict=True):
            changed[name] = float(np.mean([changed_answers(reference, a, tolerance).mean() for a in answers]))
            told = [figure for a in answers if score and (figure := _one_figure(score(a))) is not None]
            if before is not None and told:
                dropped[name] = before - float(np.mean(told))
        affordable = (deadline - time.monotonic()) / max(time.monotonic() - begun, 1e-9) * len(some)
        most = call_rows(rows.shape[1]) // (REPEATS * len(rows))
        at_once = max(1, int(min(affordable / 2, most)))
    importance = tuple(
        item.model_copy(
            update={"shuffled_change": changed.get(item.feature), "score_drop": dropped.get(item.feature)}
        )
        for item in explanation.importance
    )
    return explanation.model_copy(update={"importance": importance})


def _asked_shuffled(
    rows: pd.DataFrame, names: list[str], orders: list[npt.NDArray[np.intp]], predict: Predict
) -> list[list[Predictions]]:
    """For each feature the answers under each order of its column; all in one call."""
    n, k = len(rows), len(orders)
    table = rows.iloc[np.tile(np.arange(n), k * len(names))].reset_index(drop=True)
    shuffled = {}
    for i, name in enumerate(names):
        source = np.tile(np.arange(n), k * len(names))
        source[i * k * n : (i + 1) * k * n] = np.concatenate(orders)
        shuffled[name] = pd.Series(rows[name].array.take(source), index=table.index, name=name)
    answers = in_parts(ask(predict, with_columns(table, shuffled)), k * len(names))
    return [answers[i : i + k] for i in range(0, len(answers), k)]


def explain_shift(
    explain: Explain,
    rows: pd.DataFrame,
    background: pd.DataFrame,
    schema: Schema,
    scenario: ScenarioPlan,
    plan: ExplainPlan,
    seed: int,
    known: Attributions | None = None,
) -> ShiftExplanation | None:
    """Which features carry the change of the mean output under a drift; None when it changes no column.

    The same rows are explained before and after, by the same explainer: the difference of a feature's
    mean attribution is its part, and the parts sum to the change of the mean output but for `remainder`.
    known: the attributions of `rows`, where they are exact; sampled ones are drawn anew, on the same budget
    as after the drift.
    """
    if not applicable_features(rows, schema, scenario):
        return None
    shifted = simulate(rows, schema, scenario, np.random.default_rng(seed))
    sides = 2 if known is None else 1
    quick = plan.model_copy(update={"budget_s": plan.budget_s * SHIFT_BUDGET_SHARE / sides})
    before = explain(rows, background, quick, seed) if known is None else known
    after = explain(shifted, background, quick, seed)
    n = min(len(before.values), len(after.values))
    if before.outputs != after.outputs or before.features != after.features:
        return None
    outputs = (after.explained[:n] - before.explained[:n]).mean(axis=0)
    chosen = int(np.abs(outputs).argmax())
    parts = (after.values[:n, :, chosen] - before.values[:n, :, chosen]).mean(axis=0)
    shares = [
        FeatureShare(feature=name, change=float(part))
        for name, part in zip(before.features, parts, strict=True)
    ]
    change = float(outputs[chosen])
    return ShiftExplanation(
        scenario=scenario.key,
        output=before.output,
        of=before.outputs[chosen],
        rows=n,
        change=change,
        remainder=change - float(parts.sum()),
        features=tuple(sorted(shares, key=lambda share: -abs(share.change))),
    )


def _one_figure(accuracy: Accuracy) -> float | None:
    return accuracy.accuracy if accuracy.accuracy is not None else accuracy.r2
