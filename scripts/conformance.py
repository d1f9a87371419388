"""Which models are tested from their file alone: makes them, posts each to a server, writes docs/models.md.

    python -m scripts.conformance [NAME ...]

Every one of scikit-learn's `all_estimators()`, every family of `family_corpus` and the shipped examples,
fitted on scikit-learn's bundled real data and run with nothing configured; then what each check says of
them. Takes some minutes. With names, only models whose name holds one of them are run, and nothing is
written. Needs what requirements-frameworks.txt lists, and skl2onnx.
"""

import io
import json
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import joblib
import numpy as np

from benchmarks.start import served
from example_models import EXAMPLES, build
from settings import PROJECT_ROOT
from tests.support.family_corpus import FAMILIES, diabetes, iris

PAGE = PROJECT_ROOT / "docs" / "models.md"
MARK = "<!-- Below this line: written by scripts/conformance.py. -->\n"
AT_ONCE = 2
TEXTS = ["a red fox", "a blue sea", "the red sea", "nothing at all"] * 20


class Made(NamedTuple):
    """A model file to be tested, or why there is none."""

    family: str
    label: str
    file: tuple[str, bytes] | None
    policy: str | None = None
    reason: str = ""


class Judged(NamedTuple):
    """One check of a report."""

    id: str
    title: str
    status: str


class Tested(NamedTuple):
    """What came of it. reason: of an error, the report's own words."""

    made: Made
    status: str
    format: str
    task: str
    features: str
    reason: str
    checks: tuple[Judged, ...] = ()


def families() -> Iterator[Made]:
    for family in FAMILIES:
        if family.missing:
            raise SystemExit(f"{family.name} needs {', '.join(family.missing)}: install them first.")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for one in family.make():
                yield Made(family.name, one.label, (one.name, one.data), one.policy)


def examples() -> Iterator[Made]:
    for example in EXAMPLES:
        yield Made("shipped example", example.name, ("model.joblib", build(example.name).model))


def estimators() -> Iterator[Made]:
    from sklearn.utils import all_estimators

    for name, kind in all_estimators():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                buffer = io.BytesIO()
                joblib.dump(_fitted(name, kind), buffer)
        except Exception as error:
            yield Made(
                "scikit-learn", name, None, reason=f"cannot be fitted here: {type(error).__name__}: {error}"
            )
        else:
            yield Made("scikit-learn", name, ("model.joblib", buffer.getvalue()))


def _fitted(name: str, kind: type[Any]) -> Any:
    """Fitted on iris (classes, clusters, transformers) or diabetes (numbers), as its tags ask."""
    from sklearn.base import is_regressor
    from sklearn.frozen import FrozenEstimator
    from sklearn.linear_model import LogisticRegression
    from sklearn.utils import get_tags
    from sklearn.utils._test_common.instance_generator import _construct_instances
    from sklearn.utils.estimator_checks import _enforce_estimator_tags_X, _enforce_estimator_tags_y

    rows, target = iris()
    if name == "FrozenEstimator":
        return FrozenEstimator(LogisticRegression(max_iter=500).fit(rows, target))
    if name == "IsotonicRegression":  # of one column
        return kind().fit(rows.iloc[:, [2]], rows.iloc[:, 3])
    if name == "SparseCoder":  # scikit-learn's own instance knows three features
        rows = rows.iloc[:, :3]
    if name in ("CountVectorizer", "TfidfVectorizer", "HashingVectorizer"):
        return kind().fit(TEXTS)
    if name in ("LabelBinarizer", "LabelEncoder"):
        return kind().fit(target)
    if name in ("DictVectorizer", "FeatureHasher"):
        return kind().fit(rows.to_dict("records"))
    if name == "MultiLabelBinarizer":
        return kind().fit([("a", "b"), ("a",)])
    estimator = next(iter(_construct_instances(kind)))
    if is_regressor(estimator):
        rows, target = diabetes()
    tags = get_tags(estimator)
    if tags.target_tags.multi_output and not tags.target_tags.single_output:
        target = np.column_stack([target, target > np.median(target)])
    elif tags.classifier_tags is not None and not tags.classifier_tags.multi_class:
        target = (target > 0).astype(int)
    if tags.input_tags.pairwise or tags.input_tags.positive_only:
        prepared = _enforce_estimator_tags_X(estimator, rows.to_numpy())
        return estimator.fit(prepared, _enforce_estimator_tags_y(estimator, target))
    return estimator.fit(rows, target)


def run(url: str, made: Made) -> Tested:
    if made.file is None:
        return Tested(made, "not made", "", "", "", made.reason)
    config = {"policy": made.policy} if made.policy else {}
    answer = httpx.post(
        f"{url}/run_tests",
        params={"wait": 600},
        files={"model": made.file},
        data={"config": json.dumps(config)},
        timeout=660,
    )
    report = answer.json()
    if answer.status_code != 200:
        return Tested(made, "error", "", "", "", str(report.get("detail", report))[:300])
    model = report["model"]
    origins = Counter(feature["origin"] for feature in (report["schema"] or {"features": []})["features"])
    errors = [f"{error['message']}" for error in report["errors"]]
    return Tested(
        made,
        report["status"],
        model["format"],
        model["task"],
        str(sum(origins.values())),
        errors[0] if errors else "",
        tuple(Judged(check["id"], check["title"], check["status"]) for check in report["checks"]),
    )


# Why a check warns, or fails, for those that it does: what a team can do about it.
WHY = {
    "error_rate": "Rows without an answer: neighbours within a radius have none for a row far from all.",
    "robustness_extremes": "No answer at a bound, just outside of it or at zero, where rows stand: "
    "clip, or choose what is done out of bounds (CategoricalNB, isotonic regression).",
    "robustness_infinities": "Infinity gets a class, as if it were a number: a caller cannot see it.",
    "robustness_wrong_type": "Text in place of a number gets an answer: a caller cannot see it.",
    "robustness_long_text": "A long text gets no answer where a short one that was never seen does.",
    "robustness_outside_bounds": "The answer jumps at the bound of a feature, more than by any slope within.",
    "robustness_dtype": "The same numbers get other answers in single precision.",
    "robustness_tiny_noise": "A billionth of noise changes answers: they are drawn at random.",
    "robustness_extra_column": "A column too many changes answers: they are drawn at random.",
    "robustness_missing_column": "A table that lacks a column is answered: a caller cannot see it.",
    "robustness_determinism": "Answers are drawn at random.",
    "robustness_row_order": "Answers are drawn at random.",
    "robustness_batch_vs_single": "Answers are drawn at random.",
    "robustness_duplicate_rows": "Answers are drawn at random.",
    "robustness_column_order": "Columns in another order are let in by name and mixed up all the same.",
    "robustness_probabilities": "Probabilities are NaN, or cannot be had: no threshold works on them.",
    "drift_breaking_point": "A shift of one feature that nobody notices flips 10 % of the answers: single or "
    "unpruned trees, neighbours, outlier detectors whose contour runs through the rows.",
    "explanation_additivity": "Attributions do not sum to the answer.",
}
STATUSES = ("pass", "measured", "warn", "fail", "error", "not_applicable")


def judged(found: list[Tested]) -> list[str]:
    """How many models each check passes, measures, warns of and fails; and why that is right."""
    tested = [one for one in found if one.status in ("passed", "warned", "failed")]
    counts: dict[str, Counter[str]] = {}
    titles: dict[str, str] = {}
    for one in tested:
        for check in one.checks:
            titles[check.id] = check.title
            counts.setdefault(check.id, Counter())[check.status] += 1
    verdicts = Counter(one.status for one in tested)
    lines = [
        "## What each check says of them",
        "",
        f"Of {len(tested)} models (families, shipped examples, estimators of scikit-learn) "
        f"{verdicts['passed']} passed, {verdicts['warned']} warned and {verdicts['failed']} failed. What "
        "a whole family does is told as a property and is `measured`, as is a figure without a limit; a "
        "warning is what a team can act on.",
        "",
        "| check | passed | measured | warned | failed | not judged | why those warn or fail |",
        "|---|---:|---:|---:|---:|---:|---|",
    ]
    for name in sorted(counts, key=lambda name: (-counts[name]["warn"] - counts[name]["fail"], titles[name])):
        found_of = counts[name]
        stirred = found_of["warn"] + found_of["fail"]
        if stirred and name not in WHY:
            raise SystemExit(f"{name} warns of or fails {stirred} models: say in WHY why that is right.")
        figures = [found_of[status] for status in STATUSES[:4]]
        rest = found_of["error"] + found_of["not_applicable"]
        why = WHY[name] if stirred else ""
        lines.append(f"| {titles[name]} | {' | '.join(map(str, figures))} | {rest} | {why} |")
    return [*lines, ""]


def page(found: list[Tested]) -> str:
    """The tables: what is tested by family, then every estimator of scikit-learn."""
    mine = [one for one in found if one.made.family != "all_estimators"]
    lines = [
        "## Families",
        "",
        "| family | model | format | task | features | status |",
        "|---|---|---|---|---|---|",
    ]
    for one in mine:
        policy = f" (policy {one.made.policy})" if one.made.policy else ""
        told = (one.made.family, one.made.label + policy, one.format, one.task, one.features, one.status)
        lines.append(f"| {' | '.join(told)} |")
    rest = [one for one in found if one.made.family == "all_estimators"]
    tested = [one for one in rest if one.status in ("passed", "warned", "failed")]
    others = [one for one in rest if one not in tested]
    lines += [
        "",
        "## Every estimator of scikit-learn",
        "",
        f"Of {len(rest)} classes of `all_estimators()`, {len(tested)} are tested from their file alone "
        "(status in brackets):",
        "",
        ", ".join(f"{one.made.label} ({one.status})" for one in tested) + ".",
        "",
        f"The other {len(others)}, with the report's own words:",
        "",
        "| class | why |",
        "|---|---|",
    ]
    lines += [f"| {one.made.label} | {_cell(one.reason)} |" for one in others]
    lines += ["", *judged(found)]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")[:240]


def main() -> None:
    wanted = [name.lower() for name in sys.argv[1:]]
    everything = [*families(), *examples(), *(one._replace(family="all_estimators") for one in estimators())]
    chosen = [
        one
        for one in everything
        if not wanted or any(w in f"{one.family} {one.label}".lower() for w in wanted)
    ]
    with (
        tempfile.TemporaryDirectory() as folder,
        served(PROJECT_ROOT / "app.py", Path(folder), "/ready") as (_, _, url),
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        found = []
        for one in pool.map(lambda made: run(url, made), chosen):
            print(f"{one.made.family:<16}{one.made.label:<34}{one.status:<10}{one.reason[:120]}", flush=True)
            found.append(one)
    errors = sum(one.status == "error" for one in found)
    print(f"{len(found)} models, {errors} with status error")
    if not wanted:
        head = PAGE.read_text("utf-8").split(MARK)[0] if PAGE.exists() else ""
        PAGE.write_text(head + MARK + "\n" + page(found), "utf-8")


if __name__ == "__main__":
    main()
