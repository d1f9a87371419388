"""Questions that `robustness.examination` puts to a model: each changes the rows in one way and asks again.

Promises: few calls of at most 200 rows. Leaves titles, advice and what counts as serious to
`robustness.examination`; a ModelError that a question does not expect goes through to it.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from distances.changes import ask, changed_answers, in_labels_of, in_parts, rounding, subset
from distances.subject import Subject
from errors import BadAnswer, ModelError
from estimators.answers import Predict, Predictions
from interruption import check
from records.drift import ScenarioPlan
from records.schema import FieldSpec
from shifts.scenarios import (
    applicable_features,
    as_numbers,
    shifted_numbers,
    simulate,
    spread_of,
    with_columns,
)

__all__ = [
    "MAX_ROWS",
    "SILENT",
    "Examined",
    "NotApplicable",
    "Observation",
    "answer_text",
    "batch_vs_single",
    "column_order",
    "compared",
    "determinism",
    "differ",
    "dtype",
    "duplicate_rows",
    "empty_batch",
    "extremes",
    "missing_values",
    "nullable",
    "probabilities",
    "row_order",
    "single_row",
    "spaced",
    "thread_safety",
    "tiny_noise",
    "unseen_category",
]  # fmt: skip

MAX_ROWS = 200  # a forest of 100 answers 1,000 rows in 30 to 60 ms
SINGLE_ROWS = 20  # each is a call of its own
NOISE = 1e-9  # relative
MISSING_SHARE = 0.1  # of the cells
FAR = 1e6  # standard deviations
SHARE_TOLERANCE = 1e-4  # single precision sums a thousand classes to within this
HUGE = 1e300  # finite in double precision, infinite in single
SILENT = {"MissingAnswer", "InfiniteAnswer"}  # the model answered, and with nothing of use
WILD = ("far above", "far below", "huge", "hugely negative")  # what no bounds that anybody declares hold

Rows = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Examined(Subject):
    """A subject with two more ways to ask.

    singly: asks for each row in a table of its own. together: asks the same rows by several threads at
    once; None where that cannot be done.
    """

    singly: Predict
    together: Predict | None


@dataclass(frozen=True)
class Observation:
    """What a check saw: which of its rows failed, and one of them in words.

    trait: a sentence, where what failed is a property of the model's whole family and no finding.
    """

    failing: Mask
    example: str | None = None
    serious: bool | None = None  # None: as the check is declared
    advice: str | None = None
    trait: str = ""


class NotApplicable(Exception):
    """The check makes no sense for these features; the text says why."""


def determinism(subject: Examined) -> Observation:
    return compared(subject.ask(subject.frame), subject.ask(subject.frame), "first", "again")


def row_order(subject: Examined) -> Observation:
    if subject.rows < 2:
        raise NotApplicable("One row has no order.")
    order = np.random.default_rng(subject.seed).permutation(subject.rows)
    answers = subject.ask(subject.frame.iloc[order].reset_index(drop=True))
    return compared(subject.reference, subset(answers, np.argsort(order)), "in order", "shuffled")


def batch_vs_single(subject: Examined) -> Observation:
    rows = spaced(subject.rows, SINGLE_ROWS)
    alone = ask(subject.singly, subject.frame.iloc[rows].reset_index(drop=True))
    batch = subset(subject.reference, rows)
    failing = differ(batch, alone)
    if not failing.any():
        return Observation(failing)
    i = int(np.flatnonzero(failing)[0])
    why = next((error.message for error in alone.errors if error.first_row == i), None)
    if alone.failed[i] and why is not None:
        return Observation(failing, f"row {rows[i]}: answered in a batch, alone: {why}")
    return Observation(failing, _example(failing, batch, alone, "in a batch", "alone", int(rows[i])))


def single_row(subject: Examined) -> Observation:
    answered = np.flatnonzero(~subject.reference.failed)
    row = int(answered[0]) if len(answered) else 0
    alone = subject.ask(subject.frame.iloc[[row]].reset_index(drop=True))
    return Observation(alone.failed, _first_failure(alone))


def empty_batch(subject: Examined) -> Observation:
    subject.ask(subject.frame.iloc[:0])
    return Observation(np.zeros(1, dtype=np.bool_))


def duplicate_rows(subject: Examined) -> Observation:
    half = np.arange(min(subject.rows, MAX_ROWS // 2))
    answers = subject.ask(subject.frame.iloc[np.concatenate((half, half))].reset_index(drop=True))
    expected = subset(subject.reference, half)
    first, second = (compared(expected, part, "once", "among duplicates") for part in in_parts(answers, 2))
    return Observation(first.failing | second.failing, first.example or second.example)


def tiny_noise(subject: Examined) -> Observation:
    rng = np.random.default_rng(subject.seed)
    noisy: dict[str, pd.Series] = {}
    for spec in subject.schema.features:
        check()
        if spec.type != "number" or spec.name not in subject.frame or not _is_float(subject.frame[spec.name]):
            continue
        column = subject.frame[spec.name]
        values = as_numbers(column)
        noise = values * NOISE * rng.choice((-1.0, 1.0), len(values))
        noisy[spec.name] = shifted_numbers(column, spec, noise)
    if not noisy:
        raise NotApplicable("No feature is a number that could carry noise.")
    answers = subject.ask(with_columns(subject.frame, noisy))
    failing = changed_answers(subject.reference, answers, subject.tolerance)
    failing |= answers.failed & ~subject.reference.failed
    return Observation(failing, _example(failing, subject.reference, answers, "exact", "with noise"))


def column_order(subject: Examined) -> Observation:
    if subject.frame.shape[1] < 2:
        raise NotApplicable("One column has no order.")
    try:
        reversed_ = subject.ask(subject.frame[subject.frame.columns[::-1]])
    except (ModelError, BadAnswer):
        return Observation(np.zeros(subject.rows, dtype=np.bool_))  # refusing is the clearest answer
    found = compared(subject.reference, reversed_, "in order", "with the columns reversed")
    if reversed_.failed.all():
        return Observation(np.zeros(subject.rows, dtype=np.bool_))
    if found.failing.any() and _ignores_names(subject):
        return Observation(
            found.failing,
            found.example,
            serious=False,
            advice="Send the columns in the order of fitting, or put a step before the model that picks them "
            "by name.",
            trait="Takes columns by their position, not by their names: another order goes unnoticed.",
        )
    return found


def _ignores_names(subject: Examined) -> bool:
    """Whether columns under other names get the same answers: then only their position counts."""
    renamed = subject.frame.copy()
    renamed.columns = [f"column {i}" for i in range(renamed.shape[1])]
    try:
        answers = subject.ask(renamed)
    except (ModelError, BadAnswer):
        return False
    return not differ(subject.reference, answers).any()


def dtype(subject: Examined) -> Observation:
    """The same numbers in single precision, and whole numbers as floating point, get the same answers."""
    narrow: dict[str, pd.Series] = {}
    wide: dict[str, pd.Series] = {}
    for spec in subject.schema.features:
        check()
        if spec.name not in subject.frame:
            continue
        column = subject.frame[spec.name]
        if spec.type == "number" and column.dtype == np.float64:
            narrow[spec.name] = column.astype(np.float32)
            wide[spec.name] = narrow[spec.name].astype(np.float64)  # the same values: only the type differs
        elif spec.type == "integer" and pd.api.types.is_integer_dtype(column.dtype):
            narrow[spec.name], wide[spec.name] = column.astype(np.float64), column
    if not narrow:
        raise NotApplicable("No feature is a number that could have another type.")
    refuses = "Refuses numbers of another type than it was fitted on."
    one = subject.ask(with_columns(subject.frame, wide))
    try:
        other = subject.ask(with_columns(subject.frame, narrow))
    except (ModelError, BadAnswer) as error:
        return Observation(np.ones(subject.rows, dtype=np.bool_), error.message, trait=refuses)
    found = compared(one, other, "in one type", "in the other")
    first = next(name for name in subject.frame if name in narrow)
    types = f"{wide[first].dtype} as {narrow[first].dtype}"
    answered_otherwise = found.failing & ~(other.failed & ~one.failed)
    example = f"{found.example} ({types})" if found.example else None
    return Observation(found.failing, example, trait="" if answered_otherwise.any() else refuses)


def thread_safety(subject: Examined) -> Observation:
    """Several threads that ask at once get the answers that one thread gets."""
    if subject.together is None:
        raise NotApplicable("The model cannot be asked by several threads here.")
    answers = ask(subject.together, subject.frame)
    found = compared(subject.reference, answers, "alone", "among other threads")
    if found.failing.any() and differ(subject.reference, subject.ask(subject.frame)).any():
        raise NotApplicable("The model's answers differ from call to call, with one thread too.")
    if answers.errors and (answers.failed & ~subject.reference.failed).any():
        error = answers.errors[0]
        return Observation(found.failing, f"row {error.first_row}: {error.kind}: {error.message}")
    return found


def probabilities(subject: Examined) -> Observation:
    """Each within 0 and 1, and a row's summing to 1; what is no number at all fails every row."""
    answers = subject.ask(subject.frame)
    scores = answers.scores
    if answers.no_scores is not None:
        return Observation(~answers.failed, answers.no_scores)
    if scores is None or answers.labels is None:
        raise NotApplicable("The model offers no probabilities.")
    outside = ((scores < -SHARE_TOLERANCE) | (scores > 1 + SHARE_TOLERANCE)).any(axis=1)
    sums = scores.sum(axis=1)
    failing = ~answers.failed & (outside | (np.abs(sums - 1) > SHARE_TOLERANCE))
    if not failing.any():
        return Observation(failing)
    i = int(np.flatnonzero(failing)[0])
    span = f"{scores[i].min():.4g} to {scores[i].max():.4g}"
    return Observation(failing, f"row {i}: probabilities from {span}, summing to {sums[i]:.4g}")


def missing_values(subject: Examined) -> Observation:
    """A finding where the schema or the sample has missing values; else a model may need complete rows."""
    names = nullable(subject)
    plan = ScenarioPlan(kind="missing_values", magnitude=MISSING_SHARE, features=names)
    shifted = simulate(subject.frame, subject.schema, plan, np.random.default_rng(subject.seed))
    found, how = _refused(subject, shifted)
    return found if names else replace(found, trait=f"Needs complete rows: a missing value {how}.")


def unseen_category(subject: Examined) -> Observation:
    """Nobody can promise what was never seen, so that a refusal is a property."""
    plan = ScenarioPlan(kind="unseen_category", magnitude=1.0)
    if not applicable_features(subject.frame, subject.schema, plan):
        raise NotApplicable("No feature is a category.")
    shifted = simulate(subject.frame, subject.schema, plan, np.random.default_rng(subject.seed))
    found, how = _refused(subject, shifted)
    return replace(found, trait=f"Knows its own categories only: one never seen {how}.")


def _refused(subject: Examined, shifted: pd.DataFrame) -> tuple[Observation, str]:
    """Which rows lost their answer, and in words how: by an error, or by an answer of no use."""
    try:
        answers = subject.ask(shifted)
    except (ModelError, BadAnswer) as error:
        return Observation(np.ones(max(subject.rows, 1), dtype=np.bool_), error.message), "is refused"
    kinds = {error.kind for error in answers.errors}
    silent = bool(kinds) and kinds <= SILENT
    found = Observation(answers.failed & ~subject.reference.failed, _first_failure(answers))
    return found, "gets no usable answer, and no error says so" if silent else "is refused"


def extremes(subject: Examined) -> Observation:
    """One feature of one row at a time is put to its limits and far beyond them."""
    tries = _extreme_values(subject)
    if not tries:
        raise NotApplicable("No feature is a number.")
    tries = [tries[i] for i in spaced(len(tries), MAX_ROWS)]
    failing = np.ones(len(tries), dtype=np.bool_)
    # What single precision cannot hold spoils a whole table: it is asked by itself.
    huge = np.array([abs(t.value) >= HUGE for t in tries])
    for rows in (np.flatnonzero(~huge), np.flatnonzero(huge)):
        if len(rows):
            failing[rows] = _failing_extremes(subject, [tries[i] for i in rows])
    worst = next((tries[i] for i in np.flatnonzero(failing)), None)
    if worst is None or any(tries[i].kind not in WILD for i in np.flatnonzero(failing)):
        return Observation(failing, None if worst is None else str(worst))
    far = any(abs(tries[i].value) < HUGE for i in np.flatnonzero(failing))
    size = f"{FAR:,.0f} standard deviations away" if far else f"as large as {HUGE:g}"
    return Observation(failing, str(worst), trait=f"Numbers {size} get no usable answer.")


@dataclass(frozen=True)
class _Extreme:
    spec: FieldSpec
    kind: str
    value: float

    def __str__(self) -> str:
        return f"{self.spec.name} = {self.value:g} ({self.kind}): no usable answer"


def _extreme_values(subject: Examined) -> list[_Extreme]:
    """For each number: its ends (the schema's, else the rows'), just outside them, zero, and values that are
    absurdly large; kinds together."""
    found: dict[str, list[_Extreme]] = {}
    for spec in subject.schema.features:
        check()
        if spec.type not in ("number", "integer") or spec.name not in subject.frame:
            continue
        column = subject.frame[spec.name]
        if not pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_bool_dtype(column.dtype):
            continue
        values = as_numbers(column)
        finite = values[np.isfinite(values)]
        if len(finite) == 0:
            continue
        # Declared ends are promised to callers, and random rows hardly ever stand right on them.
        low = float(finite.min() if spec.min is None else spec.min)
        high = float(finite.max() if spec.max is None else spec.max)
        std = spread_of(column) or 1.0
        step = max(std / 100, 1.0) if spec.type == "integer" else std / 100
        kinds = {
            "its smallest": low,
            "its largest": high,
            "just below its smallest": low - step,
            "just above its largest": high + step,
            "zero": 0.0,
            "far above": high + FAR * std,
            "far below": low - FAR * std,
        }
        if _is_float(column) and spec.type == "number":
            kinds |= {"huge": HUGE, "hugely negative": -HUGE}
        for kind, value in kinds.items():
            found.setdefault(kind, []).append(_Extreme(spec, kind, value))
    return [extreme for kind in found.values() for extreme in kind]


def _with_extremes(subject: Examined, tries: list[_Extreme]) -> pd.DataFrame:
    """The first row that was answered, once for every try, each copy with one value replaced."""
    answered = np.flatnonzero(~subject.reference.failed)
    row = int(answered[0]) if len(answered) else 0
    table = subject.frame.iloc[np.full(len(tries), row)].reset_index(drop=True)
    by_feature: dict[str, list[int]] = {}
    for i, extreme in enumerate(tries):
        by_feature.setdefault(extreme.spec.name, []).append(i)
    for name, rows in by_feature.items():
        values = as_numbers(table[name]).copy()
        values[rows] = [tries[i].value for i in rows]
        # Adding to zeros keeps the column's type, and leaves present values exactly as they are given.
        table[name] = shifted_numbers(table[name] * 0, tries[rows[0]].spec, values)
    return table


def _failing_extremes(subject: Examined, tries: list[_Extreme]) -> Mask:
    try:
        return subject.ask(_with_extremes(subject, tries)).failed
    except (ModelError, BadAnswer):  # one value spoiled the whole table: ask for each kind of value by itself
        return _failing_by_kind(subject, tries)


def _failing_by_kind(subject: Examined, tries: list[_Extreme]) -> Mask:
    failing = np.ones(len(tries), dtype=np.bool_)
    for kind in dict.fromkeys(t.kind for t in tries):
        rows = [i for i, t in enumerate(tries) if t.kind == kind]
        try:
            failing[rows] = subject.ask(_with_extremes(subject, [tries[i] for i in rows])).failed
        except (ModelError, BadAnswer):
            continue
    return failing


def nullable(subject: Examined) -> tuple[str, ...]:
    return tuple(s.name for s in subject.schema.features if s.nullable and s.name in subject.frame)


def _first_failure(answers: Predictions) -> str | None:
    if not answers.failed.any():
        return None
    row = int(np.flatnonzero(answers.failed)[0])
    if not answers.errors:
        return f"row {row}: no usable answer"
    return f"row {answers.errors[0].first_row}: {answers.errors[0].kind}: {answers.errors[0].message}"


def compared(
    before: Predictions, after: Predictions, first: str, second: str, row: int | None = None
) -> Observation:
    failing = differ(before, after)
    return Observation(failing, _example(failing, before, after, first, second, row))


def differ(before: Predictions, after: Predictions) -> Mask:
    """Rows with another answer than before: class, number or probability, beyond rounding; or one failed.

    A class that changes counts however it came about. Where two classes are equally probable to the last
    digit, rounding decides between them: callers then get another class for the same row, and the example
    shows the probability that says why.
    """
    values, again = before.values, in_labels_of(before, after)
    moved = values != again if before.labels is not None else _apart(values, again)
    if before.scores is not None and after.scores is not None and before.scores.shape == after.scores.shape:
        moved |= _apart(before.scores, after.scores).any(axis=1)
    return np.asarray((moved & ~before.failed & ~after.failed) | (before.failed != after.failed))


def _apart(before: npt.NDArray[np.float64], after: npt.NDArray[np.float64]) -> Mask:
    with np.errstate(over="ignore"):
        return np.asarray(np.abs(after - before) > rounding(before), dtype=np.bool_)


def _example(
    failing: Mask, before: Predictions, after: Predictions, first: str, second: str, row: int | None = None
) -> str | None:
    if not failing.any():
        return None
    i = int(np.flatnonzero(failing)[0])
    return (
        f"row {i if row is None else row}: {answer_text(before, i)} {first}, {answer_text(after, i)} {second}"
    )


def answer_text(answers: Predictions, i: int) -> str:
    if answers.failed[i]:
        return "no answer"
    if answers.labels is None:
        return f"{answers.values[i]:.6g}"
    code = int(answers.values[i])
    score = answers.scores[i] if answers.scores is not None else ()
    return answers.labels[code] + (f" ({score[code]:.6g})" if code < len(score) else "")


def spaced(n: int, most: int) -> Rows:
    """At most `most` of n positions, evenly spread."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.intp))


def _is_float(column: pd.Series) -> bool:
    return bool(pd.api.types.is_float_dtype(column.dtype))
