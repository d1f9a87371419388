"""A raw column as a model's 0/1 columns. pandas.get_dummies and scikit-learn's encoder are the oracles."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from sklearn.preprocessing import OneHotEncoder

from records.sample import EncodedColumn
from rows.encoding import Group, encode, groups
from rows.taking import FrameTable

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=6)


def found(features: list[str], frame: pd.DataFrame) -> tuple[Group, ...]:
    return groups(features, list(frame.columns), FrameTable(frame).values)


def encoded(features: list[str], frame: pd.DataFrame) -> pd.DataFrame:
    made = [encode(frame[g.column.column], g.column) for g in found(features, frame) if not g.unclear]
    return pd.concat([pd.DataFrame(index=frame.index), *made], axis=1)


@given(st.lists(WORDS.map(str.strip).filter(bool), min_size=2, max_size=30), st.booleans())
def test_whatever_is_encoded_is_what_get_dummies_makes(values: list[str], drop_first: bool) -> None:
    frame = pd.DataFrame({"Contract": pd.Series(values, dtype="str")})
    wanted = pd.get_dummies(frame, drop_first=drop_first, dtype=int)
    if wanted.empty or wanted.columns.duplicated().any():
        return
    made = encoded(list(wanted.columns), frame)
    assert_frame_equal(made, wanted[list(made.columns)])
    (group,) = found(list(wanted.columns), frame)
    assert len(group.column.without) == drop_first and not group.unclear
    assert list(made.columns) == list(wanted.columns)


@pytest.mark.parametrize(
    "values", [[1, 2, 3], [1.0, 2.0, np.nan], [True, False], [0, -1, 10], ["a", None, "b"]]
)
def test_numbers_truths_and_gaps_are_encoded_as_by_pandas(values: list[object]) -> None:
    frame = pd.DataFrame({"Pclass": values * 4})
    for gaps in (False, True):
        wanted = pd.get_dummies(frame, columns=["Pclass"], dummy_na=gaps, dtype=int)
        wanted = wanted.loc[:, wanted.any()]
        assert_frame_equal(encoded(list(wanted.columns), frame), wanted)


def test_the_names_of_scikit_learns_encoder_are_known() -> None:
    frame = pd.DataFrame({"Sex": ["male", "female"] * 5, "Port": ["S", "C", "Q", "S", "S"] * 2})
    encoder = OneHotEncoder(drop="if_binary", sparse_output=False).fit(frame)
    names = encoder.get_feature_names_out().tolist()
    assert encoded(names, frame).to_numpy().tolist() == encoder.transform(frame).tolist()


def test_whole_numbers_with_gaps_meet_names_of_whole_numbers() -> None:
    frame = pd.DataFrame({"Pclass": [1.0, 2.0, np.nan, 3.0]})
    assert encoded(["Pclass_1", "Pclass_2", "Pclass_3"], frame).to_numpy().tolist() == [
        [1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 1],
    ]  # fmt: skip


def test_a_category_that_the_sample_lacks_is_nought_in_all_rows() -> None:
    frame = pd.DataFrame({"Plan": ["a", "b"] * 3})
    made = encoded(["Plan_a", "Plan_b", "Plan_c"], frame)
    assert made["Plan_c"].tolist() == [0] * 6


@pytest.mark.parametrize(
    ("features", "columns"),
    [
        (["a_b_c"], {"a": ["b_c", "x"], "a_b": ["c", "x"]}),  # two could have made it
        (["a12"], {"a1": ["1", "2"]}),  # a number is one name
        (["Plan_a"], {"Planet": ["a", "b"]}),
        (["age_scaled"], {"age": ["1", "2"]}),
    ],
)
def test_a_name_that_no_column_made_alone_stands_for_none(
    features: list[str], columns: dict[str, list[str]]
) -> None:
    assert groups(features, list(columns), columns.__getitem__) == ()


def test_more_values_without_a_column_than_an_encoder_leaves_out_are_not_clear() -> None:
    values = {"Plan": ["a", "b", "c", "d"]}
    (group,) = groups(["Plan_a", "Plan_b"], ["Plan"], values.__getitem__)
    assert group == Group(
        EncodedColumn(column="Plan", features=("Plan_a", "Plan_b"), without=("c", "d")), unclear=True
    )
