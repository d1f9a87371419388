"""What of a sample's columns is for a model: its features, the label, and what is left out.

Promises: pure; what is not certain is not taken but refused with both lists, or only put forward. Leaves
names to `rows.names`, labels to `rows.labels`, and taking the values out of a table to `rows.taking`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from errors import InvalidSample
from records.model import ModelInfo
from records.sample import EncodedColumn
from records.schema import FieldSpec, Schema, is_placeholder
from rows import encoding
from rows.labels import are_labels
from rows.limits import listed
from rows.names import is_identifier, is_usual_label, key_of, nearest, same_but_for_spelling

__all__ = ["Match", "Table", "is_schema_table", "match"]

OF_WORDS = 5  # times as many columns as the sample has, from which on they may stand for words of a text
TEXT = "text"  # the type of a feature that is free text
FEWEST_FIT = 0.5  # of the model's columns; with less, the table is most likely another model's
SCORED = ("classification", "regression")
SCHEMA_KEYS = frozenset({*FieldSpec.model_fields, "missing"})
SCHEMA_SIGNS = frozenset({"type", "min", "max", "categories"})
NUMERIC = ("number", "integer", "boolean")
LOOKED_AT = 200  # names for what is only a hint: all pairs of 10,000 would take minutes
ENCODE = "Send the encoded table, or the encoder beside the model."


class Table(Protocol):
    """What matching asks of a sample's columns, in their order."""

    @property
    def names(self) -> tuple[str, ...]: ...

    def text(self, name: str) -> bool:
        """Whether some value is a text that is neither a number nor stands for a missing one."""

    def written_numbers(self, name: str) -> bool:
        """Whether they are texts, and all of them numbers or what stands for a missing one."""

    def values(self, name: str) -> tuple[str, ...]:
        """The different values as texts; () where they are too many to be told."""

    def counts(self, name: str) -> bool:
        """Whether they are different whole numbers that rise, or fall, from row to row."""


@dataclass(frozen=True)
class Match:
    """The plan for one sample. taken: pairs of feature and column, in the model's order where it has names.

    order: the model's names, () where it has none. missing: features that nothing in the sample stands for,
    and that a schema knows. texts: taken columns of texts where the model is not known to take categories;
    numbers: those whose texts are all numbers. could_be: columns that may be the label, where none is sure.
    """

    taken: tuple[tuple[str, str], ...]
    encoded: tuple[EncodedColumn, ...] = ()
    missing: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    target: str | None = None
    target_found: bool = False
    could_be: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()


def is_schema_table(columns: Sequence[str], features: Sequence[str] = ()) -> bool:
    """Whether a table lists features, by `name`, `type`, `min`, `max` and so on, and holds no rows of them.

    >>> is_schema_table(["name", "type", "min", "max"]), is_schema_table(["name", "age"])
    (True, False)
    """
    names = {column.strip().lower() for column in columns}
    taken = {feature.strip().lower() for feature in features}
    return "name" in names and names <= SCHEMA_KEYS and bool(names & SCHEMA_SIGNS) and not names & taken


def match(
    table: Table, info: ModelInfo, mined: Schema | None, user: Schema | None, target: str | None
) -> Match:
    """What of a table is for which feature of a model; `target`, where it is None, is looked for.

    Raises InvalidSample where the table is not the model's: few of its columns fit, one is missing of which
    no schema says what it holds, or there are more than a model without names takes and it is not certain
    which.
    """
    named = bool(info.features) and not is_placeholder(info.features, ("Column_",))
    if mined is not None and [str(field.type) for field in mined.features] == [TEXT]:
        return _by_text(table, info, mined.names[0], target)
    if named:
        found = _by_names(table, info, mined, user, target)
    elif info.n_features is not None:
        found = _by_count(table, info, user, target)
    else:
        found = Match(tuple((name, name) for name in table.names if name != target), target=target)
    numeric = _taken_as_numbers(found, mined, named)
    return replace(
        found,
        texts=tuple(column for column in numeric if table.text(column)),
        numbers=tuple(column for column in numeric if table.written_numbers(column)),
    )


# --- a model that knows its columns' names --------------------------------------------------------


def _by_names(
    table: Table, info: ModelInfo, mined: Schema | None, user: Schema | None, target: str | None
) -> Match:
    given, features = set(table.names), set(info.features)
    taken = {name: name for name in info.features if name in given}
    rest = [name for name in table.names if name not in features and name != target]
    missing = [name for name in info.features if name not in given]
    renamed = same_but_for_spelling(missing, rest)
    taken |= renamed
    gone = set(renamed.values())
    rest = [name for name in rest if name not in gone]
    missing = [name for name in missing if name not in renamed]
    groups = encoding.groups(missing, dict.fromkeys(rest), table.values)
    encoded = tuple(group.column for group in groups if not group.unclear)
    covered = {feature for column in encoded for feature in column.features}
    raw = {column.column for column in encoded}
    rest = [name for name in rest if name not in raw]
    missing = [name for name in missing if name not in covered]
    known = _known(mined, user)
    unknown = [name for name in missing if name not in known]
    fit = len(info.features) - len(missing)
    if unknown or fit == 0 or (fit < FEWEST_FIT * len(info.features) and not _all_said(missing, user)):
        unclear = [group for group in groups if group.unclear]
        raise _not_the_models(table, info, mined, missing, unknown, fit, rest, unclear)
    label, could_be = (target, ()) if target is not None else _label_among(table, rest, info)
    return Match(
        tuple((name, taken[name]) for name in info.features if name in taken),
        encoded,
        tuple(missing),
        tuple(name for name in rest if name != label),
        label,
        target is None and label is not None,
        could_be,
        info.features,
    )


def _known(mined: Schema | None, user: Schema | None) -> set[str]:
    """Features of which values can be made: the user lists them, or the model remembers something of them."""
    told = set(user.names) if user is not None else set()
    for field in mined.features if mined is not None else ():
        figures = (field.min, field.max, field.mean, field.std, field.quantiles, field.categories)
        drawn = field.type not in ("number", "integer", "category")
        if drawn or any(figure is not None for figure in figures):
            told.add(field.name)
    return told


def _all_said(names: Sequence[str], user: Schema | None) -> bool:
    return user is not None and set(names) <= set(user.names)


def _not_the_models(
    table: Table,
    info: ModelInfo,
    mined: Schema | None,
    missing: Sequence[str],
    unknown: Sequence[str],
    fit: int,
    rest: Sequence[str],
    unclear: Sequence[encoding.Group],
) -> InvalidSample:
    """One sentence for what does not fit, then both lists, the nearest names and what is likely."""
    texts = [name for name in table.names if table.text(name)][:LOOKED_AT]
    categories = any(f.type == "category" for f in mined.features) if mined is not None else False
    if fit < FEWEST_FIT * len(info.features):
        of_them = "none of them" if not fit else f"{fit} of them"
        message = (
            f"The sample is not a table of this model, which takes {len(info.features):,} columns: it has "
            f"{of_them}."
        )
    else:
        message = f"The sample lacks {listed(list(unknown))}, which the model takes, and no schema says what "
        message += "it holds." if len(unknown) == 1 else "they hold."
    hints = []
    for group in unclear:
        hints.append(
            f"{group.column.column!r} looks like the raw form of {listed(list(group.column.features), 2)}, "
            f"but the model has no column for {listed(list(group.column.without), 5)}."
        )
    near = nearest(missing, rest)
    if near:
        hints.append("Nearest names: " + ", ".join(f"{a[:60]!r} and {b[:60]!r}" for a, b in near) + ".")
    raw = [] if categories or unclear else [name for name in texts if _begins_one(name, missing)]
    if raw:
        verb = "holds" if len(raw) == 1 else "hold"
        hints.append(f"The model takes numbers; {listed(raw, 5)} {verb} text: {_lower(ENCODE)}")
    elif fit >= FEWEST_FIT * len(info.features):
        hints.append(f"Add {'it' if len(unknown) == 1 else 'them'}, or say it in a schema.")
    else:
        hints.append("Send rows of the model's own columns, or no sample: rows are made without one.")
        if not fit and texts:
            hints.append(
                "If a vectorizer made the model's columns out of a text, send that beside the model."
            )
    hints.append(
        f"The model takes {listed(list(info.features))}. The sample has {listed(list(table.names))}."
    )
    return InvalidSample(message, hint=" ".join(hints), field="sample")


# --- a model that knows only how many -------------------------------------------------------------


def _by_count(table: Table, info: ModelInfo, user: Schema | None, target: str | None) -> Match:
    count = info.n_features or 0
    names = [name for name in table.names if name != target]
    if user is not None and len(user.names) == count and set(user.names) <= set(names):
        wanted = set(user.names)
        kept = [name for name in names if name in wanted]
        rest = [name for name in names if name not in wanted]
        label, could_be = (target, ()) if target is not None else _label_among(table, rest, info)
        return _positions(kept, [n for n in rest if n != label], label, target, could_be)
    over = len(names) - count
    if over == 0:
        return _positions(names, [], target, target)
    if over < 0:
        raise _wrong_count(table, info, names, "Add the columns that are missing, in the model's order.")
    ids = [name for name in names if is_identifier(name)]
    numbering = [name for name in names if name not in ids and table.counts(name)]
    found = None if target is not None else _label_among(table, [n for n in names if n not in ids], info)[0]
    labels = [] if found is None else [found]
    for dropped in (ids, [], [*ids, *numbering], numbering):
        out = {*dropped, *labels}
        if len(out) == over:
            kept = [name for name in names if name not in out]
            if target is None and found is None and _may_end_in_label(table, kept, info):
                break
            return _positions(kept, [n for n in names if n in out - set(labels)], found or target, target)
    hint = "Leave out the others, or list the model's columns in a schema."
    known = target is not None or info.task not in SCORED
    raise _wrong_count(table, info, names, hint if known else f"Name the label column as the target. {hint}")


def _positions(
    kept: Sequence[str],
    left_out: Sequence[str],
    label: str | None,
    target: str | None,
    could_be: tuple[str, ...] = (),
) -> Match:
    return Match(
        tuple((name, name) for name in kept),
        left_out=tuple(left_out),
        target=label,
        target_found=target is None and label is not None,
        could_be=could_be,
    )


def _may_end_in_label(table: Table, kept: Sequence[str], info: ModelInfo) -> bool:
    """Whether the last column that would be taken holds all of the model's classes, as a label does."""
    if info.task != "classification" or not kept:
        return False
    values = table.values(kept[-1])
    return are_labels(values, info.classes) and len(values) == len(info.classes)


def _wrong_count(table: Table, info: ModelInfo, names: Sequence[str], hint: str) -> InvalidSample:
    texts = [name for name in names if table.text(name)]
    verb = "holds" if len(texts) == 1 else "hold"
    told = f" Most likely it takes numbers, and {listed(texts, 5)} {verb} text." if texts else ""
    beside = " beside the target" if len(names) < len(table.names) else ""
    if texts and (info.n_features or 0) >= OF_WORDS * len(names):
        told += " If a vectorizer or an encoder made the columns out of it, send that beside the model."
    return InvalidSample(
        f"The model takes {info.n_features} columns and keeps no names; the sample has {len(names)}{beside}: "
        f"{listed(list(names), 30)}.",
        hint=f"{hint}{told}",
        field="sample",
    )


# --- a model of texts -----------------------------------------------------------------------------


def _by_text(table: Table, info: ModelInfo, feature: str, target: str | None) -> Match:
    """The column of that name, else the only one of texts that is not the label."""
    others = [name for name in table.names if name not in (feature, target)]
    label, could_be = (target, ()) if target is not None else _label_among(table, others, info)
    texts = [name for name in others if name != label and table.text(name)]
    if feature not in table.names and len(texts) != 1:
        has = f"the sample has {listed(texts)}" if texts else f"none of {listed(list(table.names))} holds any"
        raise InvalidSample(
            f"The model takes one column of texts; {has}.",
            hint=f"Name the column that it is to read {feature!r}, and the label column as the target.",
            field="sample",
        )
    column = feature if feature in table.names else texts[0]
    return Match(
        ((feature, column),),
        left_out=tuple(name for name in others if name not in (label, column)),
        target=label,
        target_found=target is None and label is not None,
        could_be=could_be,
    )


# --- the label ------------------------------------------------------------------------------------


def _label_among(table: Table, rest: Sequence[str], info: ModelInfo) -> tuple[str | None, tuple[str, ...]]:
    """The label among columns that are no features, where it is certain; else those that may be it.

    Certain is one column with a label's usual name whose values fit (the model's classes, or as many; numbers
    of a model that predicts numbers), one that holds classes which are words, and the only column of all
    that holds the classes.
    """
    pool = [name for name in rest if not is_identifier(name)]
    if info.task not in SCORED:
        return None, ()
    if info.task == "regression":
        usual = [n for n in pool if is_usual_label(n) and not table.text(n)]
        return (usual[0], ()) if len(usual) == 1 else (None, tuple(usual[:5]))
    holding = [name for name in pool if are_labels(table.values(name), info.classes)]
    usual = [
        name
        for name in pool
        if is_usual_label(name) and (name in holding or len(table.values(name)) == len(info.classes) > 1)
    ]
    if len(usual) == 1:
        return usual[0], ()
    if len(holding) == 1 and not usual and (len(pool) == 1 or _are_words(info.classes)):
        return holding[0], ()
    return None, tuple(dict.fromkeys([*usual, *holding]))[:5]


def _are_words(classes: Collection[str]) -> bool:
    """Whether they say more than yes and no: a column that holds them is then no other by chance."""
    plain = {"yes", "no", "true", "false", "y", "n", "t", "f"}
    return all(not _is_number(name) and name.strip().lower() not in plain for name in classes)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


# --- texts ----------------------------------------------------------------------------------------


def _taken_as_numbers(found: Match, mined: Schema | None, named: bool) -> tuple[str, ...]:
    """Columns that are taken where the model is not known to take categories or texts."""
    if mined is None:
        return ()
    if named:
        types = {field.name: field.type for field in mined.features}
    elif len(mined.features) == len(found.taken):
        pairs = zip(found.taken, mined.features, strict=True)
        types = {feature: field.type for (feature, _), field in pairs}
    else:
        return ()
    return tuple(column for feature, column in found.taken if types.get(feature) in NUMERIC)


def _begins_one(name: str, features: Sequence[str]) -> bool:
    """Whether features are named as if they were made of a column: Sex_code, BP_HIGH."""
    return any(key_of(feature).startswith(key_of(name)) for feature in features[:LOOKED_AT])


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
