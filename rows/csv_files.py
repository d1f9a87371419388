"""A CSV of a stranger as a frame: encoding, separator, shape and numbers are found out.

Promises: reads no further than the rows that are taken, and never a line, a value or a table of any size.
Leaves Parquet to `rows.parquet_files` and what both have in common to `rows.samples`.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, islice
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import pandas as pd

from errors import InvalidSample
from rows.blocks import replaced, text_blocks, text_positions
from rows.limits import INDEX, Limits, check_unique, check_width

__all__ = ["chunks", "read_csv"]

SNIFFED_RECORDS = 50
SEPARATORS = ",;\t|"  # in order of preference when two fit equally well
CHUNK = 1 << 20
MAX_LINE = 4 << 20  # characters; a record may have several lines
MAX_BLANK_LINES = 1_000_000

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
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")
_DECIMAL_COMMA = re.compile(r"\s*[+-]?(?:\d+|\d{1,3}(?:\.\d{3})+)?(?:,\d+)?(?:[eE][+-]?\d+)?\s*")
_AS_CSV = "Save it as CSV with one header line, or as Parquet."


def read_csv(file: BinaryIO, name: str, limits: Limits) -> pd.DataFrame:
    """As `rows.samples.read_sample`, of a CSV; `frame.attrs["cut_at"]` where there were more rows."""
    file.seek(0)
    start = file.read(16)
    for magic, what in _OTHER_FILES:
        if start.startswith(magic):
            raise InvalidSample(f"The sample {name!r} is {what}, not CSV or Parquet.", hint=_AS_CSV)
    encoding = _encoding(file, name)
    csv.field_size_limit(limits.value)
    separator = _separator(file, encoding)
    with _text(file, encoding) as text:
        header, records = _check_shape(text, separator, name, limits)
    if not records:
        return pd.DataFrame(columns=header)
    rows = limits.rows_of(len(header))
    try:
        with _text(file, encoding) as text:
            frame = pd.read_csv(
                text,
                sep=separator,
                names=[str(position) for position in range(len(header))],
                header=0,
                index_col=False,
                nrows=rows,
                low_memory=False,
                on_bad_lines="error",
            )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError, OverflowError) as error:
        raise InvalidSample(f"The sample {name!r} cannot be read as CSV: {error}.", hint=_AS_CSV) from None
    keep = _kept_columns(frame, header, name)
    index = not header[0].strip() and not frame.iloc[:, 0].isna().all()
    if index and limits.index:
        keep, header = [0, *keep], [INDEX, *header[1:]]
    frame = frame.iloc[:, keep]
    if separator != ",":
        frame = _with_decimal_commas(frame)
    frame.columns = pd.Index([header[i] for i in keep], dtype="str")
    frame.attrs = {"index": index} | ({"cut_at": rows} if records > rows else {})
    return frame


def chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


def _encoding(file: BinaryIO, name: str) -> str:
    """The encoding that the whole file can be read in; refuses what is no text."""
    file.seek(0)
    start = file.read(4)
    marked = next((codec for mark, codec in _BYTE_ORDER_MARKS if start.startswith(mark)), None)
    for encoding in (marked,) if marked else ("utf-8", "cp1252", "latin-1"):
        file.seek(0)
        decoder = codecs.getincrementaldecoder(encoding)()
        first, has_nul = "", False
        try:
            for chunk in chunks(file):
                text = decoder.decode(chunk)
                first = first or text[:100_000]
                has_nul = has_nul or "\0" in text
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:  # Windows-1252 leaves five bytes undefined, Latin-1 none
            continue
        if has_nul or len(_CONTROL.findall(first)) > len(first) / 200:
            raise InvalidSample(f"The sample {name!r} is not text but binary data.", hint=_AS_CSV)
        return encoding
    raise InvalidSample(
        f"The sample {name!r} begins as {str(marked).upper()} text but is broken.", hint="Save it as UTF-8."
    )


@contextmanager
def _text(file: BinaryIO, encoding: str) -> Iterator[io.TextIOWrapper]:
    """The file's text from its start; the file stays open."""
    file.seek(0)
    text = io.TextIOWrapper(file, encoding, newline="")
    try:
        yield text
    finally:
        text.detach()


def _records(text: io.TextIOWrapper, separator: str) -> Iterator[tuple[int, int, list[str]]]:
    """Line number and width of each record that is not blank, with the values of the first. Raises csv.Error.

    A line without quotes is a record, as wide as its separators say, and needs no parser.
    """
    lines, longest = _lines(text), csv.field_size_limit()
    line, blank, header = 1, 0, True
    for written in lines:
        began = line
        if header or '"' in written or len(written) > longest:
            reader = csv.reader(chain((written,), lines), delimiter=separator)
            record = next(reader)
            line, width = line + reader.line_num, len(record)
            is_blank = width < 2 and not any(value.strip() for value in record)
        else:
            line, width, record = line + 1, written.count(separator) + 1, []
            is_blank = width < 2 and not written.strip()
        if not is_blank:
            yield began, width, record
            header = False
        elif (blank := blank + 1) > MAX_BLANK_LINES:
            raise csv.Error(f"it has more than {MAX_BLANK_LINES:,} empty lines")


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    for line in iter(lambda: text.readline(MAX_LINE + 1), ""):
        if len(line) > MAX_LINE:
            raise csv.Error(f"a line has more than {MAX_LINE:,} characters")
        yield line


def _separator(file: BinaryIO, encoding: str) -> str:
    """The separator that gives the first records most evenly the header's width; the wider one wins a tie."""
    best, best_rank = ",", (0.0, 1)
    for separator in SEPARATORS:
        try:
            with _text(file, encoding) as text:
                widths = [width for _, width, _ in islice(_records(text, separator), SNIFFED_RECORDS)]
        except csv.Error:
            continue
        if widths and widths[0] > 1:
            rank = (sum(width == widths[0] for width in widths) / len(widths), widths[0])
            if rank > best_rank:
                best, best_rank = separator, rank
    return best


def _check_shape(text: io.TextIOWrapper, separator: str, name: str, limits: Limits) -> tuple[list[str], int]:
    """The header and the number of records, counted up to one more than are taken; each has its width."""
    records = _records(text, separator)
    count = 0
    try:
        _, _, header = next(records, (0, 0, []))
        _check_header(header, name, limits)
        most = limits.rows_of(len(header))
        for count, (line, width, _) in enumerate(records, start=1):
            if count > most:
                break
            if width != len(header):
                raise InvalidSample(
                    f"Line {line} of the sample {name!r} has {_values(width)}, the header has {len(header)}.",
                    hint="Give every line the same columns; quote a value that holds the separator.",
                )
    except csv.Error as error:
        told = f"a value has more than {limits.value:,} characters" if "field larger" in str(error) else error
        raise InvalidSample(
            f"The sample {name!r} cannot be read as CSV after row {count}: {told}.",
            hint="Look for a quote that is opened and never closed.",
        ) from None
    return header, count


def _check_header(header: list[str], name: str, limits: Limits) -> None:
    if not any(title.strip() for title in header):
        raise InvalidSample(f"The sample {name!r} has no column names.", hint=_AS_CSV)
    check_width(len(header), name, limits)
    check_unique(header, name)
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
    return [i for i, title in enumerate(header) if title.strip()]


def _with_decimal_commas(frame: pd.DataFrame) -> pd.DataFrame:
    """1,5 and 1.234,5 as numbers, in each column of which every value is one and at least one has a comma."""
    read: dict[str, npt.NDArray[np.float64]] = {}
    for block in text_blocks(frame, text_positions(frame)):
        comma = block.some(np.array(["," in text for text in block.texts]))
        if (found := block.only(comma)) is None:
            continue
        decimal = found.every(np.array([_DECIMAL_COMMA.fullmatch(t) is not None for t in found.texts]))
        if (found := found.only(decimal)) is None:
            continue
        plain = pd.Series([text.replace(".", "").replace(",", ".") for text in found.texts], dtype="str")
        numbers = pd.to_numeric(plain, errors="coerce").to_numpy(dtype=np.float64)
        for place in np.flatnonzero(found.every(~np.isnan(numbers))).tolist():
            read[str(frame.columns[found.positions[place]])] = found.column(place, numbers)
    return replaced(frame, read)


def _values(count: int) -> str:
    return "1 value" if count == 1 else f"{count} values"
