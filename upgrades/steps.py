"""What one upgrade is: a change of one class's state, for models saved before a release.

Promises: a step sees the state of one object alone, after everything inside of it was brought forward. Leaves
the order of steps, and when they are applied, to `upgrades.upgrading`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Change", "Release", "State", "Step", "Upgrade", "release_of", "rename", "step"]

State = dict[str, Any]
Release = tuple[int, int]
Change = Callable[[Any, State], Any]  # returns True for a change that it made in place, inside of a value


@dataclass(frozen=True)
class Step:
    """One change. of: full names of the classes, and of those that derive from them. before: the first
    release that needs it no more; None where the state itself tells. needs: what only a fitted one has.
    of_numpy_1: only what NumPy 1 wrote.
    """

    name: str
    of: tuple[str, ...]
    before: Release | None
    change: Change
    needs: str | None = None
    of_numpy_1: bool = False


@dataclass
class Upgrade:
    """What was done to one model: steps by name, in their order, and the releases and classes it holds.

    releases: older ones alone. classes: scikit-learn's own, by name, that an older release saved. boosters:
    releases of XGBoost whose form today's does not read. apart: classes whose answers can be others, and
    by what: `ties` among equally near rows. numpy: the main version that wrote the file, where a name tells.
    """

    releases: dict[str, None] = field(default_factory=dict)
    steps: dict[str, None] = field(default_factory=dict)
    classes: dict[str, None] = field(default_factory=dict)
    boosters: dict[str, None] = field(default_factory=dict)
    apart: dict[str, str] = field(default_factory=dict)
    numpy: int | None = None

    @property
    def saved_by(self) -> str | None:
        """The oldest scikit-learn that saved a part; None where that is the one installed here."""
        return min(self.releases, key=lambda text: release_of(text) or (0, 0), default=None)

    @property
    def brought_from(self) -> str | None:
        """The oldest release that saved a part of the model, XGBoost's by its name."""
        return self.saved_by or next((f"XGBoost {release}" for release in self.boosters), None)


def release_of(text: Any) -> Release | None:
    """Major and minor number of a version text; None where it is none.

    >>> release_of("0.22.2.post1")
    (0, 22)
    """
    found = re.match(r"(\d{1,3})\.(\d{1,3})(\D|$)", text) if type(text) is str else None
    return (int(found[1]), int(found[2])) if found else None


def step(
    *of: str, before: str | None, needs: str | None = None, of_numpy_1: bool = False
) -> Callable[[Change], Step]:
    """A function as a step that is called as it is, in words."""

    def made(change: Change) -> Step:
        name = change.__name__.strip("_").replace("_", " ")
        return Step(name, of, release_of(before), change, needs, of_numpy_1)

    return made


def rename(state: State, **names: str) -> None:
    """Old names to today's, where today's is not there yet."""
    for old, new in names.items():
        if old in state:
            value = state.pop(old)
            state.setdefault(new, value)
