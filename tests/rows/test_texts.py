"""Which column of a sample is the text, and texts that are made or drawn."""

import numpy as np
import pandas as pd
import pytest

from errors import InvalidSample, InvalidSchema
from records.schema import FieldSpec, Schema
from rows.fit import check_agrees
from rows.texts import text_inputs, texts_from, texts_of, texts_read
from schema_utils import combine, infer_from_frame, parse_schema
from synthetic_data import generate
from tests.support.text_models import reviews

TEXTS, MOODS = reviews(60)
MINED = Schema(features=(FieldSpec(name="text", type="text", categories=("fine", "bad"), origin="model"),))
TABLE = pd.DataFrame({"id": range(60), "name": ["Ann", "Bob"] * 30, "review": TEXTS})


def test_the_longest_texts_of_a_sample_are_taken_and_the_rest_is_named() -> None:
    taken, said = text_inputs(TABLE, MINED)
    assert taken is not None and list(taken.columns) == ["review"]
    assert said == "The model reads one text: the column 'review' was taken, 'id', 'name' left out."
    assert texts_read(taken, MINED) == ("review",)


def test_a_column_named_text_and_an_only_column_are_taken_as_they_are() -> None:
    named = TABLE.rename(columns={"name": "text"})
    assert list(text_inputs(named, MINED)[0].columns) == ["text"]  # type: ignore[union-attr]
    alone = TABLE[["name"]]
    assert text_inputs(alone, MINED) == (alone, None)


def test_a_sample_without_texts_is_refused_with_its_columns() -> None:
    with pytest.raises(InvalidSample, match="no column of the sample holds texts: 'id', 'name'"):
        text_inputs(TABLE[["id", "name"]], MINED)


def test_a_model_of_tables_keeps_its_sample() -> None:
    columns = Schema(features=(FieldSpec(name="review", type="text"), FieldSpec(name="id")))
    assert text_inputs(TABLE, columns) == (TABLE, None)
    assert text_inputs(None, MINED) == (None, None)
    assert texts_read(TABLE, columns) == ("review",)


def test_the_sample_tells_the_lengths_and_the_model_the_words() -> None:
    sample = infer_from_frame(TABLE[["review"]], texts=("review",))
    (own,) = sample.features
    assert own.type == "text" and own.mean == pytest.approx(TEXTS.str.split().map(len).mean())
    (field,) = combine(None, sample, MINED).features
    assert (field.name, field.type, field.categories) == ("review", "text", ("fine", "bad"))
    assert (field.mean, field.max) == (own.mean, own.max)


def test_long_values_are_categories_where_the_model_reads_no_text() -> None:
    assert infer_from_frame(TABLE[["review"]]).features[0].type == "category"


def test_a_column_without_any_text_is_a_text_without_words() -> None:
    (field,) = infer_from_frame(pd.DataFrame({"t": [None, np.nan]}), texts=("t",)).features
    assert field.type == "text" and field.categories is None and field.nullable


def test_rows_are_drawn_from_the_texts_of_the_sample() -> None:
    schema = combine(None, infer_from_frame(TABLE[["review"]], texts=("review",)), MINED)
    made = generate(schema, 500, 3, None, texts_of(TABLE, schema)).frame["review"]
    assert set(made) <= set(TEXTS) and made.nunique() == 60
    assert sorted(made[:60]) == sorted(TEXTS)  # each once before any stands again
    fewer = generate(schema, 20, 3, None, texts_of(TABLE, schema)).frame["review"]
    assert list(fewer) == list(made[:20])


def test_where_texts_come_from_is_said() -> None:
    schema = Schema(features=(FieldSpec(name="t", type="text"), FieldSpec(name="n")))
    alone = Schema(features=schema.features[:1])
    assert texts_from("Together.", Schema(features=schema.features[1:]), ()) == "Together."
    assert texts_from("Together.", schema, ("t",)).endswith(
        "'t' are the sample's own, in another order. Together."
    )
    assert texts_from("Together.", alone, ()).endswith("drawn one by one: without grammar.")


def test_made_texts_follow_the_seed_and_the_bounds() -> None:
    field = FieldSpec(
        name="t", type="text", categories=("aa", "bb c", "dd"), weights=(6, 1, 3), mean=9, min=3, max=30
    )
    schema = Schema(features=(field, FieldSpec(name="n")))
    made = generate(schema, 3_000, 5).frame
    assert list(generate(schema, 40, 5).frame["t"]) == list(made["t"][:40])
    assert list(generate(Schema(features=(field,)), 3_000, 5).frame["t"]) == list(made["t"])
    lengths = made["t"].str.split().map(len)
    assert lengths.min() >= 3 and lengths.max() <= 31 and lengths.mean() == pytest.approx(9, abs=0.5)
    drawn = pd.Series(" ".join(made["t"]).split()).value_counts(normalize=True)
    assert drawn["aa"] == pytest.approx(6 / 11, abs=0.02) and drawn["bb"] == drawn["c"]


def test_missing_texts_are_as_many_as_said() -> None:
    field = FieldSpec(name="t", type="text", missing_share=0.25)
    assert generate(Schema(features=(field,)), 4_000, 0).frame["t"].isna().mean() == pytest.approx(
        0.25, abs=0.02
    )


@pytest.mark.parametrize(
    ("feature", "said"),
    [
        ({"type": "text", "quantiles": [1, 2]}, "quantiles cannot be used with type text"),
        ({"type": "text", "categories": [1, "a"]}, "1 is no word"),
        ({"type": "text", "categories": [" "]}, "' ' is no word"),
        ({"type": "text", "min": -1}, "min -1 is below 0"),
        ({"type": "text", "min": 9, "max": 3}, "min 9 is above max 3"),
        ({"type": "text", "distribution": "normal"}, "distribution normal cannot be used with type text"),
        ({"type": "text", "categories": ["a"], "closed": True}, "closed cannot be used with type text"),
    ],
)
def test_a_text_that_cannot_be_meant_is_refused(feature: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidSchema, match=said):
        parse_schema([{"name": "t", **feature}])


def test_a_number_in_place_of_the_text_is_refused_and_a_category_is_not() -> None:
    check_agrees(parse_schema([{"name": "t", "type": "category", "categories": ["a b c"]}]), MINED)
    with pytest.raises(InvalidSchema, match="is of type integer, and the model reads it as a text"):
        check_agrees(parse_schema([{"name": "t", "type": "integer"}]), MINED)
