"""What is refused, the model must reject; what it takes must not be refused. The model is the oracle."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from errors import InvalidSchema
from mining.schema import infer_from_model
from records.model import ModelInfo
from records.schema import FieldSpec, Schema
from rows.fit import check_agrees, check_fits_model
from schema_utils import infer_from_frame
from synthetic_data import generate

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "age": RNG.normal(50, 9, 120),
        "colour": RNG.choice(["red", "green"], 120),
        "floor": RNG.integers(1, 4, 120),
    }
)
LABELS = np.arange(120) % 2


def encoded(encoder: Any) -> Any:
    columns = ColumnTransformer([("n", StandardScaler(), ["age"]), ("c", encoder, ["colour", "floor"])])
    return make_pipeline(columns, LogisticRegression()).fit(FRAME, LABELS)


def with_field(model: Any, **keys: Any) -> tuple[Schema, Schema]:
    """The mined schema with one feature the user's, and the mined one."""
    mined = infer_from_model(model)
    assert mined is not None
    field = FieldSpec(**keys)
    return Schema(features=tuple(field if f.name == field.name else f for f in mined.features)), mined


OPEN = OneHotEncoder(handle_unknown="ignore")
ORDINAL = OrdinalEncoder()
GROWN = RandomForestClassifier(5, random_state=0).fit(FRAME[["age", "floor"]], LABELS)


@pytest.mark.parametrize("encoder", [OneHotEncoder(), ORDINAL], ids=str)
@pytest.mark.parametrize(
    "keys",
    [
        {"name": "colour", "type": "category", "categories": ["red", "blue"]},
        {"name": "colour", "type": "category", "categories": [1, 2]},
        {"name": "colour", "type": "datetime"},
        {"name": "colour", "type": "boolean"},
        {"name": "colour", "type": "number", "mean": 3},
        {"name": "floor", "type": "category", "categories": ["1", "2"]},
        {"name": "floor", "type": "category", "categories": [1, 7]},
        {"name": "floor", "type": "integer", "min": 10, "max": 20},
        {"name": "floor", "type": "datetime"},
    ],
    ids=str,
)
def test_what_a_closed_list_lacks_is_refused_and_the_model_rejects_it(encoder: Any, keys: Any) -> None:
    model = encoded(encoder)
    schema, mined = with_field(model, **keys)
    with pytest.raises(InvalidSchema, match=keys["name"]) as refused:
        check_agrees(schema, mined)
    assert refused.value.field == keys["name"]
    with pytest.raises((ValueError, TypeError)):
        model.predict(generate(schema, 50, 0).frame)


@pytest.mark.parametrize(
    ("model", "keys"),
    [
        (encoded(OneHotEncoder()), {"name": "colour", "type": "category", "categories": ["green"]}),
        (encoded(OneHotEncoder()), {"name": "floor", "type": "integer", "min": 1, "max": 3}),
        (encoded(OneHotEncoder()), {"name": "floor", "type": "category", "categories": [1.0, 2.0]}),
        (encoded(OneHotEncoder()), {"name": "age", "type": "boolean"}),
        (encoded(OneHotEncoder()), {"name": "age", "type": "category", "categories": [1, 2]}),
        (encoded(OPEN), {"name": "colour", "type": "category", "categories": ["blue"]}),
        (GROWN, {"name": "age", "type": "category", "categories": ["7"]}),
    ],
    ids=str,
)
def test_what_the_model_takes_is_not_refused(model: Any, keys: Any) -> None:
    schema, mined = with_field(model, **keys)
    check_agrees(schema, mined)
    assert len(model.predict(generate(schema, 50, 0).frame)) == 50


@pytest.mark.parametrize(
    "model",
    [
        RandomForestClassifier(5, random_state=0),
        KNeighborsClassifier(),
        HistGradientBoostingClassifier(max_iter=3),
        make_pipeline(StandardScaler(), LogisticRegression()),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "keys", [{"type": "category", "categories": ["old", "young"]}, {"type": "datetime"}], ids=str
)
def test_texts_and_dates_where_the_model_calculates_are_refused(model: Any, keys: Any) -> None:
    model.fit(FRAME[["age", "floor"]], LABELS)
    schema, mined = with_field(model, name="age", **keys)
    with pytest.raises(InvalidSchema, match="calculates"):
        check_agrees(schema, mined)
    with pytest.raises((ValueError, TypeError)):
        model.predict(generate(schema, 50, 0).frame)


def test_a_sample_may_hold_rare_new_categories_but_not_only_new_ones() -> None:
    mined = infer_from_model(encoded(OneHotEncoder()))
    check_agrees(infer_from_frame(FRAME.assign(colour=["red"] * 119 + ["blue"])), mined)
    with pytest.raises(InvalidSchema, match="blue"):
        check_agrees(infer_from_frame(FRAME.assign(colour="blue")), mined)


def test_a_model_that_knows_nothing_agrees_with_everything() -> None:
    schema, mined = with_field(
        LogisticRegression().fit(FRAME[["age", "floor"]], LABELS),
        name="age",
        type="category",
        categories=["x"],
    )
    check_agrees(schema, mined)
    check_agrees(schema, None)


def test_features_without_names_are_taken_by_position() -> None:
    mined = infer_from_model(KNeighborsClassifier().fit(FRAME[["age", "floor"]].to_numpy(), LABELS))
    texts = FieldSpec(name="height", type="category", categories=("tall",))
    with pytest.raises(InvalidSchema, match="height"):
        check_agrees(Schema(features=(texts, FieldSpec(name="width"))), mined)
    check_agrees(Schema(features=(texts,)), mined)  # another count: that is said elsewhere


def test_closed_is_told_of_encoders_that_reject_and_needs_a_list() -> None:
    told = {
        kind: infer_from_model(encoded(encoder))
        for kind, encoder in (("shut", OneHotEncoder()), ("open", OPEN))
    }
    assert told["shut"] is not None and told["open"] is not None
    assert [f.closed for f in told["shut"].features] == [False, True, True]
    assert not any(f.closed for f in told["open"].features)
    with pytest.raises(ValueError, match="closed needs the list"):
        FieldSpec(name="a", type="category", closed=True)


def schema(*names: str) -> Schema:
    return Schema(features=tuple(FieldSpec(name=name) for name in names))


def info(*features: str, n_features: int | None = None) -> ModelInfo:
    return ModelInfo(name="m", sha256="0", bytes=1, features=features, n_features=n_features)


def test_extra_and_missing_features_are_named() -> None:
    with pytest.raises(InvalidSchema, match=r"takes 'b', which is missing; the model does not take 'z'"):
        check_fits_model(schema("a", "z"), info("a", "b"))


def test_a_model_without_names_is_held_to_its_count_only() -> None:
    check_fits_model(schema("a", "b"), info(n_features=2))
    check_fits_model(schema("a", "b"), info("Column_0", "Column_1", n_features=2))
    check_fits_model(schema("a", "b"), info())
    with pytest.raises(InvalidSchema, match="takes 3 features, the schema has 2"):
        check_fits_model(schema("a", "b"), info(n_features=3))


@pytest.mark.parametrize(
    ("names", "hint"),
    [
        (("petal lenght", "petal width"), "Did you mean 'petal length' by 'petal lenght'?"),
        (("petal length", "petal width", "label"), "'petal length', 'petal width'. Leave the others"),
        (("a", "b"), "name a label column as the target"),
        (("petal length",), "The model was fitted on 'petal length', 'petal width'."),
    ],
)
def test_the_way_to_names_that_fit_is_told(names: tuple[str, ...], hint: str) -> None:
    with pytest.raises(InvalidSchema) as caught:
        check_fits_model(schema(*names), info("petal length", "petal width"))
    assert hint in caught.value.hint
