"""How long lists of many runs take: sorted, filtered, searched and counted, and the models' own page.

    python -m benchmarks.many_runs [rows]

Each figure is the best of seven, in milliseconds, over a fresh SQLite database of 100,000 runs of 40 models
by default, every one with a plan as long as a real one's.
"""

import random
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from records.run import RunPlan
from storage import Store
from store.run_lists import SORTS, RunQuery
from store.run_rows import RunRow

__all__ = ["fill", "main"]

ROWS, REPEATS, BATCH = 100_000, 7, 5_000
STATES = ("passed", "passed", "passed", "warned", "failed", "error", "cancelled")


def main(rows: int = ROWS) -> None:
    """Fill a database, and print what each kind of list takes of it."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{Path(folder) / 'many.sqlite3'}")
        store.migrate()
        fill(store, rows)
        for sort in SORTS:
            page = store.runs.list(RunQuery(sort=sort))
            deeper = RunQuery(sort=sort, cursor=page.next_cursor)
            say(f"sort={sort}", partial(store.runs.list, RunQuery(sort=sort)))
            say(f"sort={sort}, second page", partial(store.runs.list, deeper))
        asked = {
            "q of few": RunQuery(q="nightly 99999"),
            "q of most": RunQuery(q="nightly"),
            "q of none": RunQuery(q="no such run"),
            "q, status and sort": RunQuery(q="fraud", states=("failed", "error"), sort="-p95"),
            "status": RunQuery(states=("failed",)),
            "source": RunQuery(source="client"),
            "tag": RunQuery(tag="release"),
            "file's name": RunQuery(model="model-3"),
            "of one model, by score": RunQuery(of_model="model-3", sort="-score"),
        }
        for what, query in asked.items():
            say(what, partial(store.runs.list, query))
        say("models", store.models.list)
        say("one model", lambda: store.models.get("model-3"))
        say("trend", lambda: store.models.trend("model-3", ["metrics.latency[1].p95_ms"], 100))
        store.close()


def fill(store: Store, rows: int) -> None:
    """Finished runs of forty models, a minute apart; the same at every call."""
    drawn, start = random.Random(0), datetime(2026, 1, 1, tzinfo=UTC)
    plan = RunPlan()
    for first in range(0, rows, BATCH):
        with store.transaction():
            for i in range(first, min(first + BATCH, rows)):
                model = f"model-{i % 40}"
                measured = drawn.random() < 0.9
                at = start + timedelta(minutes=i)
                store.runs.insert(
                    RunRow(
                        id=f"{at:%Y%m%d-%H%M%S}-{drawn.getrandbits(40):010x}",
                        name=f"nightly {drawn.choice(('churn', 'fraud', 'price'))} {i}",
                        tags=("nightly", "release") if i % 50 == 0 else ("nightly",),
                        source=drawn.choice(("api", "client", "dashboard")),
                        state=drawn.choice(STATES),
                        stage="done",
                        progress=1.0,
                        created_at=at,
                        started_at=at,
                        finished_at=at + timedelta(seconds=9),
                        model=model,
                        model_name=f"{model}.pkl",
                        model_sha256=f"{i % 400:064x}",
                        model_bytes=drawn.randrange(10_000, 9_000_000),
                        framework="scikit-learn",
                        estimator="RandomForestClassifier",
                        task="classification",
                        rows=1_000,
                        p50_ms=drawn.uniform(0.5, 2) if measured else None,
                        p95_ms=drawn.uniform(1, 60) if measured else None,
                        throughput_rows_s=drawn.uniform(1e3, 1e6) if measured else None,
                        error_rate=drawn.choice((0.0, 0.0, 0.01)) if measured else None,
                        score=drawn.uniform(0.5, 1) if drawn.random() < 0.5 else None,
                        score_name="accuracy",
                        changed_share=drawn.random() if measured else None,
                        plan=plan,
                    )
                )


def say(what: str, call: Callable[[], object]) -> None:
    best = float("inf")
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    print(f"{best * 1000:8.1f} ms  {what}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
