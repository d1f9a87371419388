"""What a run would make of a sample, known from the facts alone, before the run starts.

Promises: says what the run will do, but for what takes all rows or the model's answers. Leaves deciding to
`rows.matching` and `rows.labels`.
"""

import math
from collections import Counter
from collections.abc import Collection

from records.model import ModelInfo
from records.sample import LabelMap, SampleFacts
from records.schema import FieldSpec, Schema
from rows import encoding
from rows.labels import canonical, in_words_of
from rows.limits import INDEX
from rows.matching import Match, is_schema_table, match

__all__ = ["FactsTable", "labels_of", "match_facts", "shown_schema"]


def match_facts(
    facts: SampleFacts, info: ModelInfo, mined: Schema | None, target: str | None
) -> tuple[Match, Schema | None]:
    """What of a sample is the model's, and what the sample shows of that.

    A table of features is taken for nothing here. Raises InvalidSample for one that is not the model's.
    """
    if is_schema_table(facts.columns, info.features):
        return Match(()), None
    found = match(FactsTable(facts, info.features), info, mined, None, target)
    return found, shown_schema(found, facts.schema_)


def labels_of(facts: SampleFacts, info: ModelInfo, target: str | None) -> LabelMap | None:
    """How a sample's labels would become the model's classes; None where that is not known."""
    values = FactsTable(facts).values(target) if target is not None else ()
    if not values or info.task != "classification" or not info.classes:
        return None
    return in_words_of(values, info.classes, {})


class FactsTable:
    """A sample of which only the facts are known; of a very wide one only the names.

    features: the model's, which may be the index of a table.
    """

    def __init__(self, facts: SampleFacts, features: Collection[str] = ()) -> None:
        self.names: tuple[str, ...] = facts.columns
        if INDEX in features and facts.index:
            self.names = (INDEX, *self.names)
        self._told = {column.name: column for column in facts.told}

    def text(self, name: str) -> bool:
        return name in self._told and self._told[name].text

    def written_numbers(self, name: str) -> bool:
        return name in self._told and self._told[name].numbers

    def values(self, name: str) -> tuple[str, ...]:
        return self._told[name].values if name in self._told else ()

    def counts(self, name: str) -> bool:
        return name in self._told and self._told[name].counts


def shown_schema(found: Match, sample: Schema | None) -> Schema | None:
    """What a sample's own schema says of the features that a model takes of it; None where it says nothing.

    Of texts that are read as numbers it says nothing, of 0/1 columns how often they are 1.
    """
    told = {field.name: field for field in sample.features} if sample is not None else {}
    fields = {
        feature: told[column].model_copy(update={"name": feature})
        for feature, column in found.taken
        if column in told and column not in found.numbers
    }
    for encoded in found.encoded:
        shares = _shares(told[encoded.column]) if encoded.column in told else {}
        for name, share in encoding.shares_of(encoded, shares).items():
            known = {"mean": share, "std": math.sqrt(share * (1 - share))} if shares else {}
            fields[name] = FieldSpec(name=name, type="integer", min=0, max=1, origin="sample", **known)
    order = [name for name in found.order if name in fields] if found.order else list(fields)
    return Schema(features=tuple(fields[name] for name in order)) if order else None


def _shares(field: FieldSpec) -> dict[str, float]:
    """How often each value of a column occurs, as far as its field tells; {} where it does not."""
    if field.type == "category" and field.categories and field.weights:
        parts = zip(map(str, field.categories), field.weights, strict=True)
    else:
        counted = Counter(canonical(str(value)) for value in field.quantiles or ())
        parts = zip(counted, (float(count) for count in counted.values()), strict=True)
    weights = dict(parts)
    whole = sum(weights.values())
    return {value: min(w / whole * (1 - field.missing_share), 1.0) for value, w in weights.items()}
