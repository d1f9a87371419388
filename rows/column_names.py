"""What a column's name tells of its values, where nobody else tells anything: modest ranges by common words.

Promises: never over a fact of the model, the sample or the user; what is told so is marked origin "name". The
ranges are ordinary ones of public tables, for rows that could be real, and no claim about anybody's data.
"""

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from records.schema import FieldSpec

__all__ = ["NAMED", "Named", "named", "with_names"]


class Named(NamedTuple):
    """One line of the table: the first whose words are in a name counts. first: as the name's first word
    only.

    words: alternatives; one with a space needs all of its words.
    """

    words: tuple[str, ...]
    figures: dict[str, Any]
    first: bool = False


def _whole(low: int, high: int, mean: float | None = None, std: float | None = None) -> dict[str, Any]:
    return {"type": "integer", "min": low, "max": high, "mean": mean, "std": std}


def _real(
    low: float, high: float | None, mean: float | None = None, std: float | None = None
) -> dict[str, Any]:
    return {"min": low, "max": high, "mean": mean, "std": std}


def _skewed(mean: float, std: float) -> dict[str, Any]:
    return {"min": 0, "mean": mean, "std": std, "distribution": "lognormal"}


FLAG = {"type": "integer", "min": 0, "max": 1, "mean": 0.5}

NAMED: tuple[Named, ...] = (
    Named(("is", "has", "had", "was", "can", "did", "does", "uses", "allows"), FLAG, first=True),
    Named(("flag", "indicator", "sex", "gender", "smoker", "married", "exang", "fbs"), FLAG),
    Named(("credit score", "fico"), _whole(300, 850, 680, 80)),
    Named(("interest rate", "int rate"), _real(0, 30, 10, 5)),
    Named(("heart rate", "bpm", "pulse", "thalach"), _whole(40, 200, 100, 30)),
    Named(("blood pressure", "bp", "trestbps", "systolic", "diastolic"), _whole(60, 200, 125, 20)),
    Named(("day week", "dayofweek", "weekday", "dow"), _whole(0, 6)),
    Named(("loan amount", "loan amnt", "credit amount"), _skewed(15_000, 10_000)),
    Named(("credit limit", "limit bal"), _skewed(10_000, 8_000)),
    Named(("wind speed", "windspeed"), _real(0, 40, 5, 4)),
    Named(("hour day",), _whole(0, 23)),
    Named(("year built", "yearbuilt", "yr built"), _whole(1900, 2025, 1975, 28)),
    # Shares and percentages
    Named(("pct", "percent", "percentage", "humidity"), _real(0, 100, 50, 22)),
    Named(("ratio", "share", "prob", "probability", "proportion", "fraction", "rate"), _real(0, 1)),
    # Dates and times
    Named(("year", "yr"), _whole(1990, 2025)),
    Named(("quarter",), _whole(1, 4)),
    Named(("month",), _whole(1, 12)),
    Named(("week",), _whole(1, 52)),
    Named(("day",), _whole(1, 31)),
    Named(("hour", "hr"), _whole(0, 23)),
    Named(("minute", "second"), _whole(0, 59)),
    Named(("years", "experience"), _real(0, 45, 9, 8)),
    Named(("months", "tenure"), _whole(0, 72, 28, 20)),
    Named(("days",), _whole(0, 365, 60, 60)),
    Named(("hours",), _real(0, 80, 25, 15)),
    Named(("duration", "minutes", "seconds", "time"), _skewed(60, 60)),
    # People
    Named(("age",), _whole(0, 100, 40, 16)),
    Named(("pclass",), _whole(1, 3, 2.3, 0.8)),
    Named(("sibsp", "parch", "dependents", "children", "kids"), _whole(0, 8, 0.8, 1.1)),
    Named(("pregnancies",), _whole(0, 15, 3.5, 3)),
    Named(("bmi",), _real(12, 60, 27, 6)),
    Named(("glucose", "sugar"), _real(50, 300, 115, 32)),
    Named(("cholesterol", "chol"), _real(100, 450, 220, 48)),
    Named(("insulin",), _skewed(80, 90)),
    Named(("pedigree",), _real(0, 2.5, 0.5, 0.33)),
    Named(("hemoglobin", "haemoglobin"), _real(5, 20, 13.5, 2)),
    Named(("creatinine",), _skewed(1.1, 0.6)),
    Named(("height",), _real(50, 230, 168, 12)),
    Named(("weight",), _real(2, 200, 72, 16)),
    Named(("cgpa",), _real(0, 10, 7.5, 1)),
    Named(("gpa",), _real(0, 4, 3, 0.5)),
    # Money
    Named(("salary", "income", "wage", "revenue"), _skewed(50_000, 30_000)),
    Named(("price", "cost", "amount", "fee", "fare", "payment", "spend", "bill"), _skewed(100, 120)),
    Named(("charge", "charges"), _skewed(100, 120)),
    Named(("premium",), _skewed(500, 400)),
    Named(("balance",), {"mean": 2_000, "std": 4_000}),
    # Places, houses, vehicles, weather
    Named(("lat", "latitude"), _real(-90, 90)),
    Named(("lon", "lng", "longitude"), _real(-180, 180)),
    Named(("zip", "zipcode", "pincode", "postcode"), _whole(10_000, 99_999)),
    Named(("bedrooms", "bathrooms", "rooms", "bhk", "floors", "stories"), _whole(0, 10, 3, 1.2)),
    Named(("sqft", "area"), _skewed(1_500, 900)),
    Named(("mileage", "odometer", "kms"), _skewed(50_000, 40_000)),
    Named(("distance", "km", "miles"), _skewed(10, 10)),
    Named(("speed",), _real(0, 200, 50, 25)),
    Named(("temperature", "temp"), _real(-40, 50, 18, 9)),
    Named(("rain", "rainfall", "precipitation"), _skewed(3, 6)),
    Named(("pressure",), _real(950, 1_060, 1_013, 9)),
    # Measures and counts
    Named(("ph",), _real(0, 14, 7, 1)),
    Named(("rating", "stars"), _real(1, 5, 3.6, 0.9)),
    Named(("score",), _real(0, 100, 62, 18)),
    Named(("length", "width", "depth", "thickness", "radius", "diameter"), _skewed(5, 3)),
    Named(("count", "cnt", "num", "number", "quantity", "qty", "nb", "visits"), _whole(0, 100, 4, 4)),
)  # fmt: skip


def named(name: str) -> dict[str, Any] | None:
    """What the table says of a name: by its first word, by two of its words, else by its last one.

    >>> named("total_day_charge")["distribution"], named("is_new")["max"], named("petal_colour")
    ('lognormal', 1, None)
    """
    words = _words(name)
    for line in NAMED:
        for wanted in line.words:
            is_met = wanted == words[0] and len(words) > 1 if line.first else " " in wanted
            if is_met and set(wanted.split()) <= set(words):
                return _given(line)
    for word in reversed(words):
        for line in NAMED:
            if word in line.words and not line.first:
                return _given(line)
    return None


def _given(line: Named) -> dict[str, Any]:
    return {key: value for key, value in line.figures.items() if value is not None}


def with_names(fields: Sequence[FieldSpec]) -> Iterator[FieldSpec]:
    """The fields, those of which nothing is known by their names; of whole numbers the names bound the low
    end.

    A field whose mean a model knows keeps it and its origin: only a count's lowest value, which no one
    tells, is the name's.
    """
    for field in fields:
        told = named(field.name) if field.is_unknown or _is_open(field) else None
        if told is None:
            yield field
        elif field.is_unknown:
            kind = {"type": "integer"} if field.type == "integer" else {}
            yield FieldSpec(
                **({"name": field.name, "nullable": field.nullable, "origin": "name"} | told | kind)
            )
        else:
            low, mean = told.get("min", math.inf), -math.inf if field.mean is None else field.mean
            yield field.model_copy(update={"min": float(low)}) if mean >= low else field


def _is_open(field: FieldSpec) -> bool:
    """A number with a mean and without ends."""
    ends = (field.min, field.max, field.quantiles)
    return field.origin == "model" and field.type in ("number", "integer") and ends == (None,) * 3


def _words(name: str) -> list[str]:
    """Lower-case words: parted by anything but letters and digits, and where capitals begin."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", re.sub(r"^[A-Za-z0-9]+__(?=.)", "", name))
    return re.findall(r"[a-z]+", apart.lower()) or [""]
