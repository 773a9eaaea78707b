"""A run as one picture: a bar a figure, from nothing to its median, with its least and greatest.

Figures of one part and one unit share a scale. Written by hand, so that it needs no library and
reads well as text: colours follow the reader's light or dark theme.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from xml.sax.saxutils import escape

from benchmarks.figures import Section, Series
from benchmarks.report import Report, expected, heading, number

WIDTH = 960
LABELS = 400
BARS = 400
ROW = 20
HEAD = 30
BAR = 12
MARGIN = 16
STYLE = """
text{font:12px system-ui,sans-serif;fill:#1f2328}
.t{font-weight:600;font-size:14px}.s{fill:#59636e}
.bar{fill:#8aa4c8}.ours{fill:#1f6feb}.missed{fill:#cf4a3c}.span{stroke:#1f2328;stroke-width:1.5}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.s{fill:#9198a1}.span{stroke:#e6edf3}
.bar{fill:#4a5f80}}
"""


def draw(report: Report) -> str:
    """The whole run as SVG."""
    parts, top = [], MARGIN
    for section in report.sections:
        drawn, top = _section(section, top)
        parts += drawn
    told = escape(heading(report).partition(". ")[0])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top + ROW}"'
        f' width="{WIDTH}" height="{top + ROW}" role="img"><title>{told}</title>'
        f"<style>{STYLE}</style>\n" + "\n".join(parts) + "\n"
        f'<text class="s" x="{MARGIN}" y="{top + BAR}">{told}</text></svg>\n'
    )


def _section(section: Section, top: int) -> tuple[list[str], int]:
    """The rows of one part from `top` on, and where they end."""
    parts = [f'<text class="t" x="{MARGIN}" y="{top + 14}">{escape(section.title)}</text>']
    top += HEAD
    if section.skipped:
        told = escape(f"skipped: {section.skipped}".partition("\n")[0])
        parts.append(f'<text class="s" x="{MARGIN}" y="{top + BAR}">{told}</text>')
        return parts, top + HEAD
    for series, scale in scales(section.series):
        parts += _row(series, top, scale)
        top += ROW
    return parts, top + MARGIN


def scales(series: Sequence[Series]) -> Iterator[tuple[Series, float]]:
    """Each series with the greatest value that its neighbours of the same unit reach."""
    for _, grouped in groupby(series, key=lambda each: each.unit):
        neighbours = list(grouped)
        greatest = max(max(each.values) for each in neighbours)
        yield from ((each, greatest or 1.0) for each in neighbours)


def _row(series: Series, top: int, scale: float) -> list[str]:
    def along(value: float) -> float:
        return LABELS + max(0.0, value) / scale * BARS

    middle, least, greatest = top + BAR / 2, along(min(series.values)), along(max(series.values))
    end = along(series.median)
    told = f"{number(series.median)} {series.unit} {expected(series)}".rstrip()
    return [
        f'<text x="{LABELS - 8}" y="{top + 10}" text-anchor="end">{escape(series.name)}</text>',
        (
            f'<rect class="{_look(series)}" x="{LABELS}" y="{top}" height="{BAR}" rx="2"'
            f' width="{end - LABELS:.1f}"/>'
        ),
        f'<path class="span" d="M{least:.1f} {middle}H{greatest:.1f}"/>',
        f'<text class="s" x="{max(end, greatest) + 6:.1f}" y="{top + 10}">{escape(told)}</text>',
    ]


def _look(series: Series) -> str:
    if series.met is False:
        return "missed"
    return "ours" if series.name.startswith(("ours", "service")) else "bar"
