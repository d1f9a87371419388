"""Texts that a caller may send: answered ones pass, refused ones are named."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from distances.subject import Subject
from records.robustness import Behaviour, RobustnessPlan
from records.schema import FieldSpec, Schema
from robustness.examination import examine
from tests.support.examined import behaviour
from tests.support.predictors import classes
from tests.support.text_models import reviews

FRAME = pd.DataFrame({"t": reviews(50)[0]})
SCHEMA = Schema(features=(FieldSpec(name="t", type="text"),))


def examined(refuses: Callable[[Any], bool]) -> dict[str, Behaviour]:
    def probability(frame: pd.DataFrame) -> "pd.Series[float]":
        return pd.Series([np.nan if refuses(text) else 0.9 for text in frame["t"]])

    predict = classes(probability)
    subject = Subject.of(FRAME, SCHEMA, predict, predict(FRAME), seed=0)
    return {found.name: found for found in examine(subject, RobustnessPlan()).behaviours}


def test_a_model_that_answers_every_text_passes() -> None:
    found = examined(lambda t: False)
    for name in ("empty_text", "unusual_text", "very_long_text", "missing_text"):
        assert (found[name].status, found[name].failing_share) == ("ok", 0.0)


def test_each_kind_of_text_that_is_not_answered_is_told_with_an_example() -> None:
    cases: dict[str, Callable[[Any], bool]] = {
        "empty_text": lambda t: t is not None and not str(t).strip(" .?!\n\t"),
        "unusual_text": lambda t: t is not None and "\U0001f600" in str(t),
        "very_long_text": lambda t: t is not None and len(str(t)) > 50_000,
        "missing_text": lambda t: t is None,
    }
    for name, refuses in cases.items():
        found = examined(refuses)
        failing = {n for n in cases if found[n].failing_share}
        assert failing == {name}
        assert str(found[name].example).startswith("t = ")
        assert found[name].advice


def test_a_model_of_numbers_is_not_asked_about_texts() -> None:
    predict = classes(lambda frame: np.full(len(frame), 0.9))
    frame, schema = pd.DataFrame({"n": [1.0, 2.0]}), Schema(features=(FieldSpec(name="n"),))
    subject = Subject.of(frame, schema, predict, predict(frame), seed=0)
    assert "empty_text" not in {b.name for b in examine(subject, RobustnessPlan()).behaviours}
    asked = behaviour("empty_text", classes(lambda frame: np.full(len(frame), 0.9)))
    assert (asked.status, asked.reason) == ("not_applicable", "No feature is a text.")
