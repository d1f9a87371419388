"""A model's answers side by side: asking for them, and what counts as another answer.

Promises: one definition of "changed" for drift, breaking points and robustness, and one of what is the same
number but for rounding. Leaves shares and thresholds to those who ask.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from distances.formulas import spread
from errors import BadAnswer
from estimators.answers import Predict, Predictions
from interruption import check

__all__ = [
    "ask", "call_rows", "change_tolerance", "changed_answers", "in_labels_of", "in_parts", "rounding",
    "subset",
]  # fmt: skip

Numbers = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# Of what several questions put together ask in one call: as many as these cells are, 64 MB.
MAX_CALL_ROWS, MAX_CALL_CELLS = 20_000, 8_000_000
TOLERANCE_SHARE = 0.1  # of the reference predictions' standard deviation
# Relative. The same sum comes out otherwise when its rows lie elsewhere in memory, or are cut in other parts:
# by 1e-15 in double precision, by 1e-6 in single precision, and no model tells which of the two it works in.
ROUNDING = 1e-5
NOUGHT = 1e-15  # what terms of size one leave when they cancel


def ask(predict: Predict, frame: pd.DataFrame) -> Predictions:
    """The model's answers for `frame`; BadAnswer when there is not one for each row."""
    check()
    answers = predict(frame)
    if len(answers.values) != len(frame) or len(answers.failed) != len(frame):
        raise BadAnswer(
            f"The model gave {len(answers.values)} answers for {len(frame)} rows.",
            hint="predict must return one answer for each row.",
        )
    return answers


def call_rows(columns: int) -> int:
    """How many rows of so many columns are asked about in one call.

    >>> call_rows(400), call_rows(10_000)
    (20000, 800)
    """
    return min(MAX_CALL_ROWS, max(1, MAX_CALL_CELLS // max(columns, 1)))


def change_tolerance(reference: Predictions) -> float:
    """How far a number must move to count as another answer: a tenth of the answers' standard deviation.

    Never less than rounding, which is all that nearly constant answers differ by; 0 for classes.
    """
    if reference.labels is not None:
        return 0.0
    values = reference.values[~reference.failed].astype(np.float64)
    return max(TOLERANCE_SHARE * spread(values), float(rounding(values).max(initial=NOUGHT)))


def rounding(values: Numbers) -> Numbers:
    """How far each of `values`, of any shape, may lie from another number and be the same but for rounding.

    A hundred thousandth of its own size and of the spread of all: a small answer among large ones is a
    difference of terms as large as theirs. Predicted numbers and probabilities alike.

    >>> rounding(np.array([200.0, 200.0])).round(6).tolist()
    [0.002, 0.002]
    """
    return np.asarray(ROUNDING * np.abs(values) + ROUNDING * spread(values) + NOUGHT, dtype=np.float64)


def changed_answers(reference: Predictions, current: Predictions, tolerance: float) -> Mask:
    """bool (n,): another class, or a number moved by more than `tolerance`; False where either failed."""
    answered = ~(reference.failed | current.failed)
    before, after = reference.values, in_labels_of(reference, current)
    with np.errstate(invalid="ignore", over="ignore"):
        moved = before != after if reference.labels is not None else np.abs(after - before) > tolerance
    return np.asarray(answered & moved, dtype=np.bool_)


def in_labels_of(reference: Predictions, current: Predictions) -> Numbers:
    """`current`'s class codes as codes into `reference`'s labels; a label new there gets a code beyond."""
    if reference.labels is None or current.labels is None or reference.labels == current.labels:
        return current.values
    code_of = {label: code for code, label in enumerate(reference.labels)}
    codes = np.array([code_of.setdefault(t, len(code_of)) for t in current.labels], dtype=np.float64)
    values = np.full(len(current.values), np.nan)
    usable = ~current.failed
    values[usable] = codes[current.values[usable].astype(np.int64)]
    return values


def subset(answers: Predictions, rows: npt.NDArray[np.intp]) -> Predictions:
    """The answers of some rows, without their errors (whose positions no longer hold)."""
    scores = None if answers.scores is None else answers.scores[rows]
    return Predictions(answers.values[rows], scores, answers.labels, answers.failed[rows])


def in_parts(answers: Predictions, count: int) -> list[Predictions]:
    """The answers to `count` tables of the same length that were asked as one, table by table."""
    n = len(answers.values) // count
    return [subset(answers, np.arange(i * n, (i + 1) * n)) for i in range(count)]
