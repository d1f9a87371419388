"""What a pickle's opcodes push, as far as a scan must know it: names, objects made, and plain literals.

Promises: symbols only, nothing is imported or built. A literal str, int, bool, None, tuple or dict stands
for itself; whatever no rule asks about is one of the constants below. Leaves rules to `scan.arrays`.
"""

from collections.abc import Callable
from typing import Any

__all__ = [
    "ANY_USE", "CALL", "HOLD", "ITEMS", "LONG_BYTES", "NEW", "OPAQUE", "SET", "STATE", "STUB", "USE_NAMES",
    "Call", "Global", "List", "Made", "SetState",
]  # fmt: skip

# What a pickle may do with a name, beyond referring to it.
CALL = 1  # REDUCE
NEW = 2  # NEWOBJ, NEWOBJ_EX, or copyreg's reconstructor of protocols 0 and 1
ITEMS = 4  # APPEND, SETITEM, ADDITEMS on what it made
STUB = 8  # never resolved: an inert class stands in
STATE = 16  # BUILD on what a call gave; what NEWOBJ made may always have one
HOLD = 32  # keep it as a value, which an estimator may call later: in a list, a tuple, a dict, a state
ANY_USE = CALL | NEW | ITEMS | STATE | HOLD
USE_NAMES = {"call": CALL, "state": STATE, "new": NEW, "items": ITEMS, "stub": STUB, "hold": HOLD}


class Symbol:
    """A value of which only the kind is known."""

    __slots__ = ("what",)

    def __init__(self, what: str) -> None:
        self.what = what


OPAQUE = Symbol("a value")
LONG_BYTES = Symbol("bytes")  # short ones stand for themselves
SET = Symbol("a set")


class List:
    """A list, of which only the length is known."""

    __slots__ = ("count",)

    def __init__(self, count: int = 0) -> None:
        self.count = count


Call = Callable[["Made", tuple[Any, ...]], str | None]  # a complaint, or None
SetState = Callable[["Made", Any], str | None]


class Global:
    """A name that the pickle refers to, and what may be done with it."""

    __slots__ = ("call", "module", "name", "refused", "seen", "set_state", "uses")

    def __init__(self, module: str, name: str, uses: int, refused: bool = False) -> None:
        self.module = module
        self.name = name
        self.uses = ANY_USE if refused else uses  # one complaint about a name is enough
        self.refused = refused
        self.seen = 0
        self.call: Call | None = None
        self.set_state: SetState | None = None

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class Made:
    """An object that the pickle makes: by calling or instantiating `of`."""

    __slots__ = ("built", "detail", "of")

    def __init__(self, of: Global) -> None:
        self.of = of
        self.built = False
        self.detail: Any = None  # what a rule remembers of it
