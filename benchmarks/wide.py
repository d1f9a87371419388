"""Models of many features: seconds by stage, and how large the report and its page get.

    python -m benchmarks.wide [features ...]

Without numbers 100, 1,000, 3,000 and 10,000 features, each with a linear model, a forest and gradient
boosting, 1,000 generated rows and nothing configured, on a server started here. A stage that grows faster
than the features do is at fault.
"""

import sys
import tempfile
import time
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
MODELS: dict[str, Any] = {
    "linear": LogisticRegression(max_iter=50),
    "forest of 50": RandomForestClassifier(50, random_state=0),
    "hist boosting": HistGradientBoostingClassifier(max_iter=10, max_leaf_nodes=8, random_state=0),
}


def main(widths: tuple[int, ...]) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        served(ROOT / "app.py", Path(folder), "/ready") as (_, _, url),
        httpx.Client(base_url=url, timeout=900) as client,
    ):
        posted(client, saved(MODELS["linear"].fit(*table(10))))  # the first run warms up
        print(f"{'model':<14}{'features':>9}{'seconds':>9}{'report':>10}{'HTML':>9}   stages")
        for name, model in MODELS.items():
            for width in widths:
                measured(client, name, width, saved(model.fit(*table(width))))


def table(width: int) -> tuple[pd.DataFrame, Any]:
    x = np.random.default_rng(0).normal(size=(ROWS, width)).round(4)
    return pd.DataFrame(x, columns=[f"gene_{i}" for i in range(width)]), (x[:, :10].sum(axis=1) > 0).astype(
        int
    )


def posted(client: httpx.Client, file: bytes) -> tuple[float, dict[str, Any]]:
    """Seconds from the POST to its end, and the run's report."""
    started = time.perf_counter()
    answer = client.post("/run_tests?wait=0", files={"model": ("model.pkl", file)}).json()
    run = f"/api/v1/runs/{answer['id']}"
    while (report := client.get(run).json())["status"] in ("queued", "running"):
        time.sleep(0.1)
    return time.perf_counter() - started, report


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
    main(tuple(map(int, sys.argv[1:])) or FEATURES)
