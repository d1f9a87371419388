"""An answer of a model's process, changed: in its bytes, its documents, its arrays and its lengths.

Needs the standard library alone, for `tests.support.forged_answers` puts this module's text into pickles.
"""

import json
import math
import random
import struct
from collections.abc import Iterator
from typing import Any

__all__ = ["bomb", "mutated", "put_together", "taken_apart"]

SIZES = {"f8": 8, "i8": 8, "i4": 4, "u2": 2, "u1": 1}
# What stands in a document in place of a value, as JSON or nearly so.
VALUES = (
    "null", "true", "false", "0", "-1", "1.5", "-0.0", "7e3", "1e-320", "1e17", "1e150", "1e200", "1e308",
    "-1e308", "1e999", "NaN", "-Infinity", "9223372036854775808", "9" * 99, "9" * 400, "0." + "9" * 400,
    '""', '"a"', '"\\ud800"', '"\\u0000"', '"a\\u202eb"', '"\\"', '"' + "x" * 5000 + '"', '"classification"',
    '"regression"', '"user"', "[]", "[0]", "[null]", '["a","a"]', "{}", '{"":{}}',
    "[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]",
)  # fmt: skip
NUMBERS = (
    0.0, -0.0, 1.0, -1.0, 0.5, 1e-320, 1e17, -1e17, 1e77, 1e150, -1e153, 1e200, 1e308, -1.7e308, math.inf,
    math.nan,
)  # fmt: skip
_MARK = "\u0001here\u0001"
Part = tuple[str, str, list[int], bytes]


def taken_apart(frame: bytes) -> tuple[Any, list[Part]]:
    """The header of one frame, and its buffers as (name, type, shape, bytes)."""
    head, _ = struct.unpack_from("<II", frame)
    described = json.loads(frame[8 : 8 + head])
    at, parts = 8 + head, []
    for name, code, shape in described["b"]:
        size = math.prod(shape) * SIZES[code]
        parts.append((name, code, shape, frame[at : at + size]))
        at += size + -size % 8
    return described["h"], parts


def put_together(header: str, parts: list[Part]) -> bytes:
    """A frame of a header's JSON text and buffers; nothing of it is looked at."""
    declared = json.dumps([[name, code, shape] for name, code, shape, _ in parts])
    head = f'{{"h":{header},"b":{declared}}}'.encode()
    head += b" " * (-len(head) % 8)
    body = b"".join(data + bytes(-len(data) % 8) for *_, data in parts)
    return struct.pack("<II", len(head), len(body)) + head + body


def bomb(rng: random.Random, size: int) -> bytes:
    """A document of about `size` bytes that takes a reader's time or memory."""
    shape = rng.randrange(8)
    if shape < 4:
        piece = (b"a", b'\\"', b'a\\"', b"\\\\\\")[shape]
        return b'"' + piece * (size // len(piece))
    piece = (b"[", b"[],", b'{"a":0},', b'"",')[shape - 4]
    return b"[" + piece * (size // len(piece)) + b"0]"


def mutated(frame: bytes, rng: random.Random, largest: int = 1 << 16) -> bytes:
    """The frame with one to three changes; `largest`: bytes that a change may add, or so."""
    header, parts = taken_apart(frame)
    text = json.dumps(header)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        choice = rng.randrange(8)
        documents = [i for i, part in enumerate(parts) if part[0] == "texts"]
        if choice == 0 and header:
            text = _document(text, rng, largest)
        elif choice <= 3 and documents:
            i = rng.choice(documents)
            data = _document(parts[i][3].decode("utf-8", "replace"), rng, largest).encode()
            parts[i] = (parts[i][0], "u1", [len(data)], data)
        elif choice <= 6 and parts:
            _array(parts, rng, largest)
        elif choice == 7:
            text, parts = _whole(text, parts, rng)
    found = put_together(text, parts)
    return _bytes(found, rng) if rng.random() < 0.15 else found


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in a document: the keys that lead to it."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield (*path, key)
        yield from _places(each, (*path, key))


def _document(text: str, rng: random.Random, largest: int) -> str:
    if rng.random() < 0.05:
        return bomb(rng, largest).decode()
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text  # an earlier change has left it without form
    places = list(_places(value))
    if not places:
        return rng.choice(VALUES)
    path = rng.choice(places)
    holder = value
    for key in path[:-1]:
        holder = holder[key]
    key, change = path[-1], rng.randrange(8)
    if change == 0:
        del holder[key]
    elif change == 1 and isinstance(holder, list):
        holder.extend([holder[key]] * rng.choice((1, 3, 70, max(1, largest // 16))))
    elif change == 2 and isinstance(holder, dict):
        holder[rng.choice(("", "extra", "\ud800", "k" * 3000))] = holder.pop(key)
    elif change == 3:
        other = value
        for step in rng.choice(places):
            other = other[step]
        holder[key] = json.loads(json.dumps(other))
    else:
        holder[key] = _MARK
    return json.dumps(value).replace(json.dumps(_MARK), rng.choice(VALUES))


def _array(parts: list[Part], rng: random.Random, largest: int) -> None:
    i, change = rng.randrange(len(parts)), rng.randrange(9)
    name, code, shape, data = parts[i]
    if change == 0:
        del parts[i]
    elif change == 1:
        parts.append(
            (rng.choice(("extra", "scores", "std_error", "joint", name, "\ud800")), code, shape, data)
        )
    elif change == 2:
        parts[i] = (rng.choice(("extra", "scores", "values", "")), code, shape, data)
    elif change == 3:
        parts[i] = (name, rng.choice((*SIZES, "O", "")), shape, data)
    elif change == 4:
        wrong: tuple[list[int], ...] = ([], [-1], [0], [1, *shape], [*shape, 1], shape[::-1], [2**31, 2**31])
        parts[i] = (name, code, rng.choice(wrong), data)
    elif change == 5:  # as many rows as before, and others
        rows = rng.choice((0, 1, (shape or [1])[0] * 2, max(1, largest // 64)))
        row = data[: len(data) // max(1, (shape or [1])[0])]
        parts[i] = (name, code, [rows, *shape[1:]], row * rows)
    elif code == "f8" and len(data) >= 8:
        value, count = struct.pack("<d", rng.choice(NUMBERS)), len(data) // 8
        if change == 6:
            parts[i] = (name, code, shape, value * count)
        else:
            at = 8 * rng.randrange(count)
            parts[i] = (name, code, shape, data[:at] + value + data[at + 8 :])
    else:
        parts[i] = (name, code, shape, _bytes(data, rng)[: len(data)].ljust(len(data), b"\xff"))


def _whole(text: str, parts: list[Part], rng: random.Random) -> tuple[str, list[Part]]:
    change = rng.randrange(4)
    if change == 0:
        return '{"error": {"code": "lock_unavailable", "message": "\\ud800\\u0000", "hint": 7}}', []
    if change == 1:
        return '{"error": ' + rng.choice(VALUES) + "}", parts
    if change == 2:
        return rng.choice(VALUES), parts
    return text, parts * rng.choice((2, 40))


def _bytes(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at, width = rng.randrange(len(changed) + 1), rng.choice((1, 1, 4, 16, 64))
        change = rng.randrange(4)
        if change == 0:
            changed[at : at + 1] = bytes([rng.randrange(256)])
        elif change == 1:
            changed[at : at + width] = rng.randbytes(width)
        elif change == 2:
            del changed[at : at + width]
        else:
            changed[at:at] = changed[at : at + width]
    return bytes(changed)
