"""Breaking points: how far one feature's mean may move before too many answers change.

Promises: the crossing lies inside the interval given, and the search ends within its budget. Leaves
running the model to the caller.
"""

import math
import time
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from answers import Predict, ask, change_tolerance, changed_answers, subset
from drift import BreakingPoint, DriftPlan, compare
from drift_shifts import as_numbers, shifted_numbers, spread_of
from errors import Cancelled, ChildDied, ChildTimeout, DashboardError
from model_utils import Predictions
from schema_utils import FieldSpec, Schema

__all__ = ["find_breaking_points"]

LEVELS = (0.25, 0.5, 1.0, 2.0, 4.0)  # standard deviations tried before bisection
WIDTH = 0.02  # standard deviations; a final interval is no wider
MAX_ROWS = 256
MIN_ROWS = 64  # fewer cannot tell a share of 0.1 from 0.2
MAX_CALL_ROWS = 20_000
EXPECTED_CALLS = len(LEVELS) + math.ceil(math.log2((LEVELS[-1] - LEVELS[-2]) / WIDTH))

Found = tuple[tuple[BreakingPoint, ...], tuple[str, ...]]


@dataclass
class _Search:
    """One feature shifted in one direction: the crossing is above `low` and, once known, at most `high`."""

    spec: FieldSpec
    std: float
    sign: int
    low: float = 0.0
    high: float | None = None
    share: float = 0.0  # of answers changed by the last shift tried

    def next_shift(self) -> float | None:
        """The next shift to try, in standard deviations; None when there is nothing left to learn."""
        if self.high is None:
            return next((level for level in LEVELS if level > self.low), None)
        return (self.low + self.high) / 2 if self.high - self.low > WIDTH else None

    def learn(self, tried: float, share: float, limit: float) -> None:
        self.share = share
        if share > limit:
            self.high = tried
        else:
            self.low = tried


@dataclass
class _Question:
    """What every step asks: some rows of the frame, their answers, and when an answer counts as changed."""

    rows: pd.DataFrame
    reference: Predictions
    predict: Predict
    tolerance: float
    limit: float
    ends_at: float  # time.monotonic()
    slowest_s: float = 0.0
    stopped: str | None = field(default=None)

    def ask_all(self, tries: list[tuple[_Search, float]]) -> bool:
        """One call for all shifts; each search learns its own. False when the search must stop."""
        if time.monotonic() + self.slowest_s > self.ends_at:
            self.stopped = "the time budget ended"
            return False
        begun = time.monotonic()
        try:
            answers = ask(self.predict, _stacked(self.rows, tries))
        except (Cancelled, ChildDied, ChildTimeout):
            raise
        except DashboardError as error:
            self.stopped = error.message
            return False
        self.slowest_s = max(self.slowest_s, time.monotonic() - begun)
        n = len(self.rows)
        for i, (search, shift) in enumerate(tries):
            own = subset(answers, np.arange(i * n, (i + 1) * n))
            # A row that is no longer answered at all has certainly changed.
            changed = changed_answers(self.reference, own, self.tolerance) | own.failed
            search.learn(shift, float(changed.mean()), self.limit)
        return True


def find_breaking_points(
    frame: pd.DataFrame,
    schema: Schema,
    predict: Predict,
    reference: Predictions,
    plan: DriftPlan,
    seed: int,
) -> Found:
    """For each number or whole number the smallest shift of its mean, up or down, that changes the answers.

    `reference` holds the answers to `frame`. On at most 256 of the rows answered, every shift is applied
    to the same rows. Both directions are bracketed by 0.25, 0.5, 1, 2 and 4 standard deviations, then
    bisected, all features in one call a step. Shares need not grow with the shift: what is found is the
    first crossing of that ladder. Returns the points, nearest first and unreached ones last, and notes
    on what the budget or the model cut short.
    """
    begun = time.monotonic()
    specs = [s for s in schema.features if s.type in ("number", "integer") and s.name in frame.columns]
    stds = {s.name: _std(frame[s.name]) for s in specs}
    movable = [s for s in specs if stds[s.name] > 0]
    usable = np.flatnonzero(~reference.failed)
    notes: list[str] = []
    if len(movable) < len(specs):
        still = [s.name for s in specs if stds[s.name] == 0]
        notes.append(f"No breaking point was searched for {_listed(still)}: constant or without numbers.")
    if not movable or len(usable) == 0:
        return (), tuple(notes)
    picked = np.sort(np.random.default_rng(seed).permutation(usable)[:MAX_ROWS])
    tolerance = change_tolerance(reference)
    question = _Question(
        rows=frame.iloc[picked],
        reference=subset(reference, picked),
        predict=predict,
        tolerance=tolerance,
        limit=plan.changed_limit,
        ends_at=begun + plan.budget_s,
    )
    question = _fitted(question, len(movable), plan.budget_s)
    searches = [_Search(s, stds[s.name], sign) for s in movable for sign in (1, -1)]
    _search_all(question, searches)
    points = [_point(frame, *searches[i : i + 2]) for i in range(0, len(searches), 2)]
    if question.stopped is not None:
        notes.append(_what_was_cut(question.stopped, searches))
    if len(question.rows) < min(MAX_ROWS, len(usable)):
        notes.append(f"Breaking points rest on {len(question.rows)} rows, to keep to the time budget.")
    points.sort(key=lambda p: (p.magnitude is None, abs(p.magnitude or 0.0)))
    return tuple(points), tuple(notes)


def _fitted(question: _Question, features: int, budget_s: float) -> _Question:
    """Fewer rows where there are many features, or where one timed call shows that the model is slow."""
    n = len(question.rows)
    begun = time.monotonic()
    try:
        ask(question.predict, question.rows)
    except (Cancelled, ChildDied, ChildTimeout):
        raise
    except DashboardError as error:
        question.stopped = error.message
        return question
    per_row_s = (time.monotonic() - begun) / n
    affordable = budget_s / EXPECTED_CALLS / max(per_row_s, 1e-9)
    rows = int(min(MAX_CALL_ROWS, affordable) / (2 * features))
    rows = min(n, max(MIN_ROWS, rows))
    question.rows = question.rows.iloc[:rows]
    question.reference = subset(question.reference, np.arange(rows))
    return question


def _search_all(question: _Question, searches: list[_Search]) -> None:
    """One step for every feature, then the rest, in as large groups as the budget allows to finish.

    A slow model would otherwise end with every interval open: so the features that the first step moved
    most come first.
    """
    largest = max(2, MAX_CALL_ROWS // len(question.rows) // 2 * 2)
    for start in range(0, len(searches), largest):
        if not question.ask_all([(s, LEVELS[0]) for s in searches[start : start + largest]]):
            return
    left_s = question.ends_at - time.monotonic()
    calls = left_s / max(question.slowest_s, 1e-9)
    affordable = int(min(len(searches), largest) * calls / (EXPECTED_CALLS - 1)) // 2 * 2
    batch = min(largest, max(2, affordable))
    pairs = sorted(
        zip(searches[::2], searches[1::2], strict=True), key=lambda p: -max(p[0].share, p[1].share)
    )
    ordered = [search for pair in pairs for search in pair]
    for start in range(0, len(ordered), batch):
        if question.stopped is None:
            question.slowest_s = 0.0 if start == 0 else question.slowest_s  # smaller calls from here on
            _search(question, ordered[start : start + batch])


def _search(question: _Question, searches: list[_Search]) -> None:
    """Until every feature has its interval, or `question` stops."""
    while True:
        tries = []
        for up, down in zip(searches[::2], searches[1::2], strict=True):
            for search, other in ((up, down), (down, up)):
                # Once the other direction broke nearer than this one has come, this one cannot be smaller.
                beaten = other.high is not None and search.low >= other.high
                shift = search.next_shift()
                if shift is not None and not beaten:
                    tries.append((search, shift))
        if not tries or not question.ask_all(tries):
            return


def _stacked(rows: pd.DataFrame, tries: list[tuple[_Search, float]]) -> pd.DataFrame:
    """The rows once for every try, each copy with its own feature shifted."""
    n = len(rows)
    table = rows.iloc[np.tile(np.arange(n), len(tries))].reset_index(drop=True)
    by_feature: dict[str, npt.NDArray[np.float64]] = {}
    for i, (search, shift) in enumerate(tries):
        by = by_feature.setdefault(search.spec.name, np.zeros(len(table)))
        by[i * n : (i + 1) * n] = search.sign * shift * search.std
    specs = {search.spec.name: search.spec for search, _ in tries}
    for name, by in by_feature.items():
        table[name] = shifted_numbers(table[name], specs[name], by)
    return table


def _point(frame: pd.DataFrame, up: _Search, down: _Search) -> BreakingPoint:
    """The direction that broke first; its sign is kept in the magnitude and the interval."""
    name = up.spec.name
    broken = [s for s in (up, down) if s.high is not None]
    if not broken:
        return BreakingPoint(
            feature=name,
            kind="mean_shift",
            magnitude=None,
            psi=None,
            interval=None,
            searched_to=min(up.low, down.low),
        )
    nearest = min(broken, key=lambda s: (s.low, s.high))
    low, high = sorted((nearest.sign * nearest.low, nearest.sign * (nearest.high or 0.0)))
    magnitude = (low + high) / 2
    column = frame[[name]]
    moved = shifted_numbers(frame[name], nearest.spec, magnitude * nearest.std).to_frame(name)
    return BreakingPoint(
        feature=name,
        kind="mean_shift",
        magnitude=magnitude,
        psi=compare(column, moved).columns[0].psi,
        interval=(low, high),
        searched_to=LEVELS[-1],
    )


def _std(column: pd.Series) -> float:
    numeric = pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype)
    return spread_of(column) if numeric and np.isfinite(as_numbers(column)).any() else 0.0


def _what_was_cut(why: str, searches: list[_Search]) -> str:
    pairs = list(zip(searches[::2], searches[1::2], strict=True))
    open_ = [p for p in pairs if all(s.high is None and s.low < LEVELS[-1] for s in p)]
    wide = [p for p in pairs if any(s.high is not None and s.high - s.low > WIDTH for s in p)]
    return (
        f"The search for breaking points stopped early ({why}): {len(open_)} of {len(pairs)} features "
        f"were not searched to {LEVELS[-1]:g} standard deviations, {len(wide)} have a wider interval."
    )


def _listed(names: list[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
