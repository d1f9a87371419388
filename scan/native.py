"""Model files in a library's own format, known by their bytes: ONNX, skops, XGBoost, LightGBM ...

Promises: reads names and lengths only, a bounded part of the file, and executes nothing. Leaves pickles
to `scan.formats`, what the formats may hold to `scan.files`, and loading them to `estimators.native`.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, BinaryIO

from records.model import FORMATS, FormatName, NativeFormat
from scan.archives import described, entry_names, objects_in
from scan.hdf5 import SIGNATURE

__all__ = ["catboost_is_cut", "identify", "skops_versions", "versions"]


START = 1 << 16
MAX_VERSION = 60  # characters
END = 1 << 12
MAX_FIELDS = 10_000  # at the top of a protobuf message; a model has a dozen
MAX_GLANCED = 1 << 20  # bytes of a description inside of an archive; larger ones are left to the whole scan

# onnx.proto, ModelProto: how each field is written (0: a number; 2: a length and bytes), by its number.
ONNX_FIELDS = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
ONNX_GRAPH, ONNX_OPSETS, ONNX_PRODUCER, ONNX_PRODUCER_VERSION = 7, 8, 2, 3

XGBOOST_JSON = re.compile(rb"\s*\{\s*\"(?:learner|version|Config)\"\s*:")
XGBOOST_JSON_VERSION = re.compile(rb'"version"\s*:\s*\[\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\]')
XGBOOST_UBJ_VERSION = re.compile(rb"version\[(?:#L.{7}\x03|#i\x03|)i(.)i(.)i(.)", re.DOTALL)
CATBOOST_CATEGORIES = b"static_provider"  # v1 follows
SKLEARN_IN_SKOPS = re.compile(r'"(\d[\w.+!-]{0,40})"')
CATBOOST_VERSION = re.compile(rb"release (\d+\.\d+\.\d+)\.")


_BY_NAME = {found.name: found for found in FORMATS}


def identify(file: BinaryIO) -> NativeFormat | None:
    """The format that a file is in by its content, whatever its name; None for a pickle or anything else.

    Raises NotAModel for a zip archive that is damaged or has absurdly many entries.
    """
    file.seek(0)
    start = file.read(START)
    found: FormatName | None = None
    if start.startswith(b"PK\x03\x04"):
        found = _archive(file)
    elif start.startswith(SIGNATURE):
        found = "keras hdf5"
    elif start.startswith(b"CBM1"):
        found = "catboost"
    elif start.startswith(b"tree\nversion="):
        found = "lightgbm text"
    elif start.startswith(b"{L") and b"learner" in start[:64]:
        found = "xgboost ubj"
    elif XGBOOST_JSON.match(start) and b'"learner"' in start:
        found = "xgboost json"
    elif start[:1] in b"\x08\x12\x3a\x42" and len(start) > 1 and _is_onnx(file):
        found = "onnx"
    file.seek(0)
    return _BY_NAME[found] if found else None


def versions(file: BinaryIO, native: NativeFormat) -> dict[str, str]:
    """The versions that saved the file, as far as it tells; {} when it does not or is damaged."""
    found: dict[str, str] = {}
    with suppress(OSError, ValueError):
        found = dict(_VERSIONS[native.name](file)) if native.name in _VERSIONS else {}
    file.seek(0)
    return {library[:MAX_VERSION]: version[:MAX_VERSION] for library, version in found.items()}


def catboost_is_cut(data: bytes) -> bool:
    """Whether a CatBoost file ends before its trees do, or before its tables of categories do.

    CatBoost's own reader goes on behind such an end: it answers with what it finds there, or dies. The
    form (TFullModel::Save, TStaticCtrProvider, model.fbs): four letters; the length of the core, and the
    core; then each part that the core names. The tables of categories are the first part: how many they
    are, and each with its length. Of the other parts (texts, embeddings) CatBoost notices the end itself.
    """
    if len(data) < 8 or len(data) < (end := 8 + _number(data, 4)):
        return True
    try:
        first = next(_catboost_parts(data[8:end]), b"")
    except IndexError:  # a core of another form is left to CatBoost
        return False
    if not first.startswith(CATBOOST_CATEGORIES):
        return False
    try:
        tables, end = _catboost_size(data, end)
        for _ in range(tables):
            length, end = _catboost_size(data, end)
            end += length
            if end > len(data):
                return True
    except IndexError:
        return True
    return False


def _catboost_parts(core: bytes) -> Iterator[bytes]:
    """The names in the fourth field of a TModelCore, a flatbuffer. Raises IndexError out of its bounds."""
    root = _number(core, 0)
    fields = root - _number(core, root, signed=True)
    if _number(core, fields, 2) < 12:  # two lengths, then two bytes for each of four fields
        return
    offset = _number(core, fields + 10, 2)
    if not offset:
        return
    names = root + offset + _number(core, root + offset)
    for i in range(_number(core, names)):
        name = names + 4 + 4 * i
        name += _number(core, name)
        yield core[name + 4 : name + 4 + _number(core, name)]


def _catboost_size(data: bytes, at: int) -> tuple[int, int]:
    """(length, where what has it begins): four bytes, or eight behind four of ones."""
    size = _number(data, at)
    return (size, at + 4) if size < 0xFFFFFFFF else (_number(data, at + 4, 8), at + 12)


def _number(data: bytes, at: int, width: int = 4, *, signed: bool = False) -> int:
    if not 0 <= at <= len(data) - width:
        raise IndexError(at)
    return int.from_bytes(data[at : at + width], "little", signed=signed)


def _archive(file: BinaryIO) -> FormatName | None:
    """What a zip archive holds, by the names of its entries."""
    names = entry_names(file)
    if "schema.json" in names:
        return "skops"
    if "config.json" in names and "metadata.json" in names:
        return "keras"
    inner = {name.partition("/")[2] for name in names}  # PyTorch puts all into one folder
    if "archive_format" in inner or "serialized_exported_program.json" in {*names, *inner}:
        return "torch.export"
    if "constants.pkl" in inner and any(name.startswith("code/") for name in inner):
        return "torchscript"
    return None


def _is_onnx(file: BinaryIO) -> bool:
    """Whether the top level reads as a ModelProto to the file's very end, with a graph and its opsets."""
    seen = {field for field, _ in _top_fields(file)}
    return {ONNX_GRAPH, ONNX_OPSETS} <= seen


def _top_fields(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """(number, value of at most 100 bytes) of each field of a ModelProto; ends early, with 0, on others."""
    file.seek(0, 2)
    size = file.tell()
    file.seek(0)
    for _ in range(MAX_FIELDS):
        if file.tell() == size:
            return
        try:
            key = _varint(file)
            if ONNX_FIELDS.get(key >> 3) != key & 7:
                break
            if key & 7 == 0:
                yield key >> 3, str(_varint(file)).encode()
                continue
            length = _varint(file)
        except EOFError:
            break
        end = file.tell() + length
        if end > size:
            break
        yield key >> 3, file.read(min(length, 100))
        file.seek(end)
    yield 0, b""


def _varint(file: BinaryIO) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            break
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise EOFError


def _onnx_versions(file: BinaryIO) -> dict[str, str]:
    found = dict(_top_fields(file))
    producer = found.get(ONNX_PRODUCER, b"").decode("utf-8", "replace")
    version = found.get(ONNX_PRODUCER_VERSION, b"").decode("utf-8", "replace")
    return {producer: version} if producer and version else {}


def _skops_versions(file: BinaryIO) -> dict[str, str]:
    return skops_versions(described(file, "schema.json", MAX_GLANCED))


def skops_versions(schema: dict[str, Any]) -> dict[str, str]:
    """The versions that a file's description tells: skops's own, and that of the first scikit-learn in it."""
    found = schema.get("_skops_version")
    told = {"skops": found[:MAX_VERSION]} if isinstance(found, str) else {}
    for node in objects_in(schema):
        kept = node.get("_sklearn_version")
        text = kept.get("content") if isinstance(kept, dict) else None
        if isinstance(text, str) and (match := SKLEARN_IN_SKOPS.fullmatch(text)):
            return told | {"scikit-learn": match[1]}
    return told


def _keras_versions(file: BinaryIO) -> dict[str, str]:
    found = described(file, "metadata.json", MAX_GLANCED).get("keras_version")
    return {"keras": found} if isinstance(found, str) else {}


def _xgboost_versions(file: BinaryIO) -> dict[str, str]:
    """The version stands at the very end of the JSON file."""
    file.seek(0, 2)
    file.seek(max(0, file.tell() - END))
    found = XGBOOST_JSON_VERSION.search(file.read(END))
    return {"xgboost": b".".join(found.groups()).decode()} if found else {}


def _xgboost_ubj_versions(file: BinaryIO) -> dict[str, str]:
    file.seek(0, 2)
    file.seek(max(0, file.tell() - END))
    found = XGBOOST_UBJ_VERSION.search(file.read(END))
    return {"xgboost": ".".join(str(part[0]) for part in found.groups())} if found else {}


def _lightgbm_versions(file: BinaryIO) -> dict[str, str]:
    file.seek(0)
    return {"lightgbm": "4.x"} if file.read(64).startswith(b"tree\nversion=v4\n") else {}


def _catboost_versions(file: BinaryIO) -> dict[str, str]:
    """In the build's notes, among the model's descriptions behind its trees."""
    file.seek(0, 2)
    file.seek(max(0, file.tell() - (1 << 20)))
    found = CATBOOST_VERSION.search(file.read(1 << 20))
    return {"catboost": found[1].decode()} if found else {}


_VERSIONS: dict[str, Callable[[BinaryIO], dict[str, str]]] = {
    "onnx": _onnx_versions,
    "skops": _skops_versions,
    "keras": _keras_versions,
    "xgboost json": _xgboost_versions,
    "xgboost ubj": _xgboost_ubj_versions,
    "lightgbm text": _lightgbm_versions,
    "catboost": _catboost_versions,
}
