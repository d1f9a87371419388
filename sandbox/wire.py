"""Frames over a pipe between the worker and the child: a JSON header and raw little-endian buffers.

Promises: no pickle; every length, type, shape and depth is checked before it is used, what does not fit is
a BadAnswer, and texts are cleaned as they arrive. Leaves deadlines to the `wait` handed in, and the meaning
of messages to both ends.
"""

import json
import math
import os
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from errors import BadAnswer, InvalidInput
from interruption import check
from records import bounded_json
from records.texts import clean, clean_within

__all__ = [
    "ANSWER_LIMIT",
    "ANSWER_TOKENS",
    "MAX_TEXT",
    "REQUEST_LIMIT",
    "Message",
    "array_to_json",
    "decode_frame",
    "encode_frame",
    "json_to_array",
    "receive",
    "send",
]

HEADER_LIMIT = 1 << 20
ANSWER_LIMIT = 16 << 20  # what the untrusted side may send at once
REQUEST_LIMIT = 1 << 30  # what the trusted side may send at once
ANSWER_TOKENS = 1_000_000  # of a document in an answer: some 100 MB of objects at the worst
MAX_DEPTH = 16
MAX_TEXT = 2_000  # characters of one text in an answer; the rest is cut off
MAX_BUFFERS = 32
MAX_DIMENSIONS = 3
DTYPES: dict[str, np.dtype[Any]] = {
    "f8": np.dtype("<f8"),
    "i8": np.dtype("<i8"),
    "i4": np.dtype("<i4"),
    "u2": np.dtype("<u2"),
    "u1": np.dtype("u1"),
}
PREFIX = struct.Struct("<II")
MOST_CACHED = 1 << 20  # bytes of a description
ZONE = re.compile(r"(?!dateutil)[\w+:/-]{1,64}", re.ASCII)  # pandas reads a file for what begins otherwise
MISSING, NONE = -1, -2  # codes of NaN and None

Array = npt.NDArray[Any]
Wait = Callable[[int, bool], None]
"""Blocks until the descriptor is ready (True: for writing) and raises when it should wait no longer."""


@dataclass(frozen=True)
class Message:
    """One frame: a small JSON object, and named arrays of an allowed type."""

    header: dict[str, Any]
    arrays: dict[str, Array] = field(default_factory=dict)


def send(fd: int, message: Message, wait: Wait | None = None) -> None:
    """Write one frame. With a non-blocking descriptor give `wait`; raises BrokenPipeError at the end."""
    buffers: list[list[Any]] = []
    parts: list[Any] = []
    for name, array in message.arrays.items():
        code = next((c for c, d in DTYPES.items() if d == array.dtype), None)
        if code is None:
            raise InvalidInput(f"An array of {array.dtype} cannot be sent.")
        buffers.append([name, code, list(array.shape)])
        parts += [
            np.ascontiguousarray(array).reshape(-1).view(np.uint8).data,
            b"\0" * _pad(array.nbytes),
        ]
    head = json.dumps({"h": message.header, "b": buffers}, allow_nan=False, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    body = sum(len(part) for part in parts)
    if len(head) > HEADER_LIMIT or body > REQUEST_LIMIT:
        raise InvalidInput(f"A message of {len(head)} + {body} bytes is too large to send.")
    for part in (PREFIX.pack(len(head), body), head, *parts):
        _write(fd, memoryview(part), wait)


def receive(fd: int, limit: int = ANSWER_LIMIT, wait: Wait | None = None) -> Message:
    """Read one frame of at most `limit` bytes of buffers; raises EOFError when the pipe ends, BadAnswer."""
    head_size, body_size = PREFIX.unpack(_read(fd, PREFIX.size, wait))
    if head_size > HEADER_LIMIT or body_size > limit:
        raise BadAnswer(f"The answer declares {head_size} + {body_size} bytes, more than is allowed.")
    head = _parsed(_read(fd, head_size, wait))
    if not isinstance(head, dict) or not isinstance(head.get("h"), dict):
        raise BadAnswer("The answer's header is not an object.")
    layout = _layout(head.get("b"), body_size)
    body = _read(fd, body_size, wait)
    arrays = {
        name: np.frombuffer(body, dtype, math.prod(shape), offset).reshape(shape)
        for name, dtype, shape, offset in layout
    }
    return Message(clean_within(head["h"], MAX_TEXT), arrays)


def json_to_array(value: Any) -> Array:
    """A JSON document as a buffer: for what may be longer than a header."""
    return np.frombuffer(json.dumps(value, allow_nan=False, separators=(",", ":")).encode(), np.uint8)


def array_to_json(array: Array) -> Any:
    """The inverse of `json_to_array`, of at most ANSWER_TOKENS, its texts cleaned and cut; else BadAnswer."""
    if array.dtype != np.uint8 or array.ndim != 1:
        raise BadAnswer("A text in the answer is not a row of bytes.")
    return clean_within(_parsed(array), MAX_TEXT)


def encode_frame(frame: pd.DataFrame, prefix: str = "frame") -> dict[str, Array]:
    """The arrays of a DataFrame, named `<prefix>.*`: columns of one storage type share one (k, n) block.

    Kept: order, names, types (floats, integers, booleans, nullable ones, text, categories, datetimes)
    and which missing value it was (NaN or None). Dropped: the index. InvalidInput names a column of
    another type.
    """
    blocks: dict[str, list[Array]] = {code: [] for code in DTYPES}
    if frame.shape[1] and all(dtype == np.float64 for dtype in frame.dtypes.array):  # the common case
        values = np.ascontiguousarray(frame.to_numpy().T, dtype=DTYPES["f8"])  # one block at once
        names = tuple(str(name) for name in frame.columns)
        return {f"{prefix}.columns": _all_floats(names), f"{prefix}.f8": values}
    columns = []
    for name, column in frame.items():
        check()
        columns.append({"name": str(name), **_encode_column(str(name), column, blocks)})
    about = {"rows": len(frame), "columns": columns}
    arrays = {f"{prefix}.columns": json_to_array(about)}
    return arrays | {f"{prefix}.{c}": np.stack(rows).astype(DTYPES[c]) for c, rows in blocks.items() if rows}


def decode_frame(
    arrays: Mapping[str, Array],
    prefix: str = "frame",
    max_tokens: int = REQUEST_LIMIT,
    most_text: float = math.inf,
) -> pd.DataFrame:
    """The inverse of `encode_frame`, with a fresh index; BadAnswer when the arrays do not fit together.

    max_tokens: of what describes the columns, which holds every different text; give ANSWER_TOKENS or fewer
    for a stranger's table. most_text: characters that the texts of a column may unfold to, for one text can
    stand in every row. Texts stay as they were written. A table without columns has the rows that it claims.
    """
    try:
        described = arrays[f"{prefix}.columns"].tobytes()
        blocks = {code: arrays[f"{prefix}.{code}"] for code in DTYPES if f"{prefix}.{code}" in arrays}
        if any(block.ndim != 2 or block.dtype != DTYPES[code] for code, block in blocks.items()):
            raise ValueError("a block of another shape or type")
        names_of_floats = _names_of_floats if len(described) <= MOST_CACHED else _names_of_floats.__wrapped__
        if (names := names_of_floats(described, max_tokens)) is not None:
            return pd.DataFrame(blocks["f8"].T, columns=names.view(), copy=False)
        about = _parsed(described, max_tokens)
        specs, rows = about["columns"], int(about["rows"])
        names = pd.Index(_plain_texts([s["name"] for s in specs]), dtype="object" if not specs else None)
        data = {i: _decode_column(s, blocks, most_text) for i, s in enumerate(specs)}
        frame = pd.DataFrame(data, index=pd.RangeIndex(rows))
        frame.columns = names
        return frame
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise BadAnswer(f"The table cannot be read ({type(error).__name__}: {str(error)[:100]}).") from None


@lru_cache(16)  # a run asks some ninety tables of the same columns
def _all_floats(names: tuple[str, ...]) -> Array:
    """What is said of a table of nothing but float64: the columns' names."""
    return json_to_array({"floats": list(names)})


@lru_cache(16)
def _names_of_floats(described: bytes, max_tokens: int) -> "pd.Index[Any] | None":
    """The names that `_all_floats` told of; None for any other table."""
    about = _parsed(described, max_tokens)
    return pd.Index(_plain_texts(about["floats"])) if isinstance(about, dict) and "floats" in about else None


def _encode_column(name: str, column: "pd.Series[Any]", blocks: dict[str, list[Array]]) -> dict[str, Any]:
    dtype = column.dtype

    def put(code: str, values: Array) -> int:
        blocks[code].append(values.astype(DTYPES[code], copy=False))
        return len(blocks[code]) - 1

    if isinstance(dtype, pd.CategoricalDtype):
        values, kind = _plain_values(name, dtype.categories), str(dtype.categories.dtype)
        at = put("i4", column.cat.codes.to_numpy())
        return {"kind": "category", "at": at, "values": values, "of": kind, "ordered": bool(dtype.ordered)}
    if isinstance(dtype, pd.StringDtype):
        codes, uniques = pd.factorize(column)
        values = _plain_values(name, uniques)
        return {"kind": "text", "at": put("i4", codes), "values": values, "dtype": str(dtype)}
    if isinstance(dtype, pd.DatetimeTZDtype) or getattr(dtype, "kind", "") == "M":
        zone = str(dtype.tz) if isinstance(dtype, pd.DatetimeTZDtype) else None
        naive = column.dt.tz_convert(None) if zone else column
        at = put("i8", naive.to_numpy().view(np.int64))
        return {"kind": "datetime", "at": at, "unit": str(naive.dtype), "zone": zone}
    if isinstance(dtype, np.dtype) and dtype.kind in "fiub":
        code = {"f": "f8", "i": "i8", "u": "i8", "b": "u1"}[dtype.kind]
        return {"kind": "number", "at": put(code, column.to_numpy()), "dtype": dtype.name, "block": code}
    if pd.api.types.is_extension_array_dtype(dtype) and getattr(dtype, "kind", "") in "fiub":
        code = {"f": "f8", "i": "i8", "u": "i8", "b": "u1"}[dtype.kind]
        mask = column.isna().to_numpy()
        at = put(code, column.fillna(0 if code != "u1" else False).to_numpy(dtype=DTYPES[code]))
        return {"kind": "nullable", "at": at, "mask": put("u1", mask), "dtype": str(dtype), "block": code}
    if isinstance(dtype, np.dtype) and dtype.kind == "O":
        codes, values = _object_codes(name, column)
        return {"kind": "object", "at": put("i4", codes), "values": values}
    raise InvalidInput(f"Column '{name}' has the type {dtype}, which cannot be sent to a model.", field=name)


def _decode_column(spec: dict[str, Any], blocks: dict[str, Array], most_text: float) -> Any:
    """What names a type or a zone is looked at first: numpy and pandas would make anything of it."""
    kind, at = spec["kind"], spec["at"]
    if type(at) is not int:
        raise TypeError("a column's place is no number")
    if kind == "number":
        return blocks[spec["block"]][at].astype(_type_of(spec["dtype"], "fiub"), copy=False)
    if kind == "nullable":
        dtype = _type_of(spec["dtype"], "fiub")
        column = pd.Series(blocks[spec["block"]][at]).astype(spec["dtype"].lower().replace("boolean", "bool"))
        return column.astype(dtype).mask(blocks["u1"][spec["mask"]].astype(bool)).array
    if kind == "datetime":
        naive = pd.Series(blocks["i8"][at].view(_type_of(spec["unit"], "M")))
        if not spec["zone"]:
            return naive.array
        if not ZONE.fullmatch(spec["zone"]):
            raise ValueError("no time zone")
        return naive.dt.tz_localize("UTC").dt.tz_convert(spec["zone"]).array
    codes, values = blocks["i4"][at], spec["values"]
    if not all(type(value) in (str, int, float, bool) for value in values):
        raise TypeError("a value that is neither text nor number")
    if kind == "category":
        categories = pd.Index(values, dtype=_type_of(spec["of"], "fiubO"))
        return pd.Categorical.from_codes(codes, categories, ordered=spec["ordered"])
    if kind == "text" and _unfolded(codes, values) > most_text:
        raise ValueError("texts that unfold to too much")
    table = np.array([*values, None, None], dtype=object)
    table[MISSING], table[NONE] = np.nan, None
    if kind == "text":
        return pd.array(table[codes], dtype=_type_of(spec["dtype"], "O"))
    if kind == "object":
        return pd.Series(table[codes], dtype=object)  # a bare array of texts would be taken for a str column
    raise ValueError("a column of no known kind")


def _unfolded(codes: Array, texts: list[str]) -> int:
    """Characters of all rows together."""
    lengths = np.array([*map(len, texts), 0, 0], dtype=np.int64)  # the last two are MISSING and NONE
    return int(lengths[codes].sum())


def _type_of(name: str, kinds: str) -> Any:
    dtype = pd.api.types.pandas_dtype(name)
    if getattr(dtype, "kind", "") not in tuple(kinds):
        raise TypeError(f"{name[:40]} is no type of a column")
    return dtype


def _plain_texts(values: Any) -> list[str]:
    if not all(isinstance(value, str) for value in values):
        raise TypeError("a name that is no text")
    return list(values)


def _object_codes(name: str, column: "pd.Series[Any]") -> tuple[Array, list[Any]]:
    """Codes of mixed values; the type is part of the key, for 1, 1.0 and True are equal in Python."""
    seen: dict[tuple[type, Any], int] = {}
    codes = np.empty(len(column), dtype=np.int32)
    for i, value in enumerate(column):
        if value is None:
            codes[i] = NONE
        elif isinstance(value, str):
            codes[i] = seen.setdefault((str, value), len(seen))
        elif pd.api.types.is_scalar(value) and pd.isna(value):
            codes[i] = MISSING
        else:
            plain = _plain(name, value)
            codes[i] = seen.setdefault((type(plain), plain), len(seen))
    return codes, [value for _, value in seen]


def _plain_values(name: str, values: Any) -> list[Any]:
    return [_plain(name, value) for value in values]


def _plain(name: str, value: Any) -> str | int | float | bool:
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, str | int | float) and not (isinstance(plain, float) and not math.isfinite(plain)):
        return plain
    raise InvalidInput(
        f"Column '{name}' holds a {type(value).__name__}, which cannot be sent to a model.", field=name
    )


def _layout(declared: Any, body: int) -> list[tuple[str, np.dtype[Any], tuple[int, ...], int]]:
    """(name, dtype, shape, offset) of each declared buffer; together they must be the whole body."""
    if not isinstance(declared, list) or len(declared) > MAX_BUFFERS:
        raise BadAnswer("The answer's list of buffers is malformed.")
    layout: list[tuple[str, np.dtype[Any], tuple[int, ...], int]] = []
    offset = 0
    for entry in declared:
        match entry:
            case [str(name), str(code), list(shape)] if code in DTYPES and len(shape) <= MAX_DIMENSIONS:
                pass
            case _:
                raise BadAnswer("The answer declares a buffer of a kind that is not allowed.")
        if not all(type(size) is int and 0 <= size <= REQUEST_LIMIT for size in shape):
            raise BadAnswer("The answer declares a buffer with an impossible shape.")
        layout.append((name, DTYPES[code], tuple(shape), offset))
        size = math.prod(shape) * DTYPES[code].itemsize
        offset += size + _pad(size)
        if offset > body:
            break
    if offset != body or len({name for name, *_ in layout}) != len(layout):
        raise BadAnswer(f"The answer's buffers need {offset} bytes, and {body} were declared.")
    return layout


def _pad(size: int) -> int:
    return -size % 8


def _parsed(data: bytes | bytearray | Array, max_tokens: int = ANSWER_TOKENS) -> Any:
    try:
        return bounded_json.parse(
            bytes(data), max_bytes=REQUEST_LIMIT, max_depth=MAX_DEPTH, max_tokens=max_tokens
        )
    except ValueError as error:
        raise BadAnswer(f"The answer is not JSON that can be read: {clean(str(error)[:100])}.") from None


def _write(fd: int, data: memoryview, wait: Wait | None) -> None:
    while data:
        if wait is not None:
            wait(fd, True)
        try:
            data = data[os.write(fd, data) :]
        except BlockingIOError:
            continue


def _read(fd: int, size: int, wait: Wait | None) -> bytearray:
    data = bytearray(size)
    view = memoryview(data)
    while view:
        if wait is not None:
            wait(fd, False)
        try:
            got = os.readv(fd, [view])
        except BlockingIOError:
            continue
        if got == 0:
            raise EOFError
        view = view[got:]
    return data
