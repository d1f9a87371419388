"""Which 0/1 columns of a model stand for the values of which raw column: Contract_One year for Contract.

Promises: only names decide, and a name that two raw columns could have made stands for none. The 0/1
column of a value is 1 where the raw column has it, whatever an encoder was told of the other values.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from records.sample import EncodedColumn
from rows.labels import canonical
from rows.names import key_of

__all__ = ["Group", "encode", "groups"]

SEPARATORS = ("_", "=", " ", "-", ".", ":", "__")
MOST_WITHOUT = 1  # values without a column: the one that drop_first, or an encoder's drop, left out
MISSING = "nan"  # as pandas.get_dummies(dummy_na=True) and encoders name what is missing


@dataclass(frozen=True)
class Group:
    """A raw column and its 0/1 columns. unclear: more of its values have none than an encoder leaves out."""

    column: EncodedColumn
    unclear: bool


def groups(missing: Sequence[str], raw: Mapping[str, Sequence[str]]) -> tuple[Group, ...]:
    """The raw columns, with their different values as texts, that the missing names were made of.

    A name whose value does not occur in the sample belongs to the column by whose name it begins, where no
    other's does.

    >>> found = groups(["Plan_One year", "Plan_Two year"], {"Plan": ["Monthly", "One year"]})
    >>> [(group.column.features, group.column.without) for group in found]
    [(('Plan_One year', 'Plan_Two year'), ('Monthly',))]
    """
    exact: dict[str, set[str]] = defaultdict(set)
    loose: dict[str, set[str]] = defaultdict(set)
    for column, values in raw.items():
        for value in values:
            for written in {value, canonical(value), f"{canonical(value)}.0"}:
                for separator in SEPARATORS:
                    exact[f"{column}{separator}{written}"].add(column)
            loose[key_of(column + value)].add(column)
    owners: dict[str, str] = {}
    for name in missing:
        made_of = exact.get(name) or loose.get(key_of(name)) or set()
        if len(made_of) == 1:
            owners[name] = next(iter(made_of))
    for name in missing:
        begins = {column for column in owners.values() if name.startswith(_prefixes(column))}
        if name not in owners and len(begins) == 1:
            owners[name] = next(iter(begins))
    found = []
    for column in dict.fromkeys(owners.values()):
        features = tuple(name for name in missing if owners.get(name) == column)
        if len(set(map(key_of, raw[column]))) < len(raw[column]):
            features = tuple(name for name in features if name in exact)
        without = tuple(value for value in raw[column] if feature_of(column, value, features) is None)
        if features:
            encoded = EncodedColumn(column=column, features=features, without=without)
            found.append(Group(encoded, len(without) > MOST_WITHOUT or len(without) == len(raw[column])))
    return tuple(found)


def feature_of(column: str, value: str, features: Sequence[str]) -> str | None:
    """The 0/1 column of a value; None where the model has none."""
    written = dict.fromkeys((value, canonical(value), f"{canonical(value)}.0"))
    made = [f"{column}{separator}{text}" for text in written for separator in SEPARATORS]
    exact = [name for name in made if name in features]
    if exact:
        return exact[0]
    key = key_of(column + value)
    near = [name for name in features if key_of(name) == key]
    return near[0] if len(near) == 1 else None


def encode(values: "pd.Series", column: EncodedColumn) -> pd.DataFrame:
    """A raw column as its 0/1 columns, whole numbers. What is missing is 0 in all but one of that name."""
    texts = values.map(str, na_action="ignore")
    owners = {text: feature_of(column.column, text, column.features) for text in texts.dropna().unique()}
    made = texts.map(owners, na_action="ignore")
    gap = feature_of(column.column, MISSING, column.features)
    if gap is not None:
        made = made.where(texts.notna(), gap)
    return pd.DataFrame({name: (made == name).astype("int64") for name in column.features})


def _prefixes(column: str) -> tuple[str, ...]:
    return tuple(column + separator for separator in SEPARATORS)
