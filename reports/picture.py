"""The verdict as a picture for a chat, drawn without a browser.

Promises: `described` says in words all that the picture shows, and is kept in the file for readers who
cannot see it. Leaves what decides to `reports.deciding`.
"""

import io
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from records.checks import Check
from records.run import RunReport
from reports.deciding import VERDICTS, Deciding, deciding
from reports.figures import key_figures
from reports.findings import kind_of, sentences_of
from reports.words import STATUSES, writable

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

__all__ = ["GAUGE", "HEIGHT", "TONES", "WIDTH", "described", "place_on", "to_png"]

WIDTH, HEIGHT = 1200, 630  # what chats and feeds show whole
_TONES = {"green": "#1a7f4b", "amber": "#96620a", "red": "#b3261e", "violet": "#7a3ea1", "grey": "#5b6673"}
TONES = {
    **dict.fromkeys(("passed", "pass"), _TONES["green"]),
    **dict.fromkeys(("warned", "warn"), _TONES["amber"]),
    **dict.fromkeys(("failed", "fail"), _TONES["red"]),
    "error": _TONES["violet"],
    **dict.fromkeys(("cancelled", "measured", "not_applicable"), _TONES["grey"]),
}
INK, SOFT, LINE, PAGE = "#1b2430", "#556070", "#dfe3e8", "#ffffff"
LEFT, RIGHT = 64, WIDTH - 48
GAUGE = (820, 1140)  # pixels between which a check's figure and limit are drawn
MOST_TILES = 4
FIRST_ROW, ROW = 206, 82
MOST_ROWS = 3
TILES = {  # what a tile is headed with
    "Single-row latency, p50 / p95": "Latency, p50 / p95",
    "Time a call, relative to the baseline": "Time against baseline",
    "Largest share of changed answers under drift": "Changed under drift",
    "Accuracy": "Accuracy",
    "R2": "R2",
    "Error rate": "Error rate",
    "Throughput": "Throughput",
}
# Tried where the font that is always there lacks a letter of a name.
WIDER_FONTS = ("DejaVuSans.ttf", "LiberationSans-Regular.ttf", "NotoSans-Regular.ttf", "Arial.ttf")


@dataclass(frozen=True)
class Scale:
    """Figures along a line: `low` and `high` are at its ends."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """Share of the line from its left end; what lies outside is at an end."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))


def described(report: RunReport) -> str:
    """What the picture shows, in words."""
    told = [f"{VERDICTS[report.status]}: {report.name}.", f"{report.model.name}, {kind_of(report.model)}."]
    told += [
        f"{row.status}: {row.title}{', ' if row.title and row.detail else ''}{row.detail.rstrip('.')}."
        for row in _rows(report)
    ]
    told += [f"{title}: {value}." for title, value in _tiles(report)]
    return writable(" ".join(" ".join(told).split()))


def place_on(check: Check) -> Scale | None:
    """The scale of a check's gauge: figure, interval and limit with room beside them; None without both."""
    if check.value is None or check.threshold is None:
        return None
    known = [check.value, check.threshold, *(end for end in check.interval or () if end is not None)]
    room = (max(known) - min(known)) * 0.2 or abs(check.value) * 0.2 or 1.0
    return Scale(min(known) - room, max(known) + room)


def to_png(report: RunReport) -> bytes:
    """The picture, 1200 x 630 pixels."""
    from PIL import Image, ImageDraw  # not before the first picture
    from PIL.PngImagePlugin import PngInfo

    image = Image.new("RGB", (WIDTH, HEIGHT), PAGE)
    draw = ImageDraw.Draw(image)
    tone = TONES[report.status]
    draw.rectangle((0, 0, 23, HEIGHT), fill=tone)
    _text(draw, (LEFT, 36), VERDICTS[report.status], 54, tone)
    _text(draw, (LEFT, 108), report.name, 36, INK, RIGHT - LEFT)
    _text(draw, (LEFT, 158), f"{report.model.name}: {kind_of(report.model)}", 22, SOFT, RIGHT - LEFT)
    for i, row in enumerate(_rows(report)):
        _draw_row(draw, FIRST_ROW + i * ROW, row)
    _draw_tiles(draw, _tiles(report))
    finished = report.finished_at.strftime("%Y-%m-%d %H:%M UTC")
    _text(draw, (LEFT, HEIGHT - 38), f"Model Monitoring Dashboard   {finished}   run {report.id}", 18, SOFT,
          RIGHT - LEFT)  # fmt: skip
    notes = PngInfo()
    notes.add_itxt("Description", described(report))
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True, pnginfo=notes)
    return out.getvalue()


def _tiles(report: RunReport) -> list[tuple[str, str]]:
    """The figures with a short heading; what stands in brackets behind them is left to the report."""
    found = dict(key_figures(report))
    told = [(short, found[title].partition(" (")[0]) for title, short in TILES.items() if title in found]
    return told[:MOST_TILES]


@dataclass(frozen=True)
class _Row:
    """A line of the picture: what stopped the run, or a check that decides."""

    status: str
    tone: str
    title: str
    detail: str
    check: Check | None = None


def _rows(report: RunReport) -> list[_Row]:
    causes = report.errors if report.status == "error" else ()
    rows = [_Row("Stopped", TONES["error"], sentences_of(e), "") for e in causes[:1]]
    rows += [
        _Row(STATUSES[d.check.status], TONES[d.check.status], d.title, _figures_of(d) or d.reason, d.check)
        for d in deciding(report)
    ]
    return rows[:MOST_ROWS]


def _figures_of(each: Deciding) -> str:
    interval = f"interval {each.interval}" if each.interval else ""
    return ", ".join(part for part in (each.figure, each.limit, interval) if part)


def _draw_row(draw: "ImageDraw", top: int, row: _Row) -> None:
    """Status and title, below them the figures, beside them a gauge."""
    draw.line((LEFT, top, RIGHT, top), fill=LINE, width=2)
    scale = place_on(row.check) if row.check else None
    room = (GAUGE[0] if scale else RIGHT) - LEFT - 150
    _text(draw, (LEFT, top + 12), row.status, 22, row.tone)
    _text(draw, (LEFT + 130, top + 12), row.title, 22, INK, room)
    _text(draw, (LEFT + 130, top + 44), row.detail, 22, SOFT, room)
    if scale is not None and row.check is not None:
        _draw_gauge(draw, top + ROW // 2, row.check, scale, row.tone)


def _draw_gauge(draw: "ImageDraw", middle: int, check: Check, scale: Scale, tone: str) -> None:
    """The limit as an upright line, the figure as a dot, its interval as a bar."""
    assert check.value is not None and check.threshold is not None
    width = GAUGE[1] - GAUGE[0]

    def at(value: float) -> float:
        return GAUGE[0] + width * scale.at(value)

    draw.line((GAUGE[0], middle, GAUGE[1], middle), fill=LINE, width=4)
    if check.interval is not None:
        low, high = check.interval
        ends = (GAUGE[0] if low is None else at(low), GAUGE[1] if high is None else at(high))
        draw.rectangle((ends[0], middle - 5, ends[1], middle + 5), fill=tone)
    limit = at(check.threshold)
    draw.line((limit, middle - 22, limit, middle + 22), fill=INK, width=3)
    x = at(check.value)
    draw.ellipse((x - 10, middle - 10, x + 10, middle + 10), fill=tone, outline=PAGE, width=2)


def _draw_tiles(draw: "ImageDraw", tiles: list[tuple[str, str]]) -> None:
    width = (RIGHT - LEFT) // MOST_TILES
    for i, (title, value) in enumerate(tiles):
        left, top = LEFT + i * width, HEIGHT - 156
        draw.rounded_rectangle((left, top, left + width - 16, top + 92), 10, outline=LINE, width=2)
        _text(draw, (left + 16, top + 14), title, 18, SOFT, width - 48)
        _text(draw, (left + 16, top + 46), value, 26, INK, width - 48)


def _text(
    draw: "ImageDraw", at: tuple[int, int], text: str, size: int, fill: str, width: float | None = None
) -> None:
    """One line, cut with dots where it is wider than `width` pixels."""
    text, font = _drawable(" ".join(writable(text).split()), size)
    if width is not None and font.getlength(text) > width:
        kept = len(text)
        while kept and font.getlength(text[:kept] + "...") > width:
            kept -= 1
        text = text[:kept].rstrip() + "..."
    draw.text(at, text, fill=fill, font=font)


def _drawable(text: str, size: int) -> tuple[str, "FreeTypeFont"]:
    """The text with a font that has its letters; where none has, without accents, and `?` for the rest."""
    fonts = _fonts(size)
    for font in fonts:
        if all(_has(font, letter) for letter in set(text)):
            return text, font
    font = fonts[-1]
    letters = [
        letter if _has(font, letter) else unicodedata.normalize("NFKD", letter)[:1].encode("ascii", "replace")
        .decode() for letter in text
    ]  # fmt: skip
    return "".join(letters), font


@lru_cache(maxsize=64)
def _fonts(size: int) -> "tuple[FreeTypeFont, ...]":
    from PIL import ImageFont

    first = ImageFont.load_default(size)
    assert isinstance(first, ImageFont.FreeTypeFont)
    found = [first]
    for name in WIDER_FONTS:
        try:
            found.append(ImageFont.truetype(name, size))
        except OSError:
            continue
        break
    return tuple(found)


@lru_cache(maxsize=4096)
def _has(font: "FreeTypeFont", letter: str) -> bool:
    def drawn(of: str) -> tuple[tuple[int, int], bytes]:
        mask = font.getmask(of)
        return mask.size, bytes(mask)

    return letter == " " or drawn(letter) != drawn("\uffff")
