"""Test a model on a Model Monitoring Dashboard, from a script or a CI job.

    python client_api_example.py model.pkl --sample rows.csv --target label --junit report.xml
    python client_api_example.py model.pkl --gate 'metrics.latency[1].p95_ms <= 50' --local

Exit codes: 0 passed (warnings included), 1 a gate broke, 2 could not be judged (the run ended in an
error, was cancelled or took too long, or the server could not be reached). Needs httpx, nothing else.
The verdict goes to standard output, how the run gets on to standard error.
"""

import argparse
import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

import httpx

__all__ = ["NotJudged", "Report", "main", "report_of", "summary"]

PASSED, GATE_BROKE, NOT_JUDGED = 0, 1, 2
EXIT_CODES = {"passed": PASSED, "warned": PASSED, "failed": GATE_BROKE}
FINISHED = {"passed", "warned", "failed", "error", "cancelled"}
DEFAULT_URL = "http://localhost:8501"
CONFIG = "gates.toml"
READ_S = 90.0  # of an upload's answer: the server reads the sample first
POLL_S = 1.0  # the first looks come sooner
CONNECT_S = 5.0
CANCEL_S = 5.0  # a CI system kills a job soon after it asked it to end
ATTEMPTS = 4
PAUSE_S = 1.0  # before the second attempt; twice as long before each further one
START_S = 180.0  # of a server of the job's own
AGAIN = {502, 503, 504}
TOP_FEATURES = 5
MOST_ANNOTATIONS = 10  # GitHub shows no more of a kind and step
BAR = 24

EXAMPLES = {
    "config": '{"rows": 500}',
    "schema": '{"features": [{"name": "age", "type": "integer", "min": 18, "max": 90}]}',
}
# What `[client]` of a TOML file may say in place of an option: paths are those beside the file.
PATHS = ("file", "sample", "schema", "preprocessor", "junit", "html", "json", "markdown")
OTHERS = ("target", "target_map", "url", "wait", "name")

Report = dict[str, Any]


class NotJudged(Exception):
    """The run has no verdict; the message says why and what to do."""


class Stopped(BaseException):
    """SIGINT or SIGTERM came."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    try:
        options = _options(arguments)
        with _stopping(), _server(options) as base:
            report = _test(base, options)
            with _client(base, options) as client:
                _tell(client, report, base, options)
    except NotJudged as error:
        with _no_commands():
            _say(str(error), sys.stderr)
        if _on_github():
            _say(_command("error", "The model could not be tested", str(error)))
        return NOT_JUDGED
    except (KeyboardInterrupt, Stopped):
        _say("Interrupted.", sys.stderr)
        return NOT_JUDGED
    return EXIT_CODES.get(str(report.get("status")), NOT_JUDGED)


def report_of(arguments: Sequence[str], key: str | None = None) -> tuple[Report, str]:
    """The report that a command line comes to, and the server's URL. Raises NotJudged.

    key: the same for processes that are to share one run.
    """
    options = _options(arguments)
    options.key = key or options.key
    with _server(options) as base:
        return _test(base, options), base


def summary(report: Report, base: str) -> str:
    """The report in a dozen aligned lines; what stopped the run comes before what it left undone."""
    model = report["model"]
    kind = f"  ({model['framework']} {model['estimator']}, {model['task']})"
    lines = [f"{report['status'].upper()}  {model['name']}{kind if model['estimator'] != 'unknown' else ''}"]
    broken = _notable(report, "fail")
    is_cause = report["status"] == "error" and len(report["errors"]) == 1
    missed = [_missed(each, is_cause) for each in report["errors"]]
    unjudged, warned = _unjudged(report), _notable(report, "warn")
    figures = [_line(label, text) for label, text in _figures(report) if text]
    counts = [_line("checks", _counts(report))]
    if report["status"] in ("error", "failed"):
        lines += [*broken, *missed, *unjudged, *figures, *(counts if figures else ()), *warned]
    else:
        lines += [*figures, *counts, *unjudged, *warned, *missed]
    return "\n".join([*lines, _line("report", f"{base}/run?run={report['id']}" if base else "")]).rstrip()


# What was asked for ---------------------------------------------------------------------------------


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Test a model on a Model Monitoring Dashboard.",
        epilog="Exit codes: 0 passed or warned, 1 a gate broke, 2 could not be judged.",
    )
    add = parser.add_argument
    add("file", nargs="?", type=Path, metavar="model", help="the model's file (pickle, joblib, ONNX ...)")
    add("--preprocessor", type=Path, action="append", metavar="FILE",
        help="a file that the model was fitted behind (scaler, encoders, vectorizer, list of columns); "
        "repeatable")  # fmt: skip
    add("--schema", help="JSON file that describes the inputs, or the JSON itself")
    add("--sample", type=Path, help="CSV or Parquet file with rows to learn the inputs from")
    add("--target", help="name of the label column in the sample; found where it is certain")
    add("--target-map", action="append", metavar="LABEL=CLASS",
        help="which class of the model a label of the sample stands for; once for each")  # fmt: skip
    add("--config", help=f"JSON or TOML file, or the JSON itself: rows, seed, latency, drift, gates ...; "
        f"without it {CONFIG} of the working directory, where it is there")  # fmt: skip
    add("--gate", action="append", default=[], metavar="EXPRESSION",
        help="what the report must keep, such as 'accuracy.roc_auc >= baseline - 0.01'; repeatable, "
        "beside the config's")  # fmt: skip
    add("--baseline", help="run to compare with: its id, latest:MODEL, latest:MODEL@TAG or pinned:MODEL")
    add("--model", "--model-name", dest="model_name", metavar="NAME",
        help="name that the versions of the model share; by default its file's, without the end")  # fmt: skip
    add("--tag", action="append", default=[], help="tag of the run; repeatable")
    add("--name", help="name of the run; replaces the config's")
    add("--url", help=f"the server (default: MODEL_DASHBOARD_URL, else {DEFAULT_URL})")
    add("--token", default=os.environ.get("MODEL_DASHBOARD_TOKEN", ""),
        help="token of a server that asks for one (better: MODEL_DASHBOARD_TOKEN in the "
        "environment)")  # fmt: skip
    add("--wait", type=float, help="seconds to wait (default: 300)")
    add("--detach", action="store_true", help="an interrupt ends this command, not the run")
    add("--local", action="store_true", help="start a server for this job, and stop it afterwards")
    add("--server-dir", type=Path, metavar="DIR", help="where --local finds the server's app.py")
    add("--data-dir", type=Path, metavar="DIR",
        help="where --local keeps its runs, so that a next job finds baselines; else they go")  # fmt: skip
    add("--junit", type=Path, metavar="OUT.XML", help="write the checks as JUnit XML")
    add("--html", type=Path, metavar="OUT.HTML", help="write the report as one HTML file")
    add("--json", type=Path, metavar="OUT.JSON", help="write the report as JSON")
    add("--markdown", type=Path, metavar="OUT.MD", help="write the verdict as Markdown, for a comment")
    options = parser.parse_args(arguments)
    options.plan = _plan(options)
    if options.file is None:
        named = " (--model is the name that its versions share)" if options.model_name else ""
        parser.error(f"name the model's file, such as: client_api_example.py model.pkl{named}")
    options.wait = 300.0 if options.wait is None else options.wait
    if not options.wait >= 0:
        parser.error("--wait must be 0 or more seconds")
    options.url = DEFAULT_URL if options.url is None else options.url
    options.preprocessor = options.preprocessor or []
    options.key = str(uuid.uuid4())  # one for all attempts, so that they make one run
    return options


def _plan(options: argparse.Namespace) -> dict[str, Any]:
    """The run's config: that of the file, with what the command line says on top."""
    given = options.config
    if given is None and Path(CONFIG).is_file():
        given = CONFIG
        _say(f"Using {CONFIG} of this folder.", sys.stderr)
    config = _config(given) if given else {}
    _take(options, config.pop("client", {}), Path(given or ".").parent)
    # After the file's own: what a person or the environment says goes before what is kept.
    if options.url is None:
        options.url = os.environ.get("MODEL_DASHBOARD_URL") or getattr(options, "kept_url", None)
    for key, value in (("name", options.name), ("baseline", options.baseline), ("model", options.model_name)):
        if value:
            config[key] = value
    if options.tag:
        config["tags"] = list(dict.fromkeys([*config.get("tags", []), *options.tag]))
    if options.target_map:
        config["target_map"] = dict(map(_pair, options.target_map))
    if options.gate:
        kept = config.get("gates") or []
        gates = {"expressions": kept} if isinstance(kept, list) else dict(kept)
        gates["expressions"] = list(dict.fromkeys([*gates.get("expressions", []), *options.gate]))
        config["gates"] = gates
    return config


def _config(given: str) -> dict[str, Any]:
    if given.lstrip().startswith("{") or not given.endswith(".toml"):
        document: dict[str, Any] = _json_of(given, "config")
        return document
    try:
        return tomllib.loads(Path(given).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise NotJudged(f"The config file {given} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        example = "Texts stand in quotes: gates = ['accuracy.roc_auc >= 0.9']"
        raise NotJudged(f"The config file {given} is not TOML: {error}.\n{example}") from error


def _take(options: argparse.Namespace, kept: Any, folder: Path) -> None:
    """What a config's `client` keeps in place of options that were not given."""
    unknown = sorted(set(kept) - {*PATHS, *OTHERS}) if isinstance(kept, dict) else ["client"]
    if "token" in unknown:
        raise NotJudged("A token does not belong into a file: use MODEL_DASHBOARD_TOKEN in the environment.")
    if unknown:
        raise NotJudged(
            f"The config's client.{unknown[0]} is unknown; it may hold {', '.join((*PATHS, *OTHERS))}."
        )
    for key, value in kept.items():
        if key == "url":
            options.kept_url = str(value)
            continue
        if key in PATHS and not (key == "schema" and str(value).lstrip().startswith("{")):
            value = [folder / each for each in value] if isinstance(value, list) else folder / str(value)
            value = str(value) if key == "schema" else value
        if key == "preprocessor" and not isinstance(value, list):
            value = [value]
        if key == "target_map" and isinstance(value, dict):
            value = [f"{label}={of}" for label, of in value.items()]
        if getattr(options, key) is None:
            setattr(options, key, value)


def _pair(text: str) -> tuple[str, str]:
    """`Yes=1`; the last sign of equality counts, for labels may hold one."""
    label, sign, name = text.rpartition("=")
    if not sign or not label or not name:
        raise NotJudged(f"--target-map {text} is no LABEL=CLASS, such as --target-map Yes=1.")
    return label, name


def _json_of(given: str, what: str) -> Any:
    """The JSON document given: the text itself when it begins with a brace, else a file's name."""
    inline = given.lstrip().startswith("{")
    named = f"The {what}" if inline else f"The {what} file {given}"
    try:
        document = json.loads(given if inline else Path(given).read_text(encoding="utf-8-sig"))
    except OSError as error:
        either = f"Give a JSON file, or the JSON itself: --{what} '{EXAMPLES[what]}'"
        raise NotJudged(f"{named} cannot be read: {error.strerror}.\n{either}") from error
    except ValueError as error:
        example = f"Keys and texts stand in double quotes: --{what} '{EXAMPLES[what]}'"
        raise NotJudged(f"{named} is not JSON: {error}.\n{example}") from error
    if what == "config" and not isinstance(document, dict):
        raise NotJudged(f"{named} is not a JSON object.")
    return document


# The run --------------------------------------------------------------------------------------------


@dataclass
class _Interrupts:
    """Whether a signal ends what is being done at once; else it waits until that is over."""

    at_once: bool = True
    came: bool = False

    def deferred(self) -> None:
        self.at_once = False

    def allowed(self) -> None:
        self.at_once = True
        if self.came:
            raise Stopped


INTERRUPTS = _Interrupts()


@contextlib.contextmanager
def _stopping() -> Iterator[None]:
    """Let SIGINT and SIGTERM end the block in order; a second one ends the process at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    INTERRUPTS.at_once, INTERRUPTS.came = True, False

    def stop(number: int, frame: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_DFL)
        INTERRUPTS.came = True
        if INTERRUPTS.at_once:
            raise Stopped

    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Upload(httpx.SyncByteStream):
    """A body that says when its last byte has been handed over: from then on there may be a run."""

    def __init__(self, body: httpx.SyncByteStream, done: Callable[[], None]) -> None:
        self.body, self.done = body, done

    def __iter__(self) -> Iterator[bytes]:
        yield from self.body
        self.done()


def _test(base: str, options: argparse.Namespace) -> Report:
    """Submit, then follow the run until its report is there; an interrupt cancels it."""
    deadline = time.monotonic() + options.wait
    with _client(base, options) as client:
        run_id = None
        try:
            answer = _checked(_submit(client, base, options, deadline))
            run_id = answer["id"]
            INTERRUPTS.allowed()
            _say(f"Run {run_id}: {base}/run?run={run_id}", sys.stderr)
            return _followed(client, base, answer, options, deadline)
        except (KeyboardInterrupt, Stopped):
            if run_id is not None:
                _end(client, run_id, base, keep=options.detach)
            raise


def _followed(
    client: httpx.Client, base: str, answer: Report, options: argparse.Namespace, deadline: float
) -> Report:
    progress, pause = _Progress(), POLL_S / 10
    while "checks" not in answer:  # a progress document, not a report
        if answer.get("status") in FINISHED:
            reason = answer.get("message") or "It left no report."
            raise NotJudged(f"{str(answer['status']).upper()}  run {answer['id']}: {reason}")
        progress.show(str(answer["stage"]), float(answer["progress"]))
        if time.monotonic() >= deadline:
            progress.close()
            raise NotJudged(
                f"The run is still {answer['status']} ({answer['stage']}) after {options.wait:g} s.\n"
                f"Follow it at {base}/run?run={answer['id']}, or use a longer --wait."
            )
        time.sleep(pause)
        pause = min(pause * 1.5, POLL_S)
        answer = _checked(_send(client, base, "GET", answer["links"]["self"]))
    progress.close()
    return answer


def _end(client: httpx.Client, run_id: str, base: str, *, keep: bool) -> None:
    """Cancel the run, or say where it goes on."""
    where = f"{base}/run?run={run_id}"
    if keep:
        _say(f"The run goes on: {where}", sys.stderr)
        return
    try:
        done = client.post(f"/api/v1/runs/{run_id}/cancel", timeout=CANCEL_S)
    except httpx.HTTPError as error:
        _say(f"The run could not be cancelled ({type(error).__name__}): {where}", sys.stderr)
        return
    said = "cancelled" if done.is_success else "over already" if done.status_code == 409 else "not cancelled"
    _say(f"The run is {said}: {where}", sys.stderr)


class _Progress:
    """A bar that redraws itself on a terminal; elsewhere a line for each stage."""

    def __init__(self) -> None:
        self.live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self.stage = ""
        self.drawn = False

    def show(self, stage: str, share: float) -> None:
        if self.live:
            full = round(BAR * share)
            line = f"[{'#' * full}{'-' * (BAR - full)}] {share * 100:3.0f} %  {stage}"
            width = shutil.get_terminal_size().columns - 1
            _say(f"\r{line[:width]:<{min(width, BAR + 24)}}", sys.stderr, end="")
            self.drawn = True
        elif stage != self.stage:
            _say(f"  {share * 100:3.0f} %  {stage}", sys.stderr)
        self.stage = stage

    def close(self) -> None:
        if self.drawn:
            _say("", sys.stderr)


# The server -----------------------------------------------------------------------------------------


def _client(base: str, options: argparse.Namespace) -> httpx.Client:
    try:
        parts = urlsplit(base)
        host = parts.hostname or ""
    except ValueError:
        host = ""
    if not host or " " in host or parts.scheme not in ("http", "https"):
        raise NotJudged(f"The server's URL {base!r} is none; it looks like {DEFAULT_URL}.")
    # A proxy from the environment cannot reach this machine's own server.
    local = host in {"localhost", "127.0.0.1", "::1"}
    token = "" if options.local else options.token
    try:
        headers = {"X-Source": "client"} | ({"Authorization": f"Bearer {token}"} if token else {})
        timeout = httpx.Timeout(READ_S, connect=CONNECT_S)
        return httpx.Client(base_url=base, timeout=timeout, trust_env=not local, headers=headers)
    except httpx.InvalidURL as error:
        raise NotJudged(f"The server's URL {base!r} cannot be read: {error}.") from error
    except UnicodeEncodeError as error:
        raise NotJudged("The token holds characters that no token has; copy it again.") from error


def _submit(client: httpx.Client, base: str, options: argparse.Namespace, deadline: float) -> httpx.Response:
    """Post the form. The key lets a broken connection be tried again without a second run."""
    data = {"target": options.target} if options.target else {}
    if options.plan:
        data["config"] = json.dumps(options.plan)
    if options.schema:
        data["schema"] = json.dumps(_json_of(options.schema, "schema"))
    paths = [("model", options.file), *(("preprocessor", path) for path in options.preprocessor)]
    paths += [("sample", options.sample)] if options.sample else []

    def post() -> httpx.Response:
        with ExitStack() as stack:
            files = [(field, (path.name, stack.enter_context(_opened(path, field)))) for field, path in paths]
            headers = {"Idempotency-Key": options.key}
            request = client.build_request(
                "POST", "/run_tests", params={"wait": "0"}, data=data, files=files, headers=headers
            )
            assert isinstance(request.stream, httpx.SyncByteStream)
            request.stream = _Upload(request.stream, INTERRUPTS.deferred)
            try:
                return client.send(request)
            except httpx.TransportError:
                INTERRUPTS.allowed()
                raise

    try:
        return _repeated(post, base, deadline)
    except httpx.ConnectError as error:
        raise _unreachable(base, error) from error
    except httpx.TransportError as error:
        raise NotJudged(
            f"The connection to {base} broke during the upload ({type(error).__name__}).\n"
            "The file may be larger than the server accepts (MAX_UPLOAD_MB)."
        ) from error


def _send(client: httpx.Client, base: str, method: str, path: str) -> httpx.Response:
    """A request that may be repeated; a server that restarts is given a moment."""
    try:
        return _repeated(lambda: client.request(method, path), base, time.monotonic())
    except httpx.TransportError as error:
        raise _unreachable(base, error) from error


def _repeated(ask: Callable[[], httpx.Response], base: str, deadline: float) -> httpx.Response:
    """The answer, asked for again while the server is not there, starts, or has no room.

    No room (429) may last until the deadline, for it says when to come back; all else a few attempts.
    """
    attempt = 0
    while True:
        attempt += 1
        pause = PAUSE_S * 2 ** (attempt - 1)
        try:
            answer = ask()
        except httpx.TransportError as error:
            if attempt >= ATTEMPTS or "SSL" in str(error):
                raise
            why = type(error).__name__
        else:
            asked = _seconds(answer.headers.get("Retry-After"))
            busy = answer.status_code == 429
            left = deadline - time.monotonic()
            if not (busy or (answer.status_code in AGAIN and attempt < ATTEMPTS)):
                return answer
            pause = pause if asked is None else asked
            if busy and pause > left:
                return answer
            why = f"HTTP {answer.status_code}"
            INTERRUPTS.allowed()
        _say(f"{base} does not answer yet ({why}); again in {pause:g} s.", sys.stderr)
        time.sleep(pause)


def _seconds(text: str | None) -> float | None:
    """Of a Retry-After; a date in it is not waited for."""
    return float(text) if text and text.strip().isdigit() else None


def _unreachable(base: str, error: Exception) -> NotJudged:
    if isinstance(error, httpx.ConnectError) and "SSL" in str(error):
        if "CERTIFICATE" in str(error).upper():  # never a hint to send the token in clear
            return NotJudged(
                f"The certificate of {base} is not trusted: {error}.\n"
                "Name your authority's file in SSL_CERT_FILE."
            )
        plain = "http://" + base.partition("://")[2]
        return NotJudged(f"The server at {base} does not answer by https: {error}.\nTry --url {plain}.")
    if isinstance(error, httpx.ConnectError):
        return NotJudged(f"There is no server at {base}: start it with ./run.sh, or name another with --url.")
    return NotJudged(f"The server at {base} does not answer ({type(error).__name__}).")


def _checked(response: httpx.Response) -> dict[str, Any]:
    """The JSON document of a good answer; an error becomes readable text."""
    try:
        document = response.json()
    except ValueError:
        document = None
    if response.is_success and isinstance(document, dict) and "id" in document:
        return document
    if not isinstance(document, dict) or "title" not in document:
        raise NotJudged(
            f"{response.url} answered {response.status_code} with something that is not this API's.\n"
            "Check --url."
        )
    lines = [f"{document['title']} (HTTP {response.status_code})", f"  {document.get('detail', '')}"]
    lines += [f"  {each['field']}: {each['message']}" for each in document.get("errors") or []]
    lines += [f"  {document['hint']}"] if document.get("hint") else []
    if response.status_code == 401:
        lines.append("  Here: --token TOKEN, or better MODEL_DASHBOARD_TOKEN in the environment.")
    if response.status_code == 404 and response.request.method == "POST":
        lines.append(f"  Check --url: it is the server alone, such as {DEFAULT_URL}.")
    raise NotJudged("\n".join(lines))


@contextlib.contextmanager
def _server(options: argparse.Namespace) -> Iterator[str]:
    """The URL of the server that was named, or of one that lives as long as the block."""
    if not options.local:
        yield str(options.url).rstrip("/")
        return
    folder = _server_folder(options.server_dir)
    with ExitStack() as stack:
        data = (options.data_dir or stack.enter_context(_temporary())).resolve()
        data.mkdir(parents=True, exist_ok=True)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        log = stack.enter_context((data / "server.log").open("w+b"))
        # Its own: neither the tokens nor the database of a server that the same .env is for.
        own = {"HOST": "localhost", "PORT": str(port), "DATA_DIR": str(data), "API_TOKENS": "",
               "DATABASE_URL": "", "REDIS_URL": ""}  # fmt: skip
        process = subprocess.Popen(
            [*_start_command(folder, port)], cwd=folder, env=os.environ | own, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip  # in a session of its own, so that Ctrl-C cancels the run before the server goes
        stack.callback(_ended, process)
        base = f"http://localhost:{port}"
        _say(f"Starting a server for this job, from {folder}.", sys.stderr)
        _wait_for(base, process, data / "server.log")
        yield base


@contextlib.contextmanager
def _temporary() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="model-gate-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _server_folder(given: Path | None) -> Path:
    here = Path(__file__).resolve().parent
    places = [given] if given else [here, here.parent, Path.cwd()]
    for place in places:
        if (place / "app.py").is_file() and (place / "api_handler.py").is_file():
            return place.resolve()
    raise NotJudged(
        f"No server's app.py is in {', '.join(map(str, places))}; name its folder with --server-dir."
    )


def _start_command(folder: Path, port: int) -> list[str]:
    arguments = ["-m", "streamlit", "run", "app.py", "--server.address", "localhost", "--server.port",
                 str(port), "--server.headless", "true"]  # fmt: skip
    own = folder / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if own.is_file():
        return [str(own), *arguments]
    if find_spec("streamlit") and find_spec("fastapi"):
        return [sys.executable, *arguments]
    if os.name != "nt":
        return [str(folder / "run.sh"), "--server.headless", "true"]  # makes its environment first
    raise NotJudged(f"The server's libraries are not installed: pip install -r {folder}/requirements.txt")


def _wait_for(base: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{base}/ready", timeout=CONNECT_S, trust_env=False).status_code == 200:
                return
        time.sleep(POLL_S / 5)
    tail = log.read_text("utf-8", "replace")[-1500:]
    raise NotJudged(f"The server of this job did not start:\n{tail}")


def _ended(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


# What is told ---------------------------------------------------------------------------------------


def _tell(client: httpx.Client, report: Report, base: str, options: argparse.Namespace) -> None:
    """Verdict, files, and what GitHub shows beside them."""
    with _no_commands():
        _say(summary(report, "" if options.local else base))
    if options.json:
        _write(options.json, json.dumps(report, indent=2).encode())
    for path, name in (
        (options.junit, "junit.xml"),
        (options.html, "report.html"),
        (options.markdown, "report.md"),
    ):
        if path:
            _write(path, _export(client, base, report, name))
    if _on_github():
        for line in _annotations(report):
            _say(line)
        if shown := os.environ.get("GITHUB_STEP_SUMMARY"):
            with Path(shown).open("ab") as page:
                page.write(_export(client, base, report, "report.md"))


def _export(client: httpx.Client, base: str, report: Report, name: str) -> bytes:
    answer = _send(client, base, "GET", f"/api/v1/runs/{report['id']}/{name}")
    if not answer.is_success:
        _checked(answer)
    return answer.content


def _on_github() -> bool:
    return os.environ.get("GITHUB_ACTIONS") == "true"


@contextlib.contextmanager
def _no_commands() -> Iterator[None]:
    """On GitHub a line that begins with `::` is a command; what a model is called must never be one."""
    if not _on_github():
        yield
        return
    token = secrets.token_hex(16)
    _say(f"::stop-commands::{token}")
    try:
        yield
    finally:
        sys.stderr.flush()
        _say(f"::{token}::")


def _annotations(report: Report) -> list[str]:
    """The broken and the unjudged as errors, what only warns as warnings; the first of each."""
    errors = [(each["title"], each["reason"]) for each in report["checks"] if each["status"] == "fail"]
    errors += [(each["stage"], each["message"]) for each in report["errors"]]
    gates = [each for each in report["checks"] if each["status"] == "error" and each.get("gate")]
    errors += [(each["title"], each["reason"]) for each in gates]
    warned = [(each["title"], each["reason"]) for each in report["checks"] if each["status"] == "warn"]
    return [
        *(_command("error", title, reason) for title, reason in errors[:MOST_ANNOTATIONS]),
        *(_command("warning", title, reason) for title, reason in warned[:MOST_ANNOTATIONS]),
    ]


def _command(kind: str, title: str, text: str) -> str:
    def escaped(part: str, more: str = "") -> str:
        return re.sub(f"[%\r\n{more}]", lambda found: f"%{ord(found[0]):02X}", part)

    return f"::{kind} title={escaped(title, ':,')}::{escaped(text)}"


def _say(text: str, stream: Any = None, end: str = "\n") -> None:
    """Print without what moves a terminal's cursor; nobody who listens is no reason to stop."""
    stream = stream or sys.stdout
    plain = re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", "", text)
    plain = plain.encode(stream.encoding or "utf-8", "replace").decode(stream.encoding or "utf-8", "replace")
    try:
        print(plain, file=stream, end=end, flush=True)
    except BrokenPipeError:
        # Else the interpreter tries once more when it ends, and complains.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _figures(report: Report) -> list[tuple[str, str]]:
    return [
        ("latency, 1 row", _latency(report)),
        ("throughput", _quantity(_value(report, "metrics", "throughput_rows_s"), "rows/s")),
        ("error rate", _percent(_value(report, "metrics", "error_rate"))),
        ("accuracy", _score(report)),
        ("worst drift", _worst_drift(report)),
        ("top features", _top_features(report)),
        ("properties", _properties(report)),
    ]


def _latency(report: Report) -> str:
    rows = _value(report, "metrics", "latency") or []
    row = min(rows, key=lambda each: each["batch_size"], default=None)
    if row is None:
        return ""
    shown = [f"{name} {_quantity(row[f'{name}_ms'], 'ms')}" for name in ("p50", "p95", "p99")]
    size = "" if row["batch_size"] == 1 else f", batches of {row['batch_size']}"
    return f"{'  '.join(shown)}  (n={row['n']}{size})"


def _score(report: Report) -> str:
    named = (("accuracy", "accuracy"), ("ROC AUC", "roc_auc"), ("R2", "r2"), ("MAE", "mae"))
    values = [(title, _value(report, "accuracy", key)) for title, key in named]
    shown = [f"{title} {value:.3g}" for title, value in values if value is not None]
    return "  ".join(shown)


def _worst_drift(report: Report) -> str:
    scenarios = [
        each for each in _value(report, "drift", "scenarios") or [] if each["changed_share"] is not None
    ]
    if not scenarios:
        return ""
    worst = max(scenarios, key=lambda each: each["changed_share"])
    where = ", ".join(worst["features"][:3]) + (" ..." if len(worst["features"]) > 3 else "")
    return (
        f"{_percent(worst['changed_share'])} of answers change under "
        f"{worst['kind'].replace('_', ' ')} {worst['magnitude']:g}" + (f" on {where}" if where else "")
    )


def _top_features(report: Report) -> str:
    found = sorted(_value(report, "explanation", "importance") or [], key=lambda each: -each["mean_abs"])
    shown = [f"{each['feature']} {each['mean_abs']:.3g}" for each in found[:TOP_FEATURES]]
    return ", ".join(shown)


def _properties(report: Report) -> str:
    """What callers have to know of the model; older servers tell none."""
    return " ".join(each["sentence"] for each in _value(report, "robustness", "properties") or [])


def _counts(report: Report) -> str:
    statuses = [each["status"] for each in report["checks"]]
    words = {"pass": "pass", "warn": "warn", "fail": "fail", "error": "not judged",
             "measured": "measured", "not_applicable": "not applicable"}  # fmt: skip
    counted = [f"{statuses.count(status)} {word}" for status, word in words.items() if status in statuses]
    return ", ".join(counted) or "none"


def _notable(report: Report, status: str) -> list[str]:
    """A line for each check of that status."""
    return [
        f"  {status.upper():<5} {each['title']}: {each['reason']}".rstrip(": ")
        for each in report["checks"]
        if each["status"] == status
    ]


def _unjudged(report: Report) -> list[str]:
    """A line for each reason that left checks unjudged, and is no error's own, with how many they are."""
    titles: dict[str, list[str]] = {}
    for each in report["checks"]:
        if each["status"] == "error":
            titles.setdefault(each["reason"].removeprefix("It could not be judged: "), []).append(
                each["title"]
            )
    return [
        f"  NOT JUDGED {who[0] if len(who) == 1 else f'{len(who)} checks'}: {reason}".rstrip(": ")
        for reason, who in titles.items()
    ]


def _missed(error: dict[str, Any], is_cause: bool) -> str:
    """What could not be done, and below it what to do."""
    first = f"  {error['message']}" if is_cause else f"  MISSED {error['stage']}: {error['message']}"
    return first + (f"\n  {error['hint']}" if error["hint"] else "")


def _line(label: str, text: str) -> str:
    return f"  {label:<16}{text}"


def _value(report: Report, section: str, key: str) -> Any:
    return (report[section].get("value") or {}).get(key)


def _quantity(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    return f"{value:,.0f} {unit}" if abs(value) >= 1000 else f"{value:.3g} {unit}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share * 100:.3g} %"


def _opened(path: Path, what: str) -> Any:
    try:
        return path.open("rb")
    except OSError as error:
        raise NotJudged(f"The {what} file {path} cannot be read: {error.strerror}.") from error


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise NotJudged(f"{path} cannot be written: {error.strerror}.") from error


if __name__ == "__main__":
    sys.exit(main())
