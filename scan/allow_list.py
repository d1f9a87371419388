"""Which names a model's pickle may refer to, and what to say of any other.

Promises: exact (module, name) pairs, read once from `allowed_globals.txt`; no prefix, no dotted name. Leaves
making the list to `scripts/allow_list.py`, and following the pickle to `scan.walk`.
"""

import importlib.util
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from scan.renamed import INERT, RENAMED
from scan.symbols import STUB, USE_NAMES, Global

__all__ = [
    "DENIED", "ELSEWHERE", "LIST_FILE", "RUNS_THINGS", "STUBBED", "STUBBED_MODULES", "Refused", "allowed",
    "lookup", "of_elsewhere", "today", "warm_up", "why_refused",
]  # fmt: skip

LIST_FILE = Path(__file__).with_name("allowed_globals.txt")

# Where a name lives now that older files call otherwise; the left side is allowed when the right one is.
MOVED: dict[tuple[str, str], tuple[str, str]] = {
    ("numpy.core.multiarray", "_reconstruct"): ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"): ("numpy._core.multiarray", "scalar"),
    ("numpy.core", "_ufunc_reconstruct"): ("numpy._core", "_ufunc_reconstruct"),
    ("numpy.core.numeric", "_frombuffer"): ("numpy._core.numeric", "_frombuffer"),
    ("numpy.core.numerictypes", "bool_"): ("numpy", "bool"),
    ("numpy.core.records", "recarray"): ("numpy.rec", "recarray"),
    ("numpy", "bool_"): ("numpy", "bool"),
    ("numpy.matrixlib.defmatrix", "matrix"): ("numpy", "matrix"),
    ("numpy.ma.core", "MaskedArray"): ("numpy.ma", "MaskedArray"),
    ("numpy.core.multiarray", "ndarray"): ("numpy", "ndarray"),
    ("sklearn.model_selection._classification_threshold", "_CurveScorer"): (
        "sklearn.metrics._scorer",
        "_CurveScorer",
    ),
    ("sklearn.utils", "Bunch"): ("sklearn.utils._bunch", "Bunch"),
    ("pandas.core.frame", "DataFrame"): ("pandas", "DataFrame"),
    ("pandas.core.series", "Series"): ("pandas", "Series"),
    ("pandas.core.indexes.base", "Index"): ("pandas", "Index"),
    **{  # indexes of numbers were classes of their own until pandas 1.5
        ("pandas.core.indexes.numeric", f"{kind}Index"): ("pandas", "Index")
        for kind in ("Int64", "UInt64", "Float64")
    },
    ("pandas.core.indexes.range", "RangeIndex"): ("pandas", "RangeIndex"),
    ("pandas.core.indexes.multi", "MultiIndex"): ("pandas", "MultiIndex"),
    ("pandas.core.indexes.category", "CategoricalIndex"): ("pandas", "CategoricalIndex"),
    ("pandas.core.indexes.datetimes", "DatetimeIndex"): ("pandas", "DatetimeIndex"),
    ("pandas.core.indexes.timedeltas", "TimedeltaIndex"): ("pandas", "TimedeltaIndex"),
    ("pandas.core.indexes.interval", "IntervalIndex"): ("pandas", "IntervalIndex"),
    ("pandas.core.arrays.categorical", "Categorical"): ("pandas", "Categorical"),
    ("pandas.core.arrays.datetimes", "DatetimeArray"): ("pandas.arrays", "DatetimeArray"),
    ("pandas.core.arrays.timedeltas", "TimedeltaArray"): ("pandas.arrays", "TimedeltaArray"),
    ("pandas.core.arrays.integer", "IntegerArray"): ("pandas.arrays", "IntegerArray"),
    ("pandas.core.arrays.boolean", "BooleanArray"): ("pandas.arrays", "BooleanArray"),
    ("pandas.core.arrays.string_", "StringDtype"): ("pandas", "StringDtype"),
    ("pandas.core.arrays.integer", "Int64Dtype"): ("pandas", "Int64Dtype"),
    ("pandas.core.arrays.boolean", "BooleanDtype"): ("pandas", "BooleanDtype"),
    ("pandas.core.dtypes.dtypes", "CategoricalDtype"): ("pandas", "CategoricalDtype"),
    ("pandas.core.dtypes.dtypes", "DatetimeTZDtype"): ("pandas", "DatetimeTZDtype"),
} | RENAMED

# Distributions execute a text out of their state when they are unpickled. Searches keep them and no
# prediction asks for them: an inert class stands in, for them and for what discrete ones are made with; and
# for what older scikit-learn had fitted and scored with.
STUBBED = {("builtins", "getattr"), ("numpy", "vectorize"), *INERT}
STUBBED_MODULES = {
    "scipy.stats._continuous_distns", "scipy.stats._discrete_distns", "scipy.stats._distn_infrastructure",
    "scipy.stats._levy_stable",
}  # fmt: skip

# Names that fitted estimators' files may hold all the same and that are never allowed.
DENIED: dict[tuple[str, str], str] = {
    ("builtins", "setattr"): "changes any class or module",
    ("builtins", "eval"): "runs a text as code",
    ("builtins", "exec"): "runs a text as code",
    ("builtins", "compile"): "makes code out of a text",
    ("builtins", "__import__"): "imports any module by name",
    ("builtins", "open"): "opens files",
    ("builtins", "input"): "waits for a person",
    ("builtins", "breakpoint"): "starts a debugger",
    ("builtins", "globals"): "reaches a module's names",
    ("builtins", "map"): "calls what it is given",
    ("builtins", "filter"): "calls what it is given",
    ("functools", "reduce"): "calls what it is given",
    ("operator", "attrgetter"): "reaches any attribute by name",
    ("operator", "itemgetter"): "is one half of reaching any function by name",
    ("operator", "methodcaller"): "calls any method by name",
    ("copyreg", "_extension_registry"): "changes how pickle itself works",
    ("numpy", "load"): "reads another pickle",
    ("numpy.testing._private.utils", "runstring"): "runs a text as code",
    ("numpy.f2py.crackfortran", "myeval"): "runs a text as code",
    ("numpy.f2py.crackfortran", "getlincoef"): "runs a text as code",
    ("pandas.core.computation.eval", "eval"): "runs a text as code",
    ("pandas.io.pickle", "read_pickle"): "reads another pickle",
    ("pandas.compat.pickle_compat", "loads"): "reads another pickle",
    ("joblib.numpy_pickle", "load"): "reads another pickle",
    ("joblib.parallel", "delayed"): "defers a call",
    ("joblib.numpy_pickle_compat", "NDArrayWrapper"): "reads an array from another file, by its name",
    ("joblib.numpy_pickle_compat", "ZNDArrayWrapper"): "reads an array from another file, by its name",
    ("joblib.numpy_pickle", "NDArrayWrapper"): "reads an array from another file, by its name",
    ("joblib.numpy_pickle", "ZNDArrayWrapper"): "reads an array from another file, by its name",
    ("sklearn.utils._param_validation", "Interval"): "is no part of a fitted model",
    ("sklearn.datasets._base", "load_files"): "reads files",
    ("xgboost.core", "_load_lib"): "loads native code",
}

# Whole libraries whose only use in a pickle is to run something. For the explanation alone: a name of any
# other library is refused too.
RUNS_THINGS = {
    "os", "posix", "nt", "subprocess", "sys", "importlib", "imp", "runpy", "pkgutil", "pty", "socket",
    "shutil", "ctypes", "code", "codeop", "timeit", "pdb", "bdb", "cProfile", "profile", "trace",
    "webbrowser", "asyncio", "multiprocessing", "threading", "_thread", "urllib", "http", "ftplib",
    "smtplib", "tempfile", "pathlib", "builtins", "operator", "_operator", "functools", "types",
    "inspect", "gc", "signal", "resource", "commands",
}  # fmt: skip
CODE_IN_FILES = {"cloudpickle", "dill"}
# Libraries whose objects are often put into a pickle, and that no pickle of a tested model holds: what such a
# file is, and what to send in its place. The first that a file names says what it is.
OF_AN_EXPLAINER = "Upload the model that it explains; the report explains that itself."
ELSEWHERE: dict[str, tuple[str, str]] = {
    "shap": ("holds a SHAP explainer: an explainer, not a model", OF_AN_EXPLAINER),
    "lime": ("holds a LIME explainer: an explainer, not a model", OF_AN_EXPLAINER),
    "keras": (
        "holds a Keras network, of which a pickle is no safe file",
        "Save it as model.save('model.keras') and upload that file; what scales or encodes its inputs is "
        "saved by joblib.dump.",
    ),
    "torch": (
        "holds a PyTorch module, of which a pickle is no safe file",
        "Save it as a program, with torch.jit.script(module).save('model.pt') or torch.onnx.export, and "
        "upload that file.",
    ),
    "dill": (
        "was saved by dill, which writes code into the file",
        "Save the fitted model with joblib.dump(model, 'model.pkl') and upload that file; functions of your "
        "own in it must come from a module that is installed here.",
    ),
}
ALSO_CALLED = {"tensorflow": "keras", "tf_keras": "keras", "torchvision": "torch", "scikeras": "keras"}


class Refused(NamedTuple):
    """Why a name is refused, and what the file's owner can do."""

    reason: str
    hint: str
    missing: bool = False  # its library is not installed here


@cache
def allowed() -> Mapping[tuple[str, str], int]:
    """The list: what may be done (flags of `scan.symbols`) with each (module, name)."""
    found = {}
    for line in LIST_FILE.read_text("ascii").splitlines():
        if line and not line.startswith("#"):
            module, name, *uses = line.split(" ")
            found[module, name] = sum(USE_NAMES[use] for use in uses)
    return MappingProxyType(found)


def warm_up() -> None:
    """Read the list now: a locked process may not read it later."""
    allowed()


def today(module: str, name: str) -> tuple[str, str]:
    """The pair by which Python 3 and today's numpy know a name; any other comes back as it is."""
    module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
    return MOVED.get((module, name), (module, name))


def lookup(module: str, name: str) -> Global:
    """The symbol for a name that a pickle refers to, refused unless the pair is on the list."""
    pair = today(module, name)
    uses = allowed().get(pair)
    if uses is None:
        return Global(module, name, 0, refused=True)
    return Global(*pair, uses)


def of_elsewhere(modules: Iterable[str]) -> str | None:
    """The key in ELSEWHERE of a file that refers to these modules; None where it names no such library."""
    tops = {module.partition(".")[0] for module in modules}
    tops |= {ALSO_CALLED[top] for top in tops if top in ALSO_CALLED}
    return next((library for library in ELSEWHERE if library in tops), None)


def why_refused(module: str, name: str) -> Refused:
    """What to tell the owner of a file that refers to a name that is not on the list."""
    module, name = today(module, name)
    library = module.partition(".")[0]
    if module == "__main__":
        return Refused(
            "was defined in the script or notebook that saved the model",
            "Save the model without own classes and functions, or put them into an installed module and run "
            "with MODEL_POLICY=contained.",
        )
    if library in CODE_IN_FILES or (library == "types" and name == "CodeType"):
        return Refused(
            f"carries code inside of the file ({library}: a lambda, a function or an own class)",
            "Replace lambdas and own functions by NumPy functions or plain scikit-learn steps; of "
            "an object of an "
            "own class save the fitted model inside of it, by itself: joblib.dump(it.model, 'model.joblib').",
        )
    if (found := DENIED.get((module, name))) is not None:
        return Refused(found, _NEVER)
    if (uses := allowed().get((module, name))) is not None:  # for something else than what the file does
        if uses & STUB:
            return Refused(
                "runs a text out of the file when skops loads it",
                "Save the search's best_estimator_ alone, or the whole search with joblib.",
            )
        return Refused("is put to a use that fitted models have none for", _NEVER)
    if "." in name:
        return Refused("reaches through one name to another", _NEVER)
    if library in RUNS_THINGS:
        return Refused("belongs to no model: it can run code or commands", _NEVER)
    if library in {pair[0].partition(".")[0] for pair in allowed()}:
        return Refused("is not among the names that fitted models of this library need", _RETRAIN)
    missing = not _installed(library)
    also = ", and is not installed here" if missing else ""
    return Refused(f"belongs to a library that is not on the list of allowed names{also}", _OTHER, missing)


_NEVER = "Do not use this file unless you know who made it; save the model again from plain estimators."
_RETRAIN = (
    "Train and save the model again with plain estimators of the versions installed here; if the name is "
    "harmless, it can be added to scripts/allow_list.py."
)
_OTHER = (
    "Save a model of scikit-learn, XGBoost or LightGBM alone, or set MODEL_POLICY=contained where this "
    "machine can hold a model that may do anything."
)


def _installed(library: str) -> bool:
    try:
        return library.isidentifier() and importlib.util.find_spec(library) is not None
    except (ImportError, ValueError):
        return False
