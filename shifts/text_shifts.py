"""Simulated shifts of texts: new words, rare words, slips of the keyboard, capitals, other lengths.

Promises: what happens to a text depends on it and the seed alone, so that a larger share changes the words of
a smaller one and some more. Leaves which features are texts to the schema.
"""

import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from interruption import check
from records.drift import ScenarioKind
from records.schema import FieldSpec
from records.words import WORD, known_as

__all__ = ["GRADED", "changed_texts"]

GRADED: tuple[ScenarioKind, ...] = ("unknown_words", "rare_words", "typos")  # by the share of words
RAREST = 0.1  # of the words that are known, at least
FEWEST_RARE = 20
SHORTEST_TYPO = 3  # letters of a word that a slip leaves a word
DRAWS = 8  # syllables of the longest new word
LONGEST = 100_000  # words of a text that is made longer
SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]

Share = float | npt.NDArray[np.float64]
Exchange = Callable[[str, Sequence[float]], str]
"""From a word and DRAWS even shares (0 to 1) of its own to another word."""


def changed_texts(
    column: pd.Series, spec: FieldSpec, kind: ScenarioKind, share: Share, seed: int
) -> pd.Series:
    """A copy of a column of texts (n,) under one kind of shift; missing ones stay missing.

    share: of each text's words; of the texts for upper_case; for text_length the factor of the number of
    words. Of all texts, or one for each (n,). unknown_words: made of syllables, none of them among the
    column's or the field's. rare_words: of the tenth of the field's words that are rarest. typos: two letters
    change places, one is lost or doubled.
    """
    shares = np.broadcast_to(np.asarray(share, dtype=np.float64), (len(column),))
    exchange = _exchange(column, spec, kind)
    values: list[Any] = []
    for i, value in enumerate(column.tolist()):
        if i % 1000 == 0:
            check()
        if not isinstance(value, str) or shares[i] <= 0:
            values.append(value)
        else:
            rng = np.random.default_rng([seed, zlib.crc32(value.encode("utf-8", "replace"))])
            values.append(_changed(value, kind, float(shares[i]), exchange, rng))
    changed = pd.Series(values, index=column.index, name=column.name, dtype=object)
    return changed.astype(column.dtype) if isinstance(column.dtype, pd.StringDtype) else changed


def _changed(
    text: str, kind: ScenarioKind, share: float, exchange: Exchange, rng: np.random.Generator
) -> str:
    if kind == "upper_case":
        return text.upper() if rng.random() < share else text
    if kind == "text_length":
        return _of_length(text, share)
    found = list(WORD.finditer(text))
    # A row a word: what a word becomes must not depend on how many before it changed.
    drawn = rng.random((len(found), 1 + DRAWS))
    parts, end = [], 0
    for i in np.flatnonzero(drawn[:, 0] < share).tolist():
        word = found[i]
        parts += [text[end : word.start()], exchange(word.group(), drawn[i, 1:].tolist())]
        end = word.end()
    return "".join((*parts, text[end:]))


def _exchange(column: pd.Series, spec: FieldSpec, kind: ScenarioKind) -> Exchange:
    """What becomes of one word."""
    if kind == "typos":
        return _slipped
    if kind == "rare_words":
        rare = _rarest(column, spec)
        return lambda word, draws: rare[int(draws[0] * len(rare))] if rare else word
    known = {known_as(part) for word in spec.categories or () for part in str(word).split()}
    known |= set(WORD.findall(known_as(" ".join(map(str, column.dropna().tolist())))))
    return lambda _word, draws: _new_word(known, draws)


def _new_word(known: set[str], draws: Sequence[float]) -> str:
    for syllables in (3, 4, 5, DRAWS):
        word = "".join(SYLLABLES[int(draw * len(SYLLABLES))] for draw in draws[:syllables])
        if word not in known:
            return word
    return word + "q"


def _rarest(column: pd.Series, spec: FieldSpec) -> Sequence[str]:
    """The field's rarest single words; where it tells no weights, the column's."""
    if spec.categories and spec.weights:
        weighed = list(zip(map(str, spec.categories), spec.weights, strict=True))
        single = [(word, weight) for word, weight in weighed if " " not in word]
    else:
        counted = Counter(known_as(w) for text in column.dropna().tolist() for w in WORD.findall(str(text)))
        single = list(counted.items())
    ranked = sorted(single, key=lambda item: (item[1], item[0]))
    return [word for word, _ in ranked[: max(FEWEST_RARE, round(RAREST * len(ranked)))]]


def _slipped(word: str, draws: Sequence[float]) -> str:
    if len(word) < SHORTEST_TYPO:
        return word
    at, slip = int(draws[0] * (len(word) - 1)), int(draws[1] * 3)
    if slip == 0 and word[at] != word[at + 1]:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if slip == 1:
        return word[:at] + word[at + 1 :]
    return word[: at + 1] + word[at:]


def _of_length(text: str, factor: float) -> str:
    """The first words, or the text again and again, up to so many times its words; at least one."""
    words = text.split()
    wanted = min(max(1, round(factor * len(words))), LONGEST)
    if not words or wanted == len(words):
        return text
    return " ".join((words * (-(-wanted // len(words))))[:wanted])
