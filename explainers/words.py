"""Which words of a text make the model answer as it does: Shapley values of the words that it has.

Runs in the child, beside the model. Promises: the effects of a text's words sum to what the model behind the
vectorizer answers for it less what it answers for no word at all. Leaves whole features to `explainability`.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from estimators.answers import Estimator, FloatArray
from estimators.texts import vectorizers_in
from records.explanation import MAX_WORD, TextEffects, TextRow, WordEffect, WordShare
from records.texts import clean

__all__ = ["word_effects"]

MOST_TEXTS = 100
SHOWN_WORDS = 30
SHOWN_ROWS = 20
SHOWN_IN_ROW = 12
MOST_PLAYERS = 60  # words of a text that are told apart; those with the least weight go together
PAIRS = 4  # of antithetic permutations

Function = Callable[[Any], FloatArray]


@dataclass(frozen=True)
class _Parts:
    """A pipeline cut behind its words.

    x: the texts (n, p) as the model behind sees them. words: which of the p columns are words. names: theirs.
    ask: from such a table to (n, k) outputs; slopes: (p, k) where these are straight lines in x.
    """

    x: Any
    words: npt.NDArray[np.intp]
    names: dict[int, str]
    output: str
    outputs: tuple[str, ...]
    ask: Function
    slopes: FloatArray | None


def word_effects(
    adapter: Estimator, frame: pd.DataFrame, budget_s: float, seed: int
) -> tuple[TextEffects, ...]:
    """The words' effects on the first texts of `frame`, one entry; none for a model without a vectorizer.

    Where the model behind is linear its margin is explained, exactly; of others the probability (else the
    margin, else the number), by antithetic permutations of the words that a text has. With more than two
    classes each text's own answer is followed.
    """
    deadline = time.perf_counter() + budget_s
    rows = frame.iloc[:MOST_TEXTS]
    parts = _cut(adapter, rows)
    if parts is None:
        return ()
    answers = parts.ask(parts.x)
    chosen = answers.argmax(axis=1) if len(parts.outputs) > 1 else np.zeros(len(rows), dtype=np.intp)
    rng = np.random.default_rng(seed)
    effects: list[dict[int, float]] = []
    for row in range(len(rows)):
        if row and time.perf_counter() > deadline:
            break
        effects.append(_of_row(parts, row, int(chosen[row]), rng))
    texts = _text_columns(adapter.estimator, frame)
    return (_told(parts, effects, [parts.outputs[i] for i in chosen.tolist()], texts),)


def _of_row(parts: _Parts, row: int, output: int, rng: np.random.Generator) -> dict[int, float]:
    """The effect of each word (column) that the text has."""
    own = parts.x[[row]]
    present = own.indices[np.isin(own.indices, parts.words) & (own.data != 0)]
    if not len(present):
        return {}
    values = dict(zip(own.indices.tolist(), own.data.tolist(), strict=True))
    if parts.slopes is not None:
        return {int(j): values[int(j)] * float(parts.slopes[j, output]) for j in present}
    groups = _players(present, values)
    total = np.zeros(len(groups))
    for _ in range(PAIRS):
        order = rng.permutation(len(groups))
        for walk in (order, order[::-1]):
            steps = parts.ask(_walked(own, groups, walk))[:, output]
            total[walk] += np.diff(steps)
    found = total / (2 * PAIRS)
    return {
        int(j): float(effect) / len(group) for group, effect in zip(groups, found, strict=True) for j in group
    }


def _players(present: npt.NDArray[Any], values: dict[int, float]) -> list[list[int]]:
    ranked = sorted(present.tolist(), key=lambda j: -abs(values[j]))
    groups = [[j] for j in ranked[:MOST_PLAYERS]]
    return [*groups, ranked[MOST_PLAYERS:]] if len(ranked) > MOST_PLAYERS else groups


def _walked(own: Any, groups: list[list[int]], walk: npt.NDArray[np.intp]) -> Any:
    """The row without any of its words, then with one group more each time: (groups + 1, p)."""
    place = np.zeros(len(own.indices), dtype=np.int64)  # from which table on an entry is there
    when = {j: step + 1 for step, group in enumerate(walk.tolist()) for j in groups[group]}
    for i, j in enumerate(own.indices.tolist()):
        place[i] = when.get(j, 0)
    kept = place[None, :] <= np.arange(len(groups) + 1)[:, None]
    lengths = kept.sum(axis=1)
    indices = np.broadcast_to(own.indices, kept.shape)[kept]
    data = np.broadcast_to(own.data, kept.shape)[kept]
    starts = np.concatenate(([0], np.cumsum(lengths)))
    return sparse.csr_matrix((data, indices, starts), shape=(len(lengths), own.shape[1]))


# --- cutting a pipeline --------------------------------------------------------------------------


def _cut(adapter: Estimator, rows: pd.DataFrame) -> _Parts | None:
    estimator = getattr(adapter.estimator, "best_estimator_", adapter.estimator)
    steps = [s for _, s in getattr(estimator, "steps", ()) if s is not None and not isinstance(s, str)]
    if len(steps) < 2 or not (vectorizers_in(steps[0]) or hasattr(steps[0], "transformers_")):
        return None
    ends = 1
    while ends < len(steps) - 1 and type(steps[ends]).__name__ == "TfidfTransformer":
        ends += 1
    x = adapter.prepare(rows)
    cut: Any = x
    for step in steps[:ends]:
        cut = step.transform(cut)
    table = sparse.csr_matrix(cut)
    table.sum_duplicates()
    names = _names(steps[0], x, table.shape[1])
    if not names:
        return None
    ask, output, outputs = _asked(adapter, steps[ends:], table)
    slopes = _slopes(steps[ends:], output, len(outputs)) if len(steps) - ends == 1 else None
    if slopes is not None and slopes.shape[0] != table.shape[1]:
        slopes = None
    return _Parts(table, np.array(sorted(names), dtype=np.intp), names, output, outputs, ask, slopes)


def _names(step: Any, texts: Any, width: int) -> dict[int, str]:
    """The columns that are words, and these; of a column transformer those behind its vectorizers."""
    if not hasattr(step, "transformers_"):
        return dict(enumerate(_names_of(step, texts, width)))
    found: dict[int, str] = {}
    parts = [(name, inner, columns) for name, inner, columns in step.transformers_ if vectorizers_in(inner)]
    for name, inner, columns in parts:
        place = step.output_indices_[name]
        if type(inner).__name__ == "Pipeline" and len(inner.steps) > 1:
            continue  # its words may be mixed again
        words = _names_of(inner, texts[columns], place.stop - place.start)
        prefix = f"{columns}: " if len(parts) > 1 else ""
        found |= {place.start + i: prefix + word for i, word in enumerate(words)}
    return {j: word for j, word in found.items() if word}


def _names_of(step: Any, texts: Any, width: int) -> list[str]:
    """A name for each column; that of a hashed word is told by the texts that have it, "" for no word."""
    if hasattr(step, "transformer_list"):
        parts = [_names_of(inner, texts, 0) for _, inner in step.transformer_list]
        return [word for part in parts for word in part]
    if len(getattr(step, "vocabulary_", ())):
        return [_shown(word) for word in step.get_feature_names_out()]
    names = [""] * (width or step.n_features)
    with suppress(Exception):
        analyse = step.build_analyzer()
        tokens = sorted({token for text in texts for token in analyse(text)})
        columns = step._get_hasher().transform([[token] for token in tokens]).indices
        for token, column in zip(tokens, columns, strict=True):
            names[column] = _shown(f"{names[column]} / {token}" if names[column] else token)
    return names


def _shown(word: Any) -> str:
    return clean(str(word))[:MAX_WORD]


def _asked(adapter: Estimator, steps: Sequence[Any], probe: Any) -> tuple[Function, str, tuple[str, ...]]:
    """The rest of a pipeline as a function of the words' table, and what it tells."""
    final = steps[-1]
    labels = adapter.labels
    linear = len(steps) == 1 and hasattr(final, "coef_")
    call: Callable[[Any], Any] = final.predict
    output = "prediction"
    if adapter.task in ("classification", "outlier"):
        offered = ("decision_function",) if linear else ("predict_proba", "decision_function")
        name = next((name for name in offered if callable(getattr(final, name, None))), None)
        chosen = np.array([str(label) for label in labels or ()], dtype=object)

        def one_hot(x: Any) -> Any:
            return np.asarray(final.predict(x)).astype(str)[:, None] == chosen

        call = one_hot if name is None else getattr(final, name)
        titles = {"predict_proba": "probability", "decision_function": "margin"}
        output = titles.get(name or "", "class chosen (1) or not (0)")

    def ask(x: Any) -> FloatArray:
        for step in steps[:-1]:
            x = step.transform(x)
        answers = np.asarray(call(x), dtype=np.float64).reshape(x.shape[0], -1)
        return answers[:, 1:] if answers.shape[1] == 2 else answers

    k = ask(probe[:1]).shape[1]
    if labels is not None and len(labels) == 2 and k == 1:
        return ask, output, (labels[1],)
    return ask, output, tuple(labels) if labels is not None and len(labels) == k else (output,) * k


def _slopes(steps: Sequence[Any], output: str, k: int) -> FloatArray | None:
    """Coefficients (p, k) of a linear model whose margin or number is told; None for all else."""
    coefficients = getattr(steps[-1], "coef_", None)
    if coefficients is None or output not in ("margin", "prediction"):
        return None
    if hasattr(coefficients, "toarray"):
        coefficients = coefficients.toarray()
    found = np.atleast_2d(np.asarray(coefficients, dtype=np.float64)).T
    return found if found.shape[1] == k else None


def _text_columns(estimator: Any, frame: pd.DataFrame) -> str:
    """The columns that hold the texts, as the report names them."""
    estimator = getattr(estimator, "best_estimator_", estimator)
    steps = [s for _, s in getattr(estimator, "steps", ())]
    chosen = [
        str(columns)
        for _, inner, columns in getattr(steps[0] if steps else None, "transformers_", ())
        if vectorizers_in(inner)
    ]
    return ", ".join(chosen) or str(frame.columns[0])


# --- telling -------------------------------------------------------------------------------------


def _told(parts: _Parts, effects: list[dict[int, float]], answered: list[str], texts: str) -> TextEffects:
    several = len(parts.outputs) > 1
    by_word: dict[int, list[tuple[float, str]]] = {}
    for own, of in zip(effects, answered, strict=False):
        for j, effect in own.items():
            by_word.setdefault(j, []).append((effect, of))
    ranked = sorted(by_word, key=lambda j: -sum(abs(effect) for effect, _ in by_word[j]))
    words = []
    for j in ranked[:SHOWN_WORDS]:
        sizes: dict[str, float] = {}
        for effect, of in by_word[j]:
            sizes[of] = sizes.get(of, 0.0) + abs(effect)
        of = max(sizes, key=lambda name: sizes[name])
        own_effects = [effect for effect, name in by_word[j] if name == of]
        words.append(
            WordEffect(
                word=parts.names[j],
                mean_abs=sum(abs(effect) for effect, _ in by_word[j]) / len(effects),
                effect=float(np.mean(own_effects)),
                of=of,
                texts=len(by_word[j]),
            )
        )
    rows = []
    for row, own in enumerate(effects[:SHOWN_ROWS]):
        first = sorted(own, key=lambda j: -abs(own[j]))[:SHOWN_IN_ROW]
        rows.append(
            TextRow(
                row=row,
                of=answered[row],
                words=tuple(WordShare(word=parts.names[j], effect=own[j]) for j in first),
                rest=sum(effect for j, effect in own.items() if j not in set(first)),
            )
        )
    how = "exact, the model behind the words is linear"
    if parts.slopes is None:
        how = f"sampled by {2 * PAIRS} permutations of each text's words"
    followed = ", each text's own answer is followed" if several else ""
    return TextEffects(
        feature=texts[:MAX_WORD],
        output=parts.output,
        texts=len(effects),
        words=tuple(words),
        rows=tuple(rows),
        note=f"{how}{followed}",
    )
