"""The labels of a sample in a model's own words: yes for 1, Iris-setosa for setosa, "yes " for Yes.

Promises: translates only what is certain by the words alone; what else could be meant is put forward. Leaves
judging that by the model's answers to `execution.labels`.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from errors import InvalidPlan
from records.sample import LabelMap
from rows.limits import listed

__all__ = ["are_labels", "canonical", "in_words_of", "sorted_labels"]

MOST = 1_000  # classes that are compared word by word
MOST_UNKNOWN = 100  # labels that are told of
MAX_LABEL = 500  # characters; a longer text is no label
YES = frozenset({"yes", "y", "true", "t", "1", "positive", "pos", "on"})
NO = frozenset({"no", "n", "false", "f", "0", "-1", "negative", "neg", "off"})


def canonical(text: str) -> str:
    """One spelling for labels of equal value, as `metrics.score` compares them.

    >>> canonical("1.0"), canonical(" True"), canonical("Yes ")
    ('1', 'true', 'Yes')
    """
    text = text.strip()
    try:
        number = float(text)
    except ValueError:
        return text.lower() if text.lower() in ("true", "false") else text
    return str(int(number)) if number.is_integer() else repr(number)


def are_labels(values: Sequence[str], classes: Sequence[str]) -> bool:
    """Whether every value is one of the classes, whatever its spelling."""
    known = {_spelled(name) for name in classes} | _truths(classes)
    return bool(values) and all(_spelled(value) in known for value in values)


def in_words_of(values: Sequence[str], classes: Sequence[str], chosen: Mapping[str, str]) -> LabelMap:
    """How the different labels of a sample become classes of the model; both as texts.

    `pairs` holds those that need a translation. chosen: what the run's config says (`target_map`), which
    comes before all else. `how` is "" where nothing is to be done and "undecided" where as many labels as
    classes have nothing in common but their number. Raises InvalidPlan for a choice that does not fit.
    """
    if chosen:
        return LabelMap(how="chosen", pairs=_chosen(values, classes, chosen))
    values = [value for value in values if len(value) <= MAX_LABEL]
    same = {canonical(name) for name in classes} | _truths(classes)
    unknown = [value for value in values if canonical(value) not in same]
    if not unknown or not classes:
        return LabelMap()
    spelled = _by_spelling(unknown, classes)
    left = [value for value in unknown if value not in spelled]
    if not left:
        return LabelMap(how="spelling", pairs=_sorted(spelled))
    words = _by_yes_and_no(values, classes)
    if words:
        return LabelMap(how="words", pairs=_sorted({v: words[v] for v in unknown}))
    none_is_one = len(left) == len(values)
    parts = _by_parts(values, classes) if none_is_one and len(values) <= len(classes) <= MOST else {}
    if parts:
        return LabelMap(how="contained", pairs=_sorted(parts))
    # 1, 2, 3 beside the classes 0, 1, 2: that some of them are equal says nothing.
    if len(values) == len(classes) > 1 and (none_is_one or (_are_numbers(values) and _are_numbers(classes))):
        return LabelMap(how="undecided", unknown=tuple(sorted_labels(values)[:MOST_UNKNOWN]))
    return LabelMap(
        how="spelling" if spelled else "", pairs=_sorted(spelled), unknown=tuple(left[:MOST_UNKNOWN])
    )


def sorted_labels(values: Sequence[str]) -> list[str]:
    """By number where all are numbers, else as scikit-learn's LabelEncoder sorts texts.

    >>> sorted_labels(["10", "9"]), sorted_labels(["drugA", "DrugY"])
    (['9', '10'], ['DrugY', 'drugA'])
    """
    try:
        return sorted(values, key=float)
    except ValueError:
        return sorted(values)


def _chosen(
    values: Sequence[str], classes: Sequence[str], chosen: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    by_value = {canonical(name): name for name in classes}
    given = {canonical(value): value for value in values}
    pairs = {}
    for label, wanted in chosen.items():
        if canonical(label) not in given:
            raise InvalidPlan(
                f"target_map names the label {label[:60]!r}, which the sample does not have.",
                hint=f"Its labels are {listed(sorted_labels(values))}.",
                field="config.target_map",
            )
        if canonical(wanted) not in by_value:
            raise InvalidPlan(
                f"target_map turns {label[:60]!r} into {wanted[:60]!r}, which is no class of the model.",
                hint=f"They are {listed(list(classes))}.",
                field="config.target_map",
            )
        pairs[given[canonical(label)]] = by_value[canonical(wanted)]
    return _sorted(pairs)


def _sorted(pairs: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((value, pairs[value]) for value in sorted_labels(list(pairs)))


def _spelled(text: str) -> str:
    """Without case, outer blanks and the dot that ends the labels of the Adult data's test part."""
    return re.sub(r"[\s_-]+", " ", canonical(text).casefold()).strip().removesuffix(".")


def _truths(classes: Sequence[str]) -> set[str]:
    """True and False are 1 and 0 where a model has just these two classes, and the other way round."""
    known = {canonical(name) for name in classes}
    return {"true", "false", "0", "1"} if known in ({"0", "1"}, {"true", "false"}) else set()


def _by_spelling(values: Sequence[str], classes: Sequence[str]) -> dict[str, str]:
    counts = Counter(map(_spelled, classes))
    named = {_spelled(name): name for name in classes if counts[_spelled(name)] == 1}
    return {value: named[_spelled(value)] for value in values if _spelled(value) in named}


def _by_yes_and_no(values: Sequence[str], classes: Sequence[str]) -> dict[str, str]:
    """Of two classes that say yes and no in whatever words; {} where a label or a class does not."""
    told = {_answer(name): name for name in classes}
    if len(classes) != 2 or set(told) != {True, False}:
        return {}
    answers = {value: _answer(value) for value in values}
    if None in answers.values():
        return {}
    return {value: told[answer] for value, answer in answers.items()}


def _answer(text: str) -> bool | None:
    word = canonical(text).casefold()
    return True if word in YES else False if word in NO else None


def _by_parts(values: Sequence[str], classes: Sequence[str]) -> dict[str, str]:
    """Labels that are a class with words around it, or words of one: Iris-setosa and setosa, one to one."""
    parts = {name: _words(name) for name in (*values, *classes)}
    pairs = {}
    for value in values:
        near = [n for n in classes if parts[n] and (parts[n] < parts[value] or parts[value] < parts[n])]
        if len(near) != 1 or not parts[value]:
            return {}
        pairs[value] = near[0]
    # A number alone is no word that could tell: "Class 1" may well be the class 0 of the model.
    numbers = any(all(word.isdigit() for word in parts[name]) for name in pairs.values())
    return pairs if len(set(pairs.values())) == len(pairs) and not numbers else {}


def _are_numbers(texts: Sequence[str]) -> bool:
    return all(re.fullmatch(r"-?\d+(\.\d+)?", canonical(text)) for text in texts)


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[^\W_]+", text.casefold()))
