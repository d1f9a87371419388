"""The k smallest as NumPy 1 chose them among equals: its own choices, and what holds for any."""

import json
from pathlib import Path

import numpy as np
import pytest

from upgrades.ties import chosen_by_numpy_1, only_those

CHOICES = Path(__file__).parent / "numpy_1_choices.json"


def test_the_places_are_those_that_numpy_1_gave() -> None:
    """Written by NumPy 1.16.6, and the same by 1.26.4: `np.argpartition(values, k - 1)` of each."""
    cases = json.loads(CHOICES.read_text("ascii"))
    assert len(cases) > 40
    for values, k, order in cases:
        assert chosen_by_numpy_1(np.array(values, dtype=float), k).tolist() == order


@pytest.mark.parametrize("seed", range(20))
def test_what_is_chosen_are_the_smallest(seed: int) -> None:
    random = np.random.default_rng(seed)
    distances = random.integers(0, 1 + random.integers(1, 40), (6, int(random.integers(2, 300)))).astype(
        float
    )
    k = int(random.integers(1, distances.shape[1]))
    kept = only_those(distances, k)
    assert (np.sort(kept, axis=1)[:, :k] == np.sort(distances, axis=1)[:, :k]).all()
    tied = (distances <= np.sort(distances, axis=1)[:, k - 1 : k]).sum(axis=1) > k
    assert (np.isfinite(kept[tied]).sum(axis=1) == k).all()
    assert (kept[~tied] == distances[~tied]).all()


def test_a_blank_is_farthest() -> None:
    """Between a training row and one to fill there may be no column that both have."""
    distances = np.array([[np.nan, 1.0, 1.0, 1.0, np.nan, 0.5]])
    kept = only_those(distances, 2)[0]
    assert np.flatnonzero(np.isfinite(kept)).tolist() == [1, 5]
    assert only_those(distances, 6) is distances
