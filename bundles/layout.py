"""Which transformers take which columns of the raw table, by the names that the parts of a bundle tell.

Promises: a transformer is put on columns that it names itself, that a list beside it names, or that its own
name names; anything else is not placed. Leaves whole tables to `bundles.assembly`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bundles.entries import Encoders, Entry
from bundles.shapes import Shape, rank
from estimators.columns import ColumnPart

__all__ = ["COLUMNS", "NO_ORDER", "Layout", "column_of", "laid_out"]

FILLERS = {
    "le", "lb", "ohe", "oe", "enc", "encoder", "encoders", "label", "labelencoder", "ordinal", "onehot",
    "pkl", "joblib", "scaler", "model", "the",
}  # fmt: skip
COLUMNS = re.compile(r"col|feature|name|input")
NO_COLUMN = "its name tells no column of the model"
NO_ORDER = "neither the model nor a list of columns tells which column it is for"


@dataclass
class Layout:
    """The raw columns, what is done to them, and the columns that come out of it; names () for nothing.

    used: the parts that stand in it, in order; unplaced: those that fit nowhere; left: those left aside, and
    why; names_from: the list that told the columns.
    """

    names: tuple[str, ...] = ()
    parts: tuple[ColumnPart, ...] = ()
    out: tuple[str, ...] = ()
    used: list[Entry] = field(default_factory=list)
    unplaced: list[Entry] = field(default_factory=list)
    left: list[tuple[Entry, str]] = field(default_factory=list)
    names_from: Entry | None = None


def laid_out(
    *,
    width: int | None,
    names: Sequence[str],
    lists: Sequence[tuple[Entry, tuple[str, ...]]],
    encoders: Encoders,
    paths: Mapping[str, Entry],
    single: Sequence[Entry],
    rest: Sequence[tuple[Entry, Shape]],
) -> Layout:
    """The layout before a step that takes `width` columns, called `names` where it knows them.

    lists: the lists of names beside it. encoders: of columns, by name; paths: where each was. single: label
    encoders of one column each. rest: transformers of some of the columns.
    """
    layout = Layout()
    layout.out = _columns(width, names, lists, encoders, layout)
    raw = list(layout.out)
    placed: list[tuple[int, Entry, ColumnPart]] = []
    for name, encoder in encoders.items():
        column = column_of(name, layout.out)
        if column is None:
            layout.left.append((paths[name], NO_COLUMN if layout.out else NO_ORDER))
        else:
            placed.append((rank(encoder), paths[name], ColumnPart(encoder, (column,), (column,))))
    for part in single:
        column = column_of(part.last, layout.out)
        if column is None:
            layout.left.append((part, NO_COLUMN if layout.out else NO_ORDER))
        else:
            placed.append((rank(part.value), part, ColumnPart(part.value, (column,), (column,))))
    for part, shape in rest:
        found = _placed(part.value, shape, lists, layout.out)
        if found is None:
            layout.unplaced.append(part)
            continue
        placed.append((rank(part.value), part, found))
        if found.takes != found.gives:
            at = raw.index(found.gives[0])
            raw = [name for name in [*raw[:at], *found.takes, *raw[at:]] if name not in found.gives]
    placed.sort(key=lambda one: one[0])
    layout.parts = tuple(part for _, _, part in placed)
    seen: dict[int, Entry] = {id(entry): entry for _, entry, _ in placed}
    layout.used = list(seen.values())
    # One of several encoders of a dict that fits no column does not make the dict one left aside.
    layout.left = list({id(e): (e, why) for e, why in layout.left if id(e) not in seen}.values())
    if layout.parts or layout.names_from is not None or (layout.out and not names):
        layout.names = tuple(raw)
    return layout


def column_of(name: str, columns: Sequence[str]) -> str | None:
    """The one column that a name means: the same, or the same but for case, signs and words as `encoder`.

    >>> column_of("le_gender", ["Age", "Gender"])
    'Gender'
    """
    if name in columns:
        return name
    words = [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word and word not in FILLERS]
    wanted = "".join(words)
    found = [column for column in columns if re.sub(r"[^a-z0-9]+", "", column.lower()) == wanted]
    return found[0] if wanted and len(found) == 1 else None


def _columns(
    width: int | None,
    names: Sequence[str],
    lists: Sequence[tuple[Entry, tuple[str, ...]]],
    encoders: Mapping[str, Any],
    layout: Layout,
) -> tuple[str, ...]:
    """The columns that the next step takes, in its order; () where nothing tells them."""
    fitting = [(part, found) for part, found in lists if width is None or len(found) == width]
    if names:
        layout.names_from = next((part for part, found in fitting if found == tuple(names)), None)
        return tuple(names)
    fitting.sort(key=lambda one: not COLUMNS.search(one[0].last))
    if fitting:
        layout.names_from = fitting[0][0]
        return fitting[0][1]
    return tuple(encoders) if encoders and len(encoders) == width else ()


def _placed(
    transformer: Any, shape: Shape, lists: Sequence[tuple[Entry, tuple[str, ...]]], columns: Sequence[str]
) -> ColumnPart | None:
    """One transformer of some of the columns, on those that it or a list names."""
    known = set(columns)
    takes = shape.names
    if not takes:
        subsets = [found for _, found in lists if len(found) == shape.takes and set(found) <= known]
        takes = subsets[0] if len(subsets) == 1 else ()
    if not takes:
        return None
    if shape.gives == len(takes) and set(takes) <= known:
        return ColumnPart(transformer, takes, takes)
    if shape.gives_names and set(shape.gives_names) <= known and not set(takes) & known:
        return ColumnPart(transformer, takes, shape.gives_names)
    return None
