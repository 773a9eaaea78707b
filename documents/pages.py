"""What every parser gives: pages of clean text with the headings in them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice

from documents.formats import Format
from documents.refusals import too_large
from models.documents import PageFault, ReadingLimits

#: A longer heading is a paragraph in a heading's style: its name is cut, its text is kept.
HEADING_CHARS = 200
HEADING_LEVELS = 6
#: So many empty cells in a row of a table keep their places; more say no more.
MOST_EMPTY_CELLS = 8

_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
#: Characters that no text is made of: controls, lone halves of pairs, marks of byte order.
_NO_TEXT = re.compile("[\x00-\x08\x0e-\x1f\x7f\ufeff\ufffe\uffff]")
_LONE_HALVES = re.compile("[\ud800-\udfff]")
_SPACE = re.compile(r"\s+")
_VISIBLE = re.compile("[^\\s\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064]")


def clean(text: str) -> str:
    """One kind of line end, no control characters, nothing that UTF-8 cannot say."""
    text = _NO_TEXT.sub("", _LINE_ENDS.sub("\n", text))
    return _LONE_HALVES.sub("\ufffd", text)


def one_line(text: str) -> str:
    """The same words with single spaces between them."""
    return _SPACE.sub(" ", clean(text)).strip()


def is_blank(text: str) -> bool:
    """Whether a person would see nothing."""
    return _VISIBLE.search(text) is None


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading and where its line starts in the text of its page, in characters."""

    level: int
    title: str
    start: int


@dataclass(frozen=True, slots=True)
class Page:
    """A page, slide or sheet, or a whole document that knows no pages (`number` None)."""

    text: str
    headings: tuple[Heading, ...] = ()
    number: int | None = None
    sheet: str | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """A document whose pages are read one by one as they are asked for."""

    pages: Iterator[Page | PageFault]
    total: int | None = None
    """How many pages there are; None: the format has none."""
    markdown: bool = True
    """Whether `# `, lists and fences in the text mean what they mean in Markdown."""
    headings_go_on: bool = True
    """Whether what a page begins with stands under the last heading of the page before."""


class Room:
    """The characters that a document may still give."""

    def __init__(self, limit: int) -> None:
        """Start with `limit` characters (setting document.max_chars)."""
        self._limit = limit
        self._taken = 0

    def take(self, chars: int) -> None:
        """Count `chars` more. Raises DocumentRefused beyond the limit."""
        self._taken += chars
        if self._taken > self._limit:
            raise too_large(
                f"more than {self._limit:,} characters of text",
                f"{self._limit:,} characters",
                "document.max_chars",
            )


@dataclass(frozen=True, slots=True)
class Source:
    """A file and what is known of it before it is parsed."""

    format: Format
    content: bytes
    limits: ReadingLimits
    room: Room
    text: str = ""
    """What the bytes decode to, of the formats that are plain text."""
    charset: str | None = None


@dataclass(slots=True)
class PageWriter:
    """Puts a page together from blocks: Markdown-like text, and its headings with their places."""

    room: Room
    _pieces: list[str] = field(default_factory=list)
    _headings: list[Heading] = field(default_factory=list)
    _length: int = 0
    _run: str = ""

    def heading(self, level: int, title: str) -> None:
        """Add a heading line; levels beyond six become six."""
        title = one_line(title)
        if is_blank(title):
            return
        level = min(max(level, 1), HEADING_LEVELS)
        self._add("#" * level + " " + title, "")
        start = self._length - len(title) - level - 1
        self._headings.append(Heading(level, title[:HEADING_CHARS], start))

    def paragraph(self, text: str) -> None:
        """Add a paragraph; its own line breaks stay."""
        self._add(_stripped_lines(text), "")

    def item(self, text: str, depth: int = 0, mark: str = "-") -> None:
        """Add an entry of a list, `depth` lists deep."""
        text = _stripped_lines(text).replace("\n", " ")
        if not is_blank(text):
            self._add(f"{'  ' * min(depth, HEADING_LEVELS)}{mark} {text}", "list")

    def row(self, cells: Sequence[str]) -> None:
        """Add a row of a table, unless all its cells are empty; empty ones at its end go.

        Of many in a row few stay: one stray cell far to the right would make chunks of nothing.
        """
        told = [one_line(cell) if cell else "" for cell in cells]
        while told and not told[-1]:
            told.pop()
        self._add(" | ".join(_without_wastes(told)), "table")

    def code(self, text: str) -> None:
        """Add preformatted text as it stands."""
        text = clean(text).strip("\n")
        if not is_blank(text):
            fence = "````" if "```" in text else "```"
            self._add(f"{fence}\n{text}\n{fence}", "")

    def end_run(self) -> None:
        """Let the next list or table stand apart from the last."""
        self._run = ""

    def page(self, number: int | None = None, sheet: str | None = None) -> Page:
        """Give what was written."""
        return Page("".join(self._pieces), tuple(self._headings), number, sheet)

    def _add(self, block: str, run: str) -> None:
        """Add a block; two of the same `run` (list, table) stand on neighbouring lines."""
        if is_blank(block):
            return
        gap = "" if not self._pieces else "\n" if run and run == self._run else "\n\n"
        self.room.take(len(gap) + len(block))
        self._pieces += (gap, block)
        self._length += len(gap) + len(block)
        self._run = run


def _without_wastes(cells: Sequence[str]) -> Iterator[str]:
    for filled, run in groupby(cells, bool):
        yield from islice(run, None if filled else MOST_EMPTY_CELLS)


def _stripped_lines(text: str) -> str:
    lines = (line.strip() for line in clean(text).split("\n"))
    return "\n".join(line for line in lines if line)
