"""Hard tables: each changes exactly what it says, and keeps the rest."""

from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest

from hard_rows import HardKind, hard_table, hard_tables
from schema_utils import FieldSpec, Schema
from synthetic_data import generate

SCHEMA = Schema(
    features=(
        FieldSpec(name="x", min=-2, max=8),
        FieldSpec(name="n", type="integer", min=1, max=5),
        FieldSpec(name="free", mean=3, std=1),
        FieldSpec(name="colour", type="category", categories=("red", "blue")),
        FieldSpec(name="code", type="category", categories=(1, 2)),
        FieldSpec(name="flag", type="boolean"),
        FieldSpec(name="day", type="datetime", min="2024-01-01", max="2024-06-01"),
    )
)
FRAME = generate(SCHEMA, 40, 0).frame


def changed_values(kind: HardKind) -> dict[str, list[Any]]:
    """Feature -> the values that stand in its rows; all else must be the first row's."""
    table = hard_table(kind, FRAME, SCHEMA)
    assert table is not None and len(table.features) == len(table.frame)
    assert list(table.frame.columns) == list(FRAME.columns)
    found: dict[str, list[Any]] = {}
    for row, feature in enumerate(table.features):
        for name in FRAME.columns:
            value = table.frame[name].iloc[row]
            if name == feature:
                found.setdefault(name, []).append(value)
            else:
                assert value == FRAME[name].iloc[0]
    return found


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("minimum", {"x": [-2], "n": [1], "free": [FRAME["free"].min()]}),
        ("maximum", {"x": [8], "n": [5], "free": [FRAME["free"].max()]}),
        ("zero", {"x": [0], "n": [0], "free": [0]}),
        ("infinite", {"x": [np.inf, -np.inf], "free": [np.inf, -np.inf]}),
        ("wrong type", {name: ["not a number"] for name in ("x", "n", "free")}),
        ("unseen category", {"colour": ["unseen value"], "code": [3]}),
    ],
)
def test_the_values_are_those_of_the_kind(kind: HardKind, expected: dict[str, list[Any]]) -> None:
    assert changed_values(kind) == expected


def test_just_outside_is_outside_by_little() -> None:
    below, above = changed_values("just below"), changed_values("just above")
    assert -2.02 < below["x"][0] < -2 and 8 < above["x"][0] < 8.02
    assert (below["n"], above["n"]) == ([0], [6])
    assert below["free"][0] < FRAME["free"].min() and above["free"][0] > FRAME["free"].max()


def test_every_feature_is_missing_once_and_a_text_is_very_long() -> None:
    missing = changed_values("missing")
    assert list(missing) == list(FRAME.columns)
    assert all(pd.isna(value) for values in missing.values() for value in values)
    (text,) = changed_values("long text")["colour"]
    assert len(text) == 100_000


def test_types_stay_where_they_can_hold_the_value() -> None:
    for kind in ("minimum", "just above", "zero"):
        table = hard_table(kind, FRAME, SCHEMA)
        assert table is not None and (table.frame.dtypes == FRAME.dtypes).all()
    text = hard_table("wrong type", FRAME, SCHEMA)
    assert (
        text is not None and text.frame["x"].dtype == object and text.frame["day"].dtype == FRAME["day"].dtype
    )
    missing = hard_table("missing", FRAME, SCHEMA)
    assert missing is not None and missing.frame["n"].dtype == np.float64


def test_whole_tables_change_columns_or_rows_only() -> None:
    tables = {table.kind: table.frame for table in hard_tables(FRAME, SCHEMA)}
    assert set(tables) == set(get_args(HardKind))
    pd.testing.assert_frame_equal(tables["missing column"], FRAME.drop(columns="x"))
    pd.testing.assert_frame_equal(tables["extra column"][list(FRAME)], FRAME)
    assert tables["extra column"].shape[1] == FRAME.shape[1] + 1
    assert list(tables["reordered columns"]) == list(FRAME)[::-1]
    pd.testing.assert_frame_equal(tables["one row"], FRAME.head(1))
    assert len(tables["no rows"]) == 0 and (tables["no rows"].dtypes == FRAME.dtypes).all()


def test_what_does_not_apply_is_left_out() -> None:
    only = Schema(features=(FieldSpec(name="flag", type="boolean"),))
    frame = generate(only, 5, 0).frame
    kinds = {table.kind for table in hard_tables(frame, only)}
    assert kinds == {"missing", "extra column", "one row", "no rows"}
    named = frame.rename(columns={"flag": "extra column"})
    extra = hard_table("extra column", named, only)
    assert extra is not None and extra.frame.shape[1] == 2
