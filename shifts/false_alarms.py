"""How often a monitor cries drift when nothing has changed: parts of the reference against each other.

Promises: no row is in both parts, so that they differ by chance alone; rates with intervals, by column and
for the table, under the rules of `drift.compare` or with a PSI to watch for each column. Leaves the
comparison to `drift` and finding a PSI to watch to `shifts.breaking_points`.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from distances.columns import category_codes_of_both, common_kind, numbers
from distances.formulas import SHARE_FLOOR, Counts, Numbers
from distances.sorting import quantile_cuts, side_of
from drift import compare
from errors import InvalidInput
from interruption import check
from records.drift import ColumnFalseAlarms, DriftRules, FalseAlarms
from records.thresholds import TOLERATED

__all__ = ["BATCHES", "expected_false_alarms", "watched_false_alarms", "wilson_interval"]

MAX_ROWS = 20_000  # a side; more rows bring fewer false alarms, so that the rate found is an upper one
MIN_ROWS = 4  # that can be split in two parts of two
BATCHES = (50, 100, 200, 500, 1_000, 2_000, 5_000)  # rows that a monitor may meet at a time
ROUNDS = 300  # leave a rate of 5 % uncertain by 2.5 points
FEWEST_ROUNDS = 50
MOST_VALUES = 20_000_000  # counted in all; large batches of many columns get fewer rounds

Fired = npt.NDArray[np.bool_]


def expected_false_alarms(
    reference: pd.DataFrame,
    rules: DriftRules | None = None,
    *,
    current_rows: int | None = None,
    rounds: int = 50,
    seed: int = 0,
) -> FalseAlarms:
    """Split the reference (n rows) at random, compare the parts by `rules`, and do so `rounds` times.

    current_rows: of the table that will be compared; the second part has as many, half of the rows at most,
    and the first part the rest. The test that judges is the one that the whole tables would get, even where
    the parts have fewer rows than its limit. Fewer rows than will be compared make distances larger by
    chance, so for these the rate is an upper one, and the note says so.

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
    first, second = _parts(n, wanted)
    # The rows compared are fewer than the whole tables', and must not change which test judges.
    limit = 0 if by_distance else max(first, second)
    parts_rules = rules.model_copy(update={"rows_limit": limit})
    rng = np.random.default_rng(seed)
    fired = np.zeros((rounds, reference.shape[1]), dtype=np.bool_)
    for drifted in fired:
        rows = rng.permutation(n)[: first + second]
        report = compare(reference.iloc[rows[:first]], reference.iloc[rows[first:]], parts_rules)
        drifted[:] = [c.drifted is True for c in report.columns]
    note = _note(by_distance, (first, second), (n, wanted))
    return _rates([str(name) for name in reference.columns], fired, (first, second), note)


def watched_false_alarms(
    reference: pd.DataFrame,
    watch: Mapping[str, float],
    *,
    batches: Sequence[int] = BATCHES,
    rounds: int = ROUNDS,
    seed: int = 0,
) -> tuple[FalseAlarms, ...]:
    """How often the PSI of a batch without drift reaches what is watched; one entry for each batch size.

    watch: the PSI of each column at which the monitor raises an alarm. batches: rows; sizes above half of the
    reference (n rows) are left out. A batch is drawn from the reference at random and compared with the rows
    left, over the bins of the whole reference: ten of its quantiles for numbers, its categories else, and
    missing values. A monitor compares with all n rows, so that the rates are slightly too high: the PSI to be
    expected by chance of k bins is about (k - 1) (1 / batch + 1 / (n - batch)). Source: Yurdakul and Naranjo
    (2020), Statistical properties of the population stability index.

    Large batches of many columns get fewer than `rounds` rounds, 50 at least. `any_column` is of the columns
    whose rate is tolerable (5 %) in some size of batch, where any is.
    """
    n = len(reference) if len(reference) <= MAX_ROWS else MAX_ROWS
    sizes = sorted({size for size in batches if 0 < 2 * size <= n})
    if not sizes or not watch:
        return ()
    rng = np.random.default_rng(seed)
    if len(reference) > n:
        reference = reference.iloc[np.sort(rng.choice(len(reference), n, replace=False))]
    bins, starts = _binned([reference[name] for name in watch])
    in_all = np.bincount(bins.ravel(), minlength=starts[-1])
    rounds = min(rounds, max(FEWEST_ROUNDS, MOST_VALUES // (sizes[-1] * len(watch))))
    limits = np.array(list(watch.values()), dtype=np.float64)
    batch = _counted(bins, rng, rounds, sizes, starts[-1])
    fired = [_psi(in_all - counts, counts, starts[:-1]) >= limits for counts in batch]
    # Who watches all of them leaves out those that chance reaches too often in batches of any size.
    usable = np.min([alarms.mean(axis=0) for alarms in fired], axis=0) <= TOLERATED
    return tuple(
        _rates(list(watch), alarms, (n - size, size), usable=usable if usable.any() else None)
        for size, alarms in zip(sizes, fired, strict=True)
    )


def _parts(n: int, wanted: int) -> tuple[int, int]:
    """Rows of the part that stands for the reference, and of the one that stands for the current table."""
    second = max(1, min(n // 2, wanted, MAX_ROWS))
    return min(n - second, MAX_ROWS), second


def _rates(
    names: list[str],
    fired: Fired,
    parts: tuple[int, int],
    note: str | None = None,
    usable: Fired | None = None,
) -> FalseAlarms:
    """fired: (rounds, columns). usable: (columns,), those that count for `any_column`; None: all."""
    rounds = len(fired)
    alarms = int((fired if usable is None else fired[:, usable]).any(axis=1).sum())
    return FalseAlarms(
        rounds=rounds,
        rows_reference=parts[0],
        rows_current=parts[1],
        any_column=alarms / rounds,
        interval=wilson_interval(alarms, rounds),
        mean_share=float(fired.mean()),
        columns=tuple(
            ColumnFalseAlarms(column=name, rate=rate)
            for name, rate in zip(names, fired.mean(axis=0).tolist(), strict=True)
        ),
        note=note,
    )


def _note(by_distance: bool, parts: tuple[int, int], whole: tuple[int, int]) -> str | None:
    if not by_distance or (parts[0] >= whole[0] and parts[1] >= whole[1]):
        return None
    return (
        f"An upper estimate: parts of {parts[0]} and {parts[1]} rows were compared in place of "
        f"{whole[0]} and {whole[1]}, and distances by chance shrink as rows grow."
    )


def _binned(columns: list["pd.Series"]) -> tuple[Counts, Counts]:
    """Each row's bin in each column (rows, columns), numbered through; and where each column's bins begin.

    The last entry of the second is the number of all bins.
    """
    found, starts = [], [0]
    for column in columns:
        check()
        own, bins = _bins_of(column)
        found.append(own + starts[-1])
        starts.append(starts[-1] + bins)
    return np.column_stack(found), np.array(starts, dtype=np.int64)


def _bins_of(column: pd.Series) -> tuple[Counts, int]:
    """Each row's bin, as `drift.compare` would have it, and how many there are; the last is for missing."""
    if common_kind(column, column) == "category":
        values: Numbers = category_codes_of_both(column, column.iloc[:0], len(column))
        known = np.nan_to_num(values, nan=-1.0).astype(np.int64)
        last = int(known.max()) + 1
    else:
        values = numbers(column)
        cuts = quantile_cuts(np.sort(side_of(values).values))
        # As drift_sorted.bin_counts: bins are closed on the left, and an atom has one of its own.
        known = np.searchsorted(cuts.edges, values, "right") + np.searchsorted(cuts.atoms, values, "left")
        last = len(cuts.edges) + len(cuts.atoms) + 1
    return np.where(np.isnan(values), last, known).astype(np.int64), last + 1


def _counted(bins: Counts, rng: np.random.Generator, rounds: int, sizes: list[int], every: int) -> Counts:
    """Rows a bin (sizes, rounds, every) of batches drawn from `bins` (rows, columns).

    The smaller batches of a round are the first rows of the largest, so that each row is counted once.
    """
    counts = np.empty((len(sizes), rounds, every), dtype=np.int64)
    for i in range(rounds):
        check()
        drawn, begin = bins[rng.permutation(len(bins))[: sizes[-1]]], 0
        for j, size in enumerate(sizes):
            counts[j, i] = np.bincount(drawn[begin:size].ravel(), minlength=every)
            begin = size
    return np.cumsum(counts, axis=0, out=counts)


def _psi(reference: Counts, current: Counts, starts: Counts) -> Numbers:
    """drift_statistics.population_stability_index of every draw and column: (draws, columns)."""
    columns = len(starts)  # each has every row of a draw in one of its bins
    r = np.maximum(reference * columns / reference.sum(axis=1, keepdims=True), SHARE_FLOOR)
    c = np.maximum(current * columns / current.sum(axis=1, keepdims=True), SHARE_FLOOR)
    psi: Numbers = np.add.reduceat((c - r) * np.log(c / r), starts, axis=1)
    return psi


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
