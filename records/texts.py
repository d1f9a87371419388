"""Text that a stranger wrote, made fit for every store and page.

Promises: what comes out can be written as UTF-8, into PostgreSQL and on a page. Leaves its meaning to others.
"""

from typing import Any

__all__ = ["clean", "clean_within"]


def clean(text: str) -> str:
    r"""No lone surrogates and no control characters; of the latter, line ends and tabs stay.

    >>> clean("a\x00b\n") == "a\ufffdb\n"
    True
    """
    if text.isprintable():
        return text
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in whole)


def clean_within(value: Any, longest: int) -> Any:
    """A JSON value with every text in it cleaned, keys too, and cut to `longest` characters."""
    if isinstance(value, str):
        return clean(value[:longest])
    if isinstance(value, dict):
        return {clean(key[:longest]): clean_within(inner, longest) for key, inner in value.items()}
    if isinstance(value, list):
        return [clean_within(inner, longest) for inner in value]
    return value
