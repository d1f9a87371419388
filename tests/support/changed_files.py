"""Real small files of every kind, and what becomes of them when some of it is changed.

Promises: the same inputs for the same seed; what holds a checksum or a length gets the right one again, so
that whoever reads it gets further than its first check. Leaves posting them to `scripts.fuzz`.
"""

import io
import json
import pickle
import pickletools
import random
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import skops.io

from tests.support import bombs, models_for_tests
from tests.support.forged_answers import save_mutating
from tests.support.kept_inputs import Input, recorded
from tests.support.models_for_tests import (
    forest_pipeline,
    lightgbm_classifier,
    logistic,
    ridge,
    xgboost_booster,
    xgboost_classifier,
)

__all__ = ["draw", "seeds"]

LARGEST = 200_000
WIDTHS = {1: "<B", 2: "<H", 4: "<I", 8: "<Q"}
DIGITS = re.compile(rb"-?\d+(?:\.\d+)?")
TOKENS = (b"0", b"-1", b"1e308", b"NaN", b"2147483648", b"9" * 20, b"9" * 400, b'"', b"", b"[", b"}")
EDGES: tuple[Any, ...] = (
    0, 1, -1, 2**31, -(2**31) - 1, 2**32, 2**53 + 1, 2**63, 2**64, 10**400, 0.1, 5e-324, 1e308, -1e308,
    float("nan"), float("inf"), None, True, False, "", "a", "0", "\ud800", "\0", "x" * 5000, "</script>",
    "2024-02-30", "1e999", [], {}, [[]], {"": {}}, [[]] * 3000, ["a"] * 3000, [None], {"name": []},
)  # fmt: skip


def seeds() -> list[Input]:
    """Small files as people have them, the bombs in small, and what was recorded."""
    return [*_models(), *_samples(), *_documents(), *_small_bombs(), *recorded()]


def draw(seeds: list[Input], rng: random.Random) -> Input:
    """One seed, changed in a few places; each kind as often as the others."""
    kind = rng.choice(("model", "model", "sample", "sample", "schema", "config", "answer"))
    if kind == "answer":
        return Input(kind, "liar.pkl", _liar(rng.randrange(2**32), rng.choice((0.05, 0.2, 0.5))))
    alike = [seed for seed in seeds if seed.kind == kind]
    chosen = rng.choice(alike)
    data = chosen.data
    for _ in range(rng.choice((0, 1, 1, 2, 4))):
        data = _changed(data, [other.data for other in alike], rng)[:LARGEST]
    return chosen._replace(data=data or b"\0")


# How bytes are changed -----------------------------------------------------------------------------


def _changed(data: bytes, others: list[bytes], rng: random.Random) -> bytes:
    """As its structure allows, or blindly where it has none or luck says so."""
    if rng.random() < 0.6:
        with suppress(Exception):  # what is too broken for its own format is changed blindly
            if data[:2] == b"PK":
                return _archive(data, others, rng)
            if data[:4] == b"PAR1":
                return _footer(data, others, rng)
            if data[:1] == b"x":
                return zlib.compress(_changed(zlib.decompress(data), others, rng))
            if data.lstrip()[:1] in (b"{", b"["):
                return json.dumps(_swapped(json.loads(data), rng)).encode()
            if data[:1] == b"\x80":
                return _opcodes(data, others, rng)
    return _blindly(data, others, rng)


def _blindly(data: bytes, others: list[bytes], rng: random.Random) -> bytes:
    found, at, width = bytearray(data), rng.randrange(len(data) + 1), rng.choice((1, 1, 4, 16, 64, 1000))
    match rng.randrange(8):
        case 0:
            found[at : at + 1] = bytes([(data[at : at + 1] or b"\0")[0] ^ 1 << rng.randrange(8)])
        case 1:
            found[at : at + width] = rng.randbytes(width)
        case 2:
            del found[at : at + width]
        case 3:
            found[at:at] = data[at : at + width] * rng.choice((1, 2, 200))
        case 4:
            other = rng.choice(others)
            start = rng.randrange(len(other) + 1)
            found[at : at + width] = other[start : start + width]
        case 5:
            del found[at:]
        case 6:
            size = rng.choice((1, 2, 4, 8))
            edge = rng.choice((0, 1, -1, 2 ** (8 * size - 1), 2 ** (8 * size - 1) - 1, len(data)))
            found[at : at + size] = struct.pack(WIDTHS[size], edge % 2 ** (8 * size))
        case _:
            numbers = list(DIGITS.finditer(data[:20_000]))
            if numbers:
                number = rng.choice(numbers)
                found[number.start() : number.end()] = rng.choice(TOKENS)
    return bytes(found)


def _swapped(value: Any, rng: random.Random) -> Any:
    """The document with one of its values, at any depth, changed, doubled, moved or left out."""
    if not isinstance(value, dict | list) or not value or rng.random() < 0.1:
        return rng.choice(EDGES)
    places = list(value) if isinstance(value, dict) else list(range(len(value)))
    at = rng.choice(places)
    kept: Any = dict(value) if isinstance(value, dict) else list(value)
    action = rng.randrange(8)
    if action == 0:
        del kept[at]
    elif action == 1:
        kept[at] = kept[rng.choice(places)]
    elif action == 2 and isinstance(kept, dict):
        kept[rng.choice(("", "a", "name", "\ud800", "x" * 300))] = kept[at]
    elif action == 2:
        kept *= rng.choice((2, 100))
    elif action == 3:
        kept[at] = [kept[at]]
    else:
        kept[at] = _swapped(kept[at], rng)
    return kept


def _archive(data: bytes, others: list[bytes], rng: random.Random) -> bytes:
    """One entry changed, doubled, renamed or left out; checksums and lengths are right again."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = [(name, archive.read(name)) for name in archive.namelist()]
    at = rng.randrange(len(entries))
    name, content = entries[at]
    action = rng.randrange(6)
    if action == 0:
        del entries[at]
    elif action == 1:
        entries.append((rng.choice(entries)[0], content))
    elif action == 2:
        entries[at] = (rng.choice(("", "../x", "schema.json", "config.json", "a/b", "\ufffd" * 50)), content)
    else:
        entries[at] = (name, _changed(content, others, rng))
    return _zipped(entries, rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))


def _zipped(entries: list[tuple[str, bytes]], compression: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in entries:
            info = zipfile.ZipInfo(name or "-")
            archive.NameToInfo.pop(info.filename, None)  # a doubled name is no warning here
            archive.writestr(info, content, compression)
    return file.getvalue()


def _footer(data: bytes, others: list[bytes], rng: random.Random) -> bytes:
    length = int.from_bytes(data[-8:-4], "little")
    footer = _blindly(data[-8 - length : -8], others, rng)
    return data[: -8 - length] + footer + struct.pack("<I", len(footer)) + b"PAR1"


def _opcodes(data: bytes, others: list[bytes], rng: random.Random) -> bytes:
    """One opcode of a pickle left out, doubled, moved or taken from another; without frames."""
    spans = [part for part in _spans(data) if part[:1] != b"\x95"]
    at = rng.randrange(len(spans))
    match rng.randrange(4):
        case 0:
            del spans[at]
        case 1:
            spans.insert(at, spans[at])
        case 2:
            spans.insert(rng.randrange(len(spans)), spans.pop(at))
        case _:
            other = rng.choice([one for one in others if one[:1] == b"\x80"])
            spans[at] = rng.choice(_spans(other))
    return b"".join(spans)


def _spans(data: bytes) -> list[bytes]:
    """The bytes of each opcode; a joblib file's arrays stay with the opcode before them."""
    places: list[int] = []
    with suppress(ValueError):
        places.extend(at for _, _, at in pickletools.genops(data) if at is not None)
    return [data[start:end] for start, end in zip(places, [*places[1:], len(data)], strict=True)]


# What is changed -----------------------------------------------------------------------------------


def _models() -> Iterator[Input]:
    fitted = logistic()
    for protocol in (0, 2, 4, 5):
        yield Input("model", f"logistic-{protocol}.pkl", pickle.dumps(fitted, protocol))
    options: dict[str, Any] = {"plain": 0, "zlib": ("zlib", 3), "xz": ("xz", 1), "gzip": ("gzip", 3)}
    for name, compress in options.items():
        file = io.BytesIO()
        joblib.dump(forest_pipeline(), file, compress=compress)
        yield Input("model", f"forest-{name}.joblib", file.getvalue())
    for model in (ridge(), xgboost_classifier(), lightgbm_classifier()):
        yield Input("model", f"{type(model).__name__}.pkl", pickle.dumps(model))
    for model in (fitted, ridge()):
        yield Input("model", "model.skops", skops.io.dumps(model, compression=zipfile.ZIP_DEFLATED))
    for form in ("json", "ubj"):
        yield Input("model", f"booster.{form}", bytes(xgboost_booster().save_raw(form)))
    yield Input("model", "lightgbm.txt", lightgbm_classifier().booster_.model_to_string().encode())
    keras = {"config.json": b'{"module": "keras", "class_name": "Sequential"}', "metadata.json": b"{}"}
    yield Input("model", "model.keras", bombs.zip_of(keras))
    yield Input("model", "torch.pt", bombs.zip_of({"m/constants.pkl": b"\x80\x02).", "m/code/a.py": b"1"}))
    yield Input("model", "liar.pkl", _liar(0, 0.5))


def _liar(seed: int, share: float) -> bytes:
    with TemporaryDirectory() as folder:
        return save_mutating(seed, Path(folder, "liar.pkl"), share=share).read_bytes()


def _samples() -> Iterator[Input]:
    frame = models_for_tests.mixed(40)
    frame["day"] = pd.date_range("2024-01-01", periods=40, tz="Europe/Zurich")
    frame["kind"] = pd.Categorical(np.array(["x", "y"])[np.arange(40) % 2])
    frame["count"] = pd.array([None, 1] * 20, dtype="Int64")
    for separator, encoding in ((",", "utf-8"), (";", "utf-16"), ("\t", "cp1252")):
        text = frame.to_csv(index=False, sep=separator, decimal="," if separator == ";" else ".")
        yield Input("sample", "sample.csv", text.encode(encoding))
    yield Input("sample", "sample.csv", b'height,weight,age\n1,"a\n""b",3\n,,\n-1e5,0x1,NaN\n')
    for compression in ("none", "snappy", "zstd", "gzip"):
        table = pa.Table.from_pandas(frame)
        yield Input("sample", "sample.parquet", bombs.parquet(table, compression=compression))
        plain = pa.Table.from_pandas(models_for_tests.numbers(40), preserve_index=False)
        yield Input(
            "sample", "plain.parquet", bombs.parquet(plain, compression=compression, use_dictionary=False)
        )
    nested = {"a": [[{"b": [1, None]}]] * 5, "c": pa.array([1, 2, 3, 4, None], pa.decimal128(9, 2))}
    yield Input("sample", "nested.parquet", bombs.parquet(pa.table(nested)))


def _documents() -> Iterator[Input]:
    features = [
        {
            "name": "height",
            "type": "number",
            "min": 0,
            "max": 2.5,
            "distribution": "normal",
            "mean": 1,
            "std": 0.5,
        },
        {"name": "city", "type": "category", "categories": ["Bern", "Oslo"], "weights": [0.5, 0.5]},
        {"name": "age", "type": "integer", "min": 0, "max": 90, "nullable": True, "missing_share": 0.1},
        {"name": "day", "type": "datetime", "min": "2024-01-01", "max": "2024-12-31T10:00:00+01:00"},
        {"name": "weight", "type": "boolean", "mean": 0.2},
    ]
    yield Input("schema", "schema.json", json.dumps({"features": features}).encode())
    yield Input("schema", "schema.json", json.dumps(features[:1] + features[2:3]).encode())
    plan = bombs.SHORT_RUN | {
        "name": "a", "tags": ["b"], "seed": 3, "gates": {"p95_fail_ms": 10}, "robustness": {"checks": []},
        "drift": {"scenarios": [{"kind": "noise", "magnitude": 1.0}], "breaking_points": False},
    }  # fmt: skip
    yield Input("config", "config.json", json.dumps(plan).encode())
    yield Input("config", "config.json", json.dumps(bombs.SHORT_RUN).encode())


def _small_bombs() -> Iterator[Input]:
    for data in (bombs.parquet_nested(5), bombs.parquet_columns(50), bombs.parquet_footer_length(),
                 bombs.parquet_rows_lie(), bombs.parquet_sizes_lie()):  # fmt: skip
        yield Input("sample", "bomb.parquet", data)
    yield Input("sample", "wide.csv", bombs.csv_wide(50))
    for data in (bombs.zip_entries(50), bombs.xgboost_deep(50), bombs.nested_tuples(50),
                 bombs.zip_of({"schema.json": bombs.many_lists(300)})):  # fmt: skip
        yield Input("model", "bomb.pkl", data)
    for field in ("schema", "config"):
        placed = bombs.in_features if field == "schema" else bombs.in_tags
        for value in (bombs.many_lists(300), b"[" * 50 + b"]" * 50, b"9" * 400, b"1e999"):
            yield Input(field, "bomb.json", placed(value))
        yield Input(field, "bomb.json", bombs.doubled_keys(100))
