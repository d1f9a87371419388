"""Pickles of older XGBoost, LightGBM and CatBoost answer as their own release answered."""

import importlib.util
import io
import struct
import warnings
from typing import Any

import numpy as np
import pytest

from errors import VersionMismatch
from estimators.loading import load
from scan.files import scan
from scripts.old_boosters import RELEASES, answers, asked, read, same
from upgrades.steps import Upgrade
from upgrades.telling import XGBOOST_RELEASES, told_of
from upgrades.xgboost_bytes import Unreadable, as_json

FILES, TOLD = read()
OF_OLD_FORM = [
    r for r in RELEASES if r.startswith(("xgboost-0", "xgboost-1.0", "xgboost-1.3", "xgboost-1.5"))
]


def brought_forward(data: bytes, told: Upgrade | None = None) -> Any:
    file = io.BytesIO(data)
    report = scan(file)
    assert report.ok, (report.refused, report.findings)
    return load(file, "strict", report, told)


@pytest.mark.parametrize("release", RELEASES)
def test_models_answer_as_their_own_release_answered(release: str) -> None:
    if release.startswith("catboost") and importlib.util.find_spec("catboost") is None:
        pytest.skip("catboost is not installed")
    kinds = [kind for saved, kind in FILES if saved == release]
    assert len(kinds) >= 3
    for kind in kinds:
        got = answers(brought_forward(FILES[release, kind]), asked(kind))
        old = TOLD[release, kind]
        assert [name for name in old if not same(got.get(name), old[name])] == [], kind


@pytest.mark.parametrize("release", OF_OLD_FORM)
def test_the_report_says_what_was_brought_forward(release: str) -> None:
    upgrade = Upgrade()
    brought_forward(FILES[release, "classifier"], upgrade)
    (line,) = [line for line in told_of(upgrade) if "XGBoost" in line]
    assert line.startswith("Saved with XGBoost ") and line.endswith(": it answers as it did there.")
    assert len(XGBOOST_RELEASES) == len(OF_OLD_FORM)


def test_the_version_is_read_out_of_the_bytes() -> None:
    told = {r: scan(io.BytesIO(FILES[r, "regressor"])).saved_with.get("xgboost") for r in OF_OLD_FORM}
    assert told == {
        "xgboost-0.90": "0.x", "xgboost-1.0.2": "1.0.2", "xgboost-1.3.3": "1.3.3", "xgboost-1.5.2": "1.5.2",
    }  # fmt: skip


def test_names_that_stood_beside_the_model_are_kept_and_made_up_ones_are_not() -> None:
    assert brought_forward(FILES["xgboost-0.90", "booster, named"]).feature_names == list("abcde")
    assert brought_forward(FILES["xgboost-0.90", "classifier"]).get_booster().feature_names is None


def bytes_of(**changed: Any) -> bytes:
    """A model of one leaf as XGBoost 0.90 kept it, with what a test changes."""
    numbers: dict[str, Any] = {
        "base": 0.0,
        "features": 2,
        "classes": 0,
        "trees": 1,
        "nodes": 1,
        "objective": b"reg:linear",
    } | changed
    learner = struct.pack(
        "<fIiiiII108x", numbers["base"], numbers["features"], numbers["classes"], 0, 0, 0, 0
    )
    kinds = b"".join(len(t).to_bytes(8, "little") + t for t in (numbers["objective"], b"gbtree"))
    trees = struct.pack("<i24xi128x", numbers["trees"], 0)
    tree = struct.pack("<4xiiiii124x", numbers["nodes"], 0, 0, 2, 0)
    leaf = struct.pack("<IiiIf", 0xFFFFFFFF, -1, -1, 0, 0.25) + struct.pack("<fffi", 0, 1, 0.25, 0)
    return learner + kinds + trees + tree + leaf + struct.pack("<i", 0)


def test_the_layout_is_that_of_a_single_leaf() -> None:
    import json

    import xgboost

    booster = xgboost.Booster()
    booster.load_model(bytearray(json.dumps(as_json(bytes_of(base=0.5))).encode()))
    assert np.allclose(booster.predict(xgboost.DMatrix(np.zeros((3, 2)))), 0.75)


@pytest.mark.parametrize("length", range(0, len(bytes_of()), 7))
def test_what_is_cut_is_not_read(length: int) -> None:
    with pytest.raises(Unreadable):
        as_json(bytes_of()[:length])


@pytest.mark.parametrize("changed", [{"trees": -1}, {"trees": 1 << 30}, {"nodes": 0}, {"nodes": 1 << 30}])
def test_sizes_that_are_not_there_are_not_believed(changed: dict[str, int]) -> None:
    with pytest.raises(Unreadable):
        as_json(bytes_of(**changed))


def test_a_margin_to_start_from_is_a_probability_again() -> None:
    found = as_json(bytes_of(base=2.0, objective=b"binary:logistic"))["learner"]["learner_model_param"]
    assert float(found["base_score"]) == pytest.approx(1 / (1 + np.exp(-2.0)))
    found = as_json(bytes_of(base=2.0, objective=b"count:poisson"))["learner"]["learner_model_param"]
    assert float(found["base_score"]) == pytest.approx(np.exp(2.0))


def test_what_cannot_be_brought_forward_says_why_and_what_to_do() -> None:
    data = FILES["xgboost-1.3.3", "regressor"].replace(b'"trees":[', b'"treez":[')
    with warnings.catch_warnings(), pytest.raises(VersionMismatch) as caught:
        warnings.simplefilter("ignore")
        brought_forward(data)
    assert "save_model('model.json')" in caught.value.hint
