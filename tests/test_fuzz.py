"""Mutated model files against the whole bench: scan, lock, load, predict. Slow; the seeds are kept.

`python -m pytest tests/test_fuzz.py -m slow`; FUZZ_FILES sets how many files, FUZZ_SEED which.
"""

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pandas as pd
import pytest

from errors import DashboardError
from records.model import Policy
from sandbox.handle import open_model
from sandbox.zygote import Zygote
from settings import Settings
from tests.support.live_server import LiveServer, start_server, stop_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="models run in forked processes"),
]

CORPUS = sorted((Path(__file__).parent / "fuzz_corpus").iterdir())
FILES = int(os.environ.get("FUZZ_FILES", "400"))
SEED = int(os.environ.get("FUZZ_SEED", "0"))
LOAD_LIMIT_S = 5.0
ROWS = pd.DataFrame({name: [0.0, 1.0] for name in ("a", "b", "c", "d")})


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote(Settings(_env_file=None, load_timeout_s=LOAD_LIMIT_S)) as running:
        yield running


def mutations(count: int, seed: int) -> Iterator[bytes]:
    """Seeds with some bytes changed, cut out, doubled, or taken from another seed."""
    rng = random.Random(seed)
    seeds = [path.read_bytes() for path in CORPUS]
    for _ in range(count):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randint(1, 6)):
            at, width = rng.randrange(len(data) + 1), rng.choice((1, 1, 1, 4, 16, 64))
            match rng.randrange(5):
                case 0:
                    data[at : at + 1] = bytes([rng.randrange(256)])
                case 1:
                    data[at : at + width] = rng.randbytes(width)
                case 2:
                    del data[at : at + width]
                case 3:
                    data[at:at] = data[at : at + width]
                case _:
                    other = rng.choice(seeds)
                    start = rng.randrange(len(other))
                    data[at : at + width] = other[start : start + width]
        yield bytes(data)


def test_the_corpus_holds_every_kind_of_file() -> None:
    assert len(CORPUS) >= 8
    assert {path.suffix for path in CORPUS} == {".pkl", ".joblib"}


@pytest.mark.parametrize("policy", ["strict", "contained"])
def test_a_mutated_file_is_loaded_or_refused_in_words_and_the_zygote_lives(
    zygote: Zygote, tmp_path: Path, policy: Policy
) -> None:
    outcomes: Counter[str] = Counter()
    path, pid, slowest = tmp_path / "mutated.pkl", None, 0.0
    for number, data in enumerate(mutations(FILES, SEED)):
        path.write_bytes(data)
        started = time.monotonic()
        try:
            with open_model(zygote, path, name="m", deadline_s=LOAD_LIMIT_S, policy=policy) as handle:
                handle.predict(ROWS)
            outcomes["answered"] += 1
        except DashboardError as error:
            assert error.message and error.code != "internal_error", (number, error)
            outcomes[error.code] += 1
        slowest = max(slowest, time.monotonic() - started)
        pid = pid or zygote.pid
        assert zygote.pid == pid is not None, f"the zygote died of file {number}, seed {SEED}"
    print(f"\n{policy}: {FILES} files, slowest {slowest:.2f} s: {dict(outcomes.most_common())}")
    assert sum(outcomes.values()) == FILES and len(outcomes) > 2


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    running = start_server(
        tmp_path_factory.mktemp("fuzz"), RATE_PER_MINUTE="100000", MODEL_POLICY="contained"
    )
    yield running
    stop_server(running)


def test_mutated_files_by_the_apis_door_each_get_a_report_and_the_server_lives(server: LiveServer) -> None:
    config = '{"rows": 5, "timeout_s": 20, "latency": {"budget_s": 0.1, "calls": 3}, '
    config += '"explain": {"method": "none"}, "drift": {"scenarios": [], "breaking_points": false}}'
    statuses: Counter[str] = Counter()
    for data in mutations(max(FILES // 10, 10), SEED + 1):
        if not data:
            continue
        answer = httpx.post(
            f"{server.url}/run_tests",
            params={"wait": 60},
            files={"model": ("m.pkl", data)},
            data={"config": config},
            timeout=90,
        )
        assert answer.status_code == 200, answer.text
        report = answer.json()
        assert report["status"] != "error" or report["errors"][0]["message"]
        assert all(error["code"] != "internal_error" for error in report["errors"]), report["errors"]
        statuses[report["status"]] += 1
    print(f"\n{dict(statuses)}")
    assert httpx.get(f"{server.url}/ready", timeout=5).status_code == 200
    assert server.process.poll() is None
