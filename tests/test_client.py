"""The example client against the real API: its exit codes, its summary, its files, its messages."""

import http.server
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest

from auth import new_token
from example_client import client_api_example
from example_client.client_api_example import main, summary
from records.base import Section
from records.checks import Check
from records.run import RunError, RunReport
from settings import PROJECT_ROOT
from tests.support.api_server import Server, report_of, running_api, test_settings
from tests.support.sample_reports import sample_report, stopped_report


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_api(test_settings(tmp_path_factory.mktemp("client"))) as running:
        yield running


@pytest.fixture(autouse=True)
def a_working_worker(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(client_api_example, "POLL_S", 0.05)
    monkeypatch.setattr(client_api_example, "PAUSE_S", 0.01)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)  # the tests' own job may be one
    monkeypatch.delenv("MODEL_DASHBOARD_URL", raising=False)
    yield
    server.worker.behave = report_of
    server.worker.resume()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "iris.pkl"
    path.write_bytes(b"model")
    return path


@pytest.mark.parametrize(
    ("status", "code"), [("passed", 0), ("warned", 0), ("failed", 1), ("error", 2), ("cancelled", 2)]
)
def test_the_exit_code_is_the_verdict(server: Server, model: Path, status: str, code: int) -> None:
    server.worker.behave = lambda row: report_of(row, status=status)
    assert main([str(model), "--url", server.url]) == code


def test_a_run_without_a_report_is_never_a_pass(
    server: Server, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.worker.behave = lambda row: None
    assert main([str(model), "--url", server.url]) == 2
    assert "The model's process died." in capsys.readouterr().err


def test_a_run_that_takes_too_long_says_where_to_follow_it(
    server: Server, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.worker.pause()
    assert main([str(model), "--url", server.url, "--wait", "0.2"]) == 2
    assert f"{server.url}/run?run=" in capsys.readouterr().err


def test_it_asks_until_the_report_is_there(server: Server, model: Path) -> None:
    server.worker.pause()
    threading.Timer(0.5, server.worker.resume).start()
    server.worker.behave = lambda row: report_of(row, status="passed")
    assert main([str(model), "--url", server.url]) == 0


def test_everything_given_reaches_the_run(server: Server, model: Path, tmp_path: Path) -> None:
    sample, schema, config = tmp_path / "rows.csv", tmp_path / "schema.json", tmp_path / "config.json"
    sample.write_text("a,label\n0.5,1\n0.7,0\n")
    schema.write_text(json.dumps({"features": [{"name": "a", "type": "number", "min": 0, "max": 1}]}))
    config.write_text(json.dumps({"rows": 9, "name": "replaced"}))
    arguments = [str(model), "--url", server.url, "--sample", str(sample), "--target", "label"]
    main([*arguments, "--schema", str(schema), "--config", str(config), "--name", "mine"])
    newest = server.client.get("/api/v1/runs?limit=1").json()["runs"][0]
    row = server.services.store.runs.get(newest["id"])
    assert row is not None
    assert (row.name, row.plan.rows, row.target, row.sample_name) == ("mine", 9, "label", "rows.csv")
    assert (row.source, row.model_name) == ("client", "iris.pkl")
    assert row.user_schema is not None


def test_json_may_be_given_in_the_line_itself(
    server: Server, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([str(model), "--url", server.url, "--config", '{"rows": 11}'])
    newest = server.client.get("/api/v1/runs?limit=1").json()["runs"][0]
    row = server.services.store.runs.get(newest["id"])
    assert row is not None and row.plan.rows == 11
    assert main([str(model), "--url", server.url, "--config", '{"rows": }']) == 2
    assert "The config is not JSON" in capsys.readouterr().err


def test_what_labels_mean_may_be_said_in_the_line(
    server: Server, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([str(model), "--url", server.url, "--target-map", "a=b=1", "--target-map", "No=0"])
    newest = server.client.get("/api/v1/runs?limit=1").json()["runs"][0]
    row = server.services.store.runs.get(newest["id"])
    assert row is not None and row.plan.target_map == {"a=b": "1", "No": "0"}
    assert main([str(model), "--url", server.url, "--target-map", "Yes"]) == 2
    assert "such as --target-map Yes=1" in capsys.readouterr().err


def test_a_server_that_asks_for_a_token_gets_the_environments(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    token, entry = new_token("ci", "run")
    with running_api(test_settings(tmp_path, api_tokens=entry)) as guarded:
        assert main([str(model), "--url", guarded.url]) == 2
        assert "Authorization: Bearer" in capsys.readouterr().err
        monkeypatch.setenv("MODEL_DASHBOARD_TOKEN", token)
        assert main([str(model), "--url", guarded.url]) == 0


def test_the_files_asked_for_are_written(server: Server, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    names = {"--junit": out / "junit.xml", "--html": out / "report.html", "--json": out / "report.json"}
    arguments = [part for option, path in names.items() for part in (option, str(path))]
    main([str(model), "--url", server.url, *arguments])
    assert ElementTree.parse(names["--junit"]).getroot().tag == "testsuites"
    assert names["--html"].read_text().lower().startswith("<!doctype html>")
    assert RunReport.model_validate_json(names["--json"].read_bytes()).status == sample_report().status


def test_the_summary_names_verdict_figures_failing_checks_and_the_page() -> None:
    report = sample_report()
    lines = summary(report.model_dump(mode="json"), "http://host:1").splitlines()
    assert lines[0].startswith(f"{report.status.upper()}  {report.model.name}")
    assert lines[-1].endswith(f"http://host:1/run?run={report.id}")
    text = "\n".join(lines)
    for check in report.checks:
        assert (check.title in text) == (check.status in ("fail", "error", "warn"))
    assert report.explanation.value is not None
    top = max(report.explanation.value.importance, key=lambda each: each.mean_abs)
    assert f"{top.feature} {top.mean_abs:.3g}" in text
    assert report.metrics.value is not None
    assert f"p95 {report.metrics.value.latency[0].p95_ms:.3g} ms" in text
    labelled = ("latency, 1 row", "throughput", "error rate", "checks", "report")
    found = [line for line in lines if line.startswith(tuple(f"  {label}" for label in labelled))]
    assert len(found) == len(labelled)
    assert all(line[17] == " " and line[18] != " " for line in found)


def test_the_summary_tells_properties_and_what_is_measured() -> None:
    report = sample_report().model_dump(mode="json")
    report["robustness"]["value"]["properties"] = [
        {"name": "dtype", "sentence": "Needs doubles.", "advice": ""}
    ]
    report["checks"][0]["status"] = "measured"
    lines = summary(report, "http://h").splitlines()
    assert "  properties      Needs doubles." in lines
    assert any(line.startswith("  checks ") and "1 measured" in line for line in lines)
    del report["robustness"]["value"]["properties"]  # of an older server
    assert "properties" not in summary(report, "http://h")


def test_the_summary_of_a_model_that_did_not_load_is_the_cause_and_one_line_of_the_rest() -> None:
    report = stopped_report()
    lines = summary(report.model_dump(mode="json"), "http://h").splitlines()
    assert lines == [
        "ERROR  notes.pkl",
        f"  {report.errors[0].message}",
        f"  {report.errors[0].hint}",
        "  NOT JUDGED 9 checks: The run ended before this part.",
        f"  report          http://h/run?run={report.id}",
    ]


def test_of_a_broken_gate_the_reasons_come_before_the_figures() -> None:
    unanswered: Any = Section.failed("The model answered none.")
    told = "It could not be judged: The model answered none."
    checks = (
        Check(id="error_rate", title="Error rate", status="fail", reason="100 % breaks the limit."),
        Check(id="drift_x", title="Drift", status="error", reason=told),
        Check(id="robustness_behaviour", title="Behaviour", status="error", reason=told),
        Check(id="score", title="Score", status="error", reason="It could not be judged: No labels."),
    )
    errors = (RunError(code="predict_failed", stage="predict", message="ValueError: no", hint="Row 0."),)
    report = sample_report(status="failed", checks=checks, errors=errors, drift=unanswered)
    lines = summary(report.model_dump(mode="json"), "http://h").splitlines()
    assert lines[1:6] == [
        "  FAIL  Error rate: 100 % breaks the limit.",
        "  MISSED predict: ValueError: no",
        "  Row 0.",
        "  NOT JUDGED 2 checks: The model answered none.",
        "  NOT JUDGED Score: No labels.",
    ]
    assert lines[6].startswith("  latency, 1 row")


def test_no_server_is_said_in_so_many_words(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert main([str(model), "--url", f"http://localhost:{port}"]) == 2
    assert f"There is no server at http://localhost:{port}: start it with ./run.sh" in capsys.readouterr().err


@pytest.mark.parametrize("url", ["localhost:8501", "ftp://localhost", "http://[", "", "http://local host"])
def test_a_url_that_is_none_is_refused_readably(
    model: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(model), "--url", url]) == 2
    assert "URL" in capsys.readouterr().err


def test_a_problem_is_printed_with_what_to_do(
    server: Server, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.json"
    config.write_text('{"rowz": 3}')
    assert main([str(model), "--url", server.url, "--config", str(config)]) == 2
    error = capsys.readouterr().err
    assert "The run's config cannot be used (HTTP 422)" in error
    assert "rowz: unknown key" in error
    assert "Did you mean `rows`?" in error


@pytest.mark.parametrize(
    ("option", "content", "message"),
    [
        ("--config", "[1]", "not a JSON object"),
        ("--config", "{", "not JSON"),
        ("--schema", "{", "not JSON"),
        ("--schema", None, "cannot be read"),
        ("--sample", None, "cannot be read"),
    ],
)
def test_a_local_file_at_fault_is_named(
    server: Server, model: Path, tmp_path: Path, option: str, content: str | None, message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    path = tmp_path / "given.json"
    if content is not None:
        path.write_text(content)
    assert main([str(model), "--url", server.url, option, str(path)]) == 2
    error = capsys.readouterr().err
    assert str(path) in error
    assert message in error


def test_a_missing_model_and_a_model_over_the_limit(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "big.pkl"
    assert main([str(path), "--url", server.url]) == 2
    assert "cannot be read" in capsys.readouterr().err
    path.write_bytes(b"x" * 1_500_000)
    assert main([str(path), "--url", server.url]) == 2
    assert "too large (HTTP 413)" in capsys.readouterr().err


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """A server that is not ours."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as foreign:
        threading.Thread(target=foreign.serve_forever, daemon=True).start()
        yield f"http://localhost:{foreign.server_address[1]}"
        foreign.shutdown()


@pytest.mark.parametrize(
    ("problem", "told", "plain"),
    [
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number", "Try --url http://house:1", True),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate", "SSL_CERT_FILE", False),
    ],
)
def test_plain_http_is_proposed_only_where_https_is_not_spoken(problem: str, told: str, plain: bool) -> None:
    """Behind a certificate that is not trusted a token must not be sent in clear."""
    message = str(client_api_example._unreachable("https://house:1", httpx.ConnectError(problem)))
    assert told in message and problem in message
    assert ("http://" in message) is plain


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, b"<html>page</html>"), (200, b"[]"), (502, b"Bad gateway"), (200, b'{"ok": 1}')],
)
def test_a_server_that_is_not_ours_is_never_a_pass(
    model: Path, status: int, body: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    with answering(status, body) as url:
        assert main([str(model), "--url", url]) == 2
    assert "not this API's" in capsys.readouterr().err


def test_it_runs_as_a_script_with_the_url_from_the_environment(server: Server, model: Path) -> None:
    server.worker.behave = lambda row: report_of(row, status="failed")
    done = subprocess.run(
        [sys.executable, str(PROJECT_ROOT / "example_client" / "client_api_example.py"), str(model)],
        env={"MODEL_DASHBOARD_URL": server.url, "PATH": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("FAILED  ")
