"""Drift of two tables: ours against Evidently, NannyML, whylogs and a loop over SciPy, in one run.

    benchmarks/peers.sh
    python -m benchmarks.peers [--rows 200000] [--columns 20] [--only ours evidently ...]

Each measurement is a process of its own in the peer's own environment (PEERS_DIR, else .peers beside the
project; one that is missing is named and skipped). Timed: the call that compares two tables in memory, after
one on 1,000 rows that makes the imports. Ours runs before each of the others; the ratio is to that run.
"""

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path(os.environ.get("PEERS_DIR") or ROOT / ".peers")
LIMIT_S = 3600.0
SHIFT = 0.02  # standard deviations, of half of the columns
Compare = Callable[[pd.DataFrame, pd.DataFrame], object]
Measured = dict[str, float]


def main(rows: int, columns: int, only: list[str]) -> None:
    from benchmarks.drift_tables import table

    with tempfile.TemporaryDirectory() as name:
        for seed, part in enumerate(("reference", "current")):
            np.save(Path(name, f"{part}.npy"), table(rows, seed, SHIFT * seed, columns).to_numpy())
        size = 2 * rows * columns * 8 / 1e6
        load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
        print(f"{rows:,} x {columns} floats, twice: {size:,.0f} MB; {load}")
        print(f"{'':<44}{'seconds':>9}{'of ours':>9}{'peak above the tables':>24}")
        for title, peer, work, does in PEERS:
            if only and peer not in only:
                continue
            python = interpreter(peer)
            if python is None:
                print(f"{title:<44} not installed: benchmarks/peers.sh {peer}")
                continue
            ours = measured(sys.executable, "compare", name)
            found = measured(python, work, name)
            if isinstance(ours, str) or isinstance(found, str):
                print(f"{title:<44} failed: {ours if isinstance(ours, str) else found}", flush=True)
                continue
            print(line("ours: four statistics, four tests", ours, ours, size), flush=True)
            print(line(f"{title}: {does}", found, ours, size), flush=True)


def line(title: str, found: Measured, ours: Measured, size: float) -> str:
    peak = found["peak_mb"]
    return (
        f"{title:<44}{found['seconds']:>9.2f}{found['seconds'] / ours['seconds']:>8.1f}x"
        f"{peak:>10,.0f} MB ({1 + peak / size:.2f} x)"
    )


def interpreter(peer: str) -> str | None:
    """The Python of a peer's environment; None where there is none."""
    if peer == "ours":
        return sys.executable
    path = FOLDER / peer / "bin" / "python"
    return str(path) if path.exists() else None


def measured(python: str, work: str, folder: str) -> Measured | str:
    """Seconds and peak memory of one comparison in a fresh process; the last line of what went wrong."""
    command = [python, "-m", "benchmarks.peers", "--inside", work, folder]
    environment = {
        **os.environ,
        "WHYLOGS_NO_ANALYTICS": "True",
        "NML_DISABLE_USAGE_LOGGING": "1",
        "DO_NOT_TRACK": "1",
    }
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, env=environment
        )
    except subprocess.TimeoutExpired:
        return f"more than {LIMIT_S:.0f} s"
    if done.returncode:
        return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1][:120]
    found: Measured = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def inside(work: str, folder: str) -> None:
    """In the peer's environment: one call on a few rows, then the timed one."""
    warnings.simplefilter("ignore")
    reference, current = (frame(Path(folder, f"{part}.npy")) for part in ("reference", "current"))
    compare = WORK[work]()
    compare(reference.head(1000), current.head(1000))
    gc.collect()
    before = resident_mb()
    started = time.perf_counter()
    compare(reference, current)
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "peak_mb": peak_mb() - before}))


def frame(path: Path) -> pd.DataFrame:
    values = np.load(path)
    return pd.DataFrame({f"x{i}": values[:, i].copy() for i in range(values.shape[1])})


def resident_mb() -> float:
    """Resident memory now; from here on the peak is counted anew (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")
    return status_mb("VmRSS")


def peak_mb() -> float:
    return status_mb("VmHWM")


def status_mb(key: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(text.split()[1]) for text in lines if text.startswith(key)) / 1024


# What is timed; each imports its library first. ------------------------------------------------


def ours() -> Compare:
    import drift

    return drift.compare


def scipy_loop() -> Compare:
    from benchmarks.drift_tables import scipy_loop

    return scipy_loop


def evidently_default() -> Compare:
    return evidently_by([None])


def evidently_psi() -> Compare:
    return evidently_by(["psi"])


def evidently_four() -> Compare:
    return evidently_by(["ks", "wasserstein", "psi", "jensenshannon"])


def evidently_by(methods: list[str | None]) -> Compare:
    from evidently import Report
    from evidently.presets import DataDriftPreset

    def compare(reference: pd.DataFrame, current: pd.DataFrame) -> object:
        return [
            Report([DataDriftPreset(num_method=method) if method else DataDriftPreset()])
            .run(current, reference)
            .dict()
            for method in methods
        ]

    return compare


def nannyml_default() -> Compare:
    return nannyml_by({})


def nannyml_three() -> Compare:
    exact = {"calculation_method": "exact"}
    return nannyml_by({
        "continuous_methods": ["kolmogorov_smirnov", "wasserstein", "jensen_shannon"],
        "computation_params": {"kolmogorov_smirnov": exact, "wasserstein": exact},
        "chunk_number": 1,
    })  # fmt: skip


def nannyml_by(settings: dict[str, object]) -> Compare:
    from nannyml import UnivariateDriftCalculator

    def compare(reference: pd.DataFrame, current: pd.DataFrame) -> object:
        made = UnivariateDriftCalculator(column_names=list(reference.columns), **settings)
        return made.fit(reference).calculate(current).to_df()

    return compare


def whylogs_default() -> Compare:
    import whylogs
    from whylogs.viz.drift.column_drift_algorithms import calculate_drift_scores

    def compare(reference: pd.DataFrame, current: pd.DataFrame) -> object:
        before, after = (whylogs.log(table).view() for table in (reference, current))
        return calculate_drift_scores(target_view=after, reference_view=before, with_thresholds=True)

    return compare


WORK: dict[str, Callable[[], Compare]] = {
    "compare": ours,
    "scipy": scipy_loop,
    "evidently default": evidently_default,
    "evidently psi": evidently_psi,
    "evidently four": evidently_four,
    "nannyml default": nannyml_default,
    "nannyml three": nannyml_three,
    "whylogs default": whylogs_default,
}
PEERS = (  # title, whose environment, what is timed, and what that computes
    ("SciPy", "ours", "scipy", "the same four, column by column"),
    ("whylogs", "whylogs", "whylogs default", "default, KS on sketches"),
    ("NannyML", "nannyml", "nannyml default", "default, Jensen-Shannon"),
    ("NannyML", "nannyml", "nannyml three", "KS, Wasserstein, Jensen-Shannon"),
    ("Evidently", "evidently", "evidently default", "default"),
    ("Evidently", "evidently", "evidently psi", "PSI"),
    ("Evidently", "evidently", "evidently four", "the same four"),
)

if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        inside(*sys.argv[2:4])
    else:
        parser = argparse.ArgumentParser(
            description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        parser.add_argument("--rows", type=int, default=200_000)
        parser.add_argument("--columns", type=int, default=20)
        parser.add_argument(
            "--only", nargs="*", default=[], choices=("ours", "evidently", "nannyml", "whylogs")
        )
        chosen = parser.parse_args()
        main(chosen.rows, chosen.columns, chosen.only)
