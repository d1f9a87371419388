"""The pipe's frames: what goes in comes out, and nothing malformed gets through."""

import contextlib
import json
import os
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
        b'{"h":{"n":' + b"9" * 5000 + b'},"b":[]}',
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
