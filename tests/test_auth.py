"""Nobody without a token: every route is walked, and what a token may do is what its scope says."""

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.routing import Mount

import auth
import runs
from auth import ANYONE, Access, Grant, access_of, new_token
from errors import TooBusy
from example_models import EXAMPLES
from routes.auth import PUBLIC, Authorization, scope_needed
from routes.guard import Guard
from routes.limits import Buckets
from services import build_services
from settings import Settings
from tests.support.api_server import Server, running_api, test_settings
from tests.support.waiting import wait_until

TOKENS = {scope: new_token(f"the-{scope}-one", scope) for scope in auth.SCOPES}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    entries = ", ".join(entry for _, entry in TOKENS.values())
    with running_api(test_settings(tmp_path_factory.mktemp("auth"), api_tokens=entries)) as running:
        yield running


def bearer(scope: auth.Scope) -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKENS[scope][0]}"}


def settings_of(**values: Any) -> Settings:
    return Settings(_env_file=None, **values)


# Tokens


def test_a_token_is_stored_as_its_hash_alone() -> None:
    token, entry = new_token("ci", "run")
    assert token not in entry
    assert entry == f"ci:run:{hashlib.sha256(token.encode()).hexdigest()}"
    access = access_of(settings_of(api_tokens=entry))
    assert access.grant(token) == Grant("ci", "run")
    assert access.grant(token[:-1]) is None and access.grant("") is None and access.grant(None) is None
    assert access.grant(entry.rpartition(":")[2]) is None


def test_two_tokens_are_never_the_same() -> None:
    assert len({new_token("a", "read")[0] for _ in range(50)}) == 50


@pytest.mark.parametrize(
    ("host", "tokens", "is_open"),
    [
        ("localhost", "", True),
        ("127.0.0.1", "", True),
        ("[::1]", "", True),
        ("0.0.0.0", "", False),
        ("192.168.1.5", "", False),
        pytest.param("localhost", new_token("ci", "run")[1], False, id="localhost-a token-False"),
        ("0.0.0.0", "open", True),
    ],
)
def test_without_tokens_only_this_machine_is_let_in(host: str, tokens: str, is_open: bool) -> None:
    access = access_of(settings_of(host=host, api_tokens=tokens))
    assert access.is_open is is_open
    assert access.grant(None) == (ANYONE if is_open else None)


@pytest.mark.parametrize("entry", ["mmd_a-plain-token", "ci:run:short", "ci:root:" + "a" * 64, "open, open"])
def test_an_entry_that_is_no_hash_stops_the_start_and_says_how_to_make_one(entry: str) -> None:
    with pytest.raises(ValidationError, match=r"python auth.py NAME SCOPE"):
        settings_of(api_tokens=entry)


def test_the_command_prints_a_token_that_its_entry_lets_in(capsys: pytest.CaptureFixture[str]) -> None:
    auth.main(["nightly-ci", "run"])
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    token = next(line for line in lines if line.startswith("mmd_"))
    entry = next(line for line in lines if line.startswith("nightly-ci:"))
    assert access_of(settings_of(api_tokens=entry)).grant(token) == Grant("nightly-ci", "run")


def test_a_scope_includes_those_before_it() -> None:
    allowed = {scope: [s for s in auth.SCOPES if Grant("x", scope).allows(s)] for scope in auth.SCOPES}
    assert allowed == {"read": ["read"], "run": ["read", "run"], "admin": ["read", "run", "admin"]}


# Every route


def all_routes(server: Server) -> list[tuple[str, str]]:
    """(method, path) of each route that the application has, whatever router it came from."""
    found = []
    waiting = list(server.app.routes)
    while waiting:
        route = waiting.pop()
        inner = getattr(route, "original_router", None)
        if isinstance(route, APIRoute):
            found += [(method, route.path) for method in route.methods or ()]
        elif inner is not None:
            waiting += inner.routes
        else:
            assert isinstance(route, Mount) or getattr(route, "path", "") == "/openapi.json", route
    return found


def test_the_walk_finds_the_routes(server: Server) -> None:
    routes = all_routes(server)
    assert {("POST", "/run_tests"), ("GET", "/api/v1/runs"), ("GET", "/metrics")} <= set(routes)
    assert len(routes) > 30


def test_no_route_answers_without_a_token_unless_it_is_listed_as_public(server: Server) -> None:
    assert {"/health", "/client.py", "/sign-in", "/sign-out"} == PUBLIC
    for method, path in [*all_routes(server), ("GET", "/openapi.json"), ("GET", "/api/added/later")]:
        path = path.replace("{run_id}", "x").replace("{name}", "x").replace("{rest:path}", "x")
        answer = server.client.request(method, path)
        if path in PUBLIC:
            assert "www-authenticate" not in answer.headers, (method, path)
            continue
        assert answer.status_code == 401, (method, path)
        assert answer.headers["www-authenticate"] == "Bearer"
        if method != "HEAD":
            assert answer.json()["code"] == "unauthorized"


@pytest.mark.parametrize("path", ["/", "/runs", "/_stcore/host-config", "/static/app.js", "/API/v1/runs"])
def test_the_dashboard_sends_strangers_to_the_sign_in_page(server: Server, path: str) -> None:
    answer = server.client.get(path, params={"run": "1"})
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in?next=/")
    assert "THE DASHBOARD" not in answer.text
    assert server.client.put(path).status_code == 401


def test_an_unknown_token_is_told_apart_from_none(server: Server) -> None:
    answer = server.client.get("/api/v1/runs", headers={"Authorization": "Bearer mmd_guess"})
    assert answer.status_code == 401
    assert "unknown" in answer.json()["detail"]
    for header in ("Basic abc", "Bearer", "Token x"):
        answer = server.client.get("/api/v1/runs", headers={"Authorization": header})
        assert "asks for a token" in answer.json()["detail"]


def socket_answers(layer: Any, headers: dict[str, str]) -> list[str]:
    """What a middleware and the dashboard behind it say to a WebSocket that wants to open."""
    said: list[str] = []

    async def behind(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        said.append(message["type"])

    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "websocket", "path": "/_stcore/stream", "headers": raw, "query_string": b""}
    anyio.run(layer(behind), scope, receive, send)
    return said


def test_the_dashboards_socket_opens_for_a_token_alone(tmp_path: Path) -> None:
    token, entry = new_token("me", "read")
    guarded = partial(Authorization, settings=test_settings(tmp_path, api_tokens=entry))
    assert socket_answers(guarded, {}) == ["websocket.close"]
    assert socket_answers(guarded, {"Cookie": f"{auth.COOKIE}=mmd_guess"}) == ["websocket.close"]
    assert socket_answers(guarded, {"Cookie": f"{auth.COOKIE}={token}"}) == ["websocket.accept"]


def test_a_foreign_pages_socket_is_closed_before_anything_else(tmp_path: Path) -> None:
    guard = partial(Guard, settings=test_settings(tmp_path))
    here, there = {"Host": "localhost:8501"}, {"Origin": "https://evil.example"}
    assert socket_answers(guard, here | there) == ["websocket.close"]
    assert socket_answers(guard, {"Host": "evil.example"}) == ["websocket.close"]
    assert socket_answers(guard, here | {"Origin": "http://localhost:8501"}) == ["websocket.accept"]


# Scopes


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/api/v1/runs", "read"),
        ("HEAD", "/metrics", "read"),
        ("POST", "/run_tests", "run"),
        ("POST", "/api/v1/runs/x/cancel", "run"),
        ("DELETE", "/api/v1/runs/x", "admin"),
        ("PATCH", "/api/v1/added/later", "run"),
        ("PUT", "/_stcore/upload_file/x", "read"),
    ],
)
def test_what_a_request_takes(method: str, path: str, scope: str) -> None:
    assert scope_needed(method, path) == scope


def test_a_reader_reads_a_runner_runs_and_an_admin_deletes(server: Server) -> None:
    assert server.submit(headers=bearer("read")).status_code == 403
    done = server.submit(headers=bearer("run"))
    assert done.status_code == 200
    run = f"/api/v1/runs/{done.json()['id']}"
    assert server.client.get(run, headers=bearer("read")).status_code == 200
    refused = server.client.delete(run, headers=bearer("run"))
    assert refused.status_code == 403
    assert "'the-run-one'" in refused.json()["detail"] and "'admin'" in refused.json()["detail"]
    assert server.client.delete(run, headers=bearer("admin")).status_code == 204


# The sign-in page


@contextmanager
def signed_in(server: Server, scope: auth.Scope) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        answer = client.post("/sign-in", data={"token": TOKENS[scope][0], "next": "/runs?x=1"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/runs?x=1")
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie and "samesite=lax" in cookie
        yield client


def test_signing_in_opens_the_dashboard_and_signing_out_closes_it(server: Server) -> None:
    with signed_in(server, "read") as client:
        assert client.get("/runs").text == "THE DASHBOARD"
        assert "the-read-one" in client.get("/sign-in").text
        client.post("/sign-out")
        assert client.get("/runs").status_code == 303


def test_a_cookie_reads_through_the_api_and_changes_nothing(server: Server) -> None:
    with signed_in(server, "admin") as client:
        assert client.get("/api/v1/runs").status_code == 200
        assert client.post("/run_tests", files={"model": b"x"}).status_code == 401
        assert client.delete("/api/v1/runs/x").status_code == 401


def test_a_wrong_token_is_asked_for_again_and_never_echoed(server: Server) -> None:
    answer = server.client.post("/sign-in", data={"token": "<b>wrong</b>", "next": "/"})
    assert answer.status_code == 401
    assert "unknown here" in answer.text and "wrong" not in answer.text
    assert "set-cookie" not in answer.headers
    assert "form-action 'self'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "target",
    ["//evil.example/", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "\\\\evil", ""],
)
def test_signing_in_never_leads_to_another_server(server: Server, target: str) -> None:
    answer = server.client.post("/sign-in", data={"token": TOKENS["read"][0], "next": target})
    server.client.cookies.clear()
    assert answer.headers["location"] == "/"
    page = server.client.get("/sign-in", params={"next": target}).text
    assert "evil" not in page and "javascript" not in page


def test_a_name_with_markup_stays_text(server: Server) -> None:
    page = server.client.get("/sign-in", params={"next": '/"><script>alert(1)</script>'}).text
    assert "<script>" not in page


def test_a_server_on_the_network_without_tokens_lets_nobody_in_and_says_what_to_do(
    tmp_path: Path,
) -> None:
    with running_api(test_settings(tmp_path, host="0.0.0.0")) as server:
        answer = server.client.get("/api/v1/runs")
        assert answer.status_code == 401
        assert "API_TOKENS" in answer.json()["hint"]
        assert server.client.get("/health").status_code == 200
        page = server.client.get("/", follow_redirects=True)
        assert "auth.py NAME admin" in page.text and "<form" not in page.text


# Limits


def test_a_caller_beyond_its_rate_is_told_when_to_come_back(tmp_path: Path) -> None:
    with running_api(test_settings(tmp_path, rate_per_minute=2)) as server:
        codes = [server.submit().status_code for _ in range(3)]
        assert codes == [200, 200, 429]
        answer = server.submit()
        assert answer.json()["code"] == "too_busy"
        assert 1 <= int(answer.headers["retry-after"]) <= 31
        assert server.client.get("/api/v1/runs").json()["total"] == 2


def test_a_full_queue_refuses_before_anything_is_stored(tmp_path: Path) -> None:
    with running_api(test_settings(tmp_path, max_queue=2)) as server:
        server.worker.pause()
        assert [server.submit(wait=0).status_code for _ in range(3)] == [202, 202, 429]
        refused = server.submit(b"a file that would be stored", wait=0)
        assert "2 runs wait" in refused.json()["detail"] and "retry-after" in refused.headers
        sha256 = hashlib.sha256(b"a file that would be stored").hexdigest()
        assert not list((tmp_path / "data" / "artifacts").glob(f"*/{sha256}"))
        server.worker.resume()


def test_a_repeated_request_gets_its_run_while_the_queue_is_full(tmp_path: Path) -> None:
    with running_api(test_settings(tmp_path, max_queue=1, rate_per_minute=3)) as server:
        server.worker.pause()
        first = server.submit(wait=0, headers={"Idempotency-Key": "mine"})
        again = server.submit(wait=0, headers={"Idempotency-Key": "mine"})
        assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
        other = server.submit(b"another", wait=0, headers={"Idempotency-Key": "mine"})
        assert (other.status_code, other.json()["code"]) == (409, "conflict")
        assert server.submit(wait=0, headers={"Idempotency-Key": "new"}).status_code == 429
        # The refused key was not taken, and the caller's new runs are counted apart from repeated ones.
        server.worker.resume()
        wait_until(lambda: server.services.jobs.waiting("run") == 0)
        assert server.submit(wait=20, headers={"Idempotency-Key": "new"}).status_code == 200
        assert server.submit(wait=0, headers={"Idempotency-Key": "third"}).status_code == 429
        assert server.submit(wait=0, headers={"Idempotency-Key": "mine"}).json()["id"] == first.json()["id"]
        assert server.submit(wait=0, headers={"Idempotency-Key": "mine"}).status_code == 429


def test_an_idempotency_key_is_its_senders_own(tmp_path: Path) -> None:
    """Of two tokens of one name, too: the key of one neither leads to the other's run nor is taken by it."""
    made = [new_token("ci", "run"), new_token("ci", "run"), new_token("boss", "admin")]
    settings = test_settings(tmp_path, api_tokens=",".join(entry for _, entry in made), max_queue=3)
    with running_api(settings) as server:
        server.worker.pause()
        ours = [{"Idempotency-Key": "build-1", "Authorization": f"Bearer {token}"} for token, _ in made]
        answers = [server.submit(b"of %d" % i, wait=0, headers=mine) for i, mine in enumerate(ours)]
        assert [answer.status_code for answer in answers] == [202, 202, 202]
        # The queue is full now, so each of these is known for a repeated one before its form is read.
        again = [server.submit(b"of %d" % i, wait=0, headers=mine) for i, mine in enumerate(ours)]
        ids = [answer.json()["id"] for answer in answers]
        assert [answer.json().get("id") for answer in again] == ids and len(set(ids)) == 3


def test_runs_and_looks_into_models_have_a_queue_of_their_own_and_both_end(tmp_path: Path) -> None:
    with build_services(test_settings(tmp_path, max_queue=2)) as services:
        model = runs.store_upload(services, io.BytesIO(b"model"), "m.pkl")
        for _ in range(2):
            runs.submit(services, model=model)
        with pytest.raises(TooBusy, match="2 runs wait"):
            runs.submit(services, model=model)
        runs.request_inspection(services, model)
        runs.request_example(services, EXAMPLES[0].name)
        for ask in (
            partial(runs.request_inspection, services, model),
            partial(runs.request_example, services, EXAMPLES[0].name),
        ):
            with pytest.raises(TooBusy, match="2 models to be read and examples wait"):
                ask()
        services.jobs.cancel(services.jobs.claim("worker").id)  # type: ignore[union-attr]
        runs.request_inspection(services, model)
        with pytest.raises(TooBusy, match="2 runs wait"):
            runs.submit(services, model=model)


def test_a_bucket_refills_evenly_and_each_caller_has_its_own() -> None:
    now = [0.0]
    buckets = Buckets(per_minute=6, clock=lambda: now[0])
    assert [buckets.take("a") for _ in range(7)] == [0.0] * 6 + [10.0]
    assert buckets.take("b") == 0.0
    now[0] = 10.0
    assert (buckets.take("a"), buckets.take("a")) == (0.0, 10.0)


def test_callers_that_are_long_gone_take_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("routes.limits.MAX_CALLERS", 10)
    now = [0.0]
    buckets = Buckets(per_minute=60, clock=lambda: now[0])
    for number in range(1000):
        now[0] += 2.0
        assert buckets.take(f"caller {number}") == 0.0
    assert len(buckets._left) <= 10


def test_access_without_tokens_that_is_not_open_lets_nobody_in() -> None:
    assert Access(is_open=False, tokens=()).grant("anything") is None
