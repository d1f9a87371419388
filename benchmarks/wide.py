"""Models of many features: seconds by stage, and how large the report and its page get.

    python -m benchmarks.wide [--cancel] [--beside] [features ...]

Without numbers 100, 1,000, 3,000 and 10,000 features, each with a linear model, a forest and gradient
boosting, 1,000 generated rows and nothing configured, on a server started here. A stage that grows faster
than the features do is at fault. --cancel: instead, seconds from a cancel to the end of its work, three times
in each stage of the widest linear model. --beside: instead, ten small runs on one place of two while the
other holds that model, against the ten on one place alone.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from benchmarks.default_run import saved
from benchmarks.start import ROOT, served

FEATURES = (100, 1_000, 3_000, 10_000)
ROWS = 400  # to fit on
WAITING = ("queued", "running")
STAGES = ("load", "rows", "predict", "latency", "drift", "robustness", "explain")
LATER_S = (0.1, 0.7, 2.5)  # into the stage
SMALL = 10
LATE = ("robustness", "explain")  # reached sooner where there is little drift to simulate
BEFORE_LATE = (
    '{"drift": {"scenarios": [{"kind": "mean_shift", "magnitude": 1}], "breaking_points": false, '
    '"decomposition": false}, "latency": {"budget_s": 0.5}}'
)
MODELS: dict[str, Any] = {
    "linear": LogisticRegression(max_iter=50),
    "forest of 50": RandomForestClassifier(50, random_state=0),
    "hist boosting": HistGradientBoostingClassifier(max_iter=10, max_leaf_nodes=8, random_state=0),
}


def main(widths: tuple[int, ...]) -> None:
    with _server() as client:
        print(f"{'model':<14}{'features':>9}{'seconds':>9}{'report':>10}{'HTML':>9}   stages")
        for name, model in MODELS.items():
            for width in widths:
                measured(client, name, width, saved(model.fit(*table(width))))


def cancels(width: int) -> None:
    """The longest of three cancels in each stage, each a little later in it."""
    file = saved(MODELS["linear"].fit(*table(width)))
    with _server() as client:
        print(f"linear, {width:,} features: seconds from a cancel to the end of its work (to stay under 1)")
        for stage in STAGES:
            found = [cancelled_in(client, file, stage, later) for later in LATER_S]
            heard = [seconds for seconds in found if seconds is not None]
            told = " ".join(f"{seconds:.2f}" for seconds in heard) or "over before it could be cancelled"
            print(f"  {stage:<12}{told}", flush=True)


def cancelled_in(client: httpx.Client, file: bytes, stage: str, later_s: float) -> float | None:
    """None where the run had left the stage."""
    run = f"/api/v1/runs/{_submitted(client, file, BEFORE_LATE if stage in LATE else '{}')}"
    while (told := client.get(run).json())["status"] in WAITING and told["stage"] != stage:
        time.sleep(0.02)
    time.sleep(later_s)
    if client.get(run).json().get("stage") != stage:
        client.post(f"{run}/cancel")
        _ended(client, run)
        return None
    asked = datetime.now(UTC)
    client.post(f"{run}/cancel").raise_for_status()
    ended = datetime.fromisoformat(_ended(client, run)["finished_at"])
    return (ended - asked).total_seconds()


def beside(width: int) -> None:
    """Ten small runs: alone on one place, and on two of which a wide one holds one."""
    wide = saved(MODELS["linear"].fit(*table(width)))
    small = saved(MODELS["linear"].fit(*table(10)))
    print(f"seconds until ten small runs are done, {width:,} features")
    for places, held in ((1, False), (2, True), (1, True)):
        os.environ["MAX_WORKERS"] = str(places)
        with _server() as client:
            holder = f"/api/v1/runs/{_submitted(client, wide)}" if held else None
            while holder and client.get(holder).json()["status"] == "queued":
                time.sleep(0.05)
            started = time.perf_counter()
            runs = [f"/api/v1/runs/{_submitted(client, small)}" for _ in range(SMALL)]
            if places == 1 and held:
                time.sleep(SMALL)
                waiting = sum(client.get(run).json()["status"] == "queued" for run in runs)
                print(f"  one place, wide run in it: after {SMALL} s {waiting} of {SMALL} wait")
                continue
            took = [sum(_ended(client, run)["timings"].values()) for run in runs]
            all_s = time.perf_counter() - started
            still = holder is not None and client.get(holder).json()["status"] in WAITING
            where = "two places, one with the wide run" if held else "one place"
            ran = "; the wide one still ran" if still else ""
            print(f"  {where}: {all_s:.1f}, each {statistics.median(took):.2f}{ran}", flush=True)


@contextmanager
def _server() -> Iterator[httpx.Client]:
    """A server that is warm: it has done one run."""
    with (
        tempfile.TemporaryDirectory() as folder,
        served(ROOT / "app.py", Path(folder), "/ready") as (_, _, url),
        httpx.Client(base_url=url, timeout=900) as client,
    ):
        posted(client, saved(MODELS["linear"].fit(*table(10))))
        yield client


def table(width: int) -> tuple[pd.DataFrame, Any]:
    x = np.random.default_rng(0).normal(size=(ROWS, width)).round(4)
    return pd.DataFrame(x, columns=[f"gene_{i}" for i in range(width)]), (x[:, :10].sum(axis=1) > 0).astype(
        int
    )


def posted(client: httpx.Client, file: bytes) -> tuple[float, dict[str, Any]]:
    """Seconds from the POST to its end, and the run's report."""
    started = time.perf_counter()
    report = _ended(client, f"/api/v1/runs/{_submitted(client, file)}")
    return time.perf_counter() - started, report


def _submitted(client: httpx.Client, file: bytes, config: str = "{}") -> str:
    files = {"model": ("model.pkl", file)}
    return str(client.post("/run_tests?wait=0", files=files, data={"config": config}).json()["id"])


def _ended(client: httpx.Client, run: str, every_s: float = 0.1) -> dict[str, Any]:
    while (report := client.get(run).json())["status"] in WAITING:
        time.sleep(every_s)
    return dict(report)


def measured(client: httpx.Client, name: str, width: int, file: bytes) -> None:
    seconds, report = posted(client, file)
    run = f"/api/v1/runs/{report['id']}"
    report_mb, page_mb = (len(client.get(path).content) / 1e6 for path in (run, f"{run}/report.html"))
    stages = "  ".join(f"{stage} {s:.1f}" for stage, s in report["timings"].items())
    print(
        f"{name:<14}{width:>9,}{seconds:>9.1f}{report_mb:>7.2f} MB{page_mb:>6.2f} MB   "
        f"{report['status']}: {stages}",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cancel", action="store_true")
    parser.add_argument("--beside", action="store_true")
    parser.add_argument("features", type=int, nargs="*", default=FEATURES)
    chosen = parser.parse_args()
    if chosen.cancel:
        cancels(max(chosen.features))
    if chosen.beside:
        beside(max(chosen.features))
    if not (chosen.cancel or chosen.beside):
        main(tuple(chosen.features))
