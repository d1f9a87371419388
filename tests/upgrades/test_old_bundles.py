"""Objects of pandas 0.25 to 2.3 and NumPy 1 beside a model and inside of it, as those releases wrote them."""

import io
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

from estimators.loading import load
from scan.files import scan
from scripts import old_bundles, old_models

FILES, TOLD = old_bundles.read()
# pandas 1.3's tables bind arguments to a function of its own; a range of dates keeps a calendar's step.
REFUSED = {("1.0.2", kind) for kind in ("frame", "mixed frame", "attributes with tables")} | {
    (release, "dates") for release in old_bundles.RELEASES
}


@pytest.mark.parametrize(("release", "kind"), sorted(FILES.keys() - REFUSED))
def test_the_model_is_opened_and_answers_as_there(release: str, kind: str) -> None:
    content = opened(release, kind)
    model = content["model"] if isinstance(content, dict) else content
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="X has feature names")
        got = old_models.answers(model, old_bundles.asked(kind))
    told = TOLD[release, kind]
    assert [name for name in told if not old_models.same(got.get(name), told[name])] == []


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("release", old_bundles.RELEASES)
def test_what_stands_beside_it_is_what_was_saved(release: str) -> None:
    wanted = dict(old_bundles.kept())
    for kind in wanted.keys() - {kind for saved, kind in REFUSED if saved == release}:
        content = opened(release, kind)
        for name, value in wanted[kind].items():
            got = content[name]
            if isinstance(value, pd.DataFrame):
                pd.testing.assert_frame_equal(got, value, check_dtype=False, check_column_type=False)
            elif isinstance(value, pd.Series):
                if value.dtype.kind == "f":
                    assert np.allclose(got, value)
                else:
                    assert got.astype(str).tolist() == value.astype(str).tolist()
                assert got.index.tolist() == value.index.tolist()
            elif isinstance(value, pd.IntervalIndex):
                assert got.left.tolist() == value.left.tolist() and got.closed == value.closed
            elif isinstance(value, pd.CategoricalDtype):
                assert got.categories.tolist() == value.categories.tolist()
            else:
                assert np.asarray(got).tolist() == np.asarray(value).tolist(), (kind, name)


@pytest.mark.parametrize(("release", "kind"), sorted(REFUSED))
def test_what_is_not_opened_is_refused_by_name(release: str, kind: str) -> None:
    report = scan(io.BytesIO(FILES[release, kind]))
    assert not report.ok
    assert {name.module.partition(".")[0] for name in report.refused} == {"pandas"}


def opened(release: str, kind: str) -> Any:
    file = io.BytesIO(FILES[release, kind])
    report = scan(file)
    assert report.ok, (report.refused, report.findings)
    return load(file, "strict", report)
