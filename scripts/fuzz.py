"""Changed inputs of every kind against a running server: it answers, in words, and stays as it was.

    python -m scripts.fuzz --minutes 30 --seed 1 [--keep FOLDER] [--corpus tests/corpus] [--go-on]

Two posters send what `tests/support/changed_files.py` makes, while another thread asks `/health` and looks at
memory. Stops with exit code 1 at the first thing that must not be (see `Watch`, `Poster` and `verdict`). What
led to it goes to --keep, with the command that repeats it; with --corpus one small input is kept of each new
kind of answer.
"""

import argparse
import json
import pickle
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from tests.support import changed_files
from tests.support.bombs import SHORT_RUN
from tests.support.kept_inputs import Input, keep, record
from tests.support.live_server import LiveServer, start_server, stop_server
from tests.support.models_for_tests import NUMBERS, logistic
from tests.support.processes import resident_mb, worker_of
from tests.support.said import Said, read

POSTERS = 2
SETTINGS = {
    "RATE_PER_MINUTE": "100000", "MAX_QUEUE": "10000", "MAX_WORKERS": str(POSTERS), "LOG_LEVEL": "ERROR",
    "CONTAINED_ON_REQUEST": "true", "LOAD_TIMEOUT_S": "8",
}  # fmt: skip
QUICK_RUN = SHORT_RUN | {"timeout_s": 8}
LONGER_RUN = QUICK_RUN | {
    "drift": {"scenarios": [{"kind": "noise", "magnitude": 1.0}], "breaking_points": False},
    "explain": {"rows": 10},
    "robustness": {},
}
SCHEMA = Input(
    "schema", "schema.json", json.dumps({"features": [{"name": name} for name in NUMBERS]}).encode()
)
WAIT_S, ANSWER_S, SETTLE_S = 15, 60.0, 60.0
HEALTH_EVERY_S, HEALTH_P99_MS = 0.02, 100.0
MEMORY_EVERY_S, GROWTH_MB = 0.5, 40.0  # noise of an allocator that has seen some thousand runs
UNFINISHED = ("queued", "running")
TAKES_LONG = ("running", "child_timeout")  # what no test should wait for
MOST_TRIES = 40  # to make an input smaller


class Fuzz:
    """The server and all that is seen of it; shared by the threads."""

    def __init__(self, server: LiveServer, options: argparse.Namespace) -> None:
        self.server = server
        self.options = options
        self.model = Input("model", "model.pkl", pickle.dumps(logistic()))
        self.over = threading.Event()
        self.findings: list[str] = []
        self.answers: Counter[str] = Counter()
        self.states: Counter[str] = Counter()
        self.left: list[str] = []  # runs that were not finished when their request was answered
        self.health_ms: list[float] = []
        self.memory: dict[str, list[float]] = {"web": [], "worker": []}
        self.seen: set[tuple[str, str]] = set()
        self.lock = threading.Lock()

    def found(self, what: str, form: dict[str, Input] | None = None) -> None:
        """Something that must not be; keeps the form that led to it."""
        with self.lock:
            self.findings.append(what)
            number = len(self.findings)
        print(f"FOUND {number}: {what}", flush=True)
        if form is not None and self.options.keep:
            keep(self.options.keep / f"{number:03}", form, what)
        if not self.options.go_on:
            self.over.set()

    def standing(self, seconds: float) -> str:
        memory = ", ".join(f"{name} {taken[-1]:.0f} MB" for name, taken in self.memory.items() if taken)
        return f"{seconds:6.0f} s  {sum(self.answers.values()):,} answers, {memory}"


class Poster(threading.Thread):
    """Posts one changed input after the other, and holds each answer to what an answer may be."""

    def __init__(self, fuzz: Fuzz, seeds: list[Input], number: int) -> None:
        super().__init__(name=f"poster-{number}")
        self._fuzz, self._seeds = fuzz, seeds
        self._rng = random.Random(f"{fuzz.options.seed} {number}")
        self._client = httpx.Client(base_url=fuzz.server.url, timeout=ANSWER_S)

    def run(self) -> None:
        while not self._fuzz.over.is_set():
            drawn = changed_files.draw(self._seeds, self._rng)
            plan = self._rng.choice((QUICK_RUN, QUICK_RUN, LONGER_RUN))
            contained = drawn.kind == "answer" or (drawn.kind == "model" and self._rng.random() < 0.5)
            form = self._form(drawn, plan | ({"policy": "contained"} if contained else {}))
            said = self._post(form)
            if said is None:
                continue
            with self._fuzz.lock:
                self._fuzz.answers[f"{said.status} {said.code}".strip()] += 1
                self._fuzz.states[said.state] += said.status == 200
                new = (drawn.kind, said.kind) not in self._fuzz.seen
                self._fuzz.seen.add((drawn.kind, said.kind))
            if new and self._fuzz.options.corpus and not said.is_fault and said.code not in TAKES_LONG:
                record(self._fuzz.options.corpus, self._smallest(drawn, form, said), said.kind)

    def _form(self, drawn: Input, plan: dict[str, Any]) -> dict[str, Input]:
        config = Input("config", "config.json", json.dumps(plan).encode())
        field = "model" if drawn.kind == "answer" else drawn.kind
        schema = {"schema": SCHEMA} if drawn.kind == "answer" else {}  # the liar does not tell one
        return {"model": self._fuzz.model, "config": config} | schema | {field: drawn}

    def _post(self, form: dict[str, Input]) -> Said | None:
        """What was answered; None, and a finding, where there was no answer."""
        files = {field: (part.file, part.data) for field, part in form.items()}
        started = time.monotonic()
        try:
            answer = self._client.post("/run_tests", params={"wait": WAIT_S}, files=files)
        except httpx.HTTPError as error:
            took = time.monotonic() - started
            self._fuzz.found(f"no answer after {took:.0f} s: {type(error).__name__}: {error}", form)
            return None
        said = read(answer)
        if said.is_fault:
            self._fuzz.found(f"{said.kind}: {said.message}", form)
        if said.status == 202:
            run = answer.json()["id"]
            self._client.post(f"/api/v1/runs/{run}/cancel")
            self._fuzz.left.append(run)
        return said

    def _smallest(self, drawn: Input, form: dict[str, Input], said: Said) -> Input:
        """Ever smaller pieces left out, as long as the same is said of it."""
        if drawn.kind == "answer":  # the pickle is the liar, what it says is drawn within
            return drawn
        field, data, tries = drawn.kind, drawn.data, MOST_TRIES
        piece = len(data) // 2
        while piece and tries:
            at = 0
            while at < len(data) and tries:
                tries -= 1
                less = data[:at] + data[at + piece :]
                again = self._post(form | {field: drawn._replace(data=less)}) if less else None
                if again is not None and again.kind == said.kind:
                    data = less
                else:
                    at += piece
            piece //= 2
        return drawn._replace(data=data)


class Watch(threading.Thread):
    """Asks `/health` all the time and looks at the processes; a worker that is started again is a finding."""

    def __init__(self, fuzz: Fuzz) -> None:
        super().__init__(name="watch")
        self._fuzz = fuzz

    def run(self) -> None:
        fuzz, web = self._fuzz, self._fuzz.server.process.pid
        worker, looked = worker_of(web), 0.0
        with httpx.Client(base_url=fuzz.server.url, timeout=ANSWER_S) as client:
            while not fuzz.over.wait(HEALTH_EVERY_S):
                started = time.perf_counter()
                try:
                    status = client.get("/health").status_code
                except httpx.HTTPError as error:
                    fuzz.found(f"/health: {type(error).__name__}: {error}")
                    continue
                fuzz.health_ms.append((time.perf_counter() - started) * 1000)
                if status != 200:
                    fuzz.found(f"/health answered {status}")
                if started - looked > MEMORY_EVERY_S:
                    looked, now = started, worker_of(web)
                    if now != worker:
                        fuzz.found(f"the worker {worker} is gone, {now} is in its place")
                        worker = now
                    fuzz.memory["web"].append(resident_mb(web))
                    fuzz.memory["worker"].append(resident_mb(worker) if worker else 0.0)


def verdict(fuzz: Fuzz, seconds: float) -> None:
    """What is only known at the end: runs that hang, a slow `/health`, memory that grows; and the figures."""
    until = time.monotonic() + SETTLE_S
    with httpx.Client(base_url=fuzz.server.url, timeout=ANSWER_S) as client:
        while True:
            listed = client.get("/api/v1/runs", params={"status": UNFINISHED, "limit": 200}).json()
            if not listed["total"] or time.monotonic() > until:
                break
            time.sleep(0.5)
        for run in listed["runs"]:
            fuzz.found(f"run {run['id']} stays {run['status']} in stage {run['stage']}")
        for run_id in fuzz.left:
            fuzz.states[client.get(f"/api/v1/runs/{run_id}").json()["status"]] += 1
    p50, p99 = (statistics.quantiles(fuzz.health_ms, n=100)[at] for at in (49, 98))
    print(f"\n{sum(fuzz.answers.values()):,} answers in {seconds:.0f} s")
    for title, counts in (("by status and code", fuzz.answers), ("runs by state", fuzz.states)):
        print(f"{title}: " + ", ".join(f"{what} {count:,}" for what, count in counts.most_common() if what))
    limit = f"(to stay under {HEALTH_P99_MS:g})"
    print(f"/health, {len(fuzz.health_ms):,} times: p50 {p50:.1f} ms, p99 {p99:.1f} ms {limit}")
    if p99 >= HEALTH_P99_MS:
        fuzz.found(f"/health took {p99:.0f} ms at p99")
    for name, taken in fuzz.memory.items():
        tenth = len(taken) // 10
        if not tenth:
            continue
        early, late = (statistics.median(part) for part in (taken[tenth : 2 * tenth], taken[-tenth:]))
        print(f"memory of {name}: {early:.0f} MB early, {late:.0f} MB late, {max(taken):.0f} MB at most")
        if late - early > GROWTH_MB:
            fuzz.found(f"memory of {name} grew by {late - early:.0f} MB")


def main(options: argparse.Namespace) -> int:
    seeds = changed_files.seeds()
    with tempfile.TemporaryDirectory() as folder:
        server = start_server(Path(folder), **SETTINGS)
        try:
            fuzz, started = Fuzz(server, options), time.monotonic()
            threads = [Watch(fuzz), *(Poster(fuzz, seeds, number) for number in range(POSTERS))]
            for thread in threads:
                thread.start()
            while (left := options.minutes * 60 - (time.monotonic() - started)) > 0:
                if fuzz.over.wait(min(left, 60)):
                    break
                print(fuzz.standing(time.monotonic() - started), flush=True)
            fuzz.over.set()
            for thread in threads:
                thread.join()
            verdict(fuzz, time.monotonic() - started)
            if server.process.poll() is not None:
                fuzz.found(f"the server ended with code {server.process.returncode}")
        finally:
            stop_server(server)
    print(f"seed {options.seed}: {len(fuzz.findings)} things that must not be")
    return int(bool(fuzz.findings))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for what led to something bad")
    parser.add_argument("--corpus", type=Path, help="folder for one small input of each kind of answer")
    parser.add_argument("--go-on", action="store_true", help="until the time is over, whatever is found")
    sys.exit(main(parser.parse_args()))
