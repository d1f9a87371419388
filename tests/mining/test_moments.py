"""Shapes from a mean and a width, and dependence from covariances, against SciPy and the data."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import gamma, ks_2samp, spearmanr
from sklearn.covariance import EllipticEnvelope
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PowerTransformer, StandardScaler
from sklearn.svm import SVC

from mining.schema import mine
from records.schema import FieldSpec
from synthetic_data import generate

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 2, 500)


def behind(step: Any, values: Any) -> FieldSpec:
    found = mine(make_pipeline(step, LogisticRegression()).fit(np.asarray(values, float)[:, None], LABELS))
    assert found is not None
    return found.schema.features[0]


def test_a_positive_column_is_a_gamma_of_the_scalers_mean_and_variance() -> None:
    values = RNG.exponential(3.0, 500) + 0.37
    field = behind(StandardScaler(), values)
    assert field.quantiles is not None and field.type == "number"
    mean, variance = values.mean(), values.var()
    expected = gamma.ppf(np.arange(1, 100) / 100, mean**2 / variance, scale=variance / mean)
    assert np.allclose(field.quantiles[1:-1], expected)
    assert field.quantiles[0] >= 0


@pytest.mark.parametrize("values", [RNG.normal(size=500), -RNG.random(500), RNG.normal(0.2, 1, 500)])
def test_what_is_centred_or_negative_stays_normal(values: Any) -> None:
    field = behind(StandardScaler(), values)
    assert field.quantiles is None and field.mean == pytest.approx(values.mean())


@pytest.mark.parametrize("values", [RNG.poisson(4, 500), RNG.integers(0, 1_000, 500)])
def test_whole_numbers_show_in_their_sums(values: Any) -> None:
    field = behind(StandardScaler(), values)
    assert field.type == "integer" and field.quantiles is not None
    assert all(value == round(value) for value in field.quantiles)


@pytest.mark.parametrize("values", [RNG.poisson(4, 500) + 0.5, RNG.normal(5, 1, 500), RNG.random(500) * 1e9])
def test_fractions_are_not_taken_for_whole_numbers(values: Any) -> None:
    assert behind(StandardScaler(), values).type == "number"


def test_centred_and_normed_columns_are_not_taken_for_whole_numbers() -> None:
    """Each column of this set sums to 0, and its squares to 1."""
    frame, target = load_diabetes(return_X_y=True, as_frame=True)
    found = mine(make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, target > 100))
    assert found is not None and {field.type for field in found.schema.features} == {"number"}


def test_zeros_and_ones_stay_zeros_and_ones() -> None:
    values = (RNG.random(500) < 0.3).astype(int)
    field = behind(StandardScaler(), values)
    rows = np.interp(RNG.random(4_000), np.linspace(0, 1, 101), field.quantiles or ())
    assert set(field.quantiles or ()) == {0.0, 1.0} and field.type == "integer"
    assert rows.mean() == pytest.approx(values.mean(), abs=0.03)


def test_a_power_transformers_distribution_is_undone() -> None:
    values = RNG.lognormal(2, 0.8, 500)
    field = behind(PowerTransformer(), values)
    quantiles = np.asarray(field.quantiles)
    assert ks_2samp(np.interp(RNG.random(5_000), np.linspace(0, 1, 101), quantiles), values).statistic < 0.06


def test_rows_behind_a_scaler_are_near_the_real_ones() -> None:
    """Normals of the same mean and std lie at 0.12."""
    real, target = load_breast_cancer(return_X_y=True, as_frame=True)
    found = mine(make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(real, target))
    assert found is not None
    made = generate(found.schema, 4_000, 0).frame
    assert np.median([ks_2samp(made[name], real[name]).statistic for name in real]) < 0.09


def test_support_vectors_are_stretched_to_what_the_scaler_knows() -> None:
    real, target = load_breast_cancer(return_X_y=True, as_frame=True)
    found = mine(make_pipeline(StandardScaler(), SVC()).fit(real, target))
    assert found is not None and found.joint is not None
    made = generate(found.schema, 4_000, 0, found.joint).frame
    assert np.allclose(made.mean(), real.mean(), atol=0.2 * real.std())
    assert np.allclose(made.std(), real.std(), rtol=0.25)


@pytest.mark.parametrize(
    "model",
    [
        GaussianMixture(2, random_state=0),
        GaussianMixture(2, covariance_type="tied", random_state=0),
        EllipticEnvelope(random_state=0),
        LinearDiscriminantAnalysis(solver="lsqr"),
        QuadraticDiscriminantAnalysis(store_covariance=True),
        make_pipeline(PCA(), LogisticRegression()),
    ],
    ids=str,
)
def test_a_covariance_is_kept(model: Any) -> None:
    first = RNG.normal(size=1_000)
    real = np.stack([first, -first + RNG.normal(size=1_000) / 2, RNG.normal(size=1_000)], axis=1)
    found = mine(model.fit(real, first > 0.3))
    assert found is not None
    made = generate(found.schema, 4_000, 0, found.joint).frame
    expected = spearmanr(real).statistic
    assert np.allclose(spearmanr(made).statistic, expected, atol=0.15)


@pytest.mark.parametrize("kind", ["diag", "spherical"])
def test_independent_components_hang_together_by_their_means(kind: Any) -> None:
    heap = np.repeat([0.0, 8.0], 500)
    real = pd.DataFrame({"a": heap + RNG.normal(size=1_000), "b": heap + RNG.normal(size=1_000)})
    for model in (GaussianMixture(2, covariance_type=kind, random_state=0), GaussianNB()):
        found = mine(model.fit(real, heap))
        assert found is not None
        made = generate(found.schema, 4_000, 0, found.joint).frame
        assert spearmanr(made["a"], made["b"]).statistic > 0.5
