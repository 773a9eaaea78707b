"""The published table: runs added up, a bound beside each zero, and what is not zero said."""

from pathlib import Path

from tests.faults.checker import bound_95
from tests.faults.outcome import Outcome
from tests.faults.report import BEGIN, END, publish, table


def run(part: str = "R2", **changes: object) -> Outcome:
    facts = {
        "requirement": part,
        "title": "kills",
        "at": "2026-01-01 00:00",
        "commit": "abc1234",
        "machine": "m",
        "seed": 1,
        "trials": 10,
        "tasks": 1_000,
        "objects": 8_000,
        "unknown": 3,
        "recovered": 3,
        "samples": 50,
        "lost": 0,
        "duplicated": 0,
        "wrong": 0,
        "backward": 0,
        "other": {},
        "least_cosine": 0.99997,
        "recovery_s": (2.0, 6.0),
    }
    return Outcome.model_validate(facts | changes)


def line_of(part: str, *runs: Outcome) -> str:
    """The line of a part in the table."""
    (line,) = [each for each in table(runs).splitlines() if each.startswith(f"| {part} ")]
    return line


def test_the_runs_of_a_part_are_added_up() -> None:
    line = line_of("R2", run(), run(trials=5, seed=2, recovery_s=(9.0,)), run("R9"))
    assert "| 2 | 15 | 2,000 | 0 | 0 | 0 | 0 | 0 | 6.0 / 9.0 |" in line
    assert f"{bound_95(15):.1%}" in line


def test_what_was_found_takes_the_bound_away() -> None:
    assert "not zero" in line_of("R2", run(), run(lost=1))
    assert "not zero" in line_of("R2", run(other={"too late": 2}))


def test_all_that_was_done_to_date_is_told_with_commits_and_seeds() -> None:
    told = table([run(), run("R9", commit="def5678", seed=7)])
    assert "20 trials, 2,000 tasks, 16,000 vectors compared, 100 committed offsets judged" in told
    assert "commits def5678; seeds 7" in told


def test_only_the_place_between_the_marks_is_written(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    publish(page, [run()])
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text
