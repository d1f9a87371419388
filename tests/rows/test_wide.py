"""Work on names that grows with their number, and not with its square."""

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from mining.schema import _positions
from records.drift import ScenarioPlan
from records.model import ModelInfo
from records.schema import FieldSpec, Schema
from rows.fit import check_fits_model
from rows.joint import Joint
from shifts.scenarios import applicable_features
from synthetic_data import generate

MANY = 400
EACH = 12  # times that a name may be looked at


class Name(str):
    """A text that counts how often it is hashed or compared."""

    looks = 0
    __slots__ = ()

    def __hash__(self) -> int:
        Name.looks += 1
        return str.__hash__(self)

    def __eq__(self, other: object) -> bool:
        Name.looks += 1
        return str.__eq__(self, other)


@pytest.fixture
def names() -> tuple[str, ...]:
    Name.looks = 0
    return tuple(Name(f"gene {i}") for i in range(MANY))


def test_a_schema_is_held_against_the_models_names_once_each(names: tuple[str, ...]) -> None:
    info = ModelInfo.model_construct(name="m", sha256="", bytes=0, features=names, n_features=MANY)
    check_fits_model(cast(Schema, SimpleNamespace(names=tuple(map(str, names)))), info)
    assert 0 < Name.looks <= EACH * MANY


def test_example_rows_find_the_column_of_each_feature_at_once(names: tuple[str, ...]) -> None:
    joint = Joint(names, np.tile(np.arange(10, dtype=np.uint16)[:, None], (1, MANY)))
    schema = Schema(features=tuple(FieldSpec(name=str(name)) for name in names))
    frame = generate(schema, 20, 0, joint).frame
    assert frame.shape == (20, MANY) and 0 < Name.looks <= EACH * MANY


def test_features_that_a_scenario_names_are_found_at_once(names: tuple[str, ...]) -> None:
    schema = Schema(features=tuple(FieldSpec(name=str(name)) for name in names))
    frame = generate(schema, 20, 0).frame
    plan = ScenarioPlan(kind="mean_shift", magnitude=1.0).model_copy(update={"features": names})
    assert applicable_features(frame, schema, plan) == names
    assert Name.looks <= EACH * MANY + MANY  # and a comparison each of the line above


def test_a_column_transformers_names_are_looked_up() -> None:
    places = {f"gene {i}": i for i in range(MANY)}
    assert _positions(["gene 399", "gene 7"], places, MANY) == [399, 7]
    assert _positions(slice("gene 3", "gene 5"), places, MANY) == [3, 4, 5]
    assert _positions(slice(None, "gene 1"), places, MANY) == [0, 1]
