"""Which kind of plain text a text is. Pure: the content first, then the name's ending."""

import json
import re

from documents.formats import Format

#: What an ending chooses where the content does not say otherwise.
ENDINGS = {
    "md": Format.MARKDOWN, "markdown": Format.MARKDOWN, "mkd": Format.MARKDOWN,
    "csv": Format.CSV, "tsv": Format.CSV, "tab": Format.CSV,
    "json": Format.JSON, "ndjson": Format.NDJSON, "jsonl": Format.NDJSON,
    "html": Format.HTML, "htm": Format.HTML, "xhtml": Format.HTML,
    "eml": Format.EML, "txt": Format.TEXT, "text": Format.TEXT, "log": Format.TEXT,
}  # fmt: skip
DELIMITERS = ",;\t|"
#: How much of a text is looked at.
_HEAD = 8192
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
_HEADER = re.compile(r"[!-9;-~]+:[ \t].*|[!-9;-~]+:$")
_MAIL_HEADER = re.compile(
    r"^(From|To|Subject|Date|Message-ID|Received|MIME-Version|Return-Path|Delivered-To):",
    re.IGNORECASE | re.MULTILINE,
)
_MAIL_HEADERS = 3
_MD_HEADING = re.compile(r"^#{1,6} \S", re.MULTILINE)
_MD_OTHER = re.compile(r"^```|^[-*] \S|^\d+\. \S|\[[^\]\n]+\]\([^)\n]+\)", re.MULTILINE)


def kind_of_text(text: str, ending: str) -> Format:
    """Choose among the formats that are plain text."""
    head = text[:_HEAD].lstrip("\ufeff")
    named = ENDINGS.get(ending)
    if _HTML_START.match(head) and named is not Format.MARKDOWN:
        return Format.HTML
    if named is Format.HTML and not _TAG.search(head):
        named = Format.TEXT
    if named is Format.EML and not _is_mail(head, 1):
        named = Format.TEXT
    return named or _by_content(text, head)


def _by_content(text: str, head: str) -> Format:
    if head.lstrip()[:1] in {"{", "["} and (kind := _json_kind(text)):
        return kind
    if _is_mail(head, _MAIL_HEADERS):
        return Format.EML
    if len(_MD_HEADING.findall(head)) >= _MD_HEADINGS and _MD_OTHER.search(head):
        return Format.MARKDOWN
    return Format.CSV if delimiter_of(head) and _looks_like_table(head) else Format.TEXT


def html_charset(content: bytes) -> str | None:
    """The charset that a page states of itself in its first kilobyte."""
    head = content[:1024]
    found = _META_CHARSET.search(head) or _XML_CHARSET.search(head)
    return found.group(1).decode("ascii") if found else None


def delimiter_of(text: str) -> str | None:
    """What separates the cells: the one of which the lines have equally many, most of all."""
    lines = [line for line in text[:_HEAD].splitlines() if line.strip()][:_CSV_LOOKED_AT]
    if len(text) > _HEAD and len(lines) > 1:
        lines.pop()  # it may be cut off
    counts = {mark: [line.count(mark) for line in lines] for mark in DELIMITERS}
    even = {mark: min(found) for mark, found in counts.items() if found and min(found) > 0}
    if not even:
        return None
    return max(even, key=lambda mark: (len(set(counts[mark])) == 1, even[mark]))


def _looks_like_table(head: str) -> bool:
    """Whether all first lines have the same number of cells, more than prose would."""
    mark = delimiter_of(head)
    lines = [line for line in head.splitlines() if line.strip()][:_CSV_LOOKED_AT]
    if len(lines) == _CSV_LOOKED_AT or len(head) < _HEAD:
        counts = {line.count(mark or ",") for line in lines}
        return len(lines) >= _CSV_LINES and len(counts) == 1
    return False


def _json_kind(text: str) -> Format | None:
    if _is_json(text):
        return Format.JSON
    first, _, rest = text.lstrip().partition("\n")
    second = rest.lstrip().partition("\n")[0]
    return Format.NDJSON if second and _is_json(first) and _is_json(second) else None


def _is_json(text: str) -> bool:
    try:
        json.loads(text, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return False
    return True


def _is_mail(head: str, least: int) -> bool:
    """Whether the text starts with a block of header lines, `least` of them those of mail."""
    block = re.split(r"\r?\n\r?\n", head, maxsplit=1)[0]
    lines = block.splitlines()
    well_formed = all(_HEADER.match(line) or line[:1] in {" ", "\t"} for line in lines)
    return well_formed and len({name.lower() for name in _MAIL_HEADER.findall(block)}) >= least
