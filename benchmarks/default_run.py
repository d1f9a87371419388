"""How long a run with nothing configured takes, from the POST to the report, and where the time goes.

    python -m benchmarks.default_run [--forest] [--profile]

Models of 20 features and 1,000 generated rows, on a server started here. For the forest of 100 trees the
calls that its run makes are recorded (`recorded_run`) and made again by themselves, in turn with whole
runs: the bare library calls that the run consists of, stage by stage. --forest: this part only.
--profile: also the functions of the worker that take longest in such a run, waiting for the model left out.
"""

import argparse
import cProfile
import gc
import io
import pstats
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import joblib
from lightgbm import LGBMClassifier
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from xgboost import XGBClassifier

from benchmarks.recorded_run import RecordedRun, record
from benchmarks.start import ROOT, served

ROUNDS = 3
FOREST_ROUNDS = 7
FOREST = "forest of 100 trees"
TARGET, TARGET_S = 1.3, 4.0
MODELS = {
    "logistic pipeline": make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)),
    FOREST: RandomForestClassifier(100, random_state=0),
    "hist gradient boosting": HistGradientBoostingClassifier(random_state=0),
    "XGBoost, 100 trees": XGBClassifier(n_estimators=100),
    "LightGBM, 100 trees": LGBMClassifier(n_estimators=100, verbose=-1),
    "k-neighbours": KNeighborsClassifier(),
    "SVC": SVC(),
    "MLP": MLPClassifier(max_iter=300, random_state=0),
}


def main(forest_only: bool, profile: bool) -> None:
    X, y = make_classification(2_000, 20, n_informative=10, random_state=0)
    with (
        tempfile.TemporaryDirectory() as folder,
        served(ROOT / "app.py", Path(folder), "/ready") as (_, _, url),
    ):
        if not forest_only:
            print(f"{'seconds from POST to report':<28}{'median':>8}   stages of the last run")
            for name, model in MODELS.items():
                families(name, saved(model.fit(X, y)), url)
        file = saved(MODELS[FOREST].fit(X, y))
        run = record(file)
        against_bare_calls(run, lambda: posted(url, file))
    if profile:
        profiled(file)


def families(name: str, file: bytes, url: str) -> None:
    seconds, report = zip(*(posted(url, file) for _ in range(ROUNDS + 1)), strict=True)
    stages = "  ".join(f"{stage} {s:.2f}" for stage, s in report[-1]["timings"].items())
    print(f"{name:<28}{statistics.median(seconds[1:]):>8.2f}   {report[-1]['status']}: {stages}", flush=True)


def saved(model: Any) -> bytes:
    file = io.BytesIO()
    joblib.dump(model, file)
    return file.getvalue()


def posted(url: str, file: bytes) -> tuple[float, dict[str, Any]]:
    """Seconds from the POST to its answer, and the report."""
    with httpx.Client(timeout=300) as client:  # made beforehand: it reads all certificates of the machine
        started = time.perf_counter()
        answer = client.post(f"{url}/run_tests", files={"model": ("model.pkl", file)})
        return time.perf_counter() - started, answer.json()


def against_bare_calls(run: RecordedRun, post: Callable[[], tuple[float, dict[str, Any]]]) -> None:
    """Whole runs and the bare calls in turn. The least of several rounds: what else runs only adds."""
    post()
    gc.collect()
    gc.freeze()  # as the process that models are forked from
    warnings.simplefilter("ignore")  # as in the child
    whole: list[float] = []
    outside: list[float] = []
    stages: dict[str, list[float]] = {}
    bare: dict[str, list[float]] = {}
    for _ in range(FOREST_ROUNDS):
        seconds, report = post()
        whole.append(seconds)
        outside.append(seconds - sum(report["timings"].values()))
        for stage, taken in report["timings"].items():
            stages.setdefault(stage, []).append(taken)
        for stage, taken in run.bare_seconds(report).items():
            bare.setdefault(stage, []).append(taken)
    print(f"\n{FOREST}, least of {FOREST_ROUNDS} rounds in turn")
    print(f"{'stage':<12}{'run, s':>8}{'bare, s':>9}   bare calls")
    for stage, taken_s in stages.items():
        alone = f"{min(bare[stage]):.3f}" if stage in bare else "-"
        print(f"{stage:<12}{min(taken_s):>8.3f}{alone:>9}   {run.calls_of(stage)}")
    totals = [sum(taken) for taken in zip(*bare.values(), strict=True)]
    total = min(totals)
    print(f"{'other':<12}{min(outside):>8.3f}{'-':>9}   upload, queue, storing and sending the report")
    print(f"{'together':<12}{min(whole):>8.3f}{total:>9.3f}")
    ratios = [w / b for w, b in zip(whole, totals, strict=True)]
    print(f"POST to report {min(whole):.2f} s (to stay under {TARGET_S:g})")
    print(
        f"  {min(whole) / total:.2f} x the bare calls, by minima (to stay under {TARGET}); "
        f"{statistics.median(ratios):.2f} x in the median round"
    )


def profiled(file: bytes) -> None:
    """What the worker itself spends its time on."""
    profile = cProfile.Profile()
    record(file, around=profile.runcall)
    text = io.StringIO()
    pstats.Stats(profile, stream=text).sort_stats("tottime").print_stats(30)
    lines = [line for line in text.getvalue().splitlines() if "poll" not in line and line.strip()]
    print("\n".join(line.replace(f"{ROOT}/", "") for line in lines))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--forest", action="store_true")
    parser.add_argument("--profile", action="store_true")
    chosen = parser.parse_args()
    main(chosen.forest, chosen.profile)
