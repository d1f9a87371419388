"""Do the generated rows look like the sample's? How well a classifier tells one from the other.

Promises: neither the rows nor what they were made after are among the sample's rows that they are told
from, so that a copy of the sample gains nothing by being one. Leaves the classifier to `distances.domain`.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from distances.domain import MIN_ROWS, Effort, domain_drift
from drift import Reference, compare
from records.base import Section
from records.likeness import RowLikeness
from records.schema import Schema
from rows.joint import Joint, joint_for
from rows.texts import texts_of, texts_read
from schema_utils import combine, infer_from_frame
from synthetic_data import generate

__all__ = ["Recipe", "likeness", "not_asked"]

# 0.1 to 0.3 s for 20 columns, half a second for the most.
EFFORT = Effort(rows=1_000, folds=3, trees=40, leaves=15, bins=63, columns=20)
MAX_COLUMNS = 100  # of wider tables as many are picked at random
COMPARED_ROWS = 10_000  # a side, column by column


@dataclass(frozen=True)
class Recipe:
    """How a run makes its rows: what the user said and what the model knows, beside the sample."""

    user: Schema | None
    mined: Schema | None
    kept: Joint | None
    seed: int

    def rows_after(self, sample: pd.DataFrame) -> pd.DataFrame:
        """One generated row for each row of the sample, made as the run would with this sample alone.

        No more, because rows that are made after the same example know each other again.
        """
        own = infer_from_frame(sample, texts=texts_read(sample, self.mined))
        schema = combine(self.user, own, self.mined)
        joint, _ = joint_for(schema, sample, self.mined, self.kept)
        return generate(schema, len(sample), self.seed, joint, texts_of(sample, schema)).frame


def not_asked(sample: pd.DataFrame | None) -> Section[RowLikeness] | None:
    """Why there is nothing to compare the generated rows with; None where there is."""
    if sample is None:
        return Section[RowLikeness].not_applicable("No sample came with the run to compare the rows with.")
    if len(sample) < 2 * MIN_ROWS:
        return Section[RowLikeness].not_applicable(
            f"The sample has {len(sample)} rows; to compare the rows with it takes {2 * MIN_ROWS}."
        )
    return None


def likeness(sample: pd.DataFrame | None, generated: pd.DataFrame, recipe: Recipe) -> RowLikeness:
    """Compare the rows that a run made (`generated`) and makes with its sample of n rows, n >= 40.

    Rows follow their sample closely, column by column and rank by rank, and a classifier takes advantage: a
    row of the sample would be known by the rows made after it, and the AUC fall far below 0.5. So the
    sample is split at random; rows are made after one half and told from the other, at most 1,000 each.
    Raises InvalidInput where `not_asked` gives a reason.
    """
    whole = pd.DataFrame() if sample is None else sample
    rng = np.random.default_rng(recipe.seed)
    order = rng.permutation(len(whole))
    half = min(len(whole) // 2, EFFORT.rows)
    made = recipe.rows_after(whole.iloc[order[:half]].reset_index(drop=True))
    shared = [name for name in made.columns if name in whole.columns]
    names = shared
    if len(shared) > MAX_COLUMNS:
        names = [shared[i] for i in np.sort(rng.choice(len(shared), MAX_COLUMNS, replace=False))]
    held_out = _in_types_of(made, whole.iloc[order[half : 2 * half]], names)
    texts = [name for name in texts_read(whole, recipe.mined) if name in names]
    domain = domain_drift(held_out, made[names], EFFORT, seed=recipe.seed, texts=texts)
    some = whole.iloc[np.sort(order[:COMPARED_ROWS])]
    reference = Reference(_in_types_of(generated, some, names), keeps=False, texts=texts)
    columns = compare(reference, generated[names].head(COMPARED_ROWS)).columns
    return RowLikeness(
        domain=domain, columns=columns, rows_sample=len(whole), left_out=len(shared) - len(names)
    )


def _in_types_of(made: pd.DataFrame, sample: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """The sample's columns, those that are made as dates read as dates; a CSV has them as text."""
    dates = [name for name in names if pd.api.types.is_datetime64_any_dtype(made[name].dtype)]
    read = {name: pd.to_datetime(sample[name], errors="coerce", utc=True, format="mixed") for name in dates}
    return sample[names].assign(**read)
