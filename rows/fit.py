"""Where a schema contradicts what the model says of its input, told before any row is made.

Promises: only what the model would certainly reject is refused, with the feature named. Leaves what a
model remembers to `mining.schema`.
"""

from collections.abc import Sequence
from difflib import get_close_matches

from errors import InvalidSchema
from records.model import ModelInfo
from records.schema import FieldSpec, Schema, is_nameless, is_placeholder

__all__ = ["check_agrees", "check_fits_model", "looks_unscaled"]

NUMERIC = ("number", "integer")
SCALED_WITHIN = 6.0  # standard deviations: where what a scaler gave ends
MOST_GUESSED, MOST_COMPARED = 20, 2_000  # names: all of 10,000 with all would take hours
FAR_OUTSIDE = 5.0  # times as far from 0 as the model's own bounds


def check_fits_model(schema: Schema, info: ModelInfo) -> None:
    """Raises InvalidSchema naming the features that the model lacks or that are missing for it.

    A model without names is only held to its number of features; one that knows neither fits any
    schema. The order may differ.
    """
    names = schema.names
    if info.features and not is_placeholder(info.features, ("Column_",)):
        given, taken = set(names), set(info.features)  # once: made anew for each name it cost the square
        missing = [name for name in info.features if name not in given]
        extra = [name for name in names if name not in taken]
        parts = [f"the model takes {_shown(missing)}, which is missing"] if missing else []
        parts += [f"the model does not take {_shown(extra)}"] if extra else []
        if parts:
            raise InvalidSchema(
                f"The schema does not fit the model: {'; '.join(parts)}.",
                hint=_how_to_fit(extra, info.features),
                field=(missing + extra)[0],
            )
    elif info.n_features is not None and info.n_features != len(names):
        raise InvalidSchema(
            f"The model takes {info.n_features} features, the schema has {len(names)}: {_shown(names)}.",
            hint="List exactly the columns the model was fitted on, in that order, without the label.",
            field="features",
        )


def check_agrees(schema: Schema, mined: Schema | None) -> None:
    """Raises InvalidSchema for a feature whose values the model's own encoders or numbers cannot take.

    Refused are: categories that a closed list (`FieldSpec.closed`) lacks, or of a sample, which may hold rare
    new ones, when all are lacking; numbers, booleans and dates where the list holds texts only; whole
    numbers that the list has none of; texts that are no numbers, and dates among other features, where the
    model calculates with the values. A feature of which the model knows nothing agrees with everything.
    """
    if mined is None:
        return
    own = {field.name: field for field in mined.features}
    if is_nameless(mined.names) and not set(own) & set(schema.names):
        if len(own) != len(schema.features):
            return
        own = dict(zip(schema.names, mined.features, strict=True))
    all_dates = all(field.type == "datetime" for field in schema.features)
    for field in schema.features:
        known = own.get(field.name)
        if known is None or field.origin == "model" or known.origin == "name":
            continue
        if known.type == "text" and field.type not in ("text", "category"):
            raise InvalidSchema(
                f"The schema does not fit the model: feature {field.name[:60]!r} is of type {field.type}, "
                "and the model reads it as a text.",
                hint="Set the type to text, or send the column with the texts themselves.",
                field=field.name,
            )
        fault, hint = (
            _against_list(field, known) if known.closed else _against_numbers(field, known, all_dates)
        )
        if fault:
            raise InvalidSchema(
                f"The schema does not fit the model: feature {field.name[:60]!r} {fault}.",
                hint=hint,
                field=field.name,
            )


def looks_unscaled(sample: Schema | None, mined: Schema | None) -> str | None:
    """A hint that the model was fitted behind a scaler and the sample holds raw values; None where not.

    A scaler leaves numbers around 0, a few units wide and not whole. Told where half of the columns that can
    be compared, or more, have such bounds in the model and typical values in the sample far outside of them.
    """
    if sample is None or mined is None:
        return None
    own = {field.name: field for field in mined.features}
    if is_placeholder(mined.names) and len(mined.features) == len(sample.features):
        own = dict(zip(sample.names, mined.features, strict=True))
    compared = scaled = 0
    for field in sample.features:
        known = own.get(field.name)
        if known is None or known.origin != "model" or known.type != "number" or field.mean is None:
            continue
        if not (isinstance(known.min, int | float) and isinstance(known.max, int | float)):
            continue
        compared += 1
        width = max(abs(known.min), abs(known.max))
        around = known.min < 0 < known.max and width <= SCALED_WITHIN
        scaled += around and abs(field.mean) > FAR_OUTSIDE * width
    if not scaled or 2 * scaled < compared:
        return None
    return (
        f"A scaler may be missing: in {scaled} of {compared} columns the model knows values within a few "
        "units of 0, and the sample's lie far outside. Send the scaler beside the model, as a preprocessor."
    )


def _how_to_fit(extra: Sequence[str], features: Sequence[str]) -> str:
    """A name that was most likely meant for another; else which names there are."""
    for name in extra[:MOST_GUESSED]:
        near = get_close_matches(name, features[:MOST_COMPARED], n=1, cutoff=0.8)
        if near:
            return f"Did you mean {near[0]!r} by {name[:60]!r}? Correct it in the schema or the sample."
    also = " Leave the others out; name a label column as the target." if extra else ""
    return f"The model was fitted on {_shown(features)}.{also}"


def _against_list(field: FieldSpec, known: FieldSpec) -> tuple[str, str]:
    """What is wrong with a feature whose values the model knows completely; two empty texts for nothing."""
    listed = known.categories or ()
    allowed = f"The model was fitted on {_shown(listed)} and rejects all else."
    if field.type == "category":
        values = field.categories or ()
        lacking = [value for value in values if not _has(listed, value)]
        if lacking and (field.origin == "user" or len(lacking) == len(values)):
            return f"has the category {lacking[0]!r}, which the model's encoder rejects", allowed
    elif field.type == "datetime" or all(isinstance(value, str) for value in listed):
        return f"is of type {field.type}, and the model takes categories", allowed
    elif field.type == "integer" and field.min is not None and field.max is not None:
        numbers = [float(value) for value in listed if not isinstance(value, str)]
        if not any(float(field.min) <= number <= float(field.max) for number in numbers):
            return "has only whole numbers that the model's encoder rejects", allowed
    return "", ""


def _against_numbers(field: FieldSpec, known: FieldSpec, all_dates: bool) -> tuple[str, str]:
    """What is wrong with a feature that the model calculates with; two empty texts for nothing."""
    figures = (known.min, known.max, known.mean, known.std)
    if known.type not in NUMERIC or all(figure is None for figure in figures):
        return "", ""
    hint = "The model was fitted on numbers: set the type to number or integer."
    if field.type == "datetime" and not all_dates:
        return "is of type datetime, and the model calculates with its values", hint
    texts = [v for v in field.categories or () if isinstance(v, str) and not _is_number(v)]
    if texts and (field.origin == "user" or len(texts) == len(field.categories or ())):
        return f"has the category {texts[0][:60]!r}, and the model calculates with its values", hint
    return "", ""


def _has(listed: tuple[str | int | float | bool, ...], value: str | int | float | bool) -> bool:
    """Equal as the encoders compare: 1 and 1.0 and True are, 1 and "1" are not."""
    return any(value == other and isinstance(value, str) == isinstance(other, str) for other in listed)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _shown(values: Sequence[str | int | float | bool], limit: int = 10) -> str:
    shown = ", ".join(repr(value)[:60] for value in values[:limit])
    return f"{shown} and {len(values) - limit} more" if len(values) > limit else shown
