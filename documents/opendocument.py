"""ODT: headings, paragraphs, lists and tables of `content.xml`, in their order.

What hangs on a paragraph (notes, text boxes) follows it: its sentences stay whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from documents.office import checked_archive
from documents.pages import Opened, PageWriter, Source
from documents.refusals import encrypted, unreadable
from documents.xml_walk import walk_xml, whole_number

_OASIS = "urn:oasis:names:tc:opendocument:xmlns:"
_TEXT = f"{_OASIS}text:1.0 "
_TABLE = f"{_OASIS}table:1.0 "
_OFFICE = f"{_OASIS}office:1.0 "
_STYLE = f"{_OASIS}style:1.0 "
_SVG = f"{_OASIS}svg-compatible:1.0 "
#: Comments, deleted text, indexes made of headings that are read anyway, the numbers of notes,
#: and what describes a picture.
_SKIPPED = {f"{_OFFICE}annotation", f"{_TEXT}tracked-changes", f"{_TEXT}table-of-content",
            f"{_TEXT}note-citation", f"{_SVG}title", f"{_SVG}desc"}  # fmt: skip
_GAPS = {f"{_TEXT}tab": "\t", f"{_TEXT}line-break": "\n"}
_BLOCKS = {f"{_TEXT}p", f"{_TEXT}h"}
_TITLE = "Title"
_MAX_SPACES = 100


def opened(source: Source) -> Opened:
    """Give one page, which is the whole document. Raises DocumentRefused."""
    archive = checked_archive(source)
    if b"encryption-data" in archive.read("META-INF/manifest.xml"):
        raise encrypted("a document with a password")
    content = archive.read("content.xml")
    if not content:
        raise unreadable("the part with its text is missing")
    writer = PageWriter(source.room)
    walk = _Walk(writer)
    walk_xml(content, start=walk.enter, end=walk.leave, text=walk.say)
    return Opened(iter([writer.page()]))


@dataclass(slots=True)
class _Block:
    """A paragraph or heading, filled until its end comes by."""

    level: int = 0
    """Of a heading; 0: it is none."""
    lists: int = 0
    words: list[str] = field(default_factory=list)

    def write(self, writer: PageWriter) -> None:
        text = "".join(self.words)
        if self.level:
            writer.heading(self.level, text)
        elif self.lists:
            writer.item(text, self.lists - 1)
        else:
            writer.paragraph(text)


@dataclass(slots=True)
class _Row:
    """A row of a table."""

    cells: list[str]

    def write(self, writer: PageWriter) -> None:
        writer.row(self.cells)


@dataclass(slots=True)
class _Walk:
    """Writes blocks and rows in the order of their beginnings, when nothing around is open."""

    writer: PageWriter
    _titles: set[str] = field(default_factory=lambda: {_TITLE})
    """The styles of the document's title."""
    _open: list[_Block] = field(default_factory=list)
    _waiting: list[_Block | _Row] = field(default_factory=list)
    _lists: int = 0
    _skipping: int = 0
    _cells: list[str] = field(default_factory=list)
    _cell: list[_Block] = field(default_factory=list)
    _in_cell: int = 0
    """How deep: a table within a cell becomes text of the cell."""

    def enter(self, name: str, attributes: Mapping[str, str]) -> None:
        """Come to an element."""
        if self._skipping or name in _SKIPPED:
            self._skipping += 1
        elif name in _BLOCKS:
            self._enter_block(name, attributes)
        elif name == f"{_TEXT}list":
            self._lists += 1
        elif name == f"{_TEXT}s":
            count = whole_number(attributes.get(f"{_TEXT}c"))
            self.say(" " * min(1 if count is None else count, _MAX_SPACES))
        elif name in _GAPS:
            self.say(_GAPS[name])
        elif name == f"{_TABLE}table-cell":
            self._in_cell += 1
        elif name == f"{_STYLE}style" and attributes.get(f"{_STYLE}parent-style-name") == _TITLE:
            self._titles.add(attributes.get(f"{_STYLE}name", _TITLE))

    def leave(self, name: str) -> None:
        """Come to an element's end."""
        if self._skipping:
            self._skipping -= 1
        elif name in _BLOCKS:
            self._open.pop()
            self._flush()
        elif name == f"{_TEXT}list":
            self._lists -= 1
        elif name == f"{_TABLE}table-cell":
            self._leave_cell()
        elif name == f"{_TABLE}table-row" and not self._in_cell:
            self._waiting.append(_Row(self._cells))
            self._cells = []
            self._flush()
        elif name == f"{_TABLE}table" and not self._in_cell:
            self.writer.end_run()

    def say(self, text: str) -> None:
        """Come to text, which counts within a block only."""
        if self._open and not self._skipping:
            self._open[-1].words.append(text)

    def _enter_block(self, name: str, attributes: Mapping[str, str]) -> None:
        block = _Block()
        if not self._open:  # else a note or a text box within a paragraph
            block = _Block(self._level(name, attributes), self._lists)
        self._open.append(block)
        (self._cell if self._in_cell else self._waiting).append(block)

    def _level(self, name: str, attributes: Mapping[str, str]) -> int:
        if name == f"{_TEXT}h":
            told = whole_number(attributes.get(f"{_TEXT}outline-level"))
            return 1 if told is None else told
        return int(attributes.get(f"{_TEXT}style-name") in self._titles)

    def _leave_cell(self) -> None:
        self._in_cell -= 1
        if not self._in_cell:
            self._cells.append(" ".join("".join(block.words) for block in self._cell))
            self._cell = []

    def _flush(self) -> None:
        """Write all that waits, unless it hangs on a paragraph that goes on."""
        if not self._open:
            for one in self._waiting:
                one.write(self.writer)
            self._waiting = []
