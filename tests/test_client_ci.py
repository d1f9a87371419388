"""What CI systems and pytest are handed: their scripts run as those run them, against a real server."""

import http.server
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from records.checks import Check
from settings import PROJECT_ROOT
from tests.support.api_server import Server, report_of, running_api, test_settings

pytest_plugins = ["pytester"]
CLIENT_DIR = PROJECT_ROOT / "example_client"
ACTION: dict[str, Any] = yaml.safe_load((CLIENT_DIR / "action.yml").read_text("utf-8"))
GITLAB: dict[str, Any] = yaml.safe_load((CLIENT_DIR / "gitlab-ci.yml").read_text("utf-8"))
GATES = ("metrics.latency[1].p95_ms <= 2", "model.bytes <= 1000000")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_api(test_settings(tmp_path_factory.mktemp("ci"))) as running:
        yield running


@pytest.fixture(autouse=True)
def broken_in_the_first_gate(server: Server, tmp_path: Path) -> Iterator[None]:
    checks = tuple(
        Check(id=f"gate:{gate}", title=gate, status=status, value=2.8, threshold=2.0, unit="ms",
              interval=(2.6, None), reason=f"It is {status}.", gate=True)
        for gate, status in zip(GATES, ("fail", "pass"), strict=True)
    )  # fmt: skip
    server.worker.behave = lambda row: report_of(
        row, status="failed" if row.plan.gates.expressions else "passed",
        checks=checks if row.plan.gates.expressions else checks[1:],
    )  # fmt: skip
    (tmp_path / "iris.pkl").write_bytes(b"model")
    yield
    server.worker.behave = report_of


class Steps:
    """The `run:` steps of the composite action, one after the other, as a runner does it."""

    def __init__(self, folder: Path, inputs: dict[str, str], **environment: str) -> None:
        self.folder, self.output = folder, folder / "output.txt"
        known = {name: str(each.get("default", "")) for name, each in ACTION["inputs"].items()}
        assert set(inputs) <= set(known)
        self.values = {f"inputs.{name}": value for name, value in (known | inputs).items()}
        self.values |= {"github.action_path": str(CLIENT_DIR), "github.token": "token-of-job"}
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("GITHUB_", "MODEL_DASHBOARD_"))},
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": str(self.output), "GITHUB_REF_NAME": "feature/x",
            "GITHUB_STEP_SUMMARY": str(folder / "summary.md"), **environment,
        }  # fmt: skip

    def __call__(self, name: str) -> "subprocess.CompletedProcess[str]":
        step = next(each for each in ACTION["runs"]["steps"] if each["name"] == name)
        own = {key: self._filled(str(value)) for key, value in step.get("env", {}).items()}
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.folder, env=self.environment | own, capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip

    def _filled(self, text: str) -> str:
        def value_of(found: re.Match[str]) -> str:
            for name in found[1].split("||"):
                value = self.values[name.strip()]
                if value := (self.values["github.token"] if "github.token" in value else value):
                    return value
            return ""

        return re.sub(r"\$\{\{\s*(.*?)\s*\}\}", value_of, text)


def test_no_input_of_the_action_is_ever_part_of_a_script() -> None:
    """What a pull request says is data: in the environment, never in the shell's own text."""
    scripts = [step["run"] for step in ACTION["runs"]["steps"] if "run" in step]
    assert scripts and not [script for script in scripts if "${{" in script]
    assert all(step["shell"] == "bash" for step in ACTION["runs"]["steps"] if "run" in step)


def test_the_action_is_red_with_the_gate_and_keeps_every_report(server: Server, tmp_path: Path) -> None:
    inputs = {"model": "iris.pkl", "url": server.url, "gates": "\n".join(GATES) + "\n", "tags": "a b\nnight",
              "model-name": "churn; touch owned"}  # fmt: skip
    steps = Steps(tmp_path, inputs)
    assert steps("Provide httpx").returncode == 0
    done = steps("Test the model")
    assert done.returncode == 1, done.stderr
    assert steps.output.read_text() == "exit-code=1\n"
    assert f"::error title={GATES[0]}::It is fail." in done.stdout.splitlines()
    row = server.services.store.runs.get(server.client.get("/api/v1/runs?limit=1").json()["runs"][0]["id"])
    assert row is not None and row.plan.model == "churn; touch owned"
    assert row.plan.tags == ("feature/x", "a b", "night") and row.plan.gates.expressions == GATES
    assert not (tmp_path / "owned").exists()
    failure = ElementTree.parse(tmp_path / "model-gate" / "junit.xml").find(".//failure")
    assert failure is not None and GATES[0] in failure.attrib["message"]
    assert "limit at most 2 ms, interval 2.6 ms to open" in failure.attrib["message"]
    assert {each.name for each in (tmp_path / "model-gate").iterdir()} == {
        "junit.xml", "report.html", "report.json", "report.md",
    }  # fmt: skip
    assert (tmp_path / "summary.md").read_text() == (tmp_path / "model-gate" / "report.md").read_text()


def test_the_action_is_green_without_a_broken_gate_and_told_what_it_lacks(
    server: Server, tmp_path: Path
) -> None:
    assert Steps(tmp_path, {"model": "iris.pkl", "url": server.url})("Test the model").returncode == 0
    absent = Steps(tmp_path, {"model": "absent.pkl", "url": server.url})("Test the model")
    assert absent.returncode == 2 and "absent.pkl cannot be read" in absent.stderr


@contextmanager
def github(
    status: int = 201, comments: list[dict[str, Any]] | None = None
) -> Iterator[tuple[str, list[Any]]]:
    """GitHub's comments of one pull request, and the changes that were asked for."""
    kept = comments or []
    asked: list[Any] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = int(self.path.rpartition("page=")[2])
            self._answer(200, kept[(page - 1) * 100 : page * 100])

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append((self.command, self.path, self.headers["Authorization"], body["body"]))
            self._answer(status, {"html_url": "https://github.example/c/1"})

        do_PATCH = do_POST

        def _answer(self, status: int, document: Any) -> None:
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}", asked
        running.shutdown()


def of_a_pull_request(folder: Path, api: str) -> Steps:
    (folder / "event.json").write_text(json.dumps({"pull_request": {"number": 7}}))
    (folder / "model-gate").mkdir()
    (folder / "model-gate" / "report.md").write_text("## Failed: churn\n")
    return Steps(folder, {"model": "iris.pkl"}, GITHUB_EVENT_PATH=str(folder / "event.json"),
                 GITHUB_REPOSITORY="we/models", GITHUB_API_URL=api, NO_PROXY="*")  # fmt: skip


def test_the_comment_is_made_once_and_then_replaced(tmp_path: Path) -> None:
    with github() as (api, asked):
        done = of_a_pull_request(tmp_path, api)("Comment on the pull request")
    assert done.returncode == 0 and "https://github.example/c/1" in done.stdout
    method, path, token, body = asked[0]
    assert (method, path, token) == ("POST", "/repos/we/models/issues/7/comments", "Bearer token-of-job")
    mark, _, text = body.partition("\n")
    assert text == "## Failed: churn\n" and "iris.pkl" in mark
    others = [{"id": n, "body": "<!-- model-gate: other.pkl -->"} for n in range(100)]
    with github(200, [*others, {"id": 555, "body": body}]) as (api, asked):
        Steps(tmp_path, {"model": "iris.pkl"}, GITHUB_EVENT_PATH=str(tmp_path / "event.json"),
              GITHUB_REPOSITORY="we/models", GITHUB_API_URL=api)("Comment on the pull request")  # fmt: skip
    assert [each[:2] for each in asked] == [("PATCH", "/repos/we/models/issues/comments/555")]


@pytest.mark.parametrize("status", [403, 500])
def test_a_comment_that_may_not_be_written_is_a_notice(tmp_path: Path, status: int) -> None:
    with github(status) as (api, _):
        done = of_a_pull_request(tmp_path, api)("Comment on the pull request")
    assert done.returncode == 0 and done.stdout.startswith("::notice title=No comment::")
    assert str(status) in done.stdout


def test_without_a_report_or_a_pull_request_there_is_no_comment(tmp_path: Path) -> None:
    steps = Steps(tmp_path, {"model": "iris.pkl"})
    assert "There is no report" in steps("Comment on the pull request").stdout
    (tmp_path / "model-gate").mkdir()
    (tmp_path / "model-gate" / "report.md").write_text("x")
    assert "of no pull request" in steps("Comment on the pull request").stdout


@pytest.mark.parametrize(("gates", "code"), [("", 0), ("\n".join(GATES), 1)])
def test_the_job_of_gitlab_fetches_its_client_and_ends_with_the_verdict(
    server: Server, tmp_path: Path, gates: str, code: int
) -> None:
    job = GITLAB[".model-gate"]
    own = {
        "MODEL": "iris.pkl",
        "GATES": gates,
        "MODEL_DASHBOARD_URL": server.url,
        "CI_COMMIT_REF_NAME": "main",
    }
    path = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "no_proxy": "*"}
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", "\n".join(job["script"])], cwd=tmp_path, capture_output=True,
        env={**os.environ, **job["variables"], **own, **path}, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert ElementTree.parse(tmp_path / job["artifacts"]["reports"]["junit"]).getroot().tag == "testsuites"
    newest = server.client.get("/api/v1/runs?limit=1").json()["runs"][0]
    assert newest["tags"] == ["main"] and newest["source"] == "client"


TESTS = """
def test_report(model_report):
    assert model_report["model"]["name"] and model_report.url
    assert not model_report.broken, model_report.broken

def test_gate(model_gate):
    assert model_gate["status"] in ("pass", "warn"), model_gate["reason"]
"""


def pytest_with_plugin(pytester: pytest.Pytester, server: Server, *arguments: str) -> pytest.RunResult:
    for name in ("pytest_model_gate.py", "client_api_example.py"):
        (pytester.path / name).write_bytes((CLIENT_DIR / name).read_bytes())
    (pytester.path / "iris.pkl").write_bytes(b"model")
    pytester.makeconftest('pytest_plugins = ["pytest_model_gate"]')
    gates = "".join(f"\n  {gate}" for gate in GATES)
    pytester.makeini(f"[pytest]\nmodel_gate_url = {server.url}\nmodel_gate_gates ={gates}")
    pytester.makepyfile(test_model=TESTS)
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:xdist", *arguments)


def test_the_plugin_tests_each_gate_of_one_run(server: Server, pytester: pytest.Pytester) -> None:
    before = server.client.get("/api/v1/runs").json()["total"]
    result = pytest_with_plugin(pytester, server, "--model-gate-file", "iris.pkl")
    result.assert_outcomes(failed=2, passed=1)
    result.stdout.fnmatch_lines(["E *AssertionError: It is fail."])
    assert server.client.get("/api/v1/runs").json()["total"] == before + 1


def test_the_plugins_options_go_before_its_ini(server: Server, pytester: pytest.Pytester) -> None:
    given = (
        "--model-gate",
        GATES[1],
        "--model-gate-name",
        "churn",
        "-k",
        "gate",
        "--model-gate-file",
        "iris.pkl",
    )
    pytest_with_plugin(pytester, server, *given).assert_outcomes(passed=1, deselected=1)
    row = server.services.store.runs.get(server.client.get("/api/v1/runs?limit=1").json()["runs"][0]["id"])
    assert row is not None and row.plan.model == "churn" and row.plan.gates.expressions == GATES[1:]


def test_the_plugin_says_why_there_is_no_report(server: Server, pytester: pytest.Pytester) -> None:
    result = pytest_with_plugin(pytester, server, "-k", "report")
    result.assert_outcomes(errors=1, deselected=2)
    result.stdout.fnmatch_lines(["*Name the model's file: model_gate_file*"])
    result = pytest_with_plugin(pytester, server, "-k", "report", "--model-gate-file", "absent.pkl")
    result.stdout.fnmatch_lines(["*The model file absent.pkl cannot be read*"])
