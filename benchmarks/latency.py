"""The reported p50 against a bare loop around the same call: `python -m benchmarks.latency [model]`.

The bare loop runs in a plain Python process with the same thread settings, on the same prepared inputs;
ours is what the locked child reports. The two take turns, for the machine's speed wanders: the ratio is
that of their medians over the rounds, and "quiet" that of the two lower quartiles, the rounds in which
nothing else ran.
Beside it a user's own `model.predict_proba(table)`.
"""

import gc
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import model_utils
from model_process.clock import inputs_of
from records.metrics import LatencyPlan
from sandbox.handle import ModelHandle, open_model
from sandbox.zygote import Zygote, clean_environment
from settings import PROJECT_ROOT, Settings

FEATURES, TRAINING, ROUNDS, ROUND_S = 20, 2_000, 60, 0.03
THREADED_ROUNDS = 180  # of calls whose threads wait for a core each: they vary more
BATCHES = (1, 1_000)
METHODS = ("predict", "predict_proba")
TARGET = 1.05


def fitted() -> tuple[dict[str, Any], pd.DataFrame]:
    from sklearn.datasets import make_classification
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from xgboost import XGBClassifier

    values, y = make_classification(TRAINING, FEATURES, n_informative=10, random_state=0)
    x = pd.DataFrame(values, columns=[f"column {i}" for i in range(FEATURES)])
    models = {
        "logistic pipeline": make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)),
        "forest of 100 trees": RandomForestClassifier(100, random_state=0),
        "XGBoost, 100 trees": XGBClassifier(n_estimators=100),
        "XGBoost, one thread": XGBClassifier(n_estimators=100, n_jobs=1),  # no thread waits for another core
    }
    return {name: model.fit(x, y) for name, model in models.items()}, x


def loop(call: Callable[[Any], Any], inputs: list[Any], calls: int) -> float:
    """Median milliseconds of a loop as anybody would write it, the collector off as in timeit."""
    gc.disable()
    taken = []
    for i in range(calls):
        x = inputs[i % len(inputs)]
        started = time.perf_counter()
        call(x)
        taken.append(time.perf_counter() - started)
    gc.enable()
    return statistics.median(taken) * 1000


def bare(folder: str) -> None:
    """The other process: answers each line `batch method table calls` with a median."""
    warnings.simplefilter("ignore")  # as in the child
    model = pickle.loads(Path(folder, "model.pkl").read_bytes())
    frame = pd.read_pickle(Path(folder, "rows.pkl"))
    adapter = model_utils.adapt(model)
    made: dict[tuple[int, str], list[Any]] = {}
    for line in sys.stdin:
        batch, method, kind, calls = line.split()
        key = int(batch), kind
        if key not in made:
            made[key] = inputs_of(adapter.prepare if kind == "prepared" else lambda t: t, frame, key[0])[0]
        call = getattr(model, method)
        loop(call, made[key], 5)
        print(loop(call, made[key], int(calls)), flush=True)


class Other:
    """The plain process with the bare loop."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "benchmarks.latency", "bare", str(folder)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=clean_environment(),
            cwd=PROJECT_ROOT,
            start_new_session=True,  # as the child: on a busy machine the scheduler shares by session
        )

    def median_ms(self, batch: int, method: str, kind: str, calls: int) -> float:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{batch} {method} {kind} {calls}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()


def reported_ms(handle: ModelHandle, frame: pd.DataFrame, batch: int, method: Any, calls: int) -> float:
    plan = LatencyPlan(batch_sizes=(batch,), calls=calls, warmup=5, budget_s=60, method=method)
    return handle.measure(frame, plan).rows[0].p50_ms


def compare(name: str, handle: ModelHandle, other: Other, frame: pd.DataFrame) -> float:
    worst = 0.0
    for batch in BATCHES:
        for method in METHODS:
            pilot = other.median_ms(batch, method, "prepared", 5)
            calls = int(np.clip(ROUND_S * 1000 / pilot, 5, 500))
            ours, theirs, users = [], [], []
            for i in range(THREADED_ROUNDS if "XGBoost" in name else ROUNDS):
                if i % 2:
                    ours.append(reported_ms(handle, frame, batch, method, calls))
                theirs.append(other.median_ms(batch, method, "prepared", calls))
                if not i % 2:
                    ours.append(reported_ms(handle, frame, batch, method, calls))
                users.append(other.median_ms(batch, "predict_proba", "table", max(5, calls // 5)))
            ratio = statistics.median(ours) / statistics.median(theirs)
            quiet = float(np.quantile(ours, 0.25) / np.quantile(theirs, 0.25))
            worst = max(worst, min(ratio, quiet))
            print(
                f"{name:<22}{batch:>6,} {method:<14}{statistics.median(ours):>9.3f}"
                f"{statistics.median(theirs):>9.3f}{ratio:>9.3f}{quiet:>9.3f}{statistics.median(users):>9.3f}",
                flush=True,
            )
    return worst


def main(only: str = "") -> None:
    models, frame = fitted()
    columns = ("ours", "bare", "ratio", "quiet", "a user")
    print(f"{'ms a call, p50':<22}{'rows':>6} {'method':<14}" + "".join(f"{c:>9}" for c in columns))
    worst = 0.0
    with tempfile.TemporaryDirectory() as text, Zygote(Settings(_env_file=None)) as zygote:
        folder = Path(text)
        frame.to_pickle(folder / "rows.pkl")
        for name, model in models.items():
            if not name.startswith(only):
                continue
            (folder / "model.pkl").write_bytes(pickle.dumps(model))
            other = Other(folder)
            try:
                with open_model(zygote, folder / "model.pkl", name=name, deadline_s=3600) as handle:
                    worst = max(worst, compare(name, handle, other, frame))
            finally:
                other.close()
    print(f"largest of the smaller of both ratios {worst:.3f}, limit {TARGET}; {os.cpu_count()} cores")


if __name__ == "__main__":
    bare(sys.argv[2]) if len(sys.argv) > 2 else main(*sys.argv[1:])
