"""Models of older scikit-learn answer as their own release answered: the oracle is that release itself."""

import inspect
import io
import pickle
import warnings
from functools import cache
from typing import Any

import joblib
import pytest
import sklearn
from sklearn.utils import all_estimators

from estimators.loading import load
from estimators.unpickler import load_restricted
from scan.files import scan
from scripts import old_boosters, old_models, old_options
from scripts.old_models import RELEASES, asked, read, same
from upgrades import companions
from upgrades.steps import Upgrade
from upgrades.telling import COMPARED, told_of
from upgrades.upgrading import STEPS


def test_the_releases_are_those_that_the_files_are_of() -> None:
    assert len(RELEASES) == 13 and sum(len(read(release)[0]) for release in RELEASES) > 1_200


@pytest.mark.parametrize("release", RELEASES)
def test_models_answer_as_their_own_release_answered(release: str) -> None:
    files, told = read(release)
    other = set()
    for kind, data in files.items():
        got = answers(brought_forward(data), asked(kind))
        other |= {(release, kind, name) for name, old in told[kind].items() if not same(got.get(name), old)}
    assert other == set()


@pytest.mark.parametrize("release", RELEASES)
def test_options_once_found_wanting_answer_as_their_own_release_answered(release: str) -> None:
    files, told = old_options.read()
    kinds = [kind for saved, kind in files if saved == release]
    assert len(kinds) > 8
    for kind in kinds:
        got = old_options.answers(brought_forward(files[release, kind]), old_options.asked(kind))
        old = told[release, kind]
        assert [name for name in old if not same(got.get(name), old[name])] == [], kind


def test_two_classes_are_told_apart_where_that_release_told_them_apart() -> None:
    files, told = old_options.read()
    key = ("1.0.2", "one against one")
    model = brought_forward(files[key])
    rows = old_options.asked(key[1])
    assert (
        model.predict(rows).tolist()
        == told[key]["predict"]
        != super(type(model), model).predict(rows).tolist()
    )


@pytest.mark.parametrize("release", RELEASES)
def test_an_upgraded_model_is_saved_read_and_copied_like_any_other(release: str) -> None:
    from sklearn.base import clone

    files, told = read(release)
    for kind, data in files.items():
        model = brought_forward(data)
        again = pickle.loads(pickle.dumps(model))
        assert same(answers(again, asked(kind))["predict"], told[kind]["predict"]), kind
        assert repr(clone(model)), kind


@pytest.mark.parametrize("release", RELEASES)
def test_a_joblib_file_is_brought_forward_like_a_pickle(release: str) -> None:
    """Written here out of the old objects' pickle: arrays come apart from their owners, as joblib does it."""
    files, told = read(release)
    stream = io.BytesIO()
    joblib.dump(brought_forward(files["mixed columns, ordinal, forest"]), stream, compress=1)
    got = answers(brought_forward(stream.getvalue()), asked("mixed columns, ordinal, forest"))
    assert same(got["predict_proba"], told["mixed columns, ordinal, forest"]["predict_proba"])


@cache
def every_upgrade() -> Upgrade:
    """What is done to all models of all releases together."""
    upgrade = Upgrade()
    for release in RELEASES:
        for data in read(release)[0].values():
            brought_forward(data, upgrade)
    for files in (old_options.read()[0], old_boosters.read()[0]):
        for (release, _), data in files.items():
            if not release.startswith("catboost"):  # an optional library
                brought_forward(data, upgrade)
    return upgrade


def test_every_class_that_is_called_compared_was() -> None:
    assert every_upgrade().classes.keys() == COMPARED


def test_every_step_of_a_release_is_needed_by_one_of_its_models() -> None:
    """A step that no fixture needs is one that no test would miss."""
    elsewhere = {step.name for step in companions.STEPS}  # of other libraries: test_old_companions
    assert {step.name for step in STEPS} - elsewhere == every_upgrade().steps.keys()


def test_the_table_in_the_docs_is_that_of_the_files() -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="X has feature names")
        assert old_models.shown() in old_models.DOCS.read_text("utf-8")


@pytest.mark.filterwarnings("ignore:Class PassiveAggressive:FutureWarning")
@pytest.mark.parametrize("release", ["0.20.4", "0.23.2", "1.3.2", "1.8.0"])
def test_what_was_not_fitted_stays_so(release: str) -> None:
    """A search keeps a copy that was never fitted beside the one that was."""
    here = sklearn.__version__.encode()
    seen = 0
    for name, kind in all_estimators():
        if any(p.default is p.empty for p in inspect.signature(kind).parameters.values()):
            continue  # made of others
        data = pickle._dumps(kind(), 3)  # type: ignore[attr-defined]  # no frames, whose length would change
        if b"_sklearn_version" not in data:
            continue
        data = data.replace(written(here), written(release.encode()))
        upgrade = Upgrade()
        made = load_restricted(io.BytesIO(data), upgrade)
        assert upgrade.saved_by == release and is_fitted(made) == is_fitted(kind()), name
        seen += 1
    assert seen > 60


def written(text: bytes) -> bytes:
    return b"X" + len(text).to_bytes(4, "little") + text


def is_fitted(model: Any) -> bool:
    return any(name.endswith("_") and not name.startswith("__") for name in vars(model))


def test_a_width_that_was_not_kept_is_found_in_what_was_learnt() -> None:
    for kind in ("forest", "neighbours", "network", "ridge", "k means", "kernel PCA", "quantiles", "mixture"):
        assert brought_forward(read("0.20.4")[0][kind]).n_features_in_ == 5, kind


def test_the_report_says_in_one_line_what_was_done() -> None:
    upgrade = Upgrade()
    brought_forward(read("1.3.2")[0]["forest"], upgrade)
    line = f"Saved with scikit-learn 1.3.2 and brought forward to {sklearn.__version__}: "
    assert told_of(upgrade)[0] == line + "it answers as it did there, but for what follows."
    assert told_of(upgrade)[1].endswith(
        "rows with missing values are answered here, where that release refused them."
    )
    assert list(upgrade.steps) == ["leaves hold shares of classes", "base estimator is estimator"]


def test_neighbours_equally_near_are_told_of_where_numpy_2_saved_the_model() -> None:
    """NumPy 1 took the same ones on every processor, and so do we; NumPy 2 has other code for each."""
    files, _ = old_options.read()
    upgrade = Upgrade()
    brought_forward(files["1.4.2", "neighbours, sparse whole numbers"], upgrade)
    assert upgrade.numpy == 1 and len(told_of(upgrade)) == 1
    upgrade = Upgrade()
    brought_forward(files["1.5.2", "neighbours, sparse"], upgrade)
    assert upgrade.numpy == 2
    assert told_of(upgrade)[1].startswith("KNeighborsClassifier of scikit-learn 1.5.2: where more rows")
    upgrade = Upgrade()
    brought_forward(read("1.8.0")[0]["neighbours, kd tree"], upgrade)
    assert len(told_of(upgrade)) == 1


def test_a_class_that_was_never_compared_is_not_said_to_answer_as_before() -> None:
    upgrade = Upgrade(releases={"1.2.2": None}, classes={"Birch": None})
    assert "Birch of that release were not compared" in told_of(upgrade)[0]
    upgrade = Upgrade(releases={"0.21.3": None}, classes={"Ridge": None})
    assert "not compared" in told_of(upgrade)[0]


def test_nothing_is_told_of_a_model_of_today() -> None:
    from sklearn.tree import DecisionTreeClassifier

    upgrade = Upgrade()
    model = DecisionTreeClassifier().fit([[0.0], [1.0]], [0, 1])
    brought_forward(pickle.dumps(model), upgrade)
    assert told_of(upgrade) == () and not upgrade.steps and upgrade.saved_by is None


def answers(model: Any, given: Any) -> dict[str, Any]:
    with warnings.catch_warnings():  # no names were kept before 1.0, of columns that a table has
        warnings.filterwarnings("ignore", message="X has feature names")
        return old_models.answers(model, given)


def brought_forward(data: bytes, told: Upgrade | None = None) -> Any:
    """Loaded as a model's process loads it: scanned, and strict. A warning would be an error."""
    file = io.BytesIO(data)
    report = scan(file)
    assert report.ok, (report.refused, report.findings)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return load(file, "strict", report, told)
