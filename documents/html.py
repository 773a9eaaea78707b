"""HTML: what a person would read of it, as Markdown-like text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser, LexborNode

from documents.pages import Opened, PageWriter, Source, is_blank, one_line

_DROPPED = frozenset({
    "script", "style", "nav", "template", "noscript", "head", "svg", "math", "iframe", "object",
    "canvas", "select", "button", "textarea", "audio", "video", "datalist",
})  # fmt: skip
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_INLINE = frozenset({
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em",
    "font", "i", "img", "input", "ins", "kbd", "label", "mark", "q", "rb", "rp", "rt", "ruby", "s",
    "samp", "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr",
})  # fmt: skip
_LISTS = frozenset({"ul", "ol", "menu", "dl"})
_CELLS = frozenset({"td", "th"})
_VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta",
                   "source", "track", "wbr"})  # fmt: skip
_XHTML = re.compile(r"^\s*<\?xml|http://www\.w3\.org/1999/xhtml")
_CLOSED_AT_ONCE = re.compile(r"<([A-Za-z][\w:-]*)([^<>]*)/>")
_HEAD = 2048
#: No longer than Markdown lets the number of a list entry be.
_NUMBER = re.compile(r"\s*(-?[0-9]{1,9})(?![0-9])")
#: What stands between a page's title and its site's name.
_BEFORE_SITE = re.compile(r"\s+[-–—|·•»:]\s|\s*\|")
_SPACES = re.compile(r"[ \t\n\r\f]+")


def opened(source: Source) -> Opened:
    """Give one page, which is the whole document. Raises DocumentRefused."""
    writer = PageWriter(source.room)
    write_html(source.text, writer)
    return Opened(iter([writer.page()]))


def write_html(text: str, writer: PageWriter) -> None:
    """Write a page of HTML: its title, unless a heading says it, and its body.

    Raises DocumentRefused.
    """
    tree = LexborHTMLParser(_as_html(text))
    title = _title(tree)
    if title and not _is_said(title, _main_heading(tree.body)):
        writer.heading(1, title)
    _write_body(tree, writer)


def write_chapter(text: str, writer: PageWriter, titles: set[str]) -> None:
    """Write a chapter of a book, under its title where it has no heading of its own.

    `titles` are those of the chapters before it, and get its own: one that comes again is the
    book's, or that of a chapter in more than one file. Raises DocumentRefused.
    """
    tree = LexborHTMLParser(_as_html(text))
    title = _title(tree)
    if title and title not in titles and not _main_heading(tree.body):
        writer.heading(1, title)
    titles.add(title)
    _write_body(tree, writer)


def _title(tree: LexborHTMLParser) -> str:
    title = tree.css_first("head > title")
    return one_line(title.text()) if title else ""


def _main_heading(body: LexborNode | None) -> str:
    """The first heading of the first level that has text, or the first of any; else nothing."""
    if body is None:
        return ""
    # Few pages are gone through to their end for this.
    enough = {"h1"} if body.css_first("h1") else _HEADINGS.keys()
    first = ""
    for tag, text in _headings(body):
        if tag in enough:
            return text
        first = first or text
    return first


def _headings(body: LexborNode) -> Iterator[tuple[str, str]]:
    """The headings that are written: their elements, and what they say."""
    words: list[str] = []
    open_headings = cells = 0
    for node, entering in _events(body):
        if node.tag in _CELLS:
            cells += 1 if entering else -1
        if cells:
            continue  # a heading in a cell is written as the cell's text
        if node.is_text_node and open_headings:
            words.append(node.text_content or "")
        elif node.tag in _HEADINGS:
            open_headings += 1 if entering else -1
            text = one_line("".join(words))
            words.clear()
            if not is_blank(text):
                yield node.tag or "", text
        elif open_headings and node.tag == "br":
            words.append(" ")
        elif open_headings and node.tag not in _INLINE:
            words.clear()  # a block within a heading stands for itself


def _is_said(title: str, heading: str) -> bool:
    """Whether a title is a heading, maybe with the site's name behind it: `Page - Site`."""
    title, heading = title.casefold(), heading.casefold()
    if not heading or not title.startswith(heading):
        return False
    rest = title.removeprefix(heading)
    return not rest or _BEFORE_SITE.match(rest) is not None


def _write_body(tree: LexborHTMLParser, writer: PageWriter) -> None:
    if tree.body is not None:
        _Walk(writer).walk(tree.body)


def _as_html(text: str) -> str:
    """XHTML closes what is empty at once; to HTML `<script/>` goes on to the end of the page."""
    if not _XHTML.search(text[:_HEAD]):
        return text
    return _CLOSED_AT_ONCE.sub(_opened_and_closed, text)


def _opened_and_closed(tag: re.Match[str]) -> str:
    name, attributes = tag.groups()
    if name.lower() in _VOID:
        return tag.group()
    return f"<{name}{attributes}></{name}>"


@dataclass(slots=True)
class _Walk:
    """Goes through a tree without recursion: a page may nest a million deep."""

    writer: PageWriter
    _words: list[str] = field(default_factory=list)
    _lists: list[int | None] = field(default_factory=list)
    """The lists it is in: the next number of an ordered one, None for the others."""
    _mark: str | None = None
    """What stands before the list entry that has begun and has no text yet."""
    _cells: list[str] | None = None
    _in_cell: int = 0
    _in_pre: int = 0

    def walk(self, root: LexborNode) -> None:
        """Write all below `root`."""
        for node, entering in _events(root):
            if node.is_text_node:
                text = node.text_content or ""
                self._words.append(text if self._in_pre else _SPACES.sub(" ", text))
            elif entering:
                self._enter(node)
            else:
                self._leave(node)
        self._flush()

    def _enter(self, node: LexborNode) -> None:
        tag = node.tag or ""
        if tag == "br":
            self._words.append("\n" if not self._in_cell else " ")
        elif tag in _CELLS:
            self._in_cell += 1
            self._words.append(" ")
        elif self._in_cell or tag in _INLINE:
            self._words.append("" if tag in _INLINE else " ")
        else:
            self._flush()
            self._begin(node)

    def _begin(self, block: LexborNode) -> None:
        """Come to a block."""
        tag = block.tag
        if tag in _LISTS:
            self._lists.append(_first_number(block) if tag == "ol" else None)
            self.writer.end_run()
        elif tag == "li":
            self._mark = self._next_mark()
        elif tag == "tr":
            self._cells = []
        elif tag == "table":
            self.writer.end_run()
        elif tag == "pre":
            self._in_pre += 1

    def _leave(self, node: LexborNode) -> None:
        tag = node.tag or ""
        if tag in _CELLS:
            self._leave_cell()
        elif self._in_cell or tag in _INLINE or tag == "br":
            self._words.append("" if tag in _INLINE else " ")
        elif tag in _HEADINGS:
            self.writer.heading(_HEADINGS[tag], self._taken())
        elif tag == "pre":
            self._in_pre = max(0, self._in_pre - 1)
            self.writer.code(self._taken())
        elif tag == "tr":
            self._end_row()
        else:
            self._flush()
            if tag in _LISTS and self._lists:
                self._lists.pop()

    def _leave_cell(self) -> None:
        self._in_cell = max(0, self._in_cell - 1)
        if self._in_cell == 0:
            text = one_line(self._taken())
            if self._cells is not None:
                self._cells.append(text)

    def _end_row(self) -> None:
        self._flush()
        self.writer.row(self._cells or [])
        self._cells = None

    def _next_mark(self) -> str:
        if not self._lists or self._lists[-1] is None:
            return "-"
        number = self._lists[-1]
        self._lists[-1] = number + 1
        return f"{number}."

    def _flush(self) -> None:
        """Write what was collected as a list entry or a paragraph."""
        text = self._taken()
        if is_blank(text):
            return
        if self._lists:
            self.writer.item(text, len(self._lists) - 1, self._mark or "-")
            self._mark = None
        else:
            self.writer.paragraph(text)

    def _taken(self) -> str:
        """The collected words, which are then no longer collected."""
        text = "".join(self._words)
        self._words.clear()
        return text


def _first_number(ordered: LexborNode) -> int:
    stated = _NUMBER.match(ordered.attributes.get("start") or "")
    return int(stated.group(1)) if stated else 1


def _events(root: LexborNode) -> Iterator[tuple[LexborNode, bool]]:
    """Every node below `root` when it is entered (True) and left (False); dropped ones not."""
    node, entering = root.first_child, True
    depth = 1
    while node is not None and depth > 0:
        skipped = entering and _is_dropped(node)
        if not skipped:
            yield node, entering
        below = node.first_child if entering and not skipped else None
        if below is not None:
            node, entering, depth = below, True, depth + 1
        elif entering and not skipped and not node.is_text_node:
            entering = False
        elif node.next is not None:
            node, entering = node.next, True
        else:
            node, entering, depth = node.parent, False, depth - 1


def _is_dropped(node: LexborNode) -> bool:
    if node.is_text_node:
        return False
    return node.tag in _DROPPED or node.is_comment_node or "hidden" in node.attributes
