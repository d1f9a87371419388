"""What of a sample is for a model. Taken is what is certain; the rest is refused or only named."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from errors import InvalidSample
from records.model import ModelInfo
from records.sample import SampleFacts
from records.schema import FieldSpec, Schema
from rows.matching import Match, is_schema_table, match
from rows.preview import FactsTable, shown_schema
from rows.taking import FrameTable, facts_of, inputs_of
from schema_utils import infer_from_frame

RNG = np.random.default_rng(0)
ROWS = 40
PEOPLE = pd.DataFrame({
    "Id": range(ROWS),
    "age": RNG.normal(40, 9, ROWS),
    "fbs": RNG.integers(0, 2, ROWS),
    "plan": RNG.choice(["free", "pro", "team"], ROWS),
    "total": np.where(np.arange(ROWS) % 9 == 0, " ", "12.5"),
    "target": np.arange(ROWS) % 2,
})  # fmt: skip


def info(*features: str, n: int | None = None, **keys: Any) -> ModelInfo:
    told: dict[str, Any] = {"task": "classification", "classes": ("0", "1")} | keys
    return ModelInfo(name="m", sha256="0", bytes=1, features=features, n_features=n or len(features), **told)


def mined(*names: str, **figures: Any) -> Schema:
    return Schema(features=tuple(FieldSpec(name=name, origin="model", **figures) for name in names))


def facts(frame: pd.DataFrame) -> SampleFacts:
    return SampleFacts(
        rows=len(frame), columns=tuple(frame.columns), schema_=infer_from_frame(frame), told=facts_of(frame)
    )


def matched(
    frame: pd.DataFrame,
    model: ModelInfo,
    target: str | None = None,
    *,
    schema: Schema | None = None,
    user: Schema | None = None,
) -> Match:
    """By the frame; the facts alone must say the same."""
    schema = schema or (mined(*model.features) if model.features else None)
    by_facts: Match | str
    try:
        by_facts = match(FactsTable(facts(frame), model.features), model, schema, user, target)
    except InvalidSample as error:
        by_facts = error.message
    try:
        found = match(FrameTable(frame), model, schema, user, target)
    except InvalidSample as error:
        assert by_facts == error.message
        raise
    assert by_facts == found
    return found


def test_columns_too_many_are_left_out_and_the_models_come_in_its_order() -> None:
    found = matched(PEOPLE, info("fbs", "age"), "target")
    assert found.taken == (("fbs", "fbs"), ("age", "age"))
    assert found.left_out == ("Id", "plan", "total") and not found.target_found
    inputs, read = inputs_of(PEOPLE, found)
    assert list(inputs.columns) == ["fbs", "age"] and read == {}
    pd.testing.assert_frame_equal(inputs, PEOPLE[["fbs", "age"]])


@pytest.mark.parametrize(
    ("frame", "model", "label"),
    [
        (PEOPLE, info("age"), "target"),  # usual, and holds the classes
        (PEOPLE.rename(columns={"target": "Survived"}), info("age"), "Survived"),
        (PEOPLE[["age", "target"]].rename(columns={"target": "z"}), info("age"), "z"),  # the only one left
        (PEOPLE[["Id", "age", "target"]].rename(columns={"target": "z"}), info("age"), "z"),
        (PEOPLE, info("age", classes=("free", "pro", "team")), "plan"),  # words that are no other column's
        (PEOPLE.assign(target=["A", "B"] * 20), info("age"), "target"),  # as many as classes
        (PEOPLE.assign(price=1.5), info("age", task="regression", classes=()), None),  # which of two?
        (PEOPLE.drop(columns="target").assign(price=1.5), info("age", task="regression"), "price"),
        (PEOPLE.rename(columns={"target": "z"}), info("age"), None),  # fbs is no less likely
        (PEOPLE.drop(columns="target"), info("age"), None),
        (PEOPLE, info("age", task="clustering"), None),
        (PEOPLE.assign(target=range(ROWS)), info("age", "fbs"), None),
        (PEOPLE.assign(target="x"), info("age", task="regression"), None),
    ],
)
def test_the_label_is_found_where_it_is_certain(
    frame: pd.DataFrame, model: ModelInfo, label: str | None
) -> None:
    found = matched(frame, model)
    assert (found.target, found.target_found) == (label, label is not None)
    assert label not in found.left_out


def test_what_may_be_the_label_is_named_and_not_taken() -> None:
    found = matched(PEOPLE.rename(columns={"target": "z"}), info("age"))
    assert found.target is None and found.could_be == ("fbs", "z")


def test_names_are_one_but_for_spelling_where_no_other_could_be_meant() -> None:
    frame = pd.DataFrame({"Sepal_Length": [1.0, 2], "petal width": [1.0, 2], "Petal Width": [3.0, 4]})
    model = info("sepal length (cm)", "petal_width")
    with pytest.raises(InvalidSample, match="lacks 'petal_width'"):
        matched(frame, model)
    found = matched(frame.iloc[:, :2], model)
    assert found.taken == (("sepal length (cm)", "Sepal_Length"), ("petal_width", "petal width"))


def test_raw_columns_are_encoded_by_names() -> None:
    found = matched(PEOPLE, info("age", "plan_pro", "plan_team"), "target")
    (encoded,) = found.encoded
    assert encoded.column == "plan" and encoded.without == ("free",)
    inputs, _ = inputs_of(PEOPLE, found)
    wanted = pd.get_dummies(PEOPLE[["age", "plan"]], drop_first=True, dtype=int)
    pd.testing.assert_frame_equal(inputs, wanted)
    shown = shown_schema(found, infer_from_frame(PEOPLE))
    assert shown is not None and shown.names == ("age", "plan_pro", "plan_team")
    assert [field.mean for field in shown.features[1:]] == pytest.approx(list(wanted.iloc[:, 1:].mean()))


def test_texts_that_are_numbers_are_read_as_such_where_the_model_takes_numbers() -> None:
    model = info("age", "total")
    found = matched(PEOPLE, model, "target")
    assert found.numbers == ("total",) and found.texts == ()
    inputs, read = inputs_of(PEOPLE, found)
    assert read == {"total": 5} and inputs["total"].dropna().eq(12.5).all()
    listed = Schema(features=(
        FieldSpec(name="age", origin="model"),
        FieldSpec(name="total", type="category", categories=(" ", "12.5"), origin="model"),
    ))  # fmt: skip
    assert matched(PEOPLE, model, "target", schema=listed).numbers == ()


def test_texts_where_the_model_calculates_are_named() -> None:
    assert matched(PEOPLE, info("age", "plan"), "target").texts == ("plan",)
    assert matched(
        PEOPLE, info(n=2), "target", schema=mined("x0", "x1"), user=mined("age", "plan")
    ).texts == ("plan",)


def test_a_column_that_lacks_is_left_to_the_schema_where_one_knows_it() -> None:
    frame, model = PEOPLE.drop(columns="fbs"), info("age", "fbs")
    with pytest.raises(InvalidSample, match="lacks 'fbs'") as caught:
        matched(frame, model, "target")
    assert "takes 'age', 'fbs'. The sample has 'Id', 'age', 'plan'" in caught.value.hint
    assert matched(frame, model, "target", schema=mined("age", "fbs", min=0.0)).missing == ("fbs",)
    assert matched(frame, model, "target", user=mined("fbs")).missing == ("fbs",)


def test_the_nearest_names_are_told() -> None:
    with pytest.raises(InvalidSample) as caught:
        matched(PEOPLE.rename(columns={"fbs": "fbs_value"}), info("age", "fbs_valeu"), "target")
    assert "Nearest names: 'fbs_valeu' and 'fbs_value'." in caught.value.hint


def test_another_models_table_is_refused_once_with_both_lists() -> None:
    with pytest.raises(
        InvalidSample, match="not a table of this model, which takes 3 columns: it has 1 of"
    ) as caught:
        matched(
            PEOPLE, info("age", "plan_code", "width"), "target", schema=mined("age", "plan_code", "width")
        )
    told = caught.value.hint
    assert "The model takes numbers; 'plan' holds text: send the encoded table, or the encoder beside" in told
    assert "takes 'age', 'plan_code', 'width'" in told and "has 'Id', 'age'" in told


def test_values_without_a_column_are_told_where_more_than_one_has_none() -> None:
    with pytest.raises(InvalidSample) as caught:
        matched(PEOPLE, info("age", "plan_pro"), "target")
    assert "'plan' looks like the raw form of 'plan_pro'" in caught.value.hint
    assert "no column for 'free', 'team'" in caught.value.hint


NUMBERS = PEOPLE[["Id", "age", "fbs", "target"]]


@pytest.mark.parametrize(
    ("frame", "target", "kept", "left_out", "label"),
    [
        (NUMBERS, "target", ["age", "fbs"], ["Id"], "target"),
        (NUMBERS, None, ["age", "fbs"], ["Id"], "target"),
        (NUMBERS.drop(columns="Id"), None, ["age", "fbs"], [], "target"),
        (NUMBERS.rename(columns={"Id": "nr"}), "target", ["age", "fbs"], ["nr"], "target"),  # only numbers
        (NUMBERS.drop(columns="fbs"), "target", ["Id", "age"], [], "target"),  # the count says so
        (NUMBERS.drop(columns="fbs"), None, ["Id", "age"], [], "target"),
    ],
)
def test_a_model_that_knows_only_a_count_takes_no_identifier(
    frame: pd.DataFrame, target: str | None, kept: list[str], left_out: list[str], label: str
) -> None:
    found = matched(frame, info(n=2), target)
    assert [column for _, column in found.taken] == kept
    assert (list(found.left_out), found.target) == (left_out, label)


@pytest.mark.parametrize(
    ("frame", "target", "said"),
    [
        (PEOPLE, "target", "takes 2 columns and keeps no names; the sample has 5 beside the target"),
        (NUMBERS[["age", "target"]], "target", "the sample has 1 beside the target: 'age'"),
        # Either may be out of place: the label is at the end, under no usual name.
        (NUMBERS[["Id", "age", "target"]].rename(columns={"target": "z"}), None, "the sample has 3: 'Id'"),
        (NUMBERS.assign(width=1.0, height=2.0), "target", "the sample has 5 beside"),
    ],
)
def test_what_is_not_certain_by_the_count_is_refused(
    frame: pd.DataFrame, target: str | None, said: str
) -> None:
    with pytest.raises(InvalidSample, match=said):
        matched(frame, info(n=2), target)


def test_a_schema_that_lists_as_many_columns_decides_which() -> None:
    found = matched(PEOPLE, info(n=2), "target", user=mined("fbs", "age"))
    assert [column for _, column in found.taken] == ["age", "fbs"]
    assert found.left_out == ("Id", "plan", "total")


def test_a_model_that_knows_nothing_gets_all_but_the_label() -> None:
    model = ModelInfo(name="m", sha256="0", bytes=1)
    assert len(matched(PEOPLE, model, "target").taken) == 5


def texts(name: str) -> Schema:
    """A model of one text, as a schema has it whose types know texts."""
    kind: Any = "text"
    return Schema.model_construct(features=(FieldSpec.model_construct(name=name, type=kind),))


def test_a_model_of_texts_takes_the_only_column_of_texts_that_is_no_label() -> None:
    frame = pd.DataFrame(
        {"v1": ["ham", "spam"] * 3, "v2": [f"text {i}" for i in range(6)], "Unnamed: 2": 1.5}
    )
    model = info(classes=("ham", "spam"))
    found = matched(frame, model, schema=texts("text"))
    assert found.taken == (("text", "v2"),) and found.target == "v1" and found.left_out == ("Unnamed: 2",)
    named = matched(frame.assign(title="a"), info("v2", classes=("ham", "spam")), "v1", schema=texts("v2"))
    assert named.taken == (("v2", "v2"),)
    with pytest.raises(InvalidSample, match="takes one column of texts; the sample has 'v2', 'title'"):
        matched(frame.assign(title="a"), model, "v1", schema=texts("text"))
    with pytest.raises(InvalidSample, match="none of 'v1', 'Unnamed: 2' holds any"):
        matched(frame.drop(columns="v2"), model, "v1", schema=texts("text"))


@pytest.mark.parametrize(
    ("columns", "features", "is_one"),
    [
        (["name", "type", "min", "max"], [], True),
        (["Name", "Categories"], [], True),
        (["name", "mean", "std"], [], False),
        (["name", "type", "age"], [], False),
        (["name", "type"], ["type", "size"], False),
    ],
)
def test_a_table_of_features_is_known_by_its_titles(
    columns: list[str], features: list[str], is_one: bool
) -> None:
    assert is_schema_table(columns, features) is is_one
