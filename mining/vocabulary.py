"""What a vectorizer remembers of the texts that it was fitted on: words, how often, and how many a text.

Promises: words that its analyser gives back as it stored them, at most WORDS_KEPT. Leaves making texts of
them to `rows.texts`.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from estimators.texts import is_vectorizer, vectorizers_in
from mining.facts import Column, Columns, Facts, Floats
from records.schema import MAX_CATEGORY
from records.texts import clean
from rows.common_words import FUNCTION_WORDS

__all__ = ["mine_texts", "mine_vectorizer"]

WORDS_KEPT = 1_000  # half the commonest, half an even choice of the others; reports carry them
STOP_SHARE = 0.4  # of a text are words that the analyser drops; of English prose about that many
STOP_WORDS = 40  # of a list that is dropped
MOST_WORDS = 300.0  # of a text on average; longer ones cost time and tell no more
RAREST_TRIED = 50  # texts that have the rarest word
WHOLE = 1e-3
GRAMS = 50_000  # of characters, the commonest, that words are made of
MADE_WORDS = 300
LONGEST_MADE = 10


class _Vocabulary(NamedTuple):
    """terms (n,) and how often each is expected in a text (n,), None where that is not known."""

    terms: list[str]
    shares: Floats | None


def mine_vectorizer(step: Any, columns: Columns, facts: Facts) -> None:
    """A vectorizer that stands alone, as one of a column transformer does."""
    if is_vectorizer(step):
        _tell(facts, columns[0], [step], [])


def mine_texts(steps: Sequence[tuple[str, Any]], columns: Columns, facts: Facts) -> None:
    """A pipeline whose first step turns its one column into words; later steps tell how often they occur."""
    with suppress(Exception):
        for position, (_, step) in enumerate(steps):
            found = vectorizers_in(step)
            if found and len(columns) == 1:
                _tell(facts, columns[0], found, [behind for _, behind in steps[position + 1 :]])
            if found or not (step in (None, "passthrough") or type(step).__name__ == "FunctionTransformer"):
                return


def _tell(facts: Facts, column: Column | None, vectorizers: list[Any], behind: list[Any]) -> None:
    """All facts of a text at once, so that words and weights are of the same vectorizer."""
    if column is None or not column.raw:
        return
    with_words = [v for v in vectorizers if len(getattr(v, "vocabulary_", ()))]
    vectorizer = next((v for v in with_words if _kind(v) == "word"), next(iter(with_words), None))
    if vectorizer is None:  # hashed: nothing is remembered
        facts.tell(column, type="text", categories=None, weights=None, mean=None)
        return
    known = _vocabulary(vectorizer, behind if len(vectorizers) == 1 else [])
    mean = None
    if _kind(vectorizer) != "word":
        known = _made_words(known, _kind(vectorizer))
        mean = None
    elif known.shares is not None:
        mean = _mean_words(known)
        known = _Vocabulary(known.terms, np.maximum(known.shares, 1e-9))
    words, weights = _kept(known)
    stops = _stop_words(vectorizer, set(words))
    if stops and words:
        total = float(weights.sum()) * STOP_SHARE / (1 - STOP_SHARE)
        words, weights = words + stops, np.append(weights, [total / len(stops)] * len(stops))
        mean = None if mean is None else mean / (1 - STOP_SHARE)
    facts.tell(
        column,
        type="text",
        categories=tuple(words) or None,
        weights=tuple(float(f"{share:.4g}") for share in weights / weights.sum()) if words else None,
        mean=None if mean is None else min(max(mean, 1.0), MOST_WORDS),
    )


def _kind(vectorizer: Any) -> str:
    analyzer = getattr(vectorizer, "analyzer", "word")
    return analyzer if analyzer in ("char", "char_wb") else "word"


def _vocabulary(vectorizer: Any, behind: list[Any]) -> _Vocabulary:
    """Terms in the order of the columns, and their shares.

    A term's inverse document frequency is ln(n / df) + 1, so that df / n = exp(1 - idf): the share of texts
    that have it; smoothed, both n and df are one more. Without it, naive Bayes right behind keeps how
    often it saw each.
    """
    columns = sorted(vectorizer.vocabulary_.items(), key=lambda item: int(item[1]))
    terms = [term for term, _ in columns]
    shares: Floats | None = None
    with suppress(Exception):
        shares = _shares_by_idf(vectorizer)
    if shares is None and behind:
        with suppress(Exception):
            shares = _shares_by_idf(behind[0])
        if shares is None and not hasattr(behind[0], "idf_"):
            with suppress(Exception):
                texts = float(np.sum(behind[0].class_count_))
                shares = np.asarray(behind[0].feature_count_, dtype=np.float64).sum(axis=0) / texts
    if shares is not None and not (shares.shape == (len(terms),) and np.isfinite(shares).all()):
        shares = None
    fit = [i for i, term in enumerate(terms) if _is_word(term)]
    cleaned: dict[str, int] = {}
    for i in fit:
        cleaned.setdefault(clean(terms[i]), i)
    places = list(cleaned.values())
    return _Vocabulary(list(cleaned), None if shares is None else shares[places])


def _shares_by_idf(step: Any) -> Floats:
    """df / n of every term. Smoothed ones hold (1 + df) / (1 + n), and no n: that is the first, by the df of
    the rarest term, that makes all of them whole numbers."""
    smooth = np.exp(1 - np.asarray(step.idf_, dtype=np.float64))
    if not step.smooth_idf or not len(smooth):
        return smooth
    for rarest in range(1, RAREST_TRIED + 1):
        df = smooth / smooth.min() * (1 + rarest) - 1
        n = (1 + rarest) / float(smooth.min()) - 1
        if np.abs(df - np.rint(df)).max() < WHOLE and abs(n - round(n)) < WHOLE and df.max() <= n + WHOLE:
            return np.asarray(df / n, dtype=np.float64)
    return smooth


def _is_word(term: Any) -> bool:
    return isinstance(term, str) and 0 < len(term) <= MAX_CATEGORY and bool(term.strip())


def _mean_words(known: _Vocabulary) -> float:
    """Words of a text: the sum of the single words' shares; of phrases alone one word more than phrases."""
    assert known.shares is not None
    sizes = np.array([term.count(" ") + 1 for term in known.terms])
    single = sizes == 1
    if single.any():
        return float(known.shares[single].sum())
    return float(known.shares.sum()) + float(sizes.min()) - 1 if len(sizes) else 1.0


def _kept(known: _Vocabulary) -> tuple[list[str], Floats]:
    """The commonest words and an even choice of the others, whose weights stand for all of them."""
    weights = np.ones(len(known.terms)) if known.shares is None else known.shares
    order = np.argsort(-weights, kind="stable")
    if len(order) > WORDS_KEPT:
        head, rest = order[: WORDS_KEPT // 2], order[WORDS_KEPT // 2 :]
        picked = rest[np.linspace(0, len(rest) - 1, WORDS_KEPT - len(head)).round().astype(np.int64)]
        weights = weights.copy()
        weights[picked] *= weights[rest].sum() / weights[picked].sum()
        order = np.concatenate((head, picked))
    return [known.terms[i] for i in order.tolist()], np.asarray(weights[order], dtype=np.float64)


def _stop_words(vectorizer: Any, known: set[str]) -> list[str]:
    """Words that the analyser drops, which texts hold all the same; the common ones where it drops these."""
    with suppress(Exception):
        dropped = vectorizer.get_stop_words() if _kind(vectorizer) == "word" else None
        listed = sorted(word for word in dropped or () if _is_word(word) and word not in known)
        common = [word for word in FUNCTION_WORDS if word in set(listed)]
        return (common or [clean(word) for word in listed])[:STOP_WORDS]
    return []


def _made_words(known: _Vocabulary, kind: str) -> _Vocabulary:
    """Words out of sequences of characters: each next letter as often as the longest sequences have it."""
    shares = np.ones(len(known.terms)) if known.shares is None else known.shares
    order = np.argsort(-shares, kind="stable")[:GRAMS].tolist()
    size = max((len(known.terms[i]) for i in order if len(known.terms[i]) <= 4), default=0)
    following: dict[str, tuple[list[str], list[float]]] = {}
    for i in order:
        gram = known.terms[i]
        if len(gram) == size:
            letters, weights = following.setdefault(gram[:-1], ([], []))
            letters.append(gram[-1])
            weights.append(float(shares[i]))
    if not following:
        return _Vocabulary([term.strip() for term in known.terms if term.strip()], None)
    starts = [prefix for prefix in following if prefix.startswith(" ")] or list(following)
    rng = np.random.default_rng(0)
    words: dict[str, None] = {}
    for _ in range(10 * MADE_WORDS):
        text = starts[int(rng.integers(len(starts)))]
        while len(text) < LONGEST_MADE and (found := following.get(text[len(text) - size + 1 :])):
            chances = np.asarray(found[1])
            text += found[0][int(rng.choice(len(chances), p=chances / chances.sum()))]
            if text.endswith(" "):
                break
        words.update(dict.fromkeys(part for part in text.split() if len(part) > 1 or size == 1))
        if len(words) >= MADE_WORDS:
            break
    return _Vocabulary(list(words), None)
