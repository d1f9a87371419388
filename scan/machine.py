"""A pickle's frames, literals, containers and memo, as symbols: the machine below the walk.

Promises: reads what pickle's own unpickler would read, or raises; keeps no long text and no long bytes.
Leaves names, calls and state to `scan.walk`, which drives it.
"""

import codecs
import struct
from collections.abc import Callable, Collection
from mmap import mmap
from typing import Any

from scan.formats import HIGHEST_PROTOCOL
from scan.symbols import ITEMS, LONG_BYTES, OPAQUE, SET, Global, List, Made

__all__ = [
    "CROSSES", "HANDLERS", "MAX_CLASS_ARGUMENTS", "MAX_KEYS", "MAX_WIDE", "U32", "Buffer", "Damaged",
    "Handler", "Machine", "Stopped"]  # fmt: skip

Buffer = bytes | bytearray | mmap

MAX_NOTES = 20
MAX_LITERAL = 1_000  # bytes of a string; a longer one is no name, and not kept
MAX_WIDE = 64  # characters of one that is not ASCII: no name on the list, and up to four bytes for each
MAX_KEYS = 10_000  # of a dict; more are not kept, for no rule knows as many
MAX_SHORT_BYTES = 16
TEXT_ONLY = {str}
MAX_CLASS_ARGUMENTS = 4  # no call that takes a class has more arguments
CROSSES = "an opcode's argument crosses the edge of its frame"
OTHER_KEY = 0  # stands for every key of a dict that is no string

U8 = struct.Struct("<B").unpack_from
U16 = struct.Struct("<H").unpack_from
I32 = struct.Struct("<i").unpack_from
U32 = struct.Struct("<I").unpack_from
U64 = struct.Struct("<Q").unpack_from


class Damaged(Exception):
    """The bytes are not a whole pickle."""


class Stopped(Exception):
    """The bytes can be read in two ways, or claim the impossible: the walk cannot go on."""


class Machine:
    """The stack, the marks and the memo of one pickle, over a buffer. A handler returns the next position."""

    def __init__(self, data: Buffer) -> None:
        self.data = data
        self.end = len(data)
        self.protocol = 0
        self.start = 0
        self.notes: list[str] = []
        # Names, and short tuples of names: what these are depends on what takes them off the stack.
        self.named: dict[int, Any] = {}  # by identity, of what it keeps alive
        self.init_stream(nested=False)

    def init_stream(self, *, nested: bool) -> None:
        """A fresh stack and memo, outside of any frame."""
        self.nested = nested
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: list[Any] = []
        self.limit = self.end  # of the current frame, or of the file
        self.framed = False

    def note(self, pos: int, text: str) -> None:
        """Keep what is wrong with the file, in a few words that follow 'it'; raises Stopped after many."""
        self.notes.append(f"at byte {pos:,} it {text}")
        if len(self.notes) == MAX_NOTES:
            raise Stopped("there is more of the kind")

    def hold(self, pos: int, values: Collection[Any]) -> None:
        """Note names among values that end up inside of something, unless the list lets them be kept."""
        if self.named.keys().isdisjoint(map(id, values)):
            return
        for value in values:
            if id(value) not in self.named:
                continue
            if type(value) is tuple:
                self.hold(pos, [item for item in value if type(item) is Global])
                continue
            self.keep(pos, value)

    def keep(self, pos: int, name: Global) -> None:
        """What `hold` does with each name that the list does not let be kept."""
        self.note(pos, f"keeps {name} as a value, which models never do")

    # Frames and literals ----------------------------------------------------------------------------

    def _proto(self, pos: int) -> int:
        version = self.data[pos]
        if pos - 1 != self.start or version > HIGHEST_PROTOCOL:
            raise Damaged(f"protocol {version} is declared at byte {pos:,}")
        if not self.nested:
            self.protocol = version
        return pos + 1

    def _frame(self, pos: int) -> int:
        length = U64(self.data, pos)[0]
        if self.framed:
            raise Stopped("a frame begins before the last one ended")
        if length > self.end - pos - 8:
            raise Damaged("the file ends in the middle of a frame")
        self.framed, self.limit = True, pos + 8 + length
        return pos + 8

    def _line(self, pos: int) -> tuple[bytes, int]:
        """A text opcode's line, no more of it than shows that it is too long to matter."""
        stop = self.data.find(b"\n", pos, self.limit)
        if stop < 0:
            if self.framed:
                raise Stopped(CROSSES)
            raise Damaged("a line does not end")
        return bytes(self.data[pos : min(stop, pos + MAX_LITERAL + 1)]), stop + 1

    def _text(self, start: int, stop: int) -> int:
        text = self.data[start:stop].decode("utf-8", "surrogatepass") if stop - start <= MAX_LITERAL else ""
        self.stack.append(text if len(text) == stop - start or 0 < len(text) <= MAX_WIDE else OPAQUE)
        return stop

    def _bytes(self, start: int, stop: int) -> int:
        short = stop - start <= MAX_SHORT_BYTES
        self.stack.append(bytes(self.data[start:stop]) if short else LONG_BYTES)
        return stop

    def _old_text(self, start: int, stop: int) -> int:
        """Python 2's str, which Python 3 takes for ASCII text."""
        short = stop - start <= MAX_LITERAL
        self.stack.append(self.data[start:stop].decode("ascii") if short else OPAQUE)
        return stop

    def _unicode_line(self, pos: int) -> int:
        line, pos = self._line(pos)
        text = str(line, "raw-unicode-escape") if len(line) <= MAX_LITERAL else None
        known = text is not None and (text.isascii() or len(text) <= MAX_WIDE)
        self.stack.append(text if known else OPAQUE)
        return pos

    def _string_line(self, pos: int) -> int:
        line, pos = self._line(pos)
        if len(line) > MAX_LITERAL:
            self.stack.append(OPAQUE)
            return pos
        if len(line) < 2 or line[0] != line[-1] or line[:1] not in (b"'", b'"'):
            raise Damaged("a string without its quotes")
        text: bytes = codecs.escape_decode(line[1:-1])[0]
        self.stack.append(text.decode("ascii"))
        return pos

    def _int_line(self, pos: int) -> int:
        line, pos = self._line(pos)
        plain = line in (b"00", b"01")
        value: Any = line == b"01" if plain else int(line.rstrip(b"L"), 0) if len(line) <= 20 else OPAQUE
        self.stack.append(value)
        return pos

    def _float_line(self, pos: int) -> int:
        self.stack.append(OPAQUE)
        return self._line(pos)[1]

    def _int4(self, pos: int) -> int:
        self.stack.append(I32(self.data, pos)[0])
        return pos + 4

    def _int2(self, pos: int) -> int:
        self.stack.append(U16(self.data, pos)[0])
        return pos + 2

    def _long1(self, pos: int) -> int:
        stop = pos + 1 + self.data[pos]
        self.stack.append(int.from_bytes(self.data[pos + 1 : stop], "little", signed=True))
        return stop

    def _long4(self, pos: int) -> int:
        length: int = I32(self.data, pos)[0]
        if length < 0:
            raise Damaged("a number of negative length")
        self.stack.append(OPAQUE)
        return pos + 4 + length

    def _float(self, pos: int) -> int:
        self.stack.append(OPAQUE)
        return pos + 8

    # Containers -------------------------------------------------------------------------------------

    def _pop_mark(self) -> list[Any]:
        mark = self.marks.pop()
        items = list(self.stack[mark:])
        del self.stack[mark:]
        return items

    def _pop(self, pos: int) -> int:
        if self.marks and self.marks[-1] == len(self.stack):
            self.marks.pop()
        else:
            self.stack.pop()
        return pos

    def _pop_to_mark(self, pos: int) -> int:
        self._pop_mark()
        return pos

    def _duplicate(self, pos: int) -> int:
        self.stack.append(self.stack[-1])
        return pos

    def _tuple(self, pos: int) -> int:
        return self._push_tuple(pos, tuple(self._pop_mark()))

    def _tuple1(self, pos: int) -> int:
        return self._push_tuple(pos, (self.stack.pop(),))

    def _tuple2(self, pos: int) -> int:
        second, first = self.stack.pop(), self.stack.pop()
        return self._push_tuple(pos, (first, second))

    def _tuple3(self, pos: int) -> int:
        third, second, first = self.stack.pop(), self.stack.pop(), self.stack.pop()
        return self._push_tuple(pos, (first, second, third))

    def _push_tuple(self, pos: int, made: tuple[Any, ...]) -> int:
        """A short tuple that names a class may be a call's arguments; whatever takes it decides."""
        self.stack.append(made)
        if not self.named.keys().isdisjoint(map(id, made)):
            if len(made) <= MAX_CLASS_ARGUMENTS:
                self.hold(pos, [item for item in made if type(item) is tuple])
                self.named[id(made)] = made
            else:
                self.hold(pos, made)
        return pos

    def _list(self, pos: int) -> int:
        items = self._pop_mark()
        self.hold(pos, items)
        self.stack.append(List(len(items)))
        return pos

    def _empty_list(self, pos: int) -> int:
        self.stack.append(List())
        return pos

    def _frozenset(self, pos: int) -> int:
        self.hold(pos, self._pop_mark())
        self.stack.append(SET)
        return pos

    def _dict(self, pos: int) -> int:
        items = self._pop_mark()
        self.stack.append({})
        return self._set(pos, items)

    def _empty_dict(self, pos: int) -> int:
        self.stack.append({})
        return pos

    def _set_item(self, pos: int) -> int:
        value, key = self.stack.pop(), self.stack.pop()
        return self._set(pos, [key, value])

    def _set_items(self, pos: int) -> int:
        return self._set(pos, self._pop_mark())

    def _set(self, pos: int, items: list[Any]) -> int:
        self.hold(pos, items)
        target = self.stack[-1]
        if type(target) is not dict:
            self._check_items(pos, target)
            return pos
        if len(items) > 2 * MAX_KEYS:
            raise Stopped(f"more than {MAX_KEYS:,} entries are put into a dict at once")  # pickle puts 1,000
        if len(target) > MAX_KEYS:
            return pos
        keys = items[::2]
        if set(map(type, keys)) <= TEXT_ONLY:
            target.update(zip(keys, items[1::2], strict=True))
            return pos
        for key, value in zip(keys, items[1::2], strict=True):
            # Only strings: other keys could be made to collide, and no rule asks for them.
            target[key if type(key) is str else OTHER_KEY] = value
        return pos

    def _append(self, pos: int) -> int:
        return self._extend(pos, [self.stack.pop()])

    def _appends(self, pos: int) -> int:
        return self._extend(pos, self._pop_mark())

    def _extend(self, pos: int, items: list[Any]) -> int:
        self.hold(pos, items)
        target = self.stack[-1]
        if type(target) is List:
            target.count += len(items)
        else:
            self._check_items(pos, target)
        return pos

    def _add_items(self, pos: int) -> int:
        self.hold(pos, self._pop_mark())
        if self.stack[-1] is not SET:
            self._check_items(pos, self.stack[-1])
        return pos

    def _check_items(self, pos: int, target: Any) -> None:
        if type(target) is not Made:
            self.note(pos, "adds items to what is no container")
            return
        target.of.seen |= ITEMS
        if not target.of.uses & ITEMS:
            self.note(pos, f"adds items to a {target.of}, which is no container")

    # The memo ---------------------------------------------------------------------------------------

    def _remember(self, index: int) -> None:
        """Indexes count up from 0 in every pickler of Python 3; no slot is ever written twice."""
        memo = self.memo
        if index != len(memo):
            raise Stopped(f"memo slot {index:,} is written where {len(memo):,} is next")
        memo.append(self.stack[-1])

    def _index_line(self, pos: int) -> tuple[int, int]:
        line, pos = self._line(pos)
        if not line.isdigit() or len(line) > 10:
            raise Damaged("a memo index that is no number")
        return int(line), pos

    def _put(self, pos: int) -> int:
        index, pos = self._index_line(pos)
        self._remember(index)
        return pos

    def _get(self, pos: int) -> int:
        index, pos = self._index_line(pos)
        self.stack.append(self.memo[index])
        return pos

    def _binput(self, pos: int) -> int:
        self._remember(self.data[pos])
        return pos + 1

    def _long_binput(self, pos: int) -> int:
        self._remember(U32(self.data, pos)[0])
        return pos + 4


Handler = Callable[[Any, int], int]


def _pushing(value: Any) -> Handler:
    def push(machine: Machine, pos: int) -> int:
        machine.stack.append(value)
        return pos

    return push


def _sized(read: Callable[..., tuple[Any, ...]], width: int, take: Callable[[Any, int, int], int]) -> Handler:
    """A literal with its length before it."""

    def handle(machine: Machine, pos: int) -> int:
        length = read(machine.data, pos)[0]
        start = pos + width
        if length < 0 or length > machine.limit - start:
            if machine.framed:
                raise Stopped(CROSSES)
            raise Damaged("the file ends in the middle")
        return take(machine, start, start + length)

    return handle


HANDLERS: dict[bytes, Handler] = {
    b"\x80": Machine._proto,
    b"\x95": Machine._frame,
    b"V": Machine._unicode_line,
    b"S": Machine._string_line,
    b"I": Machine._int_line,
    b"L": Machine._int_line,
    b"F": Machine._float_line,
    b"J": Machine._int4,
    b"M": Machine._int2,
    b"\x8a": Machine._long1,
    b"\x8b": Machine._long4,
    b"G": Machine._float,
    b"N": _pushing(None),
    b"\x88": _pushing(True),
    b"\x89": _pushing(False),
    b")": _pushing(()),
    b"]": Machine._empty_list,
    b"\x8f": _pushing(SET),
    b"}": Machine._empty_dict,
    b"X": _sized(U32, 4, Machine._text),
    b"\x8d": _sized(U64, 8, Machine._text),
    b"C": _sized(U8, 1, Machine._bytes),
    b"B": _sized(U32, 4, Machine._bytes),
    b"\x8e": _sized(U64, 8, Machine._bytes),
    b"\x96": _sized(U64, 8, Machine._bytes),
    b"U": _sized(U8, 1, Machine._old_text),
    b"T": _sized(I32, 4, Machine._old_text),
    b"0": Machine._pop,
    b"1": Machine._pop_to_mark,
    b"2": Machine._duplicate,
    b"t": Machine._tuple,
    b"\x85": Machine._tuple1,
    b"\x86": Machine._tuple2,
    b"\x87": Machine._tuple3,
    b"l": Machine._list,
    b"d": Machine._dict,
    b"\x91": Machine._frozenset,
    b"s": Machine._set_item,
    b"u": Machine._set_items,
    b"a": Machine._append,
    b"e": Machine._appends,
    b"\x90": Machine._add_items,
    b"p": Machine._put,
    b"q": Machine._binput,
    b"r": Machine._long_binput,
    b"g": Machine._get,
}
