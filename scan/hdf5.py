"""HDF5 files of Keras: what the network in them is described as, and whether the file holds no more than one.

Promises: weights are not read; links to other files, data kept elsewhere, filters that would be loaded and
sizes that no weights have are found before Keras opens the file. Leaves what layers may be to `scan.files`.

h5py reads the file's structure, in C, so that this runs in the locked child only.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from errors import MissingLibrary, NotAModel
from records import bounded_json
from scan.formats import SAVE_HINT

__all__ = ["SIGNATURE", "Contents", "open_image", "read_hdf5"]

SIGNATURE = b"\x89HDF\r\n\x1a\n"
MAX_CONFIG = 8 << 20  # bytes of the description: 1 kB a layer
MAX_TOKENS = 1_000_000
MAX_DEPTH = 200
MAX_OBJECTS = 100_000  # groups and tables; a layer has about five
MAX_UNFOLDED = 2 << 30  # bytes of all tables
MAX_RATIO = 500  # times the file
RATIO_FLOOR = 64 << 20
FILTERS = {1: "deflate", 2: "shuffle", 3: "fletcher32", 32000: "lzf"}  # those that are part of h5py
KERAS_HINT = "Save the whole model as model.save('model.keras') and upload that file."


@dataclass(frozen=True)
class Contents:
    """config: the network's description. versions: what saved it. findings: what no saved model has."""

    config: dict[str, Any]
    versions: dict[str, str]
    findings: tuple[str, ...]


def read_hdf5(file: BinaryIO) -> Contents:
    """The description in an HDF5 file that Keras saved, and what is wrong with the rest of it.

    Raises MissingLibrary without h5py, NotAModel for weights alone, for other HDF5 files and for absurd
    sizes, ValueError for a damaged file or description.
    """
    h5py = _h5py()
    file.seek(0, 2)
    size = file.tell()
    file.seek(0)
    try:
        with open_image(file.read()) as opened:
            config = _text(h5py, opened, "model_config", MAX_CONFIG)
            if config is None:
                raise _no_model(opened)
            told = {key: _text(h5py, opened, key, 100) for key in ("keras_version", "backend")}
            findings = tuple(dict.fromkeys(_findings(h5py, opened, size)))
    except (OSError, RuntimeError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"{type(error).__name__}: {str(error)[:200]}") from None
    found = bounded_json.parse(config, max_bytes=MAX_CONFIG, max_depth=MAX_DEPTH, max_tokens=MAX_TOKENS)
    if not isinstance(found, dict):
        raise ValueError("its description is no object")
    version = told["keras_version"]
    return Contents(found, {"keras": version[:60]} if version else {}, findings)


def open_image(data: bytes) -> Any:
    """An HDF5 file out of its bytes: no call goes back into Python, and no path is there to be followed."""
    h5py = _h5py()
    return h5py.File(h5py.h5f.open_file_image(data))


def _h5py() -> Any:
    # No filter out of a folder, and no lock on a file that is open already.
    os.environ["HDF5_PLUGIN_PRELOAD"] = "::"
    os.environ["HDF5_USE_FILE_LOCKING"] = "FALSE"
    try:
        import h5py
    except ImportError:
        raise MissingLibrary(
            "The file is a Keras model (HDF5), and the library 'h5py' is not installed here.",
            hint="Install it for the server (pip install keras torch h5py, or all of "
            "requirements-frameworks.txt) and restart.",
        ) from None
    return h5py


def _text(h5py: Any, opened: Any, name: str, most: int) -> str | None:
    """A text that is kept as an attribute; None where there is none."""
    if name not in opened.attrs:
        return None
    if opened.attrs.get_id(name).get_storage_size() > most:
        raise ValueError(f"{name} has more than {most:,} bytes")
    value = opened.attrs[name]
    text = value.decode("utf-8") if isinstance(value, bytes) else value
    if not isinstance(text, str) or len(text) > most:
        raise ValueError(f"{name} is no text of at most {most:,} characters")
    return text


def _no_model(opened: Any) -> NotAModel:
    weights = {"layer_names", "model_weights", "_layer_checkpoint_dependencies", "layers"}
    if weights & {*opened.attrs, *opened}:
        return NotAModel(
            "The HDF5 file holds the weights of a Keras model alone, without the network they belong to.",
            hint=f"Build the network, load the weights into it, and save both. {KERAS_HINT}",
        )
    return NotAModel("The HDF5 file holds tables and no Keras model.", hint=SAVE_HINT)


def _findings(h5py: Any, opened: Any, size: int) -> Iterator[str]:
    """Everything in the file, each object once however often it is linked."""
    waiting, seen, unfolded = [opened], set(), 0
    while waiting:
        group = waiting.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                yield "it links to another file, or to another place in itself"
                continue
            found = group[name]
            address = h5py.h5o.get_info(found.id).addr
            if address in seen:
                continue
            seen.add(address)
            if len(seen) > MAX_OBJECTS:
                raise NotAModel(f"The HDF5 file has more than {MAX_OBJECTS:,} tables.", hint=SAVE_HINT)
            if isinstance(found, h5py.Group):
                waiting.append(found)
            elif isinstance(found, h5py.Dataset):
                unfolded += _bytes_of(found)
                if unfolded > MAX_UNFOLDED or unfolded > max(RATIO_FLOOR, MAX_RATIO * size):
                    raise NotAModel(
                        f"The HDF5 file of {size:,} bytes declares tables of {unfolded:,} bytes; no fitted "
                        "model does.",
                        hint=SAVE_HINT,
                    )
                yield from _kept_strangely(h5py, found)


def _bytes_of(table: Any) -> int:
    cells = 1
    for side in table.shape or ():
        cells *= int(side)
    return cells * int(table.dtype.itemsize)


def _kept_strangely(h5py: Any, table: Any) -> Iterator[str]:
    made = table.id.get_create_plist()
    if made.get_layout() == h5py.h5d.VIRTUAL or made.get_external_count():
        yield "it keeps weights in other files"
    if any(made.get_filter(i)[0] not in FILTERS for i in range(made.get_nfilters())):
        yield "it is packed by a filter that would have to be loaded"
