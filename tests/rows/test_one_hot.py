"""One-hot groups: found by names, drawn so that at most one column of each is 1."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from records.schema import FieldSpec, Schema
from rows.joint import Joint
from rows.one_hot import groups_by_name, named_apart, with_groups
from schema_utils import combine
from synthetic_data import generate


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["age", "Embarked_C", "Embarked_Q", "Embarked_S"], {"Embarked": [1, 2, 3]}),
        (["Contract_One year", "Contract_Two year"], {"Contract": [0, 1]}),
        (["cat__Sex_male", "cat__Sex_female", "num__age"], {"Sex": [0, 1]}),
        (["city=Rome", "city=Oslo"], {"city": [0, 1]}),
        (["State_New_York", "State_New_Jersey", "State_Ohio"], {"State": [0, 1, 2]}),
        (["pay_method_a", "pay_method_b", "home_own_x", "home_own_y"], {"home_own": [2, 3]}),
        (["Pay_Way_a", "Pay_Way_b", "Pay_Plan_x", "Pay_Plan_y"], {}),
        (["Job_Way_a", "Job_Way_b", "Job_Plan_x", "Job_Plan_y"], {"Job_Way": [0, 1], "Job_Plan": [2, 3]}),
        (["is_new", "is_old", "has_a", "has_b", "x_1"], {}),
    ],
)
def test_prefixes_that_several_names_share(names: list[str], found: dict[str, list[int]]) -> None:
    assert groups_by_name(names) == found


def test_names_alone_tell_values_from_measures() -> None:
    assert named_apart("Contract", ["Contract_Month-to-month", "Contract_One year"])
    assert named_apart("Sex", ["Sex_male", "Sex_female"])
    assert not named_apart("petal", ["petal_length", "petal_width"])
    assert not named_apart("Blood", ["Blood_Pressure", "Blood_Sugar"])
    assert not named_apart("feature", ["feature_1", "feature_2"])


def flag(name: str, share: float | None, **more: object) -> FieldSpec:
    known = {"type": "integer", "min": 0, "max": 1, "mean": share} if share is not None else {}
    return FieldSpec.model_validate({"name": name, "origin": "model", **known, **more})


def test_what_contradicts_a_group_leaves_its_columns_alone() -> None:
    known = [flag("Tag_A", 0.8), flag("Tag_B", 0.7)]
    assert with_groups(known, frozenset()) == known  # more than all rows
    rare = [flag("Tag_A", 0.3), flag("Tag_B", 0.2)]
    assert with_groups(rare, frozenset({"Tag"})) == rare  # the model saw both at 1
    assert [f.group for f in with_groups(rare, frozenset())] == ["Tag", "Tag"]
    measures = [flag("petal_length", None), flag("petal_width", None)]
    assert with_groups(measures, frozenset()) == measures


@given(
    shares=st.lists(st.floats(0.01, 1.0), min_size=2, max_size=6),
    seed=st.integers(0, 1_000),
    with_joint=st.booleans(),
)
def test_no_row_has_two_and_each_has_its_share(shares: list[float], seed: int, with_joint: bool) -> None:
    total = max(sum(shares), 1.0)
    fields = [flag(f"c_{i}", p / total, group="c") for i, p in enumerate(shares)]
    schema = Schema(features=(*fields, FieldSpec(name="x", mean=0, std=1)))
    rng = np.random.default_rng(seed)
    joint = Joint.of_values(schema.names, rng.normal(size=(500, len(fields) + 1))) if with_joint else None
    made = generate(schema, 3_000, seed, joint).frame
    ones = made.drop(columns="x")
    assert ones.sum(axis=1).max() <= 1
    asked = np.array([p / total for p in shares])
    if asked.sum() >= 0.85:  # all categories have their column
        asked = asked / asked.sum()
        assert ones.sum(axis=1).min() == 1
    np.testing.assert_allclose(ones.mean(), asked, atol=0.05)
    fewer = generate(schema, 100, seed, joint).frame
    assert fewer.equals(made.head(100))


def test_examples_that_are_one_hot_already_are_followed_row_by_row() -> None:
    rng = np.random.default_rng(0)
    place = rng.choice(3, 400, p=[0.5, 0.3, 0.2])
    x = place + rng.normal(size=400) / 10
    table = np.column_stack([x, *(place == k for k in range(3))]).astype(float)
    fields = [flag(f"c_{k}", float((place == k).mean()), group="c") for k in range(3)]
    schema = Schema(features=(FieldSpec(name="x", mean=float(x.mean()), std=float(x.std())), *fields))
    made = generate(schema, 2_000, 0, Joint.of_values(schema.names, table)).frame
    means = [made.loc[made[f"c_{k}"] == 1, "x"].mean() for k in range(3)]
    assert means == sorted(means) and means[2] - means[0] > 1


def test_the_sample_takes_over_a_group_and_types_stay_as_they_were() -> None:
    model = Schema(features=(flag("A_x", 0.5, group="A"), flag("A_y", 0.5, group="A")))
    sample = Schema(
        features=(
            FieldSpec(name="A_x", type="boolean", mean=0.4, origin="sample"),
            FieldSpec(name="A_y", type="boolean", mean=0.6, missing_share=0.2, origin="sample"),
        )
    )
    both = combine(None, sample, model)
    assert [f.group for f in both.features] == ["A", "A"] and both.features[0].origin == "sample"
    made = generate(both, 1_000, 0).frame
    assert made["A_x"].dtype == bool and made["A_y"].isna().mean() == pytest.approx(0.2, abs=0.05)
    assert not (made["A_x"] & made["A_y"].fillna(False).astype(bool)).any()
