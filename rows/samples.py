"""Reads an uploaded sample, CSV or Parquet, into a frame.

Promises: nothing in the file is executed; a file that is not a clean table is refused with the line,
the column and what to do. Leaves what the columns mean to `schema_utils`.
"""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from errors import InvalidSample, TooLarge

__all__ = ["MAX_ROWS", "read_sample", "split_target"]

MAX_ROWS = 100_000
MAX_COLUMNS = 10_000
MAX_CELLS = 50_000_000  # a small Parquet file can unfold to any size
SNIFFED_RECORDS = 50
SEPARATORS = ",;\t|"  # in order of preference when two fit equally well
LARGEST_VALUE = 1_000_000  # characters of one quoted value; more is an unclosed quote

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OTHER_FILES = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"\x1f\x8b", "compressed with gzip"),
    (b"BZh91AY&SY", "compressed with bzip2"),
    (b"\xfd7zXZ", "compressed with xz"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
    (b"ARROW1\0\0", "an Arrow file"),
    (b"\x89HDF", "an HDF5 file"),
    *((bytes([0x80, protocol]), "a pickle") for protocol in range(2, 6)),
    (b"%PDF", "a PDF"),
)
_DECIMAL_COMMA = r"\s*[+-]?(?:\d+|\d{1,3}(?:\.\d{3})+)?(?:,\d+)?(?:[eE][+-]?\d+)?\s*"
_AS_CSV = "Save it as CSV with one header line, or as Parquet."


def read_sample(data: bytes, name: str, max_rows: int = MAX_ROWS) -> pd.DataFrame:
    """The sample as a frame with unique text column names and a RangeIndex; at least one row.

    Keeps the first `max_rows` rows and says so: `frame.attrs["cut_at"] = max_rows`. CSV: UTF-8, UTF-16
    or UTF-32 with a mark, else Windows-1252; separated by comma, semicolon, tab or bar; decimal commas
    where the separator is none. Parquet is known by its first bytes, not by `name`, which only serves
    messages. A first column without a name that counts the rows is the index pandas wrote: dropped.
    Raises InvalidSample, or TooLarge for more than MAX_CELLS values.
    """
    if not data.strip():
        raise InvalidSample(
            f"The sample {name!r} is empty.", hint="Upload a CSV or Parquet file with some rows."
        )
    parquet = data[:4] == b"PAR1" and (data[-4:] == b"PAR1" or b"\0" in data)  # a column may be named PAR1
    frame = _read_parquet(data, name, max_rows) if parquet else _read_csv(data, name, max_rows)
    if frame.empty:
        raise InvalidSample(
            f"The sample {name!r} has column names but no rows.",
            hint="Add at least one row; some hundred are better.",
        )
    if len(frame) > max_rows:
        frame = frame.iloc[:max_rows].copy()
        frame.attrs["cut_at"] = max_rows
    return frame


def split_target(frame: pd.DataFrame, target: str) -> tuple[pd.DataFrame, "pd.Series[Any]"]:
    """Features and labels, without the rows whose label is missing; both with a new RangeIndex.

    Raises InvalidSample when there is no such column, no other column, or no label at all.
    """
    if target not in frame.columns:
        raise InvalidSample(
            f"The sample has no column {target!r} to use as target.",
            hint=f"Its columns are: {_listed([str(column) for column in frame.columns])}.",
            field="target",
        )
    labelled = frame[frame[target].notna()].reset_index(drop=True)
    if labelled.empty:
        raise InvalidSample(
            f"Every value of the target column {target!r} is missing.",
            hint="Choose another target.",
            field="target",
        )
    features = labelled.drop(columns=[target])
    if features.shape[1] == 0:
        raise InvalidSample(
            f"The sample has no column beside the target {target!r}.", hint="Add the columns the model takes."
        )
    return features, labelled[target]


# --- CSV -------------------------------------------------------------------------------------------


def _read_csv(data: bytes, name: str, max_rows: int) -> pd.DataFrame:
    for magic, what in _OTHER_FILES:
        if data.startswith(magic):
            raise InvalidSample(f"The sample {name!r} is {what}, not CSV or Parquet.", hint=_AS_CSV)
    text = _decoded(data, name)
    separator = _separator(text)
    header, records = _check_shape(text, separator, name, max_rows)
    if not records:
        return pd.DataFrame(columns=header)
    try:
        frame = pd.read_csv(
            io.StringIO(text),
            sep=separator,
            names=[str(position) for position in range(len(header))],
            header=0,
            index_col=False,
            nrows=max_rows + 1,
            low_memory=False,
            on_bad_lines="error",
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError, OverflowError) as error:
        raise InvalidSample(f"The sample {name!r} cannot be read as CSV: {error}.", hint=_AS_CSV) from None
    keep = _kept_columns(frame, header, name)
    frame = frame.iloc[:, keep]
    frame.columns = pd.Index([header[i] for i in keep], dtype="str")
    if separator != ",":
        for position in range(frame.shape[1]):
            frame = _with_decimal_commas(frame, position)
    return frame


def _decoded(data: bytes, name: str) -> str:
    encoding = next((codec for mark, codec in _BYTE_ORDER_MARKS if data.startswith(mark)), None)
    try:
        text = data.decode(encoding or "utf-8")
    except UnicodeDecodeError:
        if encoding:
            raise InvalidSample(
                f"The sample {name!r} begins as {encoding.upper()} text but is broken.",
                hint="Save it as UTF-8.",
            ) from None
        try:
            text = data.decode("cp1252")
        except UnicodeDecodeError:  # five bytes that Windows-1252 leaves undefined
            text = data.decode("latin-1")
    control = len(re.findall(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]", text[:100_000]))
    if "\0" in text or control > len(text[:100_000]) / 200:
        raise InvalidSample(f"The sample {name!r} is not text but binary data.", hint=_AS_CSV)
    return text.removeprefix("\ufeff")


def _records(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and values of each record that is not blank."""
    csv.field_size_limit(LARGEST_VALUE)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    line = 1
    for record in reader:
        if (record and any(value.strip() for value in record[:1] + record[1:2])) or len(record) > 1:
            yield line, record
        line = reader.line_num + 1


def _separator(text: str) -> str:
    """The separator that gives the first records most evenly the header's width; the wider one wins a tie."""
    best, best_rank = ",", (0.0, 1)
    for separator in SEPARATORS:
        widths = []
        try:
            for _, record in _records(text, separator):
                widths.append(len(record))
                if len(widths) == SNIFFED_RECORDS:
                    break
        except csv.Error:
            continue
        if widths and widths[0] > 1:
            rank = (sum(width == widths[0] for width in widths) / len(widths), widths[0])
            if rank > best_rank:
                best, best_rank = separator, rank
    return best


def _check_shape(text: str, separator: str, name: str, max_rows: int) -> tuple[list[str], int]:
    """The header and the number of records read; every record has the header's width."""
    records = _records(text, separator)
    count = 0
    try:
        _, header = next(records, (0, []))
        _check_header(header, name)
        for count, (line, record) in enumerate(records, start=1):
            if len(record) != len(header):
                raise InvalidSample(
                    f"Line {line} of the sample {name!r} has {_values(len(record))}, "
                    f"the header has {len(header)}.",
                    hint="Give every line the same columns; quote a value that holds the separator.",
                )
            if count > max_rows:
                break
    except csv.Error as error:
        raise InvalidSample(
            f"The sample {name!r} cannot be read as CSV after row {count}: {error}.",
            hint="Look for a quote that is opened and never closed.",
        ) from None
    return header, count


def _check_header(header: list[str], name: str) -> None:
    if not any(title.strip() for title in header):
        raise InvalidSample(f"The sample {name!r} has no column names.", hint=_AS_CSV)
    if len(header) > MAX_COLUMNS:
        raise InvalidSample(
            f"The sample {name!r} has {len(header)} columns; at most {MAX_COLUMNS} can be used."
        )
    twice = [title for title, count in Counter(header).items() if count > 1 and title.strip()]
    if twice:
        raise InvalidSample(
            f"The sample {name!r} has more than one column {_listed(twice)}.", hint="Rename them."
        )
    # A frame without names is written with the header 0,1,2: whole numbers may be names, decimals not.
    if all(re.fullmatch(r"\s*-?\d*\.?\d+(?:[eE][+-]?\d+)?\s*", title) for title in header) and not all(
        title.strip().isdigit() for title in header
    ):
        raise InvalidSample(
            f"The first line of the sample {name!r} holds numbers, not column names.",
            hint="Put the names of the columns in the first line.",
        )


def _kept_columns(frame: pd.DataFrame, header: list[str], name: str) -> list[int]:
    """Positions of the columns that have a name; one without is dropped when it is an index or all empty."""
    nameless = [i for i, title in enumerate(header) if not title.strip()]
    for position in nameless:
        column = frame.iloc[:, position]
        counts_rows = position == 0 and pd.api.types.is_integer_dtype(column.dtype) and bool(column.is_unique)
        if not counts_rows and not column.isna().all():
            raise InvalidSample(
                f"Column {position + 1} of the sample {name!r} has values but no name.",
                hint="Give it a name in the first line, or remove it.",
            )
    return [i for i in range(len(header)) if i not in set(nameless)]


def _with_decimal_commas(frame: pd.DataFrame, position: int) -> pd.DataFrame:
    """1,5 and 1.234,5 as numbers, when every value of the column is one and at least one has a comma."""
    column = frame.iloc[:, position]
    if pd.api.types.is_numeric_dtype(column.dtype):
        return frame
    texts = column.dropna()
    if pd.api.types.infer_dtype(texts) != "string" or not texts.str.contains(",").any():
        return frame
    if not texts.str.fullmatch(_DECIMAL_COMMA).all():
        return frame
    plain = column.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
    numbers = pd.to_numeric(plain, errors="coerce")
    if bool((numbers.isna() != column.isna()).any()):
        return frame
    return frame.assign(**{str(frame.columns[position]): numbers.astype(np.float64)})


# --- Parquet ---------------------------------------------------------------------------------------


def _read_parquet(data: bytes, name: str, max_rows: int) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(io.BytesIO(data))
        titles = file.schema_arrow.names
        _check_parquet_header(titles, min(file.metadata.num_rows, max_rows), name)
        wanted = [title for title in titles if not re.fullmatch(r"__index_level_\d+__", title)]
        batches, rows = [], 0
        for batch in file.iter_batches(batch_size=min(max_rows + 1, 65_536), columns=wanted):
            batches.append(batch)
            rows += batch.num_rows
            if rows > max_rows:
                break
        if not batches:
            return pd.DataFrame(columns=wanted)
        frame = pa.Table.from_batches(batches).to_pandas(ignore_metadata=True)
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise InvalidSample(
            f"The Parquet sample {name!r} cannot be read: {reason}.", hint="Write it again, or use CSV."
        ) from None
    assert isinstance(frame, pd.DataFrame)
    return frame


def _check_parquet_header(titles: list[str], rows: int, name: str) -> None:
    if any(not title.strip() for title in titles):
        raise InvalidSample(
            f"The sample {name!r} has a column without a name.", hint="Give it one, or remove it."
        )
    twice = [title for title, count in Counter(titles).items() if count > 1]
    if twice:
        raise InvalidSample(
            f"The sample {name!r} has more than one column {_listed(twice)}.", hint="Rename them."
        )
    if len(titles) > MAX_COLUMNS:
        raise InvalidSample(
            f"The sample {name!r} has {len(titles)} columns; at most {MAX_COLUMNS} can be used."
        )
    if rows * len(titles) > MAX_CELLS:
        raise TooLarge(
            f"The sample {name!r} holds {rows * len(titles):,} values; at most {MAX_CELLS:,} can be used.",
            hint="Take fewer rows; some thousand are enough.",
        )


def _values(count: int) -> str:
    return "1 value" if count == 1 else f"{count} values"


def _listed(names: list[str], limit: int = 10) -> str:
    shown = ", ".join(repr(name[:60]) for name in names[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown
