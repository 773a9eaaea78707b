"""A run as it is kept (JSON), shown (a table) and published (Markdown between two marks)."""

import os
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.table import Table

from benchmarks.figures import OTHERS, Section, Series, binding, busy_line
from benchmarks.machine import Machine

#: Where figures stand on the page, by table: the words of its two marks.
PAGES = {
    "service": "figures",
    "encoder": "figures of the encoder",
    "card": "figures of a GPU",
}
TITLE = "### "
BEGIN = "<!-- {}: begin (python -m benchmarks --publish writes this part) -->"
END = "<!-- {}: end -->"


class Report(BaseModel):
    """One run."""

    model_config = ConfigDict(frozen=True)

    v: int = 1
    at: datetime
    commit: str
    form: str
    took_s: float
    machine: Machine
    sections: list[Section]

    @property
    def file_name(self) -> str:
        """Date and commit; two runs never share a name."""
        stamp = self.at.astimezone(UTC).strftime("%Y-%m-%dT%H%M%SZ")
        return f"{stamp}-{self.commit.replace('+', '-changed')}.json"

    @property
    def chart_name(self) -> str:
        """The picture beside the file of the run."""
        return self.file_name.removesuffix(".json") + ".svg"

    @property
    def missed(self) -> list[Series]:
        """What was expected and not reached."""
        every = (series for section in self.sections for series in section.series)
        return [series for series in every if series.met is False]


def save(report: Report, folder: Path) -> Path:
    """Write the whole run, every round of it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / report.file_name
    path.write_text(report.model_dump_json(indent=1, exclude_none=True) + "\n", encoding="utf-8")
    return path


def show(report: Report, console: Console) -> None:
    """Print the run for a person."""
    console.print(heading(report), markup=False)
    for section in report.sections:
        console.print(_table(section, report.machine.cores))
        for line in details(section):
            console.print(f"  {line}", markup=False, soft_wrap=True)


def heading(report: Report) -> str:
    """Where and when: one paragraph."""
    machine = report.machine
    versions = ", ".join(f"{name} {number}" for name, number in machine.versions.items())
    return (
        f"{report.at:%Y-%m-%d %H:%M} UTC, commit {report.commit}, {report.form} form,"
        f" {report.took_s:.0f} s. {machine.processor}, {machine.cores} cores"
        f" ({', '.join(machine.flags)}), {machine.free_memory_gb:g} of {machine.memory_gb:g} GB"
        f" free, load {machine.load_1min:g} at the start; {machine.system},"
        f" Python {machine.python}; {versions}."
    )


def _table(section: Section, cores: int) -> Table:
    table = Table(title=section.title, title_justify="left", expand=False)
    table.add_column("what")
    for column in ("median", "min", "max", "unit", "expected"):
        table.add_column(column, justify="right")
    table.add_column("what binds", overflow="fold")
    if section.skipped:
        table.add_row(f"skipped: {section.skipped}")
    for series in section.series:
        table.add_row(*_cells(series), binding(series, cores))
    return table


def _cells(series: Series) -> list[str]:
    values = [series.median, min(series.values), max(series.values)]
    return [series.name, *map(number, values), series.unit, expected(series)]


def expected(series: Series) -> str:
    """What the median should be, and whether it is."""
    if series.met is None:
        return ""
    if series.least is not None:
        bound = f"≥ {number(series.least)}"
    else:
        bound = f"≤ {number(series.most or 0.0)}"
    return f"{bound} {'met' if series.met else 'MISSED'}"


def number(value: float) -> str:
    """Three digits that count, or whole thousands."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004  # what reads well


def details(section: Section) -> list[str]:
    """Who was busy and what a unit of work cost, then the notes."""
    lines = []
    for series in section.series:
        if series.cores:
            lines.append(f"{series.name}: cores busy: {busy_line(series.cores)}")
            lines.append(f"{series.name}: core-ms for one: {_costs(series)}")
    return lines + section.notes + [f"FAULT: {fault}" for fault in section.faults]


def _costs(series: Series) -> str:
    costs = {name: series.core_ms(name) for name in series.cores if name != OTHERS}
    found = sorted(costs.items(), key=lambda pair: -pair[1])
    total = sum(costs.values())
    return ", ".join(f"{name} {cost:.3f}" for name, cost in found) + f"; together {total:.3f}"


def markdown(report: Report) -> str:
    """The run as Markdown."""
    return "\n\n".join([heading(report), *(_chapter(report, each) for each in report.sections)])


def _chapter(report: Report, section: Section) -> str:
    """A section under its title; it says when it was measured, for it may outlive other runs."""
    where = f"{report.machine.processor}, {report.machine.cores} cores"
    when = f"measured {report.at:%Y-%m-%d %H:%M} UTC, commit {report.commit}, on {where}"
    told = [*details(section), when]
    lines = "\n".join(f"- {line.strip()}" for line in told)
    table = _markdown_table(section, report.machine.cores)
    return "\n\n".join([f"{TITLE}{section.title}", table, lines])


def _markdown_table(section: Section, cores: int) -> str:
    if section.skipped:
        return f"Skipped: {section.skipped}."
    lines = [
        "| what | median | min | max | unit | expected | what binds |",
        "|---|---:|---:|---:|---|---|---|",
    ]
    rows = (" | ".join([*_cells(each), binding(each, cores)]) for each in section.series)
    return "\n".join([*lines, *(f"| {row} |" for row in rows)])


def publish(report: Report, page: Path, place: str, chart: Path | None = None) -> None:
    """Put the run between the page's marks of the table `place`, with its picture if there is one.

    Sections that stand there and were not run again stay behind those that were. Raises
    ValueError where the page has no such marks.
    """
    begins, ends = BEGIN.format(PAGES[place]), END.format(PAGES[place])
    before, begin, rest = page.read_text(encoding="utf-8").partition(begins)
    standing, end, after = rest.partition(ends)
    if not begin or not end:
        raise ValueError(f"{page} has no place for figures: {begins} … {ends}")
    picture = f"\n\n![The same as a chart]({_from(page, chart)})" if chart is not None else ""
    new = "\n\n".join([markdown(report), *_kept(standing, report)])
    text = f"{before}{begins}\n{new}{picture}\n{ends}{after}"
    page.write_text(text, encoding="utf-8")


def _kept(standing: str, report: Report) -> list[str]:
    """The sections of a page that this run has not measured again."""
    titles = {section.title for section in report.sections}
    chapters = [f"{TITLE}{each}" for each in standing.split(f"\n{TITLE}")[1:]]
    return [
        each.partition("\n\n![")[0].strip()
        for each in chapters
        if each.partition("\n")[0].removeprefix(TITLE) not in titles
    ]


def _from(page: Path, other: Path) -> str:
    return Path(os.path.relpath(other.resolve(), page.resolve().parent)).as_posix()
