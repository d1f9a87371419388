"""How the values of a row hang together, apart from what each column's own distribution is.

Promises: a draw leaves each column's distribution alone; the same seed gives the same rows. Leaves finding
the example rows to `mining.schema` and `rows.samples`, and the columns' distributions to `synthetic_data`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from interruption import check
from records.schema import FieldSpec, Schema, is_nameless

__all__ = ["FEWEST_DONORS", "MAX_DONORS", "Joint", "joint_for"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FEWEST_DONORS = 10  # fewer would only be repeated
MAX_DONORS = 2_000
STREAM = 0x6A6F696E74  # sets the donors' stream apart from the columns'


@dataclass(frozen=True)
class Joint:
    """An empirical copula: example rows (donors) of which only the ranks within each column are kept.

    ranks: (donors, names), uint16, each column a permutation of 0 to donors - 1; equal values are in random
    order. A made-up row takes a donor and, in every column, a share within that donor's rank:
    evenly distributed over 0 to 1 column by column, and together like the examples (Deheuvels 1979, La
    fonction de dépendance empirique).
    """

    names: tuple[str, ...]
    ranks: npt.NDArray[np.uint16]

    @cached_property
    def places(self) -> dict[str, int]:
        """Which column of `ranks` is whose."""
        return {name: place for place, name in enumerate(self.names)}

    @classmethod
    def of_values(cls, names: Sequence[str], values: Floats) -> "Joint | None":
        """From rows of numbers; columns without a finite value are left out. None for too little to go by.

        Of more than MAX_DONORS rows that many are picked, the same ones each time.
        """
        if len(values) < FEWEST_DONORS:
            return None
        known = np.flatnonzero(np.isfinite(values).any(axis=0))
        if len(known) < 2:
            return None
        rng = np.random.default_rng(STREAM)
        if len(values) > MAX_DONORS:
            values = values[np.sort(rng.choice(len(values), MAX_DONORS, replace=False))]
        ranks = np.empty((len(values), len(known)), dtype=np.uint16)
        for place, column in enumerate(known):
            check()
            # A missing value says nothing: it goes anywhere among the others.
            own = values[:, column]
            gaps = ~np.isfinite(own)
            if gaps.any():
                own = np.where(gaps, rng.choice(own[~gaps], len(own)) if (~gaps).any() else 0.0, own)
            ranks[np.lexsort((rng.random(len(own)), own)), place] = np.arange(len(own))
        return cls(tuple(names[int(column)] for column in known), ranks)

    @classmethod
    def of_frame(cls, frame: pd.DataFrame, schema: Schema) -> "Joint | None":
        """From a sample: numbers, booleans, dates, and categories by their place in the schema's list."""
        fields = [field for field in schema.features if field.name in frame.columns]
        if len(frame) > MAX_DONORS:
            frame = frame.sample(MAX_DONORS, random_state=0)
        columns = [_numbers(frame[field.name], field) for field in fields]
        if not columns:
            return None
        return cls.of_values([field.name for field in fields], np.stack(columns, axis=1))

    def fitted_to(self, schema: Schema, mined: Schema) -> "Joint | None":
        """For rows of `schema`, out of a model's own features `mined`; None where nothing is shared.

        Features without names (x0, x1, ...) are taken by position, as `schema_utils.combine` does. A
        category whose values another list replaced has lost its order and is left out.
        """
        names = list(mined.names)
        if is_nameless(names) and not set(names) & set(schema.names):
            if len(names) != len(schema.names):
                return None
            names = list(schema.names)
        renamed = dict(zip(mined.names, names, strict=True))
        own = dict(zip(names, mined.features, strict=True))
        given = {field.name: field for field in schema.features}
        kept = [
            (place, renamed[name])
            for place, name in enumerate(self.names)
            if name in renamed and _same_order(own[renamed[name]], given.get(renamed[name]))
        ]
        if len(kept) < 2:
            return None
        return Joint(tuple(name for _, name in kept), self.ranks[:, [place for place, _ in kept]])

    def donors(self, rows: int, seed: int) -> Ints:
        """A donor for each row: all of them once in random order, then all again.

        No donor is left to chance, which spares the columns its noise. Fewer rows are the first of more.
        """
        rng = np.random.default_rng(np.random.SeedSequence([seed, STREAM]))
        count = len(self.ranks)
        rounds = np.tile(np.arange(count), (-(-rows // count), 1))
        return np.asarray(rng.permuted(rounds, axis=1).ravel()[:rows], dtype=np.int64)

    def shares(self, name: str, donors: Ints, own: Floats) -> Floats:
        """The rows' shares (0 to 1) in one column; own: even shares that place each within its donor's rank.

        A name that is not among the examples keeps its own shares.
        """
        place = self.places.get(name)
        if place is None:
            return own
        ranks = self.ranks[:, place].astype(np.float64)
        shares = ranks[donors]
        shares += own
        shares /= len(ranks)
        return shares


def joint_for(
    schema: Schema, sample: pd.DataFrame | None, mined: Schema | None, kept: Joint | None
) -> tuple[Joint | None, str]:
    """How rows of `schema` hang together, by the sample or else by what the model kept; and that in words."""
    found = None if sample is None else Joint.of_frame(sample, schema)
    source = "rows of the sample"
    if found is None and kept is not None and mined is not None:
        found, source = kept.fitted_to(schema, mined), "example rows that the model's file keeps or implies"
    if found is None:
        return None, "Each feature is drawn on its own: how they go together is not known."
    apart = len(schema.features) - len(found.names)
    rest = f" {apart} of the features are drawn on their own." if apart else ""
    return found, (
        f"Values go together as in {len(found.ranks):,} {source}; "
        f"each feature follows its own distribution.{rest}"
    )


def _same_order(mined: FieldSpec, given: FieldSpec | None) -> bool:
    if given is None:
        return False
    if "category" in (mined.type, given.type):
        return mined.type == given.type and mined.categories == given.categories
    return True


def _numbers(column: "pd.Series[Any]", field: FieldSpec) -> Floats:
    """The column as numbers in the order that `synthetic_data` gives the field's values; NaN is missing."""
    check()
    if field.type == "text":
        return np.full(len(column), np.nan)  # which has no order to go by
    if field.type == "category":
        place = {str(value): float(code) for code, value in enumerate(field.categories or ())}
        found = np.asarray([place.get(str(value), np.nan) for value in column])
        return np.asarray(found, dtype=np.float64)
    if field.type == "datetime":
        dates = pd.to_datetime(column, errors="coerce", utc=True, format="mixed")
        return np.where(dates.isna(), np.nan, dates.astype("int64").astype(np.float64))
    return np.asarray(pd.to_numeric(column, errors="coerce"), dtype=np.float64)
