"""Two tables of 1,000,000 x 50 floats: a loop over SciPy against `drift.compare`, and its memory.

python -m benchmarks.drift_tables [rows]
"""

import gc
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import psutil
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp, wasserstein_distance

import drift
from distances import columns as drift_columns
from distances.refining import by_refining
from distances.sorting import Ordered, by_sorting, side_of

COLUMNS, ROUNDS = 50, 5
NEVER = 1 << 62


def main(rows: int) -> None:
    reference, current = table(rows, 0, 0.0), table(rows, 1, 0.02)
    size = sum(int(t.memory_usage().sum()) for t in (reference, current))
    drift.compare(reference.iloc[:1000], current.iloc[:1000])  # SciPy is imported before it is timed
    gc.collect()
    ours, our_s, peak = watched(lambda: drift.compare(reference, current))
    loop, loop_s, loop_peak = watched(lambda: scipy_loop(reference, current))
    our_s = min(our_s, *(timed(lambda: drift.compare(reference, current)) for _ in range(ROUNDS - 1)))
    print(f"{rows:,} x {COLUMNS}, twice: {size / 1e6:.0f} MB; every fifth column lacks 5 % of its values")
    print(f"SciPy, column by column   {loop_s:6.2f} s           peak + {loop_peak / 1e6:.0f} MB")
    print(f"compare                   {our_s:6.2f} s {loop_s / our_s:6.1f} x  peak + {peak / 1e6:.0f} MB, "
          f"{1 + peak / size:.2f} x the tables")  # fmt: skip
    drift.MAX_THREADS = 1
    one_s = min(timed(lambda: drift.compare(reference, current)) for _ in range(ROUNDS))
    print(f"  with one thread         {one_s:6.2f} s {loop_s / one_s:6.1f} x")
    drift.MAX_THREADS, drift_columns.REFINE_ROWS = 4, NEVER
    sorted_s = min(timed(lambda: drift.compare(reference, current)) for _ in range(2))
    print(f"  by sorting              {sorted_s:6.2f} s {loop_s / sorted_s:6.1f} x")
    for key in ("ks", "ks_p", "wasserstein", "psi", "js"):
        apart = max(abs(getattr(c, key) - theirs[key]) for c, theirs in zip(ours.columns, loop, strict=True))
        print(f"  largest difference of {key:11} {apart:.1e}")
    crossover()


def table(rows: int, seed: int, shift: float, count: int = COLUMNS) -> pd.DataFrame:
    """Normal, skewed and heavy-tailed columns; half of them move by `shift` standard deviations."""
    rng = np.random.default_rng(seed)
    columns = {}
    for i in range(count):
        if i % 10 == 7:
            values = rng.exponential(size=rows)
        elif i % 10 == 8:
            values = rng.standard_t(3, size=rows)
        elif i % 10 == 9:
            values = rng.random(rows)
        else:
            values = rng.normal(size=rows)
        values += shift * (i % 2)
        if i % 5 == 0:
            values[rng.random(rows) < 0.05] = np.nan
        columns[f"x{i}"] = values
    return pd.DataFrame(columns)


def scipy_loop(reference: pd.DataFrame, current: pd.DataFrame) -> list[dict[str, float]]:
    found = []
    for name in reference.columns:
        r, c = reference[name].to_numpy(), current[name].to_numpy()
        missing = int(np.isnan(r).sum()), int(np.isnan(c).sum())
        r, c = r[~np.isnan(r)], c[~np.isnan(c)]
        ks = ks_2samp(r, c, method="asymp")
        edges = np.quantile(r, np.linspace(0, 1, 11))
        edges[0], edges[-1] = -np.inf, np.inf
        r_share = np.append(np.histogram(r, edges)[0], missing[0]) / len(reference)
        c_share = np.append(np.histogram(c, edges)[0], missing[1]) / len(current)
        r_floor, c_floor = np.maximum(r_share, 1e-4), np.maximum(c_share, 1e-4)
        found.append({
            "ks": ks.statistic,
            "ks_p": ks.pvalue,
            "wasserstein": wasserstein_distance(r, c),
            "psi": float(np.sum((c_floor - r_floor) * np.log(c_floor / r_floor))),
            "js": jensenshannon(r_share, c_share, base=2),
        })  # fmt: skip
    return found


def crossover() -> None:
    """One column, both ways, in milliseconds."""
    print(f"{'rows a side':>12} {'sorted':>8} {'refined':>8}")
    for rows in (5_000, 10_000, 25_000, 50_000, 75_000, 100_000, 200_000, 400_000):
        rng = np.random.default_rng(rows)
        r, c = side_of(rng.normal(size=rows)), side_of(rng.normal(size=rows))
        ways = (lambda r=r, c=c: by_sorting(Ordered(r), Ordered(c)), partial(by_refining, r, c))
        times = [min(timed(way) for _ in range(9)) for way in ways]
        print(f"{rows:12,} {times[0] * 1e3:8.1f} {times[1] * 1e3:8.1f}")


def timed(do: Callable[[], Any]) -> float:
    started = time.perf_counter()
    do()
    return time.perf_counter() - started


def watched(do: Callable[[], Any]) -> tuple[Any, float, int]:
    """What was returned, seconds, and by how many bytes resident memory rose at its highest."""
    process, done = psutil.Process(), threading.Event()
    before = process.memory_info().rss
    peak = before

    def look() -> None:
        nonlocal peak
        while not done.wait(0.002):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=look)
    watcher.start()
    started = time.perf_counter()
    result = do()
    seconds = time.perf_counter() - started
    done.set()
    watcher.join()
    return result, seconds, peak - before


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
