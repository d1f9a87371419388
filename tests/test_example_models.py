"""The shipped examples are small, repeatable, and as good as a reader would expect."""

# mypy: allow-untyped-defs, allow-untyped-calls, disable-error-code="arg-type"

import io

import joblib
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, r2_score

from errors import NotFound
from example_models import EXAMPLES, build

SMALLEST_SCORE = {"breast-cancer": 0.93, "wine": 0.93, "diabetes": 0.35}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.name)
def test_an_example_answers_its_held_out_half_well(example):
    files = build(example.name)
    sample = pd.read_csv(io.BytesIO(files.sample_csv))
    y = sample.pop(files.target)
    estimator = joblib.load(io.BytesIO(files.model))
    assert list(estimator.feature_names_in_) == list(sample.columns)
    judge = accuracy_score if example.task == "classification" else r2_score
    assert judge(y, estimator.predict(sample)) > SMALLEST_SCORE[example.name]
    assert files.target == example.target


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.name)
def test_an_example_is_small_and_the_same_every_time(example):
    first, second = build(example.name), build(example.name)
    assert first.sample_csv == second.sample_csv
    sample = pd.read_csv(io.BytesIO(first.sample_csv)).drop(columns=first.target)
    answers = [joblib.load(io.BytesIO(f.model)).predict(sample).tolist() for f in (first, second)]
    assert answers[0] == answers[1]
    assert len(first.model) < 300_000


def test_the_diabetes_example_has_a_text_category():
    sample = pd.read_csv(io.BytesIO(build("diabetes").sample_csv))
    assert set(sample["sex"]) == {"group 1", "group 2"}


def test_an_unknown_example_is_named_together_with_those_that_exist():
    with pytest.raises(NotFound, match="no example 'iris'") as caught:
        build("iris")
    assert "breast-cancer" in caught.value.hint
