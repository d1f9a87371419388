"""What a model file is, by its bytes alone: compression, pickle protocol, libraries and versions named.

Promises: executes nothing, holds a bounded part of the file in memory, and names what a file that is no
pickle looks like. Leaves loading to `estimators.loading`, which runs in the locked child only.
"""

import bz2
import importlib.util
import io
import lzma
import pickletools
import re
import warnings
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from mmap import mmap
from typing import Any, BinaryIO, Literal, Protocol

from errors import MissingLibrary, NotAModel

__all__ = [
    "FileReading", "Inflation", "check_is_pickle", "compression_of", "read_stream", "same_version",
    "versions_in"]  # fmt: skip

HEAD = 1 << 20  # decompressed bytes that a first glance takes in
MAX_OPCODES = 200_000
CHUNK = 1 << 20
MAX_INFLATED = 2 << 30
MAX_RATIO = 500  # fitted forests compress 3 to 10 times; gzip's worst is 1,032
RATIO_FLOOR = 64 << 20
HIGHEST_PROTOCOL = 5
MAX_MARKERS = 1_000  # places where a version may be told; the first one does in models' files

SAVE_HINT = "Save the fitted model with joblib.dump(model, 'model.pkl') and upload that file."
DAMAGED_HINT = "The upload was cut or the file is damaged: save the model again and upload the new file."

COMPRESSIONS = (  # joblib's own prefixes
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bz2"),
    (b"\xfd7zXZ", "xz"),
    (b"\x5d\x00", "lzma"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\x78\x01", "zlib"),
    (b"\x78\x5e", "zlib"),
    (b"\x78\x9c", "zlib"),
    (b"\x78\xda", "zlib"),
)

OTHER_FORMATS = (  # (starts with, also holds, what it is)
    (b"version https://git-lfs", b"", "a Git LFS pointer, which stands for a file"),
    (b"PK\x03\x04", b"data.pkl", "a PyTorch archive of weights or of a whole module"),
    (b"PK\x03\x04", b"", "a zip archive"),
    (b"\x89HDF", b"", "an HDF5 file (Keras, perhaps)"),
    (b"\x93NUMPY", b"", "a NumPy array (.npy)"),
    (b"PAR1", b"", "a Parquet table"),
    (b"binf", b"", "an XGBoost model in its old binary format"),
    (b"bs64", b"", "an XGBoost model in its old binary format"),
    (b"\x08", b"onnx", "an ONNX model that is cut or damaged"),
    (b"\x08", b"\x12\x07pytorch", "an ONNX model that is cut or damaged"),
    (b"<!doctype html", b"", "a web page (HTML)"),
    (b"<html", b"", "a web page (HTML)"),
    (b"<", b"PMML", "a PMML document"),
    (b"<", b"", "an XML or HTML document"),
    (b"%PDF", b"", "a PDF document"),
    (b"\x7fELF", b"", "a program"),
    (b"MZ", b"", "a program"),
    (b"\x89PNG\r\n", b"", "a picture (PNG)"),
    (b"\xff\xd8\xff", b"", "a picture (JPEG)"),
    (b"GIF8", b"", "a picture (GIF)"),
    (b"Rar!\x1a", b"", "an archive (RAR)"),
    (b"7z\xbc\xaf", b"", "an archive (7z)"),
    (b"SQLite format 3", b"", "a database (SQLite)"),
    (b"{", b'"nbformat"', "a Jupyter notebook"),
    (b"{", b'"keras_version"', "the layers of a Keras model (JSON), without its weights"),
    (b"{", b'"class_name": "Sequential"', "the layers of a Keras model (JSON), without its weights"),
    (b"{", b'"class_name": "Functional"', "the layers of a Keras model (JSON), without its weights"),
    (b"artifact_path:", b"flavors:", "the description of an MLflow model (MLmodel)"),
    (b"flavors:", b"", "the description of an MLflow model (MLmodel)"),
)
# XGBoost's own until 3.0, without a name of its own: an objective and a booster, each behind its length.
OLD_XGBOOST = re.compile(
    rb"\x00{7}(?:binary|reg|multi|rank|count|survival):[a-z0-9]+[\x04-\x08]\x00{7}(?:gbtree|gblinear|dart)"
)
SCRIPT = re.compile(rb"(?:^|\n)(?:import [\w.]+|from [\w.]+ import |def \w+\(|class \w+[(:])")

ADVICE = {  # by how `_looks_like` begins
    "a PyTorch archive": "Weights alone cannot predict: save the module as a program, with "
    "torch.jit.script(module).save('model.pt') or torch.onnx.export, and upload that file.",
    "an HDF5 file": "Save the model as model.save('model.keras') and upload that file.",
    "a Git LFS pointer": "Run `git lfs pull` in the project, and upload the file again; it is larger then.",
    "a web page": "A login or error page is often saved in a file's place: download the model's raw file.",
    "a table of text": "Send it as the sample, and the model's own file as the model.",
    "a Parquet table": "Send it as the sample, and the model's own file as the model.",
    "a Jupyter notebook": "Let it save the model with joblib.dump(model, 'model.pkl') and upload that file.",
    "a Python script": "Run it, and upload the file that it saves the model in.",
    "the layers of a Keras model": "Save all of it as model.save('model.keras') and upload that file.",
    "the description of an MLflow": "Upload the whole folder that it lies in, as a zip or tar.",
    "an archive": "Unpack it, and upload the model's own file.",
    "an XGBoost model": "Save it as booster.save_model('model.json') or 'model.ubj', with the release that "
    "wrote it, and upload that file.",
}

Content = bytes | bytearray | mmap
KNOWN_LIBRARIES = rb"sklearn|xgboost|lightgbm|catboost|numpy|pandas|scipy|joblib|imblearn|category_encoders"
# A module's name as a literal: SHORT_BINUNICODE (protocol 4 and 5), BINUNICODE (2, 3), GLOBAL.
LIBRARY = re.compile(rb"(?:\x8c.|X.\x00\x00\x00|c)(" + KNOWN_LIBRARIES + rb")[.\n\x94]", re.DOTALL)
# The key, perhaps memoised and at a frame's edge, then its value as a literal.
SKLEARN_VERSION = re.compile(
    rb"_sklearn_version(?:\x94|q.|r.{4}|\np\d+\n|\n)?(?:\x95.{8})?"
    rb"(?:\x8c(?P<short>.)|X(?P<long>.{4})|V)(?P<text>\d[\w.+!-]{0,40})",
    re.DOTALL,
)
XGBOOST_VERSION = re.compile(rb"version\[(?:#L.{7}\x03|#i\x03|)i(.)i(.)i(.)", re.DOTALL)
XGBOOST_TEXT = re.compile(rb'version":\[(\d{1,4}),(\d{1,4}),(\d{1,4})\]')  # 1.0 to 1.5


@dataclass(frozen=True)
class FileReading:
    """What the bytes of a pickle or joblib file say about it."""

    format: Literal["pickle", "joblib"]
    compression: str | None
    protocol: int | None
    libraries: tuple[str, ...]
    saved_with: dict[str, str]


def read_stream(file: BinaryIO) -> FileReading:
    """Read what the file's first MiB, decompressed, says about it; raises NotAModel for what is no pickle.

    Libraries and versions that show further on are found by the whole scan.
    """
    content = Inflation(file)
    compression = content.compression
    if compression == "lz4" and importlib.util.find_spec("lz4") is None:  # loading says what is missing
        return FileReading("joblib", "lz4", None, (), {})
    head = b""
    for chunk in content:
        head += chunk
        if len(head) >= HEAD:
            break
    if not head:
        raise NotAModel("The file is empty.", hint=DAMAGED_HINT)
    walk = _walk(head, compression)
    # By plain search too: it works behind raw arrays, where opcodes cannot be followed.
    libraries = {*walk.libraries, *(m.group(1).decode() for m in LIBRARY.finditer(head))}
    is_joblib = compression is not None or "joblib" in libraries
    return FileReading(
        "joblib" if is_joblib else "pickle",
        compression,
        walk.protocol,
        tuple(sorted(libraries)),
        versions_in(head, libraries),
    )


def compression_of(start: bytes) -> str | None:
    """The compression that a file's first bytes announce, by joblib's own prefixes."""
    return next((name for magic, name in COMPRESSIONS if start.startswith(magic)), None)


def check_is_pickle(head: bytes, compression: str | None) -> None:
    """Raise NotAModel, saying what the file looks like, unless its content begins as a pickle does."""
    _walk(head[: HEAD if head[:1] != b"\x80" else 2], compression)


@dataclass
class _Walk:
    """What the opcodes of the head showed, as far as they could be followed."""

    protocol: int = 0
    libraries: tuple[str, ...] = ()
    calls: int = 0
    ended: bool = False


def _walk(head: bytes, compression: str | None) -> _Walk:
    """Follow the opcodes of `head`. A joblib file interleaves raw arrays: there the walk simply ends."""
    declared = head[:1] == b"\x80"
    if declared and len(head) > 1 and head[1] > HIGHEST_PROTOCOL:
        raise NotAModel(
            f"The file is a pickle of protocol {head[1]}, newer than any known here.", hint=SAVE_HINT
        )
    walk = _Walk(protocol=head[1] if declared and len(head) > 1 else 0)
    modules: set[str] = set()
    broken = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd escapes in the file's texts
            modules.update(_modules(head, walk))
    except (ValueError, UnicodeError, EOFError, AttributeError):  # what pickletools raises on other bytes
        broken = True
    if not declared and not (walk.ended or (walk.calls and not broken)):
        raise _not_a_pickle(head, compression)
    names = {m.partition(".")[0] for m in modules}
    walk.libraries = tuple(n for n in names if n.isidentifier() and len(n) <= 100 and n not in _OWN)
    return walk


_OWN = {"builtins", "__builtin__", "copyreg", "copy_reg", "_codecs", "collections", "functools"}


def _modules(head: bytes, walk: _Walk) -> Iterator[str]:
    """The modules that GLOBAL, INST and STACK_GLOBAL name, following strings through the memo."""
    memo: dict[int, str | None] = {}
    first: str | None = None  # the last two values pushed, when they are strings
    second: str | None = None
    for count, (opcode, argument, _) in enumerate(pickletools.genops(io.BytesIO(head))):
        name = opcode.name
        if name in ("GLOBAL", "INST"):
            walk.calls += 1
            yield str(argument).split(" ")[0]
        elif name == "STACK_GLOBAL":
            walk.calls += 1
            if first is not None:
                yield first
        if name == "MEMOIZE":
            memo[len(memo)] = second
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            memo[int(_number(argument))] = second
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            first, second = second, memo.get(int(_number(argument)))
        elif "UNICODE" in name or "STRING" in name:
            first, second = second, argument if isinstance(argument, str) else None
        elif name not in ("FRAME", "PROTO"):
            first, second = second, None
        if name == "STOP":
            walk.ended = True
        if count >= MAX_OPCODES:
            return


def _number(argument: Any) -> int:
    return argument if isinstance(argument, int) else -1


def versions_in(data: Content, libraries: Collection[str]) -> dict[str, str]:
    """The versions that saved the model, as far as its bytes hold them.

    scikit-learn and XGBoost write theirs. NumPy's main version shows in where its functions live, and
    LightGBM's in its text format: `2.x` stands for any version 2.
    """
    found = {}
    if "sklearn" in libraries and (match := _first(SKLEARN_VERSION, data, b"_sklearn_version")):
        size = match["short"] or match["long"]
        text = match["text"][: int.from_bytes(size, "little")] if size else match["text"]
        found["scikit-learn"] = text.decode()
    if "xgboost" in libraries:
        found |= _xgboost_in(data)
    if "lightgbm" in libraries and data.find(b"tree\nversion=v4\n") >= 0:
        found["lightgbm"] = "4.x"
    if "numpy" in libraries:
        new, old = data.find(b"numpy._core"), data.find(b"numpy.core")
        if (new < 0) != (old < 0):
            found["numpy"] = "2.x" if old < 0 else "1.x"
    return found


def _xgboost_in(data: Content) -> dict[str, str]:
    """Numbers of UBJSON since 1.6, JSON's text from 1.0 to 1.5; a Booster that tells none is older."""
    if match := _first(XGBOOST_VERSION, data, b"version["):
        return {"xgboost": ".".join(str(part[0]) for part in match.groups())}
    if match := _first(XGBOOST_TEXT, data, b'version":['):
        return {"xgboost": ".".join(part.decode() for part in match.groups())}
    old = data.find(b"xgboost.core") >= 0 and data.find(b"best_ntree_limit") >= 0
    return {"xgboost": "0.x"} if old else {}


def same_version(saved: str, here: str) -> bool:
    """Whether a version that a file tells is the one here; of `2.x` only the first number is known."""
    return saved == here or (saved.endswith(".x") and here.partition(".")[0] == saved[:-2])


def _first(pattern: re.Pattern[bytes], data: Content, marker: bytes) -> re.Match[bytes] | None:
    """The pattern's first match, looked for at its marker only: far faster than a search by pattern."""
    at = data.find(marker)
    for _ in range(MAX_MARKERS):
        if at < 0:
            break
        if match := pattern.match(data, at):
            return match
        at = data.find(marker, at + 1)
    return None


def _not_a_pickle(head: bytes, compression: str | None) -> NotAModel:
    inside = f"{compression} data that holds " if compression else ""
    what = _looks_like(head)
    hint = next((advice for start, advice in ADVICE.items() if what.startswith(start)), SAVE_HINT)
    return NotAModel(f"The file is {inside}{what}, not a model that can be tested.", hint=hint)


def _looks_like(head: bytes) -> str:
    lowered = head[:4096].lstrip().lower()
    for start, also, what in OTHER_FORMATS:
        if (head.startswith(start) or lowered.startswith(start)) and also in head[:65536]:
            return what
    if OLD_XGBOOST.search(head[:4096]):
        return "an XGBoost model in its old binary format"
    if b"\x00" in head[:4096]:
        return "of a format that is not known here"
    try:
        text = head[:4096].decode("utf-8", errors="strict" if len(head) < 4096 else "ignore")
    except UnicodeDecodeError:
        return "of a format that is not known here"
    if SCRIPT.search(head[:65536]):
        return "a Python script"
    if text.lstrip().startswith(("{", "[")):
        return "a JSON document"
    lines = text.splitlines()
    if len(lines) > 1 and any(lines[0].count(s) == lines[1].count(s) > 0 for s in ",;\t"):
        return "a table of text (CSV)"
    return "plain text"


class _Decompressor(Protocol):
    needs_input: bool
    eof: bool
    unused_data: bytes

    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Zlib:
    """zlib's decompressor (zlib and gzip headers alike) with the interface of bz2's and lzma's."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=47)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


def _decompressor(compression: str) -> Any:
    if compression in ("zlib", "gzip"):
        return _Zlib()
    if compression == "bz2":
        return bz2.BZ2Decompressor()
    if compression == "lz4":
        return _lz4()
    return lzma.LZMADecompressor(memlimit=256 << 20)


def _lz4() -> Any:
    try:
        frames = importlib.import_module("lz4.frame")
    except ImportError:
        raise MissingLibrary(
            "The file is compressed with lz4, which is not installed here.",
            hint="Install it for the server (pip install lz4) and restart, or save the model uncompressed.",
        ) from None
    return frames.LZ4FrameDecompressor()


class Inflation:
    """A file's content, decompressed as it is asked for, in pieces of at most 1 MiB, up to the caps.

    Once it is exhausted: `whole` unless the data were cut or larger than the cap, `trailing` when more
    bytes follow them. Raises NotAModel for damaged data and for what unpacks to an absurd size.
    """

    def __init__(self, file: BinaryIO) -> None:
        file.seek(0)
        self._file = file
        self.compression = compression_of(file.read(64))
        file.seek(0)
        self.whole = self.compression is None
        self.trailing = False

    def __iter__(self) -> Iterator[bytes]:
        if self.compression is None:
            while chunk := self._file.read(CHUNK):
                yield chunk
            return
        engine: _Decompressor = _decompressor(self.compression)
        taken = given = 0
        try:
            while not engine.eof and given < MAX_INFLATED:
                data = self._file.read(CHUNK // 4) if engine.needs_input else b""
                if engine.needs_input and not data:
                    return
                taken += len(data)
                piece = engine.decompress(data, CHUNK)
                given += len(piece)
                if given > RATIO_FLOOR and given > MAX_RATIO * taken:
                    raise NotAModel(
                        f"The file unpacks to more than {MAX_RATIO} times its size; no fitted model does.",
                        hint=SAVE_HINT,
                    )
                yield piece
        except (zlib.error, lzma.LZMAError, OSError, EOFError, RuntimeError) as error:  # lz4's is the last
            raise NotAModel(
                f"The file's {self.compression} data is damaged ({error}).", hint=DAMAGED_HINT
            ) from None
        self.whole = engine.eof
        self.trailing = bool(engine.unused_data) or bool(self._file.read(1))
