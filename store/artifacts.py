"""Content-addressed files: models, samples and large results, each under the sha256 of its bytes.

Promises: a file is either complete under its name or not there, and no name a caller sends ever
becomes a path. Reads nothing out of the bytes; leaves who needs which file to the store.
"""

import errno
import hashlib
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from errors import InvalidInput, NotFound, TooLarge, Unavailable

__all__ = ["Artifact", "Artifacts"]

CHUNK = 1024 * 1024
MEGABYTE = 1024 * 1024
TEMPORARY = ".incoming-"
STALE_S = 3600.0  # an upload that wrote nothing for an hour is dead; a live one may be another process's
SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Artifact:
    """A stored file: the name of its content, and its size in bytes."""

    sha256: str
    bytes: int


class Artifacts:
    """The files under `root`, as root/ab/abcdef…; only this user may read them."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def add(self, stream: BinaryIO, limit: int) -> Artifact:
        """Store what the stream holds, at most `limit` bytes.

        TooLarge beyond the limit, InvalidInput for an empty file, Unavailable when the disk is full;
        whatever goes wrong, nothing is left behind.
        """
        with _room_on_disk():
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary = self._root / f"{TEMPORARY}{secrets.token_hex(16)}"
            try:
                artifact = _write(stream, temporary, limit)
                target = self._place(artifact.sha256)
                target.parent.mkdir(mode=0o700, exist_ok=True)
                # Also over a file of that name: same content, and a damaged one is mended.
                temporary.replace(target)
            finally:
                temporary.unlink(missing_ok=True)
            _keep_entry(target.parent)
            _keep_entry(self._root)
        return artifact

    def path(self, sha256: str) -> Path:
        """Where the file is; NotFound for one that is not stored, or a name that is no sha256."""
        path = self._place(sha256)
        if not path.is_file():
            raise NotFound("The file is not stored (any more).", hint="Upload it again.")
        return path

    def remove(self, sha256: str) -> None:
        """Removing what is not there is fine."""
        self._place(sha256).unlink(missing_ok=True)

    def clean_up(self, older_than_s: float = STALE_S) -> int:
        """Remove what uploads that died have left; how many files that was."""
        oldest = time.time() - older_than_s
        removed = 0
        for path in self._root.glob(f"{TEMPORARY}*"):
            try:
                if path.stat().st_mtime < oldest:
                    path.unlink()
                    removed += 1
            except FileNotFoundError:
                continue  # its own process has just finished with it
        return removed

    def stored_before(self, age_s: float) -> Iterator[str]:
        """The names of the files that were last uploaded longer ago than `age_s`."""
        oldest = time.time() - age_s
        for path in self._root.glob("??/*"):
            with suppress(FileNotFoundError):  # removed meanwhile
                if SHA256.fullmatch(path.name) and path.stat().st_mtime < oldest:
                    yield path.name

    def _place(self, sha256: str) -> Path:
        if SHA256.fullmatch(sha256) is None:
            raise NotFound("A file's name is the sha256 of its content, 64 hexadecimal digits.")
        return self._root / sha256[:2] / sha256


def _write(stream: BinaryIO, path: Path, limit: int) -> Artifact:
    digest = hashlib.sha256()
    size = 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(descriptor, "wb") as file:
        while chunk := stream.read(CHUNK):
            size += len(chunk)
            if size > limit:
                raise TooLarge(
                    f"The file is larger than {limit / MEGABYTE:.3g} MB.",
                    hint="Send a smaller file, or raise MAX_UPLOAD_MB on the server.",
                )
            digest.update(chunk)
            file.write(chunk)
        if size == 0:
            raise InvalidInput("The file is empty.", hint="Check that the file was saved and sent whole.")
        file.flush()
        os.fsync(file.fileno())
    return Artifact(digest.hexdigest(), size)


@contextmanager
def _room_on_disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise Unavailable(
            "The server's disk is full.", hint="Free space on the disk that holds DATA_DIR."
        ) from error


def _keep_entry(folder: Path) -> None:
    """A rename survives a power cut only once its folder is on disk; Windows cannot open folders."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
