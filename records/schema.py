"""The types of a schema: one feature (`FieldSpec`) and all of them in order (`Schema`).

Promises: a value that exists is consistent; each refusal says what is wrong and, after a semicolon,
the remedy. Public under `schema_utils`, which parses, infers and combines them.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import FailFast, Field, model_validator

from records.base import Figure, Record

__all__ = [
    "MAX_CATEGORIES",
    "MAX_CATEGORY",
    "MAX_COLUMNS",
    "MAX_FEATURES",
    "MAX_NAME",
    "TEXT",
    "Distribution",
    "FeatureType",
    "FieldSpec",
    "Origin",
    "Schema",
    "is_nameless",
    "is_placeholder",
]  # fmt: skip

FeatureType = Literal["number", "integer", "category", "boolean", "datetime", "text"]
Distribution = Literal["auto", "normal", "lognormal", "uniform"]
Origin = Literal["user", "sample", "model", "name"]

MAX_FEATURES = 10_000
MAX_COLUMNS = MAX_FEATURES + 100  # of a sample: a label, identifiers and what else stands beside features
MAX_NAME = 200
MAX_CATEGORIES = 10_000
MAX_QUANTILES = 1_001
MAX_CATEGORY = 500  # characters of one category
TEXT = "text"  # what the one feature of a model is called that reads texts and was never told a name
LARGEST_INTEGER = 2**53  # bounds are float64, exact up to here


_FOREIGN = {
    "category": ("min", "max", "mean", "std", "quantiles"),
    "boolean": ("min", "max", "std", "categories", "weights", "quantiles"),
    "datetime": ("mean", "std", "categories", "weights", "quantiles"),
    "text": ("quantiles",),
}


class FieldSpec(Record):
    """One feature. `min` and `max` of a datetime are ISO 8601 strings, of all others numbers.

    mean: of a boolean, the share of true values. mean and std are always of the values themselves,
    for a lognormal too. weights: relative, need not sum to 1. missing_share: of the rows.
    closed: the model rejects what is not among the categories (an encoder with handle_unknown="error").
    quantiles: the values at evenly spaced shares, the smallest first and the largest last; rows then
    follow these, and mean, std and distribution only describe them.
    group: of features with the same one at most one is 1 in a row, as of one-hot columns.
    origin: who told it; "name" where the feature's name was all there was to go by.
    A text's categories are the words that it is made of and its weights how often each occurs; its min, max,
    mean and std count the words of one text.
    """

    name: str = Field(min_length=1, max_length=MAX_NAME)
    type: FeatureType = "number"
    distribution: Distribution = "auto"
    min: float | str | None = None
    max: float | str | None = None
    mean: Figure = None
    std: Figure = None
    categories: tuple[str | int | float | bool, ...] | None = Field(None, max_length=MAX_CATEGORIES)
    weights: tuple[float, ...] | None = Field(None, max_length=MAX_CATEGORIES)
    quantiles: tuple[float, ...] | None = Field(None, min_length=2, max_length=MAX_QUANTILES)
    closed: bool = False
    nullable: bool = False
    missing_share: float = Field(0.0, ge=0, lt=1)
    group: str | None = Field(None, min_length=1, max_length=MAX_NAME)
    origin: Origin = "user"

    @property
    def is_unknown(self) -> bool:
        """A number of which the model said nothing but that it exists; it is drawn from normal(0, 1)."""
        figures = (self.min, self.max, self.mean, self.std, self.quantiles)
        return self.origin == "model" and self.type in ("number", "integer") and figures == (None,) * 5

    @model_validator(mode="before")
    @classmethod
    def _missing_values_imply_nullable(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and "nullable" not in data and data.get("missing_share"):
            return {**data, "nullable": True}
        return data

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _check_text("name", self.name)
        if self.missing_share > 0 and not self.nullable:
            raise ValueError("missing_share is above 0 but nullable is false; set nullable to true")
        self._check_what_applies()
        if self.type == "category":
            self._check_categories()
        elif self.type == "datetime":
            self._check_dates()
        elif self.type == "text":
            self._check_categories()
            self._check_words()
        else:
            self._check_numbers()
        return self

    def _check_what_applies(self) -> None:
        """A key that would be ignored is an error: who wrote it meant something by it."""
        foreign = _FOREIGN.get(self.type, ("categories", "weights"))
        if self.type in ("category", "datetime"):
            foreign = (*foreign, "group")
        given = [key for key in foreign if getattr(self, key) is not None]
        if given:
            remedy = (
                "; for a list of allowed values set the type to category" if "categories" in given else ""
            )
            raise ValueError(f"{' and '.join(given)} cannot be used with type {self.type}; leave out{remedy}")
        if self.closed and not self.categories:
            raise ValueError("closed needs the list that it closes; give the categories, or leave it out")
        if self.closed and self.type == "text":
            raise ValueError("closed cannot be used with type text; leave it out")
        if self.type in ("category", "boolean", "text") and self.distribution != "auto":
            raise ValueError(
                f"distribution {self.distribution} cannot be used with type {self.type}; leave out"
            )
        if self.type == "datetime" and self.distribution not in ("auto", "uniform"):
            raise ValueError(
                f"distribution {self.distribution} cannot be used with type datetime; use uniform"
            )

    def _check_categories(self) -> None:
        if self.categories is None:
            if self.weights is not None:
                raise ValueError("weights need categories; list the categories in the same order")
            return
        if not self.categories:
            raise ValueError("categories is empty; list at least one value")
        for value in self.categories:
            if isinstance(value, str):
                _check_text("a category", value)
                if len(value) > MAX_CATEGORY:
                    raise ValueError(f"a category is longer than {MAX_CATEGORY} characters; shorten it")
            elif isinstance(value, float) and not math.isfinite(value):
                raise ValueError("a category is not a finite number; for missing values set nullable to true")
            elif isinstance(value, int) and not -(2**63) <= value < 2**63:
                raise ValueError("a category is an integer beyond 64 bits; write it as text")
        counts = Counter((isinstance(value, bool), value) for value in self.categories)
        twice = [value for (_, value), count in counts.items() if count > 1]
        if twice:
            raise ValueError(f"category {twice[0]!r} is listed twice; list each once")
        if self.weights is not None:
            self._check_weights(len(self.categories))

    def _check_words(self) -> None:
        unlike = [w for w in self.categories or () if not isinstance(w, str) or not w.strip()]
        if unlike:
            raise ValueError(
                f"{unlike[0]!r} is no word; the categories of a text are its words, each a text of its own"
            )
        if isinstance(self.min, int | float) and self.min < 0:
            raise ValueError(f"min {self.min:g} is below 0; for a text it is a number of words")
        self._check_numbers()

    def _check_weights(self, expected: int) -> None:
        weights = self.weights or ()
        if len(weights) != expected:
            raise ValueError(f"{len(weights)} weights for {expected} categories; give one weight a category")
        if any(not math.isfinite(w) or w < 0 for w in weights):
            raise ValueError("a weight is negative or not finite; use numbers from 0")
        if not 0 < sum(weights) < math.inf:
            raise ValueError("the weights sum to 0 or overflow; at least one must be above 0")

    def _check_dates(self) -> None:
        low, high = (_iso(key, getattr(self, key)) for key in ("min", "max"))
        if low and high:
            if (low.tzinfo is None) != (high.tzinfo is None):
                raise ValueError(
                    "one of min and max has a time zone and the other has none; write both alike"
                )
            if low > high:
                raise ValueError(f"min {self.min} is after max {self.max}; swap them")

    def _check_quantiles(self, low: float, high: float) -> None:
        values = self.quantiles or ()
        if any(not math.isfinite(value) for value in values):
            raise ValueError("a quantile is not a finite number; correct it, or leave the quantiles out")
        if any(after < before for before, after in pairwise(values)):
            raise ValueError("the quantiles are not in ascending order; sort them")
        if values and not low <= values[0] <= values[-1] <= high:
            raise ValueError(f"a quantile is outside {low:g} to {high:g}; correct one or the other")
        if values and not math.isfinite(values[-1] - values[0]):
            raise ValueError("the quantiles are too far apart to draw between them; leave them out")

    def _check_numbers(self) -> None:
        for key in ("min", "max"):
            value = getattr(self, key)
            if isinstance(value, str):
                raise ValueError(f"{key} is the text {value[:40]!r}; write a number without quotes")
            if value is not None and not math.isfinite(value):
                raise ValueError(f"{key} is not a finite number; leave it out for no bound")
        low = -math.inf if self.min is None else float(self.min)
        high = math.inf if self.max is None else float(self.max)
        if self.type == "boolean":
            low, high = 0.0, 1.0
        if low > high:
            raise ValueError(f"min {low:g} is above max {high:g}; swap them")
        self._check_quantiles(low, high)
        if self.mean is not None and not low <= self.mean <= high:
            raise ValueError(
                f"mean {self.mean:g} is outside {low:g} to {high:g}; correct the mean or the bounds"
            )
        if self.std is not None and self.std < 0:
            raise ValueError(f"std {self.std:g} is negative; a standard deviation is 0 or more")
        if self.distribution == "lognormal":
            if low < 0 and self.min is not None:
                raise ValueError(f"min {low:g} is below 0, which a lognormal never is; use normal, or min 0")
            if high <= 0 or (self.mean is not None and self.mean <= 0):
                raise ValueError("a lognormal has only values above 0; use normal, or a mean and max above 0")
        if self.type == "integer":
            if any(math.isfinite(b) and abs(b) > LARGEST_INTEGER for b in (low, high)):
                raise ValueError("an integer's bound is beyond 2**53; use type number")
            if math.isfinite(low) and math.isfinite(high) and math.ceil(low) > math.floor(high):
                raise ValueError(f"no integer lies between min {low:g} and max {high:g}; widen the bounds")


class Schema(Record):
    """The features in the order the model takes them.

    complete: there are no others; else what a schema leaves out comes from the sample and the model.
    """

    # Of 10,000 features at fault one is told of: all of them would take a hundred times the schema's size.
    features: Annotated[tuple[FieldSpec, ...], FailFast()] = Field(min_length=1, max_length=MAX_FEATURES)
    complete: bool = False

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        twice = [name for name, count in Counter(self.names).items() if count > 1]
        if twice:
            raise ValueError(
                f"feature {twice[0]!r} is listed {self.names.count(twice[0])} times; list it once"
            )
        return self

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.features)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Names of the features of which nobody said anything: see `FieldSpec.is_unknown`."""
        return tuple(field.name for field in self.features if field.is_unknown)


def _check_text(what: str, text: str) -> None:
    """NUL and lone surrogates cannot be stored by PostgreSQL nor written as UTF-8."""
    if "\0" in text or (not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text)):
        raise ValueError(f"{what} has a character that cannot be stored; remove NUL and lone surrogates")


def _iso(key: str, value: float | str | None) -> datetime | None:
    if value is None:
        return None
    try:
        return datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError(f"{key} is {value!r}, not a date; write ISO 8601, as in 2024-01-31") from None


def is_placeholder(names: Sequence[str], prefixes: Iterable[str] = ("x", "Column_")) -> bool:
    """True for names that stand for 'no name': x0, x1, ... (ours) or Column_0, ... (LightGBM's)."""
    return any(all(name == f"{prefix}{i}" for i, name in enumerate(names)) for prefix in prefixes)


def is_nameless(names: Sequence[str]) -> bool:
    """True where a model was fitted without names: on columns (`is_placeholder`), or on bare texts."""
    return is_placeholder(names) or tuple(names) == (TEXT,)
