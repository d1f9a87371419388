"""Objects of old pandas and NumPy beside a model and inside of it, written by the releases that had them.

Run `python -m scripts.old_bundles ENVIRONMENTS` (environments as for scripts/old_models.py). Writes FILE: a
dict for each kind and release, `model` and what people keep beside it. Run by those interpreters.
"""

from __future__ import annotations

import base64
import json
import pickle
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

try:
    from scripts import old_models
except ImportError:  # in an old interpreter, beside this file
    import old_models  # type: ignore[import-not-found, no-redef]

__all__ = ["FILE", "RELEASES", "main", "read"]

FILE = old_models.FOLDER / "bundles.tar.xz"
RELEASES = ("0.20.4", "0.22.2.post1", "0.24.2", "1.0.2", "1.2.2", "1.4.2", "1.8.0")  # pandas 0.25 to 2.3
NUMBERS = list("abc")


def kept() -> Any:
    """(kind, what stands beside the model, by name) one by one."""
    import pandas as pd

    frame = old_models.table().dropna().reset_index(drop=True)
    head = frame[NUMBERS].head(3)
    yield "index", {"columns": frame[NUMBERS].columns}
    yield "series", {"columns": pd.Series(NUMBERS), "means": frame[NUMBERS].mean()}
    yield "frame", {"columns": NUMBERS, "sample": head}
    yield "mixed frame", {"columns": NUMBERS, "sample": frame.head(3)}
    yield "categories", {
        "columns": NUMBERS, "kinds": frame["kind"].astype("category").head(3),
        "dtype": pd.CategoricalDtype(["bad", "good"]), "levels": pd.CategoricalIndex(["bad", "good"]),
    }  # fmt: skip
    yield "intervals", {"columns": NUMBERS, "bins": pd.cut(frame["a"], 3).cat.categories}
    yield "whole index", {"columns": NUMBERS, "rows": pd.Index([3, 5, 9]), "range": pd.RangeIndex(4)}
    days = pd.date_range("2020-01-01", periods=3)
    yield "dates", {"columns": NUMBERS, "seen": days, "at": pd.Timestamp("2020-01-02")}
    yield "arrays", {
        "columns": np.array(NUMBERS, dtype=object), "words": np.array(NUMBERS), "one": np.str_("a"),
        "count": np.int64(3), "share": np.float32(0.5), "matrix": np.matrix([[1.0, 2.0]]),
        "type": np.dtype("f8"),
    }  # fmt: skip


def models() -> Any:
    """(kind, its content) one by one: a fitted pipeline, and what stands beside it."""
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    _, two, _, _ = old_models.rows()
    frame = old_models.table().fillna(0.0)

    def fitted(columns: Any) -> Any:
        scaled = ColumnTransformer([("n", StandardScaler(), columns)])
        return make_pipeline(scaled, LogisticRegression(solver="lbfgs")).fit(frame[NUMBERS], two)

    for kind, beside in kept():
        yield kind, {"model": fitted(NUMBERS), **beside}
    yield "columns by an index", fitted(frame[NUMBERS].columns)
    model = LogisticRegression(solver="lbfgs").fit(frame[NUMBERS].values, two)
    model.feature_names = frame[NUMBERS].columns
    yield "attribute", model
    model = LogisticRegression(solver="lbfgs").fit(frame[NUMBERS].values, two)
    model.means, model.sample = frame[NUMBERS].mean(), frame.head(2)
    yield "attributes with tables", model


def asked(kind: str) -> Any:
    """The twenty rows that no model was fitted on: by name, or as an array where none has names."""
    frame = old_models.table().fillna(0.0)[NUMBERS][old_models.TRAINED :]
    return frame.values if kind.startswith("attribute") else frame


def read() -> tuple[dict[tuple[str, str], bytes], dict[tuple[str, str], Any]]:
    """The files and what their models answered, by release and kind."""
    return old_models.unpacked(FILE)


def make() -> None:
    """In the release's own environment: fit, save, load again, answer; printed as JSON."""
    made = {}
    for kind, content in models():
        data = pickle.dumps(content)
        again = pickle.loads(data)
        model = again["model"] if isinstance(again, dict) else again
        made[kind] = [base64.b64encode(data).decode(), old_models.answers(model, asked(kind))]
    print(json.dumps(made))


def main() -> int:
    old_models.gather(Path(sys.argv[1]), RELEASES, __file__, FILE)
    return 0


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    if sys.argv[1] == "--make":
        make()
    else:
        sys.exit(main())
