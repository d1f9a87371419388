"""Old releases of scikit-learn as oracles: small fitted models, and what their own release answered.

Run `python -m scripts.old_models ENVIRONMENTS`: a folder that holds an environment for each release, named as
the release is (`uv venv --python 3.10 ENVIRONMENTS/1.2.2`, then `uv pip install scikit-learn==1.2.2 pandas`
with numpy as old as the release). Writes tests/old_models/RELEASE.tar.xz and the table in docs/models.md.
This file is run by every one of those interpreters, from 3.7 on, and imports nothing of the project there.
"""

from __future__ import annotations

import base64
import io
import json
import pickle
import subprocess
import sys
import tarfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

__all__ = [
    "FOLDER", "RELEASES", "answers", "asked", "gather", "main", "models", "pack", "read", "rows",
    "same", "unpacked",
]  # fmt: skip

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "old_models"
RELEASES = (
    "0.20.4", "0.22.2.post1", "0.23.2", "0.24.2", "1.0.2", "1.1.3", "1.2.2", "1.3.2", "1.4.2", "1.5.2",
    "1.6.1", "1.7.2", "1.8.0",
)  # fmt: skip
DOCS = FOLDER.parents[1] / "docs" / "models.md"
BEGIN, END = "<!-- Written by scripts/old_models.py. -->", "<!-- Until here. -->"
WORDS = ("good", "bad", "slow", "quick", "cheap", "dear", "late", "broken")
TRAINED, ASKED = 80, 20  # rows


def rows() -> Any:
    """(numbers, two classes, three classes, a number) of a hundred rows; the same in every numpy."""
    random = np.random.RandomState(7)
    x = np.round(random.normal(size=(TRAINED + ASKED, 5)), 2)
    score = x[:, 0] + x[:, 1] * x[:, 2] + np.round(random.normal(size=len(x)) / 3, 2)
    three = np.digitize(score, [-0.6, 0.5])
    return x, (score > 0).astype(int), three, np.round(score, 2)


def texts() -> list[str]:
    x = rows()[0]
    return [" ".join(WORDS[int(abs(v) * 100) % 8] for v in row) for row in x]


def table() -> Any:
    """The numbers with gaps, and two columns of text."""
    import pandas as pd

    x = rows()[0].copy()
    x[::9, 1] = np.nan
    frame = pd.DataFrame(x, columns=list("abcde"))
    frame["kind"] = [WORDS[i % 3] for i in (np.abs(x[:, 0]) * 100).astype(int)]
    frame["place"] = [WORDS[i % 4 + 3] for i in (np.abs(x[:, 2]) * 100).astype(int)]
    return frame


def inputs(kind: str) -> Any:
    """What a kind of model is given: its hundred rows."""
    if kind.startswith("text"):
        return texts()
    return table() if kind.startswith("mixed") else rows()[0]


def models() -> Any:
    """(kind, a function that makes the unfitted model, which target) one by one."""
    yield from _trees()
    yield from _boosted()
    yield from _linear()
    yield from _others()
    yield from _steps()


def _trees() -> Any:
    from sklearn import ensemble, tree
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.multioutput import MultiOutputClassifier

    small = {"random_state": 0, "max_depth": 4}
    grown = dict(small, n_estimators=4)

    def tree_classifier() -> Any:
        return tree.DecisionTreeClassifier(**small)

    yield "tree", tree_classifier, 2
    yield "tree of many outputs", tree_classifier, "many"
    yield "tree regressor", lambda: tree.DecisionTreeRegressor(**small), 0
    yield "forest", lambda: ensemble.RandomForestClassifier(**grown), 2
    yield "forest, three classes", lambda: ensemble.RandomForestClassifier(**grown), 3
    yield "forest regressor", lambda: ensemble.RandomForestRegressor(**grown), 0
    yield "extra trees", lambda: ensemble.ExtraTreesClassifier(**grown), 3
    yield "extra trees regressor", lambda: ensemble.ExtraTreesRegressor(**grown), 0
    yield "isolation forest", lambda: ensemble.IsolationForest(n_estimators=6, random_state=0), None
    yield "bagging", lambda: ensemble.BaggingClassifier(tree_classifier(), 3, random_state=0), 3
    yield "bagging regressor", lambda: ensemble.BaggingRegressor(random_state=0, n_estimators=3), 0
    votes = [("t", tree_classifier()), ("l", LogisticRegression(solver="lbfgs"))]
    yield "voting", lambda: ensemble.VotingClassifier(votes, voting="soft"), 2
    yield "stacking", lambda: ensemble.StackingClassifier(votes, LogisticRegression(), cv=3), 2
    yield (
        "voting regressor",
        lambda: ensemble.VotingRegressor([("t", tree.DecisionTreeRegressor(**small))]),
        0,
    )
    yield (
        "stacking regressor",
        lambda: ensemble.StackingRegressor([("t", tree.DecisionTreeRegressor(**small))], cv=3),
        0,
    )
    yield "calibrated", lambda: CalibratedClassifierCV(tree_classifier(), cv=2), 2
    yield (
        "calibrated, isotonic",
        lambda: CalibratedClassifierCV(tree_classifier(), method="isotonic", cv=2),
        3,
    )
    yield "grid search", lambda: GridSearchCV(tree_classifier(), {"max_depth": [2, 3]}, cv=2), 2
    yield "many outputs", lambda: MultiOutputClassifier(tree_classifier()), "many"


def _boosted() -> Any:
    import sklearn
    from sklearn import ensemble
    from sklearn.tree import DecisionTreeClassifier

    small = {"random_state": 0, "n_estimators": 5, "max_depth": 2}
    yield "boosting", lambda: ensemble.GradientBoostingClassifier(**small), 2
    yield "boosting, three classes", lambda: ensemble.GradientBoostingClassifier(**small), 3
    yield "boosting, exponential", lambda: ensemble.GradientBoostingClassifier(loss="exponential", **small), 2
    yield (
        "boosting with a start model",
        lambda: ensemble.GradientBoostingClassifier(init=DecisionTreeClassifier(max_depth=2), **small),
        2,
    )
    yield "boosting regressor", lambda: ensemble.GradientBoostingRegressor(**small), 0
    for loss in ("huber", "quantile"):
        yield (
            "boosting regressor, " + loss,
            lambda loss=loss: ensemble.GradientBoostingRegressor(loss=loss, **small),
            0,
        )
    yield "ada boost", lambda: ensemble.AdaBoostClassifier(n_estimators=4, random_state=0), 3
    yield (
        "ada boost, SAMME",
        lambda: ensemble.AdaBoostClassifier(n_estimators=4, random_state=0, algorithm="SAMME"),
        3,
    )
    yield "ada boost regressor", lambda: ensemble.AdaBoostRegressor(n_estimators=4, random_state=0), 0
    if sklearn.__version__.startswith("0.20"):
        return
    if sklearn.__version__ < "1.0":
        from sklearn.experimental import enable_hist_gradient_boosting  # noqa: F401
    shape = {"max_iter": 4, "max_leaf_nodes": 5, "random_state": 0, "early_stopping": False}
    if sklearn.__version__.startswith("0.22"):
        del shape["early_stopping"]
    yield "hist boosting", lambda: ensemble.HistGradientBoostingClassifier(**shape), 2
    yield "hist boosting, three classes", lambda: ensemble.HistGradientBoostingClassifier(**shape), 3
    yield "hist boosting regressor", lambda: ensemble.HistGradientBoostingRegressor(**shape), 0
    if not sklearn.__version__.startswith("0.22"):
        yield (
            "hist boosting, stopped early",
            lambda: ensemble.HistGradientBoostingClassifier(
                max_iter=4, max_leaf_nodes=5, random_state=0, early_stopping=True, scoring="accuracy"
            ),
            2,
        )


def _linear() -> Any:
    from sklearn import linear_model, svm
    from sklearn.cross_decomposition import PLSRegression
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis

    logistic = linear_model.LogisticRegression
    yield "logistic", lambda: logistic(solver="lbfgs"), 2
    yield "logistic, three classes", lambda: logistic(), 3
    yield "logistic, liblinear", lambda: logistic(solver="liblinear"), 2
    yield "logistic, one against the rest", lambda: logistic(solver="lbfgs", multi_class="ovr"), 3
    yield "logistic, liblinear, three classes", lambda: logistic(solver="liblinear"), 3
    yield "logistic, multinomial", lambda: logistic(solver="lbfgs", multi_class="multinomial"), 3
    yield "logistic, multinomial, two classes", lambda: logistic(solver="lbfgs", multi_class="multinomial"), 2
    yield "logistic, chosen C", lambda: linear_model.LogisticRegressionCV(Cs=2, cv=2), 3
    yield "linear", lambda: linear_model.LinearRegression(), 0
    yield "ridge", lambda: linear_model.Ridge(), 0
    yield "ridge, chosen alpha", lambda: linear_model.RidgeCV(), 0
    yield "ridge classifier", lambda: linear_model.RidgeClassifier(), 3
    yield "lasso", lambda: linear_model.Lasso(alpha=0.05), 0
    yield "elastic net", lambda: linear_model.ElasticNet(alpha=0.05), 0
    for loss in ("hinge", "modified_huber"):
        yield (
            "gradient descent, " + loss,
            lambda loss=loss: linear_model.SGDClassifier(loss=loss, random_state=0, max_iter=20, tol=None),
            3,
        )
    yield (
        "gradient descent regressor",
        lambda: linear_model.SGDRegressor(random_state=0, tol=None, max_iter=20),
        0,
    )
    yield "Poisson", lambda: linear_model.PoissonRegressor(), "count"
    yield "Tweedie", lambda: linear_model.TweedieRegressor(power=1.5), "count"
    yield "perceptron", lambda: linear_model.Perceptron(random_state=0, tol=None, max_iter=20), 2
    for target in (2, 3):
        yield f"support vectors, {target} classes", lambda: svm.SVC(gamma="scale"), target
    yield "support vectors with shares", lambda: svm.SVC(gamma="scale", probability=True, random_state=0), 3
    yield "support vector regressor", lambda: svm.SVR(gamma="scale"), 0
    yield "linear support vectors", lambda: svm.LinearSVC(random_state=0), 3
    yield "one-class support vectors", lambda: svm.OneClassSVM(gamma="scale"), None
    yield "partial least squares", lambda: PLSRegression(n_components=2), 0
    for target in (2, 3):
        yield f"linear discriminants, {target} classes", lambda: LinearDiscriminantAnalysis(), target
    yield "quadratic discriminants", lambda: QuadraticDiscriminantAnalysis(), 3


def _others() -> Any:
    from sklearn import cluster, naive_bayes, neighbors, neural_network
    from sklearn.dummy import DummyClassifier
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.mixture import GaussianMixture
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.tree import DecisionTreeClassifier

    yield "neighbours", lambda: neighbors.KNeighborsClassifier(), 3
    yield "neighbours, ball tree", lambda: neighbors.KNeighborsClassifier(algorithm="ball_tree"), 2
    yield "neighbours, kd tree", lambda: neighbors.KNeighborsClassifier(algorithm="kd_tree", p=1), 2
    yield "neighbours, power 3", lambda: neighbors.KNeighborsRegressor(algorithm="kd_tree", p=3), 0
    yield "neighbours, brute force", lambda: neighbors.KNeighborsRegressor(algorithm="brute"), 0
    yield "neighbours within a radius", lambda: neighbors.RadiusNeighborsClassifier(9.0), 3
    yield "nearest centroid", lambda: neighbors.NearestCentroid(), 3
    yield "naive Bayes", lambda: naive_bayes.GaussianNB(), 3
    yield "naive Bayes of 0 and 1", lambda: naive_bayes.BernoulliNB(), 3
    net = {"hidden_layer_sizes": (4,), "max_iter": 30, "random_state": 0}
    yield "network", lambda: neural_network.MLPClassifier(**net), 3
    yield "network regressor", lambda: neural_network.MLPRegressor(**net), 0
    yield "k means", lambda: cluster.KMeans(n_clusters=3, random_state=0, n_init=1), None
    yield (
        "small batches k means",
        lambda: cluster.MiniBatchKMeans(n_clusters=3, random_state=0, n_init=1),
        None,
    )
    yield "mixture", lambda: GaussianMixture(n_components=2, random_state=0), None
    yield "Gaussian process", lambda: GaussianProcessRegressor(alpha=0.5), 0
    yield "dummy", lambda: DummyClassifier(strategy="prior"), 3
    yield (
        "one against the rest",
        lambda: OneVsRestClassifier(DecisionTreeClassifier(max_depth=3, random_state=0)),
        3,
    )


def _steps() -> Any:
    from sklearn import impute
    from sklearn import preprocessing as pre
    from sklearn.compose import ColumnTransformer
    from sklearn.decomposition import PCA, KernelPCA, TruncatedSVD
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
    from sklearn.feature_selection import RFE, SelectKBest
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.naive_bayes import MultinomialNB
    from sklearn.pipeline import FeatureUnion, make_pipeline

    def last() -> Any:
        return LogisticRegression(solver="lbfgs")

    scalers = {
        "standard scaler": pre.StandardScaler, "min-max scaler": pre.MinMaxScaler,
        "robust scaler": pre.RobustScaler, "max-abs scaler": pre.MaxAbsScaler, "normalizer": pre.Normalizer,
        "power transformer": pre.PowerTransformer, "polynomial features": pre.PolynomialFeatures, "PCA": PCA,
        "truncated SVD": lambda: TruncatedSVD(n_components=2, random_state=0),
        "kernel PCA": lambda: KernelPCA(n_components=2, kernel="rbf"),
        "quantiles": lambda: pre.QuantileTransformer(n_quantiles=10),
        "columns left after elimination": lambda: RFE(last(), n_features_to_select=2),
        "best columns": lambda: SelectKBest(k=3),
        "bins": lambda: pre.KBinsDiscretizer(n_bins=3, strategy="uniform"),
        "union": lambda: FeatureUnion([("p", PCA(n_components=2)), ("s", pre.StandardScaler())]),
    }  # fmt: skip
    for name, scaler in scalers.items():
        yield name, lambda scaler=scaler: make_pipeline(scaler(), last()), 2

    numbers, words = list("abc"), ["kind", "place"]

    def filled() -> Any:
        return make_pipeline(SimpleImputer(strategy="median"), pre.StandardScaler())

    def one_hot() -> Any:
        return pre.OneHotEncoder(handle_unknown="ignore")

    def columns(remainder: str, encoder: Any, *more: Any) -> Any:
        return ColumnTransformer(
            [("n", filled(), numbers), ("w", encoder(), words), *more], remainder=remainder
        )

    yield "mixed columns", lambda: make_pipeline(columns("drop", one_hot), last()), 2
    yield "mixed columns, the rest kept", lambda: make_pipeline(columns("passthrough", one_hot), last()), 2
    yield (
        "mixed columns, passed on",
        lambda: make_pipeline(
            columns("drop", one_hot, ("p", "passthrough", ["d"]), ("x", "drop", ["e"])), last()
        ),
        2,
    )
    yield (
        "mixed columns by number",
        lambda: make_pipeline(
            ColumnTransformer([("n", filled(), [0, 1]), ("w", one_hot(), slice(5, 7))]), last()
        ),
        2,
    )
    yield (
        "mixed columns, ordinal, forest",
        lambda: make_pipeline(
            columns("passthrough", pre.OrdinalEncoder),
            RandomForestClassifier(n_estimators=3, max_depth=3, random_state=0),
        ),
        3,
    )
    gaps = {
        "marked": lambda: SimpleImputer(add_indicator=True),
        "filled by neighbours": lambda: impute.KNNImputer(),
    }
    for name, imputer in gaps.items():
        yield (
            "mixed columns, gaps " + name,
            lambda imputer=imputer: make_pipeline(ColumnTransformer([("n", imputer(), numbers)]), last()),
            2,
        )
    for name, vectorizer in (("counts", CountVectorizer), ("tf-idf", TfidfVectorizer)):
        yield "text by " + name, lambda vectorizer=vectorizer: make_pipeline(vectorizer(), last()), 2
    yield "text, naive Bayes", lambda: make_pipeline(CountVectorizer(), MultinomialNB()), 3


def answers(model: Any, given: Any) -> dict[str, Any]:
    """What each answering method gives for the rows, as lists."""
    found = {}
    for name in ("predict", "predict_proba", "decision_function"):
        try:
            method = getattr(model, name)
        except AttributeError:
            continue
        answer = method(given)
        found[name] = (
            [np.asarray(a).tolist() for a in answer] if isinstance(answer, list) else answer.tolist()
        )
    return found


def asked(kind: str) -> Any:
    """The twenty rows that no model was fitted on."""
    given = inputs(kind)
    return given[TRAINED:]


def read(release: str) -> tuple[dict[str, bytes], dict[str, Any]]:
    """The models of one release, as files, and their own answers, by kind."""
    with tarfile.open(FOLDER / f"{release}.tar.xz") as archive:
        files = {m.name: archive.extractfile(m).read() for m in archive.getmembers()}  # type: ignore[union-attr]
    told = json.loads(files.pop("answers.json"))
    return {name[: -len(".pkl")]: data for name, data in files.items()}, told


def same(got: Any, want: Any) -> bool:
    """Whether labels are alike and values to 1e-9 of each."""
    if isinstance(got, list) and got and isinstance(got[0], list) and isinstance(got[0][0], list):
        return all(same(a, b) for a, b in zip(got, want, strict=True))  # of several outputs, one by one
    a, b = np.asarray(got), np.asarray(want)
    if a.shape != b.shape:
        return False
    return bool(np.allclose(a, b, rtol=1e-9, atol=1e-12)) if b.dtype.kind == "f" else bool((a == b).all())


def make(release: str) -> None:
    """In the release's own environment: fit, save, load again, answer, write the bundle."""
    import sklearn

    assert sklearn.__version__ == release
    _, two, three, number = rows()
    targets = {2: two, 3: three, 0: number, "many": np.column_stack([two, three]), "count": three, None: None}
    files, told, unmade = {}, {}, {}
    try:
        for kind, build, target in models():
            try:
                y = targets[target]
                given = inputs(kind)
                model = build().fit(given[:TRAINED], *([] if y is None else [y[:TRAINED]]))
                data = pickle.dumps(model)
                told[kind] = answers(pickle.loads(data), given[TRAINED:])
                files[kind] = data
            except Exception as error:
                unmade[kind] = f"{type(error).__name__}: {str(error)[:200]}"
    finally:
        print(release, len(files), unmade)
    contents = dict({kind + ".pkl": data for kind, data in files.items()})
    contents["answers.json"] = json.dumps(told).encode()
    FOLDER.mkdir(exist_ok=True)
    pack(FOLDER / (release + ".tar.xz"), contents)


def pack(path: Path, contents: dict[str, bytes]) -> None:
    """Writes files into one archive, the same for the same files."""
    with tarfile.open(str(path), "w:xz", preset=9) as archive:
        for name, data in sorted(contents.items()):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def gather(folder: Path, releases: Sequence[str], script: str, path: Path) -> None:
    """Packs what `script --make` prints in each release's own environment: {kind: [file, answers]}."""
    contents, told = {}, {}
    for release in releases:
        python = str(folder / release / "bin" / "python")
        command = [python, "-W", "ignore", script, "--make"]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        for kind, (data, answer) in json.loads(done.stdout.splitlines()[-1]).items():
            contents[f"{kind}/{release}"] = base64.b64decode(data)
            told[f"{kind}/{release}"] = answer
    contents["answers.json"] = json.dumps(told).encode()
    pack(path, contents)


def unpacked(path: Path) -> tuple[dict[tuple[str, str], bytes], dict[tuple[str, str], Any]]:
    """What `gather` packed: files and what their models answered, by release and kind."""
    with tarfile.open(path) as archive:
        files = {m.name: archive.extractfile(m).read() for m in archive.getmembers()}  # type: ignore[union-attr]
    told = json.loads(files.pop("answers.json"))

    def key(name: str) -> tuple[str, str]:
        kind, _, release = name.partition("/")
        return release, kind

    return {key(name): data for name, data in files.items()}, {key(name): a for name, a in told.items()}


def shown() -> str:
    """The table of docs/models.md: each kind of model by release, as its answers compare today."""
    from estimators.unpickler import load_restricted
    from scripts import old_options

    found: dict[str, dict[str, str]] = {}
    for release in RELEASES:
        files, told = read(release)
        for kind, data in sorted(files.items()):
            got = answers(load_restricted(io.BytesIO(data)), asked(kind))
            other = [name for name, old in told[kind].items() if not same(got.get(name), old)]
            found.setdefault(kind, {})[release] = ", ".join(other) or "same"
    made, answered = old_options.read()
    for (release, kind), data in sorted(made.items()):
        got = old_options.answers(load_restricted(io.BytesIO(data)), old_options.asked(kind))
        other = [name for name, old in answered[release, kind].items() if not same(got.get(name), old)]
        found.setdefault(kind, {})[release] = ", ".join(other) or "same"
    short = [".".join(release.split(".")[:2]) for release in RELEASES]
    lines = [f"| model | {' | '.join(short)} |", "|---" * (len(RELEASES) + 1) + "|"]
    for kind, by_release in sorted(found.items()):
        lines.append(f"| {kind} | {' | '.join(by_release.get(r, '') for r in RELEASES)} |")
    return "\n".join(lines)


def write_table() -> None:
    before, _, rest = DOCS.read_text("utf-8").partition(BEGIN)
    DOCS.write_text(f"{before}{BEGIN}\n\n{shown()}\n\n{END}{rest.partition(END)[2]}", "utf-8")


def main() -> int:
    warnings.simplefilter("ignore")
    folder = Path(sys.argv[1])
    for release in sys.argv[2:] or RELEASES:
        python = folder / release / "bin" / "python"
        subprocess.run([str(python), "-W", "ignore", __file__, "--make", release], check=True)
    write_table()
    return 0


if __name__ == "__main__":
    if sys.argv[1] == "--make":
        warnings.simplefilter("ignore")
        make(sys.argv[2])
    else:
        sys.exit(main())
