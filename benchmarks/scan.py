"""How fast the scan reads forests of about 40 MB: `python -m benchmarks.scan`.

Beside it, in the same run: pickletools.genops over the same opcodes, and loading the file. Figures are the
best of five, for the machine's other work only ever adds.
"""

import io
import pickle
import pickletools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.ensemble import RandomForestClassifier

from estimators.unpickler import load_restricted
from scan.pickles import scan_pickle

REPEATS = 5
WANTED = 40e6


def forest(trees_of: int) -> Any:
    """A fitted forest whose pickle has about 40 MB, of trees of that depth."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4000, 10))
    y = rng.integers(0, 3, len(X))

    def fit(count: int) -> Any:
        return RandomForestClassifier(count, max_depth=trees_of, n_jobs=2, random_state=0).fit(X, y)

    size = len(pickle.dumps(fit(20))) / 20
    return fit(round(WANTED / size))


def best(work: Callable[[], Any]) -> float:
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def saved(model: Any, folder: Path) -> dict[str, Path]:
    files = {}
    for protocol in (4, 5):
        path = files[f"pickle protocol {protocol}"] = folder / f"p{protocol}.pkl"
        path.write_bytes(pickle.dumps(model, protocol))
    for name, compress in {"plain": 0, "zlib": ("zlib", 3), "lzma": ("lzma", 1)}.items():
        path = files[f"joblib {name}"] = folder / f"{name}.joblib"
        joblib.dump(model, path, compress=compress)
    return files


def count(opcodes: bytes) -> int:
    return sum(1 for _ in pickletools.genops(io.BytesIO(opcodes)))


def main() -> None:
    print("forest       file                   MB   scan s    MB/s  genops s  load s  strict s")
    for label, depth in (("deep trees", 24), ("small trees", 5)):
        model = forest(depth)
        with tempfile.TemporaryDirectory() as folder:
            for name, path in saved(model, Path(folder)).items():
                data = path.read_bytes()
                with path.open("rb") as file:
                    report = scan_pickle(file)
                    assert report.ok, report
                    seconds = best(lambda file=file: scan_pickle(file))  # type: ignore[misc]
                    strict = best(lambda file=file: load_restricted(file))  # type: ignore[misc]
                plain = name.startswith("pickle")
                ops = f"{best(lambda data=data: count(data)):9.3f}" if plain else f"{'-':>9}"  # type: ignore[misc]
                load = pickle.loads if plain else (lambda data: joblib.load(io.BytesIO(data)))
                loading = best(lambda load=load, data=data: load(data))  # type: ignore[misc]
                size = len(data) / 1e6
                print(
                    f"{label:12} {name:18} {size:6.1f} {seconds:8.3f} {size / seconds:7.0f} {ops} "
                    f"{loading:7.3f} {strict:9.3f}"
                )


if __name__ == "__main__":
    main()
