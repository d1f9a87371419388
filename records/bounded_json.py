"""JSON that a stranger wrote, read within bounds.

Promises: size, depth and the number of tokens are looked at before anything is made of them, in time that
grows with the size alone; numbers are finite. Leaves to the caller what the document should hold, and which
error it is.
"""

import json
import math
import re
from typing import Any

__all__ = ["LONGEST_NUMBER", "parse"]

LONGEST_NUMBER = 100  # characters; a float64 needs 24. Integers of as many digits still fit a float

# A text that never closes is one token up to the end, and nothing that has been matched is tried again: the
# groups are possessive.
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\Z)|[\[\]{},:]', re.DOTALL)
_STEPS = {"[": 1, "{": 1, "]": -1, "}": -1}


def parse(data: bytes | str, *, max_bytes: int, max_depth: int, max_tokens: int) -> Any:
    """The value of a JSON text in UTF-8, with or without a byte order mark.

    max_bytes: of the data (characters, where they are decoded already). max_tokens: brackets, commas, colons
    and texts together; never fewer than the objects that the document unfolds to, so that `[[],[],...]`
    cannot take a hundred times its own size. Raises ValueError that says which bound was passed;
    json.JSONDecodeError, which is one, for what is no JSON. Texts are as they were written: `records.texts`
    cleans them.

    >>> parse(b'{"a": [1, 2.5]}', max_bytes=100, max_depth=2, max_tokens=20)
    {'a': [1, 2.5]}
    >>> parse(b'[[[]]]', max_bytes=100, max_depth=2, max_tokens=20)
    Traceback (most recent call last):
        ...
    ValueError: it is nested deeper than 2 levels
    """
    if len(data) > max_bytes:
        raise ValueError(f"it is larger than {max_bytes:,} bytes")
    # Decoded here, for json.loads would guess UTF-16 and UTF-32 too, and let surrogates through.
    text = (data.decode("utf-8") if isinstance(data, bytes) else data).removeprefix("\ufeff")
    depth = 0
    for tokens, token in enumerate(_TOKEN.finditer(text), 1):
        depth += _STEPS.get(text[token.start()], 0)
        if depth > max_depth:
            raise ValueError(f"it is nested deeper than {max_depth} levels")
        if tokens > max_tokens:
            raise ValueError(f"it has more than {max_tokens:,} tokens")
    return json.loads(text, parse_constant=_no_constant, parse_float=_float, parse_int=_integer)


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def _float(text: str) -> float:
    value = float(_short(text))
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is too large a number")
    return value


def _integer(text: str) -> int:
    return int(_short(text))


def _short(text: str) -> str:
    if len(text) > LONGEST_NUMBER:
        raise ValueError(f"a number is longer than {LONGEST_NUMBER} characters")
    return text
