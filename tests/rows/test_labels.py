"""Labels in other words: what is certain by the words alone, and what is left to the model's answers."""

import pytest
from sklearn.preprocessing import LabelEncoder

from errors import InvalidPlan
from rows.labels import are_labels, in_words_of, sorted_labels


@pytest.mark.parametrize(
    ("labels", "classes", "how", "pairs"),
    [
        (["0", "1"], ["0", "1"], "", {}),
        (["0.0", "1.0"], ["0", "1"], "", {}),
        (["True", "False"], ["0", "1"], "", {}),
        (["Yes", "No"], ["0", "1"], "words", {"Yes": "1", "No": "0"}),
        (["1", "0"], ["no", "yes"], "words", {"1": "yes", "0": "no"}),
        (["positive", "negative"], ["-1", "1"], "words", {"positive": "1", "negative": "-1"}),
        (["0", "1"], ["-1", "1"], "words", {"0": "-1"}),
        (["yes ", "No"], ["No", "Yes"], "spelling", {"yes ": "Yes"}),
        (["<=50K.", ">50K."], ["<=50K", ">50K"], "spelling", {"<=50K.": "<=50K", ">50K.": ">50K"}),
        (["very_good", "bad"], ["Bad", "Very Good"], "spelling", {"very_good": "Very Good", "bad": "Bad"}),
        (["Iris-setosa", "Iris-virginica"], ["setosa", "virginica"], "contained",
         {"Iris-setosa": "setosa", "Iris-virginica": "virginica"}),
    ],
)  # fmt: skip
def test_what_is_certain_is_translated(
    labels: list[str], classes: list[str], how: str, pairs: dict[str, str]
) -> None:
    found = in_words_of(labels, classes, {})
    assert (found.how, dict(found.pairs), found.unknown) == (how, pairs, ())


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["M", "B"], ["0", "1"]),
        (["good", "bad"], ["0", "1"]),
        (["1", "2"], ["0", "1"]),  # that one is equal says nothing
        (["1", "2", "3"], ["0", "1", "2"]),
        (["Class 1", "Class 2"], ["1", "2"]),
        (["male", "female"], ["0", "1"]),
    ],
)
def test_as_many_labels_as_classes_are_left_to_the_answers(labels: list[str], classes: list[str]) -> None:
    found = in_words_of(labels, classes, {})
    assert found.how == "undecided" and found.pairs == () and set(found.unknown) == set(labels)


@pytest.mark.parametrize(
    ("labels", "classes", "unknown"),
    [
        (["a", "b", "c"], ["x", "y"], ("a", "b", "c")),
        (["Yes", "No", "Maybe"], ["Yes", "No"], ("Maybe",)),
        (["yes", "no", "maybe"], ["0", "1"], ("yes", "no", "maybe")),
        (["0", "1", "7"], ["0", "1"], ("7",)),
        (["male"], ["female"], ("male",)),
    ],
)
def test_nothing_is_guessed_of_the_others(labels: list[str], classes: list[str], unknown: tuple[str]) -> None:
    found = in_words_of(labels, classes, {})
    assert found.how == "" and found.pairs == () and found.unknown == unknown


def test_a_choice_comes_first_and_must_fit() -> None:
    found = in_words_of(["M", "B"], ["0", "1"], {"M": "1.0", "B": "0"})
    assert found.how == "chosen" and dict(found.pairs) == {"M": "1", "B": "0"}
    with pytest.raises(InvalidPlan, match="'X', which the sample does not have") as caught:
        in_words_of(["M", "B"], ["0", "1"], {"X": "1"})
    assert caught.value.field == "config.target_map" and "'B', 'M'" in caught.value.hint
    with pytest.raises(InvalidPlan, match="no class of the model"):
        in_words_of(["M", "B"], ["0", "1"], {"M": "2"})


def test_texts_are_sorted_as_scikit_learns_encoder_does() -> None:
    labels = ["drugX", "DrugY", "drugA", "Ähre", "10", "9"]
    assert sorted_labels(labels) == LabelEncoder().fit(labels).classes_.tolist()
    assert sorted_labels(["10", "9"]) == [str(n) for n in LabelEncoder().fit([10, 9]).classes_]


def test_values_are_labels_in_whatever_spelling() -> None:
    assert are_labels(["yes ", "NO"], ["No", "Yes"])
    assert are_labels(["True", "False"], ["0", "1"])
    assert not are_labels(["0", "2"], ["0", "1"]) and not are_labels([], ["0", "1"])
