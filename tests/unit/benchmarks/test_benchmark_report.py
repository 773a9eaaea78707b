"""What is kept, shown and published of a run."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import cli
from benchmarks.corpus import docstrings, mixed
from benchmarks.figures import Round, Section, Series
from benchmarks.machine import this_machine
from benchmarks.plan import DEFAULT, QUICK
from benchmarks.report import BEGIN, END, Report, markdown, number, publish, save, show

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def report() -> Report:
    rounds = [
        Round(value=value, seconds=1, work=value, cores={"all": 0.9}) for value in (900, 800, 950)
    ]
    slow = Series(name="role all", unit="submits/s", rounds=rounds, least=1000, loop="all")
    sections = [
        Section(name="submits", title="Submits", series=[slow], faults=["it stalled"]),
        Section(name="rest", title="At rest", skipped="no time"),
    ]
    return Report(
        at=datetime(2026, 3, 1, 12, 30, 5, tzinfo=UTC),
        commit="abc1234+",
        form="quick",
        took_s=3.0,
        machine=this_machine(),
        sections=sections,
    )


def test_a_run_is_kept_whole_under_its_date_and_commit(report: Report, tmp_path: Path) -> None:
    path = save(report, tmp_path / "results")
    assert path.name == "2026-03-01T123005Z-abc1234-changed.json"
    assert Report.model_validate_json(path.read_bytes()).sections[0].series[0].values == [
        900,
        800,
        950,
    ]


def test_what_was_missed_skipped_or_went_wrong_is_shown(report: Report) -> None:
    console = Console(width=200, record=True, quiet=True)
    with console.capture():
        show(report, console)
    page = markdown(report)
    for said in ("≥ 1,000 MISSED", "all: one loop, 0.90 of a core", "FAULT: it stalled", "no time"):
        assert said in page
    assert [series.name for series in report.missed] == ["role all"]


def test_publishing_changes_what_stands_between_the_marks(report: Report, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    publish(report, page)
    publish(report, page)
    said = page.read_text()
    assert said.startswith(f"before\n{BEGIN}\n2026-03-01 12:30 UTC, commit abc1234+")
    assert said.endswith(f"{END}\nafter\n")
    assert said.count("### Submits") == 1
    assert "old" not in said


def test_a_page_without_marks_is_left_alone(report: Report, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing")
    with pytest.raises(ValueError, match="no place for figures"):
        publish(report, page)


def test_the_documentation_has_a_place_for_figures_and_names_every_part() -> None:
    page = (ROOT / "docs" / "benchmarks.md").read_text()
    assert page.index(BEGIN) < page.index(END)
    assert [name for name in cli.SECTIONS if f"| `{name}` |" not in page] == []


@pytest.mark.parametrize(
    "value, shown", [(5432.1, "5,432"), (100, "100"), (42.14, "42.1"), (0.0123, "0.0123")]
)
def test_figures_are_shown_with_the_digits_that_count(value: float, shown: str) -> None:
    assert number(value) == shown


def test_every_part_has_its_share_of_the_time() -> None:
    assert set(cli.SHARES) == set(cli.SECTIONS)
    assert sum(cli.SHARES.values()) == pytest.approx(1)


def test_every_form_has_three_rounds() -> None:
    assert min(DEFAULT.rounds, QUICK.rounds) >= 3


def test_the_texts_are_the_same_at_every_run() -> None:
    texts = mixed(1024)
    assert texts[:10] == mixed(10)
    assert 16 < sum(len(text.split()) for text in texts) / len(texts) < 19


def test_rounds_have_other_docstrings_each() -> None:
    assert not set(docstrings(0, 50)) & set(docstrings(50, 50))
