"""How columns hang together, against SciPy's rank correlations; and that their own distributions stay."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest, spearmanr

from records.schema import FieldSpec, Schema
from rows.joint import MAX_DONORS, Joint, joint_for
from sandbox import answers
from schema_utils import infer_from_frame
from synthetic_data import generate

RNG = np.random.default_rng(0)
FIRST = RNG.normal(size=800)
SAMPLE = pd.DataFrame(
    {
        "size": FIRST,
        "price": np.exp(FIRST + RNG.normal(size=800) / 3),
        "count": np.rint(FIRST * 3 + 10).astype(int),
        "big": FIRST > 0.5,
        "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(np.rint(FIRST * 50 + 200), unit="D"),
        "class": pd.cut(FIRST, [-9, -0.5, 0.5, 9], labels=["small", "middle", "large"]).astype(str),
        "apart": RNG.random(800),
    }
)


def joint_of(frame: pd.DataFrame = SAMPLE) -> tuple[Schema, Joint]:
    schema = infer_from_frame(frame)
    joint = Joint.of_frame(frame, schema)
    assert joint is not None
    return schema, joint


def numbers(frame: pd.DataFrame) -> pd.DataFrame:
    order = {"small": 0, "middle": 1, "large": 2}
    return pd.DataFrame(
        {
            name: column.map(order) if name == "class" else pd.to_numeric(column)
            for name, column in frame.items()
        }
    )


def test_rank_correlations_of_every_type_are_those_of_the_sample() -> None:
    schema, joint = joint_of()
    made = generate(schema, 20_000, 0, joint).frame
    assert (made.dtypes == generate(schema, 5, 0).frame.dtypes).all()
    expected = spearmanr(numbers(SAMPLE)).statistic
    found = spearmanr(numbers(made)).statistic
    assert np.allclose(found, expected, atol=0.06)
    assert abs(spearmanr(numbers(generate(schema, 20_000, 0).frame)).statistic[0, 1]) < 0.05


def test_shares_are_even_in_each_column() -> None:
    _, joint = joint_of()
    donors = joint.donors(50_000, 3)
    for name in joint.names:
        shares = joint.shares(name, donors, np.random.default_rng(5).random(50_000))
        assert kstest(shares, "uniform").statistic < 1.63 / math.sqrt(50_000) * 2  # 800 donors, not 50,000


def test_a_users_own_distribution_holds_and_keeps_its_rank_correlation() -> None:
    schema, joint = joint_of()
    own = FieldSpec(name="price", min=5, max=6, distribution="uniform")
    changed = Schema(features=tuple(own if f.name == "price" else f for f in schema.features))
    made = generate(changed, 20_000, 0, joint).frame
    assert kstest(made["price"], "uniform", args=(5, 1)).statistic < 0.03
    assert spearmanr(made["size"], made["price"]).statistic > 0.9


def test_fewer_rows_are_the_first_of_more_and_one_feature_changes_no_other() -> None:
    schema, joint = joint_of()
    more, fewer = generate(schema, 300, 1, joint).frame, generate(schema, 100, 1, joint).frame
    pd.testing.assert_frame_equal(more.head(100), fewer)
    without = Schema(features=tuple(f for f in schema.features if f.name != "price"))
    pd.testing.assert_frame_equal(generate(without, 100, 1, joint).frame, fewer.drop(columns="price"))
    assert not generate(schema, 100, 2, joint).frame.equals(fewer)


def test_missing_values_stay_as_frequent_and_do_not_break_the_ranks() -> None:
    holes = SAMPLE.assign(price=SAMPLE["price"].where(RNG.random(800) > 0.3))
    schema, joint = joint_of(holes)
    made = generate(schema, 10_000, 0, joint).frame
    assert made["price"].isna().mean() == pytest.approx(holes["price"].isna().mean(), abs=0.02)
    some = made.dropna()
    assert spearmanr(some["size"], some["price"]).statistic > 0.4


def test_many_rows_are_thinned_and_few_are_no_example() -> None:
    many = pd.DataFrame(RNG.normal(size=(3 * MAX_DONORS, 2)), columns=["a", "b"])
    _, joint = joint_of(many)
    assert joint.ranks.shape == (MAX_DONORS, 2)
    assert all(np.array_equal(np.sort(column), np.arange(MAX_DONORS)) for column in joint.ranks.T)
    assert Joint.of_frame(many.head(5), infer_from_frame(many)) is None
    assert Joint.of_values(["a"], many[["a"]].to_numpy()) is None


def test_a_models_rows_are_fitted_by_name_or_by_position() -> None:
    joint = Joint.of_values(["x0", "x1"], SAMPLE[["size", "price"]].to_numpy())
    assert joint is not None
    mined = Schema(features=(FieldSpec(name="x0"), FieldSpec(name="x1")))
    named = Schema(features=(FieldSpec(name="a"), FieldSpec(name="b")))
    renamed = joint.fitted_to(named, mined)
    assert renamed is not None and renamed.names == ("a", "b")
    assert joint.fitted_to(Schema(features=(FieldSpec(name="a"),)), mined) is None
    assert joint.fitted_to(mined, mined) is not None


def test_a_category_with_another_list_has_lost_its_order() -> None:
    names = ["a", "b", "c"]
    joint = Joint.of_values(names, SAMPLE[["size", "price", "count"]].to_numpy())
    assert joint is not None
    kind: dict[str, Any] = {"name": "c", "type": "category"}
    fields = (FieldSpec(name="a"), FieldSpec(name="b"))
    mined = Schema(features=(*fields, FieldSpec(**kind, categories=("x", "y"))))
    other = Schema(features=(*fields, FieldSpec(**kind, categories=("y", "x"))))
    kept = joint.fitted_to(other, mined)
    assert kept is not None and kept.names == ("a", "b")


def test_the_source_is_said_in_words_and_the_sample_comes_first() -> None:
    schema, joint = joint_of()
    found, words = joint_for(schema, SAMPLE, schema, joint)
    assert found is not None and "800 rows of the sample" in words
    found, words = joint_for(schema, None, schema, joint)
    assert found is not None and "model's file" in words
    assert joint_for(schema, None, schema, None) == (
        None,
        "Each feature is drawn on its own: how they go together is not known.",
    )


@pytest.mark.parametrize(
    ("names", "ranks"),
    [
        (["a", "b"], np.zeros((3, 1), dtype=np.uint16)),
        (["a", "b"], np.zeros((3, 2), dtype=np.float64)),
        (["a", "b"], np.full((3, 2), 3, dtype=np.uint16)),
        (["a", "a"], np.zeros((3, 2), dtype=np.uint16)),
        (["a", "z"], np.zeros((3, 2), dtype=np.uint16)),
        (["a", "b"], np.zeros((0, 2), dtype=np.uint16)),
        (["a", "b"], np.zeros((MAX_DONORS + 1, 2), dtype=np.uint16)),
        (["a", "b"], np.zeros(2, dtype=np.uint16)),
    ],
)
def test_ranks_that_do_not_fit_are_not_believed(names: list[str], ranks: Any) -> None:
    mined = Schema(features=(FieldSpec(name="a"), FieldSpec(name="b")))
    with pytest.raises(ValueError):
        answers.joint_of(names, ranks, mined)
    assert answers.joint_of(None, None, mined) is None
