"""Which columns of texts are dates, many at once, and from when to when they are.

Promises: a column is of dates when every value is ISO 8601, all with an offset or all without. Leaves the
types to `schema_utils`.
"""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from rows.blocks import TextBlock, arrays_at, text_blocks

__all__ = ["date_figures", "dates_of_columns"]

ISO_DATE = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
)
ISO_OFFSET = re.compile(r"[T ].*(?:Z|[+-]\d{2}:?\d{2})$")
LEAST_AWARE, LEAST_FINE = len("2024-01-31T12:00Z"), len("2024-01-31T12:00:00.1234567")
FINE = re.compile(
    r"\.\d{7}"
)  # pandas then counts in nanoseconds, which do not reach as far: not beside others
DAY_IN = {unit: 86_400 * 10**power for unit, power in (("s", 0), ("ms", 3), ("us", 6), ("ns", 9))}


def dates_of_columns(
    frame: pd.DataFrame, positions: Sequence[int]
) -> dict[int, tuple[float, dict[str, Any]]]:
    """By position, of those columns of texts that hold dates: the share that is missing, and the figures."""
    found: dict[int, tuple[float, dict[str, Any]]] = {}
    # The first tells of nearly every column that it holds none, at a hundredth of the cost.
    for block in text_blocks(frame, _begin_with_dates(frame, positions)):
        dates = block.only(
            block.every(np.array([ISO_DATE.fullmatch(text) is not None for text in block.texts]))
        )
        if dates is None:
            continue
        aware = np.array([len(t) >= LEAST_AWARE and ISO_OFFSET.search(t) is not None for t in dates.texts])
        fine = dates.some(
            np.array([len(t) >= LEAST_FINE and FINE.search(t) is not None for t in dates.texts])
        )
        for kept, utc in ((dates.every(aware), True), (~dates.some(aware), False)):
            if (coarse := dates.only(kept & ~fine)) is not None:
                found |= _figures(coarse, utc)
            for place in np.flatnonzero(kept & fine).tolist():
                one = dates.only(np.arange(len(kept)) == place)
                found |= _figures(one, utc) if one is not None else {}
    return found


def date_figures(dates: "pd.Series[Any]") -> dict[str, Any]:
    """Plain days when no value has a time of day, so that generated values have none either."""
    low, high = pd.Timestamp(dates.min()), pd.Timestamp(dates.max())
    return _told(low, high, low.tzinfo is None and bool((dates == dates.dt.normalize()).all()))


def _begin_with_dates(frame: pd.DataFrame, positions: Sequence[int]) -> list[int]:
    """Of some columns of texts those whose first value is a date."""
    if not positions or frame.empty:
        return []
    part = frame.iloc[:, list(positions)]
    firsts = part.iloc[0].tolist()
    gaps = [place for place, first in enumerate(firsts) if not isinstance(first, str)]
    for place, column in zip(gaps, arrays_at(part, gaps), strict=True):
        firsts[place] = next((text for text in column if isinstance(text, str)), "")
    return [at for at, first in zip(positions, firsts, strict=True) if ISO_DATE.fullmatch(first)]


def _figures(block: TextBlock, utc: bool) -> dict[int, tuple[float, dict[str, Any]]]:
    texts = pd.Series(block.texts, dtype="str")
    dates = pd.to_datetime(texts, format="ISO8601", errors="coerce", utc=utc)
    are_dates = block.every(dates.notna().to_numpy())
    plain = pd.DatetimeIndex(dates).tz_localize(None)
    units = plain.to_numpy().view(np.int64)
    days = ~block.some(units % DAY_IN[plain.unit] != 0) & (not utc)
    ends = (
        pd.DatetimeIndex(reduced.view(f"M8[{plain.unit}]")).tz_localize("UTC" if utc else None)
        for reduced in (np.minimum.reduceat(units, block.starts), np.maximum.reduceat(units, block.starts))
    )
    found = {}
    for place, (low, high) in enumerate(zip(*ends, strict=True)):
        if are_dates[place]:
            missing = float((~block.present[place]).mean())
            found[block.positions[place]] = (missing, _told(low, high, bool(days[place])))
    return found


def _told(low: pd.Timestamp, high: pd.Timestamp, days: bool) -> dict[str, Any]:
    texts = [
        day.date().isoformat() if days else day.isoformat(timespec="microseconds") for day in (low, high)
    ]
    return {"type": "datetime", "min": texts[0], "max": texts[1]}
