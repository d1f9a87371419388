"""Test a model on a Model Monitoring Dashboard, from a script or a CI job.

    python client_api_example.py model.pkl --sample rows.csv --target label --junit report.xml

Exit codes: 0 passed (warnings included), 1 a gate broke, 2 could not be judged (the run ended in an
error, was cancelled or took too long, or the server could not be reached). Needs httpx, nothing else.
"""

import argparse
import json
import os
import sys
import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

__all__ = ["main", "summary"]

PASSED, GATE_BROKE, NOT_JUDGED = 0, 1, 2
EXIT_CODES = {"passed": PASSED, "warned": PASSED, "failed": GATE_BROKE}
FINISHED = {"passed", "warned", "failed", "error", "cancelled"}
DEFAULT_URL = "http://localhost:8501"
FIRST_WAIT_S = 30.0  # the first answer waits this long at most; proxies cut longer ones
POLL_S = 1.0
CONNECT_S = 5.0
ATTEMPTS = 3
TOP_FEATURES = 5

EXAMPLES = {
    "config": '{"rows": 500}',
    "schema": '{"features": [{"name": "age", "type": "integer", "min": 18, "max": 90}]}',
}

Report = dict[str, Any]


class NotJudged(Exception):
    """The run has no verdict; the message says why and what to do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    options = _options(arguments)
    base = options.url.rstrip("/")
    try:
        with _client(base, options.wait, options.token) as client:
            report = _test(client, base, options)
            print(summary(report, base))
            _save(client, report, options)
    except NotJudged as error:
        print(error, file=sys.stderr)
        return NOT_JUDGED
    except KeyboardInterrupt:
        print("Interrupted; the run goes on on the server.", file=sys.stderr)
        return NOT_JUDGED
    return EXIT_CODES.get(str(report.get("status")), NOT_JUDGED)


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
    return "\n".join([*lines, _line("report", f"{base}/run?run={report['id']}")])


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Test a model on a Model Monitoring Dashboard.",
        epilog="Exit codes: 0 passed or warned, 1 a gate broke, 2 could not be judged.",
    )
    parser.add_argument("model", type=Path, help="the model's file (pickle, joblib, ONNX ...)")
    parser.add_argument(
        "--preprocessor",
        type=Path,
        action="append",
        default=[],
        help="a file that the model was fitted behind (scaler, encoders, vectorizer, list of columns); "
        "repeatable",
    )
    parser.add_argument("--schema", help="JSON file that describes the inputs, or the JSON itself")
    parser.add_argument("--sample", type=Path, help="CSV or Parquet file with rows to learn the inputs from")
    parser.add_argument("--target", help="name of the label column in the sample; found where it is certain")
    parser.add_argument(
        "--target-map", action="append", metavar="LABEL=CLASS", default=[],
        help="which class of the model a label of the sample stands for; once for each",
    )  # fmt: skip
    parser.add_argument(
        "--config", help="JSON file, or the JSON itself: rows, seed, latency, drift, gates ..."
    )
    parser.add_argument("--name", help="name of the run; replaces the config's")
    parser.add_argument(
        "--url",
        default=os.environ.get("MODEL_DASHBOARD_URL") or DEFAULT_URL,
        help="the server (default: MODEL_DASHBOARD_URL, else %(default)s)",
    )
    parser.add_argument(
        "--token",
        default=os.environ.get("MODEL_DASHBOARD_TOKEN", ""),
        help="token of a server that asks for one (better: MODEL_DASHBOARD_TOKEN in the environment)",
    )
    parser.add_argument("--wait", type=float, default=300, help="seconds to wait (default: %(default)g)")
    parser.add_argument("--junit", type=Path, metavar="OUT.XML", help="write the checks as JUnit XML")
    parser.add_argument("--html", type=Path, metavar="OUT.HTML", help="write the report as one HTML file")
    parser.add_argument("--json", type=Path, metavar="OUT.JSON", help="write the report as JSON")
    options = parser.parse_args(arguments)
    if not options.wait >= 0:
        parser.error("--wait must be 0 or more seconds")
    return options


def _client(base: str, wait: float, token: str) -> httpx.Client:
    try:
        parts = urlsplit(base)
        host = parts.hostname or ""
    except ValueError:
        host = ""
    if not host or " " in host or parts.scheme not in ("http", "https"):
        raise NotJudged(f"The server's URL {base!r} is none; it looks like {DEFAULT_URL}.")
    timeout = httpx.Timeout(60, connect=CONNECT_S, read=min(wait, FIRST_WAIT_S) + 60)
    # A proxy from the environment cannot reach this machine's own server.
    local = host in {"localhost", "127.0.0.1", "::1"}
    try:
        headers = {"X-Source": "client"} | ({"Authorization": f"Bearer {token}"} if token else {})
        return httpx.Client(base_url=base, timeout=timeout, trust_env=not local, headers=headers)
    except httpx.InvalidURL as error:
        raise NotJudged(f"The server's URL {base!r} cannot be read: {error}.") from error
    except UnicodeEncodeError as error:
        raise NotJudged("The token holds characters that no token has; copy it again.") from error


def _test(client: httpx.Client, base: str, options: argparse.Namespace) -> Report:
    """Submit, then follow the run until its report is there."""
    deadline = time.monotonic() + options.wait
    answer = _checked(_submit(client, base, options))
    while "checks" not in answer:  # a progress document, not a report
        if answer.get("status") in FINISHED:
            reason = answer.get("message") or "It left no report."
            raise NotJudged(f"{str(answer['status']).upper()}  run {answer['id']}: {reason}")
        if time.monotonic() >= deadline:
            raise NotJudged(
                f"The run is still {answer['status']} ({answer['stage']}) after {options.wait:g} s.\n"
                f"Follow it at {base}/run?run={answer['id']}, or use a longer --wait."
            )
        time.sleep(POLL_S)
        answer = _checked(_send(client, base, "GET", answer["links"]["self"]))
    return answer


def _submit(client: httpx.Client, base: str, options: argparse.Namespace) -> httpx.Response:
    """Post the form. The key lets a broken connection be tried again without a second run."""
    data = {"target": options.target} if options.target else {}
    config = _json_of(options.config, "config") if options.config else {}
    if options.name:
        config["name"] = options.name
    if options.target_map:
        config["target_map"] = dict(map(_pair, options.target_map))
    if config:
        data["config"] = json.dumps(config)
    if options.schema:
        data["schema"] = json.dumps(_json_of(options.schema, "schema"))
    paths = [("model", options.model), *(("preprocessor", path) for path in options.preprocessor)]
    paths += [("sample", options.sample)] if options.sample else []
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    for attempt in range(1, ATTEMPTS + 1):
        with ExitStack() as stack:
            files = [(field, (path.name, stack.enter_context(_opened(path, field)))) for field, path in paths]
            query = {"wait": f"{min(options.wait, FIRST_WAIT_S):g}"}
            try:
                return client.post("/run_tests", params=query, data=data, files=files, headers=headers)
            except httpx.ConnectError as error:
                raise _unreachable(base, error) from error
            except httpx.TransportError as error:
                if attempt == ATTEMPTS:
                    raise NotJudged(
                        f"The connection to {base} broke during the upload ({type(error).__name__}).\n"
                        "The file may be larger than the server accepts (MAX_UPLOAD_MB)."
                    ) from error
        time.sleep(POLL_S)
    raise AssertionError("unreachable")


def _pair(text: str) -> tuple[str, str]:
    """`Yes=1`; the last sign of equality counts, for labels may hold one."""
    label, sign, name = text.rpartition("=")
    if not sign or not label or not name:
        raise NotJudged(f"--target-map {text} is no LABEL=CLASS, such as --target-map Yes=1.")
    return label, name


def _send(client: httpx.Client, base: str, method: str, path: str) -> httpx.Response:
    """A request that may be repeated; a server that restarts is given a moment."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return client.request(method, path)
        except httpx.TransportError as error:
            if attempt == ATTEMPTS:
                raise _unreachable(base, error) from error
            time.sleep(POLL_S)
    raise AssertionError("unreachable")


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


def _save(client: httpx.Client, report: Report, options: argparse.Namespace) -> None:
    """Write the files that were asked for, after the verdict is printed."""
    if options.json:
        _write(options.json, json.dumps(report, indent=2).encode())
    for path, name in ((options.junit, "junit.xml"), (options.html, "report.html")):
        if path:
            answer = _send(client, str(client.base_url), "GET", f"/api/v1/runs/{report['id']}/{name}")
            if not answer.is_success:
                _checked(answer)
            _write(path, answer.content)


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
