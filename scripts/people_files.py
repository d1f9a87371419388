"""Model files in the shapes people really have, each with the raw table that lies beside it.

Run `python -m scripts.people_files FOLDER`: writes every case into a folder of its own, and `manifest.json`.
The models are fitted here, the same every time, on `people_tables`; those that only an older release can
write come from `people_fixtures`. `people_outcomes` posts them.
"""

from __future__ import annotations

import io
import json
import re
import sys
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

__all__ = ["Case", "File", "Follow", "Post", "cases", "main", "own_class", "zipped"]


@dataclass(frozen=True)
class File:
    """A file as it is called on the person's disk."""

    name: str
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Post:
    """What is sent. beside: the files that people keep beside a model, such as scaler.pkl."""

    model: File
    sample: File | None = None
    target: str | None = None
    beside: tuple[File, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Follow:
    """What a person does who was told something. says: the regular expression that must be found in it.

    changes: fields of `Post` that are sent otherwise from then on; none where there is only to understand.
    """

    says: str
    changes: dict[str, Any] = field(default_factory=dict)

    def applied(self, to: Post) -> Post:
        config = {**to.config, **self.changes.get("config", {})}
        return replace(to, **{**self.changes, "config": config})


@dataclass(frozen=True)
class Case:
    """One person's files. truth: how well the model answers the table, fed as its author feeds it.

    Accuracy for classes, R2 for numbers; None where no label is sent. follows: the sentences that help, and
    what a person does then; a report is what they would rather have.
    """

    kind: str
    name: str
    post: Post
    truth: float | None = None
    follows: tuple[Follow, ...] = ()

    @property
    def slug(self) -> str:
        return re.sub(r"[^a-z0-9]+", "-", f"{self.kind} {self.name}".lower()).strip("-")

    def then(self, says: str, **changes: Any) -> Case:
        """With one more sentence that helps, and what is sent otherwise after it."""
        return replace(self, follows=(*self.follows, Follow(says, changes)))

    def told(self, says: str) -> Case:
        """With one more sentence that is all there is to say."""
        return self.then(says)


def zipped(files: dict[str, bytes], name: str) -> File:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            archive.writestr(zipfile.ZipInfo(path, (2025, 3, 1, 12, 0, 0)), data)
    return File(name, buffer.getvalue())


def own_class(model: Any) -> Any:
    """An object of a class that a script defines, as `__main__.ChurnModel`."""

    class ChurnModel:
        def __init__(self, model: Any) -> None:
            self.model = model

        def predict(self, rows: Any) -> Any:
            return self.model.predict(rows)

    ChurnModel.__module__, ChurnModel.__qualname__ = "__main__", "ChurnModel"
    return ChurnModel(model)


def cases() -> Iterator[Case]:
    """All cases, made anew."""
    from scripts import people_bundles, people_formats, people_mistakes, people_projects, people_strangers

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in (people_projects, people_bundles, people_formats, people_mistakes, people_strangers):
            yield from module.cases()


def write(case: Case, folder: Path) -> dict[str, Any]:
    """The files of one case in a folder of its own; returns what the manifest says of it."""
    place = folder / case.slug
    place.mkdir(parents=True)
    post = case.post
    for file in (post.model, *post.beside, *([post.sample] if post.sample else [])):
        (place / file.name).write_bytes(file.data)
    return {
        "kind": case.kind,
        "name": case.name,
        "folder": case.slug,
        "model": post.model.name,
        "beside": [file.name for file in post.beside],
        "sample": post.sample.name if post.sample else None,
        "target": post.target,
        "config": post.config,
        "truth": case.truth,
        "sentences": [follow.says for follow in case.follows],
    }


def main() -> int:
    folder = Path(sys.argv[1])
    found = [write(case, folder) for case in cases()]
    (folder / "manifest.json").write_text(json.dumps(found, indent=1), "utf-8")
    print(len(found), "cases in", folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
