"""Why a model answers as it does: attributions by the fastest correct explainer of its family.

Runs beside the model, in the child. Promises: attributions sum to the explained output, and the
error of that sum is reported. Leaves plotting to the views.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from errors import BadAnswer
from estimators.answers import MAX_ATTRIBUTIONS, MAX_OUTPUTS, Attributions, Estimator
from explainers.families import explain_by_family, explained_output
from explainers.local_surrogate import local_surrogate
from explainers.shapley import shapley_values
from explainers.words import word_effects
from records.explanation import (
    ADDITIVITY_LIMIT,
    ExplainPlan,
    Explanation,
    FeatureImportance,
    TextEffects,
)

__all__ = ["additivity_error", "explain", "summarise"]

LONGEST_CELL = 500  # characters of a text that the report shows
WORDS_BUDGET_SHARE = 0.5  # of the seconds, where the model reads texts


def explain(
    adapter: Estimator, frame: pd.DataFrame, background: pd.DataFrame, plan: ExplainPlan, seed: int
) -> Attributions:
    """Attributions for the first rows of `frame`, by the explainer of the model's family (child side).

    `permutation` forces our own sampling explainer; it also steps in, with a note, where no family
    fits, where a pipeline mixes columns, and where a family's values do not sum to the model's output.
    """
    given = list(frame.columns)
    if adapter.features and given != list(adapter.features) and set(given) == set(adapter.features):
        frame = frame[list(adapter.features)]
    background = background if len(background) else frame
    if list(background.columns) != list(frame.columns):
        background = background[frame.columns]
    width = min(MAX_OUTPUTS, len(adapter.labels)) if adapter.labels and len(adapter.labels) > 2 else 1
    allowed = max(1, MAX_ATTRIBUTIONS // (frame.shape[1] * width))
    rows = frame.iloc[: min(plan.rows, allowed)]
    notes: list[str] = []
    texts: tuple[TextEffects, ...] = ()
    try:
        texts = word_effects(adapter, rows, plan.budget_s * WORDS_BUDGET_SHARE, seed)
    except Exception as error:  # what a pipeline does with words is its own; its features are explained still
        notes.append(f"The words could not be explained ({type(error).__name__}).")
    if texts:
        plan = plan.model_copy(update={"budget_s": plan.budget_s * (1 - WORDS_BUDGET_SHARE)})
    if allowed < min(plan.rows, len(frame)):
        notes.append(
            f"{allowed} rows are explained, so that the report stays below {MAX_ATTRIBUTIONS:,} values."
        )
    found: Attributions | None = None
    if plan.method == "lime":
        return _capped(replace(_by_lime(adapter, rows, background, plan, seed), texts=texts))
    if plan.method != "permutation" and not (texts and rows.shape[1] == 1):
        try:
            found = explain_by_family(adapter, rows, background, plan.budget_s)
        except Exception as error:  # a library's explainer may refuse a model; sampling never depends on it
            notes.append(f"The explainer of this family refused the model ({type(error).__name__}).")
        if found is not None and not additivity_error(found) <= ADDITIVITY_LIMIT:
            notes.append(
                f"{found.explainer} missed the model's output by {additivity_error(found):.2g} of its size, "
                "so permutation was used."
            )
            found = None
    found = found or _by_permutation(adapter, rows, background, plan, seed)
    return _capped(replace(found, notes=(*notes, *found.notes), texts=texts))


def additivity_error(attributions: Attributions) -> float:
    """Largest |sum of values + base - explained|, relative to the largest explained output."""
    gap = attributions.values.sum(axis=1) + attributions.base - attributions.explained
    size = float(np.abs(attributions.explained).max(initial=0.0))
    return float(np.abs(gap).max(initial=0.0)) / (size or 1.0)


def summarise(attributions: Attributions, frame: pd.DataFrame) -> Explanation:
    """The report's section from what the child answered; `frame` holds the rows that were explained first.

    Importance is the mean absolute value over rows and outputs, largest first. sampling_error: the
    typical standard error of one value as a share of the typical value. BadAnswer when the arrays do
    not fit the frame or each other.
    """
    _check_shapes(attributions, frame)
    values = attributions.values
    n, _, k = values.shape
    rows = frame.set_axis([str(c) for c in frame.columns], axis=1).iloc[:n][list(attributions.features)]
    mean_abs = np.abs(values).mean(axis=(0, 2))
    spread = attributions.std_error
    errors = [None] * len(mean_abs) if spread is None else [float(s) for s in spread / np.sqrt(n)]
    importance = [
        FeatureImportance(feature=name, mean_abs=float(size), std_error=error)
        for name, size, error in zip(attributions.features, mean_abs, errors, strict=True)
    ]
    total = float(mean_abs.sum())
    return Explanation(
        method=attributions.method,
        explainer=attributions.explainer,
        output=attributions.output,
        outputs=attributions.outputs,
        rows=n,
        features=attributions.features,
        importance=tuple(sorted(importance, key=lambda i: -i.mean_abs)),
        base_values=tuple(attributions.base.tolist()),
        shap_values=_nested(values if k > 1 else values[:, :, 0]),
        feature_values=_cells(rows),
        additivity_error=None if attributions.method == "lime" else additivity_error(attributions),
        sampling_error=None if spread is None else float(spread.sum()) / total if total else 0.0,
        notes=attributions.notes,
        texts=attributions.texts,
    )


def _by_permutation(
    adapter: Estimator, rows: pd.DataFrame, background: pd.DataFrame, plan: ExplainPlan, seed: int
) -> Attributions:
    output, outputs, function = explained_output(adapter, background.iloc[:20])
    result = shapley_values(function, rows, background, budget_s=plan.budget_s, seed=seed)
    return Attributions(
        method="permutation",
        explainer="Shapley values, all coalitions"
        if result.exact
        else "Shapley values, sampled permutations",
        output=output,
        outputs=outputs,
        features=tuple(map(str, rows.columns)),
        values=result.values,
        base=result.base,
        explained=result.explained,
        std_error=result.std_error,
        notes=result.notes,
    )


def _by_lime(
    adapter: Estimator, rows: pd.DataFrame, background: pd.DataFrame, plan: ExplainPlan, seed: int
) -> Attributions:
    output, outputs, function = explained_output(adapter, background.iloc[:20])
    result = local_surrogate(function, rows, background, budget_s=plan.budget_s, seed=seed)
    notes = [
        f"Straight lines fitted to {result.neighbours} neighbours of each row tell {result.fit:.0%} of how "
        "the output varies there; LIME's values need not sum to the output."
    ]
    if len(result.values) < len(rows):
        notes.append(f"The time budget allowed {len(result.values)} of {len(rows)} rows.")
    return Attributions(
        method="lime",
        explainer="LIME, ridge regression on swapped cells",
        output=output,
        outputs=outputs,
        features=tuple(map(str, rows.columns)),
        values=result.values,
        base=result.base,
        explained=result.explained,
        std_error=None,
        notes=tuple(notes),
    )


def _capped(found: Attributions) -> Attributions:
    """At most MAX_ATTRIBUTIONS of MAX_OUTPUTS outputs: those with the largest mean, in the model's order."""
    k = found.values.shape[2]
    if k > MAX_OUTPUTS:
        kept = np.sort(np.argsort(-found.explained.mean(axis=0), kind="stable")[:MAX_OUTPUTS])
        found = replace(
            found,
            outputs=tuple(found.outputs[i] for i in kept),
            values=np.ascontiguousarray(found.values[:, :, kept]),
            base=found.base[kept],
            explained=found.explained[:, kept],
            notes=(*found.notes, f"{MAX_OUTPUTS} of {k} outputs are shown, those with the largest mean."),
        )
    rows, allowed = len(found.values), max(1, MAX_ATTRIBUTIONS // max(1, found.values[0].size))
    if rows <= allowed:
        return found
    return replace(
        found,
        values=np.ascontiguousarray(found.values[:allowed]),
        explained=found.explained[:allowed],
        notes=(*found.notes, f"{allowed} of {rows} rows are shown, for each has several outputs."),
    )


def _check_shapes(attributions: Attributions, frame: pd.DataFrame) -> None:
    """The child is not trusted: what it answers must fit what it was asked."""
    values = attributions.values
    names = sorted(map(str, frame.columns))
    n, f, k = values.shape if values.ndim == 3 else (0, 0, 0)
    fits = (
        1 <= n <= len(frame)
        and f == len(names)
        and sorted(attributions.features) == names
        and attributions.base.shape == (k,)
        and attributions.explained.shape == (n, k)
        and len(attributions.outputs) == k
        and (attributions.std_error is None or attributions.std_error.shape == (f,))
    )
    if not fits:
        raise BadAnswer(
            f"Attributions of shape {values.shape} do not fit {len(frame)} rows of {len(names)} features.",
            hint="The model's process answered wrongly; run again, or set explain.method to 'permutation'.",
        )
    if not (np.isfinite(values).all() and np.isfinite(attributions.base).all()):
        raise BadAnswer(
            "The attributions hold values that are not finite.",
            hint="Check the missing-values and extremes behaviours; set explain.method to 'none'.",
        )


def _nested(values: npt.NDArray[np.float64]) -> Any:
    if values.ndim == 1:
        return tuple(values.tolist())
    return tuple(_nested(v) for v in values)


def _cells(rows: pd.DataFrame) -> tuple[tuple[float | str | bool | None, ...], ...]:
    """Plain values: numbers and booleans stay, datetimes are ISO 8601, the rest is text, missing is None."""
    columns = [[_plain(value) for value in rows.iloc[:, i]] for i in range(rows.shape[1])]
    return tuple(zip(*columns, strict=True))


def _plain(value: Any) -> float | str | bool | None:
    if value is None or pd.isna(value):
        return None
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | float | np.integer | np.floating):
        return float(value) if np.isfinite(value) else None
    return value.isoformat() if isinstance(value, pd.Timestamp) else str(value)[:LONGEST_CELL]
