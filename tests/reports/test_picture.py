"""The picture of a verdict: what it says, where its marks stand, and that any name can be drawn."""

import io
from typing import Any

import pytest
from PIL import Image

from records.checks import Check
from reports import picture
from reports.picture import GAUGE, HEIGHT, TONES, WIDTH, described, place_on, to_png
from tests.support.sample_reports import sample_report, stopped_report

BROKEN = Check(
    id="gate:x", title="metrics.load_ms <= 2", status="fail", value=2.8, threshold=2.0, unit="ms",
    interval=(2.5, 3.0), gate=True,
)  # fmt: skip


def drawn(report: Any) -> Image.Image:
    image = Image.open(io.BytesIO(to_png(report)))
    image.load()
    return image


def rgb(tone: str) -> tuple[int, ...]:
    return tuple(int(tone[i : i + 2], 16) for i in (1, 3, 5))


@pytest.mark.parametrize("status", ["passed", "warned", "failed", "error", "cancelled"])
def test_the_band_has_the_verdicts_colour(status: str) -> None:
    image = drawn(sample_report(status=status))
    assert image.size == (WIDTH, HEIGHT)
    assert image.getpixel((10, HEIGHT // 2)) == rgb(TONES[status])


def test_it_says_what_it_shows() -> None:
    image = drawn(sample_report(status="failed", checks=(BROKEN,)))
    said = image.info["Description"]
    assert said == described(sample_report(status="failed", checks=(BROKEN,)))
    assert "Failed: metrics.load_ms <= 2, 2.8 ms, at most 2 ms, interval 2.5 ms to 3 ms." in said
    assert "p95 2.8 ms" in said.replace("/ 2.8", "p95 2.8")


def test_figure_limit_and_interval_stand_where_their_numbers_are() -> None:
    image = drawn(sample_report(status="failed", checks=(BROKEN,))).convert("RGB")
    scale = place_on(BROKEN)
    assert scale is not None
    middle = picture.FIRST_ROW + picture.ROW // 2
    width = GAUGE[1] - GAUGE[0]

    def columns(row: int, tone: str) -> list[int]:
        return [x for x in range(GAUGE[0], GAUGE[1] + 1) if image.getpixel((x, row)) == rgb(tone)]

    limit = columns(middle - 20, picture.INK)
    assert sum(limit) / len(limit) == pytest.approx(GAUGE[0] + width * scale.at(2.0), abs=1.5)
    interval = columns(middle + 4, TONES["fail"])
    assert interval[0] == pytest.approx(GAUGE[0] + width * scale.at(2.5), abs=1.5)
    assert interval[-1] == pytest.approx(GAUGE[0] + width * scale.at(3.0), abs=1.5)
    dot = columns(middle - 7, TONES["fail"])
    assert sum(dot) / len(dot) == pytest.approx(GAUGE[0] + width * scale.at(2.8), abs=1.5)


def test_a_stopped_run_shows_its_cause() -> None:
    assert stopped_report().errors[0].message.split(".")[0] in described(stopped_report())
    assert drawn(stopped_report()).size == (WIDTH, HEIGHT)


@pytest.mark.parametrize("name", ["x" * 2000, "模型 Größe ✓", "\x00\x1b[2J\ud800", "", "a\nb"])
def test_any_name_can_be_drawn(name: str) -> None:
    report = sample_report().model_copy(update={"name": name})
    assert drawn(report).size == (WIDTH, HEIGHT)
