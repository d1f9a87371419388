"""Options and steps of older scikit-learn that scripts/more_old_models.py found wanting, as fixtures.

Run `python -m scripts.old_options ENVIRONMENTS` (environments as for scripts/old_models.py). Writes FILE: one
archive of all releases, for the models are alike. This file is run by every one of those interpreters.
"""

from __future__ import annotations

import base64
import json
import pickle
import subprocess
import sys
import tarfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

try:
    from scripts import old_models
except ImportError:  # in an old interpreter, beside this file
    import old_models  # type: ignore[import-not-found, no-redef]

__all__ = ["FILE", "asked", "main", "models", "read"]

FILE = old_models.FOLDER / "options.tar.xz"
TARGETS = {"one against one": 2, "outliers in a radius": 2, "density": None, "categories": 3}


def table(kind: str) -> Any:
    """The rows of scripts/old_models.py; with gaps, or a column of codes, where the kind asks for it."""
    if kind.startswith("text"):
        return old_models.texts()
    x = old_models.rows()[0].copy()
    if "gaps" in kind:
        x[::7, 1] = np.nan
    if kind == "categories":
        x[:, 4] = np.abs(x[:, 4] * 100).astype(int) % 4
    return x


def asked(kind: str) -> Any:
    """The twenty rows that no model was fitted on."""
    return table(kind)[old_models.TRAINED :]


def models() -> Any:
    """(kind, a function that makes the unfitted model) one by one."""
    from sklearn import impute, multiclass, neighbors, tree
    from sklearn import preprocessing as pre
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.feature_selection import SelectFromModel
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    def last() -> Any:
        return LogisticRegression(solver="lbfgs")

    def small() -> Any:
        return tree.DecisionTreeClassifier(max_depth=3, random_state=0)

    yield "one against one", lambda: multiclass.OneVsOneClassifier(small())
    yield "one against one, three classes", lambda: multiclass.OneVsOneClassifier(last())
    yield "outliers in a radius", lambda: neighbors.RadiusNeighborsClassifier(1.5, outlier_label=0)
    yield "density", lambda: neighbors.KernelDensity(bandwidth=0.7)
    yield "text without idf", lambda: make_pipeline(TfidfVectorizer(use_idf=False), last())
    yield "gaps filled by Imputer", lambda: make_pipeline(pre.Imputer(strategy="median"), last())
    yield (
        "gaps marked",
        lambda: make_pipeline(
            make_union(impute.SimpleImputer(), impute.MissingIndicator(features="all")), last()
        ),
    )
    chosen = SelectFromModel(LogisticRegression(solver="liblinear", penalty="l1"))
    yield "columns chosen by l1", lambda: make_pipeline(chosen, last())
    yield "function", lambda: make_pipeline(pre.FunctionTransformer(np.tanh, validate=False), last())
    yield "splines", lambda: make_pipeline(pre.SplineTransformer(n_knots=3), last())
    yield "gaps filled in turn", lambda: make_pipeline(_in_turn(), last())
    yield (
        "categories",
        lambda: _hist()(max_iter=3, max_leaf_nodes=5, categorical_features=[4], random_state=0),
    )


def _in_turn() -> Any:
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    return IterativeImputer(max_iter=2, random_state=0)


def _hist() -> Any:
    from sklearn import ensemble

    if not hasattr(ensemble, "HistGradientBoostingClassifier"):
        from sklearn.experimental import enable_hist_gradient_boosting  # noqa: F401
    return ensemble.HistGradientBoostingClassifier


def answers(model: Any, given: Any) -> dict[str, Any]:
    found = old_models.answers(model, given)
    if not found:
        found["score_samples"] = model.score_samples(given).tolist()
    return found


def read() -> tuple[dict[tuple[str, str], bytes], dict[tuple[str, str], Any]]:
    """The models, as files, and their own answers, by release and kind."""
    with tarfile.open(FILE) as archive:
        files = {m.name: archive.extractfile(m).read() for m in archive.getmembers()}  # type: ignore[union-attr]
    told = json.loads(files.pop("answers.json"))

    def key(name: str) -> tuple[str, str]:
        kind, _, release = name.partition("/")
        return release, kind

    return {key(name): data for name, data in files.items()}, {key(name): a for name, a in told.items()}


def make() -> None:
    """In the release's own environment: fit, save, load again, answer; printed as JSON."""
    _, two, three, _ = old_models.rows()
    made, unmade = {}, {}
    for kind, build in models():
        try:
            y = {2: two, 3: three, None: None}[TARGETS.get(kind, 3)]
            x = table(kind)[: old_models.TRAINED]
            data = pickle.dumps(build().fit(x, *([] if y is None else [y[: old_models.TRAINED]])))
            made[kind] = [base64.b64encode(data).decode(), answers(pickle.loads(data), asked(kind))]
        except Exception as error:
            unmade[kind] = f"{type(error).__name__}: {str(error)[:100]}"
    print(len(made), unmade, file=sys.stderr)
    print(json.dumps(made))


def main() -> int:
    folder, contents, told = Path(sys.argv[1]), {}, {}
    for release in old_models.RELEASES:
        python = str(folder / release / "bin" / "python")
        command = [python, "-W", "ignore", __file__, "--make"]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        for kind, (data, answer) in json.loads(done.stdout.splitlines()[-1]).items():
            contents[f"{kind}/{release}"] = base64.b64decode(data)
            told[f"{kind}/{release}"] = answer
    contents["answers.json"] = json.dumps(told).encode()
    old_models.pack(FILE, contents)
    return 0


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    if sys.argv[1] == "--make":
        make()
    else:
        sys.exit(main())
