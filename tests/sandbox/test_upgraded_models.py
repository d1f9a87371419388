"""A model of an older release, from its file to the report's facts, in the locked process that loads it."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from errors import VersionMismatch
from execution.inspection import complete, version_skew, with_scan
from records.model import ModelInfo
from sandbox.handle import open_model
from sandbox.zygote import Zygote
from scripts.old_models import asked, read
from settings import Settings

pytestmark = pytest.mark.skipif(os.name != "posix", reason="models run in forked processes")


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote(Settings(child_memory_mb=2048)) as started:
        yield started


@pytest.mark.parametrize(
    ("release", "kind"),
    [
        ("0.20.4", "mixed columns, the rest kept"), ("0.22.2.post1", "neighbours, power 3"),
        ("1.2.2", "logistic, one against the rest"), ("1.3.2", "forest, three classes"),
        ("1.5.2", "ada boost"), ("1.7.2", "hist boosting, stopped early"), ("1.8.0", "boosting"),
    ],
)  # fmt: skip
def test_its_process_answers_as_the_old_release_did(
    zygote: Zygote, tmp_path: Path, release: str, kind: str
) -> None:
    files, told = read(release)
    path = tmp_path / "model.pkl"
    path.write_bytes(files[kind])
    rows = asked(kind)
    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(rows, columns=list("abcde"))
    with open_model(zygote, path, name="model.pkl", deadline_s=60) as handle:
        seen = with_scan(ModelInfo(name="m", sha256="0", bytes=1), handle.scan)
        info = complete(seen, handle.info, handle.scans)
        found = handle.predict(frame)
    assert info.upgraded_from == release and info.upgrades
    assert [line for line in handle.info.warnings if "brought forward" in line]
    assert version_skew(info) == ()
    old = told[kind].get("predict_proba", told[kind]["predict"])
    here = found.values if found.scores is None else found.scores
    assert not found.failed.any() and np.allclose(here, old, rtol=1e-9, atol=1e-12)


def test_what_is_too_old_names_the_releases_that_it_takes(zygote: Zygote, tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(read("0.20.4")[0]["tree"].replace(b"0.20.4", b"0.19.2"))
    with (
        pytest.raises(VersionMismatch, match=r"scikit-learn 0\.19\.2; only 0\.20 and newer"),
        open_model(zygote, path, name="model.pkl", deadline_s=60),
    ):
        pass
