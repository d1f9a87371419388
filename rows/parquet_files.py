"""A Parquet file of a stranger as a frame.

Promises: a few rows are unfolded at a time, and looked at before more are. Leaves CSV to `rows.csv_files`
and what both have in common to `rows.samples`.
"""

import io
import re
from typing import Any, BinaryIO

import pandas as pd

from errors import InvalidSample, TooLarge
from rows.limits import Limits, check_unique, check_width, listed

__all__ = ["is_parquet", "read_parquet"]

BATCH_ROWS = 256  # decoded at once: a value is looked at before thousands like it are there
CHUNK = 1 << 20


def is_parquet(file: BinaryIO) -> bool:
    """By its first bytes, and its last or a NUL: a column of a CSV may be named PAR1."""
    file.seek(0)
    if file.read(4) != b"PAR1":
        return False
    if b"\0" in file.read(CHUNK):
        return True
    file.seek(-4, io.SEEK_END)
    return file.read() == b"PAR1"


def read_parquet(file: BinaryIO, name: str, limits: Limits) -> pd.DataFrame:
    """As `rows.samples.read_sample`, of Parquet; `frame.attrs["cut_at"]` where there were more rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    file.seek(0)
    try:
        table = pq.ParquetFile(file, pre_buffer=False)  # its threads would be there at a fork
        check_width(table.metadata.num_columns, name, limits)
        titles = _checked_titles(table.schema_arrow, name)
        rows = limits.rows_of(len(titles))
        batches, count, taken = [], 0, 0
        for batch in table.iter_batches(batch_size=min(rows, BATCH_ROWS), columns=titles, use_threads=False):
            _check_values(batch, name, limits)
            batches.append(batch)
            count, taken = count + batch.num_rows, taken + batch.nbytes
            if count >= rows or taken > limits.decoded:
                break
        if not count:
            return pd.DataFrame(columns=titles)
        frame = (
            pa.Table.from_batches(batches).slice(0, rows).to_pandas(ignore_metadata=True, use_threads=False)
        )
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        if isinstance(error, pa.ArrowMemoryError):
            raise
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise InvalidSample(
            f"The Parquet sample {name!r} cannot be read: {reason}.", hint="Write it again, or use CSV."
        ) from None
    assert isinstance(frame, pd.DataFrame)
    frame.attrs = {"cut_at": len(frame)} if table.metadata.num_rows > len(frame) else {}
    return frame


def _checked_titles(schema: Any, name: str) -> list[str]:
    """The names of the columns to read: each one unique, and of plain values."""
    import pyarrow as pa

    titles = schema.names
    if any(not title.strip() for title in titles):
        raise InvalidSample(
            f"The sample {name!r} has a column without a name.", hint="Give it one, or remove it."
        )
    check_unique(titles, name)
    nested = [field.name for field in schema if pa.types.is_nested(field.type)]
    if nested:
        raise InvalidSample(
            f"Column {listed(nested)} of the sample holds lists or objects.",
            hint="Remove it, or make it plain values.",
        )
    return [title for title in titles if not re.fullmatch(r"__index_level_\d+__", title)]


def _check_values(batch: Any, name: str, limits: Limits) -> None:
    """Refuse a text that is too long, before it is unfolded once for each row that refers to it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for title, column in zip(batch.schema.names, batch.columns, strict=True):
        values = column.dictionary if pa.types.is_dictionary(column.type) else column
        if pa.types.is_large_string(values.type) or pa.types.is_string(values.type) or _is_binary(values):
            longest = pc.max(pc.binary_length(values)).as_py() or 0
            if longest > limits.value:
                raise TooLarge(
                    f"Column {title!r} of the sample {name!r} has a value of {longest:,} bytes; at most "
                    f"{limits.value:,} can be used.",
                    hint="Leave the column out, or shorten its texts.",
                )


def _is_binary(values: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type))
