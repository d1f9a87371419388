"""The search for breaking points: which shifts to try, on which rows, and when to stop.

Promises: first crossings in brackets of a known width, few rows asked for them, and an end within the budget.
Leaves the judgement of a shift to `shifts.criteria`, and what the crossings mean to `shifts.breaking_points`.
"""

import time
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from distances.changes import ask, call_rows, subset
from errors import Cancelled, ChildDied, ChildTimeout, DashboardError
from estimators.answers import Predict, Predictions
from interruption import check
from records.drift import ScenarioKind
from records.schema import FieldSpec
from shifts.criteria import BROKEN, POSSIBLY, SURELY, Criterion
from shifts.scenarios import shifted_numbers, with_columns
from shifts.text_shifts import changed_texts

__all__ = [
    "LEVELS", "MIN_ROWS", "OUT_OF_TIME", "BudgetedModel", "Search", "confirm", "is_wide", "middle_of",
    "nearest", "screen", "search_all",
]  # fmt: skip

Numbers = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]

LEVELS = (0.25, 0.5, 1.0, 2.0, 4.0)  # standard deviations tried before bisection
WIDTH = 0.02  # standard deviations; brackets end no wider than this,
RELATIVE_WIDTH = 1 / 32  # or than this share of the shift
MIN_ROWS = 64  # fewer cannot tell a share of 0.1 from 0.2
ROWS_A_GROUP = 10  # times the rows that one feature's whole search asks for; measured, and rounded up
MOST_UNSTEADY = 1  # of the 64 rows
MIDDLE_SHARE = 0.7  # of the time left that the screening's first step may take; what remains finds points
SCREEN_SHARE = 0.4  # of the time left that the screening may take
FIRST_CALL_SHARE = 0.25
OUT_OF_TIME = "the time budget ended"


@dataclass
class Search:
    """One feature shifted in one direction, judged by one criterion; shifts in standard deviations.

    A text has none: for the kinds of `shifts.text_shifts` the ladder is of shares of its words, `std` of them
    to a step of 1, so that the last step is all of them.

    tried: the values of all rows at a shift; first: those of the first rows, from the screening. ruled_out:
    up to which shift the screening rules a crossing out; all of the ladder for a hopeless search. start: the
    first step of the ladder to ask all rows about. peak: where the first rows changed most, if nowhere beyond
    the limit. steady: whether what changed nearer stays changed there.
    """

    spec: FieldSpec
    std: float
    sign: int
    criterion: Criterion
    first: dict[float, Numbers] = field(default_factory=dict)
    tried: dict[float, Numbers] = field(default_factory=dict)
    grades: dict[float, int] = field(default_factory=dict)
    ruled_out: float = 0.0
    start: float = LEVELS[0]
    peak: float | None = None
    steady: bool = False
    kind: ScenarioKind = "mean_shift"
    confirmed: float | None = None  # the figure at the point found, all rows asked

    @property
    def asked(self) -> bool:
        return bool(self.first or self.tried)

    @property
    def hopeless(self) -> bool:
        return self.ruled_out >= LEVELS[-1]

    def screened(self, head: Criterion) -> None:
        """Take what the first rows told at every step of the ladder."""
        figures = {level: head.figure(self.first[level]) for level in LEVELS}
        within = [level for level in LEVELS if head.hopeless(self.first[level])]
        self.ruled_out = max((a for i, a in enumerate(within) if a == LEVELS[i]), default=0.0)
        broken = [level for level in LEVELS if figures[level] > head.limit]
        self.peak = None if broken else max(LEVELS, key=figures.__getitem__)
        self.start = self.peak or broken[0]
        nearer = [self.first[level] for level in LEVELS if level < self.start]
        self.steady = all(((v != 0) & (self.first[self.start] == 0)).sum() <= MOST_UNSTEADY for v in nearer)

    def learn(self, shift: float, values: Numbers) -> None:
        self.tried[shift] = values
        self.grades[shift] = self.criterion.grade(values)
        if shift == self.peak and self.grades[shift] < POSSIBLY:
            self.ruled_out = LEVELS[-1]

    def bracket(self, grade: int) -> tuple[float, float | None]:
        """The first crossing to `grade` is above the first and, once known, at most the second."""
        if self.hopeless:
            return LEVELS[-1], None
        high = min((shift for shift, found in self.grades.items() if found >= grade), default=None)
        below = (shift for shift in self.grades if high is None or shift < high)
        return max(below, default=self.ruled_out), high

    def next_shifts(self, others: list["Search"]) -> set[float]:
        """What to try next; nothing for a crossing that another direction is known to reach nearer."""
        shifts: set[float] = set()
        for grade in (POSSIBLY, BROKEN, SURELY):
            low, high = self.bracket(grade)
            other = min((h for o in others if (h := o.bracket(grade)[1]) is not None), default=None)
            if self.hopeless or (other is not None and low >= other):
                continue
            if high is None:
                shifts.update(
                    [level for level in LEVELS if level >= self.start and level not in self.grades][:1]
                )
            elif between := [level for level in LEVELS if low < level < high]:
                shifts.add(between[-1])
            elif is_wide(low, high):
                shifts.add((low + high) / 2)
        return shifts

    def known(self, shift: float) -> tuple[Numbers, Rows]:
        """The values at `shift` as far as they are known, and the rows that have to be asked."""
        values = np.full(len(self.criterion.rows), np.nan)
        if shift in self.first:
            count = min(len(self.first[shift]), len(values))
            values[:count] = self.first[shift][:count]
        below = max((s for s in self.tried if s < shift), default=None)
        above = min((s for s in self.tried if s > shift), default=None)
        if below is not None and above is not None:
            same = np.isnan(values) & (self.tried[below] == self.tried[above])
            values[same] = self.tried[below][same]
        elif above is not None and self.steady:
            still = np.isnan(values) & (self.tried[above] == 0)
            values[still] = 0.0
        return values, np.flatnonzero(np.isnan(values))

    def comes_back(self) -> bool:
        """Whether a shift beyond one that breaks was seen not to."""
        broken = [shift for shift, grade in self.grades.items() if grade >= BROKEN]
        if not broken:
            return False
        figures = {s: self.criterion.figure(v) for s, v in self.tried.items()}
        head = self.criterion.head(min((len(v) for v in self.first.values()), default=0))
        within = [s for s, v in self.first.items() if s not in figures and head.hopeless(v)]
        within += [s for s, figure in figures.items() if figure <= self.criterion.limit]
        return max(within, default=0.0) > min(broken)


@dataclass
class Try:
    """One shift to ask about: `values` (rows of the criterion), of which those at `rows` are not known."""

    search: Search
    criterion: Criterion
    shift: float
    values: Numbers
    rows: Rows


@dataclass
class BudgetedModel:
    """The model, and how much time is left to ask it."""

    predict: Predict
    ends_at: float  # time.monotonic()
    budget_s: float
    per_row_s: float = 0.0  # in the largest call so far: a small one is mostly overhead
    largest: int = 0
    stopped: str | None = None

    def left_s(self) -> float:
        return self.ends_at - time.monotonic()

    def affordable(self, share: float = 1.0) -> int:
        """Rows that a share of the time left is enough for."""
        return int(min(max(self.left_s(), 0.0) * share / max(self.per_row_s, 1e-9), 1e9))

    def answers(self, table: pd.DataFrame) -> Predictions | None:
        """None when the search must stop."""
        if self.left_s() < self.per_row_s * len(table):
            self.stopped = OUT_OF_TIME
            return None
        begun = time.monotonic()
        try:
            found = ask(self.predict, table)
        except (Cancelled, ChildDied, ChildTimeout):
            raise
        except DashboardError as error:
            self.stopped = error.message
            return None
        if len(table) >= self.largest:
            self.largest, self.per_row_s = len(table), (time.monotonic() - begun) / len(table)
        return found

    def fill(self, tries: list[Try]) -> bool:
        """Ask for what each try lacks, in calls of bounded size; False when the search must stop."""
        for criterion in {id(t.criterion): t.criterion for t in tries}.values():
            own = [t for t in tries if t.criterion is criterion and len(t.rows)]
            while own:
                ends = np.cumsum([len(t.rows) for t in own])
                most = call_rows(criterion.rows.shape[1])
                count = max(1, int(np.searchsorted(ends, most, side="right")))
                some, own = own[:count], own[count:]
                answers = self.answers(_stacked(criterion.rows, some))
                if answers is None:
                    return False
                start = 0
                for t in some:
                    end = start + len(t.rows)
                    t.values[t.rows] = criterion.values(subset(answers, np.arange(start, end)), t.rows)
                    start = end
        return True


def screen(model: BudgetedModel, groups: list[list[Search]], seed: int) -> None:
    """The ladder on few rows: which features cannot break, and which come first where time is short.

    Where it is too short for one step of all of them, the seed draws which are asked about: the first in a
    table are no better than others, and often of one kind.
    """
    drawn = np.random.default_rng(seed).permutation(len(groups))
    searches = [s for place in drawn for s in groups[place]]
    heads = {id(s.criterion): s.criterion.head(MIN_ROWS) for s in searches}
    for head in heads.values():
        # Timed for a first idea of what a call costs: a slow model must not lose all its time in one.
        if model.answers(head.rows) is None:
            return
    middle = LEVELS[len(LEVELS) // 2]
    for levels in ([middle], [level for level in LEVELS if level != middle]):
        tries = [
            Try(s, head, level, np.zeros(len(head.rows)), np.arange(len(head.rows)))
            for level in levels
            for s in searches
            for head in [heads[id(s.criterion)]]
        ]
        if len(levels) > 1 and len(tries) * MIN_ROWS > model.affordable(SCREEN_SHARE):
            return
        kept_s = model.left_s() * (1 - MIDDLE_SHARE)
        while tries:
            if model.left_s() < kept_s:
                return
            rows = min(model.affordable(FIRST_CALL_SHARE), call_rows(searches[0].criterion.rows.shape[1]))
            some, tries = tries[: max(2, rows // MIN_ROWS)], tries[max(2, rows // MIN_ROWS) :]
            if not model.fill(some):
                return
            for t in some:
                t.search.first[t.shift] = t.values
    for s in searches:
        check()
        s.screened(heads[id(s.criterion)])


def search_all(model: BudgetedModel, groups: list[list[Search]]) -> int:
    """The most sensitive features first, as many at once as the budget lets finish. Returns how many rows."""

    def sensitivity(group: list[Search]) -> float:
        # The screening's middle level is the one that every search has.
        figures = [
            s.criterion.head(len(values)).figure(values) / s.criterion.limit
            for s in group
            for values in list(s.first.values())[:1]
        ]
        return max(figures, default=0.0)

    asked = [g for g in groups if any(s.asked for s in g)]
    live = [g for g in sorted(asked, key=sensitivity, reverse=True) if any(not s.hopeless for s in g)]
    most = max((len(s.criterion.rows) for g in groups for s in g), default=0)
    if not live or model.stopped is not None:
        return most
    rows = min(most, max(MIN_ROWS, model.affordable() // (ROWS_A_GROUP * len(live))))
    for group in live:
        for s in group:
            s.criterion = s.criterion.head(rows)
    while live and model.stopped is None:
        most = call_rows(live[0][0].criterion.rows.shape[1])
        at_once = max(1, min(model.affordable() // (ROWS_A_GROUP * rows), most // (2 * rows)))
        _search(model, live[:at_once])
        live = live[at_once:]
    return rows


def _search(model: BudgetedModel, groups: list[list[Search]]) -> None:
    """Until every crossing of these features has its bracket, or `model` stops."""
    while True:
        check()
        tries = []
        for group in groups:
            for search in group:
                others = [other for other in group if other is not search]
                for shift in sorted(search.next_shifts(others)):
                    tries.append(Try(search, search.criterion, shift, *search.known(shift)))
        if not tries or not model.fill(tries):
            return
        for t in tries:
            t.search.learn(t.shift, t.values)


def confirm(model: BudgetedModel, groups: list[list[Search]]) -> None:
    """Ask all rows at every point found: bisection took some answers for granted."""
    tries = []
    for group in groups:
        found = nearest(group)
        if found is not None and model.stopped is None:
            rows = np.arange(len(found.criterion.rows))
            tries.append(Try(found, found.criterion, middle_of(found), np.zeros(len(rows)), rows))
    if tries and model.fill(tries):
        for t in tries:
            t.search.confirmed = t.criterion.figure(t.values)


def _stacked(rows: pd.DataFrame, tries: list[Try]) -> pd.DataFrame:
    """The rows that each try lacks, one try after the other, each with its own feature shifted."""
    table = rows.iloc[np.concatenate([t.rows for t in tries])].reset_index(drop=True)
    shifts: dict[tuple[str, ScenarioKind], Numbers] = {}
    start = 0
    for t in tries:
        by = shifts.setdefault((t.search.spec.name, t.search.kind), np.zeros(len(table)))
        by[start : start + len(t.rows)] = t.search.sign * t.shift * t.search.std
        start += len(t.rows)
    specs = {t.search.spec.name: t.search.spec for t in tries}
    columns: dict[str, pd.Series] = {}
    for (name, kind), by in shifts.items():
        column = columns.get(name, table[name])
        if kind == "mean_shift":
            columns[name] = shifted_numbers(column, specs[name], by)
        else:
            columns[name] = changed_texts(column, specs[name], kind, by, seed=0)
    return with_columns(table, columns)


def nearest(group: list[Search]) -> Search | None:
    broken = [s for s in group if s.bracket(BROKEN)[1] is not None]
    return min(broken, key=middle_of) if broken else None


def middle_of(search: Search) -> float:
    low, high = search.bracket(BROKEN)
    return (low + (high or 0.0)) / 2


def is_wide(low: float, high: float) -> bool:
    return high - low > max(WIDTH, RELATIVE_WIDTH * high)
