"""The pipe's frames: what goes in comes out, and nothing malformed gets through."""

import contextlib
import json
import os
import random
import struct
import threading
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from errors import BadAnswer, InvalidInput
from sandbox import wire
from tests.support.mutations import mutated, put_together, taken_apart
from tests.support.threaded_child import frame_of


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    yield read, write
    for fd in (read, write):
        with contextlib.suppress(OSError):
            os.close(fd)


def through(message: wire.Message, limit: int = wire.ANSWER_LIMIT) -> wire.Message:
    read, write = os.pipe()
    sender = threading.Thread(target=wire.send, args=(write, message))
    sender.start()
    try:
        return wire.receive(read, limit)
    finally:
        sender.join()
        os.close(read)
        os.close(write)


def raw_frame(head: bytes, body: bytes = b"", declared: int | None = None) -> bytes:
    return struct.pack("<II", len(head), len(body) if declared is None else declared) + head + body


def refused(data: bytes, pipe: tuple[int, int], limit: int = wire.ANSWER_LIMIT) -> str:
    os.set_blocking(pipe[1], False)
    os.write(pipe[1], data[:65536])
    with pytest.raises(BadAnswer) as caught:
        wire.receive(pipe[0], limit)
    return caught.value.message


@given(
    hnp.arrays(
        st.sampled_from(["<f8", "<i8", "<i4", "u1"]),
        hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=5),
    )
)
def test_an_array_arrives_as_it_was_sent(array: np.ndarray) -> None:
    got = through(wire.Message({"stage": "predict"}, {"a": array, "b": np.arange(3)}))
    assert got.header == {"stage": "predict"}
    np.testing.assert_array_equal(got.arrays["a"], array)
    assert got.arrays["a"].dtype == array.dtype
    np.testing.assert_array_equal(got.arrays["b"], [0, 1, 2])


FRAME = pd.DataFrame(
    {
        "float": [1.5, np.nan, -np.inf],
        "single": np.array([1, 2, 3], dtype=np.float32),
        "integer": np.array([2**53 + 1, -(2**63), 0]),
        "small": np.array([1, 2, 255], dtype=np.uint8),
        "flag": [True, False, True],
        "nullable": pd.array([1, None, 3], dtype="Int64"),
        "nullable_flag": pd.array([True, None, False], dtype="boolean"),
        "nullable_float": pd.array([0.5, None, 2.0], dtype="Float64"),
        "text": pd.array(["a", None, "é\n"], dtype="str"),
        "mixed": pd.Series(["x", None, 1.5], dtype=object),
        "alike": pd.Series([1, True, 1.0], dtype=object),
        "absent": pd.Series(["x", np.nan, None], dtype=object),
        "category": pd.Categorical(["b", None, "a"], categories=["c", "b", "a"], ordered=True),
        "level": pd.Categorical([3, 1, 3]),
        "day": pd.DatetimeIndex(["2024-02-29", "NaT", "1969-12-31T23:59:59.123456"]),
        "nano": pd.DatetimeIndex(["2024-02-29", "NaT", "2020-01-01"]).astype("datetime64[ns]"),
        "zoned": pd.DatetimeIndex(["2024-07-01", "NaT", "2020-01-01"]).tz_localize("Europe/Zurich"),
    }
)


@pytest.mark.parametrize("column", list(FRAME.columns))
def test_a_column_keeps_its_type_and_its_missing_values(column: str) -> None:
    got = wire.decode_frame(through(wire.Message({}, wire.encode_frame(FRAME[[column]]))).arrays)
    pd.testing.assert_frame_equal(got, FRAME[[column]], check_exact=True)


def test_a_frame_of_every_type_keeps_its_order() -> None:
    got = wire.decode_frame(wire.encode_frame(FRAME))
    pd.testing.assert_frame_equal(got, FRAME)


def test_values_that_only_python_calls_equal_stay_apart() -> None:
    got = wire.decode_frame(wire.encode_frame(FRAME))["alike"]
    assert [type(value) for value in got] == [int, bool, float]


def test_none_and_nan_stay_apart() -> None:
    got = wire.decode_frame(wire.encode_frame(FRAME))["absent"]
    assert got[2] is None
    assert isinstance(got[1], float)


@pytest.mark.parametrize("rows", [0, 1])
def test_a_frame_with_hardly_any_rows_arrives(rows: int) -> None:
    pd.testing.assert_frame_equal(wire.decode_frame(wire.encode_frame(FRAME.head(rows))), FRAME.head(rows))


def test_a_frame_with_two_columns_of_one_name_arrives() -> None:
    frame = pd.DataFrame([[1.0, 2.0]], columns=["a", "a"])
    pd.testing.assert_frame_equal(wire.decode_frame(wire.encode_frame(frame)), frame)


def test_a_column_that_cannot_be_sent_is_named() -> None:
    with pytest.raises(InvalidInput, match="'when'"):
        wire.encode_frame(pd.DataFrame({"when": pd.to_timedelta(["1s"])}))
    with pytest.raises(InvalidInput, match="'things'"):
        wire.encode_frame(pd.DataFrame({"things": [[1], [2]]}))


def test_a_closed_pipe_is_an_end_not_an_answer(pipe: tuple[int, int]) -> None:
    os.write(pipe[1], b"\x01\x00")
    os.close(pipe[1])
    with pytest.raises(EOFError):
        wire.receive(pipe[0])


def test_an_answer_over_the_limit_is_refused_before_it_is_read(pipe: tuple[int, int]) -> None:
    assert "more than is allowed" in refused(raw_frame(b"{}", declared=17 << 20), pipe)


def test_a_header_over_its_limit_is_refused(pipe: tuple[int, int]) -> None:
    assert "more than is allowed" in refused(struct.pack("<II", 2 << 20, 0), pipe)


@pytest.mark.parametrize(
    "head",
    [
        b"garbage",
        b"[]",
        b'{"h":1,"b":[]}',
        b'{"h":{"x":NaN},"b":[]}',
        b'{"h":{"x":1e999},"b":[]}',
        b'{"h":{},"b":{}}',
        b'{"h":{},"b":[["a","O",[1]]]}',
        b'{"h":{},"b":[["a","f8",[-1]]]}',
        b'{"h":{},"b":[["a","f8",[true]]]}',
        b'{"h":{},"b":[["a","f8",[1,1,1,1]]]}',
        b'{"h":{},"b":[["a","f8",[1073741824,1073741824]]]}',
        b'{"h":{},"b":[["a","u1",[0]],["a","u1",[0]]]}',
        b'{"h":{"n":' + b"9" * 400 + b'},"b":[]}',
        b'{"h":{"n":' + b"[" * 20 + b"]" * 20 + b'},"b":[]}',
        b'{"h":{"n":"never closed',
        b'{"h":{"n":"\xed\xa0\x80"},"b":[]}',
        b"\xff\xfe",
    ],
)
def test_a_malformed_header_is_refused(head: bytes, pipe: tuple[int, int]) -> None:
    refused(raw_frame(head), pipe)


def test_buffers_that_leave_bytes_over_are_refused(pipe: tuple[int, int]) -> None:
    head = json.dumps({"h": {}, "b": [["a", "f8", [1]]]}).encode()
    assert "buffers need 8" in refused(raw_frame(head, bytes(16)), pipe)


@given(st.binary(max_size=300))
def test_any_bytes_end_in_an_error_of_ours(data: bytes) -> None:
    read, write = os.pipe()
    os.write(write, data)
    os.close(write)
    with pytest.raises((BadAnswer, EOFError)):
        while True:
            wire.receive(read)
    os.close(read)


def test_texts_of_a_header_and_of_a_document_are_cleaned_and_cut_as_they_arrive() -> None:
    told = {"a\ud800": "b\0" + "c" * 5000}
    cleaned = {"a?": ("b\ufffd" + "c" * 5000)[: wire.MAX_TEXT]}
    assert through(wire.Message(told)).header == cleaned
    assert wire.array_to_json(wire.json_to_array([told])) == [cleaned]


def test_a_document_of_more_tokens_than_an_answer_may_have_is_refused() -> None:
    most = wire.ANSWER_TOKENS // 2
    assert len(wire.array_to_json(wire.json_to_array([0] * most))) == most
    with pytest.raises(BadAnswer, match="1,000,000 tokens"):
        wire.array_to_json(wire.json_to_array([0] * 2 * most))


def described(**column: object) -> dict[str, wire.Array]:
    """A table of one column and two rows, described so."""
    about = {"rows": 2, "columns": [{"name": "a", "at": 0, **column}]}
    blocks = {f"frame.{code}": np.zeros((1, 2), dtype) for code, dtype in wire.DTYPES.items()}
    return {"frame.columns": wire.json_to_array(about), **blocks}


@pytest.mark.parametrize(
    "column",
    [
        {"kind": "number", "block": "f8", "dtype": "S1000000000"},  # a gigabyte a row
        {"kind": "number", "block": "f8", "dtype": "O"},
        {"kind": "number", "block": "f8", "dtype": ["f8", "f8"]},
        {"kind": "number", "block": "f8", "dtype": "float64", "at": [0, 0]},
        {"kind": "number", "block": "f8", "dtype": "float64", "at": 1},
        {"kind": "number", "block": "f8", "dtype": "float64", "name": 7},
        {"kind": "nullable", "block": "i8", "mask": 0, "dtype": "U1000000000"},
        {"kind": "datetime", "unit": "<f8", "zone": None},
        {"kind": "datetime", "unit": "datetime64[ns]", "zone": "dateutil//etc/passwd"},
        {"kind": "datetime", "unit": "datetime64[ns]", "zone": "../../etc/passwd"},
        {"kind": "datetime", "unit": "datetime64[ns]", "zone": ["UTC"]},
        {"kind": "category", "values": ["x"], "of": "U1000000000", "ordered": False},
        {"kind": "category", "values": [["x"]], "of": "object", "ordered": False},
        {"kind": "category", "values": [], "of": "object", "ordered": False},
        {"kind": "object", "values": [{}]},
        {"kind": "text", "values": ["x"], "dtype": "U1000000000"},
        {"kind": "unheard of", "values": []},
        {},
    ],
)  # fmt: skip
def test_a_table_is_of_types_that_a_table_has_or_refused(column: dict[str, object]) -> None:
    with pytest.raises(BadAnswer, match="table cannot be read"):
        wire.decode_frame(described(**column))


def test_a_block_that_is_no_table_of_its_type_is_refused() -> None:
    for wrong in (np.zeros(2), np.zeros((1, 2, 1)), np.zeros((1, 2), np.uint8)):
        with pytest.raises(BadAnswer, match="another shape or type"):
            wire.decode_frame(wire.encode_frame(FRAME[["float"]]) | {"frame.f8": wrong})


def test_a_strangers_table_can_be_held_to_fewer_tokens() -> None:
    arrays = wire.encode_frame(pd.DataFrame({"a": [f"text {i}" for i in range(100)]}))
    assert len(wire.decode_frame(arrays, max_tokens=250)) == 100
    with pytest.raises(BadAnswer, match="150 tokens"):
        wire.decode_frame(arrays, max_tokens=150)


@given(st.sampled_from(list(FRAME.columns)), st.integers(0, 2**32))
def test_a_mutated_table_is_refused_or_one_of_its_own_rows(column: str, seed: int) -> None:
    sent = frame_of(wire.Message({}, wire.encode_frame(FRAME[[column, "float"]])))
    rng = random.Random(seed)
    header, parts = taken_apart(sent)
    parts = [("texts" if part[0] == "frame.columns" else part[0], *part[1:]) for part in parts]
    changed, received = mutated(put_together(json.dumps(header), parts), rng, 4096), os.pipe()
    os.set_blocking(received[1], False)
    os.write(received[1], changed[:60_000])
    os.close(received[1])
    try:
        arrays = wire.receive(received[0]).arrays
        named = {"frame.columns" if name == "texts" else name: array for name, array in arrays.items()}
        found = wire.decode_frame(named, max_tokens=10_000)
        assert found.shape[1] <= 10_000 and found.memory_usage(deep=False).sum() < 1 << 24
    except (BadAnswer, EOFError):
        pass
    finally:
        os.close(received[0])
