"""The shapes in which numpy, joblib and copyreg take themselves apart, and no other.

Promises: a dtype that claims to hold no objects holds none, an array is rebuilt from an empty one, and
joblib's arrays declare a size that can be checked against the file. Leaves names to `scan.allow_list`.
"""

import math
import re
from dataclasses import dataclass
from typing import Any

from scan.renamed import INERT, UFUNCS
from scan.symbols import LONG_BYTES, NEW, STUB, Call, Global, List, Made, SetState

__all__ = ["CALL_RULES", "STATE_RULES", "ArrayHere", "describes_array", "usual_template"]

WRAPPER = ("joblib.numpy_pickle", "NumpyArrayWrapper")
RECONSTRUCT = ("numpy._core.multiarray", "_reconstruct")
CODECS_ENCODE = ("_codecs", "encode")
CHECK_ARRAY = ("sklearn.utils.validation", "check_array")
CHECKED_BY = {"dtype", "ensure_all_finite", "estimator", "force_all_finite"}
HOLDS_OTHER = "binds arguments to something else than scikit-learn's check of arrays (functools.partial)"
UFUNC_HOMES = ("numpy", "numpy.core._multiarray_umath", "numpy.core.umath")
_UFUNCS = frozenset(UFUNCS.split())
HIST_BOOSTING = "sklearn.ensemble._hist_gradient_boosting.gradient_boosting"

DTYPE_CODE = re.compile(r"(?:([biufcOMm])(\d{1,2})|([SUV])(\d{1,9}))")
HAS_OBJECT, LIST_PICKLE = 1, 2  # numpy's NPY_ITEM_HASOBJECT and NPY_LIST_PICKLE
MAX_FIELDS = 128
MAX_DIMENSIONS = 64  # numpy's own; it also bounds what one opcode can make a scan do
BIT_GENERATORS = {"MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"}
PLAIN_BASES = {"object", "dict", "list", "set", "frozenset", "tuple", "int", "float", "str", "bytes"}


@dataclass(frozen=True)
class Dtype:
    """An item's size in bytes (None until the state tells), and whether it holds Python objects."""

    size: int | None
    objects: bool
    flexible: bool = False


@dataclass(frozen=True)
class ArrayHere:
    """A joblib array whose data follow in the file: `size` raw bytes, or a pickle of their own (None)."""

    size: int | None
    padded: bool


def _is_dtype(value: Any) -> bool:
    return type(value) is Made and type(value.detail) is Dtype


def _is_bytes(value: Any) -> bool:
    """Bytes as any protocol writes them: before 3 they are `_codecs.encode(text, 'latin1')`."""
    if type(value) is Made:
        return (value.of.module, value.of.name) in (CODECS_ENCODE, ("builtins", "bytes"))
    return type(value) is bytes or value is LONG_BYTES


def _is_shape(value: Any) -> bool:
    if type(value) is not tuple or len(value) > MAX_DIMENSIONS:
        return False
    return all(type(n) is int and n >= 0 for n in value)


def _class(value: Any) -> bool:
    return type(value) is Global


# Calls --------------------------------------------------------------------------------------------


def _encode(_made: Made, args: tuple[Any, ...]) -> str | None:
    ok = len(args) == 2 and args[1] == "latin1" and (type(args[0]) is str or getattr(args[0], "what", ""))
    return None if ok else "asks for another codec than the one that pickle itself uses"


def _bytes(_made: Made, args: tuple[Any, ...]) -> str | None:
    """`bytes()`: how protocols 0 to 2 write empty bytes. `bytes(n)` would reserve memory."""
    return None if args == () else "calls bytes with arguments"


def _type(_made: Made, args: tuple[Any, ...]) -> str | None:
    """`type(None)`, as pickle writes it; with three arguments it would make a class."""
    return None if args == (None,) else "calls type on something else than None"


def _reconstructor(made: Made, args: tuple[Any, ...]) -> str | None:
    """copyreg's way to make an object in protocols 0 and 1: (class, plain base, base's value)."""
    if len(args) != 3 or not (_class(args[0]) and _class(args[1])):
        return "makes an object in an unusual way"
    kind, base = args[0], args[1]
    if base.module != "builtins" or base.name not in PLAIN_BASES:
        return f"makes an object on the base {base}"
    kind.seen |= NEW
    made.of = kind
    return None if kind.uses & NEW else f"makes an instance of {kind}, which models only refer to"


def _dtype(made: Made, args: tuple[Any, ...]) -> str | None:
    unusual = "makes a numpy dtype in an unusual way"
    if len(args) != 3 or (args[1], args[2]) != (False, True):  # 0 and 1 in files of older versions
        return unusual
    code = args[0]
    if _class(code):  # numpy.record: the state tells its size
        made.detail = Dtype(None, False, flexible=True)
        return None
    found = DTYPE_CODE.fullmatch(code) if type(code) is str else None
    if found is None:
        return None if code == "O" and _set_object(made) else unusual
    kind, width = found[1] or found[3], int(found[2] or found[4])
    made.detail = Dtype(width * 4 if kind == "U" else width, kind == "O", flexible=found[3] is not None)
    return None


def _set_object(made: Made) -> bool:
    made.detail = Dtype(8, True)
    return True


def _reconstruct(_made: Made, args: tuple[Any, ...]) -> str | None:
    """Always an empty array of signed bytes, whose state says the rest."""
    usual = len(args) == 3 and _class(args[0]) and args[1] == (0,)
    if usual and (args[2] in ("b", b"b") or (type(args[2]) is Made and _is_bytes(args[2]))):
        return None
    return "rebuilds an array in an unusual way"


def _masked_reconstruct(_made: Made, args: tuple[Any, ...]) -> str | None:
    usual = len(args) == 4 and _class(args[0]) and _class(args[1]) and args[2] == (0,)
    if usual and (args[3] in ("b", b"b") or _is_bytes(args[3])):
        return None
    return "rebuilds a masked array in an unusual way"


def _scalar(_made: Made, args: tuple[Any, ...]) -> str | None:
    usual = len(args) == 2 and _is_dtype(args[0])
    if usual and (_is_bytes(args[1]) or args[0].detail.objects):
        return None
    return "rebuilds a numpy number in an unusual way"


def _frombuffer(_made: Made, args: tuple[Any, ...]) -> str | None:
    """(bytes, dtype, shape, order), and the order of the axes where they are neither C's nor Fortran's."""
    usual = len(args) in (4, 5) and _is_bytes(args[0]) and _is_dtype(args[1]) and _is_shape(args[2])
    axes = len(args) < 5 or args[4] is None or _is_shape(args[4])
    if usual and axes and not args[1].detail.objects and args[3] in ("C", "F", "A", "K"):
        return None
    return "rebuilds an array from a buffer in an unusual way"


def _random_state(_made: Made, args: tuple[Any, ...]) -> str | None:
    """numpy calls a second argument: none is ever written."""
    usual = len(args) <= 1 or (len(args) == 2 and _class(args[1]) and args[1].name == "__bit_generator_ctor")
    return None if usual else "makes a random state in an unusual way"


def _bit_generator(_made: Made, args: tuple[Any, ...]) -> str | None:
    """A generator's name, or its class, which numpy calls."""
    usual = len(args) <= 1 and all(type(a) is str or (_class(a) and a.name in BIT_GENERATORS) for a in args)
    return None if usual else "makes a random state in an unusual way"


def _bytearray(_made: Made, args: tuple[Any, ...]) -> str | None:
    """Of bytes, or of text and its encoding; of a number it would reserve memory."""
    usual = not args or _is_bytes(args[0]) or (len(args) == 2 and type(args[0]) is not int)
    return None if usual else "makes a bytearray in an unusual way"


def _own_class(made: Made, args: tuple[Any, ...]) -> str | None:
    """Functions that make an object of the class they are given: one of their own library."""
    library = made.of.module.partition(".")[0]
    if args and _class(args[0]) and args[0].module.partition(".")[0] == library:
        return None
    return f"has {made.of} make something else than one of its own classes"


def _getattr(_made: Made, args: tuple[Any, ...]) -> str | None:
    """A distribution's own methods, as it takes itself apart; none of it is ever looked up.

    Nor is the method by which histogram boosting of 1.4 to 1.8 stopped early, and which it keeps.
    """
    if len(args) == 2 and type(args[0]) is Made and type(args[1]) is str:
        of = args[0].of
        if of.uses & STUB or (of.module == HIST_BOOSTING and args[1] == "_raw_predict"):
            return None
    return "reaches for an attribute by its name (getattr)"


def _ufunc(_made: Made, args: tuple[Any, ...]) -> str | None:
    """(module, name) of one of numpy's own functions, as numpy before 1.20 wrote them."""
    usual = len(args) == 2 and args[0] in UFUNC_HOMES and type(args[1]) is str and args[1] in _UFUNCS
    return None if usual else "looks up a function that is none of numpy's own"


def _partial(_made: Made, args: tuple[Any, ...]) -> str | None:
    """Of scikit-learn's check of arrays alone, which histogram boosting keeps for columns of categories."""
    return None if len(args) == 1 and _is_check(args[0]) else HOLDS_OTHER


# State --------------------------------------------------------------------------------------------


def _partial_state(_made: Made, state: Any) -> str | None:
    """(the function, no arguments, keywords, nothing)."""
    usual = type(state) is tuple and len(state) == 4 and _is_check(state[0]) and state[1] == ()
    plain = usual and type(state[2]) is dict and set(state[2]) <= CHECKED_BY
    return None if plain and state[3] is None else HOLDS_OTHER


def _is_check(value: Any) -> bool:
    return _class(value) and (value.module, value.name) == CHECK_ARRAY


def _dtype_state(made: Made, state: Any) -> str | None:
    """(version, byte order, subdtype, names, fields, size, alignment, flags[, metadata])."""
    known = made.detail
    if type(known) is not Dtype or type(state) is not tuple or len(state) not in (8, 9):
        return "sets an unusual state of a numpy dtype"
    version, order, sub, names, fields, size, alignment, flags = state[:8]
    plain = all(type(n) is int for n in (version, size, alignment, flags))
    if not plain or version not in (3, 4) or order not in ("<", ">", "|", "="):
        return "sets an unusual state of a numpy dtype"
    width = known.size if size == -1 and not known.flexible else size
    if width is None or width < 0 or (known.size is not None and width != known.size):
        return "changes the size of a numpy dtype"
    objects = known.objects
    if sub is not None:
        inner = _subdtype(sub, width)
        if inner is None:
            return "sets an unusual subdtype"
        objects = objects or inner
    if names is not None or fields is not None:
        inner = _fields(names, fields, width)
        if inner is None:
            return "sets fields of a numpy dtype that do not fit into it"
        objects = objects or inner
    declared = flags & (HAS_OBJECT | LIST_PICKLE)
    if bool(flags & HAS_OBJECT) != objects or (objects and declared != HAS_OBJECT | LIST_PICKLE):
        return "declares a numpy dtype that hides that it holds objects"
    made.detail = Dtype(width, objects, known.flexible)
    return None


def _subdtype(sub: Any, width: int) -> bool | None:
    if type(sub) is not tuple or len(sub) != 2 or not _is_dtype(sub[0]):
        return None
    base = sub[0].detail
    shape = (sub[1],) if type(sub[1]) is int else sub[1]
    if base.size is None or not _is_shape(shape) or math.prod(shape) * base.size != width:
        return None
    return bool(base.objects)


def _fields(names: Any, fields: Any, width: int) -> bool | None:
    """Whether any field holds objects; None when they do not fit together."""
    if type(names) is not tuple or type(fields) is not dict or len(names) > MAX_FIELDS:
        return None
    if len(fields) > 2 * MAX_FIELDS or not all(type(name) is str and name in fields for name in names):
        return None
    objects = False
    for entry in fields.values():
        if type(entry) is not tuple or len(entry) not in (2, 3) or not _is_dtype(entry[0]):
            return None
        inner, offset = entry[0].detail, entry[1]
        if type(offset) is not int or inner.size is None or not 0 <= offset <= width - inner.size:
            return None
        objects = objects or inner.objects
    return objects


def _array_state(_made: Made, state: Any) -> str | None:
    """(version, shape, dtype, whether in Fortran order, bytes or a list of objects).

    Numpy counts the bytes itself, and reads past the end of a list that is too short.
    """
    if type(state) is tuple and len(state) == 5 and _is_shape(state[1]) and _is_dtype(state[2]):
        objects, data = state[2].detail.objects, state[4]
        if not objects and _is_bytes(data):
            return None
        if objects and type(data) is List and data.count == math.prod(state[1]):
            return None
    return "sets an unusual state of an array"


def _masked_state(made: Made, state: Any) -> str | None:
    """An array's state, then the mask's bytes and the value that fills gaps."""
    if type(state) is tuple and len(state) == 7 and _is_bytes(state[5]):
        return _array_state(made, state[:5])
    return "sets an unusual state of a masked array"


def _vectorize_state(_made: Made, state: Any) -> str | None:
    """Part of a discrete distribution; any other function that is vectorized would be lost."""
    function = state.get("pyfunc") if type(state) is dict else None
    if type(function) is Made and function.of.uses & STUB:
        return None
    return "vectorizes a function that is no distribution's"


WRAPPER_KEYS = {"subclass", "shape", "order", "dtype", "allow_mmap"}
ALIGNMENT_KEY = "numpy_array_alignment_bytes"  # joblib 1.2 and later


def describes_array(made: Made, state: Any) -> str | None:
    """joblib's note about an array whose data follow at once in the file."""
    if type(state) is not dict or len(state) > 6 or state.keys() - {ALIGNMENT_KEY} != WRAPPER_KEYS:
        return "describes a joblib array in an unusual way"
    alignment, dtype = state.get(ALIGNMENT_KEY), state["dtype"]
    usual = _class(state["subclass"]) and _is_shape(state["shape"]) and state["order"] in ("C", "F")
    if not usual or alignment not in (None, 16) or not _is_dtype(dtype):
        return "describes a joblib array in an unusual way"
    if dtype.detail.objects:
        made.detail = ArrayHere(None, False)
        return None
    if not dtype.detail.size:
        return "describes a joblib array of items without a size"
    made.detail = ArrayHere(math.prod(state["shape"]) * dtype.detail.size, alignment is not None)
    return None


# What scipy.stats writes of a distribution, and executes when it is unpickled: three functions that
# return their arguments, whose names and defaults alone vary.
_WORDS = r"[\w=., -]*"  # neither brackets nor quotes: nothing that could be called
_TEMPLATE = re.compile(
    rf"\ndef _parse_args\(self,{_WORDS}\):\n    return \({_WORDS}\),{_WORDS}\n"
    rf"\ndef _parse_args_rvs\(self,{_WORDS}\):\n    return self\._argcheck_rvs\({_WORDS}\)\n"
    rf"\ndef _parse_args_stats\(self,{_WORDS}moments='mv'\):\n    return \({_WORDS}\),{_WORDS}\n",
    re.ASCII,
)


def usual_template(value: Any) -> bool:
    """Whether the text is what scipy itself writes there; None stands for no text at all."""
    return value is None or (type(value) is str and _TEMPLATE.fullmatch(value) is not None)


CALL_RULES: dict[tuple[str, str], Call] = {
    CODECS_ENCODE: _encode,
    ("builtins", "bytes"): _bytes,
    ("builtins", "type"): _type,
    ("builtins", "getattr"): _getattr,
    ("builtins", "bytearray"): _bytearray,
    ("copyreg", "_reconstructor"): _reconstructor,
    ("functools", "partial"): _partial,
    ("numpy._core", "_ufunc_reconstruct"): _ufunc,
    ("numpy", "dtype"): _dtype,
    RECONSTRUCT: _reconstruct,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("numpy._core.numeric", "_frombuffer"): _frombuffer,
    ("numpy.ma.core", "_mareconstruct"): _masked_reconstruct,
    ("numpy.random._pickle", "__randomstate_ctor"): _random_state,
    ("numpy.random._pickle", "__generator_ctor"): _random_state,
    ("numpy.random._pickle", "__bit_generator_ctor"): _bit_generator,
    ("numpy.random.bit_generator", "__pyx_unpickle_SeedSequence"): _own_class,
    ("sklearn.neighbors._ball_tree", "newObj"): _own_class,
    ("sklearn.neighbors._kd_tree", "newObj"): _own_class,
    ("sklearn.metrics._dist_metrics", "newObj"): _own_class,
    ("sklearn._loss._loss", "__pyx_unpickle_CyHalfMultinomialLoss"): _own_class,
    ("pandas._libs.arrays", "__pyx_unpickle_NDArrayBacked"): _own_class,
    ("pandas.core.indexes.base", "_new_Index"): _own_class,
    ("pandas.core.indexes.datetimes", "_new_DatetimeIndex"): _own_class,
    ("pandas.core.indexes.timedeltas", "_new_TimedeltaIndex"): _own_class,
    ("pandas.core.indexes.interval", "_new_IntervalIndex"): _own_class,
} | {pair: _own_class for pair in INERT if pair[1].startswith("__pyx_unpickle_")}
STATE_RULES: dict[tuple[str, str], SetState] = {
    ("functools", "partial"): _partial_state,
    ("numpy", "dtype"): _dtype_state,
    ("numpy", "vectorize"): _vectorize_state,
    RECONSTRUCT: _array_state,
    ("numpy.ma.core", "_mareconstruct"): _masked_state,
    WRAPPER: describes_array,
}
