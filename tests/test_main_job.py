"""The main job by the API's door, on a real server with a real worker and real models."""

import io
import json
import pickle
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import joblib
import numpy as np
import pandas as pd
import psutil
import pytest
import sklearn
from scipy.stats import spearmanr
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tests.support.live_server import ExampleOnDisk, LiveServer, start_server, stop_server

FAST: dict[str, Any] = {
    "rows": 200,
    "latency": {"budget_s": 0.3, "calls": 5},
    "explain": {"rows": 10, "budget_s": 1},
    "drift": {"budget_s": 0.3},
    "gates": {"p95_ms": 1e6},  # the verdict must not hang on how busy this machine is
}


@pytest.fixture(scope="module")
def any_model_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server whose operator lets any file in: what is tested there is what holds a model, not the list."""
    running = start_server(tmp_path_factory.mktemp("any-model"), MODEL_POLICY="contained")
    yield running
    stop_server(running)


def post(
    server: LiveServer, model: bytes, *, name: str = "model.pkl", wait: int = 120, **parts: Any
) -> httpx.Response:
    """POST /run_tests with the parts given: bytes are files, everything else is JSON or text."""
    files: dict[str, Any] = {"model": (name, model)}
    data: dict[str, str] = {}
    for key, value in parts.items():
        if isinstance(value, bytes):
            files[key] = (f"{key}.csv", value)
        else:
            data[key] = value if isinstance(value, str) else json.dumps(value)
    data.setdefault("config", json.dumps(FAST))
    return httpx.post(
        f"{server.url}/run_tests", params={"wait": wait}, files=files, data=data, timeout=wait + 30
    )


OLDER = "1.8.0"  # of as many characters as the one here


def older_version(model: bytes) -> bytes:
    """The model as if an older scikit-learn had saved it."""
    assert sklearn.__version__.encode() in model and len(sklearn.__version__) == len(OLDER)
    return model.replace(sklearn.__version__.encode(), OLDER.encode())


class Exploit:
    """Unpickles into whatever the expression gives; the child has no module of these tests."""

    def __init__(self, expression: str) -> None:
        self.expression = expression

    def __reduce__(self) -> Any:
        return eval, (self.expression,)


def crafted(body: str, *, names: str = "{}") -> bytes:
    """A pickle of an object whose `predict(self, X)` is the lambda body given."""
    return pickle.dumps(Exploit(f"type('Crafted', (), {{'predict': lambda self, X: {body}, **{names}}})()"))


def iris_model(path: Path) -> tuple[bytes, pd.DataFrame, "pd.Series[int]"]:
    X, y = load_iris(return_X_y=True, as_frame=True)
    joblib.dump(LogisticRegression(max_iter=1000).fit(X, y), path)
    return path.read_bytes(), X, y


@pytest.mark.parametrize("example", ["breast-cancer", "wine", "diabetes"])
def test_an_example_gets_a_whole_report(
    server: LiveServer, examples: dict[str, ExampleOnDisk], example: str
) -> None:
    files = examples[example]
    answer = post(server, files.model.read_bytes(), sample=files.sample.read_bytes(), target=files.target)
    assert answer.status_code == 200, answer.text
    report = answer.json()
    assert report["status"] in {"passed", "warned"}, report["errors"] or report["checks"]
    for section in ("metrics", "accuracy", "robustness", "drift", "explanation", "likeness"):
        assert report[section]["status"] == "ok", report[section]
    assert report["errors"] == []
    values = np.array(report["explanation"]["value"]["shap_values"])
    assert values.shape[0] == 10
    assert report["explanation"]["value"]["additivity_error"] < 1e-6


def test_rows_are_compared_with_the_samples_and_rows_unlike_them_warn(
    server: LiveServer, tmp_path: Path
) -> None:
    model, X, _ = iris_model(tmp_path / "iris.pkl")
    sample = X.to_csv(index=False).encode()
    found = post(server, model, sample=sample).json()
    domain = found["likeness"]["value"]["domain"]
    assert domain["interval"][0] <= 0.5 and not domain["drifted"]
    assert [c["column"] for c in found["likeness"]["value"]["columns"]] == list(X.columns)
    wide = {"features": [{"name": "petal length (cm)", "min": 100, "max": 200}]}
    report = post(server, model, sample=sample, schema=wide).json()
    check = next(c for c in report["checks"] if c["id"] == "rows_likeness")
    assert check["status"] == "warn" and "What gives them away: petal length (cm)" in check["reason"]
    assert report["status"] == "warned" and report["errors"] == []


def test_a_sample_is_read_while_a_run_holds_the_only_place(
    any_model_server: LiveServer, tmp_path: Path
) -> None:
    """By a process that is neither the web's nor the worker's, and whose refusal is the answer."""
    sleeper = crafted("__import__('time').sleep(60)")
    schema = {"features": [{"name": "a", "min": 0, "max": 1}]}
    held = post(any_model_server, sleeper, wait=0, schema=schema).json()
    url = f"{any_model_server.url}/api/v1/runs/{held['id']}"
    try:
        started = time.monotonic()
        while httpx.get(url).json()["stage"] != "predict":  # the process that others come from is up
            assert time.monotonic() - started < 120
            time.sleep(0.05)
        bad = post(any_model_server, sleeper, wait=0, sample=b"a,b\n1,2\n3\n")
        assert bad.status_code == 422 and "Line 3 of the sample 'sample.csv'" in bad.json()["detail"]
        assert bad.json()["code"] == "invalid_sample" and bad.json()["field"] == "sample"
        good = post(any_model_server, sleeper, wait=0, sample=b"a,b\n1,2\n3,4\n", target="b")
        assert good.status_code == 202 and httpx.get(url).json()["status"] == "running"
        httpx.post(f"{any_model_server.url}/api/v1/runs/{good.json()['id']}/cancel")
    finally:
        httpx.post(f"{url}/cancel")


def test_a_longer_sample_than_is_taken_is_cut_and_said(server: LiveServer, tmp_path: Path) -> None:
    model, X, y = iris_model(tmp_path / "iris.pkl")
    long = pd.concat([X.assign(label=y)] * 700, ignore_index=True)
    report = post(server, model, sample=long.to_csv(index=False).encode(), target="label").json()
    assert report["accuracy"]["value"]["rows"] == 100_000
    assert any("the first 100,000 rows were used" in warning for warning in report["warnings"])


def test_a_sample_that_lacks_columns_of_the_model_still_gets_a_report(
    server: LiveServer, tmp_path: Path
) -> None:
    model, X, y = iris_model(tmp_path / "iris.pkl")
    part = X.iloc[:, :2].assign(label=y)
    report = post(server, model, sample=part.to_csv(index=False).encode(), target="label").json()
    assert report["accuracy"]["status"] == "failed"
    assert report["accuracy"]["reason"].startswith("The sample lacks 'petal length (cm)', 'petal width (cm)'")
    assert any("generated from the schema" in told for told in report["sample"]["told"])
    for section in ("metrics", "robustness", "drift", "explanation", "likeness"):
        assert report[section]["status"] == "ok", report[section]


def test_a_model_file_alone_is_enough(server: LiveServer, tmp_path: Path) -> None:
    model, X, _ = iris_model(tmp_path / "iris.pkl")
    report = post(server, model).json()
    assert report["likeness"]["status"] == "not_applicable"
    assert [f["name"] for f in report["schema"]["features"]] == list(X.columns)
    # Of lengths and widths a linear model knows nothing.
    assert {f["origin"] for f in report["schema"]["features"]} == {"name"}
    assert report["accuracy"]["status"] == "not_applicable"
    assert report["metrics"]["value"]["error_rate"] == 0
    assert report["model"]["task"] == "classification"
    assert report["model"]["saved_with"]["scikit-learn"]
    assert report["model"]["scan"]["ok"] is True and report["model"]["scan"]["globals_count"] > 3


def test_breaking_points_of_answers_and_score_are_left_as_thresholds(
    server: LiveServer, tmp_path: Path
) -> None:
    model, X, y = iris_model(tmp_path / "iris.pkl")
    sample = X.assign(species=y).to_csv(index=False).encode()
    config = {"drift": {"score_limit": 0.05, "each_feature": True, "domain_auc": True, "budget_s": 30}}
    report = post(server, model, sample=sample, target="species", config=config).json()
    drift = report["drift"]["value"]
    points = {p["feature"]: p for p in drift["breaking_points"]}
    assert set(points) == set(X.columns)
    nearest = drift["breaking_points"][0]
    assert nearest["feature"].startswith("petal") and nearest["rows"] > 0
    assert nearest["interval"][0] < nearest["magnitude"] < nearest["interval"][1]
    parts = drift["decomposition"]
    assert {s["feature"] for s in parts["singles"]} == set(X.columns)
    remainder = parts["joint_changed_share"] - sum(s["changed_share"] for s in parts["singles"])
    assert parts["changed_remainder"] == pytest.approx(remainder)
    alone = [s for s in drift["scenarios"] if s["features"] == [nearest["feature"]]]
    assert {s["kind"] for s in alone} >= {"mean_shift", "noise", "missing_values"}
    url = f"{server.url}/api/v1/runs/{report['id']}/artifacts/thresholds.json"
    answer = httpx.get(url, timeout=30).raise_for_status()
    assert answer.headers["content-type"] == "application/json"
    kept = answer.json()
    assert kept["model_sha256"] == report["model"]["sha256"]
    assert (kept["changed_limit"], kept["score_limit"]) == (0.1, 0.05)
    first = kept["thresholds"][0]
    assert (first["feature"], first["psi"]) == (nearest["feature"], nearest["psi"])
    assert first["shift_std"] == abs(nearest["magnitude"])
    assert len(kept["thresholds"]) + len(kept["steady"]) == 4
    assert [a["rows"] for a in first["false_alarms"]] == [a["rows"] for a in kept["false_alarms"]]
    assert [a["rows"] for a in kept["false_alarms"]] == [50, 100, 200, 500]
    for of_any, of_first in zip(kept["false_alarms"], first["false_alarms"], strict=True):
        assert of_first["rate"] <= of_any["rate"]
    assert [a["any_column"] for a in drift["false_alarms"]] == [a["rate"] for a in kept["false_alarms"]]
    told = {s["kind"]: s["domain"] for s in drift["scenarios"] if len(s["features"]) == 4}
    assert told["mean_shift"]["drifted"] and told["mean_shift"]["auc"] > 0.8


def test_accuracy_on_the_sample_is_scikit_learns(server: LiveServer, tmp_path: Path) -> None:
    model, X, y = iris_model(tmp_path / "iris.pkl")
    sample = X.assign(species=y).to_csv(index=False).encode()
    report = post(server, model, sample=sample, target="species").json()
    expected = accuracy_score(y, joblib.load(tmp_path / "iris.pkl").predict(X))
    assert report["accuracy"]["value"]["accuracy"] == pytest.approx(expected, abs=1e-12)


def test_the_same_seed_gives_the_same_drift(server: LiveServer, tmp_path: Path) -> None:
    model, _, _ = iris_model(tmp_path / "iris.pkl")
    first, second = (post(server, model).json()["drift"]["value"]["scenarios"] for _ in range(2))
    assert first == second


def test_a_schema_of_the_user_wins_a_field_at_a_time(server: LiveServer, tmp_path: Path) -> None:
    model, X, _ = iris_model(tmp_path / "iris.pkl")
    first = str(X.columns[0])
    schema = {
        "features": [{"name": first, "type": "number", "distribution": "uniform", "min": 4.0, "max": 5.0}]
    }
    features = post(server, model, schema=schema).json()["schema"]["features"]
    assert features[0]["origin"] == "user" and features[0]["max"] == 5.0
    assert {f["origin"] for f in features[1:]} == {"name"}


BAD_MODELS = {
    "not a pickle": (b"<html>hello</html>", "not_a_model"),
    "truncated": (pickle.dumps(LogisticRegression().fit([[0.0], [1.0]], [0, 1]))[:-40], "not_a_model"),
    "no predict": (pickle.dumps({"weights": [1, 2]}), "no_predict"),
    "missing library": (b"cnosuchlibrary.models\nModel\n.", "missing_library"),
}


@pytest.mark.parametrize("case", BAD_MODELS)
def test_a_file_that_is_no_usable_model_is_an_error_with_advice(server: LiveServer, case: str) -> None:
    data, code = BAD_MODELS[case]
    report = post(server, data).json()
    assert report["status"] == "error"
    assert report["errors"][0]["code"] == code
    assert report["errors"][0]["message"] and report["errors"][0]["hint"]


def test_a_missing_library_is_named(server: LiveServer) -> None:
    report = post(server, BAD_MODELS["missing library"][0]).json()
    assert "nosuchlibrary" in report["errors"][0]["message"]


def test_a_model_of_another_version_is_run_and_both_versions_are_named(
    server: LiveServer, tmp_path: Path
) -> None:
    model, _, _ = iris_model(tmp_path / "iris.pkl")
    older = older_version(model)
    report = post(server, older).json()
    assert report["status"] != "error"
    assert report["model"]["saved_with"]["scikit-learn"] == OLDER
    assert any(OLDER in warning and sklearn.__version__ in warning for warning in report["warnings"])


def test_a_model_of_another_version_that_cannot_load_names_both_versions(
    server: LiveServer, tmp_path: Path
) -> None:
    model, _, _ = iris_model(tmp_path / "iris.pkl")
    moved = older_version(model).replace(b"linear_model._logistic", b"linear_model.logistics")
    report = post(server, moved).json()
    assert report["status"] == "error"
    [error] = report["errors"]
    assert error["code"] == "version_mismatch"
    assert OLDER in error["message"] and sklearn.__version__ in error["message"]


def test_a_file_that_names_more_than_models_do_is_refused_and_the_report_says_which(
    server: LiveServer,
) -> None:
    report = post(server, crafted("[0] * len(X)"), schema=one_feature()).json()
    assert report["status"] == "error"
    error = report["errors"][0]
    assert error["code"] == "model_refused" and error["stage"] == "load"
    assert "builtins.eval" in error["message"] and "MODEL_POLICY=contained" in error["hint"]
    assert [r["name"] for r in report["model"]["scan"]["refused"]] == ["eval"]


def test_a_refused_file_runs_contained_when_the_run_asks_for_it_and_the_report_says_so(
    server: LiveServer,
) -> None:
    config = {**FAST, "policy": "contained"}
    report = post(server, crafted("[0.0] * len(X)"), schema=one_feature(), config=config).json()
    assert report["status"] in {"passed", "warned"}
    assert report["plan"]["policy"] == "contained"
    assert any("builtins.eval" in w and "'contained'" in w for w in report["warnings"])


def test_an_empty_file_is_refused_at_the_door(server: LiveServer) -> None:
    answer = post(server, b"")
    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("application/problem+json")


def one_feature(**more: Any) -> dict[str, Any]:
    return {"features": [{"name": "a", "type": "number", "mean": 0, "std": 1, **more}]}


def test_rows_that_raise_are_counted_and_the_run_goes_on(any_model_server: LiveServer) -> None:
    body = "[1.0 if v > 0 else 1 / 0 for v in __import__('numpy').asarray(X, float)[:, 0]]"
    report = post(any_model_server, crafted(body), schema=one_feature()).json()
    assert report["status"] == "failed"
    assert 0 < report["metrics"]["value"]["error_rate"] <= 1
    assert any("ZeroDivisionError" in e["message"] for e in report["errors"])


@pytest.mark.parametrize(
    ("body", "words"),
    [("[1.0, 2.0, 3.0]", "3"), ("[float('nan')] * len(X)", "NaN"), ("None", "")],
    ids=["wrong length", "NaN", "None"],
)
def test_an_unusable_answer_fails_every_row(any_model_server: LiveServer, body: str, words: str) -> None:
    report = post(any_model_server, crafted(body), schema=one_feature()).json()
    assert report["status"] in {"failed", "error"}
    assert report["metrics"]["value"] is None or report["metrics"]["value"]["error_rate"] == 1.0
    assert any(words in e["message"] for e in report["errors"])


def test_text_answers_are_classes(any_model_server: LiveServer) -> None:
    body = "['yes' if v > 0 else 'no' for v in __import__('numpy').asarray(X, float)[:, 0]]"
    report = post(any_model_server, crafted(body), schema=one_feature()).json()
    assert report["metrics"]["value"]["error_rate"] == 0
    assert report["drift"]["status"] == "ok"


def test_a_model_that_never_returns_is_ended(any_model_server: LiveServer) -> None:
    body = "__import__('time').sleep(3600)"
    report = post(
        any_model_server, crafted(body), schema=one_feature(), config={**FAST, "timeout_s": 3}
    ).json()
    assert report["status"] == "error"
    assert report["errors"][0]["code"] == "child_timeout"
    assert "timeout_s" in report["errors"][0]["hint"]


def test_a_model_that_crashes_its_process_leaves_the_server_serving(any_model_server: LiveServer) -> None:
    body = "__import__('ctypes').string_at(0)"
    report = post(any_model_server, crafted(body), schema=one_feature()).json()
    assert report["status"] == "error"
    assert report["errors"][0]["code"] == "child_died"
    assert "segmentation fault" in report["errors"][0]["message"].lower()
    assert httpx.get(f"{any_model_server.url}/ready", timeout=30).status_code == 200


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"features": []}, "no features"),
        (one_feature(min=2, max=1), "min"),
        ({"features": [{"name": "a"}, {"name": "a"}]}, "a"),
        ({"features": [{"name": "a", "type": "tensor"}]}, "tensor"),
    ],
    ids=["no features", "min > max", "duplicate names", "unknown type"],
)
def test_a_schema_that_contradicts_itself_is_refused(
    server: LiveServer, schema: dict[str, Any], words: str
) -> None:
    answer = post(server, crafted("[0] * len(X)"), schema=schema)
    problem = answer.json()
    assert answer.status_code == 422 and problem["code"] == "invalid_schema"
    assert words in problem["detail"]


@pytest.mark.parametrize(
    "config",
    [
        {"drift": {"scenarios": [{"kind": "mean_shift", "magnitude": 1, "features": ["heigth"]}]}},
        {"robustness": {"monotonic": {"heigth": "increasing"}}},
    ],
    ids=["drift", "monotonic"],
)
def test_a_config_that_names_a_feature_nobody_has_is_no_pass(
    server: LiveServer, tmp_path: Path, config: dict[str, Any]
) -> None:
    model, _, _ = iris_model(tmp_path / "iris.pkl")
    report = post(server, model, config=config).json()
    assert report["status"] == "error" and report["metrics"]["status"] == "failed"
    (error,) = report["errors"]
    assert error["code"] == "invalid_config" and "heigth" in error["message"]
    assert "petal length (cm)" in error["hint"]


def test_features_the_model_does_not_have_are_named(server: LiveServer, tmp_path: Path) -> None:
    model, _, _ = iris_model(tmp_path / "iris.pkl")
    report = post(server, model, schema={"features": [{"name": "height", "type": "number"}]}).json()
    assert report["status"] == "error"
    assert report["errors"][0]["code"] == "invalid_schema" and "height" in report["errors"][0]["message"]


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ({"name": "colour", "type": "category", "categories": ["red", "mauve"]}, "'mauve'"),
        ({"name": "colour", "type": "number", "mean": 1}, "takes categories"),
        ({"name": "age", "type": "category", "categories": ["old", "young"]}, "'old'"),
        ({"name": "age", "type": "datetime"}, "datetime"),
    ],
    ids=str,
)
def test_a_schema_that_contradicts_the_model_is_refused_before_rows_are_made(
    server: LiveServer, tmp_path: Path, field: dict[str, Any], words: str
) -> None:
    frame = pd.DataFrame({"age": range(20, 60), "colour": ["red", "green"] * 20})
    columns = make_column_transformer((StandardScaler(), ["age"]), (OneHotEncoder(), ["colour"]))
    model = make_pipeline(columns, LogisticRegression()).fit(frame, [0, 1] * 20)
    joblib.dump(model, tmp_path / "model.pkl")
    report = post(server, (tmp_path / "model.pkl").read_bytes(), schema={"features": [field]}).json()
    assert report["status"] == "error" and "rows" not in report["timings"]
    (error,) = report["errors"]
    assert error["code"] == "invalid_schema" and error["stage"] == "schema"
    assert repr(field["name"]) in error["message"] and words in error["message"]


def test_rows_hang_together_as_in_the_sample_or_the_model(server: LiveServer, tmp_path: Path) -> None:
    X, y = load_iris(return_X_y=True, as_frame=True)
    joblib.dump(KNeighborsClassifier().fit(X, y), tmp_path / "model.pkl")
    model = (tmp_path / "model.pkl").read_bytes()
    kept = post(server, model, config={"rows": 2_000}).json()
    given = post(server, model, sample=X.to_csv(index=False).encode(), config={"rows": 2_000}).json()
    assert "model's file" in kept["rows_from"] and "150 rows of the sample" in given["rows_from"]
    for report in (kept, given):
        url = f"{server.url}/api/v1/runs/{report['id']}/artifacts/rows.parquet"
        rows = pd.read_parquet(io.BytesIO(httpx.get(url, timeout=30).raise_for_status().content))
        assert np.allclose(spearmanr(rows).statistic, spearmanr(X).statistic, atol=0.08)


@pytest.mark.parametrize("config", [{"rowz": 5}, {"rows": 0}, {"rows": 10_000_000}, {"drift": {"kind": "x"}}])
def test_a_config_with_unknown_keys_or_bounds_passed_is_refused(
    server: LiveServer, config: dict[str, Any]
) -> None:
    answer = post(server, crafted("[0] * len(X)"), config=config)
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_config"


def test_a_cancelled_run_ends_soon_and_says_so(any_model_server: LiveServer) -> None:
    answer = post(any_model_server, crafted("__import__('time').sleep(3600)"), schema=one_feature(), wait=0)
    assert answer.status_code == 202
    run = f"{any_model_server.url}/api/v1/runs/{answer.json()['id']}"
    httpx.post(f"{run}/cancel", timeout=30).raise_for_status()
    assert wait_for(run)["status"] == "cancelled"


def wait_for(run: str, limit_s: float = 90) -> dict[str, Any]:
    """The run's document once it is over."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        document: dict[str, Any] = httpx.get(run, timeout=30).json()
        if document["status"] not in {"queued", "running"}:
            return document
        time.sleep(0.2)
    raise AssertionError(f"still {document['status']} after {limit_s} s")


def kill_tree(process: psutil.Process) -> None:
    """SIGKILL for the web process, its worker, the zygote and the children: a power cut."""
    for each in [process, *process.children(recursive=True)]:
        each.send_signal(signal.SIGKILL)


def test_a_run_outlives_a_server_killed_in_its_middle(tmp_path: Path) -> None:
    first = start_server(tmp_path, LEASE_S="2", MODEL_POLICY="contained")
    slow = "[__import__('time').sleep(1.0)] and [0.0] * len(X)"
    answer = post(first, crafted(slow), schema=one_feature(), wait=0, config={**FAST, "timeout_s": 3})
    run_id = answer.json()["id"]
    deadline = time.monotonic() + 60
    while httpx.get(f"{first.url}/api/v1/runs/{run_id}", timeout=30).json()["status"] == "queued":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    kill_tree(psutil.Process(first.process.pid))
    first.process.wait()
    second = start_server(tmp_path, LEASE_S="2", MODEL_POLICY="contained")
    try:
        report = wait_for(f"{second.url}/api/v1/runs/{run_id}")
        assert report["status"] in {"error", "failed", "warned", "passed"}
    finally:
        stop_server(second)


def test_a_model_is_timed_in_turn_with_its_baselines_and_by_several_callers(
    server: LiveServer, tmp_path: Path
) -> None:
    model, X, y = iris_model(tmp_path / "iris.pkl")
    earlier = post(server, model).json()
    latency = {"budget_s": 0.3, "calls": 5, "concurrency": [1, 2], "against_baseline": True}
    gates = {"p95_ms": 1e6, "baseline_latency_ratio": 1e6}
    config = json.dumps({**FAST, "latency": latency, "baseline": earlier["id"], "gates": gates})
    report = post(server, model, config=config).json()
    measured = report["metrics"]["value"]
    assert [row["callers"] for row in measured["concurrency"]] == [1, 2]
    paired = measured["against_baseline"]["value"]
    assert paired["run_id"] == earlier["id"] and paired["interval"][0] <= paired["ratio"]
    checks = {c["id"]: c["status"] for c in report["checks"]}
    assert (checks["latency_vs_baseline"], checks["baseline_p95"]) == ("pass", "measured")
    assert measured["predict_memory_mb"] is not None and measured["threads"] >= 1

    joblib.dump(LogisticRegression(max_iter=1000).fit(X.iloc[:, :2], y), tmp_path / "narrow.pkl")
    narrow = post(server, (tmp_path / "narrow.pkl").read_bytes(), config=config).json()
    section = narrow["metrics"]["value"]["against_baseline"]
    assert section["status"] == "not_applicable" and "lack 2 of the model's columns" in section["reason"]
    checks = {c["id"]: c["status"] for c in narrow["checks"]}
    assert checks["latency_vs_baseline"] == "not_applicable"


def test_a_baseline_timed_on_a_faster_machine_breaks_no_gate_of_the_same_model(
    server: LiveServer, tmp_path: Path
) -> None:
    model, _, _ = iris_model(tmp_path / "iris.pkl")
    earlier = post(server, model).json()["id"]
    with (
        closing(sqlite3.connect(server.data_dir / "dashboard.sqlite3", timeout=30)) as connection,
        connection,
    ):
        connection.execute("UPDATE runs SET p95_ms = 1e-6 WHERE id = ?", (earlier,))
    config = json.dumps({**FAST, "baseline": earlier, "gates": {"baseline_p95_ratio": 20}})
    report = post(server, model, config=config).json()
    check = next(c for c in report["checks"] if c["id"] == "baseline_p95")
    assert check["status"] == "pass" and "in turn with the baseline's model" in check["reason"]


def test_timing_in_turn_without_a_baseline_is_refused(server: LiveServer, tmp_path: Path) -> None:
    model, _, _ = iris_model(tmp_path / "iris.pkl")
    answer = post(server, model, config=json.dumps({"latency": {"against_baseline": True}}))
    assert answer.status_code == 422
    assert "set baseline to its id" in answer.text


def test_behaviours_are_looked_at_in_the_locked_process_by_threads_too(
    server: LiveServer, tmp_path: Path
) -> None:
    model, _, _ = iris_model(tmp_path / "iris.pkl")
    report = post(server, model).json()
    found = {b["name"]: b for b in report["robustness"]["value"]["behaviours"]}
    clean = ("thread_safety", "dtype", "missing_column", "extra_column", "wrong_type", "infinities")
    assert {name: (found[name]["status"], found[name]["failing_share"]) for name in clean} == dict.fromkeys(
        clean, ("ok", 0.0)
    )
