"""Milliseconds to compare rows with a sample's, to let a classifier see a shift, and to count false alarms.

    python -m benchmarks.monitor

Beside what would be done without: the classifier with its usual effort, and `drift.compare` of each batch.
In turn, fastest of some rounds, 1,000 rows x 20 features.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from distances.domain import Effort, domain_drift
from drift import compare
from execution.likeness import Recipe, likeness
from records.drift import Distances, Scenario, ScenarioPlan
from rows.joint import Joint
from schema_utils import infer_from_frame
from shifts.false_alarms import watched_false_alarms
from shifts.scenarios import simulate
from shifts.visibility import with_domain_auc
from synthetic_data import generate

ROWS, FEATURES, TURNS = 1_000, 20, 5
COMPARISONS = 40  # of all that the rounds would take, timed and scaled up


def main() -> None:
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(FEATURES, FEATURES)) / np.sqrt(FEATURES)
    values = rng.normal(size=(2 * ROWS, FEATURES)) @ mixing
    sample = pd.DataFrame(values, columns=[f"f{i}" for i in range(FEATURES)])
    schema = infer_from_frame(sample)
    frame = generate(schema, ROWS, 0, Joint.of_frame(sample, schema)).frame
    recipe = Recipe(None, None, None, 0)
    report("rows against a sample's", lambda: likeness(sample, frame, recipe),
           "the usual effort", lambda: domain_drift(sample.head(ROWS), frame))  # fmt: skip

    plan = ScenarioPlan(kind="correlated_shift", magnitude=1.0)
    scenario = Scenario(
        kind=plan.kind, features=tuple(schema.names), magnitude=1.0, input=Distances(),
        prediction=Distances(), changed_share=None,
    )  # fmt: skip
    order = np.random.default_rng(0).permutation(ROWS)  # as with_domain_auc splits them
    halves = frame.iloc[order[: ROWS // 2]], simulate(frame.iloc[order[ROWS // 2 :]], schema, plan, rng)
    report("a classifier, one scenario", lambda: with_domain_auc(frame, schema, [scenario], 60.0, 0),
           "the usual effort", lambda: domain_drift(*halves, Effort(columns=0)))  # fmt: skip
    (found,), _ = with_domain_auc(frame, schema, [scenario], 60.0, 0)
    usual = domain_drift(*halves, Effort(columns=0))
    print(f"{'':28} AUC {found.domain.auc if found.domain else 0:.3f} and {usual.auc:.3f}")

    watch = dict.fromkeys(schema.names, 0.1)
    alarms = watched_false_alarms(frame, watch)
    batches = sum(a.rounds for a in alarms)

    def compared() -> None:
        for _ in range(COMPARISONS):
            rows = rng.permutation(ROWS)
            compare(frame.iloc[rows[200:]], frame.iloc[rows[:200]])

    report(f"false alarms, {batches:,} batches", lambda: watched_false_alarms(frame, watch),
           "each compared", compared, batches / COMPARISONS)  # fmt: skip


def report(
    title: str, ours: Callable[[], Any], what: str, other: Callable[[], Any], scale: float = 1.0
) -> None:
    taken = [(seconds(ours), seconds(other)) for _ in range(TURNS)]
    our_s, other_s = (min(column) for column in zip(*taken, strict=True))
    other_s *= scale
    print(f"{title:28} {our_s * 1e3:7.0f} ms   {what:18} {other_s * 1e3:7.0f} ms   {other_s / our_s:6.1f}x")


def seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
