"""The wire contract over real sockets: uploads, waits, errors, exports, and who may do what."""

import base64
import hashlib
import http.client
import json
import re
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
import sqlalchemy as sa
import streamlit

from errors import DashboardError
from lockdown import lock
from records.restarts import Restarts
from records.run import RunPlan, RunReport
from routes import guard
from routes.reference import error_classes
from store.tables import run_reports
from tests.support.api_server import Server, report_of, running_api, test_settings
from tests.support.sample_reports import sample_report
from tests.support.waiting import WAIT_S, wait_until

PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_api(test_settings(tmp_path_factory.mktemp("api"))) as running:
        yield running


@pytest.fixture(autouse=True)
def a_working_worker(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "server" in request.fixturenames:
        running: Server = request.getfixturevalue("server")
        running.worker.behave = report_of
        running.worker.resume()


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == PROBLEM
    document: dict[str, Any] = response.json()
    assert document["code"] == code
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]
    return document


def finished_run(server: Server, **options: Any) -> str:
    response = server.submit(**options)
    assert response.status_code == 200, response.text
    run_id: str = response.json()["id"]
    return run_id


# Submitting


def test_a_model_alone_is_enough_and_answers_with_the_report(server: Server) -> None:
    response = server.submit()
    assert response.status_code == 200
    report = RunReport.model_validate_json(response.content)
    assert report.status == sample_report().status
    assert report.source == "api"
    assert response.headers["location"] == f"/api/v1/runs/{report.id}"
    assert "schema" in response.json()


def test_both_paths_create_the_same_resource(server: Server) -> None:
    response = server.client.post("/api/v1/runs?wait=20", files={"model": ("a.pkl", b"x")})
    assert response.status_code == 200
    assert server.client.get(response.headers["location"]).json() == response.json()


def test_config_schema_sample_and_target_reach_the_run(server: Server) -> None:
    schema = {"features": [{"name": "a", "type": "number", "min": 0, "max": 1}]}
    run_id = finished_run(
        server,
        files={
            "sample": ("rows.csv", b"a,label\n0.5,1\n0.7,0\n"),
            "config": ("config.json", json.dumps({"rows": 7, "name": "seven", "tags": ["ci"]}).encode()),
        },
        data={"schema": json.dumps(schema), "target": "label"},
        headers={"X-Source": "client"},
    )
    row = server.services.store.runs.get(run_id)
    assert row is not None
    assert (row.plan.rows, row.name, row.tags, row.target) == (7, "seven", ("ci",), "label")
    assert (row.sample_name, row.model_name, row.source) == ("rows.csv", "iris.pkl", "client")
    assert row.user_schema is not None
    assert row.user_schema.features[0].max == 1


def test_a_run_that_is_not_finished_in_time_is_accepted_with_links(server: Server) -> None:
    server.worker.pause()
    response = server.submit(wait=0)
    assert response.status_code == 202
    document = response.json()
    assert (document["status"], document["stage"]) == ("queued", "queued")
    assert response.headers["location"] == document["links"]["self"]
    assert int(response.headers["retry-after"]) > 0
    assert server.client.get(document["links"]["self"]).json() == document
    server.worker.resume()
    wait_until(lambda: "checks" in server.client.get(document["links"]["self"]).json())


def test_the_same_idempotency_key_gives_the_same_run_and_another_form_is_a_conflict(server: Server) -> None:
    headers = {"Idempotency-Key": "key-1"}
    first, again = finished_run(server, headers=headers), finished_run(server, headers=headers)
    assert first == again
    problem(server.submit(b"other model", headers=headers), 409, "conflict")
    problem(server.submit(headers={"Idempotency-Key": "x" * 201}), 422, "invalid_input")


def test_a_client_that_leaves_loses_its_wait_and_not_its_run(server: Server) -> None:
    server.worker.pause()
    before = server.client.get("/api/v1/runs").json()["total"]
    with pytest.raises(httpx.ReadTimeout):
        server.submit(wait=600, timeout=httpx.Timeout(WAIT_S, read=1))
    server.worker.resume()
    wait_until(lambda: server.client.get("/api/v1/runs").json()["total"] == before + 1)
    newest = server.client.get("/api/v1/runs?limit=1").json()["runs"][0]
    wait_until(lambda: "checks" in server.client.get(newest["links"]["self"]).json())


def test_many_waiting_callers_do_not_hold_up_the_others(server: Server) -> None:
    """Forty waits are more than there are threads; a health check and a list must not notice."""
    server.worker.pause()
    answers: list[int] = []
    waiting = [
        threading.Thread(target=lambda: answers.append(server.submit(wait=120, timeout=120).status_code))
        for _ in range(40)
    ]
    for thread in waiting:
        thread.start()
    wait_until(lambda: server.client.get("/api/v1/runs?status=queued").json()["total"] >= 40)
    assert server.client.get("/health", timeout=10).status_code == 200
    server.worker.resume()
    for thread in waiting:
        thread.join()
    assert answers == [200] * 40


# Refusing


@pytest.mark.parametrize(
    ("form", "code", "field"),
    [
        ({"config": "{nonsense"}, "invalid_config", "config"),
        ({"config": "[1]"}, "invalid_config", "config"),
        ({"config": '{"rows": 0}'}, "invalid_config", "config.rows"),
        ({"config": '{"rowz": 5}'}, "invalid_config", "config.rowz"),
        ({"config": '{"gates": {"min_score": NaN}}'}, "invalid_config", "config"),
        ({"config": "[" * 100_000}, "invalid_config", "config"),
        ({"schema": "{nonsense"}, "invalid_schema", "schema"),
        ({"colour": "red"}, "invalid_input", "colour"),
        ({"sample": "a,b"}, "invalid_input", "sample"),
        ({"target": "x" * 201}, "invalid_input", "target"),
    ],
)
def test_a_field_at_fault_is_named(server: Server, form: dict[str, str], code: str, field: str) -> None:
    document = problem(server.submit(data=form), 422, code)
    assert document["field"].startswith(field)


def test_a_sample_that_nobody_reads_in_time_is_taken_unread(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker may be starting: the run waits for it all the same, and says then what is wrong."""
    monkeypatch.setattr("routes.runs.READING_WAIT_S", 0.1)
    server.worker.pause()
    try:
        response = server.submit(files={"sample": ("a.csv", b"a,b\n1\n")}, wait=0)
        assert response.status_code == 202
    finally:
        server.worker.resume()


def test_a_schema_that_the_sample_does_not_complete_is_refused(server: Server) -> None:
    schema = json.dumps({"features": [{"name": "colour", "type": "category"}]})
    sample = {"sample": ("a.csv", b"a,label\n1,0\n2,1\n")}
    response = server.submit(data={"schema": schema, "target": "label"}, files=sample)
    assert (
        "'colour' is of type category without categories"
        in problem(response, 422, "invalid_schema")["detail"]
    )


def test_a_report_that_cannot_be_read_is_a_problem_with_advice_and_can_be_deleted(server: Server) -> None:
    run_id = server.submit().json()["id"]
    with server.services.store._database.writing() as connection:
        damaged = sample_report().model_dump(mode="json") | {"finished_at": "1e308"}
        connection.execute(
            sa.update(run_reports).where(run_reports.c.run_id == run_id).values(report=damaged)
        )
    for path in (f"/api/v1/runs/{run_id}", f"/api/v1/runs/{run_id}/report.html"):
        found = problem(server.client.get(path), 404, "not_found")
        assert "finished_at is at fault" in found["detail"] and "Delete the run" in found["hint"]
    assert server.client.delete(f"/api/v1/runs/{run_id}").status_code == 204


def test_a_form_without_a_model_says_how_to_send_one(server: Server) -> None:
    response = server.client.post("/run_tests", files={"sample": ("a.csv", b"a\n1\n")})
    assert problem(response, 422, "invalid_input")["field"] == "model"
    assert (
        "curl -F model=@" in problem(server.client.post("/run_tests", json={}), 422, "invalid_input")["hint"]
    )
    as_text = server.client.post("/run_tests", files={"model": (None, "text")})
    assert problem(as_text, 422, "invalid_input")["field"] == "model"


def test_an_empty_model_and_an_empty_optional_part(server: Server) -> None:
    assert problem(server.submit(b""), 422, "invalid_input")["field"] == "model"
    assert server.submit(data={"schema": "", "target": "", "config": " "}).status_code == 200


def test_two_models_are_refused(server: Server) -> None:
    parts = [("model", ("a.pkl", b"a")), ("model", ("b.pkl", b"b"))]
    problem(server.client.post("/run_tests", files=parts), 422, "invalid_input")


def test_a_thousand_parts_are_refused(server: Server) -> None:
    response = server.client.post("/run_tests", files=[("model", (f"{i}.pkl", b"x")) for i in range(1000)])
    assert "Too many files" in problem(response, 422, "invalid_input")["detail"]


def test_a_file_over_the_limit_is_413_and_named(server: Server) -> None:
    too_long = server.submit(b"x" * 1_500_000)
    assert problem(too_long, 413, "too_large")["field"] == "model"


def raw_answer(server: Server, head: str, body: bytes) -> httpx.Response:
    """The answer to bytes sent as they are; nothing more of the body follows."""
    host, _, port = server.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(head.encode() + body)
        parts = http.client.HTTPResponse(connection, method="POST")
        parts.begin()
        return httpx.Response(parts.status, headers=parts.getheaders(), content=parts.read())


@pytest.mark.parametrize("framing", ["Content-Length: 8000000", "Transfer-Encoding: chunked"])
def test_a_body_over_the_limit_is_413_before_it_is_read_to_its_end(server: Server, framing: str) -> None:
    head = (
        "POST /run_tests HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: multipart/form-data; boundary=cut\r\n{framing}\r\n\r\n"
    )
    part = b'--cut\r\nContent-Disposition: form-data; name="model"; filename="m.pkl"\r\n\r\n'
    if "chunked" in framing:  # no declared length to go by: 3.5 MB of a body that would go on
        part = b"".join(
            f"{len(each):x}\r\n".encode() + each + b"\r\n" for each in [part, *[b"x" * 500_000] * 7]
        )
    problem(raw_answer(server, head, part), 413, "too_large")


def test_a_path_as_file_name_is_only_its_last_part(server: Server) -> None:
    response = server.client.post("/run_tests?wait=20", files={"model": ("../../etc/x.pkl", b"x")})
    row = server.services.store.runs.get(response.json()["id"])
    assert row is not None
    assert row.model_name == "x.pkl"


@pytest.mark.parametrize("wait", ["-1", "601", "nan", "inf", "soon"])
def test_a_wait_that_is_no_wait_is_422(server: Server, wait: str) -> None:
    document = problem(server.submit(wait=wait), 422, "invalid_input")
    assert document["errors"][0]["field"] == "wait"


# Paths and methods


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/api", "/api/", "/api/v2/runs", "/api/v1/run", "/run_tests/", "/health/x"])
def test_an_unknown_api_path_is_a_problem_and_never_the_dashboard(
    server: Server, method: str, path: str
) -> None:
    problem(server.client.request(method, path), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/run_tests", "POST"),
        ("PUT", "/api/v1/runs", "GET, POST"),
        ("POST", "/api/v1/runs/abc", "DELETE, GET, PATCH"),
        ("POST", "/api/v1/runs/abc/report.html", "GET"),
        ("GET", "/api/v1/runs/abc/cancel", "POST"),
        ("POST", "/health", "GET, HEAD"),
        ("DELETE", "/metrics", "GET"),
        ("POST", "/api/v1/runs/compare", "GET"),  # which fits the path of a run as well
    ],
)
def test_a_wrong_method_is_405_and_names_the_right_ones(
    server: Server, method: str, path: str, allow: str
) -> None:
    response = server.client.request(method, path)
    problem(response, 405, "method_not_allowed")
    assert response.headers["allow"] == allow


def test_every_other_path_is_the_dashboards(server: Server) -> None:
    for path in ("/", "/run?run=1", "/runs", "/apis"):
        assert server.client.get(path).text == "THE DASHBOARD"


def test_an_unexpected_error_says_nothing_of_the_inside_and_gives_an_id_to_look_for(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(*_: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr("runs.get_run", breaks)
    response = server.client.get("/api/v1/runs/abc")
    document = problem(response, 500, "internal_error")
    assert "secret" not in response.text
    error_id = document["instance"].removeprefix("urn:error:")
    assert error_id in document["hint"]
    assert error_id in caplog.text
    assert "secret detail" in caplog.text


def test_errors_of_the_tree_carry_their_own_status_and_code(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in error_classes():

        def fails(*_: object, kind: type[DashboardError] = kind) -> None:
            raise kind("It broke.", hint="Mend it.", field="part")

        monkeypatch.setattr("runs.get_run", fails)
        document = problem(server.client.get("/api/v1/runs/abc"), kind.status, kind.code)
        assert (document["title"], document["detail"]) == (kind.title, "It broke.")
        assert (document["hint"], document["field"]) == ("Mend it.", "part")


# Reading


def test_a_run_has_an_etag_that_changes_only_with_the_run(server: Server) -> None:
    server.worker.pause()
    path = server.submit(wait=0).headers["location"]
    early = server.client.get(path).headers["etag"]
    assert server.client.get(path, headers={"If-None-Match": early}).status_code == 304
    server.worker.resume()
    wait_until(lambda: "checks" in server.client.get(path).json())
    late = server.client.get(path, headers={"If-None-Match": early})
    assert late.status_code == 200
    unchanged = server.client.get(path, headers={"If-None-Match": f'"x", W/{late.headers["etag"]}'})
    assert (unchanged.status_code, unchanged.content) == (304, b"")


def test_a_run_without_a_report_reads_as_its_progress_with_the_reason(server: Server) -> None:
    server.worker.behave = lambda row: None
    response = server.submit()
    assert response.status_code == 200
    assert response.json()["status"] == "error"
    assert response.json()["message"] == "The model's process died."


def test_the_list_is_filtered_and_paged_without_loss(server: Server) -> None:
    config = json.dumps({"tags": ["paging"]})
    ids = [finished_run(server, data={"config": config}) for _ in range(5)]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        query = {"tag": "paging", "limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = server.client.get("/api/v1/runs", params=query).json()
        assert page["total"] == 5
        seen += [run["id"] for run in page["runs"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert sorted(seen) == sorted(ids)
    status = sample_report().status
    found = server.client.get(
        "/api/v1/runs", params={"tag": "paging", "status": status, "model": "iris"}
    ).json()
    assert found["total"] == 5
    assert found["runs"][0]["p95_ms"] == 1.5
    assert server.client.get("/api/v1/runs?tag=paging&status=cancelled").json()["total"] == 0
    problem(server.client.get("/api/v1/runs?cursor=nonsense"), 422, "invalid_input")
    problem(server.client.get("/api/v1/runs?limit=0"), 422, "invalid_input")
    problem(server.client.get("/api/v1/runs?status=happy"), 422, "invalid_input")


def test_two_runs_compare_side_by_side(server: Server) -> None:
    first, second = finished_run(server), finished_run(server)
    comparison = server.client.get("/api/v1/runs/compare", params={"ids": f"{first},{second}"}).json()
    assert comparison["ids"] == [first, second]
    p95 = next(row for row in comparison["rows"] if row["direction"] == "lower" and row["unit"] == "ms")
    assert p95["values"][0] == p95["values"][1]
    assert p95["best"] is None
    problem(server.client.get(f"/api/v1/runs/compare?ids={first}"), 422, "invalid_input")
    problem(server.client.get(f"/api/v1/runs/compare?ids={first},nosuchrun"), 404, "not_found")
    problem(server.client.get("/api/v1/runs/compare"), 422, "invalid_input")


@pytest.mark.parametrize("bad", ["nosuchrun", "a" * 100, "a%00b", "..%2f..%2fetc", "%22%3E"])
def test_an_id_that_is_none_is_404_everywhere(server: Server, bad: str) -> None:
    for tail in ("", "/report.html", "/junit.xml", "/report.md", "/metrics.csv", "/events", "/artifacts/x"):
        problem(server.client.get(f"/api/v1/runs/{bad}{tail}"), 404, "not_found")
    problem(server.client.delete(f"/api/v1/runs/{bad}"), 404, "not_found")
    problem(server.client.post(f"/api/v1/runs/{bad}/cancel"), 404, "not_found")


def test_a_deleted_run_is_gone_and_an_active_one_is_not_deleted(server: Server) -> None:
    path = f"/api/v1/runs/{finished_run(server)}"
    assert server.client.delete(path).status_code == 204
    problem(server.client.get(path), 404, "not_found")
    problem(server.client.delete(path), 404, "not_found")
    server.worker.pause()
    problem(server.client.delete(server.submit(wait=0).headers["location"]), 409, "conflict")


def test_a_queued_run_can_be_cancelled_once(server: Server) -> None:
    server.worker.pause()
    path = server.submit(wait=0).headers["location"]
    cancelled = server.client.post(f"{path}/cancel")
    assert cancelled.status_code == 200
    assert cancelled.json()["status"] == "cancelled"
    problem(server.client.post(f"{path}/cancel"), 409, "conflict")


def events(server: Server, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    with server.client.stream("GET", f"{path}/events") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        kind = ""
        for line in response.iter_lines():
            name, _, value = line.partition(": ")
            if name == "event":
                kind = value
            elif name == "data":
                yield kind, json.loads(value)


def test_events_follow_a_run_to_its_end(server: Server) -> None:
    server.worker.pause()
    path = server.submit(wait=0).headers["location"]
    stream = events(server, path)
    kind, first = next(stream)
    assert (kind, first["status"]) == ("progress", "queued")
    server.worker.resume()
    rest = list(stream)
    assert [kind for kind, _ in rest].count("done") == 1
    kind, last = rest[-1]
    assert (kind, last["status"], last["progress"]) == ("done", sample_report().status, 1.0)
    assert next(iter(events(server, path)))[0] == "done"


# Exports


def test_the_html_report_runs_nothing_and_downloads_on_request(server: Server) -> None:
    path = f"/api/v1/runs/{finished_run(server)}/report.html"
    response = server.client.get(path)
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert response.headers["content-disposition"].startswith("inline")
    download = server.client.get(path, params={"download": 1})
    assert download.headers["content-disposition"].startswith("attachment")
    assert download.content == response.content


def test_junit_markdown_and_csv_are_served_as_what_they_are(server: Server) -> None:
    base = f"/api/v1/runs/{finished_run(server)}"
    junit = server.client.get(f"{base}/junit.xml")
    assert junit.headers["content-type"].startswith("application/xml")
    assert ElementTree.fromstring(junit.content).tag == "testsuites"
    assert server.client.get(f"{base}/report.md").headers["content-type"] == "text/markdown; charset=utf-8"
    assert server.client.get(f"{base}/metrics.csv").headers["content-type"] == "text/csv; charset=utf-8"


def test_an_unfinished_run_has_no_exports_yet(server: Server) -> None:
    server.worker.pause()
    path = server.submit(wait=0).headers["location"]
    assert "events" in problem(server.client.get(f"{path}/report.html"), 409, "conflict")["hint"]


def test_an_artifact_is_sent_as_a_file_and_an_unknown_one_is_404(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = finished_run(server)
    problem(server.client.get(f"/api/v1/runs/{run_id}/artifacts/secrets.txt"), 404, "not_found")
    file = tmp_path / "content"
    file.write_bytes(b"PAR1")
    monkeypatch.setattr("runs.artifact", lambda services, run_id, name: file)
    response = server.client.get(f"/api/v1/runs/{run_id}/artifacts/rows.parquet")
    assert response.content == b"PAR1"
    assert response.headers["content-type"] == "application/vnd.apache.parquet"
    assert f"{run_id}-rows.parquet" in response.headers["content-disposition"]
    thresholds = server.client.get(f"/api/v1/runs/{run_id}/artifacts/thresholds.json")
    assert thresholds.headers["content-type"] == "application/json"


# Who may do what


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:1", "https://localhost", ""]
)
def test_a_foreign_page_may_not_change_anything(server: Server, origin: str) -> None:
    headers = {"Origin": origin}
    problem(server.submit(headers=headers), 403, "forbidden")
    for method, path in (("DELETE", "/api/v1/runs/abc"), ("POST", "/api/v1/runs/abc/cancel"), ("PUT", "/")):
        problem(server.client.request(method, path, headers=headers), 403, "forbidden")
    assert server.client.get("/api/v1/runs", headers=headers).status_code == 200


def test_our_own_page_and_a_caller_without_an_origin_may(server: Server) -> None:
    assert server.submit(headers={"Origin": server.url}).status_code == 200
    assert server.submit().status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8501", "localhost.evil.example", "[::2]", "["]
)
def test_a_name_that_was_pointed_at_us_is_not_answered(server: Server, host: str) -> None:
    for path in ("/api/v1/runs", "/health", "/"):
        problem(server.client.get(path, headers={"Host": host}), 403, "forbidden")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:9", "[::1]:8501", "LOCALHOST:8501"])
def test_names_of_this_machine_are_answered(server: Server, host: str) -> None:
    assert server.client.get("/health", headers={"Host": host}).status_code == 200


def test_a_listed_origin_may_and_gets_cors_headers(tmp_path: Path) -> None:
    listed = "https://ci.example"
    with running_api(test_settings(tmp_path, cors_origins=f"{listed}/, http://b.example")) as server:
        response = server.submit(headers={"Origin": listed})
        assert response.status_code == 200
        assert response.headers["access-control-allow-origin"] == listed
        asked = {"Origin": listed, "Access-Control-Request-Method": "DELETE"}
        preflight = server.client.options("/api/v1/runs/abc", headers=asked)
        assert preflight.status_code == 200
        assert "DELETE" in preflight.headers["access-control-allow-methods"]
        other = server.client.get("/health", headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers
        assert server.client.get("/health", headers={"Host": "ci.example"}).status_code == 200
        page = server.client.get("/", headers={"Origin": listed})
        assert "access-control-allow-origin" not in page.headers


def test_bound_to_every_address_any_name_is_answered_but_origins_must_match(tmp_path: Path) -> None:
    with running_api(test_settings(tmp_path, host="0.0.0.0", api_tokens="open")) as server:
        lan = {"Host": "gpu-box.lan:8501"}
        assert server.client.get("/health", headers=lan).status_code == 200
        assert server.submit(headers=lan | {"Origin": "http://gpu-box.lan:8501"}).status_code == 200
        problem(server.submit(headers=lan | {"Origin": "http://evil.example:8501"}), 403, "forbidden")
        behind_tls = {"Host": "models.example", "Origin": "https://models.example"}
        assert server.submit(headers=behind_tls).status_code == 200


def test_api_answers_carry_security_headers(server: Server) -> None:
    run_id = finished_run(server)
    for path in ("/health", "/api/v1/runs", f"/api/v1/runs/{run_id}/report.html", "/docs", "/api/nothing"):
        headers = server.client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"


def test_the_dashboards_answers_carry_security_headers_and_keep_their_own(server: Server) -> None:
    for path in ("/", "/runs", "/_stcore/health"):
        headers = server.client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-frame-options"] == "SAMEORIGIN"
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'self'" and policy["frame-ancestors"] == "'self'"
        assert "http" not in str(policy) and "*" not in str(policy)  # no other host
        assert "unsafe" not in policy["script-src"].replace("'wasm-unsafe-eval'", "")
        assert "cache-control" not in headers  # Streamlit's: what is named by its hash is kept for a year


def test_the_policy_knows_the_script_within_the_dashboards_page() -> None:
    """It is part of Streamlit's page: a new Streamlit may bring another, and then a new hash belongs here."""
    page = Path(streamlit.__file__).parent / "static" / "index.html"
    scripts = re.findall(r"<script>(.*?)</script>", page.read_text("utf-8"), re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    assert [f"sha256-{each}" for each in hashes] == [guard.STREAMLIT_SCRIPT]


def test_an_operator_can_keep_runs_from_loosening_the_policy(tmp_path: Path) -> None:
    config = {"config": '{"policy": "contained"}'}
    with running_api(test_settings(tmp_path, contained_on_request=False)) as server:
        document = problem(server.submit(data=config), 422, "invalid_config")
        assert document["field"] == "config.policy" and "CONTAINED_ON_REQUEST" in document["hint"]
        assert server.submit().status_code == 200
    with running_api(test_settings(tmp_path / "other")) as server:
        assert server.submit(data=config).status_code == 200
        assert server.submit(data={"config": '{"policy": "unsafe"}'}).status_code == 422


# Operating


def test_health_answers_even_without_services(server: Server) -> None:
    assert server.client.get("/health").json() == {"status": "ok", "version": "0.1.0"}
    assert server.client.head("/health").status_code == 200


def test_ready_is_503_while_the_worker_is_down_or_the_store_cannot_be_written(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = server.client.get("/ready").json()
    assert ready["status"] == "ready"
    assert ready["lock"] == {"full": lock.probe().full, "layers": list(lock.layers())}
    with monkeypatch.context() as patch:
        patch.setattr(server.supervisor, "alive", False)
        assert "worker" in problem(server.client.get("/ready"), 503, "unavailable")["detail"]

    def full() -> None:
        raise OSError("disk full")

    monkeypatch.setattr(server.services.store, "check_writable", full)
    response = server.client.get("/ready")
    assert "store" in problem(response, 503, "unavailable")["detail"]
    assert response.headers["retry-after"]


def test_a_worker_that_lets_work_lie_is_not_ready(tmp_path: Path) -> None:
    """Its process is there all the time, as that of a stopped or stuck one is."""
    with running_api(test_settings(tmp_path, lease_s=0.2)) as server:
        server.worker.pause()
        assert server.client.get("/ready").status_code == 200
        server.submit(wait=0)
        wait_until(lambda: server.client.get("/ready").status_code == 503)
        assert "jobs wait" in problem(server.client.get("/ready"), 503, "unavailable")["detail"]
        assert "model_dashboard_worker_up 0\n" in server.client.get("/metrics").text
        server.worker.resume()
        wait_until(lambda: server.client.get("/ready").status_code == 200)


def test_operators_are_told_how_often_and_why_the_worker_was_started_again(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    never = {"total": 0, "silent": 0, "last_at": None, "last_reason": ""}
    assert server.client.get("/ready").json()["worker_restarts"] == never
    when = datetime(2026, 3, 1, 12, tzinfo=UTC)
    restarts = Restarts(total=3, silent=2, last_at=when, last_reason="It gave no sign of life for 15 s.")
    monkeypatch.setattr(server.supervisor, "restarts", restarts)
    assert server.client.get("/ready").json()["worker_restarts"] == restarts.model_dump(mode="json")
    lines = server.client.get("/metrics").text.splitlines()
    assert "model_dashboard_worker_restarts_total 3" in lines
    assert "model_dashboard_worker_replacements_total 2" in lines


def test_before_the_start_is_over_the_api_says_so(server: Server) -> None:
    del server.app.state.services
    try:
        problem(server.client.get("/api/v1/runs"), 503, "unavailable")
        assert server.client.get("/health").status_code == 200
    finally:
        server.app.state.services = server.services


def test_metrics_count_runs_by_state_and_are_prometheus_text(server: Server) -> None:
    finished_run(server)
    server.worker.pause()
    server.submit(wait=0)
    response = server.client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    figures = dict(
        line.rsplit(" ", 1) for line in response.text.splitlines() if line and not line.startswith("#")
    )
    queued = server.client.get("/api/v1/runs?status=queued").json()["total"]
    assert int(figures["model_dashboard_queue_length"]) == queued > 0
    assert int(figures[f'model_dashboard_runs{{state="{sample_report().status}"}}']) > 0
    assert figures["model_dashboard_worker_up"] == "1"
    assert int(figures["model_dashboard_process_resident_memory_bytes"]) > 10_000_000


def test_the_reference_needs_no_network_and_covers_every_route_and_error(server: Server) -> None:
    page = server.client.get("/docs")
    assert "script" not in page.headers["content-security-policy"]
    assert "<script" not in page.text
    assert "https://" not in page.text
    for path in server.client.get("/openapi.json").json()["paths"]:
        assert path in page.text
    for kind in error_classes():
        assert f'id="{kind.code}"' in page.text


def test_the_written_contract_names_every_route_error_and_config_key(server: Server) -> None:
    text = Path(__file__).parent.parent.joinpath("docs", "api.md").read_text()
    for path in server.client.get("/openapi.json").json()["paths"]:
        assert f"`{path.replace('{run_id}', '{id}')}`" in text or path.replace("{run_id}", "{id}") in text, (
            path
        )
    for kind in error_classes():
        assert f"`{kind.code}`" in text, kind.code
    for key in RunPlan.model_fields:
        assert f"`{key}`" in text, key


def test_waits_and_streams_end_when_the_server_is_told_to_stop(server: Server) -> None:
    server.worker.pause()
    path = server.submit(wait=0).headers["location"]
    stream = events(server, path)
    next(stream)
    server.app.state.stopping = True
    try:
        assert server.submit(wait=600).status_code == 202
        assert [kind for kind, _ in stream] == []
    finally:
        server.app.state.stopping = False


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/runs?cursor=none", 422),
        ("GET", "/api/v1/runs/compare", 422),
        ("GET", "/api/v1/runs/compare?ids=a,b", 404),
        ("GET", "/api/v1/runs/{run_id}", 404),
        ("DELETE", "/api/v1/runs/{run_id}", 404),
        ("DELETE", "/api/v1/runs/{run_id}", 409),
        ("POST", "/api/v1/runs/{run_id}/cancel", 404),
        ("POST", "/api/v1/runs/{run_id}/cancel", 409),
        ("GET", "/api/v1/runs/{run_id}/events", 404),
        ("GET", "/api/v1/runs/{run_id}/report.html", 404),
        ("GET", "/api/v1/runs/{run_id}/report.html", 409),
        ("GET", "/api/v1/runs/{run_id}/junit.xml", 409),
        ("GET", "/api/v1/runs/{run_id}/report.md", 409),
        ("GET", "/api/v1/runs/{run_id}/metrics.csv", 409),
        ("GET", "/api/v1/runs/{run_id}/report.html?download=maybe", 422),
        ("GET", "/api/v1/runs/{run_id}/artifacts/{name}", 404),
        ("POST", "/run_tests", 422),
        ("POST", "/api/v1/runs", 422),
    ],
)
def test_an_error_is_described_as_it_is_answered(server: Server, method: str, path: str, status: int) -> None:
    run_id = "none"
    if status == 409 and path.endswith("/cancel"):
        run_id = finished_run(server)
    elif status == 409:
        server.worker.pause()
        run_id = server.submit(wait=0).json()["id"]
    answer = server.client.request(method, path.format(run_id=run_id, name="none"))
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)
    described = server.client.get("/openapi.json").json()
    operation = described["paths"][path.partition("?")[0]][method.lower()]
    content = operation["responses"][str(status)]["content"]
    assert list(content) == [PROBLEM]
    assert content[PROBLEM]["schema"] == {"$ref": "#/components/schemas/Problem"}


def test_the_description_has_one_shape_of_error(server: Server) -> None:
    described = server.client.get("/openapi.json").json()
    assert "HTTPValidationError" not in described["components"]["schemas"]
    for operations in described["paths"].values():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                assert int(status) < 400 or list(answer["content"]) == [PROBLEM]


def test_every_reference_in_the_apis_description_resolves(server: Server) -> None:
    """Some are written by name: one to a model that is no longer described would be found by nobody else."""
    text = server.client.get("/openapi.json").text
    described = json.loads(text)["components"]["schemas"]
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', text))
    assert {"RunReport", "RunProgress", "Problem"} <= named <= set(described)
