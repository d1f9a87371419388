"""Models by name over HTTP, and the baseline that a run's config means by `latest:` and `pinned:`."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from execution.results import kept_figures
from records.run import RunReport
from store.run_rows import RunRow, RunSummary
from tests.support.api_server import Server, report_of, running_api, test_settings

CHURN = {"config": '{"model": "churn"}'}


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_api(test_settings(tmp_path_factory.mktemp("api"))) as running:
        store = running.services.store.runs
        finish = store.finish

        def with_figures(id: str, attempt: int, state: Any, report: Any, summary: RunSummary) -> bool:
            figures = kept_figures(RunReport.model_validate(report))
            return finish(id, attempt, state, report, summary, figures=figures)

        store.finish = with_figures  # type: ignore[method-assign,assignment]
        yield running


def submitted(server: Server, **options: Any) -> str:
    answer = server.submit(**options)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def read(server: Server, path: str, **query: Any) -> Any:
    answer = server.client.get(f"/api/v1/models{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def change(server: Server, name: str, **values: Any) -> httpx.Response:
    return server.client.patch(f"/api/v1/models/{name}", json=values)


def failing(row: RunRow) -> RunReport:
    return report_of(row, status="failed")


def test_a_run_belongs_to_the_model_that_its_config_names_or_to_its_file(server: Server) -> None:
    submitted(server)
    submitted(server, content=b"other", data=CHURN)
    newest = submitted(server, data=CHURN)
    found = {m["name"]: m for m in read(server, "")["models"]}
    assert [m["name"] for m in read(server, "")["models"]] == ["churn", "iris"]
    assert (found["churn"]["runs"], found["churn"]["versions"]) == (2, 2)
    assert found["churn"]["latest"]["id"] == newest and found["iris"]["runs"] == 1
    assert read(server, "/churn")["latest"]["id"] == newest
    report = server.client.get(f"/api/v1/runs/{newest}").json()
    assert report["id"] == newest


def test_a_name_that_an_address_cannot_hold_is_refused(server: Server) -> None:
    answer = server.submit(data={"config": '{"model": "a/b"}'})
    assert answer.status_code == 422 and answer.json()["field"] == "config.model"


def test_an_unknown_model_is_a_problem_that_says_where_they_are(server: Server) -> None:
    for path in ("/nothing", "/nothing/trend?figure=metrics.load_ms"):
        answer = server.client.get(f"/api/v1/models{path}")
        assert answer.status_code == 404 and "/api/v1/models" in answer.json()["hint"]


def test_the_latest_run_that_held_is_the_baseline_and_one_that_failed_is_none(server: Server) -> None:
    first = submitted(server, data=CHURN)
    tagged = submitted(server, data={"config": '{"model": "churn", "tags": ["main"]}'})
    server.worker.behave = failing
    submitted(server, data=CHURN)

    def baseline(selector: str) -> str | None:
        id = submitted(server, data={"config": f'{{"model": "churn", "baseline": "{selector}"}}'})
        row = server.services.store.runs.get(id)
        assert row is not None
        return row.baseline_id

    assert baseline("latest:churn") == tagged
    assert baseline("latest") == tagged
    assert baseline("latest:churn@main") == tagged
    assert baseline("latest:churn@other") is None
    assert baseline(first) == first
    assert change(server, "churn", pinned_run_id=first).json()["pinned_run_id"] == first
    assert baseline("pinned:churn") == first


def test_a_baseline_that_is_not_there_is_refused_before_anything_runs(server: Server) -> None:
    submitted(server, data=CHURN)
    for selector, hint in (("pinned:churn", "Pin one"), ("20261121-101500-3f9a2c41d0", "latest:MODEL")):
        answer = server.submit(data={"config": f'{{"baseline": "{selector}"}}'})
        assert answer.status_code == 422 and answer.json()["field"] == "config.baseline"
        assert hint in answer.json()["hint"]


def test_gates_kept_for_a_model_hold_for_its_runs_and_find_themselves_a_baseline(server: Server) -> None:
    first = submitted(server, data=CHURN)
    kept = {"min_score": 0.5, "expressions": ["metrics.load_ms <= baseline * 2"]}
    assert change(server, "churn", gates=kept).json()["gates"]["min_score"] == 0.5
    id = submitted(server, data={"config": '{"model": "churn", "gates": {"p95_ms": 20}}'})
    row = server.services.store.runs.get(id)
    assert row is not None and row.baseline_id == first
    assert (row.plan.gates.p95_ms, row.plan.gates.min_score) == (20, 0.5)
    assert row.plan.gates.expressions == ("metrics.load_ms <= baseline * 2",)
    assert change(server, "churn", gates=None).json()["gates"] is None


def test_a_gate_that_is_none_is_refused_where_it_is_kept(server: Server) -> None:
    submitted(server, data=CHURN)
    answer = change(server, "churn", gates={"expressions": ["metrics.lod_ms <= 2"]})
    assert answer.status_code == 422 and "metrics.load_ms" in answer.text


def test_what_is_pinned_is_a_finished_run_of_the_model(server: Server) -> None:
    churn, iris = submitted(server, data=CHURN), submitted(server)
    assert change(server, "churn", pinned_run_id=iris).status_code == 404
    assert change(server, "churn", pinned_run_id=churn).status_code == 200
    assert change(server, "churn", pinned_run_id=None).json()["pinned_run_id"] is None
    server.worker.behave = lambda row: None
    broken = server.submit(data=CHURN).json()["id"]
    assert change(server, "churn", pinned_run_id=broken).status_code == 409


def test_a_pin_ends_with_its_run(server: Server) -> None:
    first = submitted(server, data=CHURN)
    submitted(server, data=CHURN)
    change(server, "churn", pinned_run_id=first)
    assert server.client.delete(f"/api/v1/runs/{first}").status_code == 204
    answer = server.submit(data={"config": '{"model": "churn", "baseline": "pinned:churn"}'})
    assert answer.status_code == 422


def test_notes_are_kept_and_what_is_left_out_stays(server: Server) -> None:
    id = submitted(server, data=CHURN)
    change(server, "churn", notes="The one of March.", pinned_run_id=id)
    assert change(server, "churn").json()["notes"] == "The one of March."
    assert read(server, "/churn")["pinned_run_id"] == id
    assert change(server, "churn", notes="x" * 10_001).status_code == 422


def test_any_figure_can_be_followed_over_the_runs_of_a_model(server: Server) -> None:
    ids = [submitted(server, data=CHURN) for _ in range(3)]
    found = read(server, "/churn/trend", figure="metrics.latency[1].p95_ms")
    report = server.client.get(f"/api/v1/runs/{ids[0]}").json()
    p95 = report["metrics"]["value"]["latency"][0]["p95_ms"]
    assert [(point["run_id"], point["value"]) for point in found["points"]] == [(id, p95) for id in ids]
    assert len(read(server, "/churn/trend", figure="metrics.load_ms", limit=2)["points"]) == 2
    missing = read(server, "/churn/trend", figure="metrics.latency[7].p95_ms")
    assert {point["value"] for point in missing["points"]} == {None}
    refused = server.client.get("/api/v1/models/churn/trend", params={"figure": "metrics.p95"})
    assert refused.status_code == 422 and refused.json()["field"] == "figure"
