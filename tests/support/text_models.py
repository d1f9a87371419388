"""Fitted models that read texts, and the texts: short reviews whose mood lies in a word or two."""

from typing import Any

import numpy as np
import pandas as pd

from rows.common_words import CONTENT_WORDS, FUNCTION_WORDS

__all__ = ["GOOD", "SAD", "fitted", "reviews"]

GOOD = ("excellent", "wonderful", "perfect", "delightful")
SAD = ("terrible", "awful", "broken", "useless")


def reviews(rows: int = 300, seed: int = 0) -> tuple["pd.Series[str]", "np.ndarray[Any, Any]"]:
    """Texts (n,) of four to some forty words, and whether each is good."""
    rng = np.random.default_rng(seed)
    texts, moods = [], rng.random(rows) < 0.5
    for good in moods:
        words = [*rng.choice(FUNCTION_WORDS[:30], 6), *rng.choice(CONTENT_WORDS[:60], rng.integers(2, 12))]
        words += list(rng.choice(GOOD if good else SAD, rng.integers(1, 3)))
        rng.shuffle(words)
        texts.append(" ".join(words).capitalize() + ".")
    return pd.Series(texts, name="review"), np.where(moods, "good", "sad")


def fitted(*steps: Any) -> Any:
    from sklearn.pipeline import make_pipeline

    texts, moods = reviews()
    return make_pipeline(*steps).fit(texts, moods)
