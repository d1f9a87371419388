"""What any model file shows without being executed: pickles by `scan.pickles`, libraries' own formats here.

Promises: a report or one of our errors, in time linear in the file's descriptions. Leaves knowing the
formats to `scan.native` and reading what is inside of arrays and graphs to their libraries.
"""

import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO

from errors import MAX_QUOTED, MissingLibrary, NotAModel
from records.model import NativeFormat, RefusedName, ScanReport
from scan import pickles
from scan.allow_list import allowed, today
from scan.formats import DAMAGED_HINT, read_stream
from scan.native import identify, json_entry, versions
from scan.pickles import printable, refused_name

__all__ = ["first_glance", "refused_in_skops", "scan"]

MAX_NAMES = 100
MAX_REFUSED = 20
MAX_DEPTH = 200
DAMAGED = (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, RuntimeError, NotImplementedError)

MAY_RUN_CODE = (
    "PyTorch reads parts of a torch.export program as pickles and evaluates its expressions, so that such a "
    "file can run any code (ONNX and TorchScript cannot)"
)
LAMBDA = "it has a Lambda layer, which carries code inside of the file"


def first_glance(file: BinaryIO) -> ScanReport:
    """Format, libraries and versions saved with, from a bounded part of the file; none of it executed.

    The whole scan is made where it can do no harm: in the locked child. Raises NotAModel, saying what the
    file looks like instead.
    """
    native = identify(file)
    if native is not None:
        return _of_format(file, native)
    reading = read_stream(file)
    return ScanReport(
        format=reading.format,
        libraries=reading.libraries,
        compression=reading.compression,
        protocol=reading.protocol,
        saved_with=reading.saved_with,
    )


def scan(file: BinaryIO) -> ScanReport:
    """Follow the whole file, whatever its format.

    Raises NotAModel for what is no model and for damaged descriptions, MissingLibrary where looking into
    the format takes a library that is not installed.
    """
    native = identify(file)
    if native is None:
        return pickles.scan_pickle(file)
    report = _of_format(file, native)
    try:
        if native.name == "skops":
            found = _scan_skops(file, report)
        elif native.name == "keras":
            found = _scan_keras(file, report)
        elif native.name == "torch.export":
            found = report.model_copy(update={"ok": False, "findings": (MAY_RUN_CODE,)})
        else:  # numbers and a closed set of operations: there is nothing in them that names code
            found = report.model_copy(update={"ok": True})
    except DAMAGED as error:
        raise NotAModel(
            f"The file looks like {native.title} but is damaged: {str(error)[:MAX_QUOTED]}.",
            hint=DAMAGED_HINT,
        ) from None
    file.seek(0)
    return found


def refused_in_skops(names: Iterator[str]) -> tuple[RefusedName, ...]:
    """Those of a skops file's types ("module.Class") that the list of allowed names does not hold."""
    pairs = [(module, name) for module, _, name in (full.rpartition(".") for full in names)]
    return tuple(refused_name(*pair) for pair in pairs if today(*pair) not in allowed())


def _of_format(file: BinaryIO, native: NativeFormat) -> ScanReport:
    return ScanReport(
        format=native.name,
        libraries=(native.library,),
        saved_with=versions(file, native),
    )


def _scan_skops(file: BinaryIO, report: ScanReport) -> ScanReport:
    """skops itself tells which types it does not know as harmless: those must be on our list."""
    described = json_entry(file, "schema.json")
    names = sorted({f"{module} {name}" for module, name in _skops_names(described)})
    libraries = {name.partition(" ")[0].partition(".")[0] for name in names} - {"builtins"}
    try:
        from skops.io import get_untrusted_types
    except ImportError:
        raise MissingLibrary(
            "The file is a skops file, and the library 'skops' is not installed here.",
            hint="Install it for the server (pip install skops) and restart, or save the model with joblib.",
        ) from None
    file.seek(0)
    refused = refused_in_skops(iter(get_untrusted_types(data=file.read())))
    return report.model_copy(
        update={
            "ok": not refused,
            "libraries": tuple(sorted({"skops", *map(printable, libraries)})[:MAX_NAMES]),
            "globals": tuple(printable(name) for name in names[:MAX_NAMES]),
            "globals_count": len(names),
            "refused": refused[:MAX_REFUSED],
            "refused_count": len(refused),
        }
    )


def _skops_names(node: Any, depth: int = 0) -> Iterator[tuple[str, str]]:
    if depth > MAX_DEPTH:
        raise ValueError("its objects are nested too deeply")
    if isinstance(node, dict):
        module, name = node.get("__module__"), node.get("__class__")
        if isinstance(module, str) and isinstance(name, str):
            yield module, name
        for value in node.values():
            yield from _skops_names(value, depth + 1)
    elif isinstance(node, list):
        for value in node:
            yield from _skops_names(value, depth + 1)


def _scan_keras(file: BinaryIO, report: ScanReport) -> ScanReport:
    """Layers are named by module and class; anything but Keras's own is a class or code of somebody's."""
    names: set[tuple[str, str]] = set()
    _collect_layers(json_entry(file, "config.json"), names, 0)
    foreign = [
        (module, name)
        for module, name in sorted(names)
        if module.partition(".")[0] not in ("keras", "builtins") or module == "builtins"
    ]
    refused = tuple(
        RefusedName(
            module=printable(module),
            name=printable(name),
            reason="is not one of Keras's own classes",
            hint="Build the model from Keras's own layers, or export it to ONNX.",
        )
        for module, name in foreign
    )
    findings = (LAMBDA,) if any(name in ("Lambda", "__lambda__") for _, name in names) else ()
    return report.model_copy(
        update={
            "ok": not (refused or findings),
            "globals": tuple(f"{printable(m)} {printable(n)}" for m, n in sorted(names)[:MAX_NAMES]),
            "globals_count": len(names),
            "refused": refused[:MAX_REFUSED],
            "refused_count": len(refused),
            "findings": findings,
        }
    )


def _collect_layers(node: Any, names: set[tuple[str, str]], depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ValueError("its layers are nested too deeply")
    if isinstance(node, dict):
        name = node.get("class_name")
        if isinstance(name, str):
            # Keras's history entries and tensors have a class and no module of their own.
            module = node.get("module") or ("keras" if name.startswith("__") else "")
            names.add((module if isinstance(module, str) else "", name))
            if node.get("registered_name") not in (None, name) and not str(module).startswith("keras"):
                names.add((str(module), str(node["registered_name"])))
        for value in node.values():
            _collect_layers(value, names, depth + 1)
    elif isinstance(node, list):
        for value in node:
            _collect_layers(value, names, depth + 1)
