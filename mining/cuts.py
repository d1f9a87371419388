"""What the places where trees cut a feature say of its values: whole numbers, steps of a tenth, ends.

Promises: cuts come back as "value <= cut", halfway between two steps of the values where these lie on steps,
so that every family's can be read alike. Sources: XGBoost's src/common/quantile.cc and src/tree (cuts are
values of the data under hist and approx, midpoints under exact), LightGBM's src/io/bin.cpp (0 has a bin of
its own).
"""

import numpy as np
import numpy.typing as npt

from mining.facts import between_integers
from mining.marginals import VALUE_STEPS

__all__ = ["between_steps", "beyond_all_values", "cuts_are_values", "without_zero_bin"]

Floats = npt.NDArray[np.float64]

ENOUGH = 5  # cuts that share a step below 1 before it counts as the values' own
SLACK = 1e-6  # relative: cuts are read in single precision
ZERO_BIN = 1e-34  # LightGBM's kZeroThreshold is 1e-35
BEYOND = (5e-7, 2.5e-5)  # how far XGBoost's outermost cut is above twice the largest value


def beyond_all_values(cuts: Floats) -> npt.NDArray[np.bool_]:
    """Which of a column's cuts in XGBoost only part missing values from all others.

    It cuts at v + (|v| + 1e-5) above the largest value v, 1e-6 where it is exact, and at v - (|v| + 1e-5)
    below the smallest. The upper one is known where it is over twice a whole number and the other cuts are
    of whole ones.
    """
    over = cuts - 2 * np.rint(cuts / 2)
    above = (cuts > 1) & (over > BEYOND[0]) & (over < np.maximum(BEYOND[1], 2e-7 * cuts))
    if not _on_step(cuts[~above] * 2, 1.0):
        above[:] = False
    rest = cuts[(cuts < -BEYOND[1]) | (cuts >= 0)]
    below = (cuts < 0) & (cuts >= -BEYOND[1]) & bool(len(rest) and rest.min() > 1e-3)
    return np.asarray(above | below)


def cuts_are_values(columns: list[Floats]) -> bool:
    """Whether XGBoost's cuts, column by column, are values of the data rather than midpoints between two.

    Columns of whole numbers tell: there a value is whole, and a midpoint of two neighbours a half.
    """
    votes = [0, 0]
    for cuts in columns:
        if len(cuts):
            if _on_step(cuts, 1.0):
                votes[0] += 1
            elif between_integers(cuts):
                votes[1] += 1
    return votes[0] > votes[1]


def between_steps(cuts: Floats, are_values: bool) -> float:
    """What to take from a column's cuts "value < cut" so that they lie halfway between two of its values;
    else 0.

    are_values: see `cuts_are_values`. Whole cuts are those of whole numbers in either case.
    """
    if not len(cuts):
        return 0.0
    if _on_step(cuts, 1.0):
        return 0.5
    if not are_values:
        return 0.0
    if len(cuts) >= ENOUGH:
        for step in VALUE_STEPS[1:]:
            if _on_step(cuts, step):
                return step / 2
    return 0.0


def without_zero_bin(cuts: Floats, low: float | None, high: float | None) -> Floats:
    """LightGBM's cuts of one column in the order given, those beside 0 put halfway to 1 where values are
    whole.

    low, high: the ends of the column, which LightGBM keeps; both are whole, then, and so are the midpoints.
    """
    beside = np.abs(cuts) < ZERO_BIN
    if not beside.any() or low is None or high is None:
        return cuts
    others = cuts[~beside]
    whole = float(low).is_integer() and float(high).is_integer()
    if not whole or (len(others) and not _on_step(others * 2, 1.0)):
        return cuts
    return np.where(beside, np.where(cuts >= 0, 0.5, -0.5), cuts)


def _on_step(values: Floats, step: float) -> bool:
    """Whether all are multiples of the step, as single precision has them."""
    if not len(values):
        return True
    scaled = values / step
    slack = SLACK * float(np.abs(scaled).max()) + 1e-6
    return slack < 0.05 and bool((np.abs(scaled - np.rint(scaled)) <= slack).all())
