"""Names as people write them: the same but for case, blanks and units; of identifiers; of labels.

Promises: two names are one only where no third could be meant. Leaves using them to `rows.matching`.
"""

import re
from collections import Counter
from collections.abc import Sequence
from difflib import get_close_matches

from records.schema import MAX_NAME

__all__ = [
    "is_identifier",
    "is_usual_label",
    "key_of",
    "nearest",
    "same_but_for_spelling",
    "same_by_key",
    "without_unit",
]

MOST_COMPARED = 200  # names of either side
_BETWEEN_NUMBERS = re.compile(r"(?<=\d)[\W_]+(?=\d)")
_UNIT = re.compile(r"\s*[(\[][^()\[\]]*[)\]]\s*$")
_IDENTIFIER = re.compile(
    r"(?:unnamed\d*|index|level0|id|uid|uuid|guid|rowid|rownum\w*|rownumber|row|sno|srno|slno|serialno|serialnumber"
    r"|(?:passenger|customer|user|patient|client|employee|loan|order|transaction|record|sample|house|car|student"
    r"|person|case|account|application|product|item|member|policy|applicant)(?:id|no|number)|idnumber)"
)
_LABEL = re.compile(
    r"(?:target|label|labels|class|classlabel|targetclass|y|ytrue|outcome|output|response|groundtruth|survived"
    r"|species|variety|churn|churned|exited|attrition|diagnosis|quality|drug|drugtype|stroke|potability|fraud"
    r"|isfraud|heartdisease|loanstatus|default|deposit|result|condition"
    r"|price|saleprice|sellingprice|medv|sales|mpg|medianhousevalue|charges|salary|diseaseprogression|progression)"
)


def key_of(name: str) -> str:
    """The letters and digits of a name alone, in lower case; the name itself where it has none.

    Where two numbers meet they stay two.

    >>> key_of("Sepal_Length "), key_of("sepal length"), key_of("a_1_1"), key_of("$")
    ('sepallength', 'sepallength', 'a1_1', '$')
    """
    if len(name) > MAX_NAME:  # of no model
        return name
    apart = _BETWEEN_NUMBERS.sub("\0", name.casefold())
    return "".join("_" if c == "\0" else c for c in apart if c.isalnum() or c == "\0") or name


def without_unit(name: str) -> str:
    """
    >>> without_unit("sepal length (cm)"), without_unit("(cm)")
    ('sepal length', '(cm)')
    """
    return _UNIT.sub("", name[:MAX_NAME]) or name


def is_identifier(name: str) -> bool:
    """Whether a column of that name numbers the rows, or what they are about.

    >>> [is_identifier(name) for name in ("Id", "PassengerId", "Unnamed: 0", "customer_id", "width", "paid")]
    [True, True, True, True, False, False]
    """
    return _IDENTIFIER.fullmatch(key_of(name)) is not None


def is_usual_label(name: str) -> bool:
    """
    >>> [is_usual_label(name) for name in ("Survived", "target", "Sale_Price", "age")]
    [True, True, True, False]
    """
    return _LABEL.fullmatch(key_of(name)) is not None


def same_by_key(wanted: Sequence[str], given: Sequence[str]) -> dict[str, str]:
    """Which given name stands for which wanted one: those whose `key_of` is the same, and no other's."""
    return _same({name: key_of(name) for name in wanted}, {name: key_of(name) for name in given})


def same_but_for_spelling(wanted: Sequence[str], given: Sequence[str]) -> dict[str, str]:
    """Which of the given names stands for which wanted one, none of them equal; only where no other could.

    First names that differ in case and in what is neither letter nor digit, then those of which one alone has
    a unit in brackets.

    >>> same_but_for_spelling(["Sepal Length", "petal length (cm)"], ["sepal_length", "PetalLength", "x"])
    {'Sepal Length': 'sepal_length', 'petal length (cm)': 'PetalLength'}
    >>> same_but_for_spelling(["a b"], ["a_b", "A B"])
    {}
    """
    found = same_by_key(wanted, given)
    wanted = [name for name in wanted if name not in found]
    gone = set(found.values())
    given = [name for name in given if name not in gone]
    bare = _same(
        {name: key_of(without_unit(name)) for name in wanted},
        {name: key_of(without_unit(name)) for name in given},
    )
    one_unit = {
        name: other
        for name, other in bare.items()
        if (without_unit(name) == name) != (without_unit(other) == other)
    }
    return found | one_unit


def nearest(wanted: Sequence[str], given: Sequence[str], most: int = 3) -> list[tuple[str, str]]:
    """For the first few of the wanted names the given one that looks most alike; none where none does."""
    keys = {key_of(name): name for name in reversed(given[:MOST_COMPARED])}
    found: list[tuple[str, str]] = []
    for name in wanted[:MOST_COMPARED]:
        near = (
            get_close_matches(key_of(name)[:100], list(keys), n=1, cutoff=0.75) if len(found) < most else []
        )
        found += [(name, keys[near[0]])] if near else []
    return found


def _same(wanted: dict[str, str], given: dict[str, str]) -> dict[str, str]:
    counts = [Counter(side.values()) for side in (wanted, given)]
    named = {key: name for name, key in given.items()}
    return {name: named[key] for name, key in wanted.items() if all(count[key] == 1 for count in counts)}
