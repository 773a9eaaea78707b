"""Which kind of plain text a text is. Pure: the content first, then the name's ending."""

import csv
import json
import re
from collections import Counter
from io import StringIO
from itertools import islice
from typing import NamedTuple

from documents.formats import Format

#: What an ending chooses where the content does not say otherwise.
ENDINGS = {
    "md": Format.MARKDOWN, "markdown": Format.MARKDOWN, "mkd": Format.MARKDOWN,
    "csv": Format.CSV, "tsv": Format.CSV, "tab": Format.CSV,
    "json": Format.JSON, "ndjson": Format.NDJSON, "jsonl": Format.NDJSON,
    "html": Format.HTML, "htm": Format.HTML, "xhtml": Format.HTML,
    "eml": Format.EML, "txt": Format.TEXT, "text": Format.TEXT, "log": Format.TEXT,
}  # fmt: skip
#: Between equals the earlier wins; a comma that stands in numbers loses to all.
DELIMITERS = "\t,;|"
_DELIMITERS_BESIDE_DECIMALS = "\t;|,"
_DECIMAL = re.compile(r"\d,\d")
#: How much of a text is looked at, in characters: for its kind, for its rows, for its headers.
_HEAD = 8192
_TABLE_HEAD = 65_536
_MAIL_HEAD = 262_144
#: A table of fewer lines could as well be prose with commas.
_CSV_LINES = 3
_CSV_LOOKED_AT = 20
_MD_HEADINGS = 2

_HTML_START = re.compile(
    r"\s*+(?><\?xml[^>]*+>\s*+)?+(?><!--.*?-->\s*+)*+"
    r"<(?:!doctype\s+html|html|head|body|title|meta|div|p|table|ul|ol|h[1-6]|article|section)\b",
    re.IGNORECASE | re.DOTALL,
)
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w-]{2,40})", re.IGNORECASE)
_XML_CHARSET = re.compile(rb"^\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w-]{2,40})[\"']")
#: As Excel writes it, for itself.
_SEPARATOR = re.compile(r'"?sep=([^\w\s"]|\t)"?[ \t]*(?:\r\n?|\n|\Z)', re.IGNORECASE)
_FILLED_LINE = re.compile(r"\S[^\n]*")
_BLANK_LINE = re.compile(r"\n\r?\n")
_HEADER = re.compile(r"([!-9;-~]++):")
#: What stands between the mails of a box, and before the first.
_POSTMARK = re.compile(r"From [^\n]*+\n")
_NEXT_MAIL = re.compile(r"\n\r?\nFrom [^\n]*+\n[!-9;-~]++:")
_MAIL_NAMES = frozenset({
    "from", "to", "subject", "date", "message-id", "received", "mime-version", "return-path",
    "delivered-to",
})  # fmt: skip
#: So many of these make a mail of a text without a name.
_MAIL_HEADERS = 3
_MD_HEADING = re.compile(r"^#{1,6} \S", re.MULTILINE)
_MD_OTHER = re.compile(r"^```|^[-*] \S|^\d+\. \S|\[[^\]\n]+\]\([^)\n]+\)", re.MULTILINE)


class Table(NamedTuple):
    """Rows as they stand in a text, and what separates their cells."""

    rows: str
    delimiter: str | None


def kind_of_text(text: str, ending: str) -> Format:
    """Choose among the formats that are plain text."""
    text = text.lstrip("\ufeff")
    head = text[:_HEAD]
    named = ENDINGS.get(ending)
    if _HTML_START.match(head) and named is not Format.MARKDOWN:
        return Format.HTML
    if named in {Format.JSON, Format.NDJSON}:
        return _json_kind(text, named) or named
    if named is Format.HTML and not _TAG.search(head):
        named = Format.TEXT
    if named is Format.EML and not _is_mail(text, 1):
        named = Format.TEXT
    return named or _by_content(text, head)


def _by_content(text: str, head: str) -> Format:
    if head.lstrip()[:1] in {"{", "["} and (kind := _json_kind(text)):
        return kind
    if _is_mail(text, _MAIL_HEADERS):
        return Format.EML
    if len(_MD_HEADING.findall(head)) >= _MD_HEADINGS and _MD_OTHER.search(head):
        return Format.MARKDOWN
    return Format.CSV if _looks_like_table(text) else Format.TEXT


def html_charset(content: bytes) -> str | None:
    """The charset that a page states of itself in its first kilobyte."""
    head = content[:1024]
    found = _META_CHARSET.search(head) or _XML_CHARSET.search(head)
    stated = found.group(1).decode("ascii") if found else None
    # In characters of two bytes it could not have been found there.
    return None if stated and stated.lower().startswith("utf-16") else stated


def table_of(text: str) -> Table:
    """The rows of a table, by the separator that its first line states or else by the likeliest."""
    stated = _SEPARATOR.match(text)
    if stated:
        return Table(text[stated.end() :], stated.group(1))
    return Table(text, _delimiter_of(text))


def _delimiter_of(text: str) -> str | None:
    """What gives most of the first rows as many cells, more than one; None: nothing does.

    One that the first row has goes before others: they stand within cells.
    """
    best, most = None, (False, 0)
    for mark in _delimiters_for(text[:_TABLE_HEAD]):
        counts = _cell_counts(text, mark)
        several = Counter(count for count in counts if count > 1)
        worth = (counts[:1] > [1], max(several.values(), default=0))
        if several.total() > len(counts) / 2 and worth > most:
            best, most = mark, worth
    return best


def _delimiters_for(head: str) -> str:
    decimals = len(_DECIMAL.findall(head)) > head.count(",") / 2
    return _DELIMITERS_BESIDE_DECIMALS if decimals else DELIMITERS


def _cell_counts(text: str, mark: str) -> list[int]:
    """How many cells the first rows have where `mark` separates them."""
    rows = csv.reader(StringIO(text[:_TABLE_HEAD], newline=""), delimiter=mark)
    filled = (len(row) for row in rows if any(map(str.strip, row)))
    try:
        counts = list(islice(filled, _CSV_LOOKED_AT + 1))
    except csv.Error:
        return []
    if len(text) > _TABLE_HEAD and 1 < len(counts) <= _CSV_LOOKED_AT:
        counts.pop()  # it may be cut off
    return counts[:_CSV_LOOKED_AT]


def _looks_like_table(text: str) -> bool:
    """Whether all first rows have the same number of cells, more than prose would."""
    rows, mark = table_of(text)
    counts = _cell_counts(rows, mark) if mark else []
    enough = len(counts) == _CSV_LOOKED_AT or len(rows) <= _TABLE_HEAD
    return enough and len(counts) >= _CSV_LINES and len(set(counts)) == 1


def _json_kind(text: str, named: Format | None = None) -> Format | None:
    """JSON or NDJSON; `named` where the text is neither, or might be both."""
    lines = [found.group() for found in islice(_FILLED_LINE.finditer(text), 2)]
    if all(map(_is_json, lines)):
        return Format.NDJSON if len(lines) > 1 else named or Format.JSON
    # Whether what is named JSON is any, its parser finds out.
    return Format.JSON if named is Format.JSON or _is_json(text) else named


def _is_json(text: str) -> bool:
    try:
        json.loads(text, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return False
    return True


def _is_mail(text: str, least: int) -> bool:
    """Whether the text starts with a block of header lines, `least` of them those of mail."""
    postmark = _POSTMARK.match(text)
    if postmark and _NEXT_MAIL.search(text):
        return False  # only the first of the mails would be read
    lines = _header_block(text, postmark.end() if postmark else 0)
    headers = [_HEADER.match(line) for line in lines if line[:1] not in {" ", "\t"}]
    names = {header.group(1).lower() for header in headers if header}
    return all(headers) and len(names & _MAIL_NAMES) >= least


def _header_block(text: str, start: int) -> list[str]:
    """The lines up to the first blank one; without the last where it may be cut off."""
    end = start + _MAIL_HEAD
    blank = _BLANK_LINE.search(text, start, end)
    if blank:
        return text[start : blank.start()].split("\n")
    lines = text[start:end].rstrip("\n").split("\n")
    return lines[:-1] if len(text) > end else lines
