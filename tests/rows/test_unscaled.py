"""The hint that a scaler is missing: told of raw samples, and of nothing else."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from mining.schema import mine
from records.schema import Schema
from rows.fit import looks_unscaled
from schema_utils import infer_from_frame

RNG = np.random.default_rng(3)
ROWS = pd.DataFrame({
    "age": RNG.normal(45, 12, 300), "income": RNG.gamma(3, 9000, 300), "score": RNG.normal(600, 80, 300)
})  # fmt: skip
TARGET = (ROWS.age + ROWS.score / 20 > 75).astype(int)


def mined(model: object) -> Schema:
    found = mine(model)
    assert found is not None
    return found.schema


@pytest.mark.parametrize(
    "model", [RandomForestClassifier(20), GradientBoostingClassifier(), KNeighborsClassifier()]
)
@pytest.mark.parametrize("named", [True, False])
def test_a_model_fitted_on_scaled_rows_meets_raw_ones(model: object, named: bool) -> None:
    scaled = pd.DataFrame(StandardScaler().fit_transform(ROWS), columns=ROWS.columns)
    own = mined(model.fit(scaled if named else scaled.to_numpy(), TARGET))  # type: ignore[attr-defined]
    hint = looks_unscaled(infer_from_frame(ROWS), own)
    assert hint is not None and "Send the scaler" in hint
    assert looks_unscaled(infer_from_frame(scaled), own) is None


def test_a_model_fitted_on_raw_rows_needs_no_scaler() -> None:
    own = mined(RandomForestClassifier(20).fit(ROWS, TARGET))
    assert looks_unscaled(infer_from_frame(ROWS), own) is None
    drifted = ROWS * 3
    assert looks_unscaled(infer_from_frame(drifted), own) is None


def test_nothing_is_said_without_a_sample_or_without_bounds() -> None:
    assert looks_unscaled(None, mined(RandomForestClassifier(5).fit(ROWS, TARGET))) is None
    assert looks_unscaled(infer_from_frame(ROWS), None) is None
