"""A pytest plugin: the report of a model as a fixture, and each gate as a test of its own.

    pytest_plugins = ["pytest_model_gate"]      # in conftest.py; this file and the client lie beside it

    def test_the_model_keeps_its_gates(model_report):
        assert not model_report.broken

    def test_gate(model_gate):                  # one test for each of model_gate_gates
        assert model_gate["status"] in ("pass", "warn"), model_gate["reason"]

pytest.ini or the command line (`--model-gate-file` ...) say what to test, and gates.toml what they leave out.
"""

import hashlib
import os
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

__all__ = ["ModelReport", "model_gate", "model_report"]

SETTINGS = {
    "url": "the server; else MODEL_DASHBOARD_URL",
    "file": "the model's file",
    "sample": "CSV or Parquet file with rows to learn the inputs from",
    "target": "name of the label column in the sample",
    "config": "JSON or TOML file with the run's config",
    "baseline": "run to compare with: its id, latest:MODEL, latest:MODEL@TAG or pinned:MODEL",
    "name": "name that the versions of the model share",
    "wait": "seconds to wait for the report",
}
PATHS = ("file", "sample", "config")
OPTIONS = {"name": "model"}  # what the client calls it, where that differs


class ModelReport(dict[str, Any]):
    """The report, key by key as the API answers with it."""

    url: str
    """The server that it is from."""

    @property
    def broken(self) -> list[str]:
        """Title and reason of each check that failed, and of each gate that could not be judged."""
        return [
            f"{check['title']}: {check['reason']}"
            for check in self["checks"]
            if check["status"] == "fail" or (check["status"] == "error" and check.get("gate"))
        ]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("model gate")
    for name, help in SETTINGS.items():
        group.addoption(f"--model-gate-{name}", dest=f"model_gate_{name}", help=help)
        parser.addini(f"model_gate_{name}", help)
    told = "expression that the report must keep, such as 'accuracy.roc_auc >= 0.9'"
    group.addoption("--model-gate", dest="model_gate_gates", action="append", help=f"{told}; repeatable")
    parser.addini("model_gate_gates", f"{told}; one a line", type="linelist")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `model_gate` runs once for each gate."""
    if "model_gate" in metafunc.fixturenames:
        gates = _gates(metafunc.config)
        metafunc.parametrize("model_gate", gates, indirect=True, ids=gates)


@pytest.fixture(scope="session")
def model_report(pytestconfig: pytest.Config) -> ModelReport:
    """The report of one run a session. What has no verdict fails, with the reason."""
    client = _client()
    arguments = _arguments(pytestconfig)
    # The workers of a parallel session send one key, and so share one run.
    session = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    key = hashlib.sha256(repr((session, arguments)).encode()).hexdigest() if session else None
    try:
        found, url = client.report_of(arguments, key)
    except client.NotJudged as error:
        pytest.fail(str(error), pytrace=False)
    except SystemExit:
        pytest.fail(
            "Name the model's file: model_gate_file in pytest.ini, or --model-gate-file.", pytrace=False
        )
    report = ModelReport(found)
    report.url = url
    return report


@pytest.fixture
def model_gate(request: pytest.FixtureRequest, model_report: ModelReport) -> dict[str, Any]:
    """The check of one gate: `status`, `value`, `threshold`, `interval`, `reason`."""
    gate = request.param.strip()
    check: dict[str, Any] = next(check for check in model_report["checks"] if check["id"] == f"gate:{gate}")
    return check


def _gates(config: pytest.Config) -> list[str]:
    return list(config.getoption("model_gate_gates") or config.getini("model_gate_gates"))


def _arguments(config: pytest.Config) -> list[str]:
    """The client's command line."""
    arguments: list[str] = []
    for gate in _gates(config):
        arguments += ["--gate", gate]
    file = []
    for name in SETTINGS:
        given, kept = config.getoption(f"model_gate_{name}"), config.getini(f"model_gate_{name}")
        if kept and name in PATHS and config.inipath is not None:
            kept = str(config.inipath.parent / kept)
        value = given or kept
        if value and name == "file":
            file = ["--", value]
        elif value:
            arguments += [f"--{OPTIONS.get(name, name)}", value]
    return arguments + file


def _client() -> ModuleType:
    """The client that lies beside this file, wherever both were copied to."""
    path = Path(__file__).with_name("client_api_example.py")
    spec = spec_from_file_location("_model_gate_client", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise pytest.UsageError(f"{path.name} is not beside {Path(__file__).name}; copy both.")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
