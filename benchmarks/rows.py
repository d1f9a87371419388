"""Seconds to generate one million rows of twenty columns, against bare NumPy draws of the same thing.

    python -m benchmarks.rows

Alone: eight normals, four whole numbers, four skewed, four categories. Together: twenty columns that hang
together by 2,000 example rows, against a correlated normal drawn in chunks and mapped to the same quantiles.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr

from records.schema import FieldSpec, Schema
from rows.joint import Joint
from schema_utils import infer_from_frame
from synthetic_data import generate

ROWS, COLUMNS, CHUNK, ROUNDS = 1_000_000, 20, 32_768, 3
COLOURS = ("red", "green", "blue", "white", "black")
WEIGHTS = (0.4, 0.3, 0.15, 0.1, 0.05)


def main() -> None:
    mixed = Schema(
        features=(
            *(FieldSpec(name=f"n{i}", mean=5, std=2) for i in range(8)),
            *(FieldSpec(name=f"i{i}", type="integer", min=0, max=99) for i in range(4)),
            *(FieldSpec(name=f"l{i}", mean=5, std=4, distribution="lognormal") for i in range(4)),
            *(
                FieldSpec(name=f"c{i}", type="category", categories=COLOURS, weights=WEIGHTS)
                for i in range(4)
            ),
        )
    )
    correlated = np.full((COLUMNS, COLUMNS), 0.5) + np.eye(COLUMNS) / 2
    normals = np.random.default_rng(0).multivariate_normal(np.zeros(COLUMNS), correlated, 2_000)
    sample = pd.DataFrame(np.exp(normals), columns=[f"x{i}" for i in range(COLUMNS)])
    schema = infer_from_frame(sample)
    joint = Joint.of_frame(sample, schema)
    quantiles = np.array([field.quantiles for field in schema.features])
    print(f"{ROWS:,} rows x {COLUMNS} columns, seconds, best of {ROUNDS}")
    print(f"{'':10} {'bare numpy':>11} {'ours':>7} {'ratio':>6}")
    compared("alone", lambda: bare_alone(mixed), lambda: generate(mixed, ROWS, 0))
    compared(
        "together", lambda: bare_together(correlated, quantiles), lambda: generate(schema, ROWS, 0, joint)
    )


def compared(name: str, bare: Callable[[], Any], ours: Callable[[], Any]) -> None:
    theirs, own = (min(timed(make) for _ in range(ROUNDS)) for make in (bare, ours))
    print(f"{name:10} {theirs:11.2f} {own:7.2f} {own / theirs:5.1f}x")


def timed(make: Callable[[], Any]) -> float:
    started = time.perf_counter()
    make()
    return time.perf_counter() - started


def bare_alone(schema: Schema) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    kinds: Any = pd.CategoricalDtype(list(COLOURS))
    draws: dict[str, Callable[[], Any]] = {
        "n": lambda: rng.normal(5, 2, ROWS),
        "i": lambda: rng.integers(0, 100, ROWS),
        "l": lambda: rng.lognormal(1.4, 0.7, ROWS),
        "c": lambda: pd.Categorical.from_codes(
            np.searchsorted(np.cumsum(WEIGHTS)[:-1], rng.random(ROWS)), dtype=kinds
        ),
    }
    return pd.DataFrame({name: draws[name[0]]() for name in schema.names}, copy=False)


def bare_together(correlated: Any, quantiles: Any) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    root = np.linalg.cholesky(correlated)
    shares = np.linspace(0, 1, quantiles.shape[1])
    table = np.empty((COLUMNS, ROWS))
    for start in range(0, ROWS, CHUNK):
        chunk = table[:, start : start + CHUNK]
        uniform = ndtr(root @ rng.standard_normal(chunk.shape))
        for column, (own, values) in enumerate(zip(uniform, quantiles, strict=True)):
            chunk[column] = np.interp(own, shares, values)
    return pd.DataFrame(table.T, columns=[f"x{i}" for i in range(COLUMNS)], copy=False)


if __name__ == "__main__":
    main()
