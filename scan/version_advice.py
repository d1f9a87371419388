"""What to say of a model that another version saved: the library at fault, and how to save it anew.

Promises: of several libraries that differ the one that the error names; a command that a shell runs as it is.
Leaves what can be brought forward to `upgrades`, and when to say it to those who load, ask and let in.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from types import ModuleType
from typing import NamedTuple

from errors import MAX_QUOTED, VersionMismatch
from scan.versions import LIBRARIES, MODULES, installed_versions, mismatches

__all__ = ["advice", "is_skew", "libraries_in", "libraries_named", "mismatch_of", "version_mismatch"]

SKEW = (
    "AttributeError", "TypeError", "ImportError", "ModuleNotFoundError", "ValueError", "KeyError",
    "XGBoostError", "LightGBMError", "CatBoostError", "NotFittedError",
)  # fmt: skip
"""What loading an object raises whose class has changed since it was saved."""
ASKED = ("AttributeError", "ImportError", "ModuleNotFoundError", "NotFittedError")
"""What such an object raises when it is asked; a TypeError where its text says so."""
CHANGED = re.compile(
    r"unexpected keyword|positional argument|'NoneType'|is not subscriptable|unsupported operand"
)
CLASSES = {"XGB": "xgboost", "LGBM": "lightgbm", "CatBoost": "catboost", "BSpline": "scipy"}
HOLDERS = ("numpy", "scipy", "pandas", "joblib")  # of what models are made of: at fault where they are named
NAMED = re.compile(
    r"(?:module(?: named)? |on <module )'?([A-Za-z_][\w.]*)"  # No module named 'x.y'; module 'x' has no ...
    r"|refers to ([a-z_]+)\.|from '([a-z_]+)\.|^([a-z]+)\.\w+\."
)


class Environment(NamedTuple):
    """A Python and the libraries of one time."""

    python: str
    numpy: str
    scipy: str
    pandas: str

    def of(self, *packages: str) -> str:
        """The shell's line that makes it in the folder `old`, with the packages besides."""
        capped = (*packages, f"numpy{self.numpy}", f"scipy{self.scipy}", f"pandas{self.pandas}")
        wanted = " ".join(f'"{name}"' for name in capped)
        return f"python{self.python} -m venv old && old/bin/pip install --prefer-binary {wanted}"


# The first release of scikit-learn that each environment is no longer right for.
ENVIRONMENTS: tuple[tuple[tuple[int, int], Environment], ...] = (
    ((0, 22), Environment("3.7", "<1.17", "<1.4", "<1")),
    ((0, 24), Environment("3.8", "<1.18", "<1.5", "<1.1")),
    ((1, 1), Environment("3.9", "<1.20", "<1.7", "<1.3")),
    ((1, 3), Environment("3.10", "<1.24", "<1.10", "<1.6")),
    ((1, 5), Environment("3.11", "<2", "<1.12", "<2.2")),
    ((99, 0), Environment("3.12", "<2.2", "<1.15", "<2.3")),
)
# Of the other libraries a release's time, told as a release of scikit-learn.
YEARS: dict[str, tuple[tuple[tuple[int, int], str], ...]] = {
    "xgboost": (
        ((1, 1), "0.22.2.post1"), ((1, 4), "0.23.2"), ((1, 6), "1.0.2"), ((2, 0), "1.2.2"),
        ((99, 0), "1.4.2"),
    ),
    "lightgbm": (((3, 0), "0.22.2.post1"), ((3, 2), "0.23.2"), ((4, 0), "1.0.2"), ((99, 0), "1.4.2")),
    "catboost": (((1, 0), "1.0.2"), ((1, 2), "1.2.2"), ((99, 0), "1.4.2")),
}  # fmt: skip
READ = "import joblib; m = joblib.load('model.pkl'); "
OPEN_FORMATS = {
    "xgboost": (
        "model.json",
        "(m.get_booster() if hasattr(m, 'get_booster') else m).save_model('model.json')",
    ),
    "lightgbm": ("model.txt", "getattr(m, 'booster_', m).save_model('model.txt')"),
    "catboost": ("model.cbm", "m.save_model('model.cbm')"),
}
ONNX = (
    "from skl2onnx import to_onnx; from skl2onnx.common.data_types import FloatTensorType as T; "
    "open('model.onnx', 'wb').write(to_onnx(m, initial_types=[('x', T([None, WIDTH]))])"
    ".SerializeToString())"
)
AGAIN = (
    "import pickle; from sklearn.externals import joblib; "
    "pickle.dump(joblib.load('model.pkl'), open('again.pkl', 'wb'), 2)"
)
NO_PYTHON = (
    "Where python{} is missing, uv brings it: uv venv --seed -p {} old, in place of the part before &&."
)


def mismatch_of(error: Exception, saved_with: Mapping[str, str]) -> VersionMismatch | None:
    """The mismatch that an exception while loading tells of; None where versions do not explain it."""
    if not any(kind.__name__ in SKEW for kind in type(error).__mro__):
        return None
    what = f"{type(error).__name__}: {' '.join(str(error).split())[:MAX_QUOTED]}"
    return version_mismatch(saved_with, libraries_named(error), what)


def version_mismatch(
    saved_with: Mapping[str, str], named: Iterable[str], what: str
) -> VersionMismatch | None:
    """The mismatch of the first library named that is another version here, else of the model's own library.

    None where no version differs, or only that of a library which holds numbers and is not named.
    """
    skewed = mismatches(saved_with)
    own = [library for library in LIBRARIES if library in skewed and library not in HOLDERS]
    library = next((name for name in (*named, *own) if name in skewed), None)
    if library is None:
        return None
    return VersionMismatch(
        f"The model was saved with {skewed[library]}: {what}", hint=advice(library, saved_with[library])
    )


def is_skew(kind: str, message: str) -> bool:
    """Whether that is how a model fails, asked for answers, whose class has changed since."""
    return kind in ASKED or (kind == "TypeError" and CHANGED.search(message) is not None)


def libraries_in(text: str) -> tuple[str, ...]:
    """The libraries that an error's text speaks of, by a module or a class of theirs."""
    return _known(_in_text(text))


def advice(library: str, saved: str) -> str:
    """What to do with a model of that version of a library, with a command where one is known to work."""
    here, release = installed_versions().get(library, ""), _numbers(saved)
    if here and release > _numbers(here):
        return (
            f"It is newer than what is installed here: install it for the server (pip install "
            f"{library}=={saved}) and restart, or train the model again with {library} {here}."
        )
    if library == "scikit-learn":
        return _of_sklearn(saved, release)
    if library in OPEN_FORMATS and not (library == "xgboost" and release < (1, 0)):  # 0.90 writes no JSON
        return _in_open_format(library, saved, release)
    return f"Save the model again with {library} {here}, or install {library} {saved} for the server."


def _in_open_format(library: str, saved: str, release: tuple[int, int]) -> str:
    file, save = OPEN_FORMATS[library]
    exact = f"=={saved[:-2]}.*" if saved.endswith(".x") else f"=={saved}"
    year = next(year for before, year in YEARS[library] if release < before)
    found = _environment(_numbers(year))
    line = found.of(library + exact, f"scikit-learn=={year}", "joblib")
    command = f'{line} && old/bin/python -c "{READ}{save}"'
    told = f"With model.pkl beside you, this saves it in {library}'s open format; send {file}"
    return f"{told}: {command} . {NO_PYTHON.format(found.python, found.python)}"


def _of_sklearn(saved: str, release: tuple[int, int]) -> str:
    if release < (0, 20):
        found = _environment((0, 20))
        line = found.of("scikit-learn==0.20.4")
        told = "scikit-learn 0.20 reads it and saves it in a form that is read here; send again.pkl"
        command = f'{line} && old/bin/python -c "{AGAIN}"'
    else:
        found = _environment(release)
        line = found.of(f"scikit-learn=={saved}", "skl2onnx", "joblib")
        told = "of a model of numbers, its own release makes an ONNX file that is read here; send model.onnx"
        width, how = "m.n_features_in_", ""
        if release < (0, 24):  # none was kept
            width, how = "COLUMNS", " (with their number in place of COLUMNS)"
        command = f'{line} && old/bin/python -c "{READ}{ONNX.replace("WIDTH", width)}"'
        told += how
    return f"With model.pkl beside you, {told}: {command} . {NO_PYTHON.format(found.python, found.python)}"


def _environment(release: tuple[int, int]) -> Environment:
    return next(found for before, found in ENVIRONMENTS if release < before)


def _numbers(version: str) -> tuple[int, int]:
    found = re.match(r"(\d+)(?:\.(\d+))?", version)
    return (int(found[1]), int(found[2] or 0)) if found else (0, 0)


# Which library an error speaks of --------------------------------------------------------------------


def libraries_named(error: Exception) -> tuple[str, ...]:
    """The libraries that an exception speaks of, the likeliest first: its text, its object, where it rose."""
    found = [*_in_text(str(error)), *_of_object(error), *_where_it_rose(error)]
    return _known(found)


def _known(modules: Iterable[str]) -> tuple[str, ...]:
    by_module = {MODULES.get(library, library): library for library in LIBRARIES}
    named = (by_module.get(module.partition(".")[0]) for module in modules)
    return tuple(dict.fromkeys(library for library in named if library is not None))


def _in_text(text: str) -> Iterator[str]:
    for match in NAMED.finditer(text[:2_000]):
        yield next(part for part in match.groups() if part)
    for start, library in CLASSES.items():
        if f"'{start}" in text:
            yield library


def _of_object(error: Exception) -> Iterator[str]:
    if isinstance(error, ImportError) and error.name:
        yield error.name
    obj = getattr(error, "obj", None) if isinstance(error, AttributeError) else None
    if isinstance(obj, ModuleType):
        yield obj.__name__
    elif obj is not None:
        for kind in (obj if isinstance(obj, type) else type(obj)).__mro__:
            yield kind.__module__


def _where_it_rose(error: Exception) -> Iterator[str]:
    """Modules of the traceback, the innermost first."""
    modules, step = [], error.__traceback__
    while step is not None:
        modules.append(str(step.tb_frame.f_globals.get("__name__", "")))
        step = step.tb_next
    yield type(error).__module__
    yield from reversed(modules)
