"""Posts the files that people have to a running server, as they would, and tells what came of each.

    python -m scripts.people_outcomes after [--url URL] [--only REGEX]   # writes tests/people/after.json
    python -m scripts.people_outcomes page                              # writes docs/people.md

A model, its raw table and the label's name, nothing configured. Where the answer is a sentence that the case
knows how to follow, what it says is done and posted as well. Without --url a server is started.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from benchmarks.start import served
from scripts.people_files import Case, Post, cases
from settings import PROJECT_ROOT

__all__ = ["FOLDER", "PAGE", "WORDS", "Outcome", "kept", "main", "page_of", "tried"]

FOLDER = PROJECT_ROOT / "tests" / "people"
PAGE = PROJECT_ROOT / "docs" / "people.md"
BEGIN = "<!-- Below this line: written by scripts/people_outcomes.py. -->\n"
AT_ONCE = 2
MOST_STEPS = 3  # sentences that a person follows before they give up
SECTIONS = ("metrics", "accuracy", "likeness", "drift", "robustness", "explanation")
FULL, FOLLOWED, TOLD, OTHER, PART, DEAD_END = (
    "full report", "sentence, followed", "sentence", "other figure", "report in part", "dead end",
)  # fmt: skip
WORDS = (FULL, FOLLOWED, TOLD, OTHER, PART, DEAD_END)
HELPED = (FULL, FOLLOWED, TOLD)
# Less of everything than by default, so that it ends within the hour; nothing is left out.
PLAN: dict[str, Any] = {
    "rows": 100,
    "latency": {"budget_s": 0.2, "calls": 5},
    "explain": {"rows": 10, "budget_s": 0.5},
    "drift": {"budget_s": 0.2},
}
NEAR = 0.03  # of the accuracy or R2 that the author measures
Outcome = dict[str, Any]
"""outcome: one of the words above; status: the verdict or the HTTP status; sections: those with a value."""


def post(
    url: str, what: Post, config: dict[str, Any], timeout_s: float = 600
) -> tuple[httpx.Response, float]:
    """The answer to one form, and the seconds that it took. What lies beside goes along where it is taken."""

    def send(beside: bool) -> httpx.Response:
        files: list[tuple[str, Any]] = [("model", (what.model.name, what.model.data))]
        if what.sample is not None:
            files.append(("sample", (what.sample.name, what.sample.data)))
        if beside:
            files += [("preprocessor", (file.name, file.data)) for file in what.beside]
        data = {"target": what.target} if what.target else {}
        if config or what.config:
            data["config"] = json.dumps({**config, **what.config})
        while True:
            answer = httpx.post(
                f"{url}/run_tests", params={"wait": 600}, files=files, data=data, timeout=timeout_s
            )
            if answer.status_code != 429:
                return answer
            time.sleep(float(answer.headers.get("Retry-After", 2)))

    started = time.monotonic()
    answer = send(bool(what.beside))
    if answer.status_code == 422 and "preprocessor" in answer.text and "Unknown form field" in answer.text:
        started = time.monotonic()
        answer = send(False)
    return answer, time.monotonic() - started


def judged(answer: httpx.Response, case: Case, asked: Post) -> Outcome:
    """What came of one post; `texts` is all that was said, for a sentence to be found in."""
    document = answer.json()
    if answer.status_code != 200 or "checks" not in document:
        said = f"{document.get('detail', '')} {document.get('hint', '')}".strip()
        return {"outcome": DEAD_END, "status": str(answer.status_code), "sections": [], "score": None,
                "said": said, "texts": [said]}  # fmt: skip
    sections = {name: document[name] for name in SECTIONS}
    errors = [f"{error['message']} {error['hint']}".strip() for error in document["errors"]]
    reasons = [
        section["reason"] for section in sections.values() if section["status"] != "ok" and section["reason"]
    ]
    score = _score(sections["accuracy"].get("value"))
    if document["status"] == "error":
        outcome = DEAD_END
    elif any(section["status"] == "failed" for section in sections.values()) or (
        asked.target and score is None
    ):
        outcome = PART
    elif case.truth is not None and asked.target and score is not None and abs(score - case.truth) > NEAR:
        outcome = OTHER
    else:
        outcome = FULL
    texts = [*errors, *document["warnings"], *reasons]
    reason = sections["accuracy"]["reason"] if asked.target and score is None else None
    said = errors[0] if errors else (reason or (document["warnings"] or [""])[0] if outcome != FULL else "")
    return {"outcome": outcome, "status": document["status"], "score": score, "said": said, "texts": texts,
            "sections": [name for name,
            section in sections.items() if section["status"] == "ok"]}  # fmt: skip


def _score(accuracy: dict[str, Any] | None) -> float | None:
    if accuracy is None:
        return None
    found = accuracy.get("accuracy")
    found = accuracy.get("r2") if found is None else found
    return None if found is None else round(float(found), 4)


def tried(url: str, case: Case, config: dict[str, Any]) -> Outcome:
    """The case posted; and as long as a sentence can be followed, what comes of that, three times at most."""
    answer, seconds = post(url, case.post, config)
    first = judged(answer, case, case.post)
    worked = sum(answer.json().get("timings", {}).values())  # without the wait for the run before it
    last, sent, left = first, case.post, list(case.follows)
    steps: list[dict[str, Any]] = []
    while last["outcome"] != FULL and len(steps) < MOST_STEPS:
        follow = next(
            (f for f in left if any(re.search(f.says, text, re.IGNORECASE) for text in last["texts"])), None
        )
        if follow is None or not follow.changes:
            break
        left.remove(follow)
        sent = follow.applied(sent)
        last = judged(post(url, sent, config)[0], case, sent)
        steps.append({"changed": sorted(follow.changes), "outcome": last["outcome"], "said": last["said"]})
    if first["outcome"] == FULL:
        outcome = FULL
    elif last["outcome"] == FULL:
        outcome = FOLLOWED
    else:
        final = [follow for follow in left if not follow.changes]
        told = any(re.search(follow.says, text, re.IGNORECASE) for follow in final for text in last["texts"])
        outcome = TOLD if told else first["outcome"]
    for part in (first, *steps):
        part["said"] = _short(part["said"])
    return {"kind": case.kind, "name": case.name, "truth": case.truth, "outcome": outcome,
        "status": first["status"],
            "sections": first["sections"], "score": last["score"], "said": first["said"], "steps": steps,
            "seconds": round(worked or seconds, 1)}  # fmt: skip


def kept(name: str) -> dict[tuple[str, str], Outcome]:
    """The outcomes of that name, by kind and name of the case."""
    path = FOLDER / f"{name}.json"
    found = json.loads(path.read_text("utf-8")) if path.exists() else []
    return {(one["kind"], one["name"]): one for one in found}


def tables(before: list[Outcome], after: list[Outcome]) -> str:
    """The table of both, and what was said where no full report came."""
    was, now = ({(one["kind"], one["name"]): one for one in found} for found in (before, after))
    lines = [
        "| | before | after |",
        "|---|---|---|",
        *(f"| {word} | {_count(before, word)} | {_count(after, word)} |" for word in WORDS),
        f"| of | {len(before)} | {len(after)} |",
        "",
        _verdicts(after),
        "",
        "| kind | files | before | after | status | sections | score | author's own | seconds |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for key, one in {**was, **now}.items():  # a case that was not posted again shows what it was
        words = (was.get(key, {}).get("outcome", ""), now.get(key, {}).get("outcome", ""))
        told = (*key, *words, one["status"], _sections(one), _number(one["score"]), _number(one["truth"]),
                str(one["seconds"]))  # fmt: skip
        lines.append(f"| {' | '.join(told)} |")
    lines += [
        "",
        "## What was said",
        "",
        "Where no full report came at once:",
        "",
        "| files | sentence | then |",
        "|---|---|---|",
    ]
    for one in after:
        if one["outcome"] != FULL:
            then = "; ".join(f"{', '.join(step['changed'])}: {step['outcome']}" for step in one["steps"])
            lines.append(f"| {one['kind']}: {one['name']} | {_cell(one['said'])} | {then} |")
    return "\n".join(lines) + "\n"


def _short(text: str) -> str:
    """Without what a library of C++ tells of itself, and of the machine it was built on."""
    return " ".join(text.partition("Stack trace:")[0].split())[:400]


def _verdicts(found: list[Outcome]) -> str:
    """How many of the first reports that could be judged say what."""
    counts = Counter(one["status"] for one in found)
    words = ("passed", "warned", "failed")
    told = ", ".join(f"{counts[word]} {word}" for word in words)
    return f"Of {sum(counts[word] for word in words)} models that were judged at once, {told}."


def _count(found: list[Outcome], word: str) -> int:
    return sum(one["outcome"] == word for one in found)


def _sections(one: Outcome) -> str:
    """Which sections the first report holds, in as few words as say it."""
    found = [name for name in SECTIONS if name in one["sections"]]
    if len(found) in (0, len(SECTIONS)):
        return "all" if found else ""
    missing = [name for name in SECTIONS if name not in found]
    return f"all but {', '.join(missing)}" if len(missing) <= len(found) else ", ".join(found)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "\\<")


def page_of(before: list[Outcome], after: list[Outcome]) -> str:
    """The whole page: its head, which is written by hand, and the tables."""
    head = PAGE.read_text("utf-8").split(BEGIN)[0]
    return head + BEGIN + "\n" + tables(before, after)


@contextmanager
def _server(url: str | None) -> Iterator[str]:
    if url is not None:
        yield url
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        served(PROJECT_ROOT / "app.py", Path(folder), "/ready") as (_, _, started),
    ):
        yield started


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=("before", "after", "look", "page"), help="look: writes nothing")
    parser.add_argument("--url")
    parser.add_argument(
        "--only", default="", help="cases of which `kind: name` matches this; the others stay as kept"
    )
    parser.add_argument("--rest", action="store_true", help="cases that are not kept yet")
    parser.add_argument(
        "--config", type=json.loads, default=PLAN, help="JSON instead of `PLAN`; {}: the default plan"
    )
    options = parser.parse_args()
    if options.what == "page":
        PAGE.write_text(page_of(*(list(kept(name).values()) for name in ("before", "after"))), "utf-8")
        return
    known = kept(options.what) if options.rest else {}
    chosen = [
        case
        for case in cases()
        if re.search(options.only, f"{case.kind}: {case.name}") and (case.kind, case.name) not in known
    ]
    with _server(options.url) as url, ThreadPoolExecutor(AT_ONCE) as pool:
        found = []
        for one in pool.map(lambda case: tried(url, case, options.config), chosen):
            told = "" if one["outcome"] == FULL else one["said"][:300]
            then = "".join(
                f" -> {step['changed']} {step['outcome']} {step['said'][:200]}" for step in one["steps"]
            )
            figures = f"{_number(one['score'])}/{_number(one['truth'])}"
            print(f"{one['outcome']:<19}{one['status']:<8}{figures:<13}{one['seconds']:>6} {one['kind']}: "
                  f"{one['name']}  {told}{then}", flush=True)  # fmt: skip
            found.append(one)
            if options.what != "look":
                _keep(options.what, one)
    print(Counter(one["outcome"] for one in found))


def _keep(name: str, one: Outcome) -> None:
    """In place of what was kept of the same case; at the end where it is new."""
    found = {**kept(name), (one["kind"], one["name"]): one}
    text = json.dumps(list(found.values()), indent=1, ensure_ascii=False)
    (FOLDER / f"{name}.json").write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
