"""Texts under a shift: what changes, how much of it, and the same at each asking."""

import numpy as np
import pandas as pd
import pytest

from distances.subject import Subject
from errors import InvalidPlan
from records.drift import DEFAULT_SCENARIOS, TEXT_SCENARIOS, DriftPlan, ScenarioKind, ScenarioPlan
from records.schema import FieldSpec, Schema
from records.words import known_as, words_of
from shifts.analysis import analyse
from shifts.breaking_points import find_breaking_points
from shifts.scenarios import check_scenario, scenarios_for, simulate
from shifts.text_shifts import changed_texts
from tests.support.predictors import classes
from tests.support.text_models import GOOD, reviews

TEXTS, MOODS = reviews(300, seed=7)
COUNTED = pd.Series([known_as(w) for t in TEXTS for w in words_of(t)]).value_counts()
FIELD = FieldSpec(
    name="t", type="text", categories=tuple(COUNTED.index), weights=tuple(COUNTED.astype(float))
)
SCHEMA = Schema(features=(FIELD,))
FRAME = pd.DataFrame({"t": pd.array(TEXTS.tolist(), dtype="str")})


def changed(kind: ScenarioKind, share: float, seed: int = 0) -> "pd.Series[str]":
    return changed_texts(FRAME["t"], FIELD, kind, share, seed)


def exchanged(after: "pd.Series[str]") -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Which words, of all texts one after the other, are others."""
    before, now = ([w for t in side for w in words_of(t)] for side in (FRAME["t"], after))
    return np.array([a != b for a, b in zip(before, now, strict=True)])


@pytest.mark.parametrize("kind", ["unknown_words", "rare_words", "typos"])
def test_a_share_of_the_words_changes_and_a_larger_one_holds_a_smaller(kind: ScenarioKind) -> None:
    some, more, every = (exchanged(changed(kind, share)) for share in (0.2, 0.5, 1.0))
    assert some.mean() == pytest.approx(0.2, abs=0.06) and (more[some]).all()
    assert more.mean() == pytest.approx(0.5, abs=0.12)
    assert every.mean() > (
        0.75 if kind != "unknown_words" else 0.999
    )  # a rare word may be its own, short ones keep
    sides = [[w for text in changed(kind, share) for w in words_of(text)] for share in (0.2, 0.5)]
    same = [a == b for a, b in zip(*sides, strict=True)]
    assert np.array(same)[some].all()  # a word becomes the same one, whatever the share


def test_new_words_are_in_neither_the_schema_nor_the_texts_and_rare_ones_are_rare() -> None:
    new = {known_as(w) for t in changed("unknown_words", 1.0) for w in words_of(t)}
    assert not new & set(COUNTED.index) and len(new) > 500
    rare = {known_as(w) for t in changed("rare_words", 1.0) for w in words_of(t)}
    assert COUNTED[list(rare)].max() <= COUNTED.sort_values().iloc[19]


def test_what_stands_between_words_stays() -> None:
    text = pd.Series(["Well, this is - as they say - \u201cgood\u201d!\n"])
    for kind in ("unknown_words", "rare_words"):
        after = changed_texts(text, FIELD, kind, 1.0, 0)[0]
        assert [c for c in after if not c.isalnum()] == [c for c in text[0] if not c.isalnum()]


def test_capitals_and_lengths() -> None:
    loud = changed("upper_case", 0.3)
    assert (loud == FRAME["t"].str.upper()).mean() == pytest.approx(0.3, abs=0.08)
    assert ((loud == FRAME["t"]) | (loud == FRAME["t"].str.upper())).all()
    before = FRAME["t"].str.split().map(len)
    assert (changed("text_length", 2.0).str.split().map(len) == 2 * before).all()
    half = changed("text_length", 0.5)
    assert all(long.startswith(short) for short, long in zip(half, FRAME["t"], strict=True))
    assert (half.str.split().map(len) - before / 2).abs().max() <= 0.5


def test_a_text_changes_alike_wherever_it_stands_and_missing_ones_stay() -> None:
    few = pd.Series([FRAME["t"][5], np.nan, FRAME["t"][0]], dtype="str")
    after = changed_texts(few, FIELD, "typos", 0.5, 3)
    whole = changed_texts(FRAME["t"], FIELD, "typos", 0.5, 3)
    assert after[0] == whole[5] and after[2] == whole[0] and pd.isna(after[1])
    assert after.dtype == few.dtype
    assert list(changed("typos", 0.5, seed=4)) != list(whole)


def test_the_scenarios_for_texts_take_the_place_of_those_that_fit_no_feature() -> None:
    kinds = [plan.kind for plan in scenarios_for(DEFAULT_SCENARIOS, SCHEMA)]
    assert kinds == [*(plan.kind for plan in TEXT_SCENARIOS), "missing_values"]
    both = Schema(features=(FIELD, FieldSpec(name="n")))
    assert {"mean_shift", "typos"} <= {plan.kind for plan in scenarios_for(DEFAULT_SCENARIOS, both)}
    own = (ScenarioPlan(kind="noise", magnitude=1),)
    assert scenarios_for(own, SCHEMA) == own
    numbers = Schema(features=(FieldSpec(name="n"),))
    assert scenarios_for(DEFAULT_SCENARIOS, numbers) == DEFAULT_SCENARIOS


def test_a_share_of_words_above_one_is_refused_and_numbers_have_no_words() -> None:
    with pytest.raises(InvalidPlan, match="cannot exceed 1"):
        check_scenario(FRAME, SCHEMA, ScenarioPlan(kind="typos", magnitude=1.5))
    frame, schema = pd.DataFrame({"n": [1.0, 2.0]}), Schema(features=(FieldSpec(name="n"),))
    plan = ScenarioPlan(kind="typos", magnitude=0.5)
    assert simulate(frame, schema, plan, np.random.default_rng(0)).equals(frame)


def _is_good(text: object) -> bool:
    return any(word in str(text).lower() for word in GOOD)


def test_an_analysis_of_texts_plays_them_and_says_where_the_model_breaks() -> None:
    predict = classes(lambda frame: frame["t"].map(lambda text: 0.9 if _is_good(text) else 0.1))
    subject = Subject.of(FRAME, SCHEMA, predict, predict(FRAME), seed=0)
    found = analyse(subject, DriftPlan(budget_s=60))
    by_kind = {scenario.kind: scenario for scenario in found.scenarios}
    assert by_kind["upper_case"].changed_share == 0.0 and by_kind["upper_case"].input.psi == 0.0
    assert (by_kind["unknown_words"].changed_share or 0) > 0.03
    assert (by_kind["unknown_words"].input.psi or 0) > 0.01
    points = {point.kind: point for point in found.breaking_points}
    assert set(points) == {"unknown_words", "rare_words", "typos"}
    point = points["unknown_words"]
    # One or two words carry the mood, in half of the texts: at a share s some 0.3 s of the answers change.
    assert point.magnitude == pytest.approx(0.3, abs=0.12)
    assert point.shift is None and point.direction is None
    near, far = point.interval or (None, None)
    assert near is not None and near <= (point.magnitude or 0) <= (far or 1)
    assert point.psi is not None and point.rows == 256
    assert found.false_alarms == ()


def test_a_model_that_reads_no_word_never_breaks() -> None:
    predict = classes(lambda frame: frame["t"].map(len) * 0 + 0.9)
    subject = Subject.of(FRAME, SCHEMA, predict, predict(FRAME), seed=0)
    points, _ = find_breaking_points(subject, DriftPlan(budget_s=60))
    assert [(p.magnitude, p.searched_to) for p in points] == [(None, 1.0)] * 3
