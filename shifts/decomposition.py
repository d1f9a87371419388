"""A joint shift's effect, taken apart: what each feature's part does alone, and the interaction left over.

Promises: the parts and the whole are asked about the same rows and the same shifted values. Leaves the shifts
to `shifts.scenarios` and running the model to the caller.
"""

import time

import numpy as np
import numpy.typing as npt
import pandas as pd

from distances.changes import call_rows, changed_answers, in_parts, subset
from distances.subject import Subject
from errors import Cancelled, ChildDied, ChildTimeout, DashboardError
from estimators.answers import Predictions
from interruption import check
from records.drift import Decomposition, ScenarioPlan, SingleEffect
from records.schema import Schema
from shifts.breaking_points import picked_rows
from shifts.scenarios import applicable_features, simulate
from shifts.search import MIN_ROWS

__all__ = ["decompose", "joint_scenario"]

Numbers = npt.NDArray[np.float64]
BUDGET_SHARE = 0.25  # of the plan's seconds; the breaking points have their own


def joint_scenario(
    frame: pd.DataFrame, schema: Schema, scenarios: tuple[ScenarioPlan, ...]
) -> ScenarioPlan | None:
    """The largest mean shift that moves two features or more, else the first other scenario that does."""
    shifts = sorted((s for s in scenarios if s.kind == "mean_shift"), key=lambda s: -s.magnitude)
    others = [s for s in scenarios if s.kind != "mean_shift"]
    joint = (s for s in (*shifts, *others) if len(applicable_features(frame, schema, s)) > 1)
    return next(joint, None)


def decompose(
    subject: Subject, scenario: ScenarioPlan, budget_s: float
) -> tuple[Decomposition | None, tuple[str, ...]]:
    """The scenario on at most 256 rows of the subject, jointly and one by one.

    The shift is drawn once, as `simulate` draws it for the whole frame; a single effect takes one column of
    it. Returns the decomposition, or None with a note why: the model raised, or time for 64 rows was lacking.
    """
    ends_at = time.monotonic() + budget_s * BUDGET_SHARE
    frame = subject.frame
    picked = picked_rows(subject.reference, subject.seed)
    names = applicable_features(frame, subject.schema, scenario)
    shifted = simulate(frame, subject.schema, scenario, np.random.default_rng(subject.seed))
    title = scenario.key
    try:
        begun = time.monotonic()
        joint = subject.ask(shifted.iloc[picked])
        per_row_s = (time.monotonic() - begun) / len(picked)
        affordable = int(min((ends_at - time.monotonic()) / max(per_row_s, 1e-9), 1e9) / len(names))
        rows = min(len(picked), affordable)
        if rows < min(MIN_ROWS, len(picked)):
            return None, (f"{title} was not taken apart: {len(names)} features take more than the budget.",)
        picked, joint = picked[:rows], subset(joint, np.arange(rows))
        # A table of many columns takes longer to make than to answer, which was all that could be foreseen.
        singles = _singles(frame.iloc[picked], shifted.iloc[picked], names, subject, begun + budget_s)
    except (Cancelled, ChildDied, ChildTimeout):
        raise
    except DashboardError as error:
        return None, (f"{title} was not taken apart: {error.message}",)
    if singles is None:
        return None, (f"{title} was not taken apart: {len(names)} features take more than the budget.",)
    before = subset(subject.reference, picked)
    return _figures(scenario, names, before, joint, singles, subject.tolerance), ()


def _singles(
    rows: pd.DataFrame, shifted: pd.DataFrame, names: tuple[str, ...], subject: Subject, ends_at: float
) -> list[Predictions] | None:
    """The answers with one column shifted, a table a feature, several a call; None once `ends_at` is past."""
    n = len(rows)
    at_once = max(1, call_rows(rows.shape[1]) // n)
    found: list[Predictions] = []
    for start in range(0, len(names), at_once):
        check()
        if time.monotonic() > ends_at:
            return None
        some = names[start : start + at_once]
        # assign, not a cell-wise write: a shifted column may have another type
        table = pd.concat([rows.assign(**{name: shifted[name]}) for name in some], ignore_index=True)
        found += in_parts(subject.ask(table), len(some))
    return found


def _figures(
    scenario: ScenarioPlan,
    names: tuple[str, ...],
    reference: Predictions,
    joint: Predictions,
    singles: list[Predictions],
    tolerance: float,
) -> Decomposition:
    tables = [joint, *singles]
    shares = [float((changed_answers(reference, t, tolerance) | t.failed).mean()) for t in tables]
    output, changes = _output_changes(reference, tables)
    effects = [
        SingleEffect(feature=name, changed_share=share, output_change=change)
        for name, share, change in zip(names, shares[1:], changes[1:], strict=True)
    ]
    effects.sort(key=lambda e: -(e.changed_share or 0.0))
    total = float(np.sum(shares[1:]))
    known = [c for c in changes[1:] if c is not None]
    single_sum = float(np.sum(known)) if known else None
    return Decomposition(
        kind=scenario.kind,
        magnitude=scenario.magnitude,
        rows=len(reference.values),
        singles=tuple(effects),
        joint_changed_share=shares[0],
        single_changed_sum=total,
        changed_remainder=shares[0] - total,
        output=output,
        joint_output_change=changes[0],
        single_output_sum=single_sum,
        output_remainder=None if changes[0] is None or single_sum is None else changes[0] - single_sum,
    )


def _output_changes(
    reference: Predictions, tables: list[Predictions]
) -> tuple[str | None, list[float | None]]:
    """How far each table moves the mean output, over the rows that every table got an answer for."""
    answered = ~np.any([reference.failed, *(t.failed for t in tables)], axis=0)
    nothing: list[float | None] = [None] * len(tables)
    if not answered.any():
        return None, nothing
    if reference.labels is None:
        before, name = reference.values, "answer"
        after = [t.values for t in tables]
    else:
        column = _followed_class(reference, tables)
        if column is None or reference.scores is None:
            return None, nothing
        before, name = reference.scores[:, column], reference.labels[column]
        after = [t.scores[:, column] for t in tables if t.scores is not None]
    base = before[answered].astype(np.float64)
    return name, [float((values[answered] - base).mean()) for values in after]


def _followed_class(reference: Predictions, tables: list[Predictions]) -> int | None:
    """Of two classes the second, of more the commonest; None where scores or labels do not line up."""
    labels, scores = reference.labels, reference.scores
    if labels is None or scores is None or scores.shape[1] != len(labels):
        return None
    for table in tables:
        if table.labels != labels or table.scores is None or table.scores.shape != scores.shape:
            return None
    if len(labels) == 2:
        return 1
    codes = reference.values[~reference.failed].astype(np.int64)
    return int(np.bincount(codes, minlength=len(labels)).argmax())
