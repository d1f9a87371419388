"""A stranger's JSON: read as Python reads it, or refused before it has taken up anything."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from records import bounded_json
from records.bounded_json import LONGEST_NUMBER, parse

LIMITS: dict[str, int] = {"max_bytes": 1 << 20, "max_depth": 20, "max_tokens": 10_000}
NUMBERS = st.integers(-(2**64), 2**64) | st.floats(allow_nan=False, allow_infinity=False)
PLAIN = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(PLAIN, st.booleans())
def test_a_document_within_bounds_is_read_as_python_reads_it(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert parse(text.encode(), **LIMITS) == value
    assert parse("\ufeff" + text, **LIMITS) == value


@given(st.binary(max_size=200) | st.text(alphabet='[]{},:"\\ 1-e.', max_size=200).map(str.encode))
def test_what_is_not_read_is_a_value_error(data: bytes) -> None:
    try:
        found = parse(data, **LIMITS)
    except ValueError:
        return
    assert found == json.loads(data.decode("utf-8-sig"))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b" " * (1 << 20) + b"1", "larger than 1,048,576 bytes"),
        (b"[" * 21 + b"]" * 21, "deeper than 20"),
        (b'{"a":' * 200_000, "deeper than 20"),
        (b"[" + b"[]," * 5_000 + b"[]]", "10,000 tokens"),
        (b'"' * 40_000, "10,000 tokens"),
        (b"[" + b"0," * 10_000 + b"0]", "10,000 tokens"),
        (b"[NaN]", "NaN is no number"),
        (b"[-Infinity]", "-Infinity is no number"),
        (b"[1e999]", "too large"),
        (b"9" * 400, "longer than 100"),
        (b"0." + b"9" * 400, "longer than 100"),
        (b"1" * 200_000 + b".5", "longer than 100"),
        ("[1]".encode("utf-16"), "utf-8"),
        ("[1]".encode("utf-32-le"), "control character|Expecting|Extra"),
        (b'"\xed\xa0\x80"', "utf-8"),  # a surrogate in raw bytes, which json.loads lets through
        (b'"abc', "Unterminated"),
        (b"", "Expecting value"),
    ],
)  # fmt: skip
def test_what_passes_a_bound_is_refused_in_words(data: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse(data, **LIMITS)


def test_every_object_of_a_document_is_paid_for_with_a_token() -> None:
    def objects(value: Any) -> int:
        if isinstance(value, dict):
            return 1 + sum(1 + objects(inner) for inner in value.values())
        return 1 + (sum(map(objects, value)) if isinstance(value, list) else 0)

    values: list[Any] = [[], {}, [[]] * 50, [{}] * 50, [0] * 50, {str(i): i for i in range(50)}, ["a"] * 50]
    for value in values:
        with pytest.raises(ValueError, match="tokens"):
            parse(json.dumps(value), max_bytes=10_000, max_depth=3, max_tokens=objects(value) - 1)


@pytest.mark.parametrize("piece", [b"a", b'\\"', b'a\\"', b"\\\\\\", b"\\", b"[{", b"\\u00"])
def test_a_text_that_never_closes_is_one_token_up_to_the_end(piece: bytes) -> None:
    """Whatever stands in it is passed over once: matched again from each quote, four megabytes took hours."""
    text = '"' + (piece * 1000).decode()
    assert [found.span() for found in bounded_json._TOKEN.finditer(text)] == [(0, len(text))]


def test_brackets_inside_of_texts_are_no_nesting() -> None:
    assert parse(json.dumps("[" * 50 + '"\\'), **LIMITS) == "[" * 50 + '"\\'


def test_the_longest_number_still_fits_a_float() -> None:
    assert float(parse("9" * LONGEST_NUMBER, **LIMITS)) == 1e100
