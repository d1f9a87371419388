"""Columns of a wide table, looked at many at once: the same of each as alone, and in few pieces."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from model_process import reader
from records.schema import FieldSpec
from rows import blocks
from rows.samples import read_sample
from rows.shapes import shapes_of
from rows.taking import FrameTable, as_numbers
from schema_utils import fields_of, infer_from_frame

ROWS = 60
RNG = np.random.default_rng(3)
DAYS = [f"2024-{1 + i % 12:02d}-{1 + i % 28:02d}" for i in range(ROWS)]
COLUMNS: dict[str, Any] = {
    "normal": RNG.normal(size=ROWS),
    "lognormal": RNG.lognormal(1, 1, ROWS),
    "uniform": np.linspace(0, 1, ROWS),
    "constant": np.full(ROWS, 0.1),
    "holes": np.where(RNG.random(ROWS) < 0.3, np.nan, RNG.normal(size=ROWS)),
    "whole with holes": np.where(RNG.random(ROWS) < 0.3, np.nan, RNG.integers(0, 99, ROWS)),
    "infinite": np.where(RNG.random(ROWS) < 0.3, np.inf, RNG.normal(size=ROWS)),
    "huge": np.where(RNG.random(ROWS) < 0.5, 1e308, -1e308),
    "beyond exact": RNG.integers(2**53, 2**60, ROWS),
    "few": RNG.integers(0, 4, ROWS),
    "small": RNG.normal(size=ROWS).astype(np.float32),
    "none": np.full(ROWS, np.nan),
    "truths": RNG.random(ROWS) < 0.5,
    "words": RNG.choice(["red", "green", "blue"], ROWS),
    "numbers as texts": [f" {i}.5" if i % 7 else "?" for i in range(ROWS)],
    "long numbers as texts": [str(2**53 + 1 + i) for i in range(ROWS)],
    "thousands": [f"{i * 1000:,} " for i in range(1, ROWS + 1)],
    "blank": ["" if i % 2 else "n/a" for i in range(ROWS)],
    "days": DAYS,
    "days with holes": [None if i % 5 == 0 else day for i, day in enumerate(DAYS)],
    "one is no day": ["2024-02-31", *DAYS[1:]],
    "times": [f"{day}T01:02:03.{i:06d}" for i, day in enumerate(DAYS)],
    "midnights": [f"{day} 00:00" for day in DAYS],
    "nanoseconds": [f"{day}T00:00:00.000000{i:03d}" for i, day in enumerate(DAYS)],
    "far from nanoseconds": ["0001-01-01", *DAYS[1:]],
    "zones": [f"{day}T00:00:00+02:00" for day in DAYS],
    "some zones": [f"{day}T00:00:00{'Z' if i % 2 else ''}" for i, day in enumerate(DAYS)],
}


@pytest.fixture
def wide() -> pd.DataFrame:
    """Each of the columns often, in another place each time."""
    names = list(COLUMNS)
    picked = [names[(i * 7 + i // len(names)) % len(names)] for i in range(len(names) * 20)]
    frame = pd.concat([pd.Series(COLUMNS[name]) for name in picked], axis=1)
    return frame.set_axis(pd.Index([f"{i} {name}" for i, name in enumerate(picked)], dtype="str"), axis=1)


def _kind(name: str) -> str:
    return name.partition(" ")[2]


@pytest.mark.parametrize("values", [1, 100, 1 << 18])
def test_a_column_among_many_is_described_as_alone(
    wide: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, values: int
) -> None:
    def plain(field: FieldSpec) -> dict[str, Any]:
        return field.model_dump(exclude={"name", "quantiles"})

    alone = {
        name: plain(infer_from_frame(pd.DataFrame({name: column})).features[0])
        for name, column in COLUMNS.items()
    }
    monkeypatch.setattr(blocks, "VALUES", values)
    for field in infer_from_frame(wide).features:
        assert plain(field) == alone[_kind(field.name)], field.name
    assert {
        name: field["type"] for name, field in alone.items() if field["type"] == "datetime"
    } == dict.fromkeys(
        ("days", "days with holes", "times", "midnights", "nanoseconds", "far from nanoseconds", "zones"),
        "datetime",
    )


def test_texts_among_many_are_numbers_as_alone(wide: pd.DataFrame) -> None:
    table = FrameTable(wide)
    found = {_kind(name): (table.text(name), table.written_numbers(name)) for name in wide.columns}
    texts = {name for name, (text, _) in found.items() if text}
    assert {name for name, (_, numbers) in found.items() if numbers} == {
        "numbers as texts",
        "long numbers as texts",
    }
    assert texts >= {"words", "thousands", "blank", "days"}
    assert not texts & {"none", "normal", "truths"}
    for name in wide.columns:
        if isinstance(wide[name].dtype, pd.StringDtype):
            assert table.text(name) == (as_numbers(wide[name]) is None), name


def test_shapes_are_those_of_scipys_moments() -> None:
    columns = np.stack([RNG.normal(size=500), RNG.random(500), RNG.lognormal(0, 1, 500), np.ones(500)])
    skewness, kurtosis = stats.skew(columns[:3], axis=1), stats.kurtosis(columns[:3], axis=1)
    assert abs(skewness[1]) < 0.3 and -1.4 < kurtosis[1] < -1 < kurtosis[0] and skewness[2] > 1
    assert shapes_of(columns) == ["normal", "uniform", "lognormal", "normal"]


@pytest.mark.parametrize(
    ("written", "separator"),
    [
        (lambda i: f"{i},5", ";"),
        (lambda i: f"2024-01-{1 + i % 28:02d}", ","),
        (lambda i: f"{i}.25", ","),
    ],
)
def test_reading_a_wide_table_takes_steps_for_its_pieces_and_not_for_its_columns(
    monkeypatch: pytest.MonkeyPatch, written: Callable[[int], str], separator: str
) -> None:
    steps = 0

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal steps
            steps += 1
            return function(*args, **kwargs)

        return call

    for name in ("to_numeric", "to_datetime"):
        monkeypatch.setattr(pd, name, counted(getattr(pd, name)))
    monkeypatch.setattr(np, "std", counted(np.std))
    monkeypatch.setattr(pd.api.types, "infer_dtype", counted(pd.api.types.infer_dtype))
    columns = 800
    lines = [separator.join(f"c{i}" for i in range(columns))]
    lines += [separator.join(written(row + i) for i in range(columns)) for row in range(40)]
    frame = read_sample(io.BytesIO("\n".join(lines).encode()), "wide.csv")
    facts = reader.described(frame)
    assert facts.schema_ is not None
    assert {field.type for field in facts.schema_.features} <= {"number", "datetime"}
    assert 0 < steps < columns / 10


def test_a_schema_too_long_to_be_sent_is_given_up_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_FACTS", 1_000)
    looked_at = 0

    def counted(frame: pd.DataFrame) -> Any:
        nonlocal looked_at
        for field in fields_of(frame):
            looked_at += 1
            yield field

    monkeypatch.setattr(reader, "fields_of", counted)
    frame = pd.DataFrame({f"c{i}": pd.Series([f"text {j}" for j in range(20)]) for i in range(600)})
    facts = reader.described(frame)
    assert facts.schema_ is None
    assert len(facts.columns) == 600
    assert looked_at < 20


def test_a_record_with_quotes_over_lines_is_counted_among_plain_ones() -> None:
    text = 'a,b\n1,2\n"x\ny","4,5"\n\n3,4\n'
    frame = read_sample(io.BytesIO(text.encode()), "t.csv")
    assert frame["a"].tolist() == ["1", "x\ny", "3"]
    with pytest.raises(Exception, match=r"Line 6 .* has 3 values"):
        read_sample(io.BytesIO((text[:-4] + "3,4,5\n").encode()), "t.csv")
