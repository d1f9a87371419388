"""What a vectorizer remembers of its texts agrees with the texts that it was fitted on."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import BernoulliNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from mining.schema import infer_from_model
from mining.vocabulary import WORDS_KEPT
from model_utils import adapt
from records.schema import FieldSpec
from records.words import words_of
from synthetic_data import generate
from tests.support.text_models import fitted, reviews

TEXTS, MOODS = reviews()
WORDS = pd.Series([{w.casefold() for w in words_of(t) if len(w) > 1} for t in TEXTS])

GRID: dict[str, list[int]] = {"tfidfvectorizer__min_df": [1]}
LETTERS = TfidfVectorizer(analyzer="char")


def text_of(model: Any) -> FieldSpec:
    schema = infer_from_model(model)
    assert schema is not None and schema.names == ("text",)
    assert schema.features[0].type == "text" and schema.features[0].origin == "model"
    return schema.features[0]


@pytest.mark.parametrize(
    "steps",
    [
        [TfidfVectorizer()],
        [TfidfVectorizer(smooth_idf=False, sublinear_tf=True)],
        [CountVectorizer(), TfidfTransformer()],
    ],
    ids=["tfidf", "not smoothed", "in two steps"],
)
def test_words_are_as_frequent_as_the_texts_have_them(steps: list[Any]) -> None:
    field = text_of(fitted(*steps, LogisticRegression()))
    true = pd.Series([w for words in WORDS for w in words]).value_counts(normalize=True)
    told = pd.Series(field.weights, index=field.categories)
    assert set(told.index) == set(true.index)
    assert np.abs(told.sort_index() - true.sort_index()).max() < 0.001
    assert field.mean == pytest.approx(WORDS.map(len).mean(), rel=0.02)


def test_naive_bayes_tells_how_often_counted_words_occur() -> None:
    counted = [w.casefold() for t in TEXTS for w in words_of(t) if len(w) > 1]
    true = pd.Series(counted).value_counts(normalize=True)
    field = text_of(fitted(CountVectorizer(), MultinomialNB()))
    told = pd.Series(field.weights, index=field.categories)
    assert np.abs(told.sort_index() - true.sort_index()).max() < 0.001
    assert field.mean == pytest.approx(len(counted) / len(TEXTS), rel=0.001)
    binary = text_of(fitted(CountVectorizer(binary=True), BernoulliNB()))
    assert binary.mean == pytest.approx(WORDS.map(len).mean(), rel=0.001)


def test_words_that_nothing_weighs_are_equally_likely_and_lengths_unknown() -> None:
    field = text_of(fitted(CountVectorizer(), LogisticRegression()))
    assert field.mean is None and len(set(field.weights or ())) == 1


def test_generated_texts_are_cut_into_known_words_with_the_same_frequencies() -> None:
    model = fitted(TfidfVectorizer(), LogisticRegression())
    schema = infer_from_model(model)
    assert schema is not None
    made = generate(schema, 2_000, 1).frame["text"]
    seen = model[0].transform(made)
    known = model[0].transform(TEXTS)
    assert (np.asarray(seen.sum(axis=1)) > 0).all()
    shares, true = (np.asarray((m > 0).mean(axis=0)).ravel() for m in (seen, known))
    assert np.corrcoef(shares, true)[0, 1] > 0.97
    lengths = made.map(lambda text: len(words_of(text)))
    assert lengths.mean() == pytest.approx(WORDS.map(len).mean(), rel=0.05)


def test_stop_words_that_the_analyser_drops_stand_between_the_others() -> None:
    model = fitted(TfidfVectorizer(stop_words="english"), LogisticRegression())
    schema = infer_from_model(model)
    assert schema is not None
    words = [w for text in generate(schema, 500, 0).frame["text"] for w in words_of(text)]
    dropped = model[0].get_stop_words()
    assert np.mean([w in dropped for w in words]) == pytest.approx(0.4, abs=0.02)


def test_phrases_are_written_as_they_are_known() -> None:
    model = fitted(CountVectorizer(ngram_range=(2, 2)), MultinomialNB())
    schema = infer_from_model(model)
    assert schema is not None
    made = generate(schema, 200, 0).frame["text"]
    assert (np.asarray(model[0].transform(made).sum(axis=1)) >= 1).all()
    lengths = made.map(lambda text: len(text.split()))
    assert lengths.mean() == pytest.approx(float(schema.features[0].mean or 0), rel=0.2)


def test_sequences_of_characters_become_words_that_hold_them() -> None:
    for analyzer in ("char", "char_wb"):
        model = fitted(TfidfVectorizer(analyzer=analyzer, ngram_range=(2, 4)), LogisticRegression())
        made = generate(infer_from_model(model), 100, 0).frame["text"]  # type: ignore[arg-type]
        assert (np.asarray((model[0].transform(made) > 0).sum(axis=1)) > 20).all()


def test_a_hashed_model_gets_common_words() -> None:
    field = text_of(fitted(HashingVectorizer(n_features=256), LogisticRegression()))
    assert field.categories is None


def test_of_many_words_common_and_rare_ones_are_kept_and_stand_for_all() -> None:
    rng = np.random.default_rng(0)
    chances = 1 / np.arange(1, 6_001)
    names = np.array([f"word{i:04d}" for i in range(6_000)])
    texts = [" ".join(rng.choice(names, 60, p=chances / chances.sum())) for _ in range(600)]
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, np.arange(600) % 2)
    field = text_of(model)
    assert len(field.categories or ()) == WORDS_KEPT < len(model[0].vocabulary_)
    df = np.asarray((model[0].transform(texts) > 0).sum(axis=0)).ravel()
    common = set(model[0].get_feature_names_out()[np.argsort(-df, kind="stable")[:500]])
    told = sum(
        w for name, w in zip(field.categories or (), field.weights or (), strict=True) if name in common
    )
    assert told == pytest.approx(np.sort(df)[::-1][:500].sum() / df.sum(), abs=0.01)


@pytest.mark.parametrize(
    "model",
    [
        GridSearchCV(make_pipeline(TfidfVectorizer(), LogisticRegression()), GRID, cv=2),
        CalibratedClassifierCV(make_pipeline(TfidfVectorizer(), LogisticRegression()), cv=2),
        make_pipeline(FeatureUnion([("c", LETTERS), ("w", TfidfVectorizer())]), LogisticRegression()),
        Pipeline([("none", "passthrough"), ("words", TfidfVectorizer()), ("model", KNeighborsClassifier())]),
        make_pipeline(FunctionTransformer(), TfidfVectorizer(), LogisticRegression()),
    ],
    ids=["search", "calibration", "union", "after nothing", "after a function"],
)  # fmt: skip
def test_pipelines_of_every_wrapping_are_asked_with_texts(model: Any) -> None:
    fitted = model.fit(TEXTS, MOODS)
    field = text_of(fitted)
    assert {w for words in WORDS for w in words} == set(field.categories or ())
    adapter = adapt(fitted)
    assert adapter.reads_text and adapter.n_features == 1
    found = adapter.answer(pd.DataFrame({"whatever": TEXTS}))
    assert found.labels == ("good", "sad")
    assert [found.labels[int(code)] for code in found.values] == list(fitted.predict(TEXTS))


def test_a_column_of_texts_among_others_keeps_its_name() -> None:
    table = pd.DataFrame({"review": TEXTS, "stars": np.arange(len(TEXTS)) % 5})
    columns = ColumnTransformer([("words", TfidfVectorizer(), "review"), ("n", StandardScaler(), ["stars"])])
    model = make_pipeline(columns, LogisticRegression()).fit(table, MOODS)
    schema = infer_from_model(model)
    assert schema is not None
    assert [(f.name, f.type) for f in schema.features] == [("review", "text"), ("stars", "integer")]
    adapter = adapt(model)
    assert not adapter.reads_text
    assert not adapter.answer(generate(schema, 50, 0).frame).failed.any()


def test_a_model_of_the_columns_of_a_vectorizer_is_a_model_of_numbers() -> None:
    x = TfidfVectorizer().fit_transform(TEXTS)
    schema = infer_from_model(LogisticRegression().fit(x, MOODS))
    assert schema is not None and len(schema.features) == x.shape[1]
    assert {field.type for field in schema.features} == {"number"}


def test_a_table_of_several_columns_is_no_text() -> None:
    adapter = adapt(fitted(TfidfVectorizer(), LogisticRegression()))
    found = pd.DataFrame({"a": ["x"], "b": ["y"]})
    with pytest.raises(Exception, match="reads one text a row, and the rows have 2 columns"):
        adapter.prepare(found)


def test_words_that_cannot_be_stored_are_cleaned_or_left_out() -> None:
    model = make_pipeline(CountVectorizer(token_pattern=r"\S+"), LogisticRegression())
    model.fit(["a\x00b fine " + "x" * 600, "other \ud800 fine"], [0, 1])
    assert set(text_of(model).categories or ()) == {"a\ufffdb", "fine", "other", "?"}
