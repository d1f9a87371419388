"""Work on names that grows with their number, and not with its square."""

import io
from types import SimpleNamespace
from typing import cast

import numpy as np
import pandas as pd
import pytest

from errors import InvalidSchema
from mining.schema import _positions
from model_process.reader import described
from records.drift import ScenarioPlan
from records.model import ModelInfo
from records.schema import MAX_FEATURES, FieldSpec, Schema
from rows.fit import check_fits_model
from rows.joint import Joint
from rows.matching import Match
from rows.samples import read_sample
from rows.taking import inputs_of
from schema_utils import infer_from_frame
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


def test_what_was_meant_by_a_foreign_schemas_names_is_guessed_of_few() -> None:
    """Each with each of 10,000 took hours; the lists are told all the same."""
    features = tuple(f"gene {i}" for i in range(10_000))
    info = ModelInfo.model_construct(name="m", sha256="", bytes=0, features=features, n_features=10_000)
    schema = Schema(features=tuple(FieldSpec(name=f"{i} protein") for i in range(10_000)))
    with pytest.raises(InvalidSchema, match=r"the model takes 'gene 0'.* and 9990 more, which is missing"):
        check_fits_model(schema, info)


def test_columns_of_texts_that_are_numbers_are_read_all_at_once() -> None:
    frame = pd.DataFrame({f"c{i}": ["?", str(i), "2"] for i in range(300)})
    columns = tuple(frame.columns)
    found, read = inputs_of(frame, Match(tuple((name, name) for name in columns), numbers=columns))
    assert set(read.values()) == {1} and len(read) == 300
    assert (found.dtypes == np.float64).all() and found.iloc[1].tolist() == [float(i) for i in range(300)]


def test_beside_as_many_features_as_there_may_be_a_sample_has_room_for_its_label() -> None:
    names = [f"f{i}" for i in range(MAX_FEATURES)]
    text = ",".join([*names, "label"]) + "\n" + ",".join(["1"] * (MAX_FEATURES + 1)) + "\n"
    frame = read_sample(io.BytesIO(text.encode()), "wide.csv")
    facts = described(frame)
    assert facts.columns[-1] == "label" and facts.schema_ is None  # too many to be features, all of them
    assert len(infer_from_frame(frame, "label").features) == MAX_FEATURES
