"""Pickles of older category_encoders, feature-engine and imbalanced-learn answer as their own release did."""

import importlib.util
import io

import numpy as np
import pytest

from estimators.loading import load
from scan.files import scan
from scripts.old_companions import RELEASES, answers, read
from tests.support.companion_corpus import COMPANIONS
from upgrades.steps import Upgrade

# The libraries tell pandas' own changes to whoever runs them; a child tells no deprecations either.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
FILES = read()


@pytest.mark.parametrize("library", COMPANIONS)
@pytest.mark.parametrize("release", RELEASES)
def test_models_answer_as_their_own_release_answered(release: str, library: str) -> None:
    pytest.importorskip(library)
    names = [name for saved, name in FILES if saved == release and name.startswith(library)]
    assert len(names) >= 5
    for name in names:
        data, told = FILES[release, name]
        report = scan(io.BytesIO(data))
        assert report.ok, (name, report.refused)
        model = load(io.BytesIO(data), "strict", report)
        np.testing.assert_allclose(answers(name, model), told, atol=1e-9, err_msg=name)
        assert type(model).__name__ in name or "Pipeline" in type(model).__name__


@pytest.mark.skipif(importlib.util.find_spec("category_encoders") is None, reason="needs category_encoders")
def test_the_steps_are_told_by_name_and_todays_own_files_need_none() -> None:
    import pickle

    import category_encoders

    from scripts.old_companions import table

    upgrade = Upgrade()
    load(io.BytesIO(FILES[RELEASES[0], "category_encoders SumEncoder"][0]), "strict", None, upgrade)
    assert {"encoders have what came later", "contrasts have their intercept"} <= set(upgrade.steps)
    today, rows = Upgrade(), table()
    fitted = category_encoders.SumEncoder(cols=["city"]).fit(rows)
    again = load(io.BytesIO(pickle.dumps(fitted)), "strict", None, today)
    assert not today.steps and again.transform(rows).equals(fitted.transform(rows))
