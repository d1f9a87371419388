"""Reads a model file without executing any of it: what it refers to, and whether strict policy allows it.

Promises: always ends in a report or in one of our errors, in time linear in the file. Leaves the list to
`scan.allow_list`, the opcodes to `scan.walk`, and enforcing it while loading to `estimators.unpickler`.
"""

import gc
import mmap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import UnsupportedOperation
from typing import BinaryIO

from errors import NotAModel
from records.model import RefusedName, ScanReport
from scan.allow_list import lookup, why_refused
from scan.formats import HEAD, MAX_INFLATED, SAVE_HINT, Inflation, check_is_pickle, versions_in
from scan.machine import Buffer, Damaged, Stopped
from scan.symbols import Global
from scan.walk import Walk

__all__ = ["printable", "refused_name", "scan_pickle"]


MAX_GLOBALS = 100  # reported; a fitted model refers to a few dozen
MAX_REFUSED = 20
MAX_DIFFERENT = 20_000  # names: a file with more is not followed to its end
MAX_NAME = 120
OWN = {"builtins", "__builtin__", "copyreg", "copy_reg", "_codecs", "collections", "functools", "datetime"}


def scan_pickle(file: BinaryIO) -> ScanReport:
    """Follow the whole file, from its start. Raises NotAModel for what is no pickle at all, and for bombs."""
    content = Inflation(file)
    with _buffer(file, content) as data:
        check_is_pickle(bytes(data[:HEAD]), content.compression)
        walk = Walk(data, _Bounded())
        findings = ["more data follow the compressed pickle"] if content.trailing else []
        damaged = "" if content.whole else "its compressed data end too early"
        try:
            with _undisturbed():
                walk.run()
        except Stopped as stopped:
            findings.append(str(stopped))
        except Damaged as error:
            damaged = str(error)
        return _report(content.compression, data, walk, findings + walk.notes, damaged)


@contextmanager
def _buffer(file: BinaryIO, content: Inflation) -> Iterator[Buffer]:
    """The whole content: mapped when it is a plain file on disk, so that arrays passed over stay there."""
    if content.compression is None:
        try:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError, AttributeError, UnsupportedOperation):  # empty, or not on disk
            file.seek(0)
            yield file.read()
            return
        with mapped:
            yield mapped
        return
    data = bytearray()
    for piece in content:
        data += piece
    if len(data) >= MAX_INFLATED:
        raise NotAModel(f"The file unpacks to more than {MAX_INFLATED >> 30} GiB.", hint=SAVE_HINT)
    yield data


@contextmanager
def _undisturbed() -> Iterator[None]:
    """No garbage collection meanwhile, which looks through every symbol again and again: half of the time.
    And no warning of Python's about odd escapes in the file's texts.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if enabled:
            gc.enable()


class _Bounded:
    """The list's look-up, which gives up on a file that refers to absurdly many names."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, module: str, name: str) -> Global:
        self._count += 1
        if self._count > MAX_DIFFERENT:
            raise Stopped(f"it refers to more than {MAX_DIFFERENT:,} names")
        return lookup(module, name)


def _report(
    compression: str | None, data: Buffer, walk: Walk, findings: list[str], damaged: str
) -> ScanReport:
    names = [(printable(module), printable(name)) for module, name in walk.globals]
    refused = [pair for pair, symbol in walk.globals.items() if symbol.refused]
    tops = {module.partition(".")[0] for module, _ in names}
    libraries = {top for top in tops if top.isidentifier() and top not in OWN}
    return ScanReport(
        format="joblib" if compression or "joblib" in libraries else "pickle",
        compression=compression,
        protocol=walk.protocol,
        libraries=tuple(sorted(libraries)[:MAX_GLOBALS]),
        saved_with=versions_in(data, libraries),
        ok=not (refused or findings or damaged),
        globals=tuple(f"{module} {name}" for module, name in names[:MAX_GLOBALS]),
        globals_count=len(names),
        refused=tuple(refused_name(*pair) for pair in refused[:MAX_REFUSED]),
        refused_count=len(refused),
        findings=tuple(printable(text, 300) for text in findings[:MAX_REFUSED]),
        damaged=printable(damaged, 300),
    )


def refused_name(module: str, name: str) -> RefusedName:
    """A name off the list, with the reason and what its file's owner can do."""
    why = why_refused(module, name)
    return RefusedName(module=printable(module), name=printable(name), **why._asdict())


def printable(text: str, most: int = MAX_NAME) -> str:
    """Printable text of bounded length, whatever the file calls itself."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text[:most])
