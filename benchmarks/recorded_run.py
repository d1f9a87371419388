"""One default run of a forest, with every table that it asks the model for: to make the same calls bare.

A part of `benchmarks.default_run`, not a benchmark of its own. Promises: the bare calls are the libraries'
alone, on inputs made beforehand: no process, no checks, nothing judged. A table asked for is one
`predict_proba`, which tells class and probability; one that the model refuses is that call, and those that
find the rows at fault; what threads are asked at once is asked by threads. A column compared is SciPy's KS,
Wasserstein and Jensen-Shannon over NumPy's quantile bins; a table kept is one `to_parquet`.
"""

import contextlib
import io
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import joblib
import numpy as np
import pandas as pd
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp, wasserstein_distance

import drift
import runs
from distances import columns as drift_columns
from estimators import isolation
from estimators.batches import THREADS
from execution import stages
from explainers import tree_shapley
from model_process.clock import inputs_of
from sandbox.handle import ModelHandle
from sandbox.zygote import Zygote
from services import build_services
from settings import Settings

__all__ = ["RecordedRun", "record"]


@dataclass
class RecordedRun:
    """The tables of each stage, in the order they were asked for."""

    file: bytes
    asked: dict[str, list[pd.DataFrame]] = field(default_factory=dict)
    calls: dict[str, list[np.ndarray]] = field(default_factory=dict)
    at_once: dict[str, list[pd.DataFrame]] = field(default_factory=dict)
    explained: dict[str, list[pd.DataFrame]] = field(default_factory=dict)
    compared: dict[str, list[tuple[pd.Series, pd.Series]]] = field(default_factory=dict)
    kept: dict[str, list[pd.DataFrame]] = field(default_factory=dict)
    frame: pd.DataFrame = field(default_factory=pd.DataFrame)

    def calls_of(self, stage: str) -> str:
        """The bare calls of a stage in words."""
        fixed = {
            "load": "joblib.load",
            "rows": "numpy draws",
            "latency": "predict, as often as the report says",
        }
        asked = self.asked.get(stage, [])
        parts = [fixed[stage]] if stage in fixed else []
        if asked:
            rows = sum(map(len, asked))
            parts.append(f"{len(self.calls[stage])} predict_proba for {len(asked)} tables, {rows:,} rows")
        if stage in self.at_once:
            parts.append(f"{THREADS} by as many threads")
        if stage in self.explained:
            explained = [len(frame) for frame in self.explained[stage]]
            parts.append(f"tree SHAP of {' + '.join(map(str, explained))} rows")
        if stage in self.compared:
            parts.append(f"SciPy on {len(self.compared[stage])} columns")
        if stage in self.kept:
            parts.append(f"to_parquet of {len(self.kept[stage])}")
        return ", ".join(parts)

    def bare_seconds(self, report: dict[str, Any]) -> dict[str, float]:
        """Seconds of the bare calls of each stage; the number of timed calls is the report's."""
        found: dict[str, float] = {}
        with _timed(found, "load"):
            model = joblib.load(io.BytesIO(self.file))
        rows, width = self.frame.shape
        with _timed(found, "rows"):
            pd.DataFrame(np.random.default_rng(0).normal(size=(rows, width)))
        first = True
        for size in report["metrics"]["value"]["latency"]:
            inputs, _ = inputs_of(pd.DataFrame.to_numpy, self.frame, size["batch_size"])
            with _timed(found, "latency"):
                for i in range(first + size["warmup"] + size["n"]):
                    model.predict(inputs[i % len(inputs)])
            first = False
        for stage, calls in self.calls.items():
            with _timed(found, stage):
                for x in calls:
                    with contextlib.suppress(ValueError, TypeError):  # the model refuses it
                        model.predict_proba(x)
        for stage, tables in self.at_once.items():
            batches = [part for table in tables for part in np.array_split(table.to_numpy(), THREADS)]
            with _timed(found, stage), ThreadPoolExecutor(THREADS) as pool:
                list(pool.map(model.predict_proba, batches))
        for stage, tables in self.explained.items():
            arrays = [table.to_numpy() for table in tables]
            with _timed(found, stage):
                forest = tree_shapley.flatten(model)
                for x in arrays:
                    tree_shapley.forest_shapley(forest, x)
        for stage, columns in self.compared.items():
            pairs = [(r.to_numpy(), c.to_numpy()) for r, c in columns]
            with _timed(found, stage):
                for reference, current in pairs:
                    _by_scipy(reference, current)
        for stage, tables in self.kept.items():
            with _timed(found, stage):
                for table in tables:
                    table.to_parquet(io.BytesIO(), index=False)
        return found


def record(file: bytes, around: Callable[[Callable[[], Any]], Any] = lambda work: work()) -> RecordedRun:
    """Execute a default run of the model in this process's worker code; the second, for the first warms up.

    around: runs the recorded execution, for a profiler.
    """
    tree_shapley.warm_up()
    found = RecordedRun(file)
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(_env_file=None, data_dir=Path(folder))
        with build_services(settings) as services, Zygote(settings) as zygote:

            def execute(around: Callable[[Callable[[], Any]], Any]) -> None:
                upload = runs.store_upload(services, io.BytesIO(file), "model.pkl")
                row = services.store.runs.get(runs.submit(services, model=upload).id)
                assert row is not None
                with (
                    stages.Execution(services, zygote, row, threading.Event(), lambda *_: None) as execution,
                    _recording(found, execution),
                ):
                    around(execution.run)

            execute(lambda work: work())
            for noted in (found.asked, found.at_once, found.explained, found.compared, found.kept):
                noted.clear()
            execute(around)
    found.frame = found.asked["predict"][0]
    model = joblib.load(io.BytesIO(file))
    found.calls = {stage: _calls(model, tables) for stage, tables in found.asked.items()}
    return found


def _calls(model: Any, tables: list[pd.DataFrame]) -> list[np.ndarray]:
    """What the model is called with for these tables: for one that it refuses also the rows by themselves."""
    calls: list[np.ndarray] = []

    def call(table: pd.DataFrame) -> Any:
        calls.append(table.to_numpy())
        return model.predict_proba(calls[-1])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for table in tables:
            isolation.isolate(call, table)
    return calls


@contextlib.contextmanager
def _recording(found: RecordedRun, execution: stages.Execution) -> Any:
    predict, together, explain = ModelHandle.predict, ModelHandle.predict_together, ModelHandle.explain

    def note(tables: dict[str, list[pd.DataFrame]], original: Callable[..., Any]) -> Callable[..., Any]:
        def call(handle: ModelHandle, frame: pd.DataFrame, *rest: Any) -> Any:
            tables.setdefault(execution.stage, []).append(frame)
            return original(handle, frame, *rest)

        return call

    def singly(handle: ModelHandle, frame: pd.DataFrame) -> Any:
        found.asked.setdefault(execution.stage, []).extend(frame.iloc[[i]] for i in range(len(frame)))
        return alone(handle, frame)

    def measure(reference: drift_columns.ReferenceColumn, current: pd.Series) -> Any:
        found.compared.setdefault(execution.stage, []).append((reference.column, current))
        return drift_columns.measure(reference, current)

    def keep(execution: stages.Execution, name: str, frame: pd.DataFrame) -> None:
        found.kept.setdefault(execution.stage, []).append(frame)
        kept(execution, name, frame)

    alone, kept = ModelHandle.predict_singly, stages.Execution._keep
    with (
        patch.object(drift, "measure", measure),
        patch.object(stages.Execution, "_keep", keep),
        patch.object(ModelHandle, "predict_singly", singly),
        patch.object(ModelHandle, "predict", note(found.asked, predict)),
        patch.object(ModelHandle, "predict_together", note(found.at_once, together)),
        patch.object(ModelHandle, "explain", note(found.explained, explain)),
    ):
        yield


def _by_scipy(reference: np.ndarray, current: np.ndarray) -> None:
    """What a column of numbers is compared by; columns of anything else here are the two classes' codes."""
    if reference.dtype.kind == "f":
        ks_2samp(reference, current, method="asymp")
        wasserstein_distance(reference, current)
    edges = np.unique(np.quantile(reference, np.linspace(0, 1, 11)))[1:-1]
    shares = [
        np.bincount(np.searchsorted(edges, side, "right"), minlength=10) for side in (reference, current)
    ]
    jensenshannon(*shares, base=2)


@contextlib.contextmanager
def _timed(found: dict[str, float], stage: str) -> Any:
    started = time.perf_counter()
    yield
    found[stage] = found.get(stage, 0.0) + time.perf_counter() - started
