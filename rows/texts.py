"""Texts: those of a sample's column, and made ones of given words and lengths.

Promises: fewer texts are the first of more. Leaves which words a model knows to `mining.vocabulary`, and the
lengths' distribution to `synthetic_data`.
"""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from errors import InvalidSample
from interruption import check
from records.schema import FieldSpec, Schema, is_nameless
from rows.common_words import CONTENT_WORDS, FUNCTION_WORDS
from rows.limits import listed

__all__ = ["made_texts", "text_inputs", "text_names", "texts_from", "texts_of", "texts_read"]

COMMON_SHARE = 0.4  # of function words among words of no model's own, as in English prose
LONG_TEXT = 20  # characters on average, from which on a column of texts is no column of names


def text_names(schema: Schema | None) -> tuple[str, ...]:
    """The features that are texts."""
    return () if schema is None else tuple(field.name for field in schema.features if field.type == "text")


def texts_read(frame: pd.DataFrame, mined: Schema | None) -> tuple[str, ...]:
    """The columns of a sample, as `text_inputs` leaves it, that the model reads as texts."""
    names = text_names(mined)
    if mined is not None and names and is_nameless(mined.names):
        return tuple(str(column) for column in frame.columns)
    return tuple(name for name in names if name in frame.columns)


def texts_of(frame: pd.DataFrame | None, schema: Schema) -> dict[str, "pd.Series[Any]"]:
    """The sample's own texts for each feature that is a text; a column without any is left out."""
    if frame is None:
        return {}
    found = {name: frame[name].dropna() for name in text_names(schema) if name in frame.columns}
    return {name: column.map(str).reset_index(drop=True) for name, column in found.items() if len(column)}


def texts_from(rows_from: str, schema: Schema, own: Collection[str]) -> str:
    """How rows were made, in words, and where their texts come from; own: features with texts of a sample."""
    names = text_names(schema)
    if not names:
        return rows_from
    said = [f"The texts of {listed(list(own))} are the sample's own, in another order."] if own else []
    made = [name for name in names if name not in own]
    if made:
        said.append(
            f"The texts of {listed(made)} are words that the model knows, drawn one by one: without grammar."
        )
    return " ".join([*said, *([rows_from] if len(schema.features) > len(names) else [])])


def text_inputs(frame: pd.DataFrame | None, mined: Schema | None) -> tuple[pd.DataFrame | None, str | None]:
    """The one column that a model of bare texts reads, and a line that says which it was and what was left.

    The column named "text", else the only one, else that with the longest texts. Everything else passes
    unchanged. Raises InvalidSample where no column holds texts.
    """
    if frame is None or mined is None or not (text_names(mined) and is_nameless(mined.names)):
        return frame, None
    columns = [str(column) for column in frame.columns]
    name = columns[0] if len(columns) == 1 else mined.names[0] if mined.names[0] in columns else None
    if name is None:
        lengths = {column: _length(frame[column]) for column in columns}
        name = max(columns, key=lambda column: lengths[column])
        if lengths[name] == 0:
            raise InvalidSample(
                f"The model reads one text, and no column of the sample holds texts: {listed(columns)}.",
                hint="Send the table with the texts as they were before they were turned into numbers.",
                field="sample",
            )
    if len(columns) == 1:
        return frame, None
    left = [column for column in columns if column != name]
    return frame[[name]], f"The model reads one text: the column {name!r} was taken, {listed(left)} left out."


def made_texts(
    field: FieldSpec, lengths: npt.NDArray[np.int64], rng: np.random.Generator
) -> npt.NDArray[np.object_]:
    """A text for each of `lengths` (n,), in words: the field's words as often as it says, blanks between.

    A phrase of several words counts as many. Without words of its own the field gets common English ones.
    """
    words, weights = _words(field)
    counts = np.array([word.count(" ") + 1 for word in words])
    edges = np.cumsum(weights / weights.sum())
    texts = np.empty(len(lengths), dtype=object)
    mean = float(counts @ (weights / weights.sum()))
    for i, length in enumerate(lengths.tolist()):
        if i % 1000 == 0:
            check()
        drawn = np.searchsorted(edges, rng.random(length) * edges[-1], side="right")
        drawn = np.minimum(drawn, len(words) - 1)
        if mean > 1:  # phrases: as many as fill the text
            drawn = drawn[: max(1, int(np.searchsorted(np.cumsum(counts[drawn]), length)) + 1)]
        texts[i] = " ".join([words[code] for code in drawn.tolist()])
    return texts


def _words(field: FieldSpec) -> tuple[Sequence[str], npt.NDArray[np.float64]]:
    if not field.categories:
        shares = [COMMON_SHARE / len(FUNCTION_WORDS)] * len(FUNCTION_WORDS)
        shares += [(1 - COMMON_SHARE) / len(CONTENT_WORDS)] * len(CONTENT_WORDS)
        return (*FUNCTION_WORDS, *CONTENT_WORDS), np.array(shares)
    words = [str(word) for word in field.categories]
    return words, np.asarray(field.weights or [1.0] * len(words), dtype=np.float64)


def _length(column: "pd.Series[Any]") -> float:
    """Characters of a text on average; 0 for a column that is none, or too short to be one."""
    present = column.dropna()
    if not len(present) or not all(isinstance(value, str) for value in present.head(100)):
        return 0.0
    mean = float(present.map(lambda value: len(str(value))).mean())
    return mean if mean >= LONG_TEXT or present.nunique() > len(present) / 2 else 0.0
