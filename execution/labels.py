"""Labels that have only their number in common with a model's classes, judged by the model's own answers.

Promises: read in the order of a LabelEncoder only where the answers agree with that beyond chance; else every
candidate is told with its score. Leaves words that speak for themselves to `rows.labels`.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import linear_sum_assignment

from estimators.answers import Predictions
from records.sample import LabelCandidate, LabelMap
from rows.labels import sorted_labels

__all__ = ["settled", "translated"]

MOST_LABELS = 50  # beyond, the second best of all readings is not looked for
ENOUGH = 3.0  # standard errors between two readings (McNemar's test) from which the better one is certain


def translated(labels: "pd.Series", pairs: Sequence[tuple[str, str]]) -> "pd.Series":
    """The labels as texts, those of `pairs` replaced."""
    words = dict(pairs)
    return labels.map(lambda value: words.get(str(value), str(value)), na_action="ignore")


def settled(labels: "pd.Series", answers: Predictions) -> LabelMap:
    """How k labels become the k classes that the answers are of: "order", or "undecided" with candidates.

    Certain is the order of a LabelEncoder (both sorted) where it explains the answers better than any other
    one-to-one reading, by `ENOUGH` standard errors of the rows on which the two disagree.
    """
    values = sorted_labels([str(value) for value in labels.dropna().unique()])
    classes = list(answers.labels or ())
    counts = _counts(labels, values, answers)
    ordered = [classes.index(name) for name in sorted_labels(classes)]
    if len(values) > MOST_LABELS or len(values) != len(classes):
        return LabelMap(how="undecided", candidates=(_candidate(values, classes, counts, ordered),))
    rival = _best_but(counts, ordered)
    candidates = sorted(
        (_candidate(values, classes, counts, reading) for reading in (ordered, rival)),
        key=lambda candidate: -(candidate.score or 0.0),
    )
    for_it, against = (
        sum(counts[i, reading[i]] for i in range(len(values)) if ordered[i] != rival[i])
        for reading in (ordered, rival)
    )
    certain = for_it - against > ENOUGH * math.sqrt(max(for_it + against, 1))
    if not certain:
        return LabelMap(how="undecided", candidates=tuple(candidates), unknown=tuple(values))
    pairs = tuple((value, classes[code]) for value, code in zip(values, ordered, strict=True))
    return LabelMap(how="order", pairs=pairs, candidates=tuple(candidates))


def _counts(labels: "pd.Series", values: Sequence[str], answers: Predictions) -> npt.NDArray[np.float64]:
    """How many rows of each label (k,) got each class (k,)."""
    codes: Mapping[str, int] = {value: code for code, value in enumerate(values)}
    usable = ~answers.failed & labels.notna().to_numpy(dtype=bool)
    rows = np.array([codes[str(value)] for value in labels[usable]], dtype=np.intp)
    found = np.zeros((len(values), len(answers.labels or ())))
    np.add.at(found, (rows, answers.values[usable].astype(np.intp)), 1)
    return found


def _best_but(counts: npt.NDArray[np.float64], reading: Sequence[int]) -> list[int]:
    """The one-to-one reading that explains most answers, of all but the one given."""
    best: list[int] = []
    most = -1.0
    for place in range(len(counts)):
        cost = -counts.copy()
        cost[place, reading[place]] = counts.sum() + 1  # so that this pair is not in it
        _, found = linear_sum_assignment(cost)
        hits = float(counts[np.arange(len(counts)), found].sum())
        if hits > most and found[place] != reading[place]:
            best, most = found.tolist(), hits
    return best


def _candidate(
    values: Sequence[str], classes: Sequence[str], counts: npt.NDArray[np.float64], reading: Sequence[int]
) -> LabelCandidate:
    hits = sum(counts[i, code] for i, code in enumerate(reading[: len(values)]))
    pairs = tuple((value, classes[code]) for value, code in zip(values, reading, strict=False))
    return LabelCandidate(pairs=pairs, score=float(hits / max(counts.sum(), 1)))
