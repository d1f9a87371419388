"""What names tell, and that they never tell it over a fact."""

from pathlib import Path

import pytest

from records.schema import FieldSpec, Schema
from rows.column_names import NAMED, named, with_names
from synthetic_data import generate


@pytest.mark.parametrize(
    ("name", "figures"),
    [
        ("age", {"type": "integer", "min": 0, "max": 100, "mean": 40, "std": 16}),
        ("num__customerAge", {"type": "integer", "min": 0, "max": 100, "mean": 40, "std": 16}),
        ("is_weekend", {"type": "integer", "min": 0, "max": 1, "mean": 0.5}),
        ("has_children", {"type": "integer", "min": 0, "max": 1, "mean": 0.5}),
        ("discount_pct", {"min": 0, "max": 100, "mean": 50, "std": 22}),
        ("lat", {"min": -90, "max": 90}),
        ("hour_of_day", {"type": "integer", "min": 0, "max": 23}),
        ("heart_rate", {"type": "integer", "min": 40, "max": 200, "mean": 100, "std": 30}),
        ("total_day_charge", {"min": 0, "mean": 100, "std": 120, "distribution": "lognormal"}),
        ("number_of_rooms", {"type": "integer", "min": 0, "max": 10, "mean": 3, "std": 1.2}),
    ],
)
def test_the_word_that_says_most_counts(name: str, figures: dict[str, object]) -> None:
    assert named(name) == figures


@pytest.mark.parametrize("name", ["x0", "V12", "island", "average", "colour", ""])
def test_most_names_tell_nothing(name: str) -> None:
    assert named(name) is None


def test_every_line_of_the_table_makes_rows_within_its_bounds() -> None:
    for line in NAMED:
        assert line.figures
        fields = [FieldSpec.model_validate({"name": word, **line.figures}) for word in line.words]
        made = generate(Schema(features=tuple(fields)), 300, 0).frame
        for field in fields:
            column = made[field.name]
            assert column.nunique() > 1
            assert field.min is None or column.min() >= float(field.min)
            assert field.max is None or column.max() <= float(field.max)
            assert field.type != "integer" or (column % 1 == 0).all()


def test_a_name_never_outvotes_a_fact() -> None:
    facts = [
        FieldSpec(name="age", origin="model", min=5, max=9),
        FieldSpec(name="age", origin="model", type="category", categories=("young", "old")),
        FieldSpec(name="age", origin="sample"),
        FieldSpec(name="age", origin="user"),
        FieldSpec(name="age", origin="model", mean=-3, std=1),  # scaled, it seems
    ]
    assert list(with_names(facts)) == facts
    (told,) = with_names([FieldSpec(name="age", origin="model", nullable=True)])
    assert (told.origin, told.type, told.max, told.nullable) == ("name", "integer", 100, True)


def test_counts_of_known_mean_are_not_negative() -> None:
    (field,) = with_names([FieldSpec(name="SibSp", type="integer", origin="model", mean=0.5, std=1.1)])
    assert (field.min, field.mean, field.origin) == (0, 0.5, "model")
    assert generate(Schema(features=(field,)), 500, 0).frame["SibSp"].min() == 0


def test_the_table_of_names_is_documented_word_by_word() -> None:
    page = (Path(__file__).parents[2] / "docs" / "models.md").read_text("utf-8")
    for line in NAMED:
        written = ", ".join(f"`{word}_`" if line.first else f"`{word}`" for word in line.words)
        assert f"| {written} |" in page
