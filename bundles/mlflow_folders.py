"""The folder that MLflow writes a model into: which file of it is the model, and what it says of the inputs.

Promises: MLmodel and the example are read as data, in bounds; a flavour that is not tested is named. Leaves
the archive around the folder to `bundles.containers`, and the model's file to the scan.
"""

import posixpath
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pandas as pd
import yaml
from pydantic import ValidationError

from errors import MAX_QUOTED, DashboardError, NotAModel
from records import bounded_json
from records.schema import MAX_NAME, FieldSpec, Schema
from scan.formats import DAMAGED_HINT
from schema_utils import infer_from_frame

__all__ = ["JSON_DEPTH", "JSON_TOKENS", "Folder", "Read", "description_in", "read_folder"]

Read = Callable[[str, int], bytes]
"""An entry's content by its name, of at most so many bytes. Raises NotAModel for a larger one."""
MAX_DESCRIPTION = 1 << 20  # bytes of MLmodel, and of the example
MAX_DEPTH = 6  # folders above MLmodel: those that a zip of `mlruns/.../artifacts/model` begins with
JSON_DEPTH, JSON_TOKENS = 20, 200_000
EXAMPLE_ROWS = 1_000
ML_TYPES = {"double": "number", "float": "number", "integer": "integer", "long": "integer"}
LOG_HINT = "Log the estimator itself with its flavour (mlflow.sklearn.log_model), or upload its own file."


@dataclass(frozen=True)
class Folder:
    """model_file: its name in the archive. promised: the inputs by signature and example, where they tell."""

    model_file: str
    promised: Schema | None


def description_in(names: Sequence[str]) -> str | None:
    """The MLmodel nearest to the top."""
    found = [n for n in names if posixpath.basename(n) == "MLmodel" and n.count("/") <= MAX_DEPTH]
    return min(found, key=lambda name: (name.count("/"), name), default=None)


def read_folder(names: Sequence[str], read: Read) -> Folder:
    """The folder whose archive has these names. Raises NotAModel, saying what is missing or not tested."""
    place = description_in(names) or ""
    folder = posixpath.dirname(place)
    try:
        described = yaml.load(read(place, MAX_DESCRIPTION), Loader=_loader())
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise _unreadable(f"MLmodel is no YAML: {' '.join(str(error).split())}") from None
    flavours = described.get("flavors") if isinstance(described, Mapping) else None
    if not isinstance(flavours, Mapping):
        raise _unreadable("its MLmodel names no flavors")
    promised = None
    with suppress(ValueError, TypeError, KeyError, AttributeError, DashboardError, ValidationError):
        promised = _promised(described, folder, names, read)
    return Folder(_model_file(flavours, folder, names), promised)


def _unreadable(what: str) -> NotAModel:
    return NotAModel(f"The MLflow folder cannot be read: {what[:MAX_QUOTED]}.", hint=DAMAGED_HINT)


def _loader() -> Any:
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _model_file(flavours: Mapping[Any, Any], folder: str, names: Sequence[str]) -> str:
    """The name in the archive of the model's own file."""
    keys = {
        "sklearn": ("pickled_model", "model.pkl"),
        "xgboost": ("data", "model.xgb"),
        "lightgbm": ("data", "model.lgb"),
        "catboost": ("data", "model.cb"),
        "onnx": ("data", "model.onnx"),
        "keras": ("data", "data"),
        "tensorflow": ("data", "data"),
    }
    for flavour, (key, usual) in keys.items():
        facts = flavours.get(flavour)
        if not isinstance(facts, Mapping):
            continue
        told = facts.get(key)
        place = posixpath.normpath(posixpath.join(folder, told if isinstance(told, str) else usual))
        if place in names:
            return place
        within = [n for n in names if n.startswith(place + "/") and n.endswith((".keras", ".h5"))]
        if within:
            return within[0]
        raise NotAModel(
            f"MLmodel says that the {flavour} model is in {place[:MAX_QUOTED]!r}, and the archive has "
            "no such file.",
            hint="Pack the whole folder that mlflow wrote: `mlflow artifacts download`, then zip it.",
        )
    known = ", ".join(sorted(str(name)[:40] for name in flavours))[:MAX_QUOTED]
    raise NotAModel(
        f"The MLflow model has the flavours {known}, and none of them is tested here "
        f"({', '.join(keys)} are).",
        hint=LOG_HINT if "pytorch" not in flavours else "Export the module to ONNX or TorchScript instead.",
    )


def _promised(described: Mapping[Any, Any], folder: str, names: Sequence[str], read: Read) -> Schema | None:
    """The inputs by the signature, each as the input example shows it where there is one."""
    shown = _example(described, folder, names, read)
    signature = described.get("signature")
    listed: list[FieldSpec] = []
    if isinstance(signature, Mapping) and isinstance(signature.get("inputs"), str):
        inputs = bounded_json.parse(
            signature["inputs"], max_bytes=MAX_DESCRIPTION, max_depth=JSON_DEPTH, max_tokens=JSON_TOKENS
        )
        for one in inputs if isinstance(inputs, list) else ():
            name, kind = one.get("name"), one.get("type")
            if not isinstance(name, str) or not isinstance(kind, str):
                return shown  # tensors: one input of many numbers, without names
            known = {field.name: field for field in shown.features}.get(name) if shown else None
            listed.append(
                known
                or FieldSpec.model_validate(
                    {
                        "name": name[:MAX_NAME],
                        "type": "boolean" if kind == "boolean" else ML_TYPES.get(kind, "number"),
                        "nullable": not one.get("required", True),
                        "origin": "model",
                    }
                )
            )
    return Schema(features=tuple(listed)) if listed else shown


def _example(described: Mapping[Any, Any], folder: str, names: Sequence[str], read: Read) -> Schema | None:
    """What the input example shows of each column. Numbers only get a mean and a spread: it has few rows."""
    facts = described.get("saved_input_example_info")
    told = facts.get("artifact_path") if isinstance(facts, Mapping) else None
    name = told if isinstance(told, str) else "input_example.json"
    place = posixpath.normpath(posixpath.join(folder, name))
    if place not in names:
        return None
    found = bounded_json.parse(
        read(place, MAX_DESCRIPTION), max_bytes=MAX_DESCRIPTION, max_depth=JSON_DEPTH, max_tokens=JSON_TOKENS
    )
    found = found.get("dataframe_split", found) if isinstance(found, dict) else None
    if not isinstance(found, dict) or not {"columns", "data"} <= set(found):
        return None
    frame = pd.DataFrame(found["data"][:EXAMPLE_ROWS], columns=[str(name) for name in found["columns"]])
    fields = []
    for field in infer_from_frame(frame).features:
        figures = {"min": None, "max": None, "quantiles": None} if field.type in ("number", "integer") else {}
        fields.append(field.model_copy(update={**figures, "origin": "model", "missing_share": 0.0}))
    return Schema(features=tuple(fields))
