"""A model under examination knows its own facts, and looks for them once."""

import numpy as np
import pandas as pd

from distances.subject import Subject
from records.schema import FieldSpec, Schema
from tests.support.predictors import numbers


def test_the_features_that_are_texts_are_looked_for_once() -> None:
    frame = pd.DataFrame({"a": np.arange(4.0), "b": ["x y", "z", "x", "y"]})
    schema = Schema(features=(FieldSpec(name="a"), FieldSpec(name="b", type="text")))
    predict = numbers(lambda f: f["a"])
    subject = Subject.of(frame, schema, predict, predict(frame), 0)
    assert subject.texts == ("b",) and subject.texts is subject.texts
    assert subject.head(2).texts == ("b",)
