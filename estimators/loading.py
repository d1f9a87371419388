"""Loads a model file, and says in the caller's terms why one cannot be loaded.

Executes what is in the file, after its scan: for the locked child only. Promises one of our errors, with
what to do, for everything that goes wrong. Leaves calling the model to `model_utils`.
"""

import importlib.metadata
import importlib.util
import re
from collections.abc import Mapping
from pickle import UnpicklingError
from struct import error as struct_error
from typing import Any, BinaryIO
from zlib import error as zlib_error

import joblib

from errors import (
    MAX_QUOTED,
    DashboardError,
    MissingLibrary,
    ModelError,
    ModelRefused,
    NotAModel,
    VersionMismatch,
)
from estimators.native import format_of, load_native
from estimators.unpickler import load_restricted
from records.model import Policy, ScanReport
from scan.files import scan
from scan.formats import DAMAGED_HINT
from scan.policy import RESAVE, check_policy, mismatches
from upgrades.steps import Upgrade

__all__ = ["load"]

SOURCE_LINE = re.compile(r"^(?:\[[\d:]+\] )?\S+\.(?:cc|cpp|h):\d+: ")
PACKAGES = {  # where the name to install is not the name to import
    "sklearn": "scikit-learn",
    "cv2": "opencv-python",
    "PIL": "pillow",
    "yaml": "pyyaml",
    "skimage": "scikit-image",
    "imblearn": "imbalanced-learn",
    "category_encoders": "category-encoders",
    "bs4": "beautifulsoup4",
    "dateutil": "python-dateutil",
    "sksurv": "scikit-survival",
    "feature_engine": "feature-engine",
}


def load(
    file: BinaryIO,
    policy: Policy = "strict",
    report: ScanReport | None = None,
    told: Upgrade | None = None,
) -> Any:
    """The object a model file holds, whatever it is. Executes a pickle: child only.

    policy: `strict` refuses a file that the scan does not allow and resolves no name off the list; the
    others load whatever the file asks for, as it is. report: the file's scan, where there is one already.
    told: is filled with what was done to bring a model of an older scikit-learn forward.
    Raises NotAModel (cut or damaged), ModelRefused (by the scan, or by the lock), MissingLibrary,
    VersionMismatch, ModelError.
    """
    if report is None:
        report = scan(file)
    check_policy(report, policy)
    if report.format not in ("pickle", "joblib"):
        try:
            return load_native(file, policy, report)
        except DashboardError:
            raise
        except Exception as error:
            raise _native_error(error, report) from None
    try:
        return load_restricted(file, told) if policy == "strict" else _load_anything(file)
    except DashboardError:
        raise
    except Exception as error:
        raise _load_error(error, report.saved_with) from None


def _load_anything(file: BinaryIO) -> Any:
    file.seek(0)
    return joblib.load(file)


def _load_error(error: Exception, saved_with: Mapping[str, str]) -> DashboardError:
    """What an exception while loading means, in the caller's terms."""
    text = str(error)[:MAX_QUOTED]
    if isinstance(error, EOFError | UnpicklingError) or text.startswith(("EOF:", "Compressed file ended")):
        return NotAModel(
            "The file ends in the middle or is damaged: it cannot be read as a pickle.", hint=DAMAGED_HINT
        )
    if isinstance(error, MemoryError):
        return ModelError(
            "The model needs more memory than a model's process may use.", hint="Raise CHILD_MEMORY_MB."
        )
    if isinstance(error, PermissionError):
        return ModelRefused(
            f"The file wants something on loading that a model's process may not do: {text}",
            hint="A model needs no files, programs or network to load; docs/security.md says what it may. "
            "Save it so that all it needs is in its file.",
        )
    if isinstance(error, ValueError) and "lz4" in text.lower():
        return _missing("lz4")
    if "__main__" in text and isinstance(error, AttributeError):
        return MissingLibrary(
            f"The model needs something that was defined in a script or notebook ({text}).",
            hint="Put the class or function into a module that is installed here, or save the model with "
            "cloudpickle, which keeps its code in the file.",
        )
    if isinstance(error, ModuleNotFoundError) and error.name:
        library = error.name.partition(".")[0]
        if library == "__main__" or importlib.util.find_spec(library) is None:
            return _missing(library)
    if (mismatch := _mismatch(error, saved_with)) is not None:
        return mismatch
    # pickle's own ways to stumble over bytes that are none of its: a cut number, an unknown opcode.
    unknown_opcode = isinstance(error, KeyError) and [type(a) for a in error.args] == [int]
    if unknown_opcode or isinstance(error, OSError | IndexError | struct_error | zlib_error):
        return NotAModel(f"The file is damaged: {type(error).__name__}: {text}", hint=DAMAGED_HINT)
    return ModelError(
        f"The model cannot be loaded: {type(error).__name__}: {text}",
        hint="Load it with joblib.load in a fresh interpreter with the libraries installed here.",
    )


def _native_error(error: Exception, report: ScanReport) -> DashboardError:
    """What a library's own reader means by an exception."""
    if isinstance(error, MemoryError):
        return _load_error(error, report.saved_with)
    if (mismatch := _mismatch(error, report.saved_with)) is not None:
        return mismatch
    text = SOURCE_LINE.sub("", " ".join(str(error).split()))[:MAX_QUOTED]
    return NotAModel(
        f"The file looks like {format_of(report).title} but cannot be read: {type(error).__name__}: {text}",
        hint="Read it with the library that wrote it; if that works, save it again with the version that is "
        "installed here.",
    )


def _mismatch(error: Exception, saved_with: Mapping[str, str]) -> VersionMismatch | None:
    """The likely reason when a library's version here is not the one that saved the file."""
    skewed = mismatches(saved_with)
    if not skewed:
        return None
    return VersionMismatch(
        f"The model was saved with {' and '.join(skewed.values())}: {type(error).__name__}: "
        f"{str(error)[:MAX_QUOTED]}",
        hint=RESAVE,
    )


def _missing(library: str) -> MissingLibrary:
    package = PACKAGES.get(library, library)
    return MissingLibrary(
        f"The model needs the library '{library}', which is not installed here.",
        hint=f"Install it for the server (pip install {package}) and restart, or save a model without it.",
    )
