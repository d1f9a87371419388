"""Reads an uploaded sample, CSV or Parquet, into a frame; meant for a locked process.

Promises: nothing in the file is executed; no more of it is unfolded than `Limits` allow; a file that is
not a clean table is refused with the line, the column and what to do. Leaves the formats to `rows.csv_files`
and `rows.parquet_files`, the label to `rows.columns`, and memory and time to the process around it.
"""

from contextlib import suppress
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

from errors import InvalidSample
from rows.blocks import replaced
from rows.csv_files import chunks, read_csv
from rows.limits import STANDARD, Limits
from rows.parquet_files import is_parquet, read_parquet

__all__ = ["read_sample"]


def read_sample(file: BinaryIO, name: str, limits: Limits = STANDARD) -> pd.DataFrame:
    """The sample as a frame with unique text column names and a RangeIndex; at least one row.

    Keeps the first rows that `limits` allow and says so: `frame.attrs["cut_at"]` is their number. CSV:
    UTF-8, UTF-16 or UTF-32 with a mark, else Windows-1252; separated by comma, semicolon, tab or bar; decimal
    commas where the separator is none. Parquet is known by its first bytes, not by `name`, which only serves
    messages. A first column without a name that counts the rows is the index pandas wrote: dropped
    (`frame.attrs["index"]` tells), or kept where `limits` say so. Columns
    are of types that can be sent to a model: dates are datetimes, decimals floats, times and bytes text.
    Raises InvalidSample, or TooLarge for what is beyond the limits on columns and values.
    """
    file.seek(0)
    if not any(chunk.strip() for chunk in chunks(file)):
        raise InvalidSample(
            f"The sample {name!r} is empty.", hint="Upload a CSV or Parquet file with some rows."
        )
    frame = (read_parquet if is_parquet(file) else read_csv)(file, name, limits)
    if frame.empty:
        raise InvalidSample(
            f"The sample {name!r} has column names but no rows.",
            hint="Add at least one row; some hundred are better.",
        )
    cut_at, index = frame.attrs.get("cut_at"), frame.attrs.get("index", False)
    frame = _sendable(frame)
    while len(frame) > 1 and (taken := _bytes_of(frame)) > limits.decoded:
        cut_at = max(1, min(len(frame) - 1, int(len(frame) * limits.decoded / taken)))
        frame = frame.iloc[:cut_at].copy()
    frame.attrs.clear()
    frame.attrs |= ({} if cut_at is None else {"cut_at": cut_at}) | ({"index": True} if index else {})
    return frame


def _bytes_of(frame: pd.DataFrame) -> int:
    """What its columns take, texts and all: `memory_usage` asks each column in turn."""
    plain = sum(dtype.itemsize for dtype in frame.dtypes if not _may_hold_more(dtype))
    rest = frame.iloc[:, [place for place, dtype in enumerate(frame.dtypes) if _may_hold_more(dtype)]]
    arrow = rest.iloc[:, [getattr(dtype, "storage", "") == "pyarrow" for dtype in rest.dtypes]]
    others = rest.iloc[:, [getattr(dtype, "storage", "") != "pyarrow" for dtype in rest.dtypes]]
    texts = sum(column.array.nbytes for _, column in arrow.items())
    return len(frame) * int(plain) + int(texts) + int(others.memory_usage(index=False, deep=True).sum())


def _sendable(frame: pd.DataFrame) -> pd.DataFrame:
    """The columns in types that can be sent to a model, see `sandbox.wire`."""
    odd = [
        title
        for title, dtype in frame.dtypes.items()
        if dtype in (object, np.uint64) or getattr(dtype, "kind", "") == "m"
    ]
    read = ((title, _as_sent(frame[title])) for title in odd)
    changed = {str(title): column for title, column in read if column is not None}
    return replaced(frame, changed)


def _may_hold_more(dtype: Any) -> bool:
    """Whether its values may lie beside the column's own array."""
    return not isinstance(dtype, np.dtype) or dtype.kind == "O"


def _as_sent(column: "pd.Series[Any]") -> "pd.Series[Any] | None":
    """The column in a type that can be sent; None where it is in one."""
    if column.dtype == np.uint64:
        return column.astype(np.float64)
    if getattr(column.dtype, "kind", "") == "m":
        return column.astype("str")
    if column.dtype != object:
        return None
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind == "date":
        return pd.to_datetime(column, errors="coerce")
    if kind in ("decimal", "integer", "floating", "mixed-integer-float"):  # beyond 64 bits, or with None
        with suppress(OverflowError):  # whole numbers of hundreds of digits are text
            return column.astype(np.float64)
    if kind in ("string", "boolean", "empty"):
        return None
    return column.map(str, na_action="ignore")
