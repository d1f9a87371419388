"""Inputs that `scripts.fuzz` kept, one for each kind of answer: each is read again, or refused in words."""

import os
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from errors import DashboardError
from records.metrics import LatencyPlan
from routes.submission import parse_plan
from sandbox.handle import open_model
from sandbox.reader import open_sample
from sandbox.zygote import Zygote
from schema_utils import parse_schema
from settings import Settings
from tests.support.changed_files import draw, seeds
from tests.support.kept_inputs import CORPUS, MOST_BYTES, MOST_CORPUS_BYTES, Input, recorded
from tests.support.models_for_tests import numbers

INPUTS = recorded()
LIMIT_S = 20.0
ROWS = numbers(5)
LATENCY = LatencyPlan(batch_sizes=(1,), calls=3, warmup=0, budget_s=0.05)


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote(Settings(_env_file=None, load_timeout_s=LIMIT_S)) as running:
        yield running


def test_the_corpus_holds_every_kind_of_input_and_is_small() -> None:
    sizes = [path.stat().st_size for path in CORPUS.iterdir()]
    assert {recorded.kind for recorded in INPUTS} == {"answer", "config", "model", "sample", "schema"}
    assert max(sizes) <= MOST_BYTES and sum(sizes) <= MOST_CORPUS_BYTES


def test_the_fuzzer_draws_the_same_inputs_again_for_a_seed_and_others_for_another() -> None:
    known = seeds()
    first, again, other = (
        [draw(known, rng) for _ in range(50)] for rng in (Random("1"), Random("1"), Random("2"))
    )
    assert first == again != other
    assert {drawn.kind for drawn in first} == {"answer", "config", "model", "sample", "schema"}


@pytest.mark.skipif(os.name != "posix", reason="samples are read in forked processes")
@pytest.mark.parametrize("kept", [i for i in INPUTS if i.kind == "sample"], ids=lambda kept: kept.file)
def test_a_recorded_sample_is_a_table_or_refused_in_words(
    kept: Input, zygote: Zygote, tmp_path: Path
) -> None:
    path = tmp_path / kept.file
    path.write_bytes(kept.data)
    try:
        with open_sample(zygote, path, kept.file) as sample:
            assert len(sample.frame()) == sample.describe().rows > 0
    except DashboardError as error:
        assert in_words(error)


@pytest.mark.parametrize(
    "kept", [i for i in INPUTS if i.kind in ("schema", "config")], ids=lambda kept: kept.file
)
def test_a_recorded_document_is_read_or_refused_in_words(kept: Input) -> None:
    try:
        assert parse_schema(kept.data).features if kept.kind == "schema" else parse_plan(kept.data).rows
    except DashboardError as error:
        assert in_words(error)


@pytest.mark.skipif(os.name != "posix", reason="models run in forked processes")
@pytest.mark.parametrize(
    "kept", [i for i in INPUTS if i.kind in ("model", "answer")], ids=lambda kept: kept.file
)
def test_a_recorded_model_answers_or_is_refused_in_words_and_the_zygote_lives(
    kept: Input, zygote: Zygote, tmp_path: Path
) -> None:
    path, pid = tmp_path / kept.file, zygote.pid
    path.write_bytes(kept.data)
    try:
        with open_model(zygote, path, name="m", deadline_s=LIMIT_S, policy="contained") as handle:
            assert len(handle.predict(ROWS).values) == len(ROWS)
            assert handle.measure(ROWS, LATENCY).rows
            assert handle.memory().peak_mb >= 0
    except DashboardError as error:
        assert in_words(error)
    assert zygote.pid == pid is not None


def in_words(error: DashboardError) -> bool:
    """Whether it says what happened, and not that something unforeseen did."""
    return bool(error.message) and error.code != "internal_error"
