"""ODT: headings, paragraphs, lists and tables of `content.xml`, in their order."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from documents.office import checked_archive
from documents.pages import Opened, PageWriter, Source
from documents.refusals import encrypted, unreadable
from documents.xml_walk import walk_xml

_OASIS = "urn:oasis:names:tc:opendocument:xmlns:"
_TEXT = f"{_OASIS}text:1.0 "
_TABLE = f"{_OASIS}table:1.0 "
_OFFICE = f"{_OASIS}office:1.0 "
#: Comments, deleted text, and indexes made of headings that are read anyway.
_SKIPPED = {f"{_OFFICE}annotation", f"{_TEXT}tracked-changes", f"{_TEXT}table-of-content"}
_GAPS = {f"{_TEXT}tab": "\t", f"{_TEXT}line-break": "\n"}
_BLOCKS = {f"{_TEXT}p", f"{_TEXT}h"}
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
class _Walk:
    """Writes blocks as their ends come by."""

    writer: PageWriter
    _words: list[str] = field(default_factory=list)
    _open_blocks: int = 0
    _level: int = 0
    """Of the heading it is in; 0: it is in none."""
    _lists: int = 0
    _skipping: int = 0
    _cells: list[str] = field(default_factory=list)
    _cell: list[str] | None = None

    def enter(self, name: str, attributes: Mapping[str, str]) -> None:
        """Come to an element."""
        if self._skipping or name in _SKIPPED:
            self._skipping += 1
        elif name in _BLOCKS:
            self._enter_block(name, attributes)
        elif name == f"{_TEXT}list":
            self._lists += 1
        elif name == f"{_TEXT}s":
            count = attributes.get(f"{_TEXT}c", "1")
            self._words.append(" " * min(int(count) if count.isdigit() else 1, _MAX_SPACES))
        elif name in _GAPS:
            self._words.append(_GAPS[name])
        elif name == f"{_TABLE}table-cell" and self._cell is None:
            self._cell = []

    def leave(self, name: str) -> None:
        """Come to an element's end."""
        if self._skipping:
            self._skipping -= 1
        elif name in _BLOCKS:
            self._end_block()
        elif name == f"{_TEXT}list":
            self._lists -= 1
        elif name == f"{_TABLE}table-cell" and self._cell is not None:
            self._cells.append(" ".join(self._cell))
            self._cell = None
        elif name == f"{_TABLE}table-row" and self._cell is None:
            self.writer.row(self._cells)
            self._cells = []
        elif name == f"{_TABLE}table" and self._cell is None:
            self.writer.end_run()

    def say(self, text: str) -> None:
        """Come to text, which counts within a block only."""
        if self._open_blocks and not self._skipping:
            self._words.append(text)

    def _enter_block(self, name: str, attributes: Mapping[str, str]) -> None:
        if self._open_blocks:  # a text box within a paragraph
            self._words.append(" ")
        self._open_blocks += 1
        if name == f"{_TEXT}h":
            told = attributes.get(f"{_TEXT}outline-level", "1")
            self._level = int(told) if told.isdigit() else 1

    def _end_block(self) -> None:
        self._open_blocks -= 1
        if self._open_blocks:
            self._words.append(" ")
            return
        text, level = "".join(self._words), self._level
        self._words, self._level = [], 0
        if self._cell is not None:
            self._cell.append(text)
        elif level:
            self.writer.heading(level, text)
        elif self._lists:
            self.writer.item(text, self._lists - 1)
        else:
            self.writer.paragraph(text)
