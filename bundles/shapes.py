"""How wide a fitted transformer takes a table and gives it, with the names where it has them.

Promises: asks only what a fitted object tells of its shape, and as a last resort one made-up row; what cannot
be told is None. Leaves chaining them to `bundles.assembly`.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from estimators.traits import integer, real_names

__all__ = ["TEXT", "Shape", "rank", "shape_of"]

TEXT = -1
"""The width of what takes one column of texts, not a table."""

# In which order people apply what fits in several: first what makes numbers of words and fills gaps, then
# what makes new columns, what scales them, what chooses or mixes them.
RANKS = (
    ("Imputer", 0),
    ("LabelEncoder", 1),
    ("Encoder", 1),
    ("Binarizer", 1),
    ("Vectorizer", 1),
    ("ColumnTransformer", 1),
    ("TfidfTransformer", 2),
    ("PolynomialFeatures", 2),
    ("SplineTransformer", 2),
    ("Scaler", 3),
    ("PowerTransformer", 3),
    ("QuantileTransformer", 3),
    ("Normalizer", 3),
    ("Select", 4),
    ("RFE", 4),
    ("Threshold", 4),
)
LAST = 5


@dataclass(frozen=True)
class Shape:
    """Columns in and out: a number, TEXT, or None for not known; names () where it has none."""

    takes: int | None
    gives: int | None
    names: tuple[str, ...] = ()
    gives_names: tuple[str, ...] = ()


def shape_of(transformer: Any) -> Shape:
    """What one fitted transformer takes and gives."""
    names: tuple[str, ...] = ()
    with suppress(Exception):
        names = real_names(transformer.feature_names_in_)
    if hasattr(transformer, "build_analyzer"):
        takes: int | None = TEXT
    elif type(transformer).__name__ == "LabelEncoder":
        takes = 1
    else:
        takes = len(names) or _count(transformer)
    gives_names = _names_out(transformer)
    gives = len(gives_names) or _gives(transformer, takes)
    return Shape(takes, gives, names, gives_names)


def rank(transformer: Any) -> int:
    """Its place among others that fit equally well; see RANKS."""
    kind = type(transformer).__name__
    return next((place for part, place in RANKS if part in kind), LAST)


def _count(transformer: Any) -> int | None:
    for name in ("n_features_in_", "n_features_", "n_features"):
        with suppress(Exception):
            found = integer(getattr(transformer, name))
            if found:
                return found
    with suppress(Exception):  # scikit-learn before 0.24 has the figures alone
        return len(transformer.mean_ if hasattr(transformer, "mean_") else transformer.scale_)
    with suppress(Exception):
        return int(np.shape(transformer.components_)[1])
    with suppress(Exception):
        return _count(transformer.steps[0][1])
    return None


def _names_out(transformer: Any) -> tuple[str, ...]:
    if hasattr(transformer, "build_analyzer"):  # a vocabulary is counted, not listed
        return ()
    with suppress(Exception):
        return tuple(str(name) for name in transformer.get_feature_names_out())
    return ()


def _gives(transformer: Any, takes: int | None) -> int | None:
    if hasattr(transformer, "build_analyzer"):
        with suppress(Exception):
            return len(transformer.vocabulary_)
        return integer(getattr(transformer, "n_features", None))
    if type(transformer).__name__ == "LabelEncoder":
        return 1
    with suppress(Exception):
        return int(np.shape(transformer.transform(np.zeros((1, takes or 0))))[1])
    return None
