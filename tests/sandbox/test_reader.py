"""A stranger's sample in a locked process: what comes out is the table, or why it cannot be used."""

import io
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal

from errors import DashboardError, InvalidSample, TooLarge
from lockdown import lock
from rows.samples import read_sample
from sandbox import wire
from sandbox.reader import SampleReader, open_sample
from sandbox.zygote import Zygote
from settings import Settings
from tests.support.waiting import gone, wait_until

pytestmark = pytest.mark.skipif(os.name != "posix", reason="samples are read in forked processes")
TABLE = pd.DataFrame(
    {
        "whole": range(4_000),
        "share": np.linspace(0, 1, 4_000),
        "city": ["Forlì", "Orléans", None, "=1+1"] * 1_000,
        "yes": [True, False] * 2_000,
        "flag": [True, None] * 2_000,
        "day": pd.date_range("2024-01-31", periods=4_000, freq="h"),
        "kind": pd.Categorical(["a", "b", "a", "c"] * 1_000),
        "nothing": [np.nan] * 4_000,
    }
)


def settings(**changes: Any) -> Settings:
    policy = "strict" if lock.probe().full else "unsafe"
    return Settings(_env_file=None, model_policy=policy, **changes)


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote(settings()) as started:
        yield started


def csv(table: pd.DataFrame) -> bytes:
    return table.to_csv(index=False).encode()


def parquet(table: pd.DataFrame, **options: Any) -> bytes:
    buffer = io.BytesIO()
    table.to_parquet(buffer, **options)
    return buffer.getvalue()


def saved(folder: Path, data: bytes) -> Path:
    path = folder / "upload"  # as the server names it
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("written", [csv, parquet])
def test_the_frame_is_what_reading_it_here_gives(
    zygote: Zygote, tmp_path: Path, written: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.reader.PART_BYTES", (32 << 20) // 7)  # eight answers
    path = saved(tmp_path, written(TABLE))
    with open_sample(zygote, path, "rows") as sample:
        frame = sample.frame()
    with path.open("rb") as file:
        assert_frame_equal(frame, read_sample(file, "rows"))
    assert frame.attrs == {} and sample.cut_at is None


def test_what_is_told_of_a_sample_is_short(zygote: Zygote, tmp_path: Path) -> None:
    with open_sample(zygote, saved(tmp_path, csv(TABLE)), "rows") as sample:
        facts = sample.describe()
    assert (facts.rows, facts.columns, facts.empty) == (4_000, tuple(TABLE.columns), ("nothing",))
    assert facts.head[0] == ("0", "0.0", "Forlì", "True", "True", "2024-01-31 00:00:00", "a", "")
    assert facts.head[2][2] == ""
    without = facts.schema_without("kind")
    assert without is not None and "kind" not in without.names and without.features[0].type == "integer"


def test_a_sample_that_is_cut_says_where(zygote: Zygote, tmp_path: Path) -> None:
    long = pd.DataFrame({"a": range(200_000)})
    with open_sample(zygote, saved(tmp_path, csv(long)), "rows") as sample:
        frame, facts = sample.frame(), sample.describe()
    assert len(frame) == sample.cut_at == facts.cut_at == facts.rows == 100_000
    assert frame.attrs == {"cut_at": 100_000} and frame["a"].iloc[-1] == 99_999


def test_a_schema_that_is_too_long_to_be_sent_is_left_out(zygote: Zygote, tmp_path: Path) -> None:
    texts = np.array([f"{i:x>400}" for i in range(300)])
    table = pd.DataFrame({f"c{i}": np.roll(texts, i) for i in range(40)})
    with open_sample(zygote, saved(tmp_path, csv(table)), "rows") as sample:
        facts = sample.describe()
    assert len(facts.columns) == 40 and facts.schema_ is None and facts.schema_without("c0") is None


def test_a_sample_that_cannot_be_used_says_so_in_the_same_words(zygote: Zygote, tmp_path: Path) -> None:
    with (
        pytest.raises(InvalidSample, match=r"Line 3 of the sample 'a.csv' has 3 values") as caught,
        open_sample(zygote, saved(tmp_path, b"a,b\n1,2\n3,4,5\n"), "a.csv"),
    ):
        pass
    assert caught.value.hint.startswith("Give every line")
    with (
        pytest.raises(TooLarge, match=r"has 10,101 columns; at most 10,100"),
        open_sample(zygote, saved(tmp_path, b",".join(b"c%d" % i for i in range(10_101)) + b"\n1\n"), "a"),
    ):
        pass


def test_memory_beyond_the_limit_is_a_sentence_with_its_name(
    zygote: Zygote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of the rows refers to one text in each column: 22 MB that are written once, 5 GB unfolded."""
    rows = pa.array(np.zeros(256, dtype=np.int8))
    columns = {f"c{i}": pa.DictionaryArray.from_arrays(rows, [f"{i:090000}"]) for i in range(250)}
    path = tmp_path / "upload"
    pq.write_table(pa.table(columns), path, store_schema=False)
    assert path.stat().st_size < 3_000_000
    monkeypatch.setattr(
        zygote, "settings", settings(sample_memory_mb=2560, sample_mb=1024, sample_timeout_s=120)
    )
    with pytest.raises(TooLarge, match="SAMPLE_MEMORY_MB"), open_sample(zygote, path, "rows"):
        pass
    with open_sample(zygote, saved(tmp_path, csv(TABLE)), "rows") as sample:
        assert sample.rows == 4_000


def test_time_beyond_the_limit_is_a_sentence_with_its_name(
    zygote: Zygote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path, csv(TABLE))
    monkeypatch.setattr(zygote, "settings", settings(sample_timeout_s=1e-4))
    with pytest.raises(InvalidSample, match="SAMPLE_TIMEOUT_S"), open_sample(zygote, path, "rows"):
        pass


def test_a_reader_that_dies_is_said(zygote: Zygote, tmp_path: Path) -> None:
    with open_sample(zygote, saved(tmp_path, csv(TABLE)), "rows") as sample:
        pid = sample._child.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(InvalidSample, match="The process that read the sample 'rows' died: killed"):
            sample.frame()
    wait_until(lambda: gone(pid))


@pytest.mark.skipif(not lock.probe().full, reason="this machine has no lock")
def test_it_is_read_behind_the_whole_lock(zygote: Zygote, tmp_path: Path) -> None:
    with open_sample(zygote, saved(tmp_path, csv(TABLE)), "rows") as sample:
        assert {"Landlock", "seccomp", "memory limit"} <= set(sample.isolation)


def described(rows: int, *columns: dict[str, Any]) -> dict[str, wire.Array]:
    return {"frame.columns": wire.json_to_array({"rows": rows, "columns": list(columns)})}


CODES = np.zeros((1, 3), dtype=np.int32)
NUMBERS = {"name": "a", "kind": "number", "at": 0, "block": "f8"}
FORGED: dict[str, dict[str, wire.Array]] = {
    "one text in every row": described(
        3, {"name": "a", "kind": "text", "at": 0, "values": ["x" * 9_000_000], "dtype": "str"}
    )
    | {"frame.i4": CODES},
    "values as wide as one likes": described(3, NUMBERS | {"dtype": "S90000000"})
    | {"frame.f8": np.zeros((1, 3))},
    "objects in place of numbers": described(
        3, {"name": "a", "kind": "datetime", "at": 0, "unit": "O", "zone": None}
    )
    | {"frame.i8": np.zeros((1, 3), dtype=np.int64)},
    "a zone that is a file": described(
        3,
        {"name": "a", "kind": "datetime", "at": 0, "unit": "datetime64[ns]", "zone": "dateutil//etc/passwd"},
    )
    | {"frame.i8": np.zeros((1, 3), dtype=np.int64)},
    "rows without end": described(10**12),
    "another number of rows": described(2, NUMBERS | {"dtype": "float64"}) | {"frame.f8": np.zeros((1, 2))},
    "another number of columns": {
        "frame.columns": wire._all_floats(("a", "b")),
        "frame.f8": np.zeros((2, 3)),
    },
    "categories of no known type": described(
        3,
        {"name": "a", "kind": "category", "at": 0, "values": ["x"], "of": "datetime64[ns]", "ordered": False},
    )
    | {"frame.i4": CODES},
    "no table at all": {},
}


@pytest.mark.parametrize("answer", FORGED.values(), ids=FORGED)
def test_rows_that_a_hostile_reader_makes_up_are_refused(
    zygote: Zygote, tmp_path: Path, answer: dict[str, wire.Array], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_sample(zygote, saved(tmp_path, b"a\n1\n2\n3\n"), "rows") as sample:
        monkeypatch.setattr(SampleReader, "_call", lambda *_a, **_k: wire.Message({}, answer))
        with pytest.raises(InvalidSample, match="The sample 'rows' cannot be used"):
            sample.frame()
        assert not sample.alive


@pytest.mark.parametrize(
    "header",
    [
        {"rows": 10**9, "cut_at": None, "columns": 1},
        {"rows": 0, "cut_at": None, "columns": 1},
        {"rows": 5, "cut_at": 4, "columns": 1},
        {"rows": 5, "cut_at": None, "columns": 10**9},
        {"rows": True, "cut_at": None, "columns": 1},
        {"rows": 5},
    ],
)
def test_a_size_that_cannot_be_is_refused(
    zygote: Zygote, tmp_path: Path, header: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SampleReader, "_hello", lambda _self: None)
    monkeypatch.setattr(SampleReader, "_call", lambda *_a, **_k: wire.Message(header))
    with (
        pytest.raises(DashboardError, match="its size"),
        open_sample(zygote, saved(tmp_path, b"a\n1\n"), "rows"),
    ):
        pass
