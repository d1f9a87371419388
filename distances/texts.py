"""How far two columns of texts are apart: which words they use, how many a text, how many are new.

Promises: a test that takes a text, not a word, for what was drawn at random. Leaves models and their own
vocabularies to others: words are what `records.words` says.
"""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from distances.formulas import (
    Counts,
    Numbers,
    chi_squared,
    jensen_shannon_distance,
    population_stability_index,
)
from interruption import check
from records.words import WORD, known_as

__all__ = ["TextFigures", "Texts", "compare_texts", "figures_of_both", "word_psi"]

TOP_WORDS = 50  # of both sides together, a bin each; all other words are one more
MOST_TEXTS = 20_000  # of a side, evenly spread; more make no figure another
TOGETHER_WORDS = 20  # of both sides, counted for a classifier


@dataclass(frozen=True)
class TextFigures:
    """psi, js: over the shares of the commonest words, of all others, and of missing texts.

    chi2: statistic and p-value over the same, corrected for words that come in texts. unknown: share of the
    current side's words that the reference has nowhere.
    """

    psi: float
    js: float
    chi2: tuple[float, float] | None
    unknown: float | None


class Texts:
    """The texts of a column (n,), cut into words once."""

    def __init__(self, column: pd.Series) -> None:
        present = column.dropna()
        step = -(-max(len(present), 1) // MOST_TEXTS)
        self.missing = (len(column) - len(present)) / step
        self.words: list[list[str]] = []
        for i, text in enumerate(present.iloc[::step].tolist()):
            if i % 1000 == 0:
                check()
            self.words.append([known_as(word) for word in WORD.findall(str(text))])

    @cached_property
    def lengths(self) -> Numbers:
        """Words of each text, float64."""
        return np.array([len(words) for words in self.words], dtype=np.float64)

    @cached_property
    def counted(self) -> Counter[str]:
        """How often each word occurs in all texts together."""
        return Counter(word for words in self.words for word in words)

    def bins(self, top: dict[str, int], words_of_missing: float) -> npt.NDArray[np.float64]:
        """Words in each bin for every text (n, bins + 2): the top ones, the others, those of missing texts.

        A missing text, whose words nobody knows, stands in a row of its own with as many as one has.
        """
        table = np.zeros((len(self.words) + round(self.missing), len(top) + 2))
        for row, words in enumerate(self.words):
            for word in words:
                table[row, top.get(word, len(top))] += 1
        table[len(self.words) :, -1] = words_of_missing
        return table


def compare_texts(reference: Texts, current: Texts) -> TextFigures:
    """Distances of the words of `current` (m texts) from those of `reference` (n texts)."""
    r, c = _binned(reference, current)
    known = reference.counted
    words = sum(current.counted.values())
    unknown = sum(count for word, count in current.counted.items() if word not in known)
    return TextFigures(
        psi=population_stability_index(_whole(r), _whole(c)),
        js=jensen_shannon_distance(_whole(r), _whole(c)),
        chi2=_clustered_chi_squared(r, c),
        unknown=unknown / words if words else None,
    )


def word_psi(reference: Texts, current: Texts) -> float:
    """The PSI alone, as `compare_texts` has it, without looking at single texts."""
    top, usual = _bins_of(reference, current)

    def whole(side: Texts) -> Counts:
        counts = np.zeros(len(top) + 2)
        for word, count in side.counted.items():
            counts[top.get(word, len(top))] += count
        counts[-1] = round(side.missing) * usual
        return _whole(counts[None, :])

    return population_stability_index(whole(reference), whole(current))


def figures_of_both(reference: pd.Series, current: pd.Series) -> Numbers:
    """What a classifier may know of the texts of both sides (n + m, k), NaN for missing ones.

    Words, characters a word, the share of capitals, and how often each of the commonest words of both sides
    together occurs: what only one side's words told would give the other away.
    """
    both = pd.concat([reference, current], ignore_index=True)
    counted: Counter[str] = Counter()
    cut = []
    for i, text in enumerate(both.tolist()):
        if i % 1000 == 0:
            check()
        words = None if text is None or text != text else WORD.findall(str(text))
        cut.append(words)
        counted.update({known_as(word) for word in words or ()})
    ranked = sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:TOGETHER_WORDS]
    top = {word: 3 + place for place, (word, _) in enumerate(ranked)}
    table = np.zeros((len(both), 3 + len(top)))
    for row, words in enumerate(cut):
        if words is None:
            table[row] = np.nan
            continue
        joined = "".join(words)
        capitals = sum(letter.isupper() for letter in joined)
        table[row, :3] = len(words), len(joined) / max(len(words), 1), capitals / max(len(joined), 1)
        for word in words:
            if (place := top.get(known_as(word))) is not None:
                table[row, place] += 1
    return table


def _binned(reference: Texts, current: Texts) -> tuple[Numbers, Numbers]:
    top, usual = _bins_of(reference, current)
    return reference.bins(top, usual), current.bins(top, usual)


def _bins_of(reference: Texts, current: Texts) -> tuple[dict[str, int], float]:
    """The same bins on both sides, and how many words stand for a missing text.

    Words that are common on both together: of those that one side has most of, the other, by chance alone,
    has fewer.
    """
    usual = max(1.0, float(reference.lengths.mean())) if len(reference.words) else 1.0
    sizes = [sum(side.counted.values()) or 1 for side in (reference, current)]
    shares = Counter({word: count / sizes[0] for word, count in reference.counted.items()})
    shares.update({word: count / sizes[1] for word, count in current.counted.items()})
    ranked = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
    top = {word: place for place, (word, _) in enumerate(ranked[:TOP_WORDS])}
    return top, usual


def _whole(table: Numbers) -> Counts:
    """All texts together; no side is without any count, which the formulas divide by."""
    counts: Counts = np.rint(table.sum(axis=0)).astype(np.int64)
    if not counts.any():
        counts[-1] = 1
    return counts


def _clustered_chi_squared(r: Numbers, c: Numbers) -> tuple[float, float] | None:
    """Pearson's statistic of both sides' counts, each divided by its design effect.

    Words of one text go together, so that as many words tell less than as many draws would. The design
    effect is the mean over the bins of the variance that the shares have between texts, by that of
    independent words. Source: Rao and Scott (1981), The analysis of categorical data from complex sample
    surveys, first-order correction.
    """
    corrected = []
    for table in (r, c):
        total, n = float(table.sum()), len(table)
        if n < 2 or total == 0:
            return None
        shares = table.sum(axis=0) / total
        residuals = table - table.sum(axis=1, keepdims=True) * shares
        between = (residuals**2).sum(axis=0) * n / (n - 1) / total**2
        alone = shares * (1 - shares) / total
        seen = alone > 0
        if seen.sum() < 1:
            return None
        effect = float(np.sum((between[seen] / alone[seen]) * (1 - shares[seen])) / np.sum(1 - shares[seen]))
        corrected.append(table.sum(axis=0) / max(effect, 1e-9))
    return chi_squared(corrected[0], corrected[1])
