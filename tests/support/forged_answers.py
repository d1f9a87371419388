"""Models that answer what they like: pickles that put other bytes into the pipe when they are asked.

They work where a file may do what it wants on loading, under the policy `contained`. Each is a plain
regression of any number of features until it forges. An operation is what is asked of a child: `load`,
`predict`, `predict_singly`, `predict_together`, `measure`, `rehearse`, `block`, `explain` or `memory`.
"""

from collections.abc import Iterable
from pathlib import Path

from tests.support import models_for_tests as models
from tests.support import mutations

__all__ = ["OPERATIONS", "save_forging", "save_mutating", "save_replacing"]

OPERATIONS = (
    "load", "predict", "predict_singly", "predict_together", "measure", "rehearse", "block", "explain",
    "memory",
)  # fmt: skip

# `wire.send` and `wire.receive` of the child's process are replaced while it loads; what it answers to a
# request goes through `forged(operation, frame)`, which returns the bytes that are sent in its place.
_SOURCE = """
import os, struct, json, math, random
import numpy as np
import sandbox.wire as wire

class Model:
    n_features_in_ = 3
    feature_names_in_ = np.array(["height", "weight", "age"], dtype=object)
    def fit(self, x, y=None):
        return self
    def predict(self, x):
        return np.asarray(x, dtype=float).sum(axis=1)

operation, count, _send, _receive = "load", 0, wire.send, wire.receive


def receive(fd, *rest, **more):
    global operation
    message = _receive(fd, *rest, **more)
    operation = str(message.header.get("op"))
    return message

def send(fd, message, wait=None):
    global count
    count += 1
    held = []
    real, wire._write = wire._write, lambda _fd, data, _wait: held.append(bytes(data))
    try:
        _send(fd, message, wait)
    finally:
        wire._write = real
    data = memoryview(forged(operation, b"".join(held)))
    while data:
        data = data[os.write(fd, data):]

wire.send, wire.receive = send, receive
model = Model()
"""


def save_forging(forged: str, path: Path) -> Path:
    """A model whose every answer goes through a function of `forged`, the source of a module.

    The function is `forged(operation, frame) -> bytes`; the module sees `random`, `struct`, `np` and `count`,
    the answers so far. What is returned is sent as it is, also when it is no frame at all.
    """
    return models.save_source(f"{_SOURCE}\n{forged}", path)


def save_replacing(answers: dict[str, bytes], path: Path) -> Path:
    """A model that answers an operation with the bytes given for it, and all others truly."""
    return save_forging(
        f"answers = {answers!r}\ndef forged(operation, frame):\n    return answers.get(operation, frame)\n",
        path,
    )


def save_mutating(
    seed: int, path: Path, operations: Iterable[str] = OPERATIONS, share: float = 0.5, largest: int = 1 << 16
) -> Path:
    """A model that changes its answers to some operations, each by chance; the same ones for a seed.

    share: of the answers that are changed. largest: bytes that a change may add, or so.
    """
    source = Path(mutations.__file__).read_text("utf-8")
    return save_forging(
        f"{source}\n"
        f"chance, chosen = random.Random({seed!r}), {sorted(operations)!r}\n"
        "def forged(operation, frame):\n"
        f"    changes = operation in chosen and chance.random() < {share!r}\n"
        f"    return mutated(frame, chance, {largest!r}) if changes else frame\n",
        path,
    )
