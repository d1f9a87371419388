"""Can a monitor see a simulated shift? What a classifier sees of the whole table, where columns show little.

Promises: shifted rows are told from other rows than their own, as a monitor meets them. Leaves the
classifier to `distances.domain`, the shifts to `shifts.scenarios` and distances of single columns to `drift`.
"""

import time
from collections.abc import Sequence

import numpy as np
import pandas as pd

from distances.domain import MIN_ROWS, Effort, domain_drift
from records.drift import DomainDrift, Scenario, ScenarioPlan
from records.schema import Schema
from shifts.scenarios import simulate

__all__ = ["with_domain_auc"]


# Some 40 ms for 500 rows a side of 20 columns; five folds of 60 trees take 270, for an AUC that is up to 0.05
# higher (where only the dependence of two columns changed) or up to 0.04 lower (where all moved a little).
EFFORT = Effort(rows=1_000, folds=2, trees=30, leaves=8, bins=63, columns=0)


def with_domain_auc(
    frame: pd.DataFrame, schema: Schema, scenarios: Sequence[Scenario], budget_s: float, seed: int
) -> tuple[list[Scenario], tuple[str, ...]]:
    """The scenarios as they were played on `frame` (n rows), each with the AUC of a classifier; and notes.

    The rows are split at random; one half is shifted, and the classifier tells it from the other half, at
    most 1,000 rows each. A scenario that applies to no feature has none, nor have those that the budget cut.
    """
    moved = [i for i, scenario in enumerate(scenarios) if scenario.features]
    if len(frame) < 2 * MIN_ROWS:
        note = f"A classifier needs {2 * MIN_ROWS} generated rows to look at the scenarios."
        return list(scenarios), (note,) if moved else ()
    order = np.random.default_rng(seed).permutation(len(frame))
    half = min(len(frame) // 2, EFFORT.rows)
    reference = frame.iloc[order[:half]].reset_index(drop=True)
    own = frame.iloc[order[half : 2 * half]].reset_index(drop=True)
    found, ends_at = list(scenarios), time.monotonic() + budget_s
    for done, i in enumerate(moved):
        if time.monotonic() > ends_at:
            cut = f"A classifier looked at {done} of {len(moved)} scenarios: the budget ended."
            return found, (cut,)
        domain = _told(reference, own, schema, scenarios[i], seed)
        found[i] = scenarios[i].model_copy(update={"domain": domain})
    return found, ()


def _told(
    reference: pd.DataFrame, own: pd.DataFrame, schema: Schema, scenario: Scenario, seed: int
) -> DomainDrift:
    plan = ScenarioPlan(kind=scenario.kind, magnitude=scenario.magnitude, features=scenario.features)
    shifted = simulate(own, schema, plan, np.random.default_rng(seed))
    if scenario.kind == "segment_swap" and not own.duplicated().any():
        # A whole row that was copied stands twice, and would be known by its other copy.
        shifted = shifted[~shifted.duplicated()]
    texts = [spec.name for spec in schema.features if spec.type == "text"]
    return domain_drift(reference, shifted, EFFORT, seed=seed, texts=texts)
