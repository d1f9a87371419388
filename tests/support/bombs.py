"""Small inputs that ask for much: files and texts of each kind that a stranger can send, one function each.

Promises: each is made in a few seconds, the same at every call, and out of nothing but code. Leaves posting
them to `benchmarks.limits`, and what must come of them to whoever posts them.
"""

import bz2
import gzip
import io
import json
import lzma
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from tests.support import hostile_pickles, mutations
from tests.support.forged_answers import save_forging
from tests.support.models_for_tests import NUMBERS

__all__ = ["BOMBS", "SHORT_RUN", "Bomb", "Field", "parquet", "patched_footer", "varint", "zip_of"]

Build = Callable[[], bytes]
Field = Literal["model", "sample", "schema", "config", "answer"]
MB = 1 << 20
TABLE_BYTES = 60_000_000
HEADER = ",".join(NUMBERS).encode() + b"\n"  # the columns of `models_for_tests.logistic`
# What a run does at least, so that what a bomb takes is seen and not what a run does.
SHORT_RUN = {
    "rows": 20,
    "timeout_s": 30,
    "latency": {"budget_s": 0.1, "calls": 3, "batch_sizes": [1]},
    "explain": {"method": "none"},
    "drift": {"scenarios": [], "breaking_points": False},
    "robustness": {"checks": []},
}


class Bomb(NamedTuple):
    """field: the part of the form that it goes into, `answer` for a model that goes off when it is asked and
    takes the policy `contained`; file: the name that it is sent under."""

    field: Field
    file: str
    build: Build


def repeated(line: bytes, size: int = TABLE_BYTES) -> bytes:
    return line * (size // len(line))


# Parquet ---------------------------------------------------------------------------------------------


def parquet(table: pa.Table, times: int = 1, **options: object) -> bytes:
    """A Parquet file that holds the table as so many row groups."""
    file = io.BytesIO()
    options = {"compression": "zstd"} | options
    with pq.ParquetWriter(file, table.schema, **options) as writer:
        for _ in range(times):
            writer.write_table(table, row_group_size=max(1, len(table)))
    return file.getvalue()


def parquet_dictionary() -> bytes:
    """Each of 1,200 rows refers to one text of 1 MB."""
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 1200, pa.int32()), pa.array(["x" * MB]))
    return parquet(pa.table({"height": texts}), dictionary_pagesize_limit=64 * MB)


def parquet_runs() -> bytes:
    """100 million equal numbers, run-length encoded."""
    return parquet(pa.table({"height": pa.repeat(pa.scalar(1.0), 10_000_000)}), times=10)


def parquet_nested(depth: int = 24) -> bytes:
    """Lists in structs in lists: each level of the schema is read by recursion."""
    value, kind = 1, pa.int64()
    for _ in range(depth):
        value, kind = [{"a": value}], pa.list_(pa.struct([("a", kind)]))  # type: ignore[assignment]
    return parquet(pa.table({"height": pa.array([value] * 10, kind)}))


def parquet_columns(count: int = 100_000) -> bytes:
    return parquet(pa.table({f"c{i}": pa.array([1], pa.int8()) for i in range(count)}), use_dictionary=False,
                   write_statistics=False)  # fmt: skip


def parquet_footer_length() -> bytes:
    """The footer is said to be 2 GB long."""
    return parquet(small_table())[:-8] + struct.pack("<I", 2**31 - 1) + b"PAR1"


def parquet_rows_lie() -> bytes:
    """The footer says 2^40 rows and values where there are 12,345."""
    data = parquet(pa.table({"height": pa.array([1.0] * 12_345)}), use_dictionary=False)
    return patched_footer(data, {varint(2 * 12_345): varint(2**41)})


def parquet_sizes_lie() -> bytes:
    """The footer says that each column unpacks to 2^40 bytes, and is as long in the file."""
    data = parquet(small_table(), compression="none", use_dictionary=False)
    column = pq.ParquetFile(io.BytesIO(data)).metadata.row_group(0).column(0)
    sizes = {column.total_compressed_size, column.total_uncompressed_size}
    return patched_footer(data, {varint(2 * size): varint(2**41) for size in sizes})


def parquet_metadata() -> bytes:
    """pandas reads a JSON text out of the schema's metadata: here 8 MB, and nested without end."""
    nested = b'{"index_columns": ' + b"[" * (8 * MB)
    return parquet(small_table().replace_schema_metadata({"pandas": nested}))


def parquet_large_values() -> bytes:
    """Few values of 100 MB each, as text and as bytes, beside wide decimals."""
    text = pa.array(["x" * 100_000_000], pa.large_string())
    columns = {
        "height": pa.concat_arrays([text] * 4),
        "weight": pa.repeat(pa.scalar(b"\0" * 100_000_000, pa.large_binary()), 4),
        "age": pa.repeat(pa.scalar(10**70, pa.decimal256(76, 0)), 4),
    }
    return parquet(pa.table(columns), use_dictionary=False, write_statistics=False)


def parquet_zeros() -> bytes:
    """100,000 values of 10 KB of zeros in zstd: 1 GB, within the limits of rows and cells."""
    zeros = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(10_000), 10_000, [None, pa.py_buffer(bytes(100_000_000))]
    )
    return parquet(pa.table({"height": zeros}), times=10, use_dictionary=False, write_statistics=False)


def small_table() -> pa.Table:
    return pa.table({name: pa.array([1.0, 2.0, 3.0] * 100) for name in NUMBERS})


def patched_footer(data: bytes, changes: dict[bytes, bytes]) -> bytes:
    """Some bytes of the footer changed; its length is put right, so that it is read at all."""
    length = int.from_bytes(data[-8:-4], "little")
    footer = data[-8 - length : -8]
    for old, new in changes.items():
        assert old in footer, "the footer is not written as expected"
        footer = footer.replace(old, new)
    return data[: -8 - length] + footer + struct.pack("<I", len(footer)) + b"PAR1"


def varint(value: int) -> bytes:
    """As Thrift's compact protocol writes it; signed numbers come doubled."""
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


# CSV -------------------------------------------------------------------------------------------------


def csv_wide(count: int = 100_000) -> bytes:
    names = ",".join(f"c{i}" for i in range(count)).encode()
    return names + b"\n" + (b"1," * count)[:-1] + b"\n"


def csv_unique() -> bytes:
    lines = (b"%020x,%020x,%020x\n" % (i * 7919, i * 104729, i) for i in range(TABLE_BYTES // 63))
    return HEADER + b"".join(lines)


def csv_widths() -> bytes:
    return HEADER + b"".join(b"1" + b",1" * (i % 5000) + b"\n" for i in range(12_000))


def csv_dates(columns: int = 40) -> bytes:
    names = ",".join(f"d{i}" for i in range(columns)).encode() + b"\n"
    days = (
        b"2024-%02d-%02dT12:%02d:00.%06d+01:00" % (i % 12 + 1, i % 28 + 1, i % 60, i) for i in range(1000)
    )
    return names + repeated(b"".join(b",".join([day] * columns) + b"\n" for day in days))


def csv_digits() -> bytes:
    return HEADER + repeated(b",".join([b"9" * 400, b"1" + b"0" * 399, b"0." + b"3" * 398]) + b"\n")


def csv_utf16() -> bytes:
    return ("\ufeff" + (HEADER + repeated(b"1.5,2.5,3.5\n", TABLE_BYTES // 2)).decode()).encode("utf-16-le")


# JSON ------------------------------------------------------------------------------------------------


def in_features(value: bytes) -> bytes:
    return b'{"features": [{"name": "height", "categories": ' + value + b"}]}"


def in_tags(value: bytes) -> bytes:
    return b'{"rows": 5, "tags": ' + value + b"}"


def many_lists(size: int = 7 * MB) -> bytes:
    return b"[" + b"[]," * (size // 3) + b"[]]"


def schema_of_categories() -> bytes:
    """10,000 features with 100 categories each."""
    texts = [f"{i:02}" for i in range(100)]
    features = [{"name": f"f{i}", "type": "category", "categories": texts} for i in range(10_000)]
    return json.dumps({"features": features}, separators=(",", ":")).encode()


def doubled_keys(size: int = 7 * MB) -> bytes:
    return b'{"rows": 1' + b',"rows":1' * (size // 9) + b', "rows": 5}'


def many_keys() -> bytes:
    """Every key is unknown, and each a complaint of its own."""
    return b'{"rows": 5' + b"".join(b',"k%d":0' % i for i in range(600_000)) + b"}"


# Archives and models -----------------------------------------------------------------------------------


def zip_of(entries: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(zipfile.ZipInfo(name), data, compression)
    return file.getvalue()


def zip_unpacks() -> bytes:
    """A skops description of 64 MiB of small objects."""
    return zip_of({"schema.json": b'{"content": [' + b'{"a":[]},' * (7 * MB) + b"0]}"})


def zip_entries(count: int = 600_000) -> bytes:
    """The directory names 600,000 entries, all of which lie in the same place."""
    first = zip_of({"schema.json": b"{}"}, zipfile.ZIP_STORED)
    at = first.index(b"PK\x01\x02")
    entry, name = first[at : at + 46], b"schema.json"
    rest = b"".join(entry + b"%011d" % i for i in range(count - 1))
    directory = entry + name + rest
    end64 = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, count, count, len(directory), at)
    locator = struct.pack("<IIQI", 0x07064B50, 0, at + len(directory), 1)
    full16, full32 = 0xFFFF, 0xFFFFFFFF
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, full16, full16, full32, full32, 0)
    return first[:at] + directory + end64 + locator + end


def zip_of_zips(levels: int = 6) -> bytes:
    data = zip_of({"0": bytes(100 * MB)})
    for _ in range(levels):
        data = zip_of({"schema.json": data, **{f"{i}.zip": data for i in range(8)}})
    return data


def zip_lies() -> bytes:
    """Header and directory say that what unpacks to 512 MiB is two bytes long."""
    data = bytearray(zip_of({"schema.json": b" " * (512 * MB)}))
    for at in (22, data.rindex(b"PK\x01\x02") + 24):
        data[at : at + 4] = struct.pack("<I", 2)
    return bytes(data)


def zip_damaged() -> bytes:
    """The deflated data of the entry that is read first make no sense."""
    data = bytearray(zip_of({"schema.json": json.dumps([{"a": i} for i in range(999)]).encode()}))
    data[60:80] = b"\xff" * 20
    return bytes(data)


def zeros_by(engine: Callable[[bytes], bytes]) -> bytes:
    return engine(b"\x80\x04\x8e" + struct.pack("<Q", 256 * MB) + bytes(256 * MB))


def gzip_zeros() -> bytes:
    """1 GB of zeros: one deflated block again and again."""
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = engine.compress(bytes(MB)) + engine.flush(zlib.Z_FULL_FLUSH)
    return gzip.compress(b"")[:10] + block * 1024


def xgboost_deep(levels: int = 5 * MB) -> bytes:
    return b'{"learner": {"attributes": ' + b"[" * levels + b"]" * levels + b'}, "version": [2, 1, 0]}'


def xgboost_long() -> bytes:
    return b'{"learner": {"attributes": ' + many_lists(60 * MB) + b'}, "version": [2, 1, 0]}'


def one_text() -> bytes:
    return b"\x80\x04\x8d" + struct.pack("<Q", TABLE_BYTES) + b"x" * TABLE_BYTES + b"."


def nested_tuples(levels: int = 20_000_000) -> bytes:
    return b"\x80\x02)" + b"\x85" * levels + b"."


def many_objects() -> bytes:
    """60 MB of opcodes that make an empty list each, in one list."""
    return b"\x80\x02](" + b"]" * TABLE_BYTES + b"e."


def known(name: str) -> bytes:
    return hostile_pickles.HOSTILE[name].build(Path("witness"))


# Answers -----------------------------------------------------------------------------------------------


def telling(operation: str, document: str) -> Build:
    """A model that tells another document in one of its answers, given as code that makes its bytes."""
    return forging(
        operation,
        f"text = {document}\n"
        "parts = [('texts', 'u1', [len(text)], text) if part[0] == 'texts' else part for part in parts]",
    )


def forging(operation: str, change: str) -> Build:
    """A model whose answer to one operation, its `header` (JSON text) and its `parts`, is changed by code."""
    lines = "\n        ".join(change.splitlines())
    source = f"""{Path(mutations.__file__).read_text("utf-8")}
def forged(operation, frame):
    if operation == {operation!r}:
        header, parts = taken_apart(frame)
        header = json.dumps(header)
        {lines}
        frame = put_together(header, parts)
    return frame
"""

    def build() -> bytes:
        with TemporaryDirectory() as folder:
            return save_forging(source, Path(folder, "model.pkl")).read_bytes()

    return build


# All of them -----------------------------------------------------------------------------------------

PARQUET: dict[str, Build] = {
    "dictionary": parquet_dictionary,
    "runs of 100 million rows": parquet_runs,
    "nested lists": parquet_nested,
    "nested past any reader": lambda: parquet_nested(100),
    "100,000 columns": parquet_columns,
    "footer's length lies": parquet_footer_length,
    "number of rows lies": parquet_rows_lie,
    "sizes lie": parquet_sizes_lie,
    "nested metadata": parquet_metadata,
    "values of 100 MB": parquet_large_values,
    "zeros in zstd": parquet_zeros,
}
CSV: dict[str, Build] = {
    "60 MB of numbers": lambda: HEADER + repeated(b"1.25,2.5,3.75\n"),
    "100,000 columns": csv_wide,
    "one line of 100 MB": lambda: b"1," * 50_000_000,
    "quote never closed": lambda: HEADER + b'1,2,"' + repeated(b"1,2,3\n"),
    "values of 900 KB": lambda: HEADER + (b"1,2," + b"x" * 900_000 + b"\n") * 60,
    "30 million rows": lambda: b"height\n" + b"1\n" * 30_000_000,
    "blank lines": lambda: HEADER + b"1,2,3\n" + b"\n" * TABLE_BYTES,
    "unique texts": csv_unique,
    "decimal commas": lambda: HEADER.replace(b",", b";") + repeated(b"1.234,5;-0,5;7,25\n"),
    "numbers of 400 digits": csv_digits,
    "UTF-16": csv_utf16,
    "latin-1": lambda: HEADER + repeated(b"\xe4\xf6,\xfc\x81,\xdf\n"),
    "rows of every width": csv_widths,
    "dates everywhere": csv_dates,
    "NUL bytes": lambda: HEADER + b"1,2,3\n" * 100_000 + bytes(TABLE_BYTES),
}
VALUES: dict[str, Build] = {
    "depth": lambda: b"[" * 100_000 + b"]" * 100_000,
    "many lists": many_lists,
    "many texts": lambda: b'["a"' + b',"a"' * (7 * MB // 4) + b"]",
    "number of 7 MB": lambda: b"9" * (7 * MB),
    "number of 4,000 digits": lambda: b"9" * 4000,
    "exponent": lambda: b"1e999999999",
}
DOCUMENTS: dict[str, Build] = {
    "depth of 7 MB": lambda: b"[[]," * (7 * MB // 4),
    "doubled keys": doubled_keys,
    "many keys": many_keys,
}
MODELS: dict[str, Build] = {
    "zip unpacks to 64 MiB": zip_unpacks,
    "zip of 600,000 entries": zip_entries,
    "zip of zips": zip_of_zips,
    "zip's directory lies": zip_lies,
    "zip's data are damaged": zip_damaged,
    "skops is no object": lambda: zip_of({"schema.json": b"[1, 2]"}),
    "keras is no object": lambda: zip_of({"config.json": b'"x"', "metadata.json": b"[]"}),
    "gzip of 1 GB": gzip_zeros,
    "xz of zeros": lambda: zeros_by(lambda data: lzma.compress(data, preset=0)),
    "bz2 of zeros": lambda: zeros_by(bz2.compress),
    "array of 512 GiB": lambda: known("declared 512 GiB array"),
    "memo of 2^31": lambda: known("memo of 2^31"),
    "pickle of nested tuples": nested_tuples,
    "pickle of many lists": many_objects,
    "pickle of one text": one_text,
    "pickle of a dictionary": lambda: pickle.dumps(dict.fromkeys(range(3_000_000)), 4),
    "text of one letter": lambda: b"x" * TABLE_BYTES,
    "xgboost nested deeply": xgboost_deep,
    "xgboost of many lists": xgboost_long,
    "lightgbm of one line": lambda: b"tree\nversion=v4\n" + b"x" * TABLE_BYTES,
}
ROW_ERRORS = """b'{"labels": null, "errors": [' + b'["a","b",1,0],' * 500_000 + b'["a","b",1,0]]}'"""
ANSWERS: dict[str, Build] = {
    "text of 4 MB never closed": telling("load", "b'\"' + b'x' * (4 << 20)"),
    "escapes of 4 MB never closed": telling("load", "b'\"' + b'\\\\\\\"' * (1 << 20)"),
    "500,000 forged row errors": telling("predict", ROW_ERRORS),
    "12 MB of lists": telling("predict", "b'[' + b'[],' * (4 << 20) + b'[]]'"),
    "12 MB of depth": telling("explain", "b'[[],' * (3 << 20)"),
    "lone surrogates": telling(
        "load", r"""json.dumps(json.loads(parts[0][3])).replace(': "', r': "\ud800').encode()"""
    ),
    "numbers of 400 digits": forging(
        "load", r"import re; header = re.sub(r'\d+(\.\d+)?', '9' * 400, header)"
    ),
    "latency of 1e308": forging(
        "measure",
        "header = header.replace('0.', '1e308, \"a\": 0.')\n"
        "parts = [(n, c, s, struct.pack('<d', 1e308) * (len(d) // 8)) for n, c, s, d in parts]",
    ),
    "array of 2^60 numbers": forging(
        "predict", "parts = [(n, c, [1 << 30, 1 << 30], d) for n, c, s, d in parts]"
    ),
}


def placed(field: Field, value: Build) -> Build:
    around = in_features if field == "schema" else in_tags
    return lambda: around(value())


def _all() -> Iterator[tuple[str, Bomb]]:
    yield from (
        (f"parquet: {what}", Bomb("sample", "bomb.parquet", build)) for what, build in PARQUET.items()
    )
    yield from ((f"csv: {what}", Bomb("sample", "bomb.csv", build)) for what, build in CSV.items())
    fields: tuple[Field, ...] = ("schema", "config")
    for field in fields:
        documents = DOCUMENTS | {what: placed(field, value) for what, value in VALUES.items()}
        for what, build in documents.items():
            yield f"{field}: {what}", Bomb(field, "bomb.json", build)
    yield "schema: 1,000,000 categories", Bomb("schema", "bomb.json", schema_of_categories)
    yield from ((f"model: {what}", Bomb("model", "bomb.pkl", build)) for what, build in MODELS.items())
    yield from ((f"answer: {what}", Bomb("answer", "bomb.pkl", build)) for what, build in ANSWERS.items())


BOMBS: dict[str, Bomb] = dict(_all())
"""Every bomb by its name, the kind of input and what it does, in the order in which they are posted."""
