"""Which 0/1 columns of a model stand for the values of which raw column: Contract_One year for Contract.

Promises: only names decide, and a name that two raw columns could have made stands for none. The 0/1
column of a value is 1 where the raw column has it, whatever an encoder was told of the other values.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import pandas as pd

from interruption import check
from records.sample import EncodedColumn
from rows.labels import canonical
from rows.names import key_of, same_by_key

__all__ = ["Group", "encode", "groups", "shares_of"]

SEPARATORS = ("_", "=", " ", "-", ".", ":", "__")
MOST_WITHOUT = 1  # values without a column: the one that drop_first, or an encoder's drop, left out
MISSING = "nan"  # as pandas.get_dummies(dummy_na=True) and encoders name what is missing


@dataclass(frozen=True)
class Group:
    """A raw column and its 0/1 columns. unclear: more of its values have none than an encoder leaves out."""

    column: EncodedColumn
    unclear: bool


def groups(
    missing: Sequence[str], columns: Collection[str], values: Callable[[str], Sequence[str]]
) -> tuple[Group, ...]:
    """The raw columns that the missing names were made of. values: a column's different ones, as texts.

    Exactly as written first, then but for case, blanks and underscores. A name whose value does not occur in
    the sample belongs to the column that it begins with, where other names do as well.

    >>> found = groups(["Plan_One year", "Plan_Two year"], ["Plan"], lambda _: ["Monthly", "One year"])
    >>> [(group.column.features, group.column.without) for group in found]
    [(('Plan_One year', 'Plan_Two year'), ('Monthly',))]
    """
    written = cache(lambda column: {text for value in values(column) for text in _written(value)})
    keys = cache(lambda column: Counter(key_of(value) for value in values(column)))
    by_key: dict[str, list[str]] = defaultdict(list)
    for column in columns:
        by_key[key_of(column)].append(column)
    owners: dict[str, str] = {}
    for name in missing:
        check()
        made_of = {column for column, rest in _splits(name, columns) if rest in written(column)}
        if not made_of:
            key = key_of(name)
            near = [(c, key[end:]) for end in range(1, len(key)) for c in by_key.get(key[:end], ())]
            made_of = {c for c, rest in near if _are_two(c, rest) and keys(c)[rest.removeprefix("_")] == 1}
        if len(made_of) == 1:
            owners[name] = made_of.pop()
    raw = set(owners.values())
    for name in missing:
        begins = {column for column, _ in _splits(name, raw)} if name not in owners else set()
        if len(begins) == 1:
            owners[name] = begins.pop()
    features: dict[str, list[str]] = defaultdict(list)
    for name in missing:
        if name in owners:
            features[owners[name]].append(name)
    return tuple(_group(column, tuple(made), values(column)) for column, made in features.items())


def encode(values: "pd.Series", column: EncodedColumn) -> pd.DataFrame:
    """A raw column as its 0/1 columns, whole numbers. What is missing is 0 in all but one of that name."""
    texts = values.map(str, na_action="ignore")
    owners = _owners(column.column, [*texts.dropna().unique(), MISSING], column.features)
    made = texts.map(owners, na_action="ignore")
    if MISSING in owners:
        made = made.where(texts.notna(), owners[MISSING])
    return pd.DataFrame({name: (made == name).astype("int64") for name in column.features})


def shares_of(column: EncodedColumn, shares: Mapping[str, float]) -> dict[str, float]:
    """How often each 0/1 column is 1, by how often each value of the raw column occurs.

    >>> shares_of(EncodedColumn(column="Plan", features=("Plan_b",)), {"a": 0.75, "b": 0.25})
    {'Plan_b': 0.25}
    """
    found = dict.fromkeys(column.features, 0.0)
    for value, name in _owners(column.column, list(shares), column.features).items():
        found[name] += shares[value]
    return found


def _group(column: str, features: tuple[str, ...], values: Sequence[str]) -> Group:
    owners = _owners(column, values, features)
    without = tuple(value for value in values if value not in owners)
    found = EncodedColumn(column=column, features=features, without=without)
    return Group(found, len(without) > MOST_WITHOUT or len(without) == len(values))


def _owners(column: str, values: Sequence[str], features: Sequence[str]) -> dict[str, str]:
    """The values that have a 0/1 column, and which: as written, then those left over that alone are alike."""
    known = set(features)
    owners: dict[str, str] = {}
    for value in values:
        made = (f"{column}{separator}{text}" for text in _written(value) for separator in SEPARATORS)
        exact = next((name for name in made if name in known), None)
        if exact is not None:
            owners[value] = exact
    taken = set(owners.values())
    left = [name for name in features if name not in taken]
    rest = {f"{column}_{value}": value for value in values if value not in owners and key_of(value).isalnum()}
    return owners | {rest[made]: name for name, made in same_by_key(left, list(rest)).items()}


def _written(value: str) -> tuple[str, ...]:
    """A value as encoders write it: 1 in a column with gaps is 1.0, and was 1 in one without."""
    plain = canonical(value)
    return tuple(dict.fromkeys((value, plain, f"{plain}.0")))


def _are_two(column: str, rest: str) -> bool:
    """Whether a column and a value were not one number: a12 is not made of a1."""
    return not (key_of(column)[-1:].isdigit() and rest[:1].isdigit())


def _splits(name: str, columns: Collection[str]) -> set[tuple[str, str]]:
    """The ways to read a name as a column, a separator and a rest."""
    return {
        (name[:place], name[place + len(separator) :])
        for separator in SEPARATORS
        for place in range(1, len(name))
        if name.startswith(separator, place) and name[:place] in columns
    }
