"""What is kept, shown and published of a run."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import cli
from benchmarks.corpus import docstrings, mixed
from benchmarks.figures import Round, Section, Series
from benchmarks.machine import this_machine
from benchmarks.parts import PARTS, named
from benchmarks.plan import DEFAULT, QUICK
from benchmarks.report import BEGIN, END, PAGES, Report, markdown, number, publish, save, show

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
    page, chart = tmp_path / "docs" / "page.md", tmp_path / "results" / "run.svg"
    page.parent.mkdir()
    begin, end = BEGIN.format(PAGES["service"]), END.format(PAGES["service"])
    page.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    publish(report, page, "service")
    publish(report, page, "service", chart)
    said = page.read_text()
    assert said.startswith(f"before\n{begin}\n2026-03-01 12:30 UTC, commit abc1234+")
    assert said.endswith(f"](../results/run.svg)\n{end}\nafter\n")
    assert said.count("### Submits") == 1
    assert "old" not in said


def test_sections_that_were_not_measured_again_stay(report: Report, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    begin, end = BEGIN.format(PAGES["service"]), END.format(PAGES["service"])
    page.write_text(f"{begin}\n{end}\n")
    publish(report, page, "service", tmp_path / "first.svg")
    [submits, rest] = report.sections
    renamed = submits.model_copy(update={"title": "Another", "faults": []})
    later = report.model_copy(update={"commit": "def5678", "sections": [renamed]})
    publish(later, page, "service", tmp_path / "second.svg")
    said = page.read_text()
    assert [said.count(f"### {title}") for title in ("Another", "Submits", "At rest")] == [1, 1, 1]
    assert said.index("### Another") < said.index("### Submits")
    assert said.count("commit abc1234+") == 2
    assert ("first.svg" in said, "second.svg" in said) == (False, True)
    publish(report.model_copy(update={"sections": [rest]}), page, "service")
    assert page.read_text().count("### At rest") == 1


def test_a_page_without_marks_is_left_alone(report: Report, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing")
    with pytest.raises(ValueError, match="no place for figures"):
        publish(report, page, "service")


def test_the_documentation_has_places_for_figures_and_names_every_part() -> None:
    page = (ROOT / "docs" / "benchmarks.md").read_text()
    assert all(
        page.index(BEGIN.format(each)) < page.index(END.format(each)) for each in PAGES.values()
    )
    assert [name for name in PARTS if f"| `{name}` |" not in page] == []


@pytest.mark.parametrize(
    "value, shown", [(5432.1, "5,432"), (100, "100"), (42.14, "42.1"), (0.0123, "0.0123")]
)
def test_figures_are_shown_with_the_digits_that_count(value: float, shown: str) -> None:
    assert number(value) == shown


def test_every_part_has_its_time_and_its_place_on_the_page() -> None:
    assert min(part.seconds for part in PARTS.values()) > 0
    assert {part.page for part in PARTS.values()} == set(PAGES)


def test_parts_are_named_one_by_one_or_joined_by_commas() -> None:
    assert named(["wire,encoder", "rest"]) == ["rest", "wire", "encoder"]
    assert named(None) == list(PARTS)


def test_a_part_there_is_not_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="no part wier; there are submits, pipeline"):
        named(["wire,wier"])
    assert cli.main(["--only", "wier"]) == cli.WRONG_USE


@pytest.mark.parametrize(
    "section, failed",
    [
        (Section(name="s", title="S"), False),
        (Section(name="s", title="S", faults=["stalled"]), True),
        (Section(name="s", title="S", skipped="it broke"), True),
        (Section(name="s", title="S", skipped="no GPU", lacking=True), False),
    ],
    ids=["measured", "with a fault", "broken", "not possible here"],
)
def test_a_run_fails_where_something_could_have_been_measured(
    section: Section, failed: bool
) -> None:
    assert cli._failed(section) is failed


def test_fewer_rounds_than_planned_are_a_fault_and_parts_may_plan_their_own() -> None:
    series = [Series(name="s", unit="u", rounds=[Round(value=1)] * 4)]
    section = Section(name="s", title="S", series=series)
    assert cli._shortfalls(section, DEFAULT) == []
    five = section.model_copy(update={"wanted_rounds": 5})
    assert cli._shortfalls(five, DEFAULT) == ["out of time after 4 of 5 rounds"]


def test_every_form_has_enough_rounds() -> None:
    assert min(DEFAULT.rounds, QUICK.rounds) >= 3
    assert min(DEFAULT.compared_rounds, QUICK.compared_rounds) >= 5


def test_the_texts_are_the_same_at_every_run() -> None:
    texts = mixed(1024)
    assert texts[:10] == mixed(10)
    assert 16 < sum(len(text.split()) for text in texts) / len(texts) < 19


def test_rounds_have_other_docstrings_each() -> None:
    assert not set(docstrings(0, 50)) & set(docstrings(50, 50))
