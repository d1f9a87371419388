"""Parts of forms kept as files: those that led to something bad, and the corpus that the tests read again."""

import shlex
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

__all__ = ["CORPUS", "MOST_BYTES", "MOST_CORPUS_BYTES", "Input", "keep", "record", "recorded"]

TESTS = Path(__file__).resolve().parent.parent
CORPUS = TESTS / "corpus"
MOST_BYTES, MOST_CORPUS_BYTES = 20_000, 1_000_000


class Input(NamedTuple):
    """One part of a form. kind: the form's field, or `answer` for a model whose process lies."""

    kind: str
    file: str
    data: bytes


def recorded() -> list[Input]:
    """What was kept: KIND-anything.EXT in `tests/corpus`, and the pickles of `tests/fuzz_corpus`."""
    older = sorted((TESTS / "fuzz_corpus").iterdir())
    return [
        *(
            Input(path.name.partition("-")[0], path.name, path.read_bytes())
            for path in sorted(CORPUS.iterdir())
        ),
        *(Input("model", path.name, path.read_bytes()) for path in older),
    ]


def record(folder: Path, found: Input, what: str) -> None:
    """Keep the first input of its kind of which `what` was said, unless it or all of them are too large."""
    used = sum(path.stat().st_size for path in folder.iterdir())
    small = len(found.data) <= MOST_BYTES and used + len(found.data) <= MOST_CORPUS_BYTES
    if small and not list(folder.glob(f"{found.kind}-{what}-????????.*")):
        digest = sha256(found.data).hexdigest()[:8]
        (folder / f"{found.kind}-{what}-{digest}{Path(found.file).suffix}").write_bytes(found.data)


def keep(folder: Path, form: dict[str, Input], what: str) -> None:
    """The parts of a form, and the command that posts them again."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = []
    for field, part in form.items():
        path = folder / f"{field}-{Path(part.file).name}"
        path.write_bytes(part.data)
        parts.append(f"-F {field}=@{shlex.quote(str(path.resolve()))}")
    command = f"curl {' '.join(parts)} 'http://localhost:8501/run_tests?wait=60'"
    (folder / "repeat.txt").write_text(f"{what}\n\n{command}\n", "utf-8", errors="replace")
