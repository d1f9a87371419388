"""What a locked child does with a sample: reads it, describes it, and sends its rows.

Promises: what is sent is bounded by size, and of types that the wire takes. Leaves the reading itself to
`rows.samples`, and believing it to `sandbox.reader`.
"""

import io
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa

from errors import TooLarge
from records.sample import SampleFacts
from records.schema import MAX_FEATURES, Schema
from rows.limits import Limits
from rows.samples import read_sample
from rows.taking import facts_of
from sandbox import wire
from schema_utils import fields_of

__all__ = ["SAMPLE_OPERATIONS", "SampleOperations", "described", "warm_up"]

SAMPLE_OPERATIONS = ("sample", "describe", "rows")
MAX_FACTS = 3 << 20  # bytes of JSON; 500 columns with quantiles take half of it
HEAD_ROWS, HEAD_COLUMNS, HEAD_TEXT = 5, 50, 60


class SampleOperations:
    """The requests that a child answers about its file as a sample."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._frame = pd.DataFrame()

    @property
    def by_name(self) -> dict[str, Callable[[wire.Message], wire.Message]]:
        return dict(zip(SAMPLE_OPERATIONS, (self._sample, self._describe, self._rows), strict=True))

    def _sample(self, request: wire.Message) -> wire.Message:
        """Read the file; how many rows and columns are taken, and whether there are more."""
        header = request.header
        try:
            self._frame = read_sample(self._file, header["name"], _limits_of(header))
        except (MemoryError, pa.ArrowMemoryError):
            raise TooLarge(
                f"The sample {header['name']!r} unfolds to more than fits into the process that reads it "
                f"({header['memory_mb']:,} MB of address space, SAMPLE_MEMORY_MB).",
                hint="Take fewer rows, or leave out columns of long texts.",
            ) from None
        facts = {"rows": len(self._frame), "cut_at": self._frame.attrs.get("cut_at")}
        return wire.Message(facts | {"columns": self._frame.shape[1]})

    def _describe(self, _request: wire.Message) -> wire.Message:
        facts = described(self._frame)
        told = wire.json_to_array(facts.model_dump(mode="json"))
        if len(told) > MAX_FACTS:
            short = facts.model_copy(update={"schema_": None, "told": ()})
            told = wire.json_to_array(short.model_dump(mode="json"))
        return wire.Message({}, {"facts": told})

    def _rows(self, request: wire.Message) -> wire.Message:
        start, stop = request.header["start"], request.header["stop"]
        return wire.Message({}, wire.encode_frame(self._frame.iloc[start:stop]))


def described(frame: pd.DataFrame) -> SampleFacts:
    """What is told of a sample. Raises InvalidSample for a column that cannot be used."""
    return SampleFacts(
        rows=len(frame),
        cut_at=frame.attrs.get("cut_at"),
        columns=tuple(frame.columns),
        empty=tuple(frame.columns[np.flatnonzero(frame.isna().to_numpy().all(axis=0))]),
        head=_head(frame),
        schema_=_schema_of(frame),
        told=facts_of(frame),
        index=frame.attrs.get("index", False),
    )


def _schema_of(frame: pd.DataFrame) -> Schema | None:
    """What the columns show; None where that is too long to be sent, as soon as it is."""
    if frame.shape[1] > MAX_FEATURES:
        return None
    fields, size = [], 0
    for field in fields_of(frame):
        fields.append(field)
        size += sum(len(str(value)) for value in field.categories or ())
        if size > MAX_FACTS:
            return None
    return Schema(features=tuple(fields))


def _limits_of(header: Mapping[str, Any]) -> Limits:
    return Limits(decoded=header["decoded"], index=header["index"])


def _head(frame: pd.DataFrame) -> tuple[tuple[str, ...], ...]:
    def shown(value: Any) -> str:
        return "" if pd.isna(value) else str(value)[:HEAD_TEXT]

    part = frame.iloc[:HEAD_ROWS, :HEAD_COLUMNS].astype(object)
    return tuple(tuple(map(shown, row)) for row in part.itertuples(index=False, name=None))


def warm_up() -> None:
    """Have imported what reading imports: paid once before the fork, not by each sample."""
    for text in (b"a,b\n1,2024-01-31\n2,2024-02-29\n", b"a;b\n1,5;x\n2,5;y\n"):
        frame = read_sample(io.BytesIO(text), "")
        described(frame)
        wire.encode_frame(frame)
        buffer = io.BytesIO()
        frame.to_parquet(buffer)
        read_sample(buffer, "")
