"""Generated rows against a sample's: fair where a copy would cheat, and honest about what is lost."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from distances.domain import MIN_ROWS, domain_drift
from errors import InvalidInput
from execution import likeness as row_likeness
from execution.likeness import Recipe, likeness, not_asked
from records.likeness import finding
from records.schema import FieldSpec, Schema
from rows.joint import Joint
from schema_utils import infer_from_frame
from synthetic_data import generate

AS_THE_SAMPLE = Recipe(None, None, None, 0)


def made_after(sample: pd.DataFrame, rows: int = 1_000) -> pd.DataFrame:
    schema = infer_from_frame(sample)
    return generate(schema, rows, 0, Joint.of_frame(sample, schema)).frame


def wine() -> pd.DataFrame:
    data: pd.DataFrame = load_wine(as_frame=True).data
    return data


def correlated(rows: int, seed: int = 0) -> pd.DataFrame:
    a, b = np.random.default_rng(seed).multivariate_normal([0, 0], [[1, 0.95], [0.95, 1]], rows).T
    return pd.DataFrame({"a": a, "b": b})


@pytest.mark.parametrize("load", [load_wine, load_breast_cancer])
def test_rows_that_follow_their_sample_cannot_be_told_from_it(load: Any) -> None:
    sample = load(as_frame=True).data
    found = likeness(sample, made_after(sample), AS_THE_SAMPLE)
    assert found.domain.interval[0] <= 0.5 <= found.domain.interval[1]
    assert "cannot be told" in finding(found.domain)
    assert found.domain.rows_reference == found.domain.rows_current == len(sample) // 2
    assert found.rows_sample == len(sample) and found.left_out == 0


def test_told_from_the_very_rows_they_were_made_after_they_would_look_better_than_real_ones() -> None:
    """Why the sample is split: the comparison that suggests itself is wrong by far."""
    sample = wine()
    assert domain_drift(sample, made_after(sample), row_likeness.EFFORT).interval[1] < 0.4


def test_rows_that_do_not_hang_together_are_told_with_the_columns_that_should(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sample = correlated(600).assign(noise=np.random.default_rng(1).normal(size=600))
    generated = made_after(sample)
    monkeypatch.setattr(row_likeness, "joint_for", lambda *_: (None, ""))
    found = likeness(sample, generated, AS_THE_SAMPLE).domain
    assert found.drifted and found.auc > 0.65
    assert {c.column for c in found.columns[:2]} == {"a", "b"}
    assert finding(found).endswith(
        f"What gives them away: {found.columns[0].column}, {found.columns[1].column}."
    )


def test_the_auc_is_near_that_of_another_classifier() -> None:
    """A shift of one mean, which a logistic regression sees as well as trees do."""
    sample = correlated(800)
    moved = FieldSpec(name="b", mean=1.0, std=1.0)
    recipe = Recipe(Schema(features=(moved,)), None, None, 0)
    found = likeness(sample, made_after(sample), recipe).domain
    made = recipe.rows_after(sample.iloc[:400])
    both = pd.concat([sample.iloc[400:], made[["a", "b"]]])
    labels = np.repeat([0, 1], 400)
    scores = cross_val_predict(LogisticRegression(), both, labels, cv=5, method="decision_function")
    order = scores[labels == 1][:, None] - scores[labels == 0]
    oracle = float((order > 0).mean())
    assert found.interval[0] - 0.06 < oracle < found.interval[1] + 0.06
    assert oracle > 0.7


def test_what_the_user_says_of_a_column_counts_and_shows_in_its_row() -> None:
    sample = wine()
    stated = Schema(features=(FieldSpec(name="alcohol", min=20, max=30),))
    recipe = Recipe(stated, None, None, 0)
    generated = made_after(sample).assign(alcohol=recipe.rows_after(sample)["alcohol"].mean())
    found = likeness(sample, generated, recipe)
    assert found.domain.auc > 0.98 and found.domain.columns[0].column == "alcohol"
    worst = max(found.columns, key=lambda c: c.psi or 0.0)
    assert (worst.column, worst.drifted) == ("alcohol", True)


def test_one_row_is_made_after_each_so_that_none_has_a_twin() -> None:
    sample = correlated(90)
    made = AS_THE_SAMPLE.rows_after(sample)
    assert len(made) == 90
    # Each row lies at the ranks of its own example: the ranks of `a` are those of the sample, each once.
    pairs = made[["a", "b"]].rank().astype(int)
    of_sample = sample.rank().astype(int)
    assert sorted(map(tuple, pairs.to_numpy())) == sorted(map(tuple, of_sample.to_numpy()))


def test_dates_in_text_categories_missing_values_and_empty_columns_are_compared() -> None:
    rng = np.random.default_rng(3)
    sample = pd.DataFrame({
        "when": pd.date_range("2024-01-01", periods=300, freq="h").astype(str),
        "plan": rng.choice(["free", "pro"], 300, p=[0.8, 0.2]),
        "age": np.where(rng.random(300) < 0.1, np.nan, rng.integers(18, 90, 300)),
        "empty": np.full(300, np.nan),
        "one": 1.0,
        "flag": rng.random(300) < 0.3,
    })  # fmt: skip
    found = likeness(sample, made_after(sample), AS_THE_SAMPLE)
    assert not found.domain.drifted
    assert [c.column for c in found.columns] == list(sample)
    assert not any(c.drifted for c in found.columns)
    assert found.columns[0].kind == "numeric"  # as dates, not as texts


def test_a_wide_table_is_compared_on_some_of_its_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_likeness, "MAX_COLUMNS", 5)
    sample = wine()
    found = likeness(sample, made_after(sample), AS_THE_SAMPLE)
    assert (len(found.columns), len(found.domain.columns), found.left_out) == (5, 5, 8)


def test_without_a_sample_or_with_a_short_one_the_question_does_not_arise() -> None:
    sample = correlated(2 * MIN_ROWS)
    assert not_asked(sample) is None
    for lacking in (None, sample.head(2 * MIN_ROWS - 1)):
        reason = not_asked(lacking)
        assert reason is not None and reason.status == "not_applicable"
        with pytest.raises((InvalidInput, ValueError)):
            likeness(lacking, sample, AS_THE_SAMPLE)


@pytest.mark.parametrize(
    ("auc", "words"),
    [(0.55, "hardly"), (0.65, "in part"), (0.8, "mostly"), (0.95, "nearly always"), (1.0, "nearly always")],
)
def test_the_words_follow_the_auc_once_it_is_surely_above_a_guess(auc: float, words: str) -> None:
    sure = domain_drift(correlated(40), correlated(40, 1)).model_copy(
        update={"auc": auc, "interval": (0.51, 1.0), "drifted": True}
    )
    assert words in finding(sure)
    assert "cannot" in finding(sure.model_copy(update={"drifted": False}))
