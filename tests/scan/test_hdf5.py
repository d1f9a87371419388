"""HDF5 files of Keras: what they tell before Keras opens them, and what no saved model has."""

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import model_utils
from errors import MissingLibrary, ModelRefused, NotAModel
from estimators.loading import load
from scan import hdf5
from scan.files import first_glance, scan

h5py = pytest.importorskip("h5py")
MODELS = Path(__file__).parent.parent / "keras_models"
DENSE = {"class_name": "Dense", "config": {"name": "dense", "units": 1, "batch_input_shape": [None, 4]}}
SEQUENTIAL = {"class_name": "Sequential", "config": {"name": "s", "layers": [DENSE]}}


def file_of(config: Any = SEQUENTIAL, more: Callable[[Any], Any] = lambda file: None) -> bytes:
    """An HDF5 file as Keras 2 writes it, and what else a test puts into it."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        if config is not None:
            file.attrs["model_config"] = config if isinstance(config, bytes) else json.dumps(config)
            file.attrs["keras_version"] = "2.11.0"
        file.create_group("model_weights").create_dataset("kernel", data=np.ones((4, 1)))
        more(file)
    return buffer.getvalue()


def scanned(data: bytes) -> Any:
    return scan(io.BytesIO(data))


def test_a_file_of_keras_tells_its_version_and_layers() -> None:
    data = file_of()
    assert first_glance(io.BytesIO(data)).format == "keras hdf5"
    report = scanned(data)
    assert (report.ok, report.saved_with) == (True, {"keras": "2.11.0"})
    assert report.globals == ("keras Dense", "keras Sequential")


@pytest.mark.parametrize("name", ["keras2_sequential", "keras2_functional", "keras2_lstm"])
def test_files_that_keras_2_saved_are_allowed(name: str) -> None:
    assert scanned((MODELS / f"{name}.h5").read_bytes()).ok


def test_lambda_layers_are_refused_in_the_form_of_each_version() -> None:
    of_keras_2 = (MODELS / "keras2_lambda.h5").read_bytes()
    hidden = {"class_name": "Dense", "config": {"activation": {"class_name": "__lambda__", "config": {}}}}
    wrapped = {"class_name": "TimeDistributed", "config": {"layer": {"class_name": "Lambda", "config": {}}}}
    told = {"class_name": "Dense", "function_type": "lambda"}
    for data in (of_keras_2, file_of(hidden), file_of(wrapped), file_of(told)):
        report = scanned(data)
        assert report.ok is False and "Lambda layer" in report.findings[0]
        with pytest.raises(ModelRefused):
            load(io.BytesIO(data), "strict", report)


@pytest.mark.parametrize(
    "layer",
    [
        {"module": "os", "class_name": "system", "config": {}},
        {"module": "tests.own", "class_name": "Dense", "config": {}, "registered_name": "Dense"},
        {"class_name": "mine>Dense", "config": {}},
        {"module": "builtins", "class_name": "function", "config": "eval"},
    ],
)
def test_classes_that_are_not_kerass_own_are_refused(layer: dict[str, Any]) -> None:
    report = scanned(file_of({"class_name": "Sequential", "config": {"layers": [layer]}}))
    assert report.ok is False and report.refused[0].name == layer["class_name"]


def _external_link(file: Any) -> None:
    file["elsewhere"] = h5py.ExternalLink("/etc/passwd", "/x")


def _soft_link(file: Any) -> None:
    file["model_weights/again"] = h5py.SoftLink("/model_weights/kernel")


def _external_table(file: Any) -> None:
    file.create_dataset("t", (10,), "f4", external=[("/etc/passwd", 0, 40)])


def _virtual_table(file: Any) -> None:
    layout = h5py.VirtualLayout((4,), "f8")
    layout[:] = h5py.VirtualSource("/tmp/other.h5", "x", (4,))
    file.create_virtual_dataset("v", layout)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (_external_link, "links to another file"),
        (_soft_link, "links to another file, or to another place"),
        (_external_table, "keeps weights in other files"),
        (_virtual_table, "keeps weights in other files"),
    ],
)
def test_what_leads_out_of_the_file_is_refused(more: Callable[[Any], None], said: str) -> None:
    report = scanned(file_of(more=more))
    assert report.ok is False and said in report.findings[0]


def test_a_filter_that_would_be_loaded_is_refused() -> None:
    def more(file: Any) -> None:
        table = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        table.set_chunk((4,))
        table.set_filter(32015, h5py.h5z.FLAG_OPTIONAL)  # Zstandard: a plugin
        space = h5py.h5s.create_simple((4,))
        h5py.h5d.create(file.id, b"z", h5py.h5t.NATIVE_FLOAT, space, table)

    assert "filter that would have to be loaded" in scanned(file_of(more=more)).findings[0]


@pytest.mark.parametrize(
    "more",
    [
        lambda file: file.create_dataset("huge", (1 << 40,), "f8", chunks=(1 << 16,)),
        lambda file: file.create_dataset("zeros", data=np.zeros(1 << 24), compression="gzip"),
        lambda file: [file.create_dataset(f"t{i}", (1 << 22,), "f8", chunks=(1 << 16,)) for i in range(20)],
    ],
    ids=["declared", "packed", "many"],
)
def test_tables_far_larger_than_the_file_are_no_model(more: Callable[[Any], Any]) -> None:
    with pytest.raises(NotAModel, match="declares tables of"):
        scanned(file_of(more=more))


def test_groups_that_hold_each_other_are_followed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def circle(file: Any) -> None:
        file["model_weights/circle"] = file["model_weights"]

    assert scanned(file_of(more=circle)).ok
    monkeypatch.setattr(hdf5, "MAX_OBJECTS", 10)
    with pytest.raises(NotAModel, match="more than 10 tables"):
        scanned(file_of(more=lambda file: [file.create_group(f"g{i}") for i in range(12)]))


def test_weights_alone_and_other_tables_get_the_sentence_that_helps() -> None:
    with pytest.raises(NotAModel, match="weights of a Keras model alone") as weights:
        scanned((MODELS / "keras2_weights.h5").read_bytes())
    assert "model.save('model.keras')" in weights.value.hint
    with pytest.raises(NotAModel, match="weights of a Keras model alone"):
        scanned(file_of(None))

    def tables() -> bytes:
        buffer = io.BytesIO()
        with h5py.File(buffer, "w") as file:
            file.create_dataset("prices", data=np.arange(5.0))
        return buffer.getvalue()

    with pytest.raises(NotAModel, match="holds tables and no Keras model"):
        scanned(tables())


@pytest.mark.parametrize(
    "config", [b"not json", b"[1, 2]", b'{"class_name": 3}', b"{" * 5_000, b"\xff\xfe"], ids=range(5)
)
def test_descriptions_that_cannot_be_read_are_damage(config: bytes) -> None:
    with pytest.raises(NotAModel, match="looks like a Keras model"):
        scanned(file_of(config))


def test_a_large_description_is_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5, "MAX_CONFIG", 100)
    with pytest.raises(NotAModel, match="looks like a Keras model"):
        scanned(file_of(SEQUENTIAL | {"more": "x" * 200}))


def test_files_that_are_cut_are_told_as_damaged() -> None:
    whole = (MODELS / "keras2_sequential.h5").read_bytes()
    for size in np.linspace(8, len(whole) - 1, 60).astype(int).tolist():
        with pytest.raises(NotAModel) as error:
            scanned(whole[:size])
        assert error.value.message and error.value.hint


def test_without_h5py_the_line_that_installs_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(MissingLibrary, match="'h5py' is not installed here") as error:
        scanned((MODELS / "keras2_sequential.h5").read_bytes())
    assert "pip install keras torch h5py" in error.value.hint


# Of what Keras' and torch's own calls tell each other; what a file's reader would be told is an error here.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", ["keras2_sequential", "keras2_functional", "keras2_lstm"])
def test_models_of_keras_2_give_the_answers_that_keras_2_gave(name: str) -> None:
    pytest.importorskip("torch")
    os.environ.setdefault("KERAS_BACKEND", "torch")
    pytest.importorskip("keras")
    import pandas as pd

    told = json.loads((MODELS / "answers.json").read_text("ascii"))
    model = model_utils.adapt(load(io.BytesIO((MODELS / f"{name}.h5").read_bytes())))
    found = model.answer(pd.DataFrame(told["x"]))
    expected = np.array(told["answers"][name])
    answers = found.values[:, None] if found.scores is None else found.scores[:, -expected.shape[1] :]
    np.testing.assert_allclose(answers, expected, atol=1e-5)
