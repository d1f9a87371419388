"""Pickles of what is no model here: each gets the sentence that says what to send in its place."""

import io
import pickle

import pytest

from errors import ModelRefused, NotAModel
from records.model import ModelInfo, ScanReport
from scan.files import first_glance, scan
from scan.policy import check_policy
from tests.support import models_for_tests as models


def refers_to(*names: str) -> bytes:
    """A pickle that makes an object of each class."""
    made = b"".join(f"c{name.replace(' ', chr(10))}\n)\x81".encode("latin-1") + b"0" for name in names)
    return b"\x80\x02" + made + b"N."


def said(data: bytes) -> ModelRefused:
    with pytest.raises(ModelRefused) as error:
        check_policy(scan(io.BytesIO(data)), "strict")
    return error.value


@pytest.mark.parametrize(
    ("name", "what", "instead"),
    [
        ("keras.src.saving.pickle_utils deserialize_model", "Keras network", "model.save('model.keras')"),
        ("keras.engine.sequential Sequential", "Keras network", "model.save('model.keras')"),
        ("tensorflow.python.keras.engine.training Model", "Keras network", "model.save('model.keras')"),
        ("scikeras.wrappers KerasClassifier", "Keras network", "model.save('model.keras')"),
        ("shap.explainers._tree TreeExplainer", "an explainer, not a model", "the model that it explains"),
        ("lime.lime_tabular LimeTabularExplainer", "an explainer, not a model", "the model that it explains"),
        ("torch.nn.modules.linear Linear", "PyTorch module", "torch.jit.script"),
        ("dill._dill _create_function", "saved by dill", "joblib.dump"),
    ],
)
def test_what_a_file_is_and_what_to_send_is_said(name: str, what: str, instead: str) -> None:
    error = said(refers_to(name))
    assert what in error.message and instead in error.hint


def test_an_explainer_with_its_model_and_others_names_is_an_explainer() -> None:
    error = said(refers_to("shap.explainers._tree TreeExplainer", "numba.core.serialize custom_rebuild"))
    assert error.message == "The file holds a SHAP explainer: an explainer, not a model."


@pytest.mark.parametrize("more", ["os system", "subprocess Popen", "builtins eval", "posix system"])
def test_what_runs_commands_is_named_first(more: str) -> None:
    error = said(refers_to("keras.models Model", more))
    assert more.replace(" ", ".") in error.message.replace("nt.", "posix.")


def test_a_real_explainer_and_a_real_file_of_dills_kind_are_told() -> None:
    shap = pytest.importorskip("shap")
    model = models.ridge()
    explainer = shap.LinearExplainer(model, models.numbers().to_numpy())
    assert "an explainer, not a model" in said(pickle.dumps(explainer)).message


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04" + b"\0" * 40,
        b"a,b\n1,2\n3,4\n",
        b"<!doctype html><html></html>",
        b"",
        b"{}",
        b"%PDF-1.7",
    ],
    ids=["zip", "csv", "html", "empty", "json", "pdf"],
)
def test_what_is_no_model_is_never_called_a_pickle(data: bytes) -> None:
    with pytest.raises(NotAModel):
        first_glance(io.BytesIO(data))
    assert ModelInfo(name="m", sha256="0" * 64, bytes=0).format == ScanReport().format == "unknown"
