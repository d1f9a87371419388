"""Pipelines of category_encoders, imbalanced-learn and feature-engine: allowed, asked and mined."""

import io
import pickle
from functools import cache
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import model_utils
from estimators.loading import load
from mining.companions import UNKNOWN_CATEGORY
from mining.schema import infer_from_model
from scan.files import scan
from tests.support.companion_corpus import COMPANIONS, TABLE, TARGET, companions, installed
from tests.support.model_corpus import Fitted

# The libraries tell pandas' own changes to whoever runs them; a child tells no deprecations either.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
CITIES = {"Bern", "Oslo", "Rome"}


@cache
def every() -> tuple[Fitted, ...]:
    return tuple(companions())


def saved(model: Any) -> io.BytesIO:
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    return buffer


def fields(model: Any) -> dict[str, Any]:
    schema = infer_from_model(model)
    assert schema is not None
    return {field.name: field for field in schema.features}


@pytest.mark.parametrize("library", COMPANIONS)
def test_every_pipeline_of_theirs_is_allowed_and_answers_as_before(library: str) -> None:
    pytest.importorskip(library)
    corpus = [one for one in every() if one.label.startswith(library)]
    assert len(corpus) > 20
    for label, model, rows in corpus:
        expected = [str(value) for value in model.predict(rows)]
        for data in (saved(model), io.BytesIO(pickle.dumps(model, 2))):
            report = scan(data)
            assert report.ok, (label, report.refused)
            found = model_utils.adapt(load(data, "strict", report)).answer(rows)
            assert not found.failed.any() and found.labels is not None, label
            assert [found.labels[int(code)] for code in found.values] == expected, label


@pytest.mark.parametrize("library", ["category_encoders", "feature_engine"])
def test_encoders_tell_their_categories(library: str) -> None:
    pytest.importorskip(library)
    told = {one.label: fields(one.model) for one in every() if one.label.startswith(library)}
    with_texts = {label: found for label, found in told.items() if "city" in found}
    lacking = {label for label, found in with_texts.items() if set(found["city"].categories or ()) != CITIES}
    hashed = {"category_encoders HashingEncoder", "category_encoders MultiHotEncoder"}
    dropped = {"feature_engine SelectByTargetMeanPerformance"}  # the column: nothing behind it knows of it
    assert lacking <= hashed | dropped


def test_what_a_wrapped_transformer_remembers_is_told_of_its_columns() -> None:
    wrappers = pytest.importorskip("feature_engine.wrappers")
    selection = pytest.importorskip("feature_engine.selection")
    steps = (
        selection.DropFeatures(["city", "plan"]),
        wrappers.SklearnTransformerWrapper(StandardScaler(), variables=["income"]),
        LogisticRegression(),
    )
    found = fields(make_pipeline(*steps).fit(TABLE, TARGET))
    assert found["income"].mean == pytest.approx(TABLE["income"].mean())
    assert found["age"].mean != pytest.approx(TABLE["age"].mean())  # which no scaler knows


def test_counting_encoders_tell_how_often_each_occurs() -> None:
    encoders = pytest.importorskip("category_encoders")
    model = make_pipeline(encoders.CountEncoder(cols=["city"]), LogisticRegression())
    found = fields(model.fit(TABLE[["age", "city"]], TARGET))["city"]
    shares = pd.Series(found.weights, index=found.categories) / sum(found.weights)
    true = TABLE["city"].value_counts(normalize=True)
    assert np.allclose(shares.sort_index(), true.sort_index())


def test_numbers_beside_an_encoder_are_known_by_the_scaler_behind_it() -> None:
    encoders = pytest.importorskip("category_encoders")
    model = make_pipeline(encoders.TargetEncoder(cols=["city"]), StandardScaler(), LogisticRegression())
    found = fields(model.fit(TABLE[["age", "city"]], TARGET))
    assert found["age"].mean == pytest.approx(TABLE["age"].mean())
    assert set(found["city"].categories) == CITIES


def test_samplers_leave_the_columns_as_they_are() -> None:
    pipeline = pytest.importorskip("imblearn.pipeline").Pipeline
    sampler = pytest.importorskip("imblearn.over_sampling").RandomOverSampler(random_state=0)
    steps = [("sample", sampler), ("scale", StandardScaler()), ("model", LogisticRegression())]
    found = fields(pipeline(steps).fit(TABLE[["age", "income"]], TARGET))
    assert found["age"].mean == pytest.approx(TABLE["age"].mean(), rel=0.1)


def test_a_hashing_encoder_keeps_no_category() -> None:
    encoders = pytest.importorskip("category_encoders")
    model = make_pipeline(encoders.HashingEncoder(cols=["city"], max_process=1), LogisticRegression())
    assert fields(model.fit(TABLE[["age", "city"]], TARGET))["city"].categories == (UNKNOWN_CATEGORY,)


class FakeEncoder:
    """As category_encoders' are, for where it is not installed."""

    feature_names_in_ = ("age", "city")
    cols = ("city",)

    def __init__(self) -> None:
        index = pd.Index(["Bern", "Oslo", np.nan])
        self.mapping = [{"col": "city", "mapping": pd.Series([1, 2, -2], index=index)}]

    def get_feature_names_out(self) -> list[str]:
        return ["age", "city"]

    def transform(self, rows: Any) -> Any:
        return rows


FakeEncoder.__module__ = "category_encoders.ordinal"


def test_without_the_library_what_it_wrote_is_read_by_its_attributes() -> None:
    scaler = StandardScaler().fit(np.array([[30.0, 1.0], [50.0, 2.0]]))
    model = make_pipeline(FakeEncoder(), scaler)
    found = fields(model)
    assert found["city"].categories == ("Bern", "Oslo") and found["city"].nullable
    assert found["age"].mean == 40.0


def test_a_library_that_is_missing_is_named_with_its_line() -> None:
    missing = [library for library in COMPANIONS if not installed(library)]
    for library in missing:
        text = f"c{library}.pipeline\nPipeline\n)\x81.".encode("latin-1")
        with pytest.raises(Exception, match=library) as error:
            load(io.BytesIO(b"\x80\x02" + text))
        if library == "imblearn":
            assert "pip install imbalanced-learn" in getattr(error.value, "hint", "")
