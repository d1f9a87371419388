"""Samples as people have them, posted as they are beside the models that they belong to."""

import json
from typing import Any

import httpx
import pytest

from tests.support.live_server import LiveServer
from tests.support.peoples_tables import CASES, Case, saved

FAST = {
    "rows": 150,
    "latency": {"budget_s": 0.05, "calls": 3, "batch_sizes": [1]},
    "explain": {"rows": 5, "budget_s": 0.3},
    "drift": {"budget_s": 0.05, "breaking_points": False, "decomposition": False},
    "robustness": {"checks": ["determinism"]},
    "gates": {"p95_ms": 1e6},
}


def report_of(server: LiveServer, case: Case) -> dict[str, Any]:
    data = {"config": json.dumps(FAST | case.config)}
    if case.target is not None:
        data["target"] = case.target
    files = {"model": ("model.pkl", saved(case.model)), "sample": ("sample.csv", case.sample)}
    answer = httpx.post(f"{server.url}/run_tests", params={"wait": 120}, files=files, data=data, timeout=150)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


AT_ONCE = (
    "titanic without a target", "telco raw, dummies, codes", "iris names, codes of its own",
    "iris, short names, no target", "diabetes with an index, which the model takes", "drugs raw, codes",
    "houses, a column lacks, forest", "another table", "a schema as sample",
)  # fmt: skip
POSTS = [name if name in AT_ONCE else pytest.param(name, marks=pytest.mark.slow) for name in CASES]


@pytest.mark.parametrize("name", POSTS)
def test_a_post_gets_its_score_or_a_sentence_that_says_what_to_do(server: LiveServer, name: str) -> None:
    case = CASES[name]
    report = report_of(server, case)
    if case.refused:
        assert report["status"] == "error" and report["timings"].keys() <= {"load", "schema", "judge"}
        (error,) = report["errors"]
        told = f"{error['message']} {error['hint']}"
        assert error["code"] == "invalid_sample" and all(words in told for words in case.refused), told
        return
    said = " ".join(report["warnings"])
    assert all(words in said for words in case.said), said
    assert report["sample"]["told"] == [w for w in report["warnings"] if w in report["sample"]["told"]]
    assert report["metrics"]["value"]["error_rate"] < 0.05, report["errors"]
    assert report["drift"]["status"] == report["explanation"]["status"] == "ok", report["errors"]
    if case.score is None:
        assert report["accuracy"]["status"] == case.status, report["accuracy"]
        return
    assert report["accuracy"]["status"] == "ok", report["accuracy"]
    scores = report["accuracy"]["value"]
    assert (scores["accuracy"] or scores["r2"]) >= case.score, scores
    assert report["errors"] == []
