"""What is said of a file in which nothing predicts: what it holds, and what to do with it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bundles.entries import entries_of, kind_of
from errors import NoPredict
from records.schema import MAX_NAME
from scan.formats import SAVE_HINT

__all__ = ["nothing_predicts"]

BESIDE = (
    "Send the model that was fitted behind it: the model as the file, this one beside it as a preprocessor."
)


def nothing_predicts(values: Sequence[Any], several: bool = False) -> NoPredict:
    """The error for what was loaded. several: of more than one file."""
    if several:
        kinds = ", ".join(kind_of(value) for value in values[:8])
        return NoPredict(
            f"None of the {len(values)} files holds a model: {kinds}.",
            hint="Send the model's file with them: it is what has `predict`.",
        )
    loaded = values[0]
    kind = type(loaded).__name__[:MAX_NAME]
    if isinstance(loaded, type):
        return NoPredict(
            f"The file holds the class {loaded.__name__[:MAX_NAME]}, not a fitted model.", hint=SAVE_HINT
        )
    if isinstance(loaded, np.ndarray | pd.DataFrame | pd.Series):
        return NoPredict(
            f"The file holds data ({kind} of shape {loaded.shape}), not a model.", hint=SAVE_HINT
        )
    if isinstance(loaded, Mapping | list | tuple | set):
        return _of_container(loaded)
    if type(loaded).__name__ in ("LabelEncoder", "LabelBinarizer"):
        return NoPredict(f"The file holds {_a(kind)} alone, which is no model.", hint=BESIDE)
    if hasattr(loaded, "build_analyzer"):
        return NoPredict(
            f"The file holds {_a(kind)} alone, which makes numbers of texts and does not predict.",
            hint=BESIDE,
        )
    if hasattr(loaded, "transform"):
        return NoPredict(
            f"The file holds {_a(kind)} alone, which transforms rows and does not predict.", hint=BESIDE
        )
    if hasattr(loaded, "fit_predict"):
        return NoPredict(
            f"{kind} can only label the rows it was fitted on: it has no predict.",
            hint="Send what answers new rows: KMeans, or a classifier that was fitted on its labels.",
        )
    return NoPredict(f"The file holds {_a(kind)}, which has no predict.", hint=SAVE_HINT)


def _of_container(loaded: Any) -> NoPredict:
    kind = type(loaded).__name__[:MAX_NAME]
    count = f"{len(loaded)} {'entries' if isinstance(loaded, Mapping) else 'items'}"
    parts = entries_of([("", loaded)]) if not isinstance(loaded, set) else []
    if len(parts) == 1 and not parts[0].path:  # names of columns, encoders by column
        return NoPredict(f"The file holds a {kind} of {kind_of(parts[0].value)}, not a model.", hint=BESIDE)
    useful = [p for p in parts if hasattr(p.value, "transform") or not p.path]
    if useful:
        shown = ", ".join(f"{p.path} ({kind_of(p.value)})" for p in useful[:5])
        return NoPredict(
            f"The file holds a {kind} of {count}, and none of them predicts: {shown}.",
            hint=BESIDE.replace("it:", "them:"),
        )
    keys = ", ".join(str(key)[:50] for key in list(loaded)[:8]) if isinstance(loaded, Mapping) else ""
    return NoPredict(
        f"The file holds a {kind} of {count}{f' ({keys})' if keys else ''}, not a model.", hint=SAVE_HINT
    )


def _a(name: str) -> str:
    vowel = name[:1] in "AEIOaeio" and not name.startswith("One")
    return f"{'an' if vowel else 'a'} {name}"
