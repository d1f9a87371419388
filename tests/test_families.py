"""The conformance list: what every family of models must do, from its file alone."""

import io
import os
import pickle
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import model_utils
from errors import ChildDied, DashboardError, MissingLibrary, ModelError, ModelRefused, NotAModel
from estimators.answers import Predictions
from estimators.loading import load
from estimators.native import _failed, load_native
from estimators.traits import label_text
from mining.schema import infer_from_model
from model_utils import Adapter
from records.metrics import LatencyPlan
from records.model import FORMATS, ModelInfo, Policy
from rows.fit import check_fits_model
from sandbox.handle import open_model
from sandbox.zygote import Zygote
from scan.files import first_glance, scan
from scan.native import catboost_is_cut
from schema_utils import check_complete
from settings import Settings
from synthetic_data import generate
from tests.support.family_corpus import FAMILIES, Family, ModelFile

IN_CHILD_ONLY = {"PyTorch", "Keras"}  # a gigabyte to import: not into the tests' own process


@cache
def files_of(family: str) -> tuple[ModelFile, ...]:
    found = next(one for one in FAMILIES if one.name == family)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tuple(found.make())


def families() -> list[Any]:
    return [
        pytest.param(
            family,
            marks=pytest.mark.skipif(bool(family.missing), reason=f"needs {', '.join(family.missing)}"),
            id=family.name,
        )
        for family in FAMILIES
    ]


def opened(file: ModelFile) -> Adapter:
    data = io.BytesIO(file.data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model_utils.adapt(load(data, "contained" if file.policy else "strict"))


def as_told(answers: Any) -> np.ndarray:
    """The library's own answers, the first output."""
    found = np.asarray(answers)
    return found.reshape(len(found), -1)[:, 0]


def assert_same(found: Predictions, expected: np.ndarray, what: str) -> None:
    assert not found.failed.any(), (what, found.errors)
    if found.labels is None:
        scale = max(1.0, float(np.abs(expected.astype(np.float64)).max()))
        np.testing.assert_allclose(found.values, expected.astype(np.float64), atol=1e-5 * scale, err_msg=what)
    else:
        told = [found.labels[int(code)] for code in found.values]
        assert told == [label_text(value) for value in expected], what


@pytest.mark.parametrize("family", families())
def test_the_bytes_tell_the_format(family: Family) -> None:
    for file in files_of(family.name):
        seen = first_glance(io.BytesIO(file.data))
        suffix = Path(file.name).suffix
        native = next((one for one in FORMATS if one.name == seen.format), None)
        assert (suffix in native.suffixes) if native else suffix in (".pkl", ".joblib"), file.label
        if seen.format in ("skops", "onnx", "keras", "catboost", "xgboost json", "xgboost ubj"):
            assert seen.saved_with, file.label


@pytest.mark.parametrize("family", families())
def test_strict_policy_lets_in_what_cannot_run_code(family: Family) -> None:
    for file in files_of(family.name):
        report = scan(io.BytesIO(file.data))
        assert report.ok is (file.policy is None), (file.label, report)
        if file.policy:
            with pytest.raises(ModelRefused):
                load(io.BytesIO(file.data), "strict", report)


@pytest.mark.parametrize("family", [one for one in families() if one.values[0].name not in IN_CHILD_ONLY])
def test_it_answers_as_its_library_does(family: Family) -> None:
    for file in files_of(family.name):
        adapter = opened(file)
        found = adapter.answer(file.rows)
        assert_same(found, as_told(file.answers), file.label)
        alone = adapter.answer(file.rows.iloc[[3]])
        assert_same(alone, as_told(file.answers)[[3]], file.label)
        if found.scores is not None:
            np.testing.assert_allclose(found.scores.sum(axis=1), 1, atol=1e-5, err_msg=file.label)
            assert found.labels is not None and found.scores.shape[1] == len(found.labels)


@pytest.mark.parametrize("family", [one for one in families() if one.values[0].name not in IN_CHILD_ONLY])
def test_its_schema_is_complete_and_makes_rows_that_it_answers(family: Family) -> None:
    for file in files_of(family.name):
        adapter = opened(file)
        schema = infer_from_model(adapter.estimator)
        assert schema is not None, file.label
        check_complete(schema)
        info = ModelInfo(
            name="m", sha256="", bytes=1, features=adapter.features, n_features=adapter.n_features
        )
        check_fits_model(schema, info)
        if adapter.features:
            assert schema.names == adapter.features == tuple(file.rows.columns), file.label
        answers = adapter.answer(generate(schema, 60, 0).frame)
        assert answers.failed.mean() == 0, (file.label, answers.errors)


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote(Settings(model_policy="strict")) as started:
        yield started


@pytest.mark.skipif(os.name != "posix", reason="models run in forked processes")
@pytest.mark.parametrize("family", families())
def test_it_is_read_and_answers_inside_of_the_lock(family: Family, zygote: Zygote, tmp_path: Path) -> None:
    for file in files_of(family.name):
        path = tmp_path / file.name
        path.write_bytes(file.data)
        policy: Policy | None = "contained" if file.policy else None
        with open_model(zygote, path, name=file.name, deadline_s=120, policy=policy) as handle:
            assert_same(handle.predict(file.rows), as_told(file.answers), file.label)
            assert handle.mined is not None, (file.label, handle.warnings)
            answers = handle.predict(generate(handle.mined, 60, 0).frame)
            assert answers.failed.mean() == 0, (file.label, answers.errors)


@pytest.mark.skipif(os.name != "posix", reason="models run in forked processes")
@pytest.mark.parametrize("family", families())
def test_a_cut_file_ends_in_an_error_that_says_what_to_do(
    family: Family, zygote: Zygote, tmp_path: Path
) -> None:
    """In the child: libraries' own readers have been seen to end their process over a cut file."""
    for file in files_of(family.name):
        for share in (0.5,) if family.name in IN_CHILD_ONLY else (0.1, 0.5, 0.9):
            path = tmp_path / file.name
            path.write_bytes(file.data[: int(len(file.data) * share)])
            with pytest.raises((ModelError, ChildDied)) as caught:  # noqa: SIM117
                with open_model(zygote, path, name=file.name, deadline_s=120):
                    pass
            assert caught.value.hint, (file.label, share, caught.value.message)


# --- what a family does not have in common -------------------------------------------------------


def test_a_library_that_is_missing_is_named_with_the_line_that_installs_it(monkeypatch: Any) -> None:
    native = next(one for one in FORMATS if one.name == "catboost")
    absent = ModuleNotFoundError("No module named 'catboost'", name="catboost")
    monkeypatch.setitem(_failed, "catboost", absent)
    report = scan(io.BytesIO(b"CBM1" + bytes(20)))
    with pytest.raises(MissingLibrary) as caught:
        load_native(io.BytesIO(b"CBM1" + bytes(20)), "strict", report)
    assert "catboost" in caught.value.message and native.install in caught.value.hint


@pytest.mark.parametrize(
    "data",
    [
        b'{"learner": {}}',
        b"tree\nversion=v4\nnum_class=1\n",
        b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner{",
    ],
)
def test_a_file_that_its_library_cannot_read_is_told_so(data: bytes) -> None:
    with pytest.raises(NotAModel) as caught:
        load(io.BytesIO(data))
    assert "looks like" in caught.value.message and caught.value.hint


def test_a_catboost_file_that_is_cut_anywhere_is_noticed_before_its_library_reads_it(tmp_path: Path) -> None:
    """Its reader answers from behind the end of a cut table of categories, or ends the process."""
    catboost = pytest.importorskip("catboost")
    rng = np.random.default_rng(0)
    rows = [[rng.normal(), *rng.choice(list("abcdefghij"), 2)] for _ in range(300)]
    likely = [row[1] in "abc" or row[0] > 1 for row in rows]

    def saved(**options: Any) -> bytes:
        model = catboost.CatBoostClassifier(iterations=5, verbose=0, allow_writing_files=False, **options)
        model.fit(rows, np.array(likely, dtype=int), cat_features=[1, 2])
        model.save_model(str(tmp_path / "m.cbm"))
        return (tmp_path / "m.cbm").read_bytes()

    with_tables, without = saved(), saved(one_hot_max_size=50)
    trees = 8 + int.from_bytes(with_tables[4:8], "little")
    assert len(with_tables) > trees + 100 and len(without) == 8 + int.from_bytes(without[4:8], "little")
    for whole in (with_tables, without):
        assert not catboost_is_cut(whole)
    for length in (0, 3, 7, 100, trees - 1, *range(trees, len(with_tables))):
        assert catboost_is_cut(with_tables[:length]), length
    with pytest.raises(NotAModel) as caught:
        load(io.BytesIO(with_tables[: len(with_tables) - 40]))
    assert "it ends before" in caught.value.message
    assert load(io.BytesIO(with_tables)) is not None


def test_versions_of_a_native_file_are_compared_when_it_cannot_be_read() -> None:
    with pytest.raises(DashboardError) as caught:
        load(io.BytesIO(b'{"learner": {}, "version": [99, 1, 2]}'))
    assert caught.value.code == "version_mismatch" and "99.1.2" in caught.value.message


def test_a_skops_file_with_a_name_off_the_list_is_refused_by_that_name() -> None:
    dumps = pytest.importorskip("skops.io").dumps
    from sklearn.preprocessing import FunctionTransformer

    from tests.support import models_for_tests

    data = dumps(FunctionTransformer(models_for_tests.positive))
    report = scan(io.BytesIO(data))
    assert report.ok is False
    assert [(one.module, one.name) for one in report.refused] == [
        ("tests.support.models_for_tests", "positive")
    ]


def test_a_keras_file_with_code_inside_is_refused(tmp_path: Path) -> None:
    import json
    import zipfile

    buffer = io.BytesIO()
    layers: list[dict[str, Any]] = [
        {"module": "keras.layers", "class_name": "Lambda", "config": {}, "registered_name": None}
    ]
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        archive.writestr("model.weights.h5", b"")
        for name in ("keras.layers", "os"):
            layers.append({"module": name, "class_name": "Dense", "config": {}, "registered_name": None})
        archive.writestr(
            "config.json", json.dumps({"module": "keras", "class_name": "Sequential", "x": layers})
        )
    report = scan(buffer)
    assert report.ok is False and "Lambda" in report.findings[0]
    assert [(one.module, one.name) for one in report.refused] == [("os", "Dense")]
    with pytest.raises(ModelRefused):
        load(buffer, "strict", report)


@pytest.mark.parametrize("name", ["KernelDensity", "PCA", "LocalOutlierFactor"])
def test_what_scores_but_does_not_predict_is_tested_by_its_scores(name: str) -> None:
    from sklearn.datasets import load_iris
    from sklearn.decomposition import PCA
    from sklearn.neighbors import KernelDensity, LocalOutlierFactor

    rows = load_iris(as_frame=True).data
    kinds = {
        "KernelDensity": KernelDensity(),
        "PCA": PCA(2),
        "LocalOutlierFactor": LocalOutlierFactor(novelty=True),
    }
    fitted = kinds[name].fit(rows)
    adapter = model_utils.adapt(fitted)
    if name == "LocalOutlierFactor":
        assert adapter.method == "predict" and not adapter.notes
    else:
        np.testing.assert_allclose(adapter.answer(rows).values, fitted.score_samples(rows))
        assert "score_samples" in adapter.notes[0]


@pytest.mark.skipif(os.name != "posix", reason="models run in forked processes")
def test_what_scores_but_does_not_predict_is_timed_by_what_is_asked_of_it(
    zygote: Zygote, tmp_path: Path
) -> None:
    from sklearn.datasets import load_iris
    from sklearn.decomposition import PCA

    rows = load_iris(as_frame=True).data
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(PCA(2).fit(rows)))
    with open_model(zygote, path, name=path.name, deadline_s=60) as handle:
        timed = handle.measure(rows, LatencyPlan(batch_sizes=(1, 10), calls=5, budget_s=1))
        assert [row.batch_size for row in timed.rows] == [1, 10]


class OnlyProbabilities:
    classes_ = np.array(["a", "b"])
    n_features_in_ = 2

    def predict_proba(self, x: Any) -> Any:
        first = np.asarray(x)[:, 0] > 0
        return np.column_stack([~first, first]).astype(float)


def test_what_gives_probabilities_alone_answers_with_the_likeliest_class() -> None:
    adapter = model_utils.adapt(OnlyProbabilities())
    import pandas as pd

    found = adapter.answer(pd.DataFrame({"x0": [1.0, -1.0], "x1": [0.0, 0.0]}))
    assert found.labels == ("a", "b") and found.values.tolist() == [1.0, 0.0]


def test_a_batch_of_fixed_size_takes_any_number_of_rows() -> None:
    from estimators.networks import Input, Network

    asked: list[int] = []

    def run(arrays: list[Any]) -> list[Any]:
        asked.append(len(arrays[0]))
        return [arrays[0].sum(axis=1)]

    network = Network("onnx", "sum", (Input("x", (2,), np.float32, 4),), run)
    rows = np.arange(18.0).reshape(9, 2)
    np.testing.assert_allclose(network.predict(rows), rows.sum(axis=1))
    assert asked == [4, 4, 4]
