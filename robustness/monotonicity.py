"""Whether answers rise or fall with a feature where the user says that they must.

Promises: every other feature of a row stays as it is. Leaves titles, advice and what counts as serious
to `robustness.examination`.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from distances.changes import rounding
from errors import InvalidPlan
from estimators.answers import Predictions
from records.robustness import Trend
from records.schema import FieldSpec, Schema
from robustness.behaviours import Examined, NotApplicable, Observation, spaced
from shifts.scenarios import as_numbers, shifted_numbers

__all__ = ["check_declared", "monotonic"]


ROWS = 20
POINTS = 10  # of the grid, from the feature's smallest value to its largest


def monotonic(subject: Examined, declared: Mapping[str, Trend]) -> Observation:
    """Rows whose answer moves against a declared trend somewhere along a grid of the feature.

    The answer is the number predicted, or the probability of the second of two classes (its code, where
    there are no probabilities). A move counts beyond rounding. One entry for each feature and row.
    """
    if not declared:
        raise NotApplicable("The run's config declares none (robustness.monotonic).")
    if subject.reference.labels is not None and len(subject.reference.labels) > 2:
        raise NotApplicable("Answers with more than two classes have no direction.")
    check_declared(subject.schema, declared)
    failing: list[npt.NDArray[np.bool_]] = []
    example: str | None = None
    for name, trend in declared.items():
        spec, grid = _grid(subject, name)
        answered = np.flatnonzero(~subject.reference.failed)
        rows = answered[spaced(len(answered), ROWS)] if len(answered) else np.arange(0)
        heights = _heights(subject, spec, rows, grid)
        steps = np.diff(heights, axis=1) * (1 if trend == "increasing" else -1)
        against: npt.NDArray[np.bool_] = np.asarray(steps < -rounding(heights)[:, :-1])
        failing.append(np.asarray(against.any(axis=1)))
        if example is None and against.any():
            i, j = (int(found[0]) for found in np.nonzero(against))
            example = (
                f"row {rows[i]}: {heights[i, j]:.6g} at {name} = {grid[j]:.6g}, "
                f"{heights[i, j + 1]:.6g} at {grid[j + 1]:.6g} (declared {trend})"
            )
    return Observation(np.concatenate(failing), example)


def check_declared(schema: Schema, declared: Mapping[str, Trend]) -> None:
    """Raises InvalidPlan for a trend of what is no number among the features."""
    numbers = [spec.name for spec in schema.features if spec.type in ("number", "integer")]
    for name in declared:
        if name not in numbers:
            known = ", ".join(repr(number) for number in numbers[:10]) or "none"
            raise InvalidPlan(
                f"robustness.monotonic names {name!r}, which is no number among the model's features.",
                hint=f"Name a feature of the schema whose type is number or integer: {known}"
                f"{' ...' if len(numbers) > 10 else ''}.",
                field="config.robustness.monotonic",
            )


def _grid(subject: Examined, name: str) -> tuple[FieldSpec, npt.NDArray[np.float64]]:
    spec = next(spec for spec in subject.schema.features if spec.name == name)
    values = as_numbers(subject.frame[name])
    values = values[np.isfinite(values)]
    if len(values) == 0 or values.min() == values.max():
        raise NotApplicable(f"{name} has one value only in the generated rows.")
    grid = np.linspace(values.min(), values.max(), POINTS)
    return spec, np.unique(np.round(grid)) if spec.type == "integer" else grid


def _heights(
    subject: Examined, spec: FieldSpec, rows: npt.NDArray[np.intp], grid: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """The answers (rows, points of the grid); NaN where there is none."""
    table = subject.frame.iloc[np.repeat(rows, len(grid))].reset_index(drop=True)
    column = pd.Series(np.zeros(len(table))).astype(subject.frame[spec.name].dtype)
    table[spec.name] = shifted_numbers(column, spec, np.tile(grid, len(rows)))
    return _height(subject.ask(table)).reshape(len(rows), len(grid))


def _height(answers: Predictions) -> npt.NDArray[np.float64]:
    scored = answers.labels is not None and answers.scores is not None and answers.scores.shape[1] == 2
    values = answers.scores[:, 1] if scored and answers.scores is not None else answers.values
    return np.where(answers.failed, np.nan, values)
