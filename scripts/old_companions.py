"""Older category_encoders, feature-engine and imbalanced-learn as oracles: small models, what they answered.

Run `python -m scripts.old_companions ENVIRONMENTS`: a folder with an environment for each of RELEASES, named
as these are. Writes FILE. This file is run by those interpreters, and imports nothing of the project there.
"""

from __future__ import annotations

import base64
import importlib
import json
import pickle
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["FILE", "RELEASES", "answers", "main", "read", "table"]

FILE = Path(__file__).resolve().parents[1] / "tests" / "old_models" / "companions.json.xz"
# category_encoders, feature-engine, imbalanced-learn and the scikit-learn of their year.
RELEASES = ("2.6.3-1.6.2-0.11.0-1.3.2", "2.8.1-1.8.3-0.13.0-1.6.1")
NUMBERS = ["age", "income"]
ENGINE: dict[str, dict[str, dict[str, Any]]] = {
    "encoding": {"OneHotEncoder": {}, "CountFrequencyEncoder": {}, "MeanEncoder": {}, "WoEEncoder": {},
                 "OrdinalEncoder": {}},
    "imputation": {"MeanMedianImputer": {}, "CategoricalImputer": {}, "EndTailImputer": {}},
    "discretisation": {"EqualFrequencyDiscretiser": {}, "EqualWidthDiscretiser": {}},
    "outliers": {"Winsorizer": {}},
    "transformation": {"LogTransformer": {}, "YeoJohnsonTransformer": {}},
    "selection": {"DropConstantFeatures": {}, "DropFeatures": {"features_to_drop": ["income"]}},
}  # fmt: skip


def table(strange: bool = False) -> Any:
    """80 people; strange: some live where nobody did, or have no plan. The same in every numpy."""
    random, n = np.random.RandomState(11), 80
    found = pd.DataFrame({
        "age": random.randint(18, 80, n).astype(float), "income": np.exp(random.normal(10, 0.4, n)).round(2),
        "city": random.choice(["Bern", "Oslo", "Rome"], n), "plan": random.choice(["free", "pro"], n),
    })  # fmt: skip
    if strange:
        found.loc[:5, "city"] = "Wien"
        found.loc[6:9, "plan"] = np.nan
    return found


def models() -> Any:
    """(name, fitted model) one by one."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x = table()
    y = ((x["age"] > 50) ^ (np.random.RandomState(3).uniform(size=len(x)) < 0.2)).astype(int).values
    library = importlib.import_module("category_encoders")
    for name in library.__all__:
        steps = (getattr(library, name)(cols=["city", "plan"]), StandardScaler(), LogisticRegression())
        yield f"category_encoders {name}", make_pipeline(*steps).fit(x, y)
    last = importlib.import_module("feature_engine.encoding").OneHotEncoder
    for room, names in ENGINE.items():
        for name, options in names.items():
            first = getattr(importlib.import_module(f"feature_engine.{room}"), name)(**options)
            then = [] if room == "encoding" else [last()]
            steps = (first, *then, StandardScaler(), LogisticRegression())
            yield f"feature_engine {name}", make_pipeline(*steps).fit(x, y)
    sampled = importlib.import_module("imblearn.pipeline").make_pipeline
    smote = importlib.import_module("imblearn.over_sampling").SMOTE(random_state=0)
    yield "imblearn SMOTE", sampled(smote, LogisticRegression()).fit(x[NUMBERS], y)
    ensembles = importlib.import_module("imblearn.ensemble")
    for name in ensembles.__all__:
        model = getattr(ensembles, name)(n_estimators=4, random_state=0)
        yield f"imblearn {name}", model.fit(x[NUMBERS], y)


def answers(name: str, model: Any) -> list[float]:
    """The second class's probability, for every row."""
    rows = table(strange=name.startswith("category_encoders"))
    rows = rows[NUMBERS] if name.startswith("imblearn") else rows
    return [float(p) for p in model.predict_proba(rows)[:, 1]]


def write() -> None:
    """Run by an old interpreter: every model and its answers, as JSON."""
    warnings.simplefilter("ignore")
    found = {
        name: [base64.b64encode(pickle.dumps(model, 4)).decode(), answers(name, model)]
        for name, model in models()
    }
    json.dump(found, sys.stdout)


def read() -> dict[tuple[str, str], tuple[bytes, list[float]]]:
    """(pickle, answers) by release and name."""
    import lzma

    kept = json.loads(lzma.decompress(FILE.read_bytes()))
    return {
        (release, name): (base64.b64decode(data), told)
        for release, found in kept.items()
        for name, (data, told) in found.items()
    }


def main() -> None:
    import lzma

    found = {}
    for release in RELEASES:
        python = Path(sys.argv[1]) / release / "bin" / "python"
        done = subprocess.run([python, __file__], capture_output=True, check=True)
        found[release] = json.loads(done.stdout)
        print(release, len(found[release]), "models")
    FILE.write_bytes(lzma.compress(json.dumps(found).encode(), preset=9))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main()
    else:
        write()
