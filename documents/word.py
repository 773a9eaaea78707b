"""DOCX: paragraphs, headings, lists and tables in their order, notes behind them.

python-docx opens the package and knows the styles; the text is walked through here, since its
paragraphs leave out what stands in content controls, text boxes and tracked insertions.
"""

import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any
from zipfile import BadZipFile

import docx
from docx.document import Document
from docx.exceptions import PythonDocxError
from docx.opc.exceptions import OpcError
from docx.oxml.parser import parse_xml

from documents.office import checked_archive
from documents.pages import Opened, PageWriter, Source
from documents.refusals import unreadable
from documents.xml_walk import whole_number

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_MATH = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_TEXTS = {f"{_W}t": None, f"{_W}tab": "\t", f"{_W}br": "\n", f"{_W}cr": "\n",
          f"{_W}noBreakHyphen": "-", f"{_MATH}t": None}  # fmt: skip
#: Deleted and moved text, drawings said twice, and what describes a thing instead of being it.
_SKIPPED = {_FALLBACK, f"{_W}del", f"{_W}moveFrom", f"{_W}pPr", f"{_W}rPr", f"{_W}instrText",
            f"{_W}sectPr", f"{_W}tblPr", f"{_W}tblGrid", f"{_W}trPr", f"{_W}tcPr",
            f"{_W}sdtPr"}  # fmt: skip
_BOX = f"{_W}txbxContent"
_NOTES = ("footnotes", "endnotes")
#: Style names are English in every language's Word; their ids are not.
_HEADING_STYLE = re.compile(r"heading (\d)$", re.IGNORECASE)
_TITLE_STYLES = {"title": 1}
_LIST_STYLE = re.compile(r"list (?:bullet|number|paragraph|continue)", re.IGNORECASE)
_BODY_LEVEL = 9

#: What the library raises where a part is missing or is not what it should be.
_BROKEN = (
    BadZipFile, PythonDocxError, OpcError,
    LookupError, ValueError, SyntaxError, AttributeError, TypeError,
)  # fmt: skip

# Elements are lxml's, which has no types: they are `Any` in this file, and nowhere else.
_Element = Any


def opened(source: Source) -> Opened:
    """Give one page, which is the whole document. Raises DocumentRefused."""
    checked_archive(source)
    try:
        document = docx.Document(BytesIO(source.content))
    except _BROKEN as error:
        raise unreadable("a part that every Word document has is missing or broken") from error
    writer = PageWriter(source.room)
    writing = _Writing(writer, _Styles(document))
    writing.blocks(document.element.body)
    for notes in _notes(document):
        writing.blocks(notes)
    return Opened(iter([writer.page()]))


class _Styles:
    """What the styles say of a paragraph: the level of a heading, or being in a list."""

    def __init__(self, document: Document) -> None:
        self.levels: dict[str, int] = {}
        """0: it is no heading."""
        self.lists: dict[str, int] = {}
        """1: it is in a list."""
        bases: dict[str, str] = {}
        for style in document.styles.element.iterfind(f"{_W}style"):
            key = style.get(f"{_W}styleId") or ""
            self._learn(key, style)
            if base := _value(style, "basedOn"):
                bases[key] = base
        _inherit(self.levels, bases)
        _inherit(self.lists, bases)

    def _learn(self, key: str, style: _Element) -> None:
        """Note what a style says itself."""
        name = _value(style, "name") or ""
        level = _HEADING_STYLE.match(name)
        outline = _number(style, f"pPr/{_W}outlineLvl")
        if level:
            self.levels[key] = int(level.group(1))
        elif name.lower() in _TITLE_STYLES:
            self.levels[key] = _TITLE_STYLES[name.lower()]
        elif outline is not None:
            self.levels[key] = outline + 1 if outline < _BODY_LEVEL else 0
        if _LIST_STYLE.match(name):
            self.lists[key] = 1


def _inherit(told: dict[str, int], bases: dict[str, str]) -> None:
    """Give each style that says nothing what the style says that it is based on, or 0."""
    for style in bases:
        chain: list[str] = []
        above = style
        while above in bases and above not in told:
            told[above] = 0  # where the chain is a loop, it ends here
            chain.append(above)
            above = bases[above]
        told.update(dict.fromkeys(chain, told.get(above, 0)))


class _Writing:
    """Writes the blocks of a document, without recursion deeper than its tables are nested."""

    def __init__(self, writer: PageWriter, styles: _Styles) -> None:
        self._writer = writer
        self._styles = styles

    def blocks(self, parent: _Element) -> None:
        """Write the paragraphs and tables below an element, whatever is wrapped around them."""
        for block in _blocks(parent):
            if block.tag == f"{_W}tbl":
                self._table(block)
            else:
                self._paragraph(block)

    def _paragraph(self, paragraph: _Element) -> None:
        text = _text(paragraph)
        style = _value(paragraph, f"pPr/{_W}pStyle") or ""
        level = _outline(paragraph) or self._styles.levels.get(style)
        numbering = paragraph.find(f"{_W}pPr/{_W}numPr")
        if level:
            self._writer.heading(level, text)
        elif numbering is not None or self._styles.lists.get(style):
            depth = None if numbering is None else _number(numbering, "ilvl")
            self._writer.item(text, depth or 0)
        else:
            self._writer.paragraph(text)
        for box in paragraph.iter(_BOX):
            if not _is_within(box, _FALLBACK, paragraph):
                self._writer.paragraph("\n".join(map(_text, _paragraphs(box))))

    def _table(self, table: _Element) -> None:
        """Write one row a line; a table within a cell becomes text of the cell."""
        self._writer.end_run()
        for row in table.iter(f"{_W}tr"):
            if next(row.iterancestors(f"{_W}tbl")) is table:
                self._writer.row([_cell_text(cell) for cell in _cells(row)])


def _blocks(parent: _Element) -> Iterator[_Element]:
    """Paragraphs and tables, in order, through content controls and tracked insertions."""
    waiting = [parent]
    while waiting:
        element = waiting.pop()
        if element is not parent and element.tag in {f"{_W}p", f"{_W}tbl"}:
            yield element
        elif element.tag not in _SKIPPED:
            waiting += reversed(element)


def _cells(row: _Element) -> Iterator[_Element]:
    """The row's cells, whatever wraps them, and none of a table within a cell."""
    waiting = list(reversed(row))
    while waiting:
        element = waiting.pop()
        if element.tag == f"{_W}tc":
            yield element
        elif element.tag not in _SKIPPED:
            waiting += reversed(element)


def _cell_text(cell: _Element) -> str:
    return " ".join(filter(None, map(_text, _paragraphs(cell))))


def _paragraphs(parent: _Element) -> Iterator[_Element]:
    """All paragraphs below an element, those in boxes and tables too, and none of them twice."""
    for paragraph in parent.iter(f"{_W}p"):
        if not _is_within(paragraph, _FALLBACK, parent):
            yield paragraph


def _text(paragraph: _Element) -> str:
    """A paragraph's own text: not that of the boxes that hang on it."""
    pieces: list[str] = []
    waiting = list(reversed(paragraph))
    while waiting:
        element = waiting.pop()
        if element.tag in _TEXTS:
            pieces.append(_TEXTS[element.tag] or element.text or "")
        elif element.tag not in _SKIPPED and element.tag != _BOX:
            waiting += reversed(element)
    return "".join(pieces)


def _outline(paragraph: _Element) -> int | None:
    """The level that a paragraph gives itself, from 1."""
    told = _number(paragraph, f"pPr/{_W}outlineLvl")
    return told + 1 if told is not None and told < _BODY_LEVEL else None


def _value(element: _Element, path: str) -> str | None:
    found = element.find(_W + path)
    return None if found is None else found.get(f"{_W}val")


def _number(element: _Element, path: str) -> int | None:
    return whole_number(_value(element, path))


def _is_within(element: _Element, tag: str, top: _Element) -> bool:
    for above in element.iterancestors():
        if above is top:
            return False
        if above.tag == tag:
            return True
    return False


def _notes(document: Document) -> Iterator[_Element]:
    """The parts of footnotes and endnotes, which python-docx leaves as they are."""
    for relation in document.part.rels.values():
        kind = relation.reltype.rsplit("/", 1)[-1]
        if kind in _NOTES and not relation.is_external:
            yield parse_xml(relation.target_part.blob)
