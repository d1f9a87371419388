"""What a model's process answered, taken apart and checked: nothing in it is believed unseen.

Promises: a value that comes out of here has its declared type, size and range; anything else is a
ValueError or TypeError. Leaves what follows from one to `sandbox.handle`.
"""

import math
from typing import Any

import numpy as np

from estimators.answers import SizeTimings, TimedCalls
from records.metrics import LatencyPlan
from records.schema import Schema
from rows.joint import MAX_DONORS, Joint
from sandbox import wire

__all__ = [
    "all_float", "count_of", "is_figure", "joint_of", "scores_fit", "shares_of",
    "text_of", "texts_of", "timed_block", "timed_calls",
]  # fmt: skip

MAX_TEXT = 2_000


def timed_calls(answer: wire.Message, plan: LatencyPlan) -> TimedCalls:
    """The calls of a `measure`, those of one batch size after the other in one array."""
    header, calls = answer.header, _milliseconds(answer)
    described, sizes, start = header["sizes"], [], 0
    if [d["batch_size"] for d in described] != list(plan.batch_sizes):
        raise ValueError("not the batch sizes asked for")
    for entry in described:
        n = count_of(entry["n"], plan.calls)
        part, start = calls[start : start + n], start + n
        if not 0 < n == len(part) or entry["stable"] not in (True, False, None):
            raise ValueError("not the calls that were announced")
        sizes.append(
            SizeTimings(
                batch_size=entry["batch_size"],
                calls_ms=part,
                warmup=count_of(entry["warmup"], 10_000),
                stable=entry["stable"],
                prepare_ms=_figure(entry["prepare_ms"]),
                validation_ms=None if entry["validation_ms"] is None else _figure(entry["validation_ms"]),
            )
        )
    if start != len(calls) or not isinstance(header["cut_short"], bool):
        raise ValueError("more calls than were announced")
    return TimedCalls(tuple(sizes), _figure(header["first_call_ms"]), header["cut_short"])


def timed_block(answer: wire.Message, most: int) -> np.ndarray:
    """The calls of one block, milliseconds each."""
    calls = _milliseconds(answer)
    if not 0 < len(calls) <= most:
        raise ValueError("not as many calls as were asked for")
    return calls


def scores_fit(scores: np.ndarray, n: int, labels: tuple[str, ...] | None, failed: np.ndarray) -> bool:
    shaped = labels is not None and scores.shape == (n, len(labels)) and scores.dtype == np.float64
    return shaped and bool(np.isfinite(scores[~failed]).all())


def all_float(arrays: dict[str, wire.Array]) -> bool:
    return all(array.dtype == np.float64 for name, array in arrays.items() if name != "texts")


def is_figure(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and value >= 0


def count_of(value: Any, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError("not a number of rows")
    return value


def text_of(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value[:MAX_TEXT]


def texts_of(values: Any, most: int) -> tuple[str, ...]:
    if not isinstance(values, list) or len(values) > most:
        raise TypeError("not a list of texts")
    return tuple(text_of(value) for value in values)


def _milliseconds(answer: wire.Message) -> np.ndarray:
    calls = answer.arrays["calls"]
    if calls.dtype != np.float64 or calls.ndim != 1 or not (np.isfinite(calls) & (calls >= 0)).all():
        raise ValueError("not a row of milliseconds")
    return calls


def _figure(value: Any) -> float:
    if not is_figure(value):
        raise ValueError("not a figure")
    return float(value)


def shares_of(values: Any, labels: Any) -> tuple[float, ...] | None:
    """One share for each label, from 0 to 1, summing to 1."""
    if values is None or labels is None:
        return None
    if not isinstance(values, list) or len(values) != len(labels) or not all(map(is_figure, values)):
        raise ValueError("not a share for each class")
    if abs(sum(values) - 1) > 1e-6:
        raise ValueError("shares that do not sum to 1")
    return tuple(float(value) for value in values)


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
