"""The picture of a run."""

from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest

from benchmarks.charts import draw, scales
from benchmarks.figures import Round, Section, Series
from benchmarks.machine import this_machine
from benchmarks.report import Report


def series(name: str, unit: str, *values: float, least: float | None = None) -> Series:
    return Series(name=name, unit=unit, rounds=[Round(value=each) for each in values], least=least)


@pytest.fixture
def picture() -> ET.Element:
    sections = [
        Section(
            name="encoder",
            title="Encoders <side by side>",
            series=[
                series("plain & simple", "texts/s", 90, 100, 110),
                series("ours", "texts/s", 190, 200, 210),
                series("ours ÷ plain & simple", "ratio", 2, 2.1, 1.9, least=5),
            ],
        ),
        Section(name="gpu", title="On a GPU", skipped="no CUDA device here", lacking=True),
    ]
    report = Report(
        at=datetime(2026, 3, 1, tzinfo=UTC),
        commit="abc",
        form="quick",
        took_s=1,
        machine=this_machine(),
        sections=sections,
    )
    return ET.fromstring(draw(report))


def test_every_figure_has_a_bar_as_long_as_its_median(picture: ET.Element) -> None:
    bars = [each for each in picture.iter() if each.tag.endswith("rect")]
    widths = [float(bar.attrib["width"]) for bar in bars]
    assert widths[0] / widths[1] == pytest.approx(0.5, abs=0.01)
    assert [bar.attrib["class"] for bar in bars] == ["bar", "ours", "missed"]


def test_names_figures_and_what_was_skipped_are_written_out(picture: ET.Element) -> None:
    said = " ".join(text for text in picture.itertext())
    for words in ("Encoders <side by side>", "plain & simple", "200 texts/s", "≥ 5 MISSED"):
        assert words in said
    assert "skipped: no CUDA device here" in said


def test_neighbours_of_one_unit_share_a_scale() -> None:
    found = scales([series("a", "ms", 1), series("b", "ms", 4), series("c", "MB", 9)])
    assert [scale for _, scale in found] == [4, 4, 9]


def test_a_figure_of_nothing_is_drawn_too() -> None:
    assert [scale for _, scale in scales([series("a", "ms", 0)])] == [1]
