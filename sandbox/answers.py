"""What a model's process answered, taken apart and checked: nothing in it is believed unseen.

Promises: a value that comes out of here has its declared type, size and range, and means something:
nothing took longer than the worker waited. Anything else is a KeyError, ValueError or TypeError. Leaves what
follows from one to `sandbox.handle`.
"""

import os
import time
from collections.abc import Sequence, Set
from typing import Any

import numpy as np

from errors import MAX_QUOTED
from estimators.answers import (
    LARGEST,
    MAX_ATTRIBUTIONS,
    MAX_ERRORS,
    MAX_OUTPUTS,
    Attributions,
    RowError,
    SizeTimings,
    TimedCalls,
)
from records.explanation import TextEffects
from records.metrics import LatencyPlan
from records.schema import Schema
from rows.joint import MAX_DONORS, Joint
from sandbox import wire

__all__ = [
    "MAX_TITLE", "attributions_of", "figure_of", "joint_of", "machine_mb", "row_errors_of",
    "scores_of", "shares_of", "text_of", "texts_of", "timed_block", "timed_calls", "took_ms", "with_arrays",
]  # fmt: skip

MAX_TITLE = 200  # characters of a name that is ours to choose: a method, a library, a class of estimators
MAX_NOTES = 50
MAX_TEXT_FEATURES = 1  # all texts of a row are told of together
MAX_TEXTS = 4 << 20  # characters of one list of texts
CLOCKS = 1.01  # the two processes' clocks may disagree by as much


def took_ms(asked: float) -> float:
    """Milliseconds from `asked`, in time.monotonic() seconds, until now, and a little: none can be longer."""
    return (time.monotonic() - asked) * 1000 * CLOCKS + 1


def machine_mb() -> float:
    """The machine's memory in MB: no process has ever had more of it."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 20)


def with_arrays(answer: wire.Message, needed: set[str], possible: Set[str] = frozenset()) -> wire.Message:
    """The answer, if it holds the arrays of its kind and no others."""
    if not needed <= set(answer.arrays) <= needed | possible:
        raise ValueError("not the arrays of such an answer")
    return answer


def timed_calls(answer: wire.Message, plan: LatencyPlan, most_ms: float) -> TimedCalls:
    """The calls of a `measure`, those of one batch size after the other in one array."""
    header, calls = answer.header, _milliseconds(answer, most_ms)
    described, sizes, start = header["sizes"], [], 0
    if [d["batch_size"] for d in described] != list(plan.batch_sizes):
        raise ValueError("not the batch sizes asked for")
    for batch_size, entry in zip(plan.batch_sizes, described, strict=True):
        n = count_of(entry["n"], plan.calls)
        part, start = calls[start : start + n], start + n
        if not 0 < n == len(part) or entry["stable"] not in (True, False, None):
            raise ValueError("not the calls that were announced")
        checked = entry["validation_ms"]
        sizes.append(
            SizeTimings(
                batch_size=batch_size,
                calls_ms=part,
                warmup=count_of(entry["warmup"], 10_000),
                stable=entry["stable"],
                prepare_ms=figure_of(entry["prepare_ms"], most_ms),
                validation_ms=None if checked is None else figure_of(checked, most_ms),
            )
        )
    if start != len(calls) or not isinstance(header["cut_short"], bool):
        raise ValueError("more calls than were announced")
    return TimedCalls(tuple(sizes), figure_of(header["first_call_ms"], most_ms), header["cut_short"])


def timed_block(answer: wire.Message, most: int, most_ms: float) -> np.ndarray:
    """The calls of one block, milliseconds each."""
    calls = _milliseconds(answer, most_ms)
    if not 0 < len(calls) <= most:
        raise ValueError("not as many calls as were asked for")
    return calls


def scores_of(
    scores: np.ndarray | None, labels: tuple[str, ...] | None, failed: np.ndarray
) -> np.ndarray | None:
    """A score for each row and class; NaN where the row failed, whatever was answered there."""
    if scores is None:
        return None
    if labels is None or scores.ndim != 2:
        raise ValueError("scores of no classes")
    found = np.where(failed[:, None], 0.0, scores)
    if np.isnan(_numbers(found, (len(failed), len(labels)))).any():
        raise ValueError("a score that is no number")
    found[failed] = np.nan
    return found


def attributions_of(answer: wire.Message, rows: int, columns: Sequence[str]) -> Attributions:
    """Attributions of at most so many rows of the columns, as an honest process tells them."""
    arrays = with_arrays(answer, {"texts", "values", "base", "explained"}, {"std_error"}).arrays
    texts = wire.array_to_json(arrays["texts"])
    outputs, features = texts_of(texts["outputs"], MAX_OUTPUTS), texts_of(texts["features"], len(columns))
    n, f, k = len(arrays["values"]), len(features), len(outputs)
    std_error = arrays.get("std_error")
    if not (0 < n <= rows and sorted(features) == sorted(columns) and 0 < n * f * k <= MAX_ATTRIBUTIONS):
        raise ValueError("not the rows and features that were asked for")
    if std_error is not None and (_numbers(std_error, (f,)) < 0).any():
        raise ValueError("a negative error")
    found = Attributions(
        method=text_of(texts["method"], MAX_TITLE),
        explainer=text_of(texts["explainer"], MAX_TITLE),
        output=text_of(texts["output"], MAX_TITLE),
        outputs=outputs,
        features=features,
        values=_numbers(arrays["values"], (n, f, k)),
        base=_numbers(arrays["base"], (k,)),
        explained=_numbers(arrays["explained"], (n, k)),
        std_error=std_error,
        notes=texts_of(texts["notes"], MAX_NOTES),
        texts=_words_of(texts.get("words", []), rows),
    )
    if any(np.isnan(array).any() for array in (found.values, found.base, found.explained)):
        raise ValueError("an attribution that is no number")
    return found


def _words_of(values: Any, rows: int) -> tuple[TextEffects, ...]:
    """The words' effects; their sizes are bounded by their records."""
    if not isinstance(values, list) or len(values) > MAX_TEXT_FEATURES:
        raise ValueError("more texts than features")
    found = tuple(TextEffects.model_validate(value) for value in values)
    counts = [count for text in found for count in (text.texts, *(word.texts for word in text.words))]
    if any(count > rows for count in counts) or any(row.row >= rows for text in found for row in text.rows):
        raise ValueError("more texts than were asked about")
    return found


def row_errors_of(values: Any, n: int) -> tuple[RowError, ...]:
    """Why rows of n failed: as many reasons, and as long ones, as an honest process tells."""
    if not isinstance(values, list) or len(values) > MAX_ERRORS:
        raise ValueError("more errors than are told")
    return tuple(
        RowError(
            text_of(kind, MAX_TITLE), text_of(message, MAX_QUOTED), count_of(rows, n), count_of(first, n)
        )
        for kind, message, rows, first in values
    )


def figure_of(value: Any, most: float) -> float:
    """A finite number from 0 to `most`."""
    if type(value) not in (int, float) or not 0 <= value <= most:
        raise ValueError("not a figure, or an impossible one")
    return float(value)


def count_of(value: Any, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError("not a number of rows")
    return value


def text_of(value: Any, most: int = wire.MAX_TEXT) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value[:most]


def texts_of(values: Any, most: int) -> tuple[str, ...]:
    if not isinstance(values, list) or len(values) > most:
        raise TypeError("not a list of texts")
    found = tuple(text_of(value) for value in values)
    if sum(map(len, found)) > MAX_TEXTS:
        raise ValueError("a list of texts that is too long")
    return found


def _numbers(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Floats of a shape, none beyond LARGEST; NaN is left to the caller."""
    if array.dtype != np.float64 or array.shape != shape or (np.abs(array) > LARGEST).any():
        raise ValueError("not numbers of the shape and size that were asked for")
    return array


def _milliseconds(answer: wire.Message, most_ms: float) -> np.ndarray:
    """The calls follow each other: together they took no longer than the worker waited."""
    calls = with_arrays(answer, {"calls"}).arrays["calls"]
    spent = calls.dtype == np.float64 and calls.ndim == 1 and bool(((calls >= 0) & (calls <= most_ms)).all())
    if not spent or calls.sum() > most_ms:
        raise ValueError("not a row of milliseconds that were spent")
    return calls


def shares_of(values: Any, labels: Any) -> tuple[float, ...] | None:
    """One share for each label, from 0 to 1, summing to 1."""
    if values is None or labels is None:
        return None
    if not isinstance(values, list) or len(values) != len(labels):
        raise ValueError("not a share for each class")
    shares = tuple(figure_of(value, 1) for value in values)
    if abs(sum(shares) - 1) > 1e-6:
        raise ValueError("shares that do not sum to 1")
    return shares


def joint_of(names: Any, ranks: np.ndarray | None, mined: Schema | None) -> Joint | None:
    """The model's example rows as ranks: of its own features, each below the number of rows."""
    if names is None or ranks is None or mined is None:
        return None
    known = texts_of(names, len(mined.names))
    rows = len(ranks) if ranks.ndim == 2 else 0
    if ranks.shape != (rows, len(known)) or ranks.dtype != np.uint16 or not 1 <= rows <= MAX_DONORS:
        raise ValueError("not ranks of the features")
    if len(set(known)) < len(known) or not set(known) <= set(mined.names) or ranks.max(initial=0) >= rows:
        raise ValueError("not ranks of the features")
    return Joint(known, ranks.copy())
