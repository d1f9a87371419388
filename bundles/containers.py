"""What a file holds before it is scanned: an MLflow folder's model, a companion's list of names, or itself.

Promises: archives are read in place and in bounds, nothing of them is written, and the file found inside is
scanned as any other. Leaves scanning to `scan.files`; runs under the lock.
"""

import io
import tarfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO

from bundles import mlflow_folders
from bundles.entries import names_in
from bundles.mlflow_folders import JSON_DEPTH, JSON_TOKENS
from errors import MAX_QUOTED, NotAModel
from records import bounded_json
from records.model import ScanReport
from records.schema import Schema
from scan import files
from scan.archives import UNREADABLE, entry_names, unpacked
from scan.formats import CHUNK, DAMAGED_HINT, MAX_INFLATED, Inflation
from scan.native import identify

__all__ = ["Opened", "opened"]

MAX_ENTRIES = 2_000  # of an MLflow folder: a model, its environment, an example
MAX_LIST = 1 << 20  # bytes of a list of names
TAR_MARK, TAR_MARK_AT = b"ustar", 257


@dataclass
class Opened:
    """One file as it is read. file: the bytes of the model, or of what else it is.

    container: what it was found in. promised: what MLflow's signature and example say of the inputs. names:
    of a companion that is a list of columns; None otherwise.
    """

    file: BinaryIO
    container: str = ""
    promised: Schema | None = None
    names: tuple[str, ...] | None = None

    def glance(self) -> ScanReport:
        """As `scan.files.first_glance`."""
        return self._report(files.first_glance)

    def scan(self) -> ScanReport:
        """As `scan.files.scan`."""
        return self._report(files.scan)

    def _report(self, read: Callable[[BinaryIO], ScanReport]) -> ScanReport:
        if self.names is not None:
            return ScanReport(format="json", ok=True)
        return read(self.file).model_copy(update={"container": self.container})


def opened(file: BinaryIO, *, companion: bool = False) -> Opened:
    """What the file holds. companion: a JSON list of names is one then.

    Raises NotAModel for an MLflow folder that holds nothing to be tested, saying why.
    """
    file.seek(0)
    start = file.read(1024)
    file.seek(0)
    if companion and start.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"[", b"{") and identify(file) is None:
        return Opened(file, names=_names(file))
    archive = _archive(file, start)
    file.seek(0)
    if archive is None:
        return Opened(file)
    names, read = archive
    if len(names) > MAX_ENTRIES:
        raise _unreadable(f"it has more than {MAX_ENTRIES:,} entries")
    found = mlflow_folders.read_folder(names, read)
    return Opened(io.BytesIO(read(found.model_file, MAX_INFLATED)), "mlflow", found.promised)


def _names(file: BinaryIO) -> tuple[str, ...] | None:
    """A list of names in a JSON companion, alone or the only one in an object; None for other JSON."""
    file.seek(0)
    data = file.read(MAX_LIST + 1)
    file.seek(0)
    try:
        found = bounded_json.parse(data, max_bytes=MAX_LIST, max_depth=JSON_DEPTH, max_tokens=JSON_TOKENS)
    except ValueError:
        return None
    lists = found.values() if isinstance(found, dict) else [found]
    return next((names for one in lists if isinstance(one, list) and (names := names_in(one))), None)


# --- Archives ------------------------------------------------------------------------------------


def _archive(file: BinaryIO, start: bytes) -> tuple[tuple[str, ...], mlflow_folders.Read] | None:
    """The names in an archive with an MLmodel, and what reads one of them; None for any other file."""
    if start.startswith(b"PK\x03\x04"):
        names = entry_names(file)
        if mlflow_folders.description_in(names) is None:
            return None
        return names, lambda name, most: _from_zip(file, name, most)
    head, packed = start, start.startswith(b"\x1f\x8b")
    if packed:
        with suppress(NotAModel):
            head = next(iter(Inflation(file)), b"")
    if head[TAR_MARK_AT : TAR_MARK_AT + len(TAR_MARK)] != TAR_MARK:
        return None
    members = dict(_tar_members(file, packed))
    if mlflow_folders.description_in(tuple(members)) is None:
        raise NotAModel(
            f"The file is a tar archive without an MLmodel: {', '.join(list(members)[:8])[:MAX_QUOTED]}.",
            hint="Unpack it, and upload the model's own file, with its preprocessors beside it.",
        )
    return tuple(members), lambda name, most: _bounded(members[name], name, most)


def _from_zip(file: BinaryIO, name: str, most: int) -> bytes:
    try:
        return unpacked(file, name, most)
    except (KeyError, ValueError, *UNREADABLE) as error:
        raise _unreadable(str(error)) from None


def _tar_members(file: BinaryIO, packed: bool) -> Iterator[tuple[str, bytes]]:
    """Regular files only, in memory: links and devices are nothing that a model's folder has."""
    taken = 0
    file.seek(0)
    try:
        stream: Any = _Inflated(file) if packed else file
        # In pieces as large as `Inflation` gives: each smaller one would copy all that is left of them.
        with tarfile.open(fileobj=stream, mode="r|", bufsize=CHUNK) as archive:
            for count, member in enumerate(archive):
                if count >= MAX_ENTRIES:
                    raise _unreadable(f"it has more than {MAX_ENTRIES:,} entries")
                if not member.isfile():
                    continue
                taken += member.size
                if taken > MAX_INFLATED:
                    raise _unreadable(f"it unpacks to more than {MAX_INFLATED:,} bytes")
                content = archive.extractfile(member)
                yield member.name.removeprefix("./"), b"" if content is None else content.read()
    except (tarfile.TarError, *UNREADABLE) as error:
        raise _unreadable(str(error)) from None


class _Inflated:
    """A packed file's content as a stream that is read once, within `Inflation`'s caps."""

    def __init__(self, file: BinaryIO) -> None:
        self._pieces = iter(Inflation(file))
        self._left = b""

    def read(self, size: int) -> bytes:
        while len(self._left) < size and (piece := next(self._pieces, None)) is not None:
            self._left += piece
        found, self._left = self._left[:size], self._left[size:]
        return found


def _bounded(content: bytes, name: str, most: int) -> bytes:
    if len(content) > most:
        raise _unreadable(f"{name} is {len(content):,} bytes")
    return content


def _unreadable(what: str) -> NotAModel:
    return NotAModel(f"The archive cannot be read: {what[:MAX_QUOTED]}.", hint=DAMAGED_HINT)
