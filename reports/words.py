"""Figures and names as every door says them: numbers with units, intervals, simulated shifts.

Promises: one wording for each thing, in a page, an export and a check's reason. Leaves markup to those who
ask; a page narrows the blanks.
"""

import re
from collections.abc import Iterable
from typing import Any

from records.drift import BreakingPoint
from records.robustness import Behaviour

__all__ = [
    "NOT_MEASURED", "SHIFTS", "STATUSES", "between", "breaking_distance", "breaking_unit", "counted", "held",
    "in_texts", "number", "of_texts", "scenario", "scenario_of", "share", "three_digits", "under",
    "with_features", "writable",
]  # fmt: skip

NOT_MEASURED = "not measured"
SHIFTS = {
    "mean_shift": "Mean shift",
    "variance_scale": "Wider spread",
    "missing_values": "Missing values",
    "unseen_category": "Unseen category",
    "category_mix": "Category mix",
    "noise": "Noise",
    "quantile_shift": "Shift growing with rank",
    "correlated_shift": "Shift along the main axis",
    "segment_swap": "Swap between segments",
    "unknown_words": "Unknown words",
    "rare_words": "Rare words",
    "typos": "Typos",
    "upper_case": "Capitals",
    "text_length": "Text length",
}
SIZES = dict.fromkeys(("variance_scale", "text_length"), "x {:g}") | dict.fromkeys(
    ("mean_shift", "noise", "quantile_shift", "correlated_shift"), "{:g} sd"
)
# What XML 1.0 cannot hold, in any spelling: controls, surrogates, the two non-characters.
UNWRITABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
IN_TITLE = ("PSI", "AUC", "relative")  # units that a check's title says already
STATUSES = {
    "pass": "Passed",
    "warn": "Warning",
    "fail": "Failed",
    "error": "Not judged",
    "measured": "Measured",
    "not_applicable": "Does not apply",
}
ASKED_ABOUT = {
    "missing_column": "table",
    "wrong_type": "table",
    "empty_batch": "table",
    "extremes": "value",
    "infinities": "value",
    "outside_bounds": "bound",
}  # what a behaviour's `rows` count; rows where it does not stand here


def number(value: float | None, unit: str = "") -> str:
    """A figure in a sentence: up to three significant digits, shares in per cent.

    >>> number(4.3, "ms"), number(0.025, "share"), number(101_234, "rows/s"), number(1.5, "x")
    ('4.3 ms', '2.5 %', '101,234 rows/s', '1.5x')
    """
    if value is None:
        return NOT_MEASURED
    if unit == "share":
        return f"{value * 100:.3g} %"
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    if unit == "x":
        return f"{text}x"
    return text if unit in IN_TITLE else f"{text} {unit}".rstrip()


def share(value: float | None) -> str:
    return number(value, "share")


def three_digits(value: float) -> str:
    """A figure in a column or a tile: three significant digits, noughts at its end kept from 1 on.

    >>> three_digits(4.3), three_digits(101_234), three_digits(0.00001)
    ('4.30', '101,000', '1.00e-05')
    """
    if value == 0:
        return "0"
    rounded = float(f"{value:.3g}")
    if abs(rounded) >= 1e9 or abs(rounded) < 1e-4:
        return f"{value:.2e}"
    if abs(rounded) >= 100:
        return f"{rounded:,.0f}"
    return f"{rounded:#.3g}" if abs(rounded) >= 1 else f"{rounded:.3g}"


def counted(value: float, noun: str) -> str:
    """`1 row`, `1,000 rows`."""
    return f"{value:,.0f} {noun}{'' if value == 1 else 's'}"


def held(behaviour: Behaviour) -> str:
    """How many of what a behaviour was looked at on kept it.

    >>> held(Behaviour(name="row_order", title="", status="ok", failing_share=0.25, rows=200))
    '150 of 200 rows held'
    """
    of = counted(behaviour.rows, ASKED_ABOUT.get(behaviour.name, "row"))
    return f"{behaviour.rows * (1 - (behaviour.failing_share or 0.0)):,.0f} of {of} held"


def between(interval: tuple[float | None, float | None] | None, unit: str = "", *, open: str = "open") -> str:
    """`1.9 to 2.4`; an end that so few values cannot bound is called `open`."""
    if interval is None:
        return ""
    low, high = (open if end is None else number(end, unit) for end in interval)
    return f"{low} to {high}"


def scenario(kind: str, magnitude: float) -> str:
    """A simulated shift.

    >>> scenario("mean_shift", 0.5), scenario("variance_scale", 2), scenario("missing_values", 0.1)
    ('Mean shift 0.5 sd', 'Wider spread x 2', 'Missing values 10 %')
    """
    size = SIZES[kind].format(magnitude) if kind in SIZES else f"{magnitude * 100:g} %"
    return f"{SHIFTS.get(kind, kind)} {size}"


def scenario_of(key: str | None) -> str | None:
    """The shift that a report calls by its key; None where it names none.

    >>> scenario_of("mean_shift 0.5"), scenario_of(None)
    ('Mean shift 0.5 sd', None)
    """
    kind, _, magnitude = (key or "").rpartition(" ")
    return scenario(kind, float(magnitude)) if kind in SHIFTS else None


def under(key: str) -> str:
    """The same within a sentence.

    >>> under("mean_shift 1")
    'mean shift 1 sd'
    """
    name = scenario_of(key) or key.replace("_", " ")
    return name[:1].lower() + name[1:]


def with_features(shift: Any) -> str:
    """A simulated shift and the one feature, or how many, that it moves."""
    features = shift.features
    where = features[0] if len(features) == 1 else f"{len(features)} features"
    return f"{scenario(shift.kind, shift.magnitude)}, {where}"


def in_texts(kind: str) -> str:
    """A shift of texts within a sentence.

    >>> in_texts("unknown_words")
    'unknown words'
    """
    return SHIFTS.get(kind, kind).lower()


def of_texts(points: Iterable[BreakingPoint]) -> bool:
    """Whether any of them is of a text."""
    return any(point.kind != "mean_shift" for point in points)


def breaking_unit(point: BreakingPoint) -> str:
    """What a breaking point's figures are in: standard deviations, or shares of a text's words."""
    return "sd" if point.kind == "mean_shift" else "share"


def breaking_distance(point: BreakingPoint) -> str:
    """`0.44 sd up (95 % interval 0.31 to 0.52)`; an end that the search did not reach is open.

    Of a text `37 % typos (95 % interval 31 % to 44 %)`.
    """
    if point.assumed:
        return f"{breaking_distance(point.model_copy(update={'assumed': False}))}, of an assumed range"
    what, unit = f" {in_texts(point.kind)}", breaking_unit(point)
    if point.kind == "mean_shift":
        what = ""
    if point.not_searched:
        return "not searched"
    if point.magnitude is None:
        return f"none up to {number(point.searched_to, unit)}{what}"
    if what:
        text = f"{share(point.magnitude)}{what}"
        return f"{text} (95 % interval {between(point.distances, unit)})" if point.rows else text
    text = f"{number(abs(point.magnitude), 'sd')} {'up' if point.magnitude > 0 else 'down'}"
    # Intervals of older reports are those of the search alone.
    return f"{text} (95 % interval {between(point.distances)})" if point.rows else text


def writable(text: str) -> str:
    """Without what neither XML nor UTF-8 can carry."""
    return UNWRITABLE.sub("", text)
