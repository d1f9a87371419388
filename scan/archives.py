"""Zip archives that a stranger made, and the descriptions in them.

Promises: the directory is counted before anything is made of it, what is unpacked and parsed is bounded, and
every walk is a loop. Leaves what a description says to `scan.files` and `scan.skops_nodes`.
"""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

from errors import NotAModel
from records import bounded_json
from scan.formats import DAMAGED_HINT, SAVE_HINT

__all__ = ["UNREADABLE", "described", "entry_names", "objects_in", "unpacked"]

# skops describes a forest of 1,000 trees in 15 MB of JSON, 1.2 million tokens and 5,000 entries; 500 rounds
# of boosting for four classes in 42 MB and 3.0 million; a vocabulary of 100,000 words in 43 MB and 4.3
# million; the deepest search over stacked pipelines that was tried has 40 levels. Keras needs 1 kB a layer.
MAX_ENTRIES = 30_000
MAX_DIRECTORY = MAX_ENTRIES * 128  # bytes; an entry takes 46, its name, and what else its writer adds
MAX_JSON = 64 << 20
MAX_TOKENS = 6_000_000
MAX_DEPTH = 200

END = struct.Struct("<4s4H2LH")  # end of central directory (PKWARE APPNOTE 4.3.16)
END64 = struct.Struct("<4sQ2H2L4Q")  # its large form (4.3.14), and what says where that is (4.3.15)
LOCATOR = struct.Struct("<4sLQL")
ENTRY = struct.Struct("<4s24xHHH12x")  # an entry of the directory, of which the lengths are read (4.3.12)
UNREADABLE = (OSError, EOFError, RuntimeError, struct.error, zipfile.BadZipFile, zlib.error)
READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others unpack a small piece into gigabytes at once


def entry_names(file: BinaryIO) -> tuple[str, ...]:
    """The names in an archive's directory, in its order.

    Stricter than zipfile, so that whoever reads the archive finds the same directory: one end of it, at the
    file's very end, which tells the truth about size, place and number. Raises NotAModel for any other, and
    for more than `MAX_ENTRIES`.
    """
    count, start, size = _directory(file)
    if count > MAX_ENTRIES or size > MAX_DIRECTORY:
        raise NotAModel(
            f"The file is a zip archive of {count:,} entries, with a directory of {size:,} bytes; at most "
            f"{MAX_ENTRIES:,} and {MAX_DIRECTORY:,} are read.",
            hint=SAVE_HINT,
        )
    file.seek(start)
    directory, names, at = file.read(size), [], 0
    while at < size:
        if size - at < ENTRY.size:
            raise _damaged("its directory is cut")
        signature, name, extra, comment = ENTRY.unpack_from(directory, at)
        if signature != b"PK\x01\x02":
            raise _damaged("its directory holds something else than entries")
        at += ENTRY.size
        names.append(directory[at : at + name].decode("utf-8", "replace"))
        at += name + extra + comment
    if at != size or len(names) != count:
        raise _damaged("its directory is not what its end says")
    return tuple(names)


def described(file: BinaryIO, name: str, most: int = MAX_JSON) -> dict[str, Any]:
    """The JSON object in an archive's entry, of at most `most` bytes. Raises ValueError for anything else."""
    entry_names(file)
    try:
        text = unpacked(file, name, most).decode("ascii")  # wider ones take up to four times as much
    except KeyError:
        raise ValueError(f"it has no {name}") from None
    except UNREADABLE as error:  # a RuntimeError when it is encrypted, or compressed in an unknown way
        raise ValueError(f"{name} cannot be unpacked: {error}") from None
    try:
        found = bounded_json.parse(text, max_bytes=most, max_depth=MAX_DEPTH, max_tokens=MAX_TOKENS)
    except ValueError as error:
        raise ValueError(f"{name} cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{name} holds no object")
    return found


def unpacked(file: BinaryIO, name: str, most: int) -> bytes:
    """An entry's content, of at most `most` bytes. Raises KeyError, ValueError, or one of UNREADABLE."""
    file.seek(0)
    with zipfile.ZipFile(file) as archive:
        entry = archive.getinfo(name)
        if entry.compress_type not in READABLE:
            raise ValueError(f"{name} is compressed in a way that is not read")
        if entry.file_size > most:
            raise ValueError(f"{name} unpacks to more than {most:,} bytes")
        with archive.open(entry) as stream:
            return stream.read(most)


def objects_in(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a JSON value, itself included, in no order."""
    waiting = [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(inner for inner in node.values() if isinstance(inner, dict | list))
        elif isinstance(node, list):
            waiting.extend(inner for inner in node if isinstance(inner, dict | list))


def _directory(file: BinaryIO) -> tuple[int, int, int]:
    """(entries, where the directory begins, its bytes), as the end of the archive says."""
    end_at = file.seek(0, 2) - END.size
    tail = max(0, end_at - LOCATOR.size - END64.size)
    file.seek(tail)
    data = file.read()
    if end_at < 0 or not data[end_at - tail :].startswith(b"PK\x05\x06"):
        raise _damaged("it does not end as an archive does")
    _, disk, first, here, count, size, start, comment = END.unpack_from(data, end_at - tail)
    if (disk, first, comment) != (0, 0, 0) or here != count:
        raise _damaged("its end is not that of one archive in one file")
    locator_at = end_at - LOCATOR.size
    if locator_at >= tail and data[locator_at - tail :].startswith(b"PK\x06\x07"):
        end_at = locator_at - END64.size
        _, disk, where, disks = LOCATOR.unpack_from(data, locator_at - tail)
        if end_at < tail or (disk, where, disks) != (0, end_at, 1):
            raise _damaged("its end is not where it says")
        signature, length, _, _, disk, first, here, *large = END64.unpack_from(data, end_at - tail)
        small = ((count, 0xFFFF), (size, 0xFFFFFFFF), (start, 0xFFFFFFFF))
        agrees = all(short in (long, full) for (short, full), long in zip(small, large, strict=True))
        if (signature, length, disk, first, here) != (b"PK\x06\x06", END64.size - 12, 0, 0, large[0]):
            raise _damaged("its end is not that of one archive in one file")
        if not agrees:
            raise _damaged("its two ends disagree")
        count, size, start = large
    if start + size != end_at:
        raise _damaged("its directory is not where its end says")
    return count, start, size


def _damaged(what: str) -> NotAModel:
    return NotAModel(f"The file is a zip archive that is damaged: {what}.", hint=DAMAGED_HINT)
