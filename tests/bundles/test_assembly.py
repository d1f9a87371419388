"""Bundles and companions answer as their owner's own code does, who applies the steps by hand."""

from collections import defaultdict
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import LabelEncoder, MinMaxScaler, OneHotEncoder, StandardScaler

from bundles import scales
from bundles.assembly import Assembled, assembled
from errors import ModelError, NoPredict, SeveralModels
from explainability import explain
from mining.schema import mine
from records.explanation import ExplainPlan
from records.model import MAX_PARTS_TOLD

RNG = np.random.default_rng(5)
ROWS = 240
RAW = pd.DataFrame(
    {
        "Age": RNG.integers(18, 80, ROWS),
        "Fare": RNG.gamma(2, 20, ROWS),
        "Sex": RNG.choice(["male", "female"], ROWS),
        "City": RNG.choice(["Ayr", "Bonn", "Cork"], ROWS),
    }
)
TARGET = ((RAW.Age > 40) ^ (RAW.Sex == "male")).astype(int)
NUMBERS = RAW[["Age", "Fare"]]
ENCODERS = {name: LabelEncoder().fit(RAW[name]) for name in ("Sex", "City")}
CODED = RAW.assign(**{name: encoder.transform(RAW[name]) for name, encoder in ENCODERS.items()})
FOREST = RandomForestClassifier(8, random_state=0).fit(CODED, TARGET)
BLIND_FOREST = RandomForestClassifier(8, random_state=0).fit(CODED.to_numpy(), TARGET)
SCALER = StandardScaler().fit(NUMBERS)
LOGISTIC = LogisticRegression().fit(SCALER.transform(NUMBERS), TARGET)


def answers(found: Assembled, rows: pd.DataFrame) -> list[str]:
    told = found.adapter.answer(rows)
    assert not told.failed.any(), told.errors
    if told.labels is None:
        return [f"{value:.9g}" for value in told.values]
    return [told.labels[int(code)] for code in told.values]


def by_hand(model: Any, x: Any) -> list[str]:
    found = np.asarray(model.predict(x)).ravel()
    return [f"{v:.9g}" for v in found] if found.dtype.kind == "f" else [str(v) for v in found]


def roles(found: Assembled) -> list[tuple[str, str]]:
    return [(part.entry, part.role) for part in found.parts]


def test_a_file_that_is_a_model_is_asked_as_it_is() -> None:
    found = assembled([("model.pkl", LOGISTIC)])
    assert found.adapter.estimator is LOGISTIC and found.parts == ()


def test_the_model_in_a_dict_is_asked_behind_the_scaler_beside_it() -> None:
    found = assembled([("m.pkl", {"model": LOGISTIC, "scaler": SCALER, "accuracy": 0.9})])
    assert answers(found, NUMBERS) == by_hand(LOGISTIC, SCALER.transform(NUMBERS))
    assert found.adapter.features == ("Age", "Fare")
    assert roles(found) == [("scaler", "preprocessor"), ("model", "model")]


@pytest.mark.parametrize(
    "wrapped", [(SCALER, LOGISTIC), [LOGISTIC, SCALER], {"a": {"b": (SCALER, LOGISTIC)}}]
)
def test_tuples_lists_and_nested_dicts_are_opened(wrapped: Any) -> None:
    found = assembled([("m.pkl", wrapped)])
    assert answers(found, NUMBERS) == by_hand(LOGISTIC, SCALER.transform(NUMBERS))


def test_the_file_that_predicts_is_the_model_in_whichever_order_they_were_sent() -> None:
    found = assembled([("scaler.pkl", SCALER), ("model.pkl", LOGISTIC)])
    assert found.file == 1
    assert answers(found, NUMBERS) == by_hand(LOGISTIC, SCALER.transform(NUMBERS))


def test_encoders_by_column_take_raw_texts_and_tell_their_categories() -> None:
    found = assembled([("m.pkl", {"model": FOREST, "encoders": ENCODERS})])
    assert answers(found, RAW) == by_hand(FOREST, CODED)
    mined = mine(found.adapter.estimator)
    assert mined is not None
    kinds = {field.name: (field.type, field.categories, field.closed) for field in mined.schema.features}
    assert kinds["Sex"] == ("category", ("female", "male"), True)
    assert kinds["City"] == ("category", ("Ayr", "Bonn", "Cork"), True)
    assert kinds["Age"][0] == "integer"


def test_the_defaultdict_of_encoders_that_tutorials_use_is_one_of_them() -> None:
    encoders: defaultdict[str, Any] = defaultdict(LabelEncoder, ENCODERS)
    found = assembled([("model.pkl", FOREST), ("encoders.pkl", encoders)])
    assert answers(found, RAW) == by_hand(FOREST, CODED)


def test_a_dict_from_category_to_number_is_an_encoder() -> None:
    numbers = {name: {str(v): i for i, v in enumerate(e.classes_)} for name, e in ENCODERS.items()}
    found = assembled([("m.pkl", {"model": FOREST, "mappings": numbers})])
    assert answers(found, RAW) == by_hand(FOREST, CODED)


def test_a_category_that_an_encoder_never_saw_fails_its_row_alone() -> None:
    found = assembled([("m.pkl", {"model": FOREST, "encoders": ENCODERS})])
    odd = RAW.copy()
    odd.loc[3, "City"] = "Derry"
    told = found.adapter.answer(odd)
    assert list(np.flatnonzero(told.failed)) == [3]
    assert "unseen" in told.errors[0].message


def test_an_encoder_of_two_words_is_a_columns_where_only_the_scaler_knows_the_columns() -> None:
    """A model on arrays with two classes: it is not the names of these that the encoder tells."""
    coded = NUMBERS.assign(Sex=ENCODERS["Sex"].transform(RAW["Sex"]))
    scaler = StandardScaler().fit(coded)
    model = LogisticRegression().fit(scaler.transform(coded), TARGET)
    files = [("model.pkl", model), ("label_encoder_sex.pkl", ENCODERS["Sex"]), ("scaler.pkl", scaler)]
    found = assembled(files)
    assert answers(found, RAW[["Age", "Fare", "Sex"]]) == by_hand(model, scaler.transform(coded))
    listed = [
        *files[:2],
        ("scaler.pkl", StandardScaler().fit(coded.to_numpy())),
        ("columns.pkl", list(coded)),
    ]
    found = assembled(listed)
    assert answers(found, RAW[["Age", "Fare", "Sex"]]) == by_hand(model, scaler.transform(coded))


def test_label_encoders_in_files_of_their_own_go_to_the_column_in_their_name() -> None:
    files = [("m.pkl", FOREST), ("le_sex.pkl", ENCODERS["Sex"]), ("City-encoder.joblib", ENCODERS["City"])]
    assert answers(assembled(files), RAW) == by_hand(FOREST, CODED)


@pytest.mark.parametrize("names", [list(RAW.columns), np.array(RAW.columns), RAW.columns, tuple(RAW.columns)])
def test_a_list_of_columns_tells_what_a_model_fitted_on_arrays_takes(names: Any) -> None:
    found = assembled([("m.pkl", {"model": BLIND_FOREST, "encoders": ENCODERS, "columns": names})])
    assert found.adapter.features == tuple(RAW.columns)
    assert answers(found, RAW) == by_hand(BLIND_FOREST, CODED.to_numpy())
    assert ("columns", "columns") in roles(found)


def test_encoders_whose_columns_nobody_knows_are_refused_with_what_to_send() -> None:
    with pytest.raises(ModelError, match="neither the model nor a list of columns") as caught:
        assembled([("m.pkl", BLIND_FOREST), ("encoders.pkl", ENCODERS)])
    assert "columns.json" in caught.value.hint


def test_one_hot_and_scaler_of_some_columns_are_placed_by_their_names() -> None:
    one_hot = OneHotEncoder(sparse_output=False).fit(RAW[["Sex", "City"]])
    wide = NUMBERS.join(
        pd.DataFrame(one_hot.transform(RAW[["Sex", "City"]]), columns=one_hot.get_feature_names_out())
    )
    wide[["Age", "Fare"]] = SCALER.transform(NUMBERS)
    model = LogisticRegression().fit(wide, TARGET)
    found = assembled([("m.pkl", model), ("scaler.pkl", SCALER), ("ohe.pkl", one_hot)])
    assert found.adapter.features == ("Age", "Fare", "Sex", "City")
    assert answers(found, RAW) == by_hand(model, wide)
    mined = mine(found.adapter.estimator)
    assert mined is not None and mined.schema.features[2].categories == ("female", "male")


def test_several_whole_table_steps_are_put_in_the_order_in_which_people_apply_them() -> None:
    holes = NUMBERS.astype(float).mask(RNG.random(NUMBERS.shape) < 0.1)
    imputer = SimpleImputer().fit(holes)
    scaler = StandardScaler().fit(imputer.transform(holes))
    pca = PCA(1).fit(scaler.transform(imputer.transform(holes)))
    x = pca.transform(scaler.transform(imputer.transform(holes)))
    model = LogisticRegression().fit(x, TARGET)
    found = assembled([("m.pkl", model), ("pca.pkl", pca), ("scaler.pkl", scaler), ("imputer.pkl", imputer)])
    assert [part.entry for part in found.parts] == ["imputer.pkl", "scaler.pkl", "pca.pkl", "m.pkl"]
    assert answers(found, holes) == by_hand(model, x)


def test_the_order_can_be_said() -> None:
    other = MinMaxScaler().fit(SCALER.transform(NUMBERS))
    x = other.transform(SCALER.transform(NUMBERS))
    model = LogisticRegression().fit(x, TARGET)
    files = [("m.pkl", model), ("a.pkl", other), ("b.pkl", SCALER)]
    found = assembled(files, steps=("b.pkl", "a.pkl"))
    assert answers(found, NUMBERS) == by_hand(model, x)
    alone = assembled(files, steps=("a.pkl",))
    assert ("b.pkl", "left aside") in roles(alone)
    with pytest.raises(ModelError, match=r"no preprocessor 'c\.pkl'"):
        assembled(files, steps=("c.pkl",))


def test_a_vectorizer_and_what_weighs_its_counts_stand_before_the_model() -> None:
    texts = RNG.choice(["good film", "bad film", "great", "awful plot"], ROWS)
    counts = CountVectorizer().fit(texts)
    weights = TfidfTransformer().fit(counts.transform(texts))
    model = MultinomialNB().fit(weights.transform(counts.transform(texts)), TARGET)
    found = assembled([("m.pkl", model), ("tfidf.pkl", weights), ("vectorizer.pkl", counts)])
    whole = make_pipeline(counts, weights, model)
    assert [part.entry for part in found.parts] == ["vectorizer.pkl", "tfidf.pkl", "m.pkl"]
    assert list(found.adapter.estimator.predict(texts)) == list(whole.predict(texts))


@pytest.mark.parametrize("beside", [
    {"le": LabelEncoder().fit(["No", "Yes"])}, {"classes": ["No", "Yes"]}, {"labels": {0: "No", 1: "Yes"}},
    {"label_map": {"No": 0, "Yes": 1}},
])  # fmt: skip
def test_a_classifiers_codes_are_told_in_the_words_beside_it(beside: dict[str, Any]) -> None:
    found = assembled([("m.pkl", {"model": LOGISTIC, "scaler": SCALER} | beside)])
    codes = LOGISTIC.predict(SCALER.transform(NUMBERS))
    assert found.adapter.labels == ("No", "Yes")
    assert answers(found, NUMBERS) == ["Yes" if code else "No" for code in codes]
    told = found.adapter.answer(NUMBERS)
    assert told.scores is not None
    assert np.allclose(told.scores, LOGISTIC.predict_proba(SCALER.transform(NUMBERS)))


def test_the_targets_encoder_among_those_by_column_is_taken_for_the_classes() -> None:
    encoders = ENCODERS | {"Survived": LabelEncoder().fit(["No", "Yes"])}
    found = assembled([("m.pkl", {"model": FOREST, "encoders": encoders})])
    assert found.adapter.labels == ("No", "Yes")
    assert answers(found, RAW) == ["Yes" if code else "No" for code in FOREST.predict(CODED)]


def test_a_scaled_target_is_brought_back_into_its_unit() -> None:
    price = 1000 + 30 * NUMBERS[["Fare"]]
    target = StandardScaler().fit(price.to_numpy())
    model = LinearRegression().fit(SCALER.transform(NUMBERS), target.transform(price.to_numpy()).ravel())
    found = assembled([("m.pkl", {"model": model, "scaler_x": SCALER, "scaler_y": target})])
    assert ("scaler_y", "answers") in roles(found)
    assert np.allclose(found.adapter.answer(NUMBERS).values, price.Fare)


def test_raw_boosters_stand_behind_preprocessors_too() -> None:
    x = SCALER.transform(NUMBERS)
    booster = xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(x, label=TARGET), 5)
    found = assembled([("m.pkl", {"model": booster, "scaler": SCALER})])
    expected = booster.predict(xgboost.DMatrix(x))
    assert answers(found, NUMBERS) == [str(int(p > 0.5)) for p in expected]
    told = found.adapter.answer(NUMBERS)
    assert told.scores is not None and np.allclose(told.scores[:, 1], expected)
    forest = lightgbm.train(
        {"objective": "regression", "verbose": -1}, lightgbm.Dataset(x, label=NUMBERS.Fare), 5
    )
    told = assembled([("m.pkl", forest), ("s.pkl", SCALER)]).adapter.answer(NUMBERS)
    assert np.allclose(told.values, forest.predict(x))


def test_a_model_fitted_with_names_behind_a_scaler_gets_them() -> None:
    named = pd.DataFrame(SCALER.transform(NUMBERS), columns=NUMBERS.columns)
    model = xgboost.XGBClassifier(n_estimators=5).fit(named, TARGET)
    found = assembled([("m.pkl", {"model": model, "scaler": SCALER})])
    assert answers(found, NUMBERS) == by_hand(model, named)


def test_a_step_that_the_model_has_itself_is_not_applied_twice() -> None:
    whole = make_pipeline(StandardScaler(), LogisticRegression()).fit(NUMBERS, TARGET)
    found = assembled([("m.pkl", {"pipeline": whole, "scaler": SCALER})])
    assert answers(found, NUMBERS) == by_hand(whole, NUMBERS)
    assert [p.note for p in found.parts if p.entry == "scaler"] == ["the model has one of its own"]


def test_of_two_that_predict_it_is_asked_which() -> None:
    both = {"forest": FOREST, "logistic": LOGISTIC}
    with pytest.raises(SeveralModels, match="2 parts") as caught:
        assembled([("m.pkl", both)])
    assert caught.value.choices == ("forest", "logistic")
    assert assembled([("m.pkl", both)], entry="logistic").adapter.name == "LogisticRegression"
    with pytest.raises(SeveralModels, match="entry 'svm'"):
        assembled([("m.pkl", both)], entry="svm")
    assert assembled([("m.pkl", {"a": FOREST, "best": FOREST})]).adapter.name == "RandomForestClassifier"


def test_a_clustering_in_a_file_beside_the_model_is_not_mistaken_for_it() -> None:
    clusters = KMeans(2, n_init=1, random_state=0).fit(NUMBERS)
    assert assembled([("m.pkl", LOGISTIC), ("k.pkl", clusters)]).adapter.name == "LogisticRegression"


def test_a_scaler_that_is_another_models_is_left_aside() -> None:
    """Two models in one bundle, one of them behind the scaler: a forest remembers ages, not deviations."""
    raw = RandomForestClassifier(8, random_state=0).fit(NUMBERS.to_numpy(), TARGET)
    scaled = RandomForestClassifier(8, random_state=0).fit(SCALER.transform(NUMBERS), TARGET)
    files = [("m.pkl", {"raw": raw, "scaled": scaled, "scaler": SCALER})]
    assert ("scaler", "left aside") in roles(assembled(files, entry="raw"))
    assert ("scaler", "preprocessor") in roles(assembled(files, entry="scaled"))
    asked_so = assembled(files, entry="raw", steps=("scaler",))
    assert ("scaler", "preprocessor") in roles(asked_so)


def test_a_companion_that_fits_nowhere_is_refused_with_both_widths() -> None:
    blind = StandardScaler().fit(NUMBERS.to_numpy())
    with pytest.raises(ModelError, match=r"takes 2 columns and gives 2; the model takes 4"):
        assembled([("m.pkl", BLIND_FOREST), ("scaler.pkl", blind)])
    aside = assembled([("m.pkl", {"model": BLIND_FOREST, "scaler": blind})])
    assert ("scaler", "left aside") in roles(aside)


class Liar:
    """Says that it gives two columns, and gives three."""

    n_features_in_ = 2

    def get_feature_names_out(self) -> list[str]:
        return ["a", "b"]

    def transform(self, x: Any) -> Any:
        return np.zeros((len(x), 3))


def test_a_companion_that_lies_about_its_shape_fails_rows_and_nothing_else() -> None:
    told = assembled([("m.pkl", LOGISTIC), ("liar.pkl", Liar())]).adapter.answer(
        pd.DataFrame({"x0": [1.0, 2.0], "x1": [1.0, 2.0]})
    )
    assert told.failed.all()


@pytest.mark.parametrize(("held", "said"), [
    (SCALER, "a StandardScaler alone, which transforms rows"),
    (CountVectorizer().fit(["ab cd"]), "a CountVectorizer alone, which makes numbers of texts"),
    (LabelEncoder().fit(["a"]), "a LabelEncoder alone"),
    (ENCODERS, "a dict of 2 encoders by column"),
    (["Age", "Fare"], "a list of 2 names"),
    ({"scaler": SCALER, "x": 1}, "none of them predicts: scaler"),
])  # fmt: skip
def test_what_stands_before_a_model_is_answered_with_send_the_model_beside_it(held: Any, said: str) -> None:
    with pytest.raises(NoPredict, match=said) as caught:
        assembled([("x.pkl", held)])
    assert "Send the model" in caught.value.hint


@pytest.mark.parametrize(("held", "said"), [
    ({"a": 1, "b": "x"}, r"a dict of 2 entries \(a, b\), not a model"),
    ([1, 2, 3], "a list of 3 items"),
    (np.eye(2), "data"),
    (LogisticRegression, "the class LogisticRegression"),
    (3.5, "a float"),
])  # fmt: skip
def test_what_is_no_model_is_named(held: Any, said: str) -> None:
    with pytest.raises(NoPredict, match=said):
        assembled([("x.pkl", held)])


def test_a_bundle_without_end_is_looked_through_in_bounded_time() -> None:
    looped: dict[str, Any] = {"model": LOGISTIC}
    looped["again"] = looped
    assert assembled([("m.pkl", looped)]).adapter.name == "LogisticRegression"
    many = {"model": LOGISTIC} | {f"k{i}": i for i in range(1_000_000)}
    assert len(assembled([("m.pkl", many)]).parts) <= 100


def test_explanations_are_of_the_raw_columns_by_the_models_own_explainer() -> None:
    found = assembled([("m.pkl", {"model": FOREST, "encoders": ENCODERS})])
    told = explain(found.adapter, RAW.head(20), RAW, ExplainPlan(), 0)
    own = explain(assembled([("m.pkl", FOREST)]).adapter, CODED.head(20), CODED, ExplainPlan(), 0)
    assert told.features == tuple(RAW.columns) and told.explainer == own.explainer
    assert np.allclose(told.values, own.values)


def test_more_encoders_than_are_told_are_used_all_the_same() -> None:
    wide = pd.DataFrame({f"c{i}": RNG.choice(["a", "b"], ROWS) for i in range(120)})
    encoders = {f"le_{name}": LabelEncoder().fit(wide[name]) for name in wide}
    coded = wide.apply(lambda column: encoders[f"le_{column.name}"].transform(column))
    model = RandomForestClassifier(4, random_state=0).fit(coded, TARGET)
    found = assembled([("m.pkl", {"model": model} | encoders)])
    assert answers(found, wide) == by_hand(model, coded)
    assert len(found.parts) <= MAX_PARTS_TOLD and ("model", "model") in roles(found)


def test_the_model_is_mined_for_its_sizes_only_where_a_scaler_stands_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(scales, "mine", lambda model: asked.append(model))
    assembled([("m.pkl", {"model": FOREST, "encoders": ENCODERS})])
    assert asked == []
    assembled([("m.pkl", {"model": LOGISTIC, "scaler": SCALER})])
    assert asked == [LOGISTIC]
