"""How often a comparison cries drift when nothing has changed: resampled halves of the reference.

Promises: rates with intervals, by column and for the table, under the rules that the comparison itself
uses. Leaves the comparison to `drift`.
"""

import math

import numpy as np
import pandas as pd
from pydantic import Field

from drift import DriftRules, compare
from errors import InvalidInput
from records import Record

__all__ = ["ColumnFalseAlarms", "FalseAlarms", "expected_false_alarms", "wilson_interval"]

MAX_ROWS = 20_000  # a side; more rows bring fewer false alarms, so that the rate found is an upper one
MIN_ROWS = 4  # that can be split in two halves of two


class ColumnFalseAlarms(Record):
    """Share of rounds in which one column was called drifted."""

    column: str
    rate: float = Field(ge=0, le=1)


class FalseAlarms(Record):
    """What the rules say of tables that differ by chance alone.

    any_column: share of rounds in which at least one column was called drifted; interval: its 95 % Wilson
    interval. mean_share: of the columns, on average. rows_reference, rows_current: of the halves compared.
    """

    rounds: int
    rows_reference: int
    rows_current: int
    any_column: float
    interval: tuple[float, float]
    mean_share: float
    columns: tuple[ColumnFalseAlarms, ...]
    note: str | None = None


def expected_false_alarms(
    reference: pd.DataFrame,
    rules: DriftRules | None = None,
    *,
    current_rows: int | None = None,
    rounds: int = 50,
    seed: int = 0,
) -> FalseAlarms:
    """Split the reference (n rows) at random into two halves, compare them, and do so `rounds` times.

    No row is on both sides, so the halves differ by chance alone. current_rows: of the table that will be
    compared; the second half is cut to as many. The test that judges is the one that the whole tables would
    get, even where the halves have fewer rows than its limit. Fewer rows than will be compared make
    distances larger by chance, so for these the rate is an upper one, and the note says so.

    Raises InvalidInput for fewer than four rows.
    """
    rules = rules or DriftRules()
    n = len(reference)
    if n < MIN_ROWS:
        raise InvalidInput(
            f"False alarms cannot be estimated from {n} rows of reference.",
            hint=f"Give a reference of at least {MIN_ROWS} rows; some hundreds are better.",
        )
    wanted = n if current_rows is None else current_rows
    by_distance = min(n, wanted) > rules.rows_limit
    first = min(n - n // 2, MAX_ROWS)
    second = max(1, min(n // 2, wanted, MAX_ROWS))
    # The rows compared are fewer than the whole tables', and must not change which test judges.
    limit = 0 if by_distance else max(first, second)
    halves_rules = rules.model_copy(update={"rows_limit": limit})
    rng = np.random.default_rng(seed)
    hits = np.zeros(reference.shape[1], dtype=np.int64)
    alarms = 0
    for _ in range(rounds):
        rows = rng.permutation(n)[: first + second]
        report = compare(reference.iloc[rows[:first]], reference.iloc[rows[first:]], halves_rules)
        drifted = np.array([c.drifted is True for c in report.columns])
        hits += drifted
        alarms += bool(drifted.any())
    return FalseAlarms(
        rounds=rounds,
        rows_reference=first,
        rows_current=second,
        any_column=alarms / rounds,
        interval=wilson_interval(alarms, rounds),
        mean_share=float(hits.mean() / rounds),
        columns=tuple(
            ColumnFalseAlarms(column=str(name), rate=k / rounds)
            for name, k in zip(reference.columns, hits.tolist(), strict=True)
        ),
        note=_note(by_distance, (first, second), (n, wanted)),
    )


def _note(by_distance: bool, halves: tuple[int, int], whole: tuple[int, int]) -> str | None:
    if not by_distance or (halves[0] >= whole[0] and halves[1] >= whole[1]):
        return None
    return (
        f"An upper estimate: halves of {halves[0]} and {halves[1]} rows were compared in place of "
        f"{whole[0]} and {whole[1]}, and distances by chance shrink as rows grow."
    )


def wilson_interval(hits: int, rounds: int) -> tuple[float, float]:
    """95 % interval of a share. Source: Wilson (1927).

    >>> [round(end, 3) for end in wilson_interval(0, 50)]
    [0.0, 0.071]
    """
    z = 1.959963984540054
    share, extra = hits / rounds, z * z / rounds
    middle = share + extra / 2
    width = z * math.sqrt((share * (1 - share) + extra / 4) / rounds)
    return max(0.0, (middle - width) / (1 + extra)), min(1.0, (middle + width) / (1 + extra))
