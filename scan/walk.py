"""Follows a pickle's opcodes over a buffer with symbols in place of objects, in one pass.

Promises: sees what joblib's unpickler would see, byte for byte, or stops; time and memory are linear in
the file. Leaves which names are allowed to its `lookup`, and the shapes of numpy's states to `scan.arrays`.
"""

import struct
import sys
from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Any

from scan import machine
from scan.allow_list import STUBBED_MODULES
from scan.arrays import CALL_RULES, STATE_RULES, ArrayHere, describes_array, usual_template
from scan.formats import MAX_INFLATED
from scan.machine import CROSSES, MAX_KEYS, MAX_WIDE, U32, Buffer, Damaged, Handler, Machine, Stopped
from scan.symbols import CALL, HOLD, NEW, OPAQUE, STATE, STUB, Global, Made

__all__ = ["Lookup", "Walk"]

Lookup = Callable[[str, str], Global]

# A vocabulary of a million words takes three million opcodes and a million values; a forest far fewer.
MAX_OPCODES = 16_000_000
MAX_VALUES = 4_000_000  # in blocks of Python's own memory, of some 64 bytes
TICKS = 1 << 18
CALLED_BY_PYTHON = ("__class__", "__dict__", "__setstate__", "__reduce__", "__reduce_ex__", "__call__")
BROKEN = (IndexError, struct.error, UnicodeError, ValueError, OverflowError)


class Walk(Machine):
    """One file's walk: the names it refers to (`globals`) and what is wrong with its structure (`notes`)."""

    def __init__(self, data: Buffer, lookup: Lookup) -> None:
        super().__init__(data)
        self.lookup = lookup
        self.globals: dict[tuple[str, str], Global] = {}
        self.ticks: Iterator[None] = repeat(
            None, TICKS
        )  # one for each opcode, before the next look at limits
        self.followed = 0
        self.blocks_before = sys.getallocatedblocks()

    def run(self) -> None:
        """Walk the whole file; raises Damaged or Stopped where it cannot be followed to its end."""
        pos = self._stream(0)
        if pos != self.end:
            raise Stopped(f"{self.end - pos:,} bytes follow the end of the pickle")

    def _stream(self, pos: int) -> int:
        """One pickle from `pos` to its STOP; returns where it ends."""
        self.start = self.at = pos
        try:
            return self._follow(pos)
        except BROKEN as error:
            raise Damaged(f"{type(error).__name__} at byte {self.at:,}") from None

    def _follow(self, pos: int) -> int:
        """The loop. Opcodes that make up most of a fitted model are handled in place, by frequency."""
        data, end, handlers = self.data, self.end, TABLE
        stack, memo, limit = self.stack, self.memo, self.limit
        push, memoize = stack.append, memo.append
        while True:
            for _ in (ticks := self.ticks):
                if pos >= limit:
                    if pos > limit:
                        self.at = min(pos, end)
                        if self.framed:
                            raise Stopped(CROSSES)
                        raise Damaged("the file ends in the middle")
                    self.limit = limit = end
                    self.framed = False
                op = data[pos]
                pos += 1
                if op == 0x68:  # BINGET
                    push(memo[data[pos]])
                    pos += 1
                elif op == 0x94:  # MEMOIZE
                    memoize(stack[-1])
                elif op == 0x4B:  # BININT1
                    push(data[pos])
                    pos += 1
                elif op == 0x6A:  # LONG_BINGET
                    push(memo[U32(data, pos)[0]])
                    pos += 4
                elif op == 0x8C:  # SHORT_BINUNICODE
                    start, pos = pos + 1, pos + 1 + data[pos]
                    text = data[start:pos].decode("utf-8", "surrogatepass")
                    push(text if len(text) == pos - start or len(text) <= MAX_WIDE else OPAQUE)
                elif op == 0x28:  # MARK
                    self.marks.append(len(stack))
                elif op == 0x2E:  # STOP
                    return self._stop(pos)
                else:
                    self.at = pos - 1
                    pos = handlers[op](self, pos)
                    limit = self.limit
            self._account(ticks)

    def _account(self, ticks: Iterator[None]) -> None:
        """Give more ticks, unless the file has had its share; nested pickles take theirs from the same."""
        if self.ticks is not ticks:
            return
        self.ticks = repeat(None, TICKS)
        self.followed += TICKS
        if self.followed > MAX_OPCODES:
            raise Stopped(f"it has more than {MAX_OPCODES:,} opcodes")
        if sys.getallocatedblocks() - self.blocks_before > MAX_VALUES or len(self.named) > MAX_VALUES // 4:
            raise Stopped(f"it holds more than {MAX_VALUES:,} values")

    def _stop(self, pos: int) -> int:
        if pos > self.limit:
            raise Damaged("the file ends in the middle")
        if self.framed and pos != self.limit:
            raise Stopped("bytes follow the end of the pickle inside of its frame")
        if len(self.stack) != 1 or self.marks:
            raise Damaged("the pickle ends with values left over")
        if self.nested:  # what it gives becomes a part of the outer one
            self.hold(pos, self.stack)
        return pos

    # Names, calls and state -------------------------------------------------------------------------

    def _refer(self, module: str, name: str) -> None:
        found = self.globals.get((module, name))
        if found is None:
            found = self.globals[module, name] = self.lookup(module, name)
            if not found.refused:
                pair = (found.module, found.name)
                found.call, found.set_state = CALL_RULES.get(pair), STATE_RULES.get(pair)
                if not found.uses & (HOLD | STUB):
                    self.named[id(found)] = found
        self.stack.append(found)

    def _global(self, pos: int) -> int:
        module, pos = self._line(pos)
        name, pos = self._line(pos)
        self._refer(module.decode("utf-8"), name.decode("utf-8"))
        return pos

    def _stack_global(self, pos: int) -> int:
        name, module = self.stack.pop(), self.stack.pop()
        if type(name) is str and type(module) is str:
            self._refer(module, name)
        else:
            self.note(pos, "refers to a name that it puts together while it is loaded")
            self.stack.append(Global("?", "?", 0, refused=True))
        return pos

    def _instance(self, pos: int) -> int:
        """INST and OBJ make instances of old-style classes, which no Python 3 pickle holds."""
        pos = self._global(pos)
        kind = self.stack.pop()
        self._pop_mark()
        self._old_instance(pos, kind)
        return pos

    def _object(self, pos: int) -> int:
        self._old_instance(pos, self._pop_mark()[0])
        return pos

    def _old_instance(self, pos: int, kind: Any) -> None:
        self.note(
            pos, f"makes an instance of {kind if type(kind) is Global else 'something'} as Python 2 did"
        )
        self.stack.append(Made(Global("?", "?", 0, refused=True)))

    def _reduce(self, pos: int) -> int:
        args = self.stack.pop()
        function = self.stack[-1]
        if type(function) is not Global:
            self._indirect(pos, function)
            return pos
        made = self.stack[-1] = Made(function)
        function.seen |= CALL
        if function.call is None:
            self.hold(pos, [args])
        elif id(args) in self.named:  # the first is the class to make, which is what the rule looks at
            self.hold(pos, args[1:])
        if type(args) is not tuple:
            self.note(pos, f"calls {function} with arguments that it puts together while it is loaded")
        elif not function.uses & CALL:
            self.note(pos, f"calls {function}, which models never call")
        elif function.call is not None and (complaint := function.call(made, args)) is not None:
            self.note(pos, complaint)
        return pos

    def _indirect(self, pos: int, function: Any) -> None:
        made = type(function) is Made
        if not (made and function.of.refused):
            self.note(pos, f"calls {f'what {function.of} gave' if made else 'what is no function'}")
        self.stack[-1] = Made(Global("?", "?", 0, refused=True))

    def _new(self, pos: int) -> int:
        args = self.stack.pop()
        kind = self.stack[-1]
        if type(kind) is not Global:
            self._indirect(pos, kind)
            return pos
        self.stack[-1] = Made(kind)
        kind.seen |= NEW
        self.hold(pos, [args])
        if type(args) is not tuple:
            self.note(pos, f"makes a {kind} with arguments that it puts together while it is loaded")
        elif not kind.uses & NEW:
            self.note(pos, f"makes a {kind}, which models never do in this way")
        return pos

    def _new_ex(self, pos: int) -> int:
        if type(self.stack.pop()) is not dict:
            self.note(pos, "makes an object with keywords that it puts together while it is loaded")
        return self._new(pos)

    def _build(self, pos: int) -> int:
        state = self.stack.pop()
        self.hold(pos, [state])
        made = self.stack[-1]
        if type(made) is not Made:
            what = made if type(made) is Global else "a value"
            self.note(pos, f"sets the state of {what}, which it has not made")
            return pos
        kind = made.of
        if kind.refused:
            return pos
        if made.built:
            raise Stopped(f"the state of a {kind} is set twice")
        made.built = True
        kind.seen |= STATE
        if not kind.uses & (NEW | STATE):
            self.note(pos, f"sets the state of what {kind} gave, which models never do")
        if type(state) is dict and len(state) > MAX_KEYS and (kind.set_state is not None or kind.uses & STUB):
            self.note(pos, f"gives a {kind} a state of more than {MAX_KEYS:,} parts")
        elif kind.set_state is not None:
            if (complaint := kind.set_state(made, state)) is not None:
                self.note(pos, complaint)
            if kind.set_state is describes_array:
                return self._array_here(pos, made.detail)
        elif kind.uses & STUB:
            if kind.module in STUBBED_MODULES and not _usual_distribution(state):
                self.note(pos, "gives a scipy distribution code of its own to execute")
        elif _replaces_methods(state):
            self.note(pos, f"replaces what Python calls of a {kind}")
        return pos

    def _array_here(self, pos: int, array: Any) -> int:
        """joblib reads an array's data at once, from the file and not from the frame."""
        if type(array) is not ArrayHere:
            raise Stopped("an array whose data cannot be passed over")
        if self.nested:
            raise Stopped("a joblib array inside of an array of objects")
        if self.framed and pos != self.limit:
            raise Stopped("a joblib array does not end its frame")
        self.framed, self.limit = False, self.end
        if array.size is None:
            return self._nested_pickle(pos)
        if array.padded:
            pos += 1 + self.data[pos]
        if array.size > MAX_INFLATED:
            raise Stopped(f"an array of {array.size / 2**30:,.1f} GiB is declared")
        if array.size > self.end - pos:
            raise Damaged(f"the file ends in the middle of an array of {array.size:,} bytes")
        return pos + array.size

    def _nested_pickle(self, pos: int) -> int:
        """An array of objects is a pickle of its own, with a stack and a memo of its own."""
        outer = self.stack, self.marks, self.memo, self.start
        self.init_stream(nested=True)
        pos = self._stream(pos)
        self.init_stream(nested=False)
        self.stack, self.marks, self.memo, self.start = outer
        return pos

    # What no model holds ----------------------------------------------------------------------------

    def _unknown(self, pos: int) -> int:
        raise Damaged(f"byte {self.data[pos - 1]:#04x} at {pos - 1:,} is no opcode")

    def _extension(self, pos: int) -> int:
        raise Stopped("it uses the extension registry, which no model does")

    def _persistent(self, pos: int) -> int:
        raise Stopped("it refers to objects kept elsewhere (a persistent id)")

    def _outside_buffer(self, pos: int) -> int:
        raise Stopped("it refers to buffers kept elsewhere")


def _usual_distribution(state: Any) -> bool:
    """A dict with scipy's own template, or scipy's pair of before 1.6: how it was made, and a seed."""
    if type(state) is tuple:
        return len(state) == 2 and type(state[0]) is dict
    return type(state) is dict and usual_template(state.get("_parse_arg_template"))


def _replaces_methods(state: Any) -> bool:
    """Whether the state sets attributes one by one (its second part) that Python itself calls."""
    slots = state[1] if type(state) is tuple and len(state) == 2 else None
    if type(slots) is not dict:
        return False
    return len(slots) > MAX_KEYS or any(name in slots for name in CALLED_BY_PYTHON)


_OWN: dict[bytes, Handler] = {
    b"c": Walk._global,
    b"\x93": Walk._stack_global,
    b"i": Walk._instance,
    b"o": Walk._object,
    b"R": Walk._reduce,
    b"\x81": Walk._new,
    b"\x92": Walk._new_ex,
    b"b": Walk._build,
    b"P": Walk._persistent,
    b"Q": Walk._persistent,
    b"\x82": Walk._extension,
    b"\x83": Walk._extension,
    b"\x84": Walk._extension,
    b"\x97": Walk._outside_buffer,
    b"\x98": Walk._outside_buffer,
}
TABLE: list[Handler] = [(machine.HANDLERS | _OWN).get(bytes((code,)), Walk._unknown) for code in range(256)]
