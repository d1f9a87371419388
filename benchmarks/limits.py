"""What bombs of every kind make of a running server: its answer, how long that takes, and how much memory.

    python -m benchmarks.limits [--only NAME] [--list]

Each bomb of `tests/support/bombs.py` is posted to a server that is started here, warm and otherwise idle.
Exit code 1 when a limit is broken: web and worker may grow by WEB_MB and WORKER_MB over idle, their children
keep to the limit of address space that they have, the answer is there within ANSWER_S and is no fault of the
dashboard. A server that broke one is replaced, so that the figures of each bomb are its own.
"""

import argparse
import io
import json
import pickle
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

if not __package__:  # run as a file
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import httpx
import joblib
import skops.io

from tests.support.bombs import BOMBS, SHORT_RUN, Bomb
from tests.support.live_server import LiveServer, start_server, stop_server
from tests.support.models_for_tests import NUMBERS, logistic, numbers, xgboost_classifier
from tests.support.processes import Children, peak_mb, reset_peak, resident_mb, worker_of
from tests.support.said import Said, read

WEB_MB, WORKER_MB, ANSWER_S = 50.0, 150.0, 10.0
GIVE_UP_S = 35.0  # beyond what a request waits
WAIT_S = 25  # that a request waits for its report
WARM_S = 300  # the same for the first ones, which wait for the worker to be there
QUIET_S = 1.0
GONE_S = 10.0
SETTINGS = {"RATE_PER_MINUTE": "100000", "MAX_QUEUE": "10000", "LOG_LEVEL": "ERROR"}
COLUMNS = f"{'bomb':<34}{'bytes':>12}{'s':>7}{'web':>8}{'worker':>8}{'child':>8}{'limit':>7}  answered"

Files = dict[str, tuple[str, bytes]]
FEATURES = [{"name": name, "type": "number", "min": -2, "max": 2} for name in NUMBERS]
SCHEMA = ("schema.json", json.dumps({"features": FEATURES}).encode())


@dataclass(frozen=True)
class Idle:
    """A warm server, its two long-lived processes, and what they take up when nothing happens; MB."""

    server: LiveServer
    worker: int
    web_mb: float
    worker_mb: float


@dataclass(frozen=True)
class Outcome:
    """What came of one bomb; memory in MB, of web and worker over idle. broken: the limits that were."""

    bytes: int
    seconds: float
    web_mb: float
    worker_mb: float
    child_mb: float
    child_limit_mb: float | None
    answer: str
    broken: tuple[str, ...]


def main(chosen: list[str]) -> int:
    print(f"memory in MB: web (to stay under {WEB_MB:g}) and worker ({WORKER_MB:g}) over idle, child in all")
    print(COLUMNS)
    broken: dict[str, tuple[str, ...]] = {}
    left = chosen
    while left:
        with warm_server() as idle:
            while left:
                name, *left = left
                outcome = posted(idle, BOMBS[name])
                report(name, outcome)
                if outcome.broken:
                    broken[name] = outcome.broken
                    break
            else:
                said = submit(idle.server, ordinary_forms()[0])
                if not said.is_judged:
                    broken["an ordinary run at the end"] = (str(said),)
    print(f"\n{len(chosen)} bombs, {len(broken)} break a limit")
    for name, limits in broken.items():
        print(f"  {name}: {'; '.join(limits)}")
    return int(bool(broken))


@contextmanager
def warm_server() -> Iterator[Idle]:
    """A server that has seen a run, a sample of each kind and a model of each reader."""
    with tempfile.TemporaryDirectory() as folder:
        server = start_server(Path(folder), **SETTINGS)
        try:
            for files in ordinary_forms():
                said = submit(server, files, WARM_S)
                if not said.is_judged:
                    raise SystemExit(f"an ordinary run does not work: {said}")
            worker = worker_of(server.process.pid)
            if worker is None:
                raise SystemExit("the server has no worker")
            Children(worker).wait_until_gone(GONE_S)
            time.sleep(QUIET_S)
            yield Idle(server, worker, resident_mb(server.process.pid), resident_mb(worker))
        finally:
            stop_server(server)


def ordinary_forms() -> list[Files]:
    frame, model = numbers(1000), logistic()
    table = io.BytesIO()
    frame.to_parquet(table)
    compressed = io.BytesIO()
    joblib.dump(model, compressed, compress=3)
    booster = xgboost_classifier().get_booster().save_raw("json")
    plain = ("model.pkl", pickle.dumps(model))
    return [
        {"model": plain, "sample": ("sample.csv", frame.to_csv(index=False).encode())},
        {"model": plain, "sample": ("sample.parquet", table.getvalue())},
        {"model": plain, "schema": SCHEMA},
        {"model": ("model.joblib", compressed.getvalue())},
        {"model": ("model.skops", skops.io.dumps(model))},
        {"model": ("model.json", bytes(booster))},
    ]


def form_of(bomb: Bomb, data: bytes) -> Files:
    """An ordinary form with the bomb in its place."""
    file = (bomb.file, data)
    if bomb.field != "answer":
        return {"model": ("model.pkl", pickle.dumps(logistic()))} | {bomb.field: file}
    plan = SHORT_RUN | {"policy": "contained", "explain": {"rows": 5}}
    return {"model": file, "schema": SCHEMA, "config": ("config.json", json.dumps(plan).encode())}


def submit(server: LiveServer, files: Files, wait_s: float = WAIT_S) -> Said:
    plan = SHORT_RUN | {"timeout_s": wait_s + 5}
    config = {"config": ("config.json", json.dumps(plan).encode())}
    address = f"{server.url}/run_tests"
    limit_s = wait_s + GIVE_UP_S
    try:
        return read(httpx.post(address, params={"wait": wait_s}, files=config | files, timeout=limit_s))
    except httpx.HTTPError as error:
        return Said(0, "no_answer", message=f"{type(error).__name__}: {error}")


def posted(idle: Idle, bomb: Bomb) -> Outcome:
    """Post one bomb and measure what it does until its last child is gone."""
    data = bomb.build()
    files = form_of(bomb, data)
    web = idle.server.process.pid
    for pid in (web, idle.worker):
        reset_peak(pid)
    with Children(idle.worker) as children:
        started = time.perf_counter()
        said = submit(idle.server, files)
        seconds = time.perf_counter() - started
        children.wait_until_gone(GONE_S)
    web_mb = peak_mb(web) - idle.web_mb
    worker_mb = peak_mb(idle.worker) - idle.worker_mb
    child = children.largest()
    checks = {
        f"web {web_mb:+.0f} MB": web_mb > WEB_MB,
        f"worker {worker_mb:+.0f} MB": worker_mb > WORKER_MB,
        "no answer": said.status == 0,
        f"answered after {seconds:.1f} s": seconds > ANSWER_S,
        f"a fault of the dashboard ({said.status})": said.is_fault,
        f"a child of {child.peak_mb:.0f} MB": child.limit_mb is not None and child.peak_mb > child.limit_mb,
        "a child without a limit": bool(children.seen) and child.limit_mb is None,
        "the worker was started again": worker_of(web) != idle.worker,
    } | {f"{path} is not 200": not is_well(idle.server, path) for path in ("/health", "/ready")}
    broken = tuple(what for what, is_broken in checks.items() if is_broken)
    return Outcome(len(data), seconds, web_mb, worker_mb, child.peak_mb, child.limit_mb, str(said), broken)


def is_well(server: LiveServer, path: str) -> bool:
    try:
        return httpx.get(server.url + path, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def report(name: str, of: Outcome) -> None:
    limit = "" if of.child_limit_mb is None else f"{of.child_limit_mb:.0f}"
    print(
        f"{name:<34}{of.bytes:>12,}{of.seconds:>7.1f}{of.web_mb:>8.0f}{of.worker_mb:>8.0f}{of.child_mb:>8.0f}"
        f"{limit:>7}  {'BROKEN ' if of.broken else ''}{of.answer[:110]}",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", metavar="NAME", help="the bombs whose name holds this")
    parser.add_argument("--list", action="store_true", help="only say which there are")
    options = parser.parse_args()
    names = [name for name in BOMBS if options.only in name]
    if options.list:
        print("\n".join(names))
        sys.exit(0)
    if not names:
        parser.error(f"no bomb's name holds {options.only!r}; --list names them")
    sys.exit(main(names))
