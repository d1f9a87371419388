"""Effects of words: exact for linear models, summing to the output for all, of the words that matter."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from explainability import explain, summarise
from explainers.words import word_effects
from model_utils import adapt
from records.explanation import ExplainPlan, TextEffects
from tests.support.text_models import GOOD, SAD, fitted, reviews

TEXTS, MOODS = reviews()
FRAME = pd.DataFrame({"review": TEXTS})
PHRASES = CountVectorizer(ngram_range=(2, 2))


def effects(model: Any, frame: pd.DataFrame = FRAME) -> TextEffects:
    (found,) = word_effects(adapt(model), frame, 30.0, 0)
    return found


def total(row: Any) -> float:
    return float(sum(word.effect for word in row.words) + row.rest)


@pytest.mark.parametrize(
    "steps",
    [
        [TfidfVectorizer(), LogisticRegression()],
        [CountVectorizer(), TfidfTransformer(), LinearSVC()],
        [FeatureUnion([("a", TfidfVectorizer()), ("b", PHRASES)]), LogisticRegression()],
    ],
    ids=["tfidf", "in steps", "union"],
)  # fmt: skip
def test_of_linear_models_effects_are_coefficients_times_values(steps: list[Any]) -> None:
    model = fitted(*steps)
    found = effects(model)
    assert found.output == "margin" and found.note.startswith("exact") and found.texts == 100
    margins = model.decision_function(TEXTS[:20]) - float(model[-1].intercept_[0])
    assert [total(row) for row in found.rows] == pytest.approx(list(margins))


@pytest.mark.parametrize(
    "steps",
    [[TfidfVectorizer(), RandomForestClassifier(20, random_state=0)], [CountVectorizer(), MultinomialNB()],
     [TfidfVectorizer(), TruncatedSVD(20, random_state=0), LogisticRegression(C=100)]],
    ids=["forest", "naive Bayes", "mixed words"],
)  # fmt: skip
def test_effects_sum_to_the_output_less_that_for_no_word(steps: list[Any]) -> None:
    model = fitted(*steps)
    found = effects(model)
    assert found.output == "probability" and "sampled" in found.note
    expected = model.predict_proba(TEXTS[:20])[:, 1] - model.predict_proba([""])[0, 1]
    assert [total(row) for row in found.rows] == pytest.approx(list(expected))
    words = {word.word: word for word in found.words}
    assert set(GOOD) | set(SAD) <= set(words)
    for word in GOOD:
        assert words[word].effect < 0  # sad is the class that is followed
    for word in SAD:
        assert words[word].effect > 0 and words[word].of == "sad"
        assert words[word].texts == TEXTS[: found.texts].str.lower().str.contains(word).sum()


def test_with_more_classes_each_texts_own_answer_is_followed() -> None:
    texts = pd.Series(["red apple", "green pear", "blue sky"] * 40)
    model = make_pipeline(CountVectorizer(), LogisticRegression()).fit(texts, ["a", "b", "c"] * 40)
    found = effects(model, pd.DataFrame({"t": texts}))
    assert [row.of for row in found.rows[:3]] == ["a", "b", "c"]
    of = {word.word: word.of for word in found.words}
    assert of == {"red": "a", "apple": "a", "green": "b", "pear": "b", "blue": "c", "sky": "c"}
    assert all(word.effect > 0 for word in found.words)


def test_hashed_words_are_told_by_the_texts_that_have_them() -> None:
    found = effects(fitted(HashingVectorizer(n_features=2**16), LogisticRegression()))
    assert set(GOOD) | set(SAD) <= {word.word for word in found.words}


def test_the_words_of_one_column_among_others() -> None:
    table = pd.DataFrame({"stars": np.arange(len(TEXTS)) % 5, "review": TEXTS})
    columns = ColumnTransformer([("n", StandardScaler(), ["stars"]), ("words", TfidfVectorizer(), "review")])
    model = make_pipeline(columns, LogisticRegression()).fit(table, MOODS)
    found = effects(model, table)
    assert found.feature == "review" and set(GOOD) <= {word.word for word in found.words}
    numbers = table.assign(review="")
    rest = model.decision_function(table[:20]) - model.decision_function(numbers[:20])
    assert [total(row) for row in found.rows] == pytest.approx(list(rest))


def test_a_regressors_words_move_its_number() -> None:
    model = make_pipeline(TfidfVectorizer(), Ridge()).fit(TEXTS, np.where(MOODS == "good", 5.0, 1.0))
    found = effects(model)
    assert found.output == "prediction"
    assert all((word.effect > 0) == (word.word in GOOD) for word in found.words if word.word in GOOD + SAD)


def test_models_without_a_vectorizer_have_no_words() -> None:
    model = LogisticRegression().fit(np.arange(20.0).reshape(-1, 2), np.arange(10) % 2)
    assert word_effects(adapt(model), pd.DataFrame({"a": [1.0], "b": [2.0]}), 1.0, 0) == ()


def test_texts_without_a_known_word_have_no_effects() -> None:
    found = effects(fitted(TfidfVectorizer(), LogisticRegression()), pd.DataFrame({"t": ["", "zzz"]}))
    assert found.words == () and [row.words for row in found.rows] == [(), ()]


def test_the_explanation_of_a_run_holds_the_words_and_the_feature() -> None:
    model = adapt(fitted(TfidfVectorizer(), RandomForestClassifier(10, random_state=0)))
    found = explain(model, FRAME.head(30), FRAME.tail(20), ExplainPlan(budget_s=4, rows=30), 0)
    section = summarise(found, FRAME.head(30))
    assert section.features == ("review",) and section.additivity_error == pytest.approx(0, abs=1e-9)
    assert {word.word for word in section.texts[0].words} & set(GOOD)
