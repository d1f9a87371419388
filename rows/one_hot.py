"""One-hot columns: which belong together by their names, and rows in which at most one of them is 1.

Promises: a group's rows follow the shares of its columns as far as these can all be true; the same seed
gives the same rows, fewer rows are the first of more. Leaves what a model contradicts to `mining.rivals`.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from records.schema import FieldSpec
from rows.joint import Joint

__all__ = ["chosen_members", "groups_by_name", "groups_of", "named_apart", "share_of", "with_groups"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

COMPLETE = 0.85  # of all rows: members that cover as many are taken for all there are
STEP = re.compile(r"^[A-Za-z0-9]+__(?=.)")  # a column transformer's own prefix: cat__Sex_male


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# First words of flags and of measures, which stand beside each other for other reasons than one category.
FLAGS = _words("is has had was are can does did no not with without use uses flag own owns any")
MEASURES = _words(
    """num n nb number count cnt total sum mean avg average median min max std var pct percent percentage
    ratio rate share amount value price cost charge charges income salary premium revenue balance limit score
    index level rank age year years month months day days hour hours minute minutes second seconds date time
    duration length len width height depth size weight area volume distance speed temp temperature pressure
    sugar glucose cholesterol bmi lat lon latitude longitude log sqrt lag diff delta change growth id code x
    y z per mm cm km kg lb mg dl sqft ft bill pay bytes packets requests views clicks visits"""
)
# Values that are categories whatever their case.
VALUES = _words(
    """male female man woman m f yes no true false y other unknown none missing nan single married divorced
    widowed separated low medium high small large red green blue black white urban rural north south east west
    primary secondary tertiary private public mon tue wed thu fri sat sun monday tuesday wednesday thursday
    friday saturday sunday jan feb mar apr may jun jul aug sep oct nov dec spring summer autumn fall winter
    cash card smokes never formerly southeast southwest northeast northwest"""
)


def groups_by_name(names: Sequence[str]) -> dict[str, list[int]]:
    """Prefixes that two names or more share, as in `Contract_One year`, with the positions of these names.

    The prefix ends at the first `=` or `_`, or at a later one where everything behind the first parts again
    into twos or more (`payment_method_...`, `payment_plan_...`). Flags (`is_`, `has_`) are no group.

    >>> groups_by_name(["age", "Embarked_C", "Embarked_S", "is_new", "is_old"])
    {'Embarked': [1, 2]}
    """
    found: dict[str, list[int]] = {}
    parts = [_parts(name) for name in names]
    waiting: list[tuple[tuple[str, ...], list[int]]] = [
        ((), [i for i, words in enumerate(parts) if len(words) > 1])
    ]
    while waiting:
        prefix, members = waiting.pop()
        deeper: dict[str, list[int]] = {}
        for i in members:
            deeper.setdefault(parts[i][len(prefix)], []).append(i)
        again = all(
            len(some) > 1 and all(len(parts[i]) > len(prefix) + 1 for i in some) for some in deeper.values()
        )
        if prefix and not again:
            found["_".join(prefix)] = members
            continue
        for word, some in deeper.items():
            if len(some) > 1 and (prefix or word.lower() not in FLAGS | MEASURES):
                waiting.append(((*prefix, word), some))
    return dict(sorted(found.items(), key=lambda item: item[1][0]))


def named_apart(prefix: str, names: Iterable[str]) -> bool:
    """Whether names alone say that columns are one category's values: `Sex_male`, not `petal_length`."""
    suffixes = [_plain(name)[len(prefix) + 1 :] for name in names]
    return prefix.lower() not in MEASURES and all(map(_is_value, suffixes))


def _is_value(suffix: str) -> bool:
    """`One year`, `male`, `Germany`; a measure is none, unless in a phrase."""
    if re.search(r"[A-Za-z][ -][A-Za-z]", suffix):
        return True
    words = re.split(r"[^A-Za-z0-9]+", suffix.lower())
    return not MEASURES & set(words) and (suffix[:1].isupper() or suffix.lower() in VALUES)


def share_of(field: FieldSpec) -> float | None:
    """How often a column of 0 and 1 is 1; None where it is none, or nothing is known of it."""
    if field.type == "boolean":
        return field.mean
    if field.quantiles is not None:
        values = np.asarray(field.quantiles)
        return float((values[1:] + values[:-1]).mean() / 2) if set(field.quantiles) <= {0.0, 1.0} else None
    return field.mean if (field.min, field.max) == (0, 1) else None


def with_groups(fields: Sequence[FieldSpec], together: frozenset[str]) -> list[FieldSpec]:
    """The fields, those of one-hot groups marked; members of which nothing is known get what the others
    leave.

    together: prefixes of columns that the model saw at 1 at the same time. Members whose shares are known
    must not sum to more than all rows. Unknown ones share what is left evenly: with all members a row is
    possible whether or not one category has no column.
    """
    found = list(fields)
    for prefix, places in groups_by_name([field.name for field in fields]).items():
        if prefix in together:
            continue
        shares = {i: share_of(fields[i]) for i in places}
        known = {i: p for i, p in shares.items() if p is not None}
        unknown = [i for i in places if fields[i].is_unknown or _is_bare(fields[i])]
        members = sorted([*known, *unknown])
        total = sum(known.values())
        evidence = len(known) >= max(1, len(members) / 2) and not _has_measures(prefix, fields, unknown)
        if (
            len(members) < 2
            or total > 1 + 0.05 * len(known)
            or not (evidence or named_apart(prefix, _names(fields, members)))
        ):
            continue
        if not known and any(_numeric_suffix(prefix, fields[i].name) for i in members):
            continue
        for i in members:
            if i in known:
                found[i] = fields[i].model_copy(update={"group": prefix})
            else:
                share = max(1 - total, 0.0) / len(unknown)
                found[i] = FieldSpec(
                    name=fields[i].name, type="integer", min=0, max=1, mean=share,
                    nullable=fields[i].nullable,
                    group=prefix, origin="name",
                )  # fmt: skip
    return found


def groups_of(fields: Iterable[FieldSpec]) -> dict[str, list[FieldSpec]]:
    """The members of each group of which shares are known; a group of one excludes nothing."""
    found: dict[str, list[FieldSpec]] = {}
    for field in fields:
        if field.group is not None and share_of(field) is not None:
            found.setdefault(field.group, []).append(field)
    return {group: members for group, members in found.items() if len(members) > 1}


def chosen_members(
    group: str, members: Sequence[FieldSpec], rows: int, seed: int, joint: Joint | None, donors: Ints | None
) -> Ints:
    """For each row the place among the members of the one that is 1; their count where none is.

    With a `joint` each example row gets one member, so that every member has its share of them and the
    examples that rank highest in its column; made-up rows take that of their `donors`. Else all are drawn.
    """
    shares = np.array([share_of(field) or 0.0 for field in members])
    if shares.sum() >= COMPLETE:
        shares = shares / shares.sum()
    name = int.from_bytes(hashlib.sha256(group.encode()).digest()[:16], "little")
    rng = np.random.default_rng(np.random.SeedSequence([seed, name]))
    if joint is None or donors is None or not any(field.name in joint.places for field in members):
        return np.searchsorted(np.cumsum(shares), rng.random(rows), side="right").clip(0, len(members))
    count = len(joint.ranks)
    ranks = np.stack(
        [
            joint.ranks[:, joint.places[field.name]].astype(np.int64)
            if field.name in joint.places
            else rng.permutation(count)
            for field in members
        ]
    )
    return _assigned(ranks, shares)[donors]


def _assigned(ranks: Ints, shares: Floats) -> Ints:
    """A member for each example: quotas by shares, filled from the highest ranks (members, examples) down."""
    members, count = ranks.shape
    ends = np.rint(np.cumsum(shares) * count)
    quotas = np.diff(ends, prepend=0.0).astype(np.int64)
    above = ranks - (count - quotas)[:, None]  # 0 or more: among the member's own
    # The further up among its own an example is, by how many these are, the sooner it is the member's.
    order = np.argsort(-(above / np.maximum(quotas, 1)[:, None]), axis=None, kind="stable")
    found = np.full(count, members)
    left = quotas.copy()
    open_places = int(left.sum())
    for place in order.tolist():
        member, example = divmod(place, count)
        if left[member] > 0 and found[example] == members:
            found[example] = member
            left[member] -= 1
            open_places -= 1
            if open_places == 0:
                break
    return found


def _is_bare(field: FieldSpec) -> bool:
    """From 0 to 1, and nothing else is known."""
    figures = (field.mean, field.std, field.quantiles)
    return field.type in ("number", "integer") and (field.min, field.max) == (0, 1) and figures == (None,) * 3


def _parts(name: str) -> list[str]:
    """Words that a prefix may end at, the value's last."""
    plain = _plain(name)
    if "=" in plain:
        head, _, value = plain.partition("=")
        return [head, value] if head and value else [plain]
    words = plain.split("_")
    return words if all(words) else [plain]


def _plain(name: str) -> str:
    return STEP.sub("", name)


def _names(fields: Sequence[FieldSpec], places: Iterable[int]) -> list[str]:
    return [fields[i].name for i in places]


def _has_measures(prefix: str, fields: Sequence[FieldSpec], places: Iterable[int]) -> bool:
    words = [re.split(r"[^A-Za-z0-9]+", _plain(fields[i].name)[len(prefix) + 1 :].lower()) for i in places]
    return any(MEASURES & set(own) for own in words)


def _numeric_suffix(prefix: str, name: str) -> bool:
    return _plain(name)[len(prefix) + 1 :].replace(".", "").isdigit()
