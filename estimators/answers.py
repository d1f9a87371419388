"""How a model is asked and what it answered: predictions, timed calls, attributions.

Promises: value objects that hold arrays and stay in the process; what crosses the pipe is taken apart in
`sandbox.answers`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from records.model import Task

__all__ = [
    "LARGEST", "MAX_ATTRIBUTIONS", "MAX_ERRORS", "MAX_OUTPUTS", "Attributions", "Estimator", "FloatArray",
    "Predict", "Predictions", "RowError", "SizeTimings", "TimedCalls", "joined_scores",
]  # fmt: skip


FloatArray = npt.NDArray[np.float64]

LARGEST = 1e150
"""No number that a model answers is beyond: the squares of a million of them still sum to a float64.

A row with a larger one has no usable answer, as one with infinity has none: what diverges passes both.
"""
MAX_ERRORS = 64  # reasons why rows failed, of one answer
MAX_OUTPUTS = 20  # of one explanation
MAX_ATTRIBUTIONS = 250_000  # rows x features x outputs: 2 MB on the pipe, about 5 MB of JSON in the report


@dataclass(frozen=True)
class RowError:
    """Why rows failed: the exception's type and message, how many rows, the first one's position."""

    kind: str
    message: str
    rows: int
    first_row: int


@dataclass(frozen=True)
class Predictions:
    """What a model answered for n rows.

    values: float64 (n,), the class code (index into `labels`) or the number predicted; NaN where failed.
    scores: float64 (n, k) probabilities where the model offers them, else None.
    labels: the classes that the codes stand for; None for numbers.
    failed: bool (n,), rows without a usable answer (raised, NaN, infinite or beyond LARGEST).
    """

    values: np.ndarray
    scores: np.ndarray | None
    labels: tuple[str, ...] | None
    failed: np.ndarray
    errors: tuple[RowError, ...] = ()


Predict = Callable[[pd.DataFrame], Predictions]
"""Answers a table of n rows; raises a ModelError when it cannot answer the table at all."""


@dataclass(frozen=True)
class SizeTimings:
    """The timed calls of one batch size, in milliseconds and in the order they were made."""

    batch_size: int
    calls_ms: FloatArray
    warmup: int
    stable: bool | None = None
    prepare_ms: float | None = None
    validation_ms: float | None = None


@dataclass(frozen=True)
class TimedCalls:
    """What `measure` found: the calls of each batch size, the very first call, whether time ran out."""

    sizes: tuple[SizeTimings, ...]
    first_call_ms: float
    cut_short: bool


@dataclass(frozen=True)
class Attributions:
    """What each feature added to each row's output, as the child answers it.

    values: (n, f, k) for n explained rows (the first n of the frame), f features, k outputs.
    base: (k,). explained: (n, k), the output as the model itself gives it; values.sum(1) + base
    should equal it. std_error: (f,), the typical sampling error of one value, None where nothing is
    sampled. output says what k numbers are explained ("probability", "margin", "prediction" ...).
    """

    method: str
    explainer: str
    output: str
    outputs: tuple[str, ...]
    features: tuple[str, ...]
    values: FloatArray
    base: FloatArray
    explained: FloatArray
    std_error: FloatArray | None
    notes: tuple[str, ...] = ()


class Estimator(Protocol):
    """A loaded model as explainers ask it: what `model_utils.adapt` makes of any library's."""

    @property
    def estimator(self) -> Any: ...
    @property
    def task(self) -> Task: ...
    @property
    def features(self) -> tuple[str, ...]: ...
    @property
    def labels(self) -> tuple[str, ...] | None: ...
    @property
    def answers(self) -> tuple[str, ...] | None: ...
    def prepare(self, frame: pd.DataFrame) -> Any: ...
    def predict(self, x: Any) -> Any: ...
    def scores(self, x: Any) -> FloatArray | None: ...


def joined_scores(parts: Sequence[Predictions]) -> FloatArray | None:
    """The scores of several tables' answers, one below the other; NaN for a part without any answer.

    None where a part that was answered has no scores.
    """
    if not all(part.scores is not None or part.failed.all() for part in parts):
        return None
    width = next((part.scores.shape[1] for part in parts if part.scores is not None), 0)
    if not width:
        return None
    rows = [
        np.full((len(part.values), width), np.nan) if part.scores is None else part.scores for part in parts
    ]
    return np.concatenate(rows)
