"""Loads models out of libraries' own formats, as objects with `predict`: for the locked child only.

Promises: reads the file from memory, writes none; a library that is missing is named with the line that
installs it. Leaves what networks answer to `estimators.networks`, and what such a file may hold to
`scan.files`.
"""

import ctypes.util
import importlib
import importlib.util
import io
import os
import tempfile
from collections.abc import Callable, Collection
from typing import Any, BinaryIO

from errors import MAX_QUOTED, MissingLibrary, ModelError, ModelRefused
from estimators.keras_files import open_keras, open_keras_hdf5
from estimators.networks import open_onnx, open_torch_export, open_torchscript
from records.model import FORMATS, NativeFormat, Policy, ScanReport
from scan.files import refused_in_skops
from scan.native import catboost_is_cut
from scan.policy import OWN_RISK

__all__ = ["format_of", "import_libraries", "load_native"]

_failed: dict[str, Exception] = {}
SLOW_TO_IMPORT = {
    "catboost": ("catboost",),
    "onnxruntime": ("onnxruntime", "onnx"),
    "skops": ("skops.io",),
    "torch": ("torch",),
    "keras": ("keras",),
}
"""Libraries that the zygote does not hold; a model that needs one imports it before its load is timed."""


def import_libraries(libraries: Collection[str]) -> None:
    """Import what the model is made of, under the lock; what is missing is told by the load itself.

    Some of what libraries do on import needs programs or files to write: looking for a C library runs a
    compiler, looking for a temporary folder writes to it, PyTorch makes a cache. None of it is used after.
    """
    ctypes.util.find_library = lambda name: None
    tempfile.tempdir = "/"
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = "/"  # a folder that exists need not be made
    for library in libraries:
        if library == "keras":
            _choose_backend()
        for name in SLOW_TO_IMPORT.get(library, ()):
            try:
                importlib.import_module(name)
            except Exception as error:  # the second attempt's would only say that there was a first
                _failed.setdefault(library, error)


def load_native(file: BinaryIO, policy: Policy, report: ScanReport) -> Any:
    """The model in a file of one of `records.model.FORMATS`; anything with `predict`.

    Raises MissingLibrary with the line that installs it, ModelRefused, ModelError, and what the library
    raises for a file that it cannot read.
    """
    native = format_of(report)
    file.seek(0)
    data = file.read()
    if native.library in _failed:
        raise _not_importable(native, _failed[native.library])
    try:
        return _LOADERS[native.name](data, policy)
    except ImportError as error:
        raise _not_importable(native, error) from None


def _not_importable(native: NativeFormat, error: Exception) -> ModelError:
    if isinstance(error, ModuleNotFoundError):
        return MissingLibrary(
            f"The file is {native.title}, and the library {error.name!r} is not installed here.",
            hint=f"Install it for the server ({native.install}, or all of requirements-frameworks.txt) and "
            "restart.",
        )
    return ModelError(
        f"The file is {native.title}, and the library {native.library!r} cannot be imported here: "
        f"{type(error).__name__}: {str(error)[:MAX_QUOTED]}",
        hint="Import it in a fresh interpreter to see why. CHILD_MEMORY_MB limits what it may map.",
    )


def format_of(report: ScanReport) -> NativeFormat:
    """The format that a scan found."""
    return next(found for found in FORMATS if found.name == report.format)


def _xgboost(data: bytes, policy: Policy) -> Any:
    """The booster, in the class that it was saved from where the file tells that."""
    import xgboost

    booster = xgboost.Booster()
    booster.load_model(bytearray(data))
    saved_by = booster.attr("scikit_learn") or ""
    for kind, mark in ((xgboost.XGBClassifier, '"classifier"'), (xgboost.XGBRegressor, '"regressor"')):
        if mark in saved_by:
            model = kind()
            model.load_model(bytearray(data))
            return model
    return booster


def _lightgbm(data: bytes, policy: Policy) -> Any:
    import lightgbm

    text = data.decode("utf-8")
    if "\nend of trees" not in text:  # LightGBM's own reader ends the process
        raise ValueError("it ends before its trees do")
    return lightgbm.Booster(model_str=text)


def _catboost(data: bytes, policy: Policy) -> Any:
    """By its loss: what it was fitted as is not in the file."""
    import catboost

    if catboost_is_cut(data):  # CatBoost's own reader goes on behind the end
        raise ValueError("it ends before its trees or their categories do")
    probe = catboost.CatBoost()
    probe.load_model(blob=data)
    loss = str(probe.get_all_params().get("loss_function", ""))
    ranks = loss.partition(":")[0] in ("YetiRank", "PairLogit", "QueryRMSE", "QuerySoftMax", "StochasticRank")
    kind = catboost.CatBoostClassifier if len(probe.classes_) else catboost.CatBoostRegressor
    model = (catboost.CatBoostRanker if ranks else kind)()
    model.load_model(blob=data)
    return model


def _skops(data: bytes, policy: Policy) -> Any:
    from skops.io import get_untrusted_types, loads

    if policy == "strict" and (refused := refused_in_skops(io.BytesIO(data))):
        raise ModelRefused(
            f"The file refers to {refused[0].module}.{refused[0].name}, which {refused[0].reason}.",
            hint=OWN_RISK,
        )
    return loads(data, trusted=get_untrusted_types(data=data))


def _onnx(data: bytes, policy: Policy) -> Any:
    return open_onnx(data)


def _torchscript(data: bytes, policy: Policy) -> Any:
    return open_torchscript(data)


def _torch_export(data: bytes, policy: Policy) -> Any:
    return open_torch_export(data)


def _keras(data: bytes, policy: Policy) -> Any:
    _choose_backend()
    return open_keras(data, safe=policy == "strict")


def _keras_hdf5(data: bytes, policy: Policy) -> Any:
    _choose_backend()
    return open_keras_hdf5(data, safe=policy == "strict")


def _choose_backend() -> None:
    """Keras computes with another library: whichever of the three is installed, unless one is chosen."""
    installed = next((n for n in ("torch", "jax", "tensorflow") if importlib.util.find_spec(n)), None)
    if installed is not None:
        os.environ.setdefault("KERAS_BACKEND", installed)


_LOADERS: dict[str, Callable[[bytes, Policy], Any]] = {
    "xgboost json": _xgboost,
    "xgboost ubj": _xgboost,
    "lightgbm text": _lightgbm,
    "catboost": _catboost,
    "skops": _skops,
    "onnx": _onnx,
    "torchscript": _torchscript,
    "torch.export": _torch_export,
    "keras": _keras,
    "keras hdf5": _keras_hdf5,
}
