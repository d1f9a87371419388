"""What breaks a model under a shift: the share of its answers that change, or the drop of its score.

Promises: every judgement is graded by what rows drawn at random may hide: surely within the limit, possibly
beyond, beyond on these rows, surely beyond. Leaves which shifts to try to `shifts.breaking_points`.
"""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from statistics import NormalDist
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from distances.changes import changed_answers, in_labels_of, subset
from estimators.answers import Predictions
from metrics import class_codes

__all__ = ["ChangedAnswers", "Criterion", "Labelled", "ScoreDrop", "Tails", "binomial_at_most"]

Numbers = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]

POSSIBLY, BROKEN, SURELY = 1, 2, 3


@dataclass(frozen=True)
class Tails:
    """Chances of error: a lower end that is too far, an upper one too near, a shift ruled out that breaks."""

    lower: float
    upper: float
    screen: float


@dataclass(frozen=True)
class Labelled:
    """Rows of features with their true labels, from the sample; the labels fit the model's answers."""

    rows: pd.DataFrame
    labels: "pd.Series[Any]"


class Criterion(Protocol):
    """How a shift is judged on some rows; a shift gives every row a value, 0 where nothing changed."""

    @property
    def by(self) -> Literal["changed_answers", "score"]: ...

    @property
    def limit(self) -> float: ...

    @property
    def rows(self) -> pd.DataFrame: ...

    def head(self, rows: int) -> "Criterion":
        """The same on the first rows only."""

    def values(self, answers: Predictions, rows: Rows) -> Numbers:
        """A value for each of `rows` (m,), whose shifted answers these are."""

    def figure(self, values: Numbers) -> float:
        """What is held against the limit."""

    def grade(self, values: Numbers) -> int:
        """0: within the limit, even by the band's upper end; 1: beyond by that end; 2: beyond on these rows;
        3: beyond by the band's lower end too."""

    def hopeless(self, values: Numbers) -> bool:
        """So far within the limit that these rows rule out more."""


@dataclass(frozen=True)
class ChangedAnswers:
    """The share of answers that change, of n rows drawn at random: an exact binomial band (Clopper-Pearson).

    `rows` (n rows) got the answers `reference`. A row that is no longer answered at all has changed.
    """

    rows: pd.DataFrame
    reference: Predictions
    tolerance: float
    limit: float
    tails: Tails
    by: Literal["changed_answers", "score"] = "changed_answers"

    def head(self, rows: int) -> "ChangedAnswers":
        rows = min(rows, len(self.rows))
        if rows not in self._heads:
            reference = subset(self.reference, np.arange(rows))
            self._heads[rows] = ChangedAnswers(
                self.rows.iloc[:rows], reference, self.tolerance, self.limit, self.tails
            )
        return self._heads[rows]

    def values(self, answers: Predictions, rows: Rows) -> Numbers:
        changed = changed_answers(subset(self.reference, rows), answers, self.tolerance) | answers.failed
        return np.asarray(changed, dtype=np.float64)

    def figure(self, values: Numbers) -> float:
        return float(values.mean())

    def grade(self, values: Numbers) -> int:
        n, k = len(values), int(values.sum())
        possibly = binomial_at_most(k, n, self.limit) > self.tails.lower
        surely = k > 0 and 1 - binomial_at_most(k - 1, n, self.limit) <= self.tails.upper
        return _graded(possibly, k > self.limit * n, surely)

    @cached_property
    def _heads(self) -> dict[int, "ChangedAnswers"]:
        """Cut once: every feature's search asks for the same one, and a cut costs all columns."""
        return {}

    def hopeless(self, values: Numbers) -> bool:
        return binomial_at_most(int(values.sum()), len(values), self.limit) <= self.tails.screen


@dataclass(frozen=True)
class ScoreDrop:
    """The loss of accuracy, or of R2 for numbers, on the same labelled rows before and after a shift.

    truth: (n,) class codes in the order of `reference.labels`, or numbers. A row's value is what it adds to
    the loss: for classes 1 where a right answer becomes wrong and -1 the other way; for numbers the growth of
    its squared residual. Bands: for classes Agresti and Min (2005), half a row more in each cell of the
    paired table; for numbers the delta method for a ratio of means. Rows without an answer are wrong, or left
    out where answers are numbers, as in `metrics.score`.
    """

    rows: pd.DataFrame
    reference: Predictions
    truth: Numbers
    limit: float
    tails: Tails
    by: Literal["changed_answers", "score"] = "score"

    @classmethod
    def of(cls, labelled: Labelled, reference: Predictions, limit: float, tails: Tails) -> "ScoreDrop | None":
        """From labelled rows and their answers; None where there is no score to lose."""
        if reference.labels is not None:
            truth = class_codes(labelled.labels, reference.labels).astype(np.float64)
        else:
            truth = pd.to_numeric(labelled.labels).to_numpy(dtype=np.float64)
        found = cls(labelled.rows, reference, truth, limit, tails)
        return found if found._loss_at_rest.any() else None

    def head(self, rows: int) -> "ScoreDrop":
        rows = min(rows, len(self.rows))
        if rows not in self._heads:
            reference = subset(self.reference, np.arange(rows))
            self._heads[rows] = ScoreDrop(
                self.rows.iloc[:rows], reference, self.truth[:rows], self.limit, self.tails
            )
        return self._heads[rows]

    def values(self, answers: Predictions, rows: Rows) -> Numbers:
        if self.reference.labels is not None:
            right = (in_labels_of(self.reference, answers) == self.truth[rows]) & ~answers.failed
            return np.asarray(self._right[rows].astype(np.float64) - right, dtype=np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            after = np.where(answers.failed, np.nan, (self.truth[rows] - answers.values) ** 2)
            return np.asarray(after - self._residual[rows], dtype=np.float64)

    def figure(self, values: Numbers) -> float:
        if self.reference.labels is not None:
            return float(values.mean())
        used = np.isfinite(values)
        # Where no row is answered any more, nothing is left of the score.
        return float(values[used].sum() / self._spread[used].sum()) if used.any() else math.inf

    def grade(self, values: Numbers) -> int:
        drop = self.figure(values)
        low, high = self._band(values, normal_quantile(self.tails.upper), normal_quantile(self.tails.lower))
        return _graded(high >= self.limit, drop > self.limit, low > self.limit)

    def hopeless(self, values: Numbers) -> bool:
        return self._band(values, 0.0, normal_quantile(self.tails.screen))[1] < self.limit

    @cached_property
    def _heads(self) -> dict[int, "ScoreDrop"]:
        """As `ChangedAnswers._heads`."""
        return {}

    @cached_property
    def _right(self) -> npt.NDArray[np.bool_]:
        return np.asarray((self.reference.values == self.truth) & ~self.reference.failed, dtype=np.bool_)

    @cached_property
    def _residual(self) -> Numbers:
        """Squared, before the shift."""
        return np.where(self.reference.failed, np.nan, (self.truth - self.reference.values) ** 2)

    @cached_property
    def _spread(self) -> Numbers:
        """What R2 divides by, row by row."""
        used = np.isfinite(self._residual)
        truth = self.truth[used]
        if len(truth) == 0 or truth.min() == truth.max():  # whose mean may be another number by rounding
            return np.zeros(len(used))
        return np.where(used, (self.truth - truth.mean()) ** 2, 0.0)

    @property
    def _loss_at_rest(self) -> Numbers:
        """All zero where there is no score to lose: no right answer, or a truth that does not vary."""
        return self._right.astype(np.float64) if self.reference.labels is not None else self._spread

    def _band(self, values: Numbers, below: float, above: float) -> tuple[float, float]:
        """The drop less `below` and plus `above` standard errors."""
        if self.reference.labels is not None:
            lost, gained = float((values > 0).sum()) + 0.5, float((values < 0).sum()) + 0.5
            n = len(values) + 2
            middle = (lost - gained) / n
            error = math.sqrt(lost + gained - (lost - gained) ** 2 / n) / n
            return middle - below * error, middle + above * error
        used = np.isfinite(values)
        n = int(used.sum())
        drop = self.figure(values)
        if n < 2 or not math.isfinite(drop):
            return -math.inf if n else drop, math.inf
        weights = self._spread[used]
        error = float((values[used] - drop * weights).std(ddof=1)) / (float(weights.mean()) * math.sqrt(n))
        return drop - below * error, drop + above * error


def _graded(possibly: bool, broken: bool, surely: bool) -> int:
    """Nested, whatever rounding does: what is broken is possible, what is sure is broken."""
    if broken:
        return SURELY if surely else BROKEN
    return POSSIBLY if possibly else 0


@lru_cache(4096)  # a search asks for the same few again and again
def binomial_at_most(k: int, n: int, p: float) -> float:
    """P(X <= k) for X binomial of n trials with chance p.

    >>> round(binomial_at_most(1, 2, 0.5), 3)
    0.75
    """
    if k >= n or p <= 0:
        return 1.0
    if p >= 1:
        return 0.0
    log_p, log_q = math.log(p), math.log1p(-p)
    logs = (_log_choose(n, i) + i * log_p + (n - i) * log_q for i in range(k + 1))
    return min(1.0, math.fsum(math.exp(log) for log in logs))


def normal_quantile(tail: float) -> float:
    """How many standard deviations above the mean a normal value lies with chance `tail`."""
    return NormalDist().inv_cdf(1 - tail)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
