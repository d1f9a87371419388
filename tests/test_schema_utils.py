"""Schemas: what is refused and how it is said, what a sample shows, and what overrides what."""

import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from scipy import stats

from errors import InvalidSample, InvalidSchema
from records.model import ModelInfo
from records.schema import FieldSpec, Schema
from schema_utils import (
    CATEGORIES_KEPT,
    check_complete,
    combine,
    infer_from_frame,
    parse_schema,
    validate_frame,
)


def schema(*names: str, **keys: object) -> Schema:
    return Schema(features=tuple(FieldSpec.model_validate({"name": name, **keys}) for name in names))


def info(*features: str, n_features: int | None = None) -> ModelInfo:
    return ModelInfo(name="m", sha256="0", bytes=1, features=features, n_features=n_features)


def field_of(values: object, **frame: object) -> FieldSpec:
    return infer_from_frame(pd.DataFrame({"a": values, **frame})).features[0]


# --- parsing


@pytest.mark.parametrize(
    "data",
    [
        '{"features": [{"name": "age", "type": "integer", "min": 18, "max": 90}]}',
        b'[{"name": "age", "type": "integer", "min": 18, "max": 90}]',
        b'\xef\xbb\xbf[{"name": "age", "type": "integer", "min": 18, "max": 90}]',
        {"features": [{"name": "age", "type": "integer", "min": 18, "max": 90}]},
    ],
)
def test_a_schema_is_read_from_text_bytes_or_objects(data: object) -> None:
    assert parse_schema(data) == Schema(  # type: ignore[arg-type]
        features=(FieldSpec(name="age", type="integer", min=18, max=90),)
    )


def test_a_schema_survives_the_way_through_json() -> None:
    before = schema("a", type="category", categories=["x", 1, 2.5, True], weights=[1, 2, 3, 4])
    assert parse_schema(before.model_dump_json()) == before


BAD_FIELDS = [
    ({"name": "a", "type": "float"}, "unknown type 'float'", "number, integer, category, boolean, datetime"),
    ({"name": "a", "colour": 1}, "unknown key 'colour'", "distribution"),
    ({"name": "a", "min": 3, "max": 1}, "min 3 is above max 1", "Swap"),
    ({"name": "a", "mean": 9, "max": 1}, "mean 9 is outside", "Correct"),
    ({"name": "a", "std": -1}, "std -1 is negative", "0 or more"),
    ({"name": "a", "min": "3"}, "min is the text '3'", "without quotes"),
    ({"name": "a", "min": [3]}, "min is [3]", "Write a number"),
    ({"name": "a", "distribution": "lognormal", "min": -1}, "min -1 is below 0", "normal"),
    (
        {"name": "a", "distribution": "zipf"},
        "unknown distribution 'zipf'",
        "auto, normal, lognormal, uniform",
    ),
    ({"name": "a", "type": "integer", "min": 0.2, "max": 0.8}, "no integer lies between", "Widen"),
    ({"name": "a", "type": "category", "categories": []}, "categories is empty", "at least one"),
    ({"name": "a", "type": "category", "categories": ["x", "x"]}, "'x' is listed twice", "once"),
    ({"name": "a", "type": "category", "categories": [2**63]}, "integer beyond 64 bits", "as text"),
    (
        {"name": "a", "type": "category", "categories": ["x"], "weights": [1, 2]},
        "2 weights for 1",
        "one weight",
    ),
    ({"name": "a", "type": "category", "categories": ["x"], "weights": [-1]}, "negative", "from 0"),
    ({"name": "a", "type": "category", "categories": ["x"], "weights": [0]}, "sum to 0", "above 0"),
    ({"name": "a", "type": "category", "weights": [1]}, "weights need categories", "List"),
    ({"name": "a", "type": "category", "min": 1}, "min cannot be used with type category", "Leave out"),
    (
        {"name": "a", "categories": ["x"]},
        "categories cannot be used with type number",
        "set the type to category",
    ),
    ({"name": "a", "type": "datetime", "min": "31.1.2024"}, "not a date", "2024-01-31"),
    ({"name": "a", "type": "datetime", "min": 5}, "not a date", "ISO 8601"),
    ({"name": "a", "type": "datetime", "min": "2025-01-01", "max": "2024-01-01"}, "is after max", "Swap"),
    ({"name": "a", "missing_share": 0.1, "nullable": False}, "nullable is false", "true"),
    ({"name": "a", "missing_share": 1.5}, "missing_share is 1.5", "Correct"),
    ({"name": "a", "max": float("inf")}, "max is not a finite number", "Leave it out"),
    ({"name": "a", "mean": float("nan")}, "mean is not a finite number", "Leave it out"),
    ({"name": "a\0"}, "cannot be stored", "NUL"),
]


@pytest.mark.parametrize(
    ("field", "message", "hint"), BAD_FIELDS, ids=[message for _, message, _ in BAD_FIELDS]
)
def test_a_bad_field_is_named_with_what_is_wrong_and_what_to_do(
    field: object, message: str, hint: str
) -> None:
    with pytest.raises(InvalidSchema) as caught:
        parse_schema([{"name": "fine"}, field])
    assert caught.value.message.startswith("Feature 'a")
    assert message in caught.value.message and hint in caught.value.hint
    assert str(caught.value.field).startswith("a")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"age,integer", "not JSON"),
        (b"\xff\xfe\x00", "not JSON text in UTF-8"),
        ("[" * 100_000, "nested deeper than 8 levels"),
        ("[" + "1," * 900_000 + "1]", "more than 800,000 tokens"),
        (json.dumps([{"name": "a"} | {f"k{i}": 1 for i in range(50)}]), "'a' has 51 keys"),
        (json.dumps({f"k{i}": 1 for i in range(50)}), "The schema has 50 keys"),
        ("3", "not an object or a list"),
        ("{}", "no features"),
        ("[]", "no features"),
        ('[{"name": "a"}, {"name": "a"}]', "'a' is listed 2 times"),
        ('[{"type": "number"}]', "Feature number 1: name is missing"),
        ('["a"]', "Feature number 1"),
        ('[{"name": "a", "max": 1e999}]', "1e999 is too large a number: leave it out"),
        ('[{"name": "a", "max": NaN}]', "NaN is no number in JSON: write null"),
        ('{"features": [{"name": "a"}], "target": "y"}', "unknown key 'target'"),
        ('[{"name": "a", "x": 1, "y": 2}]', "(1 more problem)"),
    ],
)
def test_what_is_no_schema_is_refused_in_one_sentence(data: bytes | str, message: str) -> None:
    with pytest.raises(InvalidSchema) as caught:
        parse_schema(data)
    assert message in caught.value.message and "\n" not in caught.value.message and caught.value.hint


def test_a_missing_share_implies_nullable() -> None:
    assert parse_schema('[{"name": "a", "missing_share": 0.2}]').features[0].nullable


# --- inference


def test_figures_of_a_number_are_those_of_numpy() -> None:
    values = np.random.default_rng(0).normal(5, 2, 500)
    field = field_of([*values, None])
    assert (field.type, field.distribution, field.origin) == ("number", "normal", "sample")
    assert (field.min, field.max) == (values.min(), values.max())
    assert field.mean == pytest.approx(np.mean(values)) and field.std == pytest.approx(np.std(values))
    assert field.nullable and field.missing_share == pytest.approx(1 / 501)


@pytest.mark.parametrize(
    ("draw", "expected"),
    [
        (stats.norm(10, 1), "normal"),
        (stats.lognorm(0.8), "lognormal"),
        (stats.uniform(3, 4), "uniform"),
        (stats.t(5), "normal"),
        (stats.lognorm(0.8, loc=-5), "normal"),  # skewed, but not above 0
    ],
)
def test_the_shape_is_told_from_the_moments(draw: object, expected: str) -> None:
    assert field_of(draw.rvs(2000, random_state=1)).distribution == expected  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2, 3], "integer"),
        ([1.0, None, 3.0], "integer"),  # what pandas makes of whole numbers beside missing ones
        ([1.0, 2.0], "number"),
        ([1.5, float("inf")], "number"),
        ([Decimal("1.5"), Decimal("2")], "number"),
        ([10**17, 10**17 + 1], "number"),  # beyond what a float bound holds exactly
        ([True, False], "boolean"),
        ([True, None, False], "boolean"),
        (["x", "y", None], "category"),
        (["x", 1], "category"),
        (["2024-01-01", "2024-02-03"], "datetime"),
        (["2024-01-01T10:00:00Z", "2024-02-03T11:00:00+02:00"], "datetime"),
        (["2024-01-01", "2024-13-45"], "category"),  # looks like dates and is none
        (["2024-01-01T10:00:00Z", "2024-02-03"], "category"),
        (pd.to_datetime(["2024-01-01", "NaT"]), "datetime"),
        ([pd.Timestamp("2024-01-01").date()] * 2, "datetime"),
        (pd.Categorical([1, 2, 1]), "category"),
        (pd.Categorical([True, False]), "boolean"),
        ([None, None], "number"),
    ],
)
def test_the_type_is_told_from_dtype_and_content(values: object, expected: str) -> None:
    assert field_of(values).type == expected


def test_categories_come_most_frequent_first_with_their_shares() -> None:
    field = field_of(["b", "a", "b", None])
    assert field.categories == ("b", "a") and field.weights == pytest.approx((2 / 3, 1 / 3))
    assert field.missing_share == 0.25


def test_a_category_of_numbers_keeps_its_numbers() -> None:
    assert field_of(pd.Categorical([7, 3, 7])).categories == (7, 3)


def test_ids_and_free_text_are_capped() -> None:
    field = field_of([f"row {i} " + "x" * 1000 for i in range(2000)])
    assert field.categories is not None and len(field.categories) == CATEGORIES_KEPT


def test_dates_without_a_time_stay_days() -> None:
    field = field_of(["2024-03-01", "2024-02-03"])
    assert (field.min, field.max) == ("2024-02-03", "2024-03-01")
    assert field_of(["2024-03-01T01:02:03", "2024-03-01"]).max == "2024-03-01T01:02:03.000000"


def test_a_column_without_values_is_a_nullable_number_without_figures() -> None:
    field = field_of([None, None])
    assert field.nullable and field.missing_share == 0.99 and field.mean is None


def test_the_target_is_left_out() -> None:
    assert infer_from_frame(pd.DataFrame({"a": [1], "y": [0]}), target="y").names == ("a",)


def test_an_unknown_target_is_refused_with_the_columns_there_are() -> None:
    with pytest.raises(InvalidSample, match="no column 'z'") as caught:
        infer_from_frame(pd.DataFrame({"a": [1], "y": [0]}), target="z")
    assert "'a', 'y'" in caught.value.hint


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "two columns named 'a'"),
        (pd.DataFrame({"a": []}), "no rows"),
        (pd.DataFrame(index=[0]), "no feature columns"),
        (pd.DataFrame({"a": [[1], [2]]}), "lists or objects"),
        (pd.DataFrame({"n" * 201: [1]}), "cannot be used"),
    ],
)
def test_a_frame_that_gives_no_schema_is_refused(frame: pd.DataFrame, message: str) -> None:
    with pytest.raises(InvalidSample, match=message):
        infer_from_frame(frame)


def test_every_inferred_schema_can_be_sent_as_json() -> None:
    frame = pd.DataFrame({"a": [1.5, 1e308], "b": ["x", None], "c": [True, False], "d": [-1e308, 1e308]})
    inferred = infer_from_frame(frame)
    sent = parse_schema(json.loads(inferred.model_dump_json()))
    assert sent.names == inferred.names


# --- combining


def test_the_user_overrides_the_sample_and_the_sample_the_model() -> None:
    model = schema("a", "b", "c", min=0.0, origin="model")
    sample = schema("c", "b", min=1.0, origin="sample")
    user = schema("b", min=2.0)
    combined = combine(user, sample, model)
    assert combined.names == ("a", "b", "c")
    assert [(f.min, f.origin) for f in combined.features] == [(0, "model"), (2, "user"), (1, "sample")]


def test_a_category_without_categories_takes_those_of_the_sample() -> None:
    sample = schema("a", type="category", categories=["x", "y"], weights=[1, 3], origin="sample")
    combined = combine(schema("a", type="category", nullable=True), sample, None)
    taken = combined.features[0]
    assert (taken.categories, taken.weights) == (("x", "y"), (1.0, 3.0))
    assert combined.features[0].nullable and combined.features[0].origin == "user"
    check_complete(combined)


def test_a_category_that_stays_without_categories_is_refused_with_a_remedy() -> None:
    with pytest.raises(InvalidSchema, match="Feature 'a' is of type category without categories") as caught:
        check_complete(combine(schema("a", type="category"), None, None))
    assert "sample" in caught.value.hint and caught.value.field == "a"


def test_a_field_that_states_only_its_name_takes_everything_from_the_next() -> None:
    sample = schema("a", type="integer", min=3, max=9, origin="sample")
    assert combine(schema("a"), sample, None) == sample


def test_a_model_without_names_lends_its_ranges_by_position() -> None:
    model = schema("x0", "x1", max=7.0, origin="model")
    combined = combine(schema("a", min=1.0), schema("b", "a", origin="sample"), model)
    assert combined.names == ("b", "a")
    assert combined.features[0].max == 7 and combined.features[1].min == 1
    assert combine(schema("a", "b", "c"), None, model).names == ("a", "b", "c")  # another count: told later
    assert combine(schema("x1", min=2.0), None, model).names == ("x0", "x1")


def test_when_nothing_is_known_a_schema_or_a_sample_is_asked_for() -> None:
    with pytest.raises(InvalidSchema, match="Nothing is known") as caught:
        combine(None, None, None)
    assert "sample" in caught.value.hint


# --- checking


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("number", [1, 2.5, None], ["1", "x"]),
        ("integer", [1, 2.0, None], [1, 2.5]),
        ("boolean", [True, None], ["yes", "no"]),
        ("datetime", ["2024-01-01", None], ["soon", "2024-01-01"]),
    ],
)
def test_a_frame_is_held_to_the_types_and_not_to_the_values(
    kind: str, good: list[object], bad: list[object]
) -> None:
    validate_frame(schema("a", type=kind), pd.DataFrame({"a": good, "more": 1}))
    with pytest.raises(InvalidSample, match=f"Column 'a' should be of type {kind} but holds"):
        validate_frame(schema("a", type=kind), pd.DataFrame({"a": bad}))


def test_a_frame_that_lacks_a_feature_is_refused_by_name() -> None:
    with pytest.raises(InvalidSample, match="lacks 'b'"):
        validate_frame(schema("a", "b"), pd.DataFrame({"a": [1]}))


def test_a_sample_keeps_its_own_quantiles_unless_it_is_tiny_or_very_wide() -> None:
    rows = np.random.default_rng(0).exponential(size=200)
    field = infer_from_frame(pd.DataFrame({"a": rows})).features[0]
    assert field.quantiles is not None
    assert (field.quantiles[0], field.quantiles[-1]) == (rows.min(), rows.max())
    assert set(field.quantiles) <= set(rows)
    np.testing.assert_allclose(field.quantiles, np.quantile(rows, np.linspace(0, 1, 101)), atol=0.3)
    assert infer_from_frame(pd.DataFrame({"a": rows[:20]})).features[0].quantiles is None
    wide = pd.DataFrame({f"c{i}": rows for i in range(501)})
    assert all(field.quantiles is None for field in infer_from_frame(wide).features)
    far = pd.DataFrame({"a": np.tile([1.7e308, -1.7e308], 50)})
    assert infer_from_frame(far).features[0].quantiles is None


@pytest.mark.parametrize(
    ("quantiles", "words"),
    [
        ((2.0, 1.0), "ascending"),
        ((0.0, float("inf")), "finite"),
        ((0.0, 11.0), "outside 0 to 10"),
        ((1.0,), "at least 2"),
    ],
)
def test_quantiles_that_cannot_be_are_refused_in_words(quantiles: tuple[float, ...], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        FieldSpec(name="a", min=0, max=10, quantiles=quantiles)


def test_quantiles_belong_to_numbers_alone() -> None:
    field = {"name": "a", "type": "category", "categories": ["x"], "quantiles": [0, 1]}
    with pytest.raises(InvalidSchema, match="quantiles cannot be used with type category"):
        parse_schema({"features": [field]})


def test_to_a_schema_that_is_complete_nothing_is_added() -> None:
    model, sample = schema("a", "b", origin="model"), schema("b", "c", origin="sample")
    user = parse_schema({"features": [{"name": "b"}], "complete": True})
    assert combine(user, sample, model).names == ("b",)
    assert combine(user.model_copy(update={"complete": False}), sample, model).names == ("a", "b", "c")
    numbered = schema("x0", "x1", origin="model", min=1.0)
    two = parse_schema({"features": [{"name": "b"}, {"name": "c"}], "complete": True})
    found = combine(two, schema("b", "c", "d", origin="sample"), numbered)
    assert found.names == ("b", "c")
