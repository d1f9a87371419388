"""Static inspection, load errors and adapters, against what the libraries themselves answer."""

import gzip
import io
import json
import pickle
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.ensemble import RandomForestClassifier
from sklearn.preprocessing import StandardScaler

import model_utils
from bundles.assembly import assembled
from errors import MissingLibrary, ModelError, NoPredict, NotAModel, PredictFailed, VersionMismatch
from estimators.loading import load
from estimators.traits import label_text
from model_utils import Adapter, adapt
from records.model import ScanReport
from scan.files import first_glance, scan
from tests.support import models_for_tests as models

NUMPY = np.__version__.partition(".")[0] + ".x"  # of numpy a file tells the first number only


def loaded(data: bytes) -> Any:
    """As a policy loads it that asks nothing of the file; strict: `tests/scan/test_pickles.py`."""
    return load(io.BytesIO(data), "contained")


def written(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "upload"
    path.write_bytes(data)
    return path


def glanced(path: Path) -> ScanReport:
    with path.open("rb") as file:
        return first_glance(file)


@pytest.mark.parametrize("compress", [0, ("zlib", 3), ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)])
def test_a_joblib_file_tells_its_libraries_and_version_unread(tmp_path: Path, compress: Any) -> None:
    path = models.save(models.forest_pipeline(), tmp_path / "m.pkl", compress=compress)
    seen = glanced(path)
    file_format, saved_with = seen.format, seen.saved_with
    assert file_format == "joblib"
    assert seen.compression == (compress[0] if compress else None)
    assert {"sklearn", "numpy", "joblib"} <= set(seen.libraries)
    assert saved_with == {"scikit-learn": sklearn.__version__, "numpy": NUMPY}


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_of_any_protocol_tells_its_version(tmp_path: Path, protocol: int) -> None:
    path = written(tmp_path, pickle.dumps(models.logistic(), protocol=protocol))
    seen = glanced(path)
    file_format, saved_with = seen.format, seen.saved_with
    assert (file_format, seen.compression) == ("pickle", None)
    assert seen.protocol == (protocol if protocol >= 2 else 0)
    assert {"sklearn", "numpy"} <= set(seen.libraries)
    assert saved_with == {"scikit-learn": sklearn.__version__, "numpy": NUMPY}


def test_an_xgboost_model_tells_the_version_that_saved_it(tmp_path: Path) -> None:
    import xgboost

    seen = glanced(models.save(models.xgboost_classifier(), tmp_path / "m.pkl"))
    saved_with = seen.saved_with
    assert "xgboost" in seen.libraries
    assert saved_with["xgboost"] == xgboost.__version__


def test_inspection_executes_nothing(tmp_path: Path) -> None:
    witness = tmp_path / "executed"
    source = f"open({str(witness)!r}, 'w').close(); model = 1"
    assert glanced(models.save_source(source, tmp_path / "m.pkl")).libraries == ()
    assert not witness.exists()


def zipped(name: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(name, "x")
    return data.getvalue()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"a,b,c\n1,2,3\n", "CSV"),
        (b"Some words, only.", "plain text"),
        (b'{"a": 1}', "JSON"),
        (b'{\n "cells": [],\n "nbformat": 4\n}', "a Jupyter notebook"),
        (b'{"class_name": "Sequential", "config": {}, "keras_version": "2.11.0"}', "without its weights"),
        (b"import pickle\n\nmodel = pickle.load(open('model.pkl', 'rb'))\n", "a Python script"),
        (b"flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n", "an MLflow model"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "a picture (PNG)"),
        (b"binf\x00\x00", "old binary format"),
        (
            bytes(136) + b"\x0f" + bytes(7) + b"binary:logistic\x06" + bytes(7) + b"gbtree\x0c",
            "old binary format",
        ),
        (b"\x08\x07\x12\x08skl2onnx\x1a", "ONNX"),
        (zipped("archive/data.pkl"), "PyTorch archive of weights"),
        (zipped("anything"), "zip archive"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0), "gzip data that holds a table"),
        (b"\x80\x09K\x01.", "protocol 9"),
        (b"\x00\x01\x02garbage", "not known here"),
    ],
)
def test_what_is_no_model_is_named_for_what_it_is(data: bytes, says: str) -> None:
    with pytest.raises(NotAModel) as caught:
        first_glance(io.BytesIO(data))
    assert says in caught.value.message
    assert caught.value.hint


def test_a_file_that_unpacks_to_absurd_size_is_refused() -> None:
    bomb = gzip.compress(b"\x80\x04" + bytes(100 << 20), 9)
    with pytest.raises(NotAModel, match="times its size"):
        scan(io.BytesIO(bomb))


def test_a_first_glance_takes_in_the_start_of_the_file_alone() -> None:
    class Counting(io.BytesIO):
        taken = 0

        def read(self, size: int | None = -1) -> bytes:
            data = super().read(size)
            self.taken += len(data)
            return data

    model = pickle.dumps({"padding": bytes(40 << 20), "model": models.logistic()})
    for data in (model, zlib.compress(model, 0)):
        file = Counting(data)
        seen = first_glance(file)
        assert seen.libraries == () and seen.protocol == 4
        assert file.taken < 3 << 20
        assert scan(file).saved_with["scikit-learn"] == sklearn.__version__


@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
@pytest.mark.parametrize("compress", [0, 3])
def test_a_cut_file_is_said_to_be_damaged(tmp_path: Path, share: float, compress: int) -> None:
    data = models.save(models.forest_pipeline(), tmp_path / "m.pkl", compress=compress).read_bytes()
    with pytest.raises(NotAModel, match=r"ends in the middle|damaged"):
        loaded(data[: int(len(data) * share)])


def test_a_missing_library_is_named_with_its_package() -> None:
    with pytest.raises(MissingLibrary, match="nosuchlib") as caught:
        loaded(b"\x80\x02cnosuchlib.models\nModel\n.")
    assert "pip install nosuchlib" in caught.value.hint


def test_a_class_from_a_notebook_is_explained() -> None:
    with pytest.raises(MissingLibrary, match="script or notebook") as caught:
        loaded(b"\x80\x02c__main__\nMyModel\n.")
    assert "cloudpickle" in caught.value.hint


def test_a_load_that_fails_after_another_version_saved_it_names_both() -> None:
    data = pickle.dumps(models.logistic(), protocol=2).replace(sklearn.__version__.encode(), b"0.1.9")
    data = data.replace(b"sklearn.linear_model._logistic", b"sklearn.linear_model._logistoc")
    with pytest.raises(VersionMismatch) as caught:
        loaded(data)
    assert "0.1.9" in caught.value.message
    assert sklearn.__version__ in caught.value.message


def test_a_contained_load_brings_forward_what_the_scan_allows() -> None:
    from scripts.old_models import read
    from upgrades.steps import Upgrade

    told = Upgrade()
    load(io.BytesIO(read("1.2.2")[0]["forest"]), "contained", None, told)
    assert told.saved_by == "1.2.2"


def test_a_load_that_fails_for_another_reason_says_so() -> None:
    with pytest.raises(ModelError, match="ZeroDivisionError"):
        loaded(b"\x80\x02cbuiltins\neval\nX\x03\x00\x00\x001/0\x85R.")


@pytest.mark.parametrize(
    ("thing", "says"),
    [
        ([1, 2], "list of 2"),
        ({"model": 1}, "dict of 1"),
        (np.zeros((2, 3)), r"ndarray of shape \(2, 3\)"),
        (pd.DataFrame({"a": [1]}), "DataFrame"),
        (StandardScaler().fit([[0.0], [1.0]]), "StandardScaler alone, which transforms"),
        (42, "int"),
    ],
)
def test_what_cannot_predict_is_named(thing: Any, says: str) -> None:
    with pytest.raises(NoPredict, match=says):
        assembled([("x.pkl", loaded(pickle.dumps(thing)))])


def test_an_estimator_that_was_never_fitted_is_said_so() -> None:
    from sklearn.svm import SVC

    with pytest.raises(NoPredict, match="before it was fitted"):
        adapt(SVC())


@pytest.mark.parametrize(
    ("build", "frame", "framework", "task", "labels"),
    [
        (models.logistic, models.numbers, "scikit-learn", "classification", ("no", "yes")),
        (models.forest_pipeline, models.mixed, "scikit-learn", "classification", None),
        (models.xgboost_classifier, models.numbers, "xgboost", "classification", ("0", "1")),
        (models.lightgbm_classifier, models.numbers, "lightgbm", "classification", ("0", "1")),
    ],
)
def test_an_adapter_answers_as_the_model_does(
    build: Any, frame: Any, framework: str, task: str, labels: Any
) -> None:
    model, rows = build(), frame(50, 1)
    adapter = adapt(model)
    assert (adapter.framework, adapter.task) == (framework, task)
    assert adapter.features == tuple(rows.columns)
    assert labels is None or adapter.labels == labels
    found = adapter.answer(rows[list(reversed(rows.columns))])
    expected = [label_text(value) for value in model.predict(rows)]
    assert found.labels is not None and found.scores is not None
    assert [found.labels[int(code)] for code in found.values] == expected
    assert found.scores is not None
    np.testing.assert_allclose(found.scores, model.predict_proba(rows))
    assert not found.failed.any()


def deciding_by_scores() -> dict[str, tuple[Any, bool]]:
    from lightgbm import LGBMClassifier
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.ensemble import BaggingClassifier, ExtraTreesClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    def own_objective(_truth: Any, raw: Any) -> Any:
        return np.zeros_like(raw), np.ones_like(raw)

    return {
        "forest": (RandomForestClassifier(2, max_depth=2, random_state=0), True),
        "extra trees": (ExtraTreesClassifier(4, max_depth=3, random_state=0), True),
        "bagging": (BaggingClassifier(n_estimators=2, random_state=0), True),
        "calibrated": (CalibratedClassifierCV(LogisticRegression(), cv=2), True),
        "pipeline": (make_pipeline(StandardScaler(), RandomForestClassifier(2, random_state=0)), True),
        "lightgbm": (LGBMClassifier(n_estimators=3, verbose=-1), True),
        "objective of its own": (LGBMClassifier(n_estimators=3, objective=own_objective, verbose=-1), False),
        "overrides predict": (OwnPredict(4, random_state=0), False),
        "logistic": (LogisticRegression(), False),
    }


class OwnPredict(RandomForestClassifier):  # type: ignore[misc]
    def predict(self, x: Any) -> Any:
        return np.roll(super().predict(x), 1)


@pytest.mark.parametrize("name", deciding_by_scores())
@pytest.mark.parametrize("classes", [2, 3])
def test_a_classifier_whose_scores_decide_is_asked_once_and_answers_as_its_predict(
    name: str, classes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, decides = deciding_by_scores()[name]
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(rng.integers(0, 4, (200, 3)).astype(float), columns=list("abc"))  # many ties
    truth = rng.integers(0, classes, 200)
    if name == "objective of its own":
        truth = np.minimum(truth, 1)
    model.fit(rows, np.array([3, 7, 9])[truth])
    adapter = adapt(model)
    assert adapter.scores_decide is decides
    if name == "objective of its own":
        return  # both methods answer with raw numbers then: there is no class to compare
    expected, scores = model.predict(rows), model.predict_proba(rows)
    if decides:
        monkeypatch.setattr(Adapter, "predict", None)  # asking again would be twice the work
    found = adapter.answer(rows)
    assert found.labels is not None
    assert [int(found.labels[int(code)]) for code in found.values] == list(expected)
    np.testing.assert_array_equal(found.scores, scores)


def test_rows_that_a_forest_refuses_are_found_when_its_scores_decide() -> None:
    class Picky(RandomForestClassifier):  # type: ignore[misc]
        def _validate_X_predict(self, x: Any) -> Any:
            checked = super()._validate_X_predict(x)
            if (checked[:, 0] > 2).any():
                raise ValueError("too large")
            return checked

    rows = pd.DataFrame({"a": [0.0, 1, 3, 2, 3], "b": [1.0, 2, 3, 4, 5]})
    model = Picky(3, random_state=0).fit(rows.to_numpy()[:, :2] * 0.5, [0, 1, 0, 1, 0])
    adapter = adapt(model)
    assert adapter.scores_decide
    found = adapter.answer(rows)
    np.testing.assert_array_equal(found.failed, rows["a"] > 2)
    fine = rows[~found.failed].to_numpy()
    np.testing.assert_array_equal(found.values[~found.failed], model.predict(fine))
    assert found.scores is not None and np.isnan(found.scores[found.failed]).all()
    np.testing.assert_array_equal(found.scores[~found.failed], model.predict_proba(fine))
    assert [(e.kind, e.message, e.rows, e.first_row) for e in found.errors] == [
        ("ValueError", "too large", 2, 2)
    ]


def test_a_regressor_fitted_without_names_gets_an_array_and_answers_numbers() -> None:
    model, rows = models.ridge(), models.numbers(20, 1)
    adapter = adapt(model)
    assert (adapter.features, adapter.n_features, adapter.labels) == ((), 3, None)
    assert isinstance(adapter.prepare(rows), np.ndarray)
    found = adapter.answer(rows)
    np.testing.assert_allclose(found.values, model.predict(rows.to_numpy()))
    assert found.labels is None and found.scores is None


@pytest.mark.parametrize(
    "objective", ["binary:logistic", "multi:softprob", "multi:softmax", "binary:logitraw"]
)
def test_a_raw_booster_answers_with_classes(objective: str) -> None:
    import xgboost

    booster, rows = models.xgboost_booster(objective), models.numbers(50, 1)
    raw = booster.predict(xgboost.DMatrix(rows))
    threshold = 0.0 if objective.endswith("raw") else 0.5
    expected = raw > threshold if objective.startswith("binary") else raw if raw.ndim == 1 else raw.argmax(1)
    found = adapt(booster).answer(rows)
    np.testing.assert_array_equal(found.values, expected)
    assert found.labels == (("0", "1", "2") if objective.startswith("multi") else ("0", "1"))


def test_a_lightgbm_booster_answers_as_its_classifier() -> None:
    model, rows = models.lightgbm_classifier(), models.numbers(50, 1)
    found = adapt(model.booster_).answer(rows)
    np.testing.assert_array_equal(found.values, model.predict(rows))
    assert found.scores is not None
    np.testing.assert_allclose(found.scores, model.predict_proba(rows))


def test_plain_text_is_recoded_as_the_categories_lightgbm_was_trained_with() -> None:
    model, rows = models.lightgbm_with_categories(), models.mixed(50, 1)
    expected = model.predict(rows.astype({"city": pd.CategoricalDtype(["Bern", "Oslo", "Rome"])}))
    np.testing.assert_array_equal(adapt(model).answer(rows).values, expected)


def test_outliers_and_clusters_have_labels() -> None:
    from sklearn.cluster import KMeans
    from sklearn.ensemble import IsolationForest

    rows = models.numbers()
    forest = IsolationForest(n_estimators=5, random_state=0).fit(rows)
    found = adapt(forest).answer(rows)
    assert found.labels == ("-1", "1")
    np.testing.assert_array_equal(found.values, forest.predict(rows) == 1)
    means = KMeans(3, n_init=1, random_state=0).fit(rows)
    assert adapt(means).task == "clustering"
    np.testing.assert_array_equal(adapt(means).answer(rows).values, means.predict(rows))


def test_of_several_answers_a_row_the_first_is_tested_and_it_is_said() -> None:
    from sklearn.tree import DecisionTreeClassifier

    rows = models.numbers()
    targets = np.column_stack([positive := models.positive(rows), ~positive])
    adapter = adapt(DecisionTreeClassifier().fit(rows, targets))
    assert "the first is tested" in adapter.notes[0]
    np.testing.assert_array_equal(adapter.answer(rows).values, positive)


class Answers:
    """Predicts whatever a function says."""

    def __init__(self, function: Any) -> None:
        self.function = function

    def predict(self, x: Any) -> Any:
        return self.function(x)


def test_rows_that_raise_are_found_and_the_others_answered() -> None:
    rows = models.numbers(300)
    bad = [7, 8, 200]
    rows.loc[bad, "age"] = 1000.0

    def predict(x: Any) -> Any:
        if (x[:, 2] == 1000).any():
            raise ValueError("an impossible age")
        return x[:, 0] * 2

    found = adapt(Answers(predict)).answer(rows)
    assert np.flatnonzero(found.failed).tolist() == bad
    good = ~found.failed
    np.testing.assert_allclose(found.values[good], rows["height"][good] * 2)
    assert [(e.kind, e.message, e.rows, e.first_row) for e in found.errors] == [
        ("ValueError", "an impossible age", 3, 7)
    ]


def test_a_model_that_refuses_missing_values_fails_on_exactly_those_rows() -> None:
    rows = models.numbers(2000)
    rows.loc[::3, "weight"] = np.nan
    found = adapt(models.logistic()).answer(rows)
    np.testing.assert_array_equal(found.failed, rows["weight"].isna())
    assert found.errors[0].rows == found.failed.sum()
    assert found.scores is not None and np.isnan(found.scores[0]).all()


def test_a_model_that_always_raises_fails_on_every_row_without_an_exception() -> None:
    calls = []

    def predict(x: Any) -> Any:
        calls.append(len(x))
        raise KeyError("a column")

    found = adapt(Answers(predict)).answer(models.numbers(5000))
    assert found.failed.all()
    assert [(e.kind, e.rows, e.first_row) for e in found.errors] == [("KeyError", 5000, 0)]
    assert len(calls) < 20


def test_no_rows_at_all_is_a_question_too() -> None:
    found = adapt(models.logistic()).answer(models.numbers(0))
    assert len(found.values) == 0
    assert found.errors[0].kind == "ValueError"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda x: [1, 2, 3], "3 answers for 10 rows"),
        (lambda x: None, "None"),
        (lambda x: 5, "a single value for 10 rows"),
    ],
)
def test_an_answer_of_the_wrong_shape_is_refused(answer: Any, says: str) -> None:
    with pytest.raises(PredictFailed, match=says):
        adapt(Answers(answer)).answer(models.numbers(10))


def test_missing_infinite_and_huge_answers_are_failed_rows() -> None:
    found = adapt(Answers(lambda x: [1.0, np.nan, np.inf, -1e150, -1e151])).answer(models.numbers(5))
    assert found.failed.tolist() == [False, True, True, False, True]
    reasons = {("MissingAnswer", 1), ("InfiniteAnswer", 2), ("HugeAnswer", 4)}
    assert {(e.kind, e.first_row) for e in found.errors} == reasons


def test_texts_without_known_classes_become_labels() -> None:
    found = adapt(Answers(lambda x: ["b", "a", None, "b"])).answer(models.numbers(4))
    assert found.labels == ("a", "b")
    np.testing.assert_array_equal(found.values, [1, 0, np.nan, 1])
    assert found.failed.tolist() == [False, False, True, False]


def test_an_answer_in_one_column_is_squeezed() -> None:
    found = adapt(Answers(lambda x: x[:, :1])).answer(models.numbers(4))
    np.testing.assert_allclose(found.values, models.numbers(4)["height"])


def test_columns_that_the_model_needs_are_named_when_they_lack() -> None:
    with pytest.raises(PredictFailed, match="weight"):
        adapt(models.logistic()).answer(models.numbers(4).drop(columns="weight"))


@pytest.mark.parametrize(
    ("value", "text"), [(1, "1"), (1.0, "1"), (np.int64(3), "3"), (0.5, "0.5"), (True, "True")]
)
def test_a_label_is_written_as_a_person_writes_it(value: Any, text: str) -> None:
    assert label_text(value) == text


def test_inspecting_imports_no_numeric_library() -> None:
    import subprocess

    heavy = "('sklearn', 'shap', 'numba', 'joblib', 'scipy.stats')"
    code = f"import json, sys, model_utils; print(json.dumps([m for m in {heavy} if m in sys.modules]))"
    root = str(Path(model_utils.__file__).parent)
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, check=True, text=True)
    assert json.loads(done.stdout) == []
