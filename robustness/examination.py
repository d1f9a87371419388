"""Behaviour that needs no labels: does the model answer the same question the same way?

Each check asks the model through a `predict` function handed in, and returns its failing share and
one example. Leaves verdicts to `checks`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from distances.subject import Subject
from errors import BadAnswer, Cancelled, ChildDied, ChildTimeout, DashboardError, ModelError
from estimators.answers import Predict
from estimators.batches import answer_singly
from records.robustness import Behaviour, BehaviourName, Property, Robustness, RobustnessPlan, Trend
from robustness import behaviours, texts, wrong_tables
from robustness.behaviours import MAX_ROWS, Examined, NotApplicable, Observation, nullable
from robustness.monotonicity import monotonic

__all__ = ["examine"]


def examine(
    subject: Subject,
    plan: RobustnessPlan,
    *,
    singly: Predict | None = None,
    together: Predict | None = None,
) -> Robustness:
    """The planned behaviours on the first 200 rows of the subject.

    singly: asks for each row of a table by itself, in one request; without it in a request each. together:
    asks a table by several threads at once; without it thread safety is not applicable.

    A table that the model cannot answer at all counts as every row failing; the status is `failed` only
    where the question could not be put. Cancelled, ChildDied and ChildTimeout pass through.
    """
    few = subject.head(MAX_ROWS)
    examined = Examined(
        frame=few.frame,
        schema=few.schema,
        predict=few.predict,
        reference=few.reference,
        tolerance=few.tolerance,
        seed=few.seed,
        singly=singly or partial(answer_singly, few.predict),
        together=together,
    )
    of_texts = TEXT_CHECKS if subject.texts or plan.checks is not None else ()
    checks = (*CHECKS, *of_texts, _monotonic(plan.monotonic))
    wanted = [c for c in checks if plan.checks is None or c.name in plan.checks]
    found = tuple(_judged(check, examined) for check in wanted)
    told = tuple(Property(name=b.name, sentence=b.trait, advice=b.advice) for b in found if b.trait)
    return Robustness(behaviours=found, properties=told)


@dataclass(frozen=True)
class _Question:
    name: BehaviourName
    title: str
    look: Callable[[Examined], Observation]
    advice: str
    serious: bool = True


def _judged(check: _Question, subject: Examined) -> Behaviour:
    # Missing values are a defect only where the schema announces them.
    serious = bool(nullable(subject)) if check.name == "missing_values" else check.serious
    outcome = Behaviour(name=check.name, title=check.title, status="ok", serious=serious)
    try:
        found = check.look(subject)
    except NotApplicable as why:
        return outcome.model_copy(update={"status": "not_applicable", "reason": str(why)})
    except (ModelError, BadAnswer) as error:
        found = Observation(np.ones(max(subject.rows, 1), dtype=np.bool_), error.message)
    except (Cancelled, ChildDied, ChildTimeout):
        raise
    except DashboardError as error:
        return outcome.model_copy(update={"status": "failed", "reason": error.message})
    share = float(found.failing.mean()) if len(found.failing) else 0.0
    return outcome.model_copy(
        update={
            "failing_share": share,
            "rows": len(found.failing),
            "serious": serious if found.serious is None else found.serious,
            "example": found.example if share > 0 else None,
            "advice": (found.advice or check.advice) if share > 0 else "",
            "trait": found.trait if share > 0 else "",
        }
    )


def _monotonic(declared: Mapping[str, Trend]) -> _Question:
    return _Question(
        "monotonic",
        "Answers rise and fall with features as declared",
        lambda subject: monotonic(subject, declared),
        "Fit with monotonic constraints (monotonic_cst, monotone_constraints), or drop the claim.",
    )


CHECKS = (
    _Question(
        "determinism",
        "The same rows get the same answers twice",
        behaviours.determinism,
        "Fix the model's random state, and keep predict free of sampling.",
    ),
    _Question(
        "row_order",
        "The order of rows does not matter",
        behaviours.row_order,
        "predict uses a row's neighbours or position; compute such features before fitting.",
    ),
    _Question(
        "batch_vs_single",
        "A row alone gets the answer it gets in a batch",
        behaviours.batch_vs_single,
        "predict uses figures of the batch (its mean, its scale); fit them once and store them.",
    ),
    _Question(
        "column_order",
        "Columns in another order are noticed",
        behaviours.column_order,
        "Pick columns by name in predict, or refuse a table whose columns are in another order.",
    ),
    _Question(
        "duplicate_rows",
        "Duplicates get the same answers",
        behaviours.duplicate_rows,
        "predict removes or counts duplicates; give each row an answer of its own.",
    ),
    _Question(
        "single_row",
        "One row is enough",
        behaviours.single_row,
        "Make predict accept a table of one row; a squeezed dimension is the usual cause.",
    ),
    _Question(
        "empty_batch",
        "An empty table is answered",
        behaviours.empty_batch,
        "scikit-learn refuses empty tables; callers that may send none must check before they ask.",
        serious=False,
    ),
    _Question(
        "tiny_noise",
        "A billionth of noise changes no answer",
        behaviours.tiny_noise,
        "Some rows lie on a decision's edge; round inputs as they were rounded for fitting.",
        serious=False,
    ),
    _Question(
        "missing_values",
        "Missing values are answered",
        behaviours.missing_values,
        "Put an imputer before the model, or refuse missing values before asking it.",
        serious=False,
    ),
    _Question(
        "unseen_category",
        "A category never seen is answered",
        behaviours.unseen_category,
        'Encode with handle_unknown="ignore" (or "infrequent_if_exist"), or refuse such rows before asking.',
        serious=False,
    ),
    _Question(
        "extremes",
        "Extreme numbers are answered",
        behaviours.extremes,
        "Clip inputs to the range that the model was fitted on, or refuse rows outside it.",
        serious=False,
    ),
    _Question(
        "dtype",
        "The type of a number does not matter",
        behaviours.dtype,
        "Convert inputs to one type before the model, as they were for fitting.",
        serious=False,
    ),
    _Question(
        "thread_safety",
        "Several threads get the answers that one gets",
        behaviours.thread_safety,
        "predict keeps something in the model while it works; keep it in local variables, or let one thread "
        "at a time ask.",
    ),
    _Question(
        "probabilities",
        "Probabilities lie within 0 and 1 and sum to 1",
        behaviours.probabilities,
        "What is answered are no probabilities: thresholds, log loss and calibration mean nothing on them. "
        "A model of another version of its library is a common cause; else divide by the sum in "
        "predict_proba.",
    ),
    _Question(
        "missing_column",
        "A missing column is refused",
        wrong_tables.missing_column,
        "Check the columns in predict, or before asking it: an answer without one of them is a guess.",
        serious=False,
    ),
    _Question(
        "extra_column",
        "A column too many changes no answer",
        wrong_tables.extra_column,
        "Pick columns by name in predict, or refuse a table with others.",
        serious=False,
    ),
    _Question(
        "wrong_type",
        "Text where a number belongs is refused",
        wrong_tables.wrong_type,
        "Check the columns' types in predict, or before asking it.",
        serious=False,
    ),
    _Question(
        "infinities",
        "Infinity is refused, or answered as a very large number is",
        wrong_tables.infinities,
        "Refuse or clip infinite numbers before the model: it answers them with something else.",
        serious=False,
    ),
    _Question(
        "long_text",
        "A very long text fares as any unseen category",
        wrong_tables.long_text,
        "Limit the length of texts before the model.",
        serious=False,
    ),
    _Question(
        "outside_bounds",
        "Answers do not jump at the bounds",
        wrong_tables.outside_bounds,
        "Answers jump at the edge of the known range: clip inputs to it, or refuse rows outside it.",
        serious=False,
    ),
)
TEXT_CHECKS = (
    _Question(
        "empty_text",
        "An empty text is answered",
        texts.empty_text,
        "Refuse empty texts before the model, or have it answer them.",
    ),
    _Question(
        "unusual_text",
        "Emoji, other scripts and marks are answered",
        texts.unusual_text,
        "Clean texts inside the pipeline, and keep what it does not know from failing it.",
    ),
    _Question(
        "very_long_text",
        "A very long text is answered",
        texts.very_long_text,
        "Limit the length of texts before the model.",
        serious=False,
    ),
    _Question(
        "missing_text",
        "A missing text is answered",
        texts.missing_text,
        'Put "" in place of missing texts before the model, or refuse such rows.',
        serious=False,
    ),
)
