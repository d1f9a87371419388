"""The example client within a job: config files, retries, interrupts, GitHub, pipes, a server of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from example_client import client_api_example as client
from example_client.client_api_example import main
from records.checks import Check
from settings import PROJECT_ROOT
from store.run_rows import RunRow
from tests.support.api_server import Server, report_of, running_api, test_settings
from tests.support.live_server import ExampleOnDisk

CLIENT = PROJECT_ROOT / "example_client" / "client_api_example.py"
BROKEN = Check(
    id="gate:metrics.latency[1].p95_ms <= 2", title="metrics.latency[1].p95_ms <= 2", status="fail",
    value=2.8, threshold=2.0, unit="ms", interval=(2.6, None), gate=True, reason="2.8 ms: 50 % more\n::add-mask::x",
)  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_api(test_settings(tmp_path_factory.mktemp("job"))) as running:
        yield running


@pytest.fixture(autouse=True)
def outside_of_any_job(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in list(os.environ):
        if name.startswith(("GITHUB_", "MODEL_DASHBOARD_")):
            monkeypatch.delenv(name)
    monkeypatch.setattr(client, "POLL_S", 0.05)
    monkeypatch.setattr(client, "PAUSE_S", 0.01)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "iris.pkl").write_bytes(b"model")
    yield
    server.worker.behave = report_of
    server.worker.resume()


def newest(server: Server) -> RunRow:
    found = server.client.get("/api/v1/runs?limit=1").json()["runs"][0]
    row = server.services.store.runs.get(found["id"])
    assert row is not None
    return row


def started(server: Server, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("GITHUB_", "MODEL_DASHBOARD_"))}
    return subprocess.Popen(
        [sys.executable, str(CLIENT), "iris.pkl", "--url", server.url, *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=plain | environment,
    )  # fmt: skip


def test_gates_tags_baseline_and_model_of_the_line_reach_the_run(server: Server) -> None:
    main(["iris.pkl", "--url", server.url])
    first = newest(server)
    gates = ["metrics.latency[1].p95_ms <= 50", "accuracy.roc_auc >= baseline - 0.01"]
    given = ["--gate", gates[0], "--gate", gates[1], "--tag", "main", "--tag", "ci", "--model", "churn"]
    config = json.dumps({"gates": {"p95_ms": 20}, "tags": ["ci"]})
    main(["iris.pkl", "--url", server.url, *given, "--baseline", first.id, "--config", config])
    plan = newest(server).plan
    assert (plan.gates.expressions, plan.gates.p95_ms) == (tuple(gates), 20)
    assert (plan.tags, plan.model, plan.baseline) == (("ci", "main"), "churn", first.id)


def test_a_toml_file_in_the_folder_holds_config_and_options(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.csv").write_text("a,label\n0.5,1\n0.7,0\n")
    (tmp_path / "gates.toml").write_text(
        'rows = 12\nmodel = "churn"\ngates = ["metrics.error_rate <= 0.01"]\n'
        f'[client]\nfile = "iris.pkl"\nsample = "data/rows.csv"\ntarget = "label"\nurl = "{server.url}"\n'
        'markdown = "out/report.md"\nwait = 60\n'
    )
    assert main(["--gate", "metrics.load_ms <= 900"]) == 0
    row = newest(server)
    assert (row.plan.rows, row.plan.model, row.target, row.sample_name) == (12, "churn", "label", "rows.csv")
    assert row.plan.gates.expressions == ("metrics.error_rate <= 0.01", "metrics.load_ms <= 900")
    assert (tmp_path / "out" / "report.md").read_text().startswith("## ")
    main(["--target", "a", "--config", "gates.toml"])
    assert newest(server).target == "a", "the line goes before the file"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("gates = [", "is not TOML"),
        ('[client]\ntoken = "x"', "MODEL_DASHBOARD_TOKEN"),
        ('[client]\nmodle = "x"', "client.modle is unknown"),
        ('gates = ["metrics.latency[1].p95 <= 5"]', "metrics.latency[*].p95_ms"),
    ],
)
def test_a_toml_file_at_fault_is_told(
    server: Server, tmp_path: Path, text: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gates.toml").write_text(text)
    assert main(["iris.pkl", "--url", server.url]) == 2
    assert told in capsys.readouterr().err


def test_a_name_without_a_file_says_what_is_lacking(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--model", "churn"])
    assert ended.value.code == 2
    assert "--model is the name that its versions share" in capsys.readouterr().err


def test_the_link_comes_before_the_verdict_and_stages_are_lines_without_a_terminal(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.worker.pause()
    with started(server) as running:
        assert running.stderr is not None and running.stdout is not None
        link = running.stderr.readline()
        assert f"{server.url}/run?run={newest(server).id}" in link
        assert running.poll() is None
        server.worker.resume()
        told = running.stderr.read()
        assert running.stdout.read().startswith("WARNED  ")
    assert "queued" in told and "\r" not in told


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("detach", [False, True])
def test_a_signal_cancels_the_run_unless_it_is_detached(
    server: Server, number: signal.Signals, detach: bool
) -> None:
    server.worker.pause()
    with started(server, *(["--detach"] if detach else [])) as running:
        assert running.stderr is not None
        assert "/run?run=" in running.stderr.readline()
        running.send_signal(number)
        told = running.stderr.read()
    assert running.returncode == 2
    assert newest(server).state == ("queued" if detach else "cancelled")
    assert ("The run goes on" if detach else "The run is cancelled") in told
    assert "Traceback" not in told


def test_all_attempts_have_one_key_and_wait_as_long_as_they_are_told(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No room, then a gateway without its server, then a broken connection: one run."""
    keys: list[str] = []
    faults: list[Any] = [httpx.Response(429, headers={"Retry-After": "7"}), httpx.Response(503),
                         httpx.ConnectError("refused")]  # fmt: skip
    waited: list[float] = []
    send = httpx.Client.send

    def flaky(self: httpx.Client, request: httpx.Request, **options: Any) -> httpx.Response:
        if request.method == "POST":
            keys.append(request.headers["Idempotency-Key"])
            if faults:
                fault = faults.pop(0)
                if isinstance(fault, Exception):
                    raise fault
                answer: httpx.Response = fault
                return answer
        return send(self, request, **options)

    monkeypatch.setattr(httpx.Client, "send", flaky)
    monkeypatch.setattr(time, "sleep", lambda seconds: waited.append(seconds))
    before = server.client.get("/api/v1/runs").json()["total"]
    assert main(["iris.pkl", "--url", server.url]) == 0
    assert len(keys) == 4 and len(set(keys)) == 1
    assert waited[0] == 7 and waited[1] < waited[2]
    assert server.client.get("/api/v1/runs").json()["total"] == before + 1
    assert "HTTP 429" in capsys.readouterr().err


def test_an_answer_that_got_lost_makes_no_second_run(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    send, posts = httpx.Client.send, []

    def lossy(self: httpx.Client, request: httpx.Request, **options: Any) -> httpx.Response:
        answer = send(self, request, **options)
        if request.method == "POST":
            posts.append(answer)
            if len(posts) == 1:
                raise httpx.ReadError("broke")
        return answer

    monkeypatch.setattr(httpx.Client, "send", lossy)
    before = server.client.get("/api/v1/runs").json()["total"]
    assert main(["iris.pkl", "--url", server.url]) == 0
    assert len(posts) == 2
    assert server.client.get("/api/v1/runs").json()["total"] == before + 1


def test_no_room_is_told_when_it_lasts_longer_than_the_wait(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    problem = {"title": "Too busy", "detail": "100 runs wait."}
    full = httpx.Response(429, headers={"Retry-After": "60"}, json=problem)
    monkeypatch.setattr(httpx.Client, "send", lambda *a, **k: full)
    assert main(["iris.pkl", "--url", server.url, "--wait", "5"]) == 2
    assert "Too busy (HTTP 429)" in capsys.readouterr().err


def test_on_github_broken_gates_are_annotations_and_names_are_no_commands(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "summary.md"
    page.write_text("before\n")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    warned = Check(id="score", title="Score, of all: 2", status="warn", reason="Low.")
    server.worker.behave = lambda row: report_of(row, status="failed", checks=(BROKEN, warned))
    assert main(["iris.pkl", "--url", server.url]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("::error title=metrics.latency[1].p95_ms <= 2::2.8 ms") for line in lines)
    assert any("50 %25 more%0A::add-mask::x" in line for line in lines if line.startswith("::error"))
    assert "::warning title=Score%2C of all%3A 2::Low." in lines
    begun = next(i for i, line in enumerate(lines) if line.startswith("::stop-commands::"))
    ended = lines.index(f"::{lines[begun].removeprefix('::stop-commands::')}::")
    inside = [i for i, line in enumerate(lines) if line.startswith("::add-mask")]
    assert inside and all(begun < i < ended for i in inside)
    assert page.read_text().startswith("before\n## ")


def test_on_github_what_could_not_be_tested_is_an_annotation(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert main(["absent.pkl", "--url", "http://localhost:1"]) == 2
    assert "::error title=The model could not be tested::The model file absent.pkl" in capsys.readouterr().out


def test_a_closed_pipe_is_quiet_and_keeps_the_exit_code(server: Server, tmp_path: Path) -> None:
    server.worker.behave = lambda row: report_of(row, status="failed")
    command = f"'{sys.executable}' '{CLIENT}' iris.pkl --url {server.url} --json out.json | true"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr and "BrokenPipe" not in done.stderr
    assert (tmp_path / "out.json").exists()


def test_a_name_moves_no_terminal(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    reason = "\x1b[2J\x07gone"
    check = Check(id="score", title="Score", status="fail", reason=reason)
    server.worker.behave = lambda row: report_of(row, status="failed", checks=(check,))
    main(["iris.pkl", "--url", server.url])
    out = capsys.readouterr().out
    assert "[2Jgone" in out and "\x1b" not in out and "\x07" not in out


@pytest.mark.parametrize("token", [None, "secret"])
def test_the_server_hands_its_client_out_to_anybody(
    server: Server, tmp_path: Path, token: str | None
) -> None:
    if token:
        with running_api(test_settings(tmp_path, api_tokens="ci:run:" + "0" * 64)) as guarded:
            answer = httpx.get(f"{guarded.url}/client.py", trust_env=False)
            assert httpx.get(f"{guarded.url}/api/v1/runs", trust_env=False).status_code == 401
    else:
        answer = httpx.get(f"{server.url}/client.py", trust_env=False)
        refused = httpx.post(f"{server.url}/client.py", trust_env=False)
        assert refused.status_code == 405 and refused.json()["status"] == 405
    assert answer.status_code == 200 and answer.content == CLIENT.read_bytes()
    assert answer.headers["content-type"].startswith("text/x-python")


def test_a_server_of_the_jobs_own_tests_a_real_model_and_is_gone_afterwards(
    examples: dict[str, ExampleOnDisk], tmp_path: Path
) -> None:
    """A copy of the client alone, as a job has it; the second job finds the first one's run."""
    example = next(iter(examples.values()))
    copy = tmp_path / "client.py"
    copy.write_bytes(CLIENT.read_bytes())
    kept = ["--local", "--server-dir", str(PROJECT_ROOT), "--data-dir", str(tmp_path / "kept")]
    quick = ["--config", '{"rows": 200, "robustness": {"checks": ["determinism"]}}', "--model", "example"]
    for more in ([], ["--baseline", "latest:example", "--gate", "model.bytes <= baseline * 1.01"]):
        done = subprocess.run(
            [sys.executable, str(copy), str(example.model), *kept, *quick, *more, "--json", "report.json"],
            capture_output=True, text=True, timeout=240, check=False, env=os.environ | {"API_TOKENS": "x"},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        port = done.stderr.partition("http://localhost:")[2].partition("/")[0]
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"http://localhost:{port}/health", trust_env=False)
    report = json.loads((tmp_path / "report.json").read_text())
    statuses = {check["id"]: check["status"] for check in report["checks"]}
    assert statuses["gate:model.bytes <= baseline * 1.01"] == "pass"


def test_where_no_server_is_it_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["iris.pkl", "--local", "--server-dir", str(tmp_path)]) == 2
    assert "name its folder with --server-dir" in capsys.readouterr().err
