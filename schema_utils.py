"""What a model's input looks like: parse, infer, combine and check schemas.

Promises: a `Schema` is consistent, or an `InvalidSchema` names the field at fault and the remedy.
Leaves making rows to `synthetic_data`, files to `rows.samples` and models to `mining.schema`.
"""

import json
import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, get_args

import numpy as np
import pandas as pd
from pydantic import ValidationError

from errors import InvalidSample, InvalidSchema
from interruption import check
from records import bounded_json
from records.schema import (
    MAX_CATEGORY,
    MAX_FEATURES,
    MAX_NAME,
    Distribution,
    FeatureType,
    FieldSpec,
    Origin,
    Schema,
    is_nameless,
)
from records.texts import clean
from records.words import known_as, words_of
from rows.blocks import text_positions
from rows.dates import date_figures, dates_of_columns
from rows.shapes import number_figures, numbers_of_columns

__all__ = [
    "CATEGORIES_KEPT", "MAX_SCHEMA_BYTES", "check_complete", "combine", "fields_of", "infer_from_frame",
    "parse_schema", "validate_frame",
]  # fmt: skip

MAX_WITH_QUANTILES = 500  # features; beyond, a schema would be too long to be read or sent
WORDS_KEPT = 1_000  # of a column that is read as texts
CATEGORIES_KEPT = 300  # of a text column: ids and free text have no end, and reports carry them
ALL_MISSING_SHARE = 0.99  # a share must leave something to generate
COUNTED_AT_ONCE = 10_000  # texts of one column: a list of all is made of them

MAX_SCHEMA_BYTES = 8 << 20  # 10,000 features with categories
MAX_TOKENS = 800_000  # 10,000 features with every key, or with 15 categories each; 40 MB at most
MOST_KEYS = 40  # of one object: each unknown one would be an error of its own
MAX_DEPTH = 8


def parse_schema(data: bytes | str | Mapping[str, Any] | Sequence[Any]) -> Schema:
    """A schema from JSON (text or bytes) or from what JSON parses to; every field is the user's.

    Accepts `{"features": [...]}` or the bare list. A category may come without categories, to be
    filled by `combine`. Raises InvalidSchema with the feature's name and what to do.
    """
    raw = _json(data) if isinstance(data, bytes | str) else data
    if isinstance(raw, list | tuple):
        raw = {"features": list(raw)}
    if not isinstance(raw, Mapping):
        raise InvalidSchema(
            f"The schema is a JSON {type(raw).__name__}, not an object or a list.", hint=_EXAMPLE
        )
    _refuse_many_keys("The schema", raw)
    features = raw.get("features")
    if "features" not in raw or features == [] or features == ():
        raise InvalidSchema("The schema has no features.", hint=_EXAMPLE, field="features")
    if isinstance(features, list | tuple):
        for position, feature in enumerate(features):
            _refuse_many_keys(_label(feature, position), feature)
            _refuse_non_finite(feature, position)
    try:
        return Schema.model_validate(raw)
    except ValidationError as error:
        raise _readable(error, features) from None


def infer_from_frame(frame: pd.DataFrame, target: str | None = None, texts: Collection[str] = ()) -> Schema:
    """The schema that a sample shows; `target`, the label column, is left out.

    texts: columns that the model reads as texts; nothing else becomes one, however long its values are.

    Types: boolean, integer (whole numbers, also beside missing values), number, datetime (also text
    in ISO 8601), else category, most frequent first, at most CATEGORIES_KEPT. Distribution: see
    `rows.shapes.shapes_of`. A column without any value becomes a nullable number without figures.
    Raises InvalidSample for an unknown target, doubled or unusable columns.
    """
    return Schema(features=tuple(fields_of(frame, target, texts)))


def fields_of(
    frame: pd.DataFrame, target: str | None = None, texts: Collection[str] = ()
) -> Iterator[FieldSpec]:
    """The features of `infer_from_frame`, one after the other: for who may not want all of them."""
    names = [str(column) for column in frame.columns]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InvalidSample(f"The sample has two columns named {twice[0]!r}.", hint="Rename one of them.")
    if target is not None and target not in names:
        raise InvalidSample(
            f"The sample has no column {target!r} to use as target.",
            hint=f"Its columns are: {_listed(names)}.",
            field="target",
        )
    keep = [name for name in names if name != target]
    if not keep:
        raise InvalidSample("The sample has no feature columns.", hint="Add the columns the model takes.")
    if len(keep) > MAX_FEATURES:
        raise InvalidSample(f"The sample has {len(keep)} columns; at most {MAX_FEATURES} can be used.")
    if frame.empty:
        raise InvalidSample("The sample has no rows.", hint="Give at least one row; some hundred are better.")
    kept = frame if target is None else frame.iloc[:, [name != target for name in names]]
    return _fields(keep, kept, texts)


def combine(user: Schema | None, sample: Schema | None, model: Schema | None) -> Schema:
    """One schema out of what is known: the user's features override the sample's, those the model's.

    A feature is taken whole from the first that has it, but for three gaps that are filled from the
    next: a category or text without categories, a user's feature that states nothing but its name (and
    the default type), and the one-hot group of a feature of 0 and 1. A sample's text keeps its lengths and
    takes the words that the model knows. The order is the model's, else the sample's, else the user's. A
    model that was fitted without names (x0, x1, ...) lends its features by position to as many named ones. To
    a user's schema that is complete nothing is added. Raises InvalidSchema when all three are None.
    """
    layers = [layer for layer in (user, sample, model) if layer is not None]
    if not layers:
        raise InvalidSchema(
            "Nothing is known about the model's input: it does not say what it was fitted on.",
            hint="Give a schema (JSON) or a sample (CSV or Parquet) with the columns that the model takes.",
            field="schema",
        )
    named = list(dict.fromkeys(name for layer in (sample, user) if layer for name in layer.names))
    only = set(user.names) if user is not None and user.complete else None
    if only is not None:
        named = [name for name in named if name in only]
    if model is not None and named and is_nameless(model.names) and not set(named) & set(model.names):
        # With another count the model's fields cannot be told apart: `rows.fit` will say so.
        layers.remove(model)
        model = _renamed(model, named) if len(named) == len(model.names) else None
        layers += [model] if model else []
    order = [n for n in dict.fromkeys([*(model.names if model else ()), *named]) if only is None or n in only]
    lookup = [{field.name: field for field in layer.features} for layer in layers]
    return Schema(features=tuple(_merge([fields[n] for fields in lookup if n in fields]) for n in order))


def check_complete(schema: Schema) -> None:
    """Raises InvalidSchema when rows cannot be generated yet: a category without categories."""
    lacking = [f.name for f in schema.features if f.type == "category" and not f.categories]
    if lacking:
        raise InvalidSchema(
            f"{_the_features(lacking)} of type category without categories.",
            hint='List them, as in "categories": ["red", "blue"], or give a sample that has the column.',
            field=lacking[0],
        )


def validate_frame(schema: Schema, frame: pd.DataFrame) -> None:
    """Raises InvalidSample when the frame lacks a feature or holds values of another type.

    The values themselves may lie outside the schema's bounds and categories: real data does. More
    columns than the schema's are allowed.
    """
    columns = {str(column): position for position, column in enumerate(frame.columns)}
    missing = [name for name in schema.names if name not in columns]
    if missing:
        raise InvalidSample(
            f"The sample lacks {_listed(missing)}.", hint=f"Its columns are: {_listed(list(columns))}."
        )
    for field in schema.features:
        values = frame.iloc[:, columns[field.name]].dropna()
        fault = _first_unlike(field.type, values)
        if fault is not None:
            raise InvalidSample(
                f"Column {field.name!r} should be of type {field.type} but holds {str(fault)[:60]!r}.",
                hint="Correct the value, or the feature's type in the schema.",
                field=field.name,
            )


# --- parsing -----------------------------------------------------------------------------------

_EXAMPLE = 'Write it as {"features": [{"name": "age", "type": "integer", "min": 18, "max": 90}]}.'


def _json(data: bytes | str) -> Any:
    try:
        return bounded_json.parse(
            data, max_bytes=MAX_SCHEMA_BYTES, max_depth=MAX_DEPTH, max_tokens=MAX_TOKENS
        )
    except json.JSONDecodeError as error:
        raise InvalidSchema(
            f"The schema is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.",
            hint=_EXAMPLE,
        ) from None
    except UnicodeDecodeError:
        raise InvalidSchema("The schema is not JSON text in UTF-8.", hint=_EXAMPLE) from None
    except ValueError as error:
        raise InvalidSchema(f"The schema cannot be read: {error}.", hint=_EXAMPLE) from None


def _refuse_many_keys(subject: str, value: Any) -> None:
    if isinstance(value, Mapping) and len(value) > MOST_KEYS:
        raise InvalidSchema(f"{subject} has {len(value):,} keys.", hint=_EXAMPLE)


def _refuse_non_finite(feature: Any, position: int) -> None:
    """JSON parsers let NaN and 1e999 through, and `Figure` would turn them into 'not given'."""
    for key, value in feature.items() if isinstance(feature, Mapping) else ():
        values = value if isinstance(value, list | tuple) else [value]
        if any(isinstance(v, float) and not math.isfinite(v) for v in values):
            raise InvalidSchema(
                f"{_label(feature, position)}: {key} is not a finite number.",
                hint="Leave it out, or write a number.",
                field=_field_name(feature),
            )


def _readable(error: ValidationError, features: Any) -> InvalidSchema:
    """Pydantic's list of errors as one sentence about the first, with the count of the others."""
    # A list whose items all failed also counts as too short: that is no problem of its own.
    found = error.errors(include_url=False)
    errors = [e for e in found if e["type"] != "too_short" or len(found) == 1]
    first, place = errors[0], errors[0]["loc"]
    inside = len(place) > 1 and place[0] == "features" and isinstance(place[1], int)
    feature = features[int(place[1])] if inside and isinstance(features, list | tuple) else None
    key = str(place[2]) if inside and len(place) > 2 else str(place[0]) if place and not inside else ""
    message, hint = _explained(first["type"], key, first.get("input"), first["msg"], inside)
    subject = _label(feature, int(place[1])) if inside else "The schema"
    others = len({e["loc"][:3] for e in errors}) - 1
    more = f" ({others} more {'problem' if others == 1 else 'problems'})" if others else ""
    return InvalidSchema(f"{subject}: {message}{more}.", hint=hint, field=_field_name(feature) or key or None)


def _explained(kind: str, key: str, value: Any, message: str, inside: bool) -> tuple[str, str]:
    shown = repr(value)[:60]
    keys = _listed(list(FieldSpec.model_fields)) if inside else "features, complete"
    choices = {"type": FeatureType, "distribution": Distribution, "origin": Origin}
    if kind == "extra_forbidden":
        return f"unknown key {key!r}", f"Allowed keys are: {keys}."
    if kind == "literal_error" and key in choices:
        return f"unknown {key} {shown}", f"Allowed are: {', '.join(get_args(choices[key]))}."
    if kind == "missing":
        return f"{key} is missing", "Every feature needs at least a name."
    if kind == "value_error":
        what, _, remedy = message.removeprefix("Value error, ").partition("; ")
        return what, f"{remedy[:1].upper()}{remedy[1:]}." if remedy else ""
    if key in ("min", "max"):
        return f"{key} is {shown}, not a number or a date", "Write a number, or an ISO 8601 date in quotes."
    if kind in ("model_type", "dict_type"):
        return f"it is {shown}, not an object", _EXAMPLE
    return f"{key} is {shown}: {message[:1].lower()}{message[1:]}", "Correct the value or leave it out."


def _field_name(feature: Any) -> str | None:
    name = feature.get("name") if isinstance(feature, Mapping) else None
    return name[:MAX_NAME] if isinstance(name, str) and name else None


def _label(feature: Any, position: int) -> str:
    name = _field_name(feature)
    return f"Feature {name!r}" if name else f"Feature number {position + 1}"


# --- inference ---------------------------------------------------------------------------------


def _fields(names: Sequence[str], frame: pd.DataFrame, texts: Collection[str]) -> Iterator[FieldSpec]:
    """One field a column. Numbers and dates are looked at many columns at once, the others one by one."""
    quantiles = len(names) <= MAX_WITH_QUANTILES
    known = numbers_of_columns(frame, quantiles)
    known |= dates_of_columns(frame, [p for p in text_positions(frame) if names[p] not in texts])
    others = [position for position, name in enumerate(names) if position not in known or name in texts]
    rest = (column for _, column in frame.iloc[:, others].items())
    for position, name in enumerate(names):
        check()
        if name not in texts and position in known:
            yield _field(name, *known[position])
            continue
        column = next(rest)
        lacking = np.asarray(column.array.isna())
        missing = float(lacking.mean())
        present = column[~lacking] if missing else column
        if name in texts:
            yield _field(name, missing, _text_figures(present))
            continue
        try:
            figures = _figures(present, missing > 0, quantiles) if len(present) else {}
        except TypeError:  # unhashable: lists or objects out of a Parquet file
            raise InvalidSample(
                f"Column {name!r} of the sample holds lists or objects.",
                hint="Remove it, or make it plain values.",
            ) from None
        yield _field(name, missing, figures)


def _field(name: str, missing: float, figures: dict[str, Any]) -> FieldSpec:
    share = min(missing, ALL_MISSING_SHARE)
    try:
        return FieldSpec(name=name, origin="sample", nullable=missing > 0, missing_share=share, **figures)
    except ValidationError as error:
        problem = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise InvalidSample(f"Column {name[:60]!r} of the sample cannot be used: {problem}.") from None


def _figures(present: "pd.Series[Any]", holes: bool, quantiles: bool) -> dict[str, Any]:
    """What the values that are present say about type and range; `holes`: others are missing."""
    kind = pd.api.types.infer_dtype(present)
    if kind == "boolean" or _all_booleans(present.dtype):
        return {"type": "boolean", "mean": float(present.astype(bool).mean())}
    if kind in ("integer", "floating", "mixed-integer-float", "decimal"):
        values = np.asarray(present, dtype=np.float64)
        # NumPy has no missing integer: pandas turns whole numbers with holes into floats.
        whole = kind == "integer" or (holes and bool(np.all(values == np.rint(values))))
        return number_figures(values[None], np.array([whole]), quantiles)[0]
    if kind in ("datetime64", "datetime", "date"):
        return date_figures(pd.to_datetime(present))
    if kind == "string" and present.dtype == object:
        dates = dates_of_columns(present.astype("str").to_frame(), [0])
        if dates:
            return dates[0][1]
    return _category_figures(present, all_texts=kind == "string")


def _all_booleans(dtype: Any) -> bool:
    return isinstance(dtype, pd.CategoricalDtype) and pd.api.types.infer_dtype(dtype.categories) == "boolean"


def _category_figures(present: "pd.Series[Any]", all_texts: bool) -> dict[str, Any]:
    """The most frequent values with their shares; ties in order of appearance."""
    if isinstance(present.dtype, pd.CategoricalDtype):
        present = present.astype(present.dtype.categories.dtype)
    values: Sequence[Any]
    counts: Sequence[int]
    if pd.api.types.is_numeric_dtype(present.dtype):
        counted = present.value_counts(sort=True).head(CATEGORIES_KEPT)
        values, counts = counted.index.tolist(), counted.tolist()
    else:  # not by pandas, which holds a column of texts three times meanwhile
        counts_of = Counter(present.tolist()) if all_texts and len(present) <= COUNTED_AT_ONCE else None
        if counts_of is None or max(map(len, counts_of)) > MAX_CATEGORY:
            counts_of = Counter(map(_category, present))
        most = counts_of.most_common(CATEGORIES_KEPT)
        values, counts = zip(*most, strict=True)
    shares = np.array(counts, dtype=np.float64) / sum(counts)
    return {"type": "category", "categories": tuple(values), "weights": tuple(shares.tolist())}


def _text_figures(present: "pd.Series[Any]") -> dict[str, Any]:
    """The commonest words with their shares, and how many words a text has."""
    counted: Counter[str] = Counter()
    lengths = []
    for value in present:
        check()
        words = words_of(str(value))
        lengths.append(len(words))
        counted.update(known_as(word)[:MAX_CATEGORY] for word in words)
    most = [(clean(word), count) for word, count in counted.most_common(WORDS_KEPT)]
    kept = {word: count for word, count in most if word.strip()}
    if not kept:
        return {"type": "text"}
    total = sum(kept.values())
    figures = number_figures(np.asarray([lengths], dtype=np.float64), np.array([True]))[0]
    return {
        "type": "text",
        "categories": tuple(kept),
        "weights": tuple(float(f"{count / total:.4g}") for count in kept.values()),
        **{key: figures[key] for key in ("min", "max", "mean", "std")},
    }


def _category(value: Any) -> str:
    if isinstance(value, list | dict | set | np.ndarray):
        raise TypeError("not a plain value")
    return str(value)[:MAX_CATEGORY]


# --- combining and checking ----------------------------------------------------------------------


def _renamed(model: Schema, names: Sequence[str]) -> Schema:
    pairs = zip(model.features, names, strict=True)
    return Schema(features=tuple(field.model_copy(update={"name": name}) for field, name in pairs))


def _merge(candidates: Sequence[FieldSpec]) -> FieldSpec:
    """The first candidate, its gaps filled from the next ones."""
    first, others = candidates[0], candidates[1:]
    is_flag = first.type == "boolean" or (first.min, first.max) == (0, 1)
    group = next((other.group for other in others if other.group is not None), None)
    if first.group is None and group is not None and is_flag:
        first = first.model_copy(update={"group": group})
    if others and first == FieldSpec(name=first.name, origin=first.origin, group=first.group):
        return _merge(others)
    words_of_model = first.type == "text" and first.origin == "sample"
    if first.type in ("category", "text") and (not first.categories or words_of_model):
        for other in others:
            if other.type == first.type and other.categories:
                return first.model_copy(update={"categories": other.categories, "weights": other.weights})
    return first


def _first_unlike(kind: FeatureType, values: "pd.Series[Any]") -> Any:
    """The first value that is not of the type, or None. Any value can be a category."""
    if kind in ("category", "text") or not len(values):
        return None
    if kind == "datetime":
        unlike = pd.to_datetime(values, errors="coerce", utc=True, format="mixed").isna()
        unlike |= pd.api.types.is_numeric_dtype(values.dtype)
    elif kind == "boolean":
        unlike = ~values.isin([True, False])
    else:
        numbers = pd.to_numeric(values, errors="coerce")
        unlike = numbers.isna() | ((numbers % 1 != 0) if kind == "integer" else False)
    return values[unlike.to_numpy()].iloc[0] if unlike.any() else None


def _the_features(names: Sequence[str]) -> str:
    return f"Feature {names[0]!r} is" if len(names) == 1 else f"Features {_listed(names)} are"


def _listed(names: Sequence[str], limit: int = 10) -> str:
    shown = ", ".join(repr(name[:60]) for name in names[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown
