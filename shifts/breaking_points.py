"""Breaking points: how far one feature's mean may move before too many answers change, or the score falls.

Promises: an interval that covers what rows drawn at random hide and what the search left open. Leaves the
search and its budget to `shifts.search` and running the model to the caller.
"""

import time
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from distances.changes import subset
from distances.columns import ReferenceColumn, numbers, numeric_psi, text_psi
from distances.subject import Subject
from estimators.answers import Predictions
from interruption import check
from records.base import Figure
from records.drift import BreakingPoint, DriftPlan
from records.schema import FieldSpec
from shifts.criteria import BROKEN, POSSIBLY, SURELY, ChangedAnswers, Criterion, Labelled, ScoreDrop, Tails
from shifts.scenarios import as_numbers, shifted_numbers, spread_of
from shifts.search import (
    LEVELS,
    OUT_OF_TIME,
    BudgetedModel,
    Search,
    confirm,
    is_wide,
    middle_of,
    nearest,
    screen,
    search_all,
)
from shifts.text_shifts import GRADED, changed_texts

__all__ = ["find_breaking_points", "picked_rows"]

ERROR = 0.05  # chance that an interval misses: half of it at either end,
SCREEN_ERROR = 0.01  # this much of the lower end's because few rows ruled a shift out
MAX_ROWS = 256
PSI_TEXTS = 400  # that the PSI of a text's breaking point is measured on; each is changed once more for it
EARLY = 0.1  # of the nearer end: a PSI grows with the square of a shift, so that a hundredth is left of it
SHARE_A_STEP = 0.25  # of a text's words: the ladder's last step is all of them

Found = tuple[tuple[BreakingPoint, ...], tuple[str, ...]]


def picked_rows(reference: Predictions, seed: int) -> npt.NDArray[np.intp]:
    """At most 256 positions of rows that were answered, in random order."""
    return np.random.default_rng(seed).permutation(np.flatnonzero(~reference.failed))[:MAX_ROWS]


def find_breaking_points(subject: Subject, plan: DriftPlan, labelled: Labelled | None = None) -> Found:
    """For each number or whole number the smallest shift of its mean, up or down, that breaks the model.

    One-hot columns are left out: a shift would make two of them 1.
    It breaks where more than `changed_limit` of the answers change on rows of the subject, or where the
    score on the `labelled` rows drops by more than `score_limit`. On at most 256 rows of either, every
    shift is applied to the same rows. Both directions are bracketed by 0.25, 0.5, 1, 2 and 4 standard
    deviations, then bisected, all features in one call a step. First the whole ladder is tried on 64 rows;
    shifts that these rule out with 99 % are not asked about again, and the search starts at the first step
    that breaks. Where these 64 stay changed once they are, a row that is not changed at one shift is not
    asked at nearer ones; within a bracket those are asked that its ends disagree on. The point found is
    then asked on all rows.

    Of a text the share of its words that are exchanged takes the place of the shift, for each kind that
    `shifts.text_shifts.GRADED` names: 1/16, 1/8, 1/4, 1/2 and all, then bisected.

    The interval is where the limit lies inside the 95 % band of what was measured. Three crossings bound it:
    of the band's upper end, of the figure, of the band's lower end. The nearest of both directions counts, so
    the chance of an upper end too near is divided among them. It holds for effects that grow with the shift;
    else what is found is the first crossing of the ladder, and the notes say where that was seen.

    Of a table too wide for the budget the seed draws which features are looked at (`shifts.search.screen`).
    Returns the points, nearest first, then unreached ones and those not searched (`searched_to` 0), and notes
    on what was cut short.
    """
    frame = subject.frame
    specs = [
        s
        for s in subject.schema.features
        if s.type in ("number", "integer") and s.group is None and s.name in frame.columns
    ]
    stds = {s.name: _std(frame[s.name]) for s in specs}
    movable = [s for s in specs if stds[s.name] > 0]
    texts = [s for s in subject.schema.features if s.name in subject.texts and s.name in frame.columns]
    notes: list[str] = []
    if len(movable) < len(specs):
        still = [s.name for s in specs if stds[s.name] == 0]
        notes.append(f"No breaking point was searched for {_listed(still)}: constant or without numbers.")
    picked = picked_rows(subject.reference, subject.seed)
    if not (movable or texts) or len(picked) == 0:
        return (), tuple(notes)
    # Not before: to look through 10,000 columns takes longer than the budget.
    model = BudgetedModel(subject.predict, time.monotonic() + plan.budget_s, plan.budget_s)
    tails = Tails(ERROR / 2 - SCREEN_ERROR, ERROR / 2 / (2 if plan.score_limit is None else 4), SCREEN_ERROR)
    before = subset(subject.reference, picked)
    criteria: list[Criterion] = [
        ChangedAnswers(frame.iloc[picked], before, subject.tolerance, plan.changed_limit, tails)
    ]
    if plan.score_limit is not None:
        scored, why_not = _score_drop(labelled, movable, model, plan.score_limit, tails, subject.seed)
        criteria += [] if scored is None else [scored]
        notes += [] if why_not is None else [why_not]
    groups = [
        [Search(s, stds[s.name], sign, c) for c in criteria for sign in (1, -1) if _can_move(c, s.name)]
        for s in movable
    ]
    groups += [[Search(s, SHARE_A_STEP, 1, c, kind=kind) for c in criteria] for s in texts for kind in GRADED]
    screen(model, groups, subject.seed)
    asked = search_all(model, groups)
    confirm(model, groups)
    points = [_point(frame, group) for group in groups]
    looked_at = [group for group in groups if any(s.asked for s in group)]
    if model.stopped is None and len(looked_at) < len(groups):
        model.stopped = OUT_OF_TIME
    if model.stopped is not None:
        notes.append(_what_was_cut(model.stopped, looked_at, len(groups), plan.budget_s))
    if asked < min(MAX_ROWS, len(picked)):
        notes.append(f"Breaking points rest on {asked} rows, to keep to the time budget.")
    returning = [p.feature for p in points if p.monotone is False]
    if returning:
        ladder = ", ".join(f"{level:g}" for level in LEVELS)
        notes.append(
            f"For {_listed(returning)} a farther shift was within the limit again: the first crossing found "
            f"on the ladder of {ladder} standard deviations is given."
        )
    points.sort(key=_nearest_first)
    return tuple(points), tuple(notes)


def _point(frame: pd.DataFrame, group: list[Search]) -> BreakingPoint:
    """The direction that broke first; its sign is kept in the magnitude and the interval."""
    check()
    broken = nearest(group)
    possible = [s for s in group if s.bracket(POSSIBLY)[1] is not None]
    shown = broken or min(possible, key=lambda s: s.bracket(POSSIBLY), default=None)
    name, kind = group[0].spec.name, group[0].kind
    numeric = kind == "mean_shift"
    unit = 1.0 if numeric else SHARE_A_STEP  # of the ladder, in what is told
    if shown is None:
        return BreakingPoint(
            feature=name,
            kind=kind,
            magnitude=None,
            psi=None,
            interval=None,
            searched_to=unit * min(s.bracket(POSSIBLY)[0] for s in group),
            rows=len(group[0].criterion.rows),
        )
    near = min(s.bracket(POSSIBLY)[0] for s in group)
    far = min((h for s in group if (h := s.bracket(SURELY)[1]) is not None), default=None)
    middle = None if broken is None else shown.sign * middle_of(shown)
    ends = (shown.sign * near, None if far is None else shown.sign * far)
    early = EARLY * (ends[0] or middle or 0.0)
    psi, psi_near, psi_far, psi_early = _psi(frame[name], shown, (middle, *ends, early or None))
    ends = (unit * ends[0], None if ends[1] is None else unit * ends[1])
    up_or_down: Literal["up", "down"] = "up" if shown.sign > 0 else "down"
    return BreakingPoint(
        feature=name,
        kind=kind,
        magnitude=None if middle is None else unit * middle,
        psi=psi,
        interval=ends if shown.sign > 0 else ends[::-1],
        searched_to=unit * (LEVELS[-1] if broken else min(s.bracket(BROKEN)[0] for s in group)),
        direction=up_or_down if numeric else None,
        shift=middle * shown.std if middle is not None and numeric else None,
        psi_interval=(psi_near, psi_far),
        by=shown.criterion.by,
        limit=shown.criterion.limit,
        value=shown.confirmed,
        rows=len(shown.criterion.rows),
        monotone=None if broken is None else not shown.comes_back(),
        psi_early=psi_early if numeric else None,
    )


def _psi(column: pd.Series, search: Search, shifts: tuple[Figure, ...]) -> list[Figure]:
    """The PSI that each shift makes on the feature; None for None."""
    texts = search.kind != "mean_shift"
    reference = ReferenceColumn(column.head(PSI_TEXTS) if texts else column, is_text=texts)

    def at(shift: float) -> float:
        by = shift * search.std
        if reference.is_text:
            return text_psi(reference, changed_texts(reference.column, search.spec, search.kind, by, seed=0))
        return numeric_psi(reference, numbers(shifted_numbers(column, search.spec, by)))

    return [None if shift is None else at(shift) for shift in shifts]


def _score_drop(
    labelled: Labelled | None,
    movable: list[FieldSpec],
    model: BudgetedModel,
    limit: float,
    tails: Tails,
    seed: int,
) -> tuple[ScoreDrop | None, str | None]:
    """The criterion on the labelled rows, or why there is none."""
    if labelled is None:
        return None, "The score limit was not used: no labelled sample that fits the model came with the run."
    known = np.flatnonzero(labelled.labels.notna().to_numpy(dtype=bool))
    picked = np.random.default_rng(seed).permutation(known)[:MAX_ROWS]
    rows = labelled.rows.iloc[picked]
    # A number that the sample happens to have whole must be able to move by less than one.
    whole = [
        s.name for s in movable if s.type == "number" and pd.api.types.is_integer_dtype(rows[s.name].dtype)
    ]
    rows = rows.astype(dict.fromkeys(whole, np.float64))
    answers = model.answers(rows)
    if answers is None:
        return None, None
    found = ScoreDrop.of(Labelled(rows, labelled.labels.iloc[picked]), answers, limit, tails)
    return found, None if found else "The score limit was not used: there is no score to lose on the sample."


def _can_move(criterion: Criterion, name: str) -> bool:
    return criterion.by == "changed_answers" or _std(criterion.rows[name]) > 0


def _std(column: pd.Series) -> float:
    check()
    numeric = pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype)
    return spread_of(column) if numeric and np.isfinite(as_numbers(column)).any() else 0.0


def _nearest_first(point: BreakingPoint) -> tuple[bool, bool, bool, float]:
    unreached = point.magnitude is None
    return unreached, point.not_searched, point.kind != "mean_shift", abs(point.magnitude or 0.0)


def _what_was_cut(why: str, looked_at: list[list[Search]], count: int, budget_s: float) -> str:
    """looked_at: the groups that the model was asked about at all, of `count`."""

    def bounds(group: list[Search]) -> list[tuple[float, float | None]]:
        return [s.bracket(BROKEN) for s in group]

    open_ = [
        g
        for g in looked_at
        if all(high is None for _, high in bounds(g)) and any(low < LEVELS[-1] for low, _ in bounds(g))
    ]
    wide = [g for g in looked_at if any(high is not None and is_wide(low, high) for low, high in bounds(g))]
    of_texts = " (texts: to all words)" if any(g[0].kind != "mean_shift" for g in looked_at) else ""
    told = f"The search for breaking points stopped early ({why}): "
    if looked_at and len(looked_at) < count:
        told += (
            f"its {budget_s:g} s (budget_s of drift) were enough to look at {len(looked_at):,} of {count:,} "
            f"features, drawn at random by the run's seed; the other {count - len(looked_at):,} were not "
            "searched. Of those looked at "
        )
    many = f"{len(open_):,} of {len(looked_at):,} features" if len(looked_at) == count else f"{len(open_):,}"
    if not looked_at:
        return f"{told}none of {count:,} features was searched. Raise budget_s of drift."
    return (
        f"{told}{many} were not searched to {LEVELS[-1]:g} standard deviations{of_texts}, {len(wide):,} have "
        "a wider interval."
    )


def _listed(names: list[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
