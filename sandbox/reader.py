"""A sample's process as the worker sees it: what a stranger's table holds, read where it can do no harm.

Promises: a frame of the size that was announced, in memory that `SAMPLE_MB` bounds, or an error that says
what is wrong with the sample. Leaves the reading to `model_process.reader`, behind the lock.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from errors import BadAnswer, ChildDied, ChildTimeout, DashboardError, InvalidSample, TooLarge
from records.sample import SampleFacts
from rows.limits import Limits
from sandbox import wire
from sandbox.answers import count_of
from sandbox.process import LockedProcess
from sandbox.zygote import Zygote

__all__ = ["SampleReader", "open_sample"]

PART_BYTES = 4 << 20  # decoded rows of one answer, which hold fewer than wire.ANSWER_TOKENS texts


@contextmanager
def open_sample(
    zygote: Zygote, path: Path, name: str, *, cancelled: threading.Event | None = None, index: bool = False
) -> Iterator["SampleReader"]:
    """Read a sample in a process of its own, which is gone when the block ends; `index` as `Limits` says.

    Raises InvalidSample or TooLarge for what cannot be used, also where reading it took longer than
    `sample_timeout_s` or more memory than `sample_memory_mb`.
    """
    reader = SampleReader(zygote, path, name, cancelled, index)
    try:
        reader._read()
        yield reader
    finally:
        reader.close()


class SampleReader(LockedProcess):
    """A sample that was read. rows: how many are taken; cut_at: the same, where there are more."""

    believed = (InvalidSample, TooLarge)
    rows: int
    cut_at: int | None

    def __init__(
        self,
        zygote: Zygote,
        path: Path,
        name: str,
        cancelled: threading.Event | None,
        index: bool = False,
    ) -> None:
        settings = zygote.settings
        self._memory_mb = settings.sample_memory_mb
        self._limits = Limits(decoded=settings.sample_mb << 20, index=index)
        super().__init__(
            zygote,
            (path,),
            memory_mb=self._memory_mb,
            deadline_s=settings.sample_timeout_s,
            cancelled=cancelled,
        )
        self.name = name

    def describe(self) -> SampleFacts:
        """What a page or a caller needs to know of the sample."""
        answer = self._call("sample", {"op": "describe"})
        try:
            facts = SampleFacts.model_validate(wire.array_to_json(answer.arrays["facts"]))
        except (KeyError, ValueError, BadAnswer) as error:
            raise self._bad(f"its description is malformed ({type(error).__name__}).") from None
        if (facts.rows, facts.cut_at, len(facts.columns)) != (self.rows, self.cut_at, self._columns):
            raise self._bad("its description is of another table.")
        return facts

    def frame(self) -> pd.DataFrame:
        """The rows that are taken, as `rows.samples.read_sample` gives them."""
        step = max(1, PART_BYTES * self.rows // max(1, self._limits.decoded))
        starts = range(0, self.rows, step)
        parts = [self._part(start, min(start + step, self.rows)) for start in starts]
        frame = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
        frame.attrs = {} if self.cut_at is None else {"cut_at": self.cut_at}
        return frame

    def _read(self) -> None:
        self._hello()
        request = {"op": "sample", "name": self.name, "decoded": self._limits.decoded}
        request["index"] = self._limits.index
        answer = self._call("sample", request | {"memory_mb": self._memory_mb}).header
        try:
            self.rows = count_of(answer["rows"], self._limits.rows)
            self.cut_at = None if answer["cut_at"] is None else count_of(answer["cut_at"], self._limits.rows)
            self._columns = count_of(answer["columns"], self._limits.columns)
        except (KeyError, ValueError) as error:
            raise self._bad(f"its size is malformed ({type(error).__name__}).") from None
        if self.rows < 1 or self._columns < 1 or self.cut_at not in (None, self.rows):
            raise self._bad("its size is impossible.")

    def _part(self, start: int, stop: int) -> pd.DataFrame:
        answer = self._call("sample", {"op": "rows", "start": start, "stop": stop})
        try:
            part = wire.decode_frame(answer.arrays, max_tokens=wire.ANSWER_TOKENS, most_text=2 * PART_BYTES)
        except BadAnswer as error:
            raise self._bad(error.message) from None
        if part.shape != (stop - start, self._columns) or not part.columns.is_unique:
            raise self._bad("its rows are not those that were announced.")
        return part

    def _bad(self, message: str) -> DashboardError:
        return self._end(self._unusable(message))

    def _told(self, error: DashboardError) -> DashboardError:
        if isinstance(error, ChildTimeout):
            return InvalidSample(
                f"The sample {self.name!r} could not be read within {self._deadline_s:.3g} s "
                "(SAMPLE_TIMEOUT_S).",
                hint="Take fewer rows or columns; some thousand rows are enough.",
            )
        if isinstance(error, ChildDied):
            return InvalidSample(
                f"The process that read the sample {self.name!r} died: {self._child.describe()}.",
                hint="Save it again as CSV, with fewer rows where it is large.",
            )
        return self._unusable(error.message) if isinstance(error, BadAnswer) else error

    def _unusable(self, why: str) -> InvalidSample:
        return InvalidSample(f"The sample {self.name!r} cannot be used: {why}", hint="Save it again as CSV.")
