"""What dicts, tuples and lists hold that people save instead of a model: each part by its place and its role.

Promises: nothing is called but what tells a fitted object's shape; a bundle of any size is looked through in
bounded time. Leaves what is done with the parts to `bundles.assembly`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from estimators.columns import MappedCategories
from estimators.traits import answering_method
from records.schema import MAX_FEATURES, MAX_NAME

__all__ = ["Encoders", "Entry", "entries_of", "kind_of", "names_in", "predicts"]

MAX_DEPTH = 4
MAX_LOOKED_AT = 20_000  # parts of all files together; a bundle has a dozen, encoders of wide tables thousands
SUFFIX = re.compile(r"\.(pkl|pickle|joblib|json|sav|bin|dat|model)$")
SIMPLE = (str, int, float, bool, complex, bytes, type(None), np.generic)


class Encoders(dict[str, Any]):
    """Encoders of single columns by the column's name; each has `transform`."""


@dataclass(frozen=True)
class Entry:
    """One part. path: how it is reached ("scaler", "steps.0", a file's name), file: which file it is in."""

    path: str
    value: Any
    file: int

    @property
    def last(self) -> str:
        """The last name of its path, lower case: what people call it."""
        return re.split(r"[.:]", SUFFIX.sub("", self.path.lower()))[-1]


def predicts(value: Any) -> bool:
    """Whether it answers new rows; a class is none that does."""
    return not isinstance(value, (type, *SIMPLE)) and answering_method(value) is not None


def kind_of(value: Any) -> str:
    """What the thing is, for a reader: its class, or what it is a list of."""
    if isinstance(value, Encoders):
        kinds = sorted({type(one).__name__ for one in value.values()})
        return f"{len(value)} encoders by column ({', '.join(kinds)[:80]})"
    if (names := names_in(value)) is not None:
        return f"{len(names)} names"
    return type(value).__name__[:MAX_NAME]


def entries_of(files: Iterable[tuple[str, Any]]) -> list[Entry]:
    """The parts of what was loaded from each file, (name, object); containers are opened, four deep.

    A dict of encoders by column and a list of names are one part each. Of one file the path is the key
    alone, of several it begins with the file's name. Not found: what is beyond `MAX_LOOKED_AT`.
    """
    given = list(files)
    found: list[Entry] = []
    budget = iter(range(MAX_LOOKED_AT))
    for number, (name, value) in enumerate(given):
        root = name if len(given) > 1 else ""
        found.extend(_within(root, value, number, 0, budget))
    return found


def _within(path: str, value: Any, file: int, depth: int, budget: Iterator[int]) -> Iterator[Entry]:
    if next(budget, None) is None:
        return
    encoders = _encoders(value)
    if encoders is not None:
        yield Entry(path, encoders, file)
    elif names_in(value) is not None or not isinstance(value, Mapping | list | tuple) or predicts(value):
        yield Entry(path, value, file)
    elif depth < MAX_DEPTH:
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, inner in items:
            if isinstance(inner, SIMPLE) and not isinstance(key, str):
                continue  # numbers in a list: a curve, a score
            shown = str(key)[:50]
            joint = ":" if depth == 0 and path else "."
            yield from _within(f"{path}{joint}{shown}" if path else shown, inner, file, depth + 1, budget)
            if next(budget, None) is None:
                return


def names_in(value: Any) -> tuple[str, ...] | None:
    """Column or class names, where the thing is a list, array or Index of texts; else None.

    So is a dict between names and the numbers from 0, either way round: {0: "No", 1: "Yes"}.
    """
    if isinstance(value, Mapping) and value:
        pairs = [(k, v) if isinstance(v, str) else (v, k) for k, v in list(value.items())[:MAX_FEATURES]]
        numbers = {int(n): text for n, text in pairs if isinstance(n, int | np.integer)}
        value = [numbers[i] for i in range(len(value))] if set(numbers) == set(range(len(value))) else None
    if isinstance(value, np.ndarray | pd.Index | pd.Series):
        if value.ndim != 1 or not 0 < len(value) <= MAX_FEATURES:
            return None
        value = value.tolist()
    if not isinstance(value, list | tuple) or not 0 < len(value) <= MAX_FEATURES:
        return None
    if not all(isinstance(name, str) and 0 < len(name) <= MAX_NAME for name in value):
        return None
    return tuple(map(str, value)) if len(set(value)) == len(value) else None


def _encoders(value: Any) -> Encoders | None:
    """Encoders by column, of objects or of dicts from category to number; None for any other dict."""
    if not isinstance(value, Mapping) or not 0 < len(value) <= MAX_FEATURES:
        return None
    found = Encoders()
    for key, inner in value.items():
        if not isinstance(key, str):
            return None
        if isinstance(inner, Mapping) and _numbers(inner):
            found[key] = MappedCategories(inner)
        elif hasattr(inner, "classes_") and hasattr(inner, "transform") and not predicts(inner):
            found[key] = inner
        else:
            return None
    return found


def _numbers(mapping: Mapping[Any, Any]) -> bool:
    """A dict from texts to numbers, of which no two are the same by accident of being counts or scores."""
    values = list(mapping.values())
    plain = all(isinstance(v, int | np.integer) and not isinstance(v, bool) for v in values)
    return bool(values) and len(values) <= 1_000 and plain and all(isinstance(k, str) for k in mapping)
