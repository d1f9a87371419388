"""What any model file shows without being executed: pickles by `scan.pickles`, libraries' own formats here.

Promises: a report or one of our errors, in time linear in the file's descriptions. Leaves knowing the
formats to `scan.native` and reading what is inside of arrays and graphs to their libraries.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO

from errors import MAX_QUOTED, NotAModel
from records.model import NativeFormat, RefusedName, ScanReport
from scan import pickles
from scan.archives import described, objects_in
from scan.formats import DAMAGED_HINT, read_stream
from scan.hdf5 import read_hdf5
from scan.native import identify, skops_versions, versions
from scan.pickles import printable, refused_name
from scan.skops_nodes import nodes_in, refused_in

__all__ = ["first_glance", "refused_in_skops", "scan"]

MAX_NAMES = 100
MAX_CONFIG = 8 << 20  # bytes of a Keras file's description: 1 kB a layer
MAX_REFUSED = 20

MAY_RUN_CODE = (
    "PyTorch reads parts of a torch.export program as pickles and evaluates its expressions, so that such a "
    "file can run any code (ONNX and TorchScript cannot)"
)
LAMBDA = "it has a Lambda layer, which carries code inside of the file"


def first_glance(file: BinaryIO) -> ScanReport:
    """Format, libraries and versions saved with, from a bounded part of the file; none of it executed.

    Raises NotAModel, saying what the file looks like instead.
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

    Raises NotAModel for what is no model and for damaged descriptions, MissingLibrary where unpacking takes a
    library that is not installed.
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
        elif native.name == "keras hdf5":
            found = _scan_hdf5(file, report)
        elif native.name == "torch.export":
            found = report.model_copy(update={"ok": False, "findings": (MAY_RUN_CODE,)})
        else:  # numbers and a closed set of operations: there is nothing in them that names code
            found = report.model_copy(update={"ok": True})
    except ValueError as error:
        raise NotAModel(
            f"The file looks like {native.title} but is damaged: {str(error)[:MAX_QUOTED]}.",
            hint=DAMAGED_HINT,
        ) from None
    file.seek(0)
    return found


def refused_in_skops(file: BinaryIO) -> tuple[RefusedName, ...]:
    """The first names in a skops file that the list does not hold, or not for what the file does with them.

    Raises ValueError for a damaged description.
    """
    nodes = nodes_in(described(file, "schema.json"))
    return tuple(refused_name(*pair) for pair in refused_in(nodes)[:MAX_REFUSED])


def _of_format(file: BinaryIO, native: NativeFormat) -> ScanReport:
    return ScanReport(
        format=native.name,
        libraries=(native.library,),
        saved_with=versions(file, native),
    )


def _scan_skops(file: BinaryIO, report: ScanReport) -> ScanReport:
    schema = described(file, "schema.json")
    nodes = nodes_in(schema)
    names = sorted({pair for _, pair in nodes})
    libraries = {module.partition(".")[0] for module, _ in names} - {"builtins"}
    refused = refused_in(nodes)
    return report.model_copy(
        update={
            "ok": not refused,
            "saved_with": skops_versions(schema),
            "libraries": tuple(sorted({"skops", *map(printable, libraries)})[:MAX_NAMES]),
            "globals": tuple(printable(f"{module} {name}") for module, name in names[:MAX_NAMES]),
            "globals_count": len(names),
            "refused": tuple(refused_name(*pair) for pair in refused[:MAX_REFUSED]),
            "refused_count": len(refused),
        }
    )


def _scan_keras(file: BinaryIO, report: ScanReport) -> ScanReport:
    return _of_layers(report, set(_layers(described(file, "config.json", MAX_CONFIG), "")))


def _scan_hdf5(file: BinaryIO, report: ScanReport) -> ScanReport:
    """Keras 2 names a layer by its class alone, which Keras looks up among its own."""
    contents = read_hdf5(file)
    found = _of_layers(report, set(_layers(contents.config, "keras")))
    findings = (*found.findings, *contents.findings)
    told = {"findings": findings, "ok": found.ok and not findings, "saved_with": contents.versions}
    return found.model_copy(update=told)


def _of_layers(report: ScanReport, names: set[tuple[str, str]]) -> ScanReport:
    """Layers are named by module and class; anything but Keras's own is a class or code of somebody's."""
    foreign = [
        (module, name)
        for module, name in sorted(names)
        if module.partition(".")[0] not in ("keras", "builtins") or module == "builtins"
    ]
    refused = [
        RefusedName(
            module=printable(module),
            name=printable(name),
            reason="is not one of Keras's own classes",
            hint="Build the model from Keras's own layers, or export it to ONNX.",
        )
        for module, name in foreign[:MAX_REFUSED]
    ]
    findings = (LAMBDA,) if any(name in ("Lambda", "__lambda__") for _, name in names) else ()
    return report.model_copy(
        update={
            "ok": not (refused or findings),
            "globals": tuple(f"{printable(m)} {printable(n)}" for m, n in sorted(names)[:MAX_NAMES]),
            "globals_count": len(names),
            "refused": tuple(refused),
            "refused_count": len(foreign),
            "findings": findings,
        }
    )


def _layers(config: dict[str, Any], unnamed: str) -> Iterator[tuple[str, str]]:
    """(module, class) of everything that a Keras config makes; unnamed: the module where none is told.

    A class that was registered under another name ("package>name") is somebody's own. Raises ValueError for
    what names no class.
    """
    for node in objects_in(config):
        if "class_name" not in node:
            continue
        name, module, registered = (node.get(key) for key in ("class_name", "module", "registered_name"))
        if not isinstance(name, str) or not all(isinstance(one, str | None) for one in (module, registered)):
            raise ValueError("a layer's class, or its module, is no text")
        # Keras's history entries and tensors have a class and no module of their own.
        module = module or ("keras" if name.startswith("__") else "" if ">" in name else unnamed)
        if node.get("function_type") == "lambda":
            name = "Lambda"
        yield module, name
        if registered not in (None, name) and not module.startswith("keras"):
            yield module, registered
