"""What a newcomer gets wrong at the API and the client: each answer says what happened and what to do."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from example_client.client_api_example import main
from tests.support.api_server import Server, running_api, test_settings

CSV = b"height,label\n1.5,0\n1.7,1\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_api(test_settings(tmp_path_factory.mktemp("messages"))) as running:
        yield running


def problem(server: Server, path: str = "/run_tests", method: str = "POST", **request: Any) -> dict[str, Any]:
    document = server.client.request(method, path, **request).json()
    assert document["detail"] and document["hint"], document
    return dict(document)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("file", "into `model`"), ("Model", "Did you mean `model`?"), ("conf", "Did you mean `config`?")],
)
def test_a_field_of_another_name_leads_to_the_right_one(server: Server, name: str, hint: str) -> None:
    found = problem(server, files={name: ("m.pkl", b"model")})
    assert found["field"] == name and hint in found["hint"]


@pytest.mark.parametrize(
    ("config", "detail", "hint"),
    [
        ("{rows: 5}", "is not JSON", 'such as {"rows": 500'),
        ("[1]", "is not a JSON object", 'such as {"rows": 500'),
        ('{"rows": NaN}', "cannot be read: NaN is no number in JSON", 'such as {"rows": 500'),
        (" " * (2 << 20) + "{}", "cannot be read: it is larger than 1,048,576 bytes", "such as"),
        ({"row": 5}, "row: unknown key", "Did you mean `rows`? Known keys here: name, tags, rows"),
        ({"gates": {"p95": 5}}, "gates.p95: unknown key", "Did you mean `p95_ms`?"),
        ({"drift": {"scenarios": [{"kin": "noise"}]}}, "kin: unknown key", "Did you mean `kind`?"),
        ({"latency": {"zzz": 1}}, "latency.zzz: unknown key", "Known keys here: batch_sizes"),
        ({"rows": 10**8}, "rows: must be at most 1,000,000, not 100000000", "/docs#config"),
        ({"rows": "many"}, 'rows: must be a whole number, not "many"', "/docs#config"),
        ({"timeout_s": -5}, "timeout_s: must be above 0, not -5", "/docs#config"),
        ({"explain": {"method": "tree"}}, "must be 'auto', 'shap', 'permutation', 'lime' or 'none'", "/docs"),
        ({"explain": "shap"}, "explain: must be a JSON object", "/docs#config"),
        ({"baseline": "nope"}, "The baseline run 'nope' does not exist.", "finished run"),
    ],
)
def test_a_config_at_fault(server: Server, config: Any, detail: str, hint: str) -> None:
    text = config if isinstance(config, str) else json.dumps(config)
    found = problem(server, files={"model": ("m.pkl", b"model")}, data={"config": text})
    assert detail in found["detail"] and hint in found["hint"]
    assert found["field"].startswith("config")


@pytest.mark.parametrize(
    ("parts", "field", "detail"),
    [
        ({"model": b""}, "model", "empty"),
        ({"model": "m.pkl"}, "model", "text, not a file"),
        ({"model": b"m", "sample": b"\x80\x04K\x01."}, "sample", "not CSV or Parquet"),
        ({"model": b"m", "sample": CSV, "target": "lable"}, "target", "no column 'lable'"),
        ({"model": b"m", "sample": CSV, "target": CSV}, "target", "not a file"),
        ({"model": b"m", "target": "label"}, "target", "no sample was sent"),
        ({"model": b"m", "schema": '{"features": [{"name": "a", "type": "nubmer"}]}'}, "a", "'nubmer'"),
    ],
)
def test_another_part_at_fault(server: Server, parts: dict[str, Any], field: str, detail: str) -> None:
    files = {name: (None if isinstance(part, str) else f"{name}.pkl", part) for name, part in parts.items()}
    found = problem(server, files=files)
    assert found["field"] == field and detail in found["detail"]


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/run_test", "Did you mean /run_tests?"),
        ("/run_tests/", "Did you mean /run_tests?"),
        ("/app/run_tests", "Did you mean /run_tests?"),
        ("/api/v1/run", "Did you mean /api/v1/runs?"),
        ("/api/v7/models", "The paths are listed at /docs."),
        ("/upload", "The paths are listed at /docs."),
    ],
)
def test_a_mistyped_path_leads_to_the_right_one(server: Server, path: str, hint: str) -> None:
    found = problem(server, path, files={"model": ("m.pkl", b"model")})
    assert (found["status"], found["hint"]) == (404, hint)


def test_the_dashboard_still_has_every_other_path(server: Server) -> None:
    assert server.client.get("/run_test").text == "THE DASHBOARD"
    assert server.client.put("/_stcore/upload_file/x").text == "THE DASHBOARD"


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("wait=soon", 'wait: must be a number, not "soon"'),
        ("wait=-1", 'wait: must be at least 0, not "-1"'),
        ("wait=9999", 'wait: must be at most 600, not "9999"'),
    ],
)
def test_a_query_at_fault(server: Server, query: str, detail: str) -> None:
    found = problem(server, f"/run_tests?{query}", files={"model": ("m.pkl", b"model")})
    assert found["detail"] == detail


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--config", "rows=5"], """Give a JSON file, or the JSON itself: --config '{"rows": 500}'"""),
        (["--config", "{rows: 5}"], "Keys and texts stand in double quotes"),
        (["--schema", "{a}"], """--schema '{"features": ["""),
        (["--config", '{"row": 5}'], "Did you mean `rows`?"),
        (["--token", "t\u00f6ken"], "characters that no token has"),
        (["--url", "{url}/run_tests"], "Check --url: it is the server alone"),
        (["--url", "https{rest}"], "Try --url http://localhost:"),
    ],
)
def test_the_client_says_what_to_do(
    server: Server, tmp_path: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "m.pkl"
    model.write_bytes(b"model")
    rest = server.url.removeprefix("http")
    given = [a.replace("{url}", server.url).replace("{rest}", rest) for a in arguments]
    assert main([str(model), "--url", server.url, *given]) == 2
    assert said in capsys.readouterr().err


def test_the_client_tells_its_own_way_to_give_a_token(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "m.pkl"
    model.write_bytes(b"model")
    entry = f"ci:run:{'0' * 64}"
    with running_api(test_settings(tmp_path, api_tokens=entry)) as guarded:
        for arguments in ([], ["--token", "nope"]):
            assert main([str(model), "--url", guarded.url, *arguments]) == 2
            assert "MODEL_DASHBOARD_TOKEN" in capsys.readouterr().err
