"""A stranger's text: what no store or page could hold is gone from it, and nothing else."""

from hypothesis import given
from hypothesis import strategies as st

from records.texts import clean, clean_within

ANY = st.text(st.characters(min_codepoint=0, max_codepoint=0x10FFFF) | st.characters(categories=["Cs", "Cc"]))


@given(ANY)
def test_cleaned_text_can_be_stored_and_shown_and_is_cleaned_once(text: str) -> None:
    found = clean(text)
    found.encode("utf-8")
    assert not any(c < " " and c not in "\n\t" for c in found)
    assert "\x7f" not in found
    assert clean(found) == found
    assert len(found) == len(text)


def test_ordinary_text_stays_as_it_is() -> None:
    for text in ("", "âge <b>\n\t€", "年齢", "a" * 10_000):
        assert clean(text) == text


def test_all_texts_of_a_value_are_cleaned_and_cut_the_keys_too() -> None:
    value = {"a\0": ["\ud800b", 1, None, {"c" * 9: True}], "d": 0.5}
    assert clean_within(value, 4) == {"a\ufffd": ["?b", 1, None, {"cccc": True}], "d": 0.5}
