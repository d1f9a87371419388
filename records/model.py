"""The report's `model` section: what a file and the model in it are, and what the scan saw.

Leaves reading files to `scan`, and models to `estimators`.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from records.base import Figure, Record

__all__ = [
    "FORMATS", "MAX_FILES", "MAX_PARTS_TOLD", "FormatName", "ModelFile", "ModelInfo", "ModelName",
    "ModelPart", "NativeFormat", "PartRole", "Policy", "RefusedName", "ScanReport", "Task", "name_of_file",
]  # fmt: skip

FormatName = Literal[
    "onnx", "skops", "xgboost json", "xgboost ubj", "lightgbm text", "catboost", "torchscript",
    "torch.export", "keras", "keras hdf5",
]  # fmt: skip


@dataclass(frozen=True)
class NativeFormat:
    """One format. title: as a sentence names it. library: what is imported to read it."""

    name: FormatName
    title: str
    library: str
    package: str
    suffixes: tuple[str, ...]

    @property
    def install(self) -> str:
        """The line that installs what reads it."""
        return f"pip install {self.package}"


FORMATS = (
    NativeFormat("onnx", "an ONNX model", "onnxruntime", "onnxruntime onnx", (".onnx",)),
    NativeFormat("skops", "a skops file", "skops", "skops", (".skops",)),
    NativeFormat("xgboost json", "an XGBoost model (JSON)", "xgboost", "xgboost", (".json",)),
    NativeFormat("xgboost ubj", "an XGBoost model (UBJSON)", "xgboost", "xgboost", (".ubj",)),
    NativeFormat("lightgbm text", "a LightGBM model (text)", "lightgbm", "lightgbm", (".txt",)),
    NativeFormat("catboost", "a CatBoost model", "catboost", "catboost", (".cbm",)),
    NativeFormat("torchscript", "a TorchScript program", "torch", "torch", (".pt", ".pth", ".ts")),
    NativeFormat("torch.export", "a torch.export program", "torch", "torch", (".pt2",)),
    NativeFormat("keras", "a Keras model", "keras", "keras torch", (".keras",)),
    NativeFormat("keras hdf5", "a Keras model (HDF5)", "keras", "keras torch h5py", (".h5", ".hdf5")),
)
Policy = Literal["strict", "contained", "unsafe"]
MAX_MODEL_NAME = 200
ModelName = Annotated[str, Field(min_length=1, max_length=MAX_MODEL_NAME, pattern=r"^[^\x00-\x1f\x7f/\\@]+$")]
"""What the versions of one model are known by; it stands in addresses, and before @ in `latest:NAME@TAG`."""


def name_of_file(file: str) -> str:
    """The model's name where nobody gives one: the file's, without its end.

    >>> name_of_file("churn.pkl"), name_of_file("churn v2.joblib.gz"), name_of_file(".pkl")
    ('churn', 'churn v2', '.pkl')
    """
    stem, _, end = file.rpartition(".") if "." in file[1:] else (file, "", "")
    if f".{end}".lower() in PACKED and "." in stem[1:]:
        stem = stem.rpartition(".")[0]
    return re.sub(r"[\x00-\x1f\x7f/\\@]", "_", stem)[:MAX_MODEL_NAME] or "model"


PACKED = (".gz", ".bz2", ".xz", ".lzma", ".z", ".zst", ".lz4")


class RefusedName(Record):
    """A name that the file refers to and that is not on the list."""

    module: str
    name: str
    reason: str
    hint: str
    missing: bool = False  # its library is not installed here


class ScanReport(Record):
    """What the bytes of a model file showed. `ok` is None until the file has been followed to its end.

    globals: the names it refers to as "module name", the first hundred; refused: those that are not on the
    list; findings: what else no model's file does; damaged: where it is cut or broken, "" when it is whole.
    `ok` says that strict policy allows the file.
    """

    format: Literal["pickle", "joblib", "json", "unknown"] | FormatName = "unknown"
    container: Literal["", "mlflow"] = ""  # what the file is in which a file of that format was found
    compression: str | None = None
    protocol: int | None = None
    libraries: tuple[str, ...] = ()  # top-level packages the file names
    saved_with: dict[str, str] = Field(default_factory=dict)
    ok: bool | None = None
    globals: tuple[str, ...] = ()
    globals_count: int = 0
    refused: tuple[RefusedName, ...] = ()
    refused_count: int = 0
    findings: tuple[str, ...] = ()
    damaged: str = ""


MAX_FILES = 10  # of one run: the model and its companions
MAX_PARTS_TOLD = 100
PartRole = Literal["preprocessor", "model", "answers", "columns", "classes", "left aside"]


class ModelPart(Record):
    """One part of a bundle, or one of several files: what it is, and what was made of it.

    entry: its key or file's name. The parts stand in the order in which rows go through them: preprocessors,
    the model, what brings its answers back into the target's unit; then the names, then what was left aside.
    """

    entry: str
    kind: str
    role: PartRole
    note: str = ""


class ModelFile(Record):
    """A file that came beside the model."""

    name: str
    sha256: str
    bytes: int
    format: str = "unknown"


Task = Literal["classification", "regression", "clustering", "outlier", "unknown"]


class ModelInfo(Record):
    """Identity of one model; filled from the bytes first, completed once it is loaded.

    upgraded_from: the older scikit-learn (or XGBoost) that saved it, where it was brought forward to today's;
    upgrades: the steps that changed something, by name. parts: () for a file that is a model alone.
    """

    name: str
    sha256: str
    bytes: int
    format: str = "unknown"  # until the file was looked at, and of what is no model
    framework: str = "unknown"
    estimator: str = "unknown"
    task: Task = "unknown"
    features: tuple[str, ...] = ()
    n_features: int | None = None
    classes: tuple[str, ...] = ()
    class_shares: tuple[float, ...] | None = None  # of the training data, where the model kept them
    saved_with: dict[str, str] = Field(default_factory=dict)
    upgraded_from: str | None = None
    upgrades: tuple[str, ...] = ()
    scan: ScanReport = ScanReport()
    parts: tuple[ModelPart, ...] = ()
    companions: tuple[ModelFile, ...] = ()
    load_ms: Figure = None
    load_memory_mb: Figure = None
