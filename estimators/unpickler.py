"""An unpickler for plain pickles and joblib files that knows no name but those on the allow-list.

Promises: every name, in nested pickles too, is an exact pair of the list; what is called, made, filled and
kept as a value is one of them; distributions and old losses stay inert. Enforces this alone, without the
scan. Leaves bringing old states forward to `upgrades`.
"""

import io
import math
import pickle
import sys
from collections.abc import Callable, Collection
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, BinaryIO, ClassVar

import numpy as np
from joblib.numpy_pickle import NumpyArrayWrapper, NumpyUnpickler

from errors import ModelRefused
from scan.allow_list import allowed, today, why_refused
from scan.arrays import CALL_RULES
from scan.formats import CHUNK, MAX_INFLATED, Inflation
from scan.machine import MAX_CLASS_ARGUMENTS
from scan.symbols import CALL, HOLD, ITEMS, NEW, STUB
from upgrades.stand_ins import STAND_INS, Inert
from upgrades.steps import Upgrade
from upgrades.upgrading import upgraded

__all__ = ["RestrictedUnpickler", "load_restricted"]


class RestrictedUnpickler(NumpyUnpickler):  # type: ignore[misc]  # joblib is not typed
    """joblib's unpickler with a find_class of its own. size: bytes that the file can hold at most.

    told: is filled with what was done to bring an older model forward.
    """

    dispatch: ClassVar[dict[int, Any]] = dict(NumpyUnpickler.dispatch)

    def __init__(self, file: BinaryIO, size: int, told: Upgrade, *, nested: bool = False) -> None:
        super().__init__("", file, ensure_native_byte_order=True)
        self._told = told
        self._size = size
        self._nested = nested
        self._uses: dict[int, int] = {}  # by identity, of what find_class has given
        self._found: dict[tuple[str, str], Any] = {}  # keeps it alive, so that identities stay
        self._unkept: dict[int, Any] = {}  # names that may not be kept as a value, and tuples of them
        self._takes_class: set[int] = set()  # functions whose first argument is the class to make

    def find_class(self, module: str, name: str) -> Any:
        """What the exact pair stands for: an attribute of the module itself, never one of another."""
        if module.startswith(("numpy.core.", "numpy._core.")):
            self._told.numpy = 1 if module.startswith("numpy.core.") else 2
        pair = today(module, name)
        uses = allowed().get(pair)
        if uses is None:
            why = why_refused(module, name)
            raise ModelRefused(f"The file refers to {module}.{name}, which {why.reason}.", hint=why.hint)
        if pair not in self._found:
            if uses & STUB:
                found: Any = Inert
            elif pair in STAND_INS:
                found = STAND_INS[pair]
            else:
                __import__(pair[0])
                found = getattr(sys.modules[pair[0]], pair[1])
            self._found[pair] = found
            uses |= self._uses.get(id(found), 0)
            self._uses[id(found)] = uses
            if uses & (HOLD | STUB):
                self._unkept.pop(id(found), None)
            else:
                self._unkept[id(found)] = found
            if pair in CALL_RULES:
                self._takes_class.add(id(found))
        return self._found[pair]

    def get_extension(self, code: int) -> Any:
        raise ModelRefused(f"The file uses number {code} of the extension registry, which no model does.")

    def persistent_load(self, pid: Any) -> Any:
        raise ModelRefused("The file refers to objects kept elsewhere (a persistent id).")

    def _check(self, target: Any, use: int, doing: str) -> None:
        if not self._uses.get(id(target), 0) & use:
            name = getattr(target, "__name__", type(target).__name__)
            raise ModelRefused(f"The file {doing} {str(name)[:100]}, which no model's file does.")

    def check_kept(self, values: Collection[Any]) -> None:
        """Values that end up inside of something: no name among them, unless the list lets it be kept."""
        if self._unkept.keys().isdisjoint(map(id, values)):
            return
        value = next(value for value in values if id(value) in self._unkept)
        while type(value) is tuple:
            value = next(item for item in value if id(item) in self._unkept)
        name = str(getattr(value, "__name__", type(value).__name__))[:100]
        raise ModelRefused(f"The file keeps {name} as a value, which no model's file does.")

    def check_made(self) -> None:
        """The tuple, list, dict or set just made. A short tuple may yet be a call's arguments."""
        made = self.stack[-1]
        if isinstance(made, dict):
            self.check_kept([*made, *made.values()])
        elif type(made) is not tuple or len(made) > MAX_CLASS_ARGUMENTS:
            self.check_kept(made)
        elif not self._unkept.keys().isdisjoint(map(id, made)):
            self.check_kept([item for item in made if type(item) is tuple])
            self._unkept[id(made)] = made

    def load_reduce(self) -> None:
        function, args = self.stack[-2], self.stack[-1]
        self._check(function, CALL, "calls")
        self.check_kept(args[1:] if id(function) in self._takes_class and type(args) is tuple else [args])
        super().load_reduce()

    def load_newobj(self) -> None:
        self._check(self.stack[-2], NEW, "makes a")
        self.check_kept(self.stack[-1:])
        super().load_newobj()

    def load_newobj_ex(self) -> None:
        self._check(self.stack[-3], NEW, "makes a")
        self.check_kept(self.stack[-2:])
        super().load_newobj_ex()

    def load_old_instance(self) -> None:
        raise ModelRefused("The file makes an instance as Python 2 did, which no model's file does.")

    def load_build(self) -> None:
        target = self.stack[-2]
        self.check_kept(self.stack[-1:])
        if isinstance(target, type | FunctionType | BuiltinFunctionType | ModuleType | np.ufunc):
            raise ModelRefused("The file sets the state of a class or function, which no model's file does.")
        if isinstance(target, NumpyArrayWrapper):
            self._load_array()
            return
        if isinstance(target, np.ndarray) and _is_short(self.stack[-1]):
            raise ModelRefused("The file declares an array of more objects than it lists.")
        self.stack[-1] = upgraded(target, self.stack[-1], self._told)
        pickle._Unpickler.load_build(self)  # type: ignore[attr-defined]
        if isinstance(target, np.dtype) and _hides_objects(target):
            raise ModelRefused("The file declares a numpy dtype that hides that it holds objects.")

    def _load_array(self) -> None:
        """joblib's array: its data follow in the file, raw or, for objects, as a pickle of their own."""
        wrapper = self.stack[-2]
        pickle._Unpickler.load_build(self)  # type: ignore[attr-defined]
        dtype, shape = getattr(wrapper, "dtype", None), getattr(wrapper, "shape", ())
        plain = isinstance(shape, tuple) and all(type(n) is int and n >= 0 for n in shape)
        if (
            self._nested
            or type(wrapper) is not NumpyArrayWrapper
            or not isinstance(dtype, np.dtype)
            or not plain
        ):
            raise ModelRefused("The file describes an array in a way that joblib does not.")
        if dtype.hasobject:
            inner = RestrictedUnpickler(self.file_handle, self._size, self._told, nested=True)
            self.stack[-1] = inner.load()
            inner.check_kept(self.stack[-1:])
            return
        declared = math.prod(shape) * dtype.itemsize
        if declared > self._size:
            raise ModelRefused(f"The file declares an array of {declared / 2**30:,.1f} GiB.")
        self.stack[-1] = wrapper.read(self, self.ensure_native_byte_order)

    def load_bytearray8(self) -> None:
        """Python reserves the declared size before it reads."""
        length = int.from_bytes(self.read(8), "little")
        if length > self._size:
            raise ModelRefused(f"The file declares {length / 2**30:,.1f} GiB of bytes.")
        self.append(bytearray(self.read(length)))

    def check_container(self, target: Any) -> None:
        """Adding items calls methods: only of the built-in containers and of those on the list."""
        kind = type(target)
        known = kind in (list, dict, set, Inert) or self._uses.get(id(kind), 0) & ITEMS
        if not known:
            raise ModelRefused(f"The file adds items to a {kind.__name__[:100]}, which is no container.")


def _filling(code: bytes, place: int | None) -> Callable[[RestrictedUnpickler], None]:
    """The handler of an opcode that fills a container, `place` from the top or (None) below the mark."""
    plain = NumpyUnpickler.dispatch[code[0]]

    def load(unpickler: RestrictedUnpickler) -> None:
        target = unpickler.metastack[-1][-1] if place is None else unpickler.stack[place]
        unpickler.check_container(target)
        unpickler.check_kept(unpickler.stack if place is None else unpickler.stack[place + 1 :])
        plain(unpickler)

    return load


def _making(code: bytes) -> Callable[[RestrictedUnpickler], None]:
    """The handler of an opcode that makes a container out of what is on the stack."""
    plain = NumpyUnpickler.dispatch[code[0]]

    def load(unpickler: RestrictedUnpickler) -> None:
        plain(unpickler)
        unpickler.check_made()

    return load


RestrictedUnpickler.dispatch |= {
    pickle.REDUCE[0]: RestrictedUnpickler.load_reduce,
    pickle.NEWOBJ[0]: RestrictedUnpickler.load_newobj,
    pickle.NEWOBJ_EX[0]: RestrictedUnpickler.load_newobj_ex,
    pickle.INST[0]: RestrictedUnpickler.load_old_instance,
    pickle.OBJ[0]: RestrictedUnpickler.load_old_instance,
    pickle.BUILD[0]: RestrictedUnpickler.load_build,
    pickle.BYTEARRAY8[0]: RestrictedUnpickler.load_bytearray8,
    pickle.APPEND[0]: _filling(pickle.APPEND, -2),
    pickle.SETITEM[0]: _filling(pickle.SETITEM, -3),
    pickle.APPENDS[0]: _filling(pickle.APPENDS, None),
    pickle.SETITEMS[0]: _filling(pickle.SETITEMS, None),
    pickle.ADDITEMS[0]: _filling(pickle.ADDITEMS, None),
    pickle.TUPLE[0]: _making(pickle.TUPLE),
    pickle.TUPLE1[0]: _making(pickle.TUPLE1),
    pickle.TUPLE2[0]: _making(pickle.TUPLE2),
    pickle.TUPLE3[0]: _making(pickle.TUPLE3),
    pickle.LIST[0]: _making(pickle.LIST),
    pickle.DICT[0]: _making(pickle.DICT),
    pickle.FROZENSET[0]: _making(pickle.FROZENSET),
}


def load_restricted(file: BinaryIO, told: Upgrade | None = None) -> Any:
    """The object in a pickle or joblib file, of any compression that `scan.formats` knows.

    told: is filled with what was done to bring a model of an older scikit-learn forward.
    """
    told = Upgrade() if told is None else told
    content = Inflation(file)
    if content.compression is None:
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        return RestrictedUnpickler(file, size, told).load()
    with io.BufferedReader(_Inflated(content), buffer_size=CHUNK) as stream:
        return RestrictedUnpickler(stream, MAX_INFLATED, told).load()


class _Inflated(io.RawIOBase):
    """The decompressed content as a file that is read once, from its start."""

    def __init__(self, content: Inflation) -> None:
        self._pieces = iter(content)
        self._piece = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._piece:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._piece = memoryview(piece)
        part = self._piece[: len(buffer)]
        buffer[: len(part)] = part
        self._piece = self._piece[len(part) :]
        return len(part)


def _is_short(state: Any) -> bool:
    """Whether an array's state lists another number of objects than its shape has: numpy does not look."""
    if not isinstance(state, tuple) or len(state) < 4:
        return True
    shape, data = (state[0], state[3]) if len(state) == 4 else (state[1], state[4])
    return isinstance(data, list) and not (
        isinstance(shape, tuple) and all(type(n) is int for n in shape) and math.prod(shape) == len(data)
    )


def _hides_objects(dtype: Any) -> bool:
    """Whether fields hold Python objects, or lie outside of the item, and the dtype does not say so."""
    inner = [dtype.subdtype[0]] if dtype.subdtype else []
    for field, offset, *_ in (dtype.fields or {}).values():
        inner.append(field)
        if not 0 <= offset <= dtype.itemsize - field.itemsize:
            return True
    objects = dtype.kind == "O" or any(part.hasobject or _hides_objects(part) for part in inner)
    return bool(objects != dtype.hasobject)
