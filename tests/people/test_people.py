"""The files that people have: what came of them is kept, and may not become worse.

The outcomes in `tests/people` are those that docs/people.md shows; `scripts/people_outcomes.py` writes both.
"""

import json
import re
from functools import cache
from typing import Any

import pytest

from scripts import (
    people_bundles,
    people_fixtures,
    people_formats,
    people_mistakes,
    people_projects,
    people_strangers,
)
from scripts.people_files import Case
from scripts.people_outcomes import PAGE, WORDS, kept, page_of, tried
from tests.support.live_server import LiveServer

CHEAP: dict[str, Any] = {
    "rows": 40,
    "latency": {"batch_sizes": [1], "calls": 3, "warmup": 0, "budget_s": 0.05},
    "explain": {"rows": 5, "budget_s": 0.2},
    "drift": {"budget_s": 0.1, "breaking_points": False, "decomposition": False},
    "gates": {"p95_ms": 1e6},
}
FAIR_PART = (
    ("student project", "iris, neighbours on arrays, species as 0, 1, 2"),
    ("student project", "titanic, forest on get_dummies"),
    ("student project", "titanic, Sex and Embarked mapped by hand"),
    ("student project", "student marks, saved by Excel"),
    ("student project", "laptop prices, the logarithm learnt, prices in the table"),
    ("student project", "crops, another project's table"),
    ("student project", "breast cancer, diagnosis M and B, an empty column"),
    ("companions", "diabetes, scaler.pkl beside the model"),
    ("companions", "spam, vectorizer.pkl beside model.pkl"),
    ("companions", "bank churn, three companions"),
    ("bundle", "crops, a dict of model, label_encoder and features"),
    ("bundle", "heart, a dict of two models"),
    ("text", "spam, pipeline, a table in latin-1"),
    ("older scikit-learn", "1.3, crops, forest"),
    ("XGBoost", "1.7, UBJSON"),
    ("MLflow", "zip of the folder, scikit-learn"),
    ("estimators", "randomized search over a pipeline with XGBoost"),
    ("estimators", "two outputs"),
    ("parts", "the vocabulary alone, as a dict"),
    ("parts", "scaler, PCA and model in three files"),
    ("not a model", "a scaler alone"),
    ("not a model", "a web page saved as model.pkl"),
    ("not a model", "a zip of the whole project"),
)


@cache
def corpus() -> dict[tuple[str, str], Case]:
    modules = (people_projects, people_bundles, people_formats, people_mistakes, people_strangers)
    found = [case for module in modules for case in module.cases()]
    assert len({(case.kind, case.name) for case in found}) == len({case.slug for case in found}) == len(found)
    return {(case.kind, case.name): case for case in found}


@pytest.mark.filterwarnings("ignore")  # of the libraries that fit the models
def test_there_are_many_and_each_says_which_words_would_help() -> None:
    assert len(corpus()) >= 100
    assert len({case.kind for case in corpus().values()}) >= 10
    for case in corpus().values():
        for follow in case.follows:
            re.compile(follow.says)
        assert case.post.model.data or "empty" in case.name


@pytest.mark.filterwarnings("ignore")
def test_the_same_files_are_made_every_time() -> None:
    again = {(case.kind, case.name): case for case in people_projects.cases()}
    for key, case in again.items():
        assert case.post.sample == corpus()[key].post.sample
        assert case.truth == corpus()[key].truth


def test_the_fixtures_of_older_releases_are_small() -> None:
    assert people_fixtures.ARCHIVE.stat().st_size < 300_000
    files = people_fixtures.read()
    assert set(json.loads(files["truth.json"])) < set(files)


def test_the_page_shows_what_was_kept() -> None:
    """Written by the script from the kept outcomes, never by hand."""
    assert PAGE.read_text("utf-8") == page_of(list(kept("before").values()), list(kept("after").values()))


@pytest.mark.filterwarnings("ignore")
def test_every_outcome_that_is_kept_is_of_a_case_and_each_case_has_one() -> None:
    for name in ("before", "after"):
        assert {one["outcome"] for one in kept(name).values()} <= set(WORDS)
    assert set(kept("before")) < set(corpus()) == set(kept("after"))


def no_worse(found: dict[str, Any]) -> bool:
    key = (found["kind"], found["name"])
    if "is not installed here" in found["said"] and "pip install" in found["said"]:
        return True  # kept where keras and the companion libraries are installed
    was = kept("after").get(key) or kept("before")[key]
    return WORDS.index(found["outcome"]) <= WORDS.index(was["outcome"])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("key", FAIR_PART, ids=lambda key: ": ".join(key))
def test_what_came_of_it_is_no_worse_than_what_was_kept(server: LiveServer, key: tuple[str, str]) -> None:
    found = tried(server.url, corpus()[key], CHEAP)
    assert no_worse(found), found


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_nothing_of_the_corpus_is_worse_than_what_was_kept(server: LiveServer) -> None:
    found = [tried(server.url, case, CHEAP) for key, case in corpus().items() if key not in FAIR_PART]
    assert not [one for one in found if not no_worse(one)]
