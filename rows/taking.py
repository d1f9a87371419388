"""A sample's values as a model takes them: its columns under the model's names, encoded, read as numbers.

Promises: does what a `Match` says and no more, and keeps count of it. Leaves deciding to `rows.matching`.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from interruption import check
from records.sample import ColumnFacts
from rows import encoding
from rows.blocks import VALUES, replaced, text_blocks
from rows.matching import Match

__all__ = ["MARKERS", "FrameTable", "as_numbers", "facts_of", "inputs_of"]

MARKERS = frozenset({"", "?", "-", "na", "n/a", "nan", "null", "none"})  # what stands for a missing number
EXACT = 2**53  # up to here a whole number and the float that is read of it are one
MOST_VALUES = 1_000  # different ones of a column that may be 0/1 columns of the model, or a label
MOST_FRACTIONS = 100  # of them: a column of measurements is neither
TOLD_COLUMNS, TOLD_VALUES, TOLD_TEXT = 500, 30, 100  # of a sample's facts


class FrameTable:
    """A sample's frame as `rows.matching.Table`; each column is looked at once, and only when asked for."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame
        self._may_hold_text = {
            str(name) for name, dtype in frame.dtypes.items() if getattr(dtype, "kind", "O") not in "biufM"
        }
        self._texts: dict[str, bool] = {}
        self._pieces = {name: piece for piece in _pieces(frame) for name in piece}
        self._values: dict[str, tuple[str, ...]] = {}

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(map(str, self._frame.columns))

    def text(self, name: str) -> bool:
        if name not in self._may_hold_text:
            return False
        if name in self._pieces:  # of a wide table most are asked for: with this one those beside it
            piece = self._pieces[name]
            read = _read(self._frame, piece)
            for other in piece:
                self._texts[other] = other in read and read[other] is None
                del self._pieces[other]
        elif name not in self._texts:
            check()
            self._texts[name] = _holds_text(self._frame[name]) and as_numbers(self._frame[name]) is None
        return self._texts[name]

    def written_numbers(self, name: str) -> bool:
        return name in self._may_hold_text and not self.text(name) and _holds_text(self._frame[name])

    def values(self, name: str) -> tuple[str, ...]:
        if name not in self._values:
            check()
            self._values[name] = _different(self._frame[name], MOST_VALUES)
        return self._values[name]

    def counts(self, name: str) -> bool:
        return _counts(self._frame[name])


def facts_of(frame: pd.DataFrame) -> tuple[ColumnFacts, ...]:
    """What is told of each column before there is a model to match it with; () of very wide tables."""
    if frame.shape[1] > TOLD_COLUMNS:
        return ()
    table = FrameTable(frame)
    return tuple(_facts(table, name, frame[name]) for name in table.names)


def as_numbers(column: "pd.Series[Any]") -> "pd.Series[Any] | None":
    """Texts as numbers, blanks and other MARKERS as missing; None where one is neither, or none a number."""
    texts = column.map(lambda value: str(value).strip(), na_action="ignore")
    marked = texts.isna() | texts.str.lower().isin(MARKERS)
    numbers = pd.to_numeric(texts.mask(marked), errors="coerce")
    if bool((numbers.isna() & ~marked).any()) or bool(numbers.isna().all()):
        return None
    return numbers.astype(np.float64)


def inputs_of(frame: pd.DataFrame, match: Match) -> tuple[pd.DataFrame, dict[str, int]]:
    """The columns that a model takes under its names; and the columns of texts that were read as numbers,
    with how many of their values are marked as missing.

    What the match leaves open (`match.missing`) is not there; the order is the model's.
    """
    features = {column: feature for feature, column in match.taken}
    inputs = frame[[column for _, column in match.taken]]
    read: dict[str, int] = {}
    changed: dict[str, Any] = {}
    texts = {name for name, dtype in frame.dtypes.items() if isinstance(dtype, pd.StringDtype)}
    at_once = _read(frame, [column for column in match.numbers if column in texts])
    for column in match.numbers:
        check()
        numbers = at_once.get(column) if column in texts else as_numbers(frame[column])
        if numbers is not None:
            read[column] = int(np.isnan(numbers).sum() - frame[column].isna().sum())
            changed[column] = numbers
    inputs = replaced(inputs, changed)
    inputs = inputs.set_axis(pd.Index([features[column] for column in inputs.columns], dtype="str"), axis=1)
    if match.encoded:
        made = [encoding.encode(frame[encoded.column], encoded) for encoded in match.encoded]
        inputs = pd.concat([inputs, *made], axis=1)
        known = set(inputs.columns)
        inputs = inputs[[name for name in match.order if name in known]]
    return inputs, read


def _pieces(frame: pd.DataFrame) -> Iterator[list[str]]:
    """The names of the columns of texts, as many together as are looked at in one go."""
    names = [str(name) for name, dtype in frame.dtypes.items() if isinstance(dtype, pd.StringDtype)]
    step = max(1, VALUES // max(1, len(frame)))
    return (names[start : start + step] for start in range(0, len(names), step))


def _read(frame: pd.DataFrame, names: Sequence[str]) -> dict[str, npt.NDArray[np.float64] | None]:
    """`as_numbers` of columns of texts, many at once; those without any value are not in it."""
    places = {str(name): place for place, name in enumerate(frame.columns)}
    found: dict[str, npt.NDArray[np.float64] | None] = {}
    for every in text_blocks(frame, [places[name] for name in names]):
        found |= dict.fromkeys(str(frame.columns[position]) for position in every.positions)
        # The first value tells of nearly every column of words that it is none of numbers.
        marked, numbers = _as_marked([every.texts[start] for start in every.starts.tolist()])
        if (block := every.only(marked | ~np.isnan(numbers))) is None:
            continue
        marked, numbers = _as_marked(block.texts)
        lacking = np.isnan(numbers)
        read = block.every(~lacking | marked) & block.some(~lacking)
        far = block.some(np.abs(np.where(lacking, 0.0, numbers)) >= EXACT)
        for place, position in enumerate(block.positions):
            name = str(frame.columns[position])
            if far[place]:  # whole numbers of that size are read otherwise beside others than alone
                alone = as_numbers(frame.iloc[:, position])
                found[name] = None if alone is None else alone.to_numpy()
            else:
                found[name] = block.column(place, numbers) if read[place] else None
    return found


def _as_marked(texts: Sequence[str]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Which of the texts stand for a missing number, and all as numbers, nan where they are none."""
    plain = [text.strip() for text in texts]
    marked = np.array([text.lower() in MARKERS for text in plain])
    kept = pd.Series(plain, dtype="str").mask(marked)
    return marked, pd.to_numeric(kept, errors="coerce").to_numpy(dtype=np.float64)


def _facts(table: FrameTable, name: str, column: "pd.Series[Any]") -> ColumnFacts:
    values = _different(column, TOLD_VALUES)
    kept = () if any(len(value) > TOLD_TEXT for value in values) else values
    return ColumnFacts(
        name=name,
        text=table.text(name),
        numbers=table.written_numbers(name),
        values=kept,
        counts=table.counts(name),
    )


def _holds_text(column: "pd.Series[Any]") -> bool:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return _holds_text(column.dtype.categories.to_series())
    if pd.api.types.is_string_dtype(column.dtype) or column.dtype == object:
        return pd.api.types.infer_dtype(column.dropna(), skipna=True) in ("string", "mixed", "mixed-integer")
    return False


def _different(column: "pd.Series[Any]", most: int) -> tuple[str, ...]:
    """The different values as texts, sorted as LabelEncoder and get_dummies do; () where there are more."""
    values = column.dropna().unique()
    if len(values) > (most if column.dtype.kind != "f" else min(most, MOST_FRACTIONS)):
        return ()
    try:
        ordered = sorted(values.tolist())
    except TypeError:
        ordered = sorted(values.tolist(), key=str)
    return tuple(dict.fromkeys(str(value) for value in ordered))


def _counts(column: "pd.Series[Any]") -> bool:
    if not pd.api.types.is_integer_dtype(column.dtype) or len(column) < 3 or column.hasnans:
        return False
    steps = np.diff(column.to_numpy())
    return bool((steps > 0).all() or (steps < 0).all())
