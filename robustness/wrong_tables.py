"""Tables that a caller may get wrong, as behaviours: columns amiss, text for numbers, numbers without end.

Promises: refusing such a table is as good as answering it rightly; what counts as failing is an answer
that hides the mistake. Leaves titles, advice and what counts as serious to `robustness.examination`.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from distances.changes import changed_answers, in_parts
from errors import BadAnswer, ModelError
from estimators.answers import Predictions
from interruption import check
from records.schema import FieldSpec
from robustness.behaviours import (
    MAX_ROWS,
    SILENT,
    Examined,
    NotApplicable,
    Observation,
    answer_text,
    compared,
    differ,
    spaced,
)
from shifts.scenarios import as_numbers, shifted_numbers, spread_of

__all__ = ["extra_column", "infinities", "long_text", "missing_column", "outside_bounds", "wrong_type"]

FEW_ROWS = 20
FEW_COLUMNS = 3
MOST_STEP = 0.1  # standard deviations
JUMP = 2.0  # times what the same step within the bounds moves
LARGE = 1e37  # finite in single precision too
LONG_TEXT = 100_000  # characters
EXTRA = "unexpected column"
NO_TEXT = "no number"


def missing_column(subject: Examined) -> Observation:
    """Columns left out one at a time; answering all the same is the finding."""
    if subject.frame.shape[1] < 2:
        raise NotApplicable("Without its one column a table is empty.")
    names = [subject.frame.columns[i] for i in spaced(subject.frame.shape[1], FEW_COLUMNS)]
    rows = _few(subject)
    return _answered_all_the_same(subject, [(f"without {name!r}", rows.drop(columns=name)) for name in names])


def wrong_type(subject: Examined) -> Observation:
    """Text in place of the numbers of one column at a time; answering all the same is the finding."""
    numbers = _numbers(subject)
    if not numbers:
        raise NotApplicable("No feature is a number.")
    rows = _few(subject)
    text = pd.Series([NO_TEXT] * len(rows), dtype=object)
    chosen = [numbers[i].name for i in spaced(len(numbers), FEW_COLUMNS)]
    return _answered_all_the_same(
        subject, [(f"{NO_TEXT!r} in {name!r}", rows.assign(**{name: text})) for name in chosen]
    )


def extra_column(subject: Examined) -> Observation:
    """A column that the model does not know: it is refused or left alone, and no answer moves."""
    table = subject.frame.copy()
    table.insert(0, EXTRA, np.arange(len(table), dtype=np.float64))
    answers = _asked(subject, table)
    if answers is None:
        return Observation(np.zeros(subject.rows, dtype=np.bool_))
    return compared(subject.reference, answers, "without it", "with it")


def infinities(subject: Examined) -> Observation:
    """Infinity is refused, or answered as a very large number is; another answer hides it: the finding.

    An answer of NaN hides nothing: what calculates without looking at its inputs gives it.
    """
    numbers = [s for s in _numbers(subject) if pd.api.types.is_float_dtype(subject.frame[s.name].dtype)]
    if not numbers:
        raise NotApplicable("No feature is a number that could be infinite.")
    tries = [(spec, sign) for sign in (1.0, -1.0) for spec in numbers]
    tries = [tries[i] for i in spaced(len(tries), MAX_ROWS)]

    def table(value: float) -> pd.DataFrame:
        return _one_by_one(subject, [(spec, sign * value) for spec, sign in tries])

    endless = _asked(subject, table(np.inf), silent_is_an_answer=True)
    failing = np.zeros(len(tries), dtype=np.bool_)
    if endless is None:
        return Observation(failing)
    if {error.kind for error in endless.errors} & SILENT:
        failing |= endless.failed
    large, hidden = _asked(subject, table(LARGE)), np.zeros(len(tries), dtype=np.bool_)
    if large is not None:
        hidden = ~endless.failed & ~large.failed & differ(large, endless)
        failing |= hidden
    worst = next(iter(np.flatnonzero(failing).tolist()), None)
    example = None
    if worst is not None:
        spec, sign = tries[worst]
        example = f"{spec.name} = {sign * np.inf:g}: {answer_text(endless, worst)}" + (
            f", for {sign * LARGE:g}: {answer_text(large, worst)}" if large is not None else ""
        )
    trait = (
        "" if hidden.any() else "Does not refuse infinity: it gets no usable answer, and no error says so."
    )
    return Observation(failing, example, trait=trait)


def long_text(subject: Examined) -> Observation:
    """A category of 100,000 characters fares as any other that was never seen."""
    texts = [
        spec
        for spec in subject.schema.features
        if spec.type == "category"
        and spec.name in subject.frame
        and all(isinstance(value, str) for value in subject.frame[spec.name].dropna().head(FEW_ROWS))
    ]
    if not texts:
        raise NotApplicable("No feature is a category of texts.")
    rows = _few(subject)
    failing: list[npt.NDArray[np.bool_]] = []
    example: str | None = None
    for spec in (texts[i] for i in spaced(len(texts), FEW_COLUMNS)):
        short, long = (
            _asked(subject, rows.assign(**{spec.name: pd.Series([text] * len(rows), dtype=object)}))
            for text in ("never seen", "x" * LONG_TEXT)
        )
        if short is None or long is None:
            failing.append(np.full(len(rows), short is not None))
            found = f"{spec.name} of {LONG_TEXT:,} characters: no usable answer"
        else:
            finding = compared(short, long, "for a short text", "for a long one")
            failing.append(finding.failing)
            found = f"{spec.name}: {finding.example}"
        example = example or (found if failing[-1].any() else None)
    return Observation(np.concatenate(failing), example)


def outside_bounds(subject: Examined) -> Observation:
    """A step outside a feature's bounds moves answers no more than the same step within, or is refused."""
    within: list[tuple[FieldSpec, float]] = []
    inside: list[tuple[FieldSpec, float]] = []
    outside: list[tuple[FieldSpec, float]] = []
    for spec in _numbers(subject):
        check()
        column = subject.frame[spec.name]
        values = as_numbers(column)
        finite = values[np.isfinite(values)]
        if len(finite) == 0:
            continue
        wide = spread_of(column) or 1.0
        step = 1.0 if spec.type == "integer" else wide / 100
        if step > MOST_STEP * wide:  # -1 in a column of 0 and 1 is another world, and no step
            continue
        for declared, found, by in ((spec.min, finite.min(), -step), (spec.max, finite.max(), step)):
            bound = float(found) if declared is None else float(declared)
            within.append((spec, bound - by))
            inside.append((spec, bound))
            outside.append((spec, bound + by))
    if not inside:
        raise NotApplicable("No feature is a number that could go a small step beyond its bounds.")
    kept = spaced(len(inside), MAX_ROWS // 3)
    within, inside, outside = ([points[i] for i in kept] for points in (within, inside, outside))
    all_three = _asked(subject, _one_by_one(subject, [*within, *inside, *outside]))
    if all_three is None:
        return Observation(np.zeros(len(kept), dtype=np.bool_))
    before, at, beyond = in_parts(all_three, 3)
    # A slope is as steep on both sides of a bound; only what begins there is a jump.
    failing = changed_answers(at, beyond, subject.tolerance)
    failing &= ~changed_answers(before, at, subject.tolerance)
    failing &= _moved(at, beyond) > JUMP * _moved(before, at)
    worst = next(iter(np.flatnonzero(failing).tolist()), None)
    if worst is None:
        return Observation(failing)
    (spec, bound), (_, value) = inside[worst], outside[worst]
    return Observation(
        failing,
        f"{spec.name}: {answer_text(at, worst)} at {bound:.6g}, {answer_text(beyond, worst)} at {value:.6g}",
    )


def _moved(before: Predictions, after: Predictions) -> npt.NDArray[np.float64]:
    """How far each answer moved: a number by its difference, a class by its probability's, else by 1 or 0."""
    with np.errstate(over="ignore", invalid="ignore"):
        if before.labels is None:
            return np.asarray(np.abs(after.values - before.values), dtype=np.float64)
        if (
            before.scores is not None
            and after.scores is not None
            and before.scores.shape == after.scores.shape
        ):
            return np.asarray(np.abs(after.scores - before.scores).max(axis=1), dtype=np.float64)
    return changed_answers(before, after, 0.0).astype(np.float64)


def _answered_all_the_same(subject: Examined, tables: Sequence[tuple[str, pd.DataFrame]]) -> Observation:
    """One entry a table: whether the model answered rows that it should have refused."""
    failing, example = np.zeros(len(tables), dtype=np.bool_), None
    for i, (what, table) in enumerate(tables):
        answers = _asked(subject, table)
        if answers is not None:
            failing[i] = True
            answered = int((~answers.failed).sum())
            example = example or f"{what}: {answered} of {len(table)} rows were answered"
    return Observation(failing, example)


def _asked(
    subject: Examined, table: pd.DataFrame, *, silent_is_an_answer: bool = False
) -> Predictions | None:
    """The answers; None when the model refused the table, or every row of it."""
    try:
        answers = subject.ask(table)
    except (ModelError, BadAnswer):
        return None
    silent = silent_is_an_answer and bool({error.kind for error in answers.errors} & SILENT)
    return None if answers.failed.all() and not silent else answers


def _one_by_one(subject: Examined, tries: Sequence[tuple[FieldSpec, float]]) -> pd.DataFrame:
    """The first row that was answered, once for every try, each copy with one number replaced."""
    answered = np.flatnonzero(~subject.reference.failed)
    row = int(answered[0]) if len(answered) else 0
    table = subject.frame.iloc[np.full(len(tries), row)].reset_index(drop=True)
    for spec in dict.fromkeys(spec for spec, _ in tries):
        rows = [i for i, (other, _) in enumerate(tries) if other is spec]
        values = as_numbers(table[spec.name]).copy()
        values[rows] = [tries[i][1] for i in rows]
        table[spec.name] = shifted_numbers(table[spec.name] * 0, spec, values)
    return table


def _few(subject: Examined) -> pd.DataFrame:
    return subject.frame.head(FEW_ROWS)


def _numbers(subject: Examined) -> list[FieldSpec]:
    """The features that are numbers, in the schema and in the table."""
    return [
        spec
        for spec in subject.schema.features
        if spec.type in ("number", "integer")
        and spec.name in subject.frame
        and pd.api.types.is_numeric_dtype(subject.frame[spec.name].dtype)
        and not pd.api.types.is_bool_dtype(subject.frame[spec.name].dtype)
    ]
