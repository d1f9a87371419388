"""What a run says of a model that another version saved."""

import numpy as np
import pytest

from estimators.answers import Predictions, RowError
from execution.inspection import answers_of_another_version, let_in, version_skew
from records.model import ModelInfo, RefusedName, ScanReport

OLD = ModelInfo(name="m", sha256="0", bytes=1, saved_with={"scikit-learn": "1.2.2", "numpy": "1.x"})


def failing(kind: str, message: str, failed: tuple[bool, ...] = (True, True)) -> Predictions:
    errors = (RowError(kind, message, sum(failed), 0),)
    return Predictions(np.zeros(len(failed)), None, None, np.array(failed), errors)


def test_an_attribute_missing_on_every_row_is_a_version_mismatch() -> None:
    answers = failing("AttributeError", "'SimpleImputer' object has no attribute '_fill_dtype'")
    found = answers_of_another_version(OLD, answers)
    assert found is not None and found.code == "version_mismatch"
    assert "scikit-learn 1.2.2" in found.message and "no row is answered: AttributeError" in found.message
    assert "skl2onnx" in found.hint


@pytest.mark.parametrize(
    ("info", "answers"),
    [
        (OLD, failing("AttributeError", "x", (True, False))),
        (OLD, failing("ValueError", "could not convert string to float: 'a'")),
        (OLD, Predictions(np.zeros(0), None, None, np.zeros(0, dtype=bool))),
        (OLD.model_copy(update={"saved_with": {}}), failing("AttributeError", "x")),
    ],
)
def test_other_failures_are_the_models_own(info: ModelInfo, answers: Predictions) -> None:
    assert answers_of_another_version(info, answers) is None


def test_a_contained_model_of_another_release_is_said_to_be_loaded_as_it_is() -> None:
    refused = (RefusedName(module="mine", name="Step", reason="", hint=""),)
    scan = ScanReport(format="pickle", ok=False, refused=refused)
    (line,) = let_in(OLD.model_copy(update={"scan": scan}), "contained")
    assert line.endswith("loaded as it is: nothing of scikit-learn 1.2.2 (installed here: "
                         + line.rpartition("installed here: ")[2])  # fmt: skip
    assert "was brought forward, so answers may differ" in line


def test_what_was_brought_forward_has_its_own_line_in_place_of_the_skews() -> None:
    saved = {"xgboost": "1.3.3", "numpy": "1.x"}
    info = OLD.model_copy(update={"saved_with": saved, "upgraded_from": "XGBoost 1.3.3"})
    assert version_skew(info) == ()
    assert [line for line in version_skew(OLD.model_copy(update={"saved_with": saved})) if "1.3.3" in line]
