"""The words of a text, as everybody counts them: rows, distances, shifts and explanations.

Promises: one meaning of a word in all of them. Leaves a model's own way of cutting texts to the model.
"""

import re

__all__ = ["WORD", "known_as", "words_of"]

WORD = re.compile(r"\w+(?:['\u2019]\w+)*")


def words_of(text: str) -> list[str]:
    """Runs of letters and digits, with an apostrophe inside.

    >>> words_of("Don't panic: it's only 42!")
    ["Don't", 'panic', "it's", 'only', '42']
    """
    return WORD.findall(text)


def known_as(word: str) -> str:
    """What a word is looked up by: in capitals it is the same word."""
    return word.casefold()
