"""Generated rows: inside the bounds, repeatable, independent, and with the figures asked for."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from scipy import stats

from errors import InvalidPlan, InvalidSchema
from records.schema import FeatureType, FieldSpec, Schema
from rows.shapes import quantiles_of
from schema_utils import infer_from_frame, validate_frame
from synthetic_data import MAX_ROWS, generate

ROWS = 20_000
quick = settings(derandomize=True, max_examples=40, deadline=None, database=None)


def column(rows: int = ROWS, seed: int = 0, **keys: Any) -> "pd.Series[Any]":
    field = FieldSpec.model_validate({"name": "a", **keys})
    return generate(Schema(features=(field,)), rows, seed).frame["a"]


def standard_error(std: float, rows: int = ROWS) -> float:
    return float(std / np.sqrt(rows))


@st.composite
def fields(draw: st.DrawFn) -> dict[str, Any]:
    """Any consistent field; the name is the test's."""
    kind = draw(st.sampled_from(["number", "integer", "category", "boolean", "datetime"]))
    share = draw(st.sampled_from([0.0, 0.3]))
    field: dict[str, Any] = {"type": kind, "missing_share": share, "nullable": share > 0}
    finite = st.floats(-1e6, 1e6, allow_nan=False, width=32)
    if kind in ("number", "integer"):
        low, high = sorted((draw(finite), draw(finite)))
        field["distribution"] = draw(st.sampled_from(["auto", "normal", "lognormal", "uniform"]))
        if field["distribution"] == "lognormal":
            low, high = abs(low), abs(low) + abs(high) + 1
        if kind == "integer":
            high = max(high, low + 1)
        field |= draw(st.sampled_from([{}, {"min": low}, {"max": high}, {"min": low, "max": high}]))
        if draw(st.booleans()):
            field["mean"] = (low + high) / 2
        field["std"] = draw(st.sampled_from([None, 0.0, 1.0, 1e5]))
    elif kind == "category":
        values = st.one_of(st.text("abcé ", min_size=1, max_size=5), st.integers(2, 99), st.floats(0.1, 0.9))
        field["categories"] = draw(st.lists(values, min_size=1, max_size=6, unique=True))
    elif kind == "boolean":
        field["mean"] = draw(st.floats(0, 1))
    else:
        dates = draw(st.lists(st.datetimes(), min_size=2, max_size=2))
        field["min"], field["max"] = sorted(date.isoformat() for date in dates)
    return field


@quick
@given(fields(), st.integers(0, 2**32 - 1))
def test_any_schema_gives_rows_of_its_types_inside_its_bounds(keys: dict[str, Any], seed: int) -> None:
    try:
        field = FieldSpec.model_validate({"name": "a", **keys})
    except ValueError:  # a lognormal's max of 0
        return
    schema = Schema(features=(field,))
    frame = generate(schema, 300, seed).frame
    validate_frame(schema, frame)
    values = frame["a"].dropna()
    assert len(frame) == 300 and (field.nullable or len(values) == 300)
    if field.type in ("number", "integer"):
        assert np.isfinite(values.astype(float)).all()
        assert field.min is None or (values >= float(field.min)).all()
        assert field.max is None or (values <= float(field.max)).all()
    elif field.type == "category":
        assert set(values) <= set(field.categories or ())
    elif field.type == "datetime":
        assert values.between(pd.Timestamp(str(field.min)), pd.Timestamp(str(field.max))).all()


@quick
@given(fields(), fields(), fields(), st.integers(0, 1000))
def test_changing_one_feature_changes_no_other(
    one: dict[str, Any], two: dict[str, Any], other: dict[str, Any], seed: int
) -> None:
    try:
        a, b, c = (
            FieldSpec.model_validate({"name": n, **k}) for n, k in zip("abb", (one, two, other), strict=True)
        )
    except ValueError:
        return
    before = generate(Schema(features=(a, b)), 50, seed).frame
    after = generate(Schema(features=(c, a)), 50, seed).frame
    assert_frame_equal(before[["a"]], after[["a"]])


@quick
@given(fields(), st.integers(0, 1000))
def test_fewer_rows_are_the_first_rows_of_more(keys: dict[str, Any], seed: int) -> None:
    try:
        few, many = (column(rows, seed, **keys) for rows in (20, 100))
    except ValueError:
        return
    assert_frame_equal(few.to_frame(), many.head(20).to_frame())


def test_the_same_seed_gives_the_same_rows_and_another_seed_others() -> None:
    first, again, other = (column(100, seed) for seed in (7, 7, 8))
    assert first.equals(again) and not first.equals(other)


def test_a_seed_means_the_same_on_every_machine() -> None:
    assert column(3, 42, distribution="uniform", min=0, max=1).round(6).tolist() == PINNED


PINNED = [0.554465, 0.444129, 0.753746]


def test_two_features_alike_are_uncorrelated() -> None:
    schema = Schema(features=(FieldSpec(name="a"), FieldSpec(name="b")))
    frame = generate(schema, ROWS, 0).frame
    assert abs(np.corrcoef(frame["a"], frame["b"])[0, 1]) < 4 / np.sqrt(ROWS)


def test_without_figures_numbers_are_standard_normal() -> None:
    assert stats.kstest(column(5000), "norm").pvalue > 0.01


@pytest.mark.parametrize(
    ("keys", "oracle"),
    [
        ({"mean": 5, "std": 2}, stats.norm(5, 2)),
        ({"min": 2, "max": 6}, stats.uniform(2, 4)),
        ({"distribution": "uniform", "mean": 0, "std": 1}, stats.uniform(-np.sqrt(3), 2 * np.sqrt(3))),
        # sigma^2 = ln(1 + 1/4), median = mean / sqrt(1 + 1/4)
        (
            {"distribution": "lognormal", "mean": 4, "std": 2},
            stats.lognorm(np.sqrt(np.log(1.25)), scale=4 / np.sqrt(1.25)),
        ),
        ({"distribution": "normal", "min": 0, "max": 6}, stats.truncnorm(-3, 3, loc=3, scale=1)),
    ],
)
def test_values_follow_the_distribution(keys: dict[str, Any], oracle: Any) -> None:
    # The last oracle is normal(3, 1) cut at 3 std, ours has std 1 after the cut: 5,000 rows cannot tell.
    assert stats.kstest(column(5000, **keys), oracle.cdf).pvalue > 0.01


@pytest.mark.parametrize(
    ("mean", "std", "low", "high"),
    [
        (5, 1, None, None),
        (5, 1, 0, 10),
        (50, 25, 0, 100),
        (20, 15, 0, 100),
        (2, 1.5, 0, None),
        (-1, 2, None, 3),
    ],
)
def test_mean_and_std_hold_although_bounds_cut_the_normal_off(
    mean: float, std: float, low: float | None, high: float | None
) -> None:
    values = column(mean=mean, std=std, min=low, max=high, distribution="normal")
    assert values.mean() == pytest.approx(mean, abs=4 * standard_error(std) + 0.01 * std)
    assert values.std() == pytest.approx(std, abs=4 * standard_error(std) + 0.01 * std)


def test_nothing_piles_up_at_the_bounds() -> None:
    values = column(mean=0, std=3, min=-1, max=1, distribution="normal")
    counts, _ = np.histogram(values, bins=20, range=(-1, 1))
    assert values.is_unique and counts.max() < 2 * counts.min()


def test_integers_are_as_likely_at_the_bounds_as_inside() -> None:
    values = column(type="integer", min=1, max=6)
    assert values.dtype == np.int64
    assert stats.chisquare(values.value_counts()).pvalue > 0.01


def test_integers_keep_mean_and_std() -> None:
    values = column(type="integer", mean=30, std=5, min=0, max=90)
    assert values.mean() == pytest.approx(30, abs=4 * standard_error(5))
    assert values.std() == pytest.approx(5, rel=0.03)


def test_categories_follow_their_weights() -> None:
    values = column(type="category", categories=["x", "y", "z"], weights=[1, 3, 0])
    counts = values.value_counts()
    assert "z" not in counts
    assert stats.chisquare([counts["x"], counts["y"]], [ROWS / 4, ROWS * 3 / 4]).pvalue > 0.01


def test_the_mean_of_a_boolean_is_its_share_of_true() -> None:
    values = column(type="boolean", mean=0.2)
    assert values.dtype == bool and stats.binomtest(int(values.sum()), ROWS, 0.2).pvalue > 0.01


@pytest.mark.parametrize(
    ("keys", "dtype"),
    [
        ({}, "float64"),
        ({"type": "integer"}, "float64"),
        ({"type": "boolean"}, "object"),
        ({"type": "category", "categories": ["x", "y"]}, "str"),
        ({"type": "category", "categories": [1, 2]}, "float64"),
        ({"type": "category", "categories": ["x", 2]}, "object"),
        ({"type": "datetime"}, "datetime64[us]"),
    ],
)
def test_the_share_of_missing_values_is_the_one_asked_for(keys: dict[str, Any], dtype: str) -> None:
    values = column(missing_share=0.1, **keys)
    assert str(values.dtype) == dtype
    assert stats.binomtest(int(values.isna().sum()), ROWS, 0.1).pvalue > 0.01
    whole = column(**keys)
    assert (values.dropna() == whole[values.notna()]).all()  # the others are the same values as without


def test_categories_of_whole_numbers_stay_whole() -> None:
    assert column(type="category", categories=[3, 5]).dtype == np.int64


def test_days_stay_days_and_both_ends_occur() -> None:
    values = column(type="datetime", min="2024-01-30", max="2024-02-02")
    assert sorted(values.unique()) == list(pd.date_range("2024-01-30", "2024-02-02"))


def test_a_datetime_with_an_offset_is_in_utc() -> None:
    values = column(type="datetime", min="2024-01-01T00:00:00+02:00", max="2024-01-01T01:00:00+02:00")
    assert str(values.dt.tz) == "UTC"
    assert values.between(pd.Timestamp("2023-12-31T22:00Z"), pd.Timestamp("2023-12-31T23:00Z")).all()


def test_rows_generated_from_a_sample_look_like_the_sample() -> None:
    rng = np.random.default_rng(3)
    sample = pd.DataFrame(
        {
            "n": rng.normal(40, 7, 3000),
            "l": rng.lognormal(2, 0.6, 3000),
            "i": rng.integers(18, 90, 3000),
            "c": rng.choice(["x", "y"], 3000, p=[0.9, 0.1]),
        }
    )
    frame = generate(infer_from_frame(sample), 3000, 0).frame
    assert list(frame.dtypes.astype(str)) == list(sample.dtypes.astype(str))
    for name in "nli":
        assert stats.ks_2samp(sample[name], frame[name]).statistic < 0.06
    assert (frame["c"] == "x").mean() == pytest.approx(0.9, abs=0.03)


def test_a_category_without_categories_is_refused() -> None:
    with pytest.raises(InvalidSchema, match="'a'"):
        column(type="category")


@pytest.mark.parametrize("rows", [0, -1, MAX_ROWS + 1])
def test_a_row_count_out_of_range_is_refused(rows: int) -> None:
    with pytest.raises(InvalidPlan, match="rows cannot be generated"):
        column(rows)


@pytest.mark.slow
def test_a_million_rows_can_be_generated() -> None:
    assert len(column(MAX_ROWS)) == MAX_ROWS


@pytest.mark.parametrize("kind", ["number", "integer"])
def test_rows_follow_the_quantiles_where_there_are_any(kind: FeatureType) -> None:
    values = np.sort(np.random.default_rng(0).gamma(2.0, 30.0, 5_000))
    values = np.rint(values) if kind == "integer" else values
    quantiles = quantiles_of(values)
    assert quantiles is not None and len(quantiles) == 101
    # A mean and a distribution that say otherwise only describe.
    field = FieldSpec(name="a", type=kind, quantiles=quantiles, mean=1.0, distribution="uniform")
    drawn = generate(Schema(features=(field,)), 20_000, 1).frame["a"]
    assert stats.ks_2samp(drawn.astype(float), values).statistic < 0.02
    assert drawn.min() >= values[0] and drawn.max() <= values[-1]
