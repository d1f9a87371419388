"""The walk ends: by the number of opcodes and of values, however a file multiplies them."""

import io
import pickle

import joblib
import numpy as np
import pytest

from errors import DashboardError
from scan import walk
from scan.machine import MAX_KEYS
from scan.pickles import scan_pickle
from tests.support import models_for_tests as models

UNITS = {
    "values in the memo": b"}\x94",
    "values on the stack": b"]",
    "tuples in tuples": b"N\x85",
    "objects": b"csklearn.svm._classes\nSVC\n)\x81",
    "texts": b"\x8c\x06sixsix",
    "wide texts": b"X\xcc\x00\x00\x00" + b"a" * 200 + "\U0001f600".encode(),
}


def outcome(data: bytes) -> str:
    return "; ".join(scan_pickle(io.BytesIO(data)).findings)


def test_a_file_of_more_opcodes_than_any_model_has_is_followed_no_further(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(walk, "TICKS", 100)
    monkeypatch.setattr(walk, "MAX_OPCODES", 1_000)
    assert outcome(b"\x80\x04" + b"N0" * 450 + b"N.") == ""
    assert outcome(b"\x80\x04" + b"N0" * 600 + b"N.") == "it has more than 1,000 opcodes"


def test_pickles_inside_of_arrays_have_no_opcodes_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them takes fewer than are counted at once."""
    monkeypatch.setattr(walk, "TICKS", 1_000)
    monkeypatch.setattr(walk, "MAX_OPCODES", 2_000)
    file = io.BytesIO()
    joblib.dump([np.array([None] * i, dtype=object) for i in range(80)], file)
    assert outcome(file.getvalue()) == "it has more than 2,000 opcodes"


@pytest.mark.parametrize("unit", UNITS)
def test_a_file_of_more_values_than_any_model_has_is_followed_no_further(
    monkeypatch: pytest.MonkeyPatch, unit: str
) -> None:
    monkeypatch.setattr(walk, "TICKS", 100)
    monkeypatch.setattr(walk, "MAX_VALUES", 5_000)
    wide = unit.startswith("wide")  # of these, four bytes for each character, nothing is kept
    found = outcome(b"\x80\x04" + UNITS[unit] * 30_000 + b".")
    assert ("more than 5,000 values" in found) is not wide


def test_a_fitted_model_stays_far_below_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pickle.dumps(models.forest_pipeline(), 4)
    monkeypatch.setattr(walk, "TICKS", 100)
    monkeypatch.setattr(walk, "MAX_OPCODES", walk.MAX_OPCODES // 100)
    monkeypatch.setattr(walk, "MAX_VALUES", walk.MAX_VALUES // 100)
    assert scan_pickle(io.BytesIO(data)).ok


def test_a_key_is_not_hidden_behind_more_keys_than_are_kept() -> None:
    from scipy.stats._continuous_distns import uniform_gen

    made = uniform_gen(name="uniform")
    made.__dict__ |= {f"key {i}": None for i in range(MAX_KEYS + 1)}
    made.__dict__["_parse_arg_template"] = made.__dict__.pop("_parse_arg_template") + "print()"
    assert f"a state of more than {MAX_KEYS:,} parts" in outcome(pickle.dumps(made, 4))
    at_once = b"\x80\x04}(" + b"".join(b"M%bN" % i.to_bytes(2, "little") for i in range(MAX_KEYS + 1)) + b"u."
    assert f"more than {MAX_KEYS:,} entries are put into a dict at once" in outcome(at_once)
    assert scan_pickle(io.BytesIO(pickle.dumps({str(i): i for i in range(3 * MAX_KEYS)}, 4))).ok


def test_a_file_full_of_complaints_is_followed_no_further() -> None:
    found = scan_pickle(io.BytesIO(b"\x80\x04(" + b"NNNs" * 100_000 + b"."))
    assert len(found.findings) == 20 and found.findings[0].startswith("there is more")


def test_a_version_is_looked_for_at_a_thousand_places() -> None:
    model = pickle.dumps(models.logistic(), 4)
    told = scan_pickle(io.BytesIO(model)).saved_with["scikit-learn"]
    for count, found in ((900, told), (1_100, None)):
        padded = pickle.dumps([b"_sklearn_version" * count, models.logistic()], 4)
        try:
            assert scan_pickle(io.BytesIO(padded)).saved_with.get("scikit-learn") == found
        except DashboardError:
            pytest.fail("it is a pickle")
