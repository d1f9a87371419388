"""Text that a stranger wrote, made fit for every store and page.

Promises: what comes out can be written as UTF-8, into PostgreSQL and on a page. Leaves its meaning to others.
"""

import unicodedata
from typing import Any

__all__ = ["clean", "clean_within", "plain_value"]


def clean(text: str) -> str:
    r"""No lone surrogates, no control characters but line ends and tabs, none that reorder or hide others.

    >>> clean("a\x00b\n") == "a\ufffdb\n"
    True
    """
    if text.isprintable():
        return text
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(c if c.isprintable() or c in "\n\t" or _is_space(c) else "\ufffd" for c in whole)


def clean_within(value: Any, longest: int) -> Any:
    """A JSON value with every text in it cleaned, keys too, and cut to `longest` characters."""
    if isinstance(value, str):
        return clean(value[:longest])
    if isinstance(value, dict):
        return {clean(key[:longest]): clean_within(inner, longest) for key, inner in value.items()}
    if isinstance(value, list):
        return [clean_within(inner, longest) for inner in value]
    return value


def _is_space(c: str) -> bool:
    """Such as the one that keeps "5 km" together; Python calls none but the plain one printable."""
    return unicodedata.category(c) == "Zs"


def plain_value(text: str) -> str | int | float:
    """What a person means by a text in a list of values: a number where it is one, else itself, trimmed.

    >>> [plain_value(part) for part in "1, 2.5, red".split(",")]
    [1, 2.5, 'red']
    """
    for kind in (int, float):
        try:
            return kind(text.strip())
        except ValueError:
            continue
    return text.strip()
