"""What a file is, by what stands in it; a name's ending only chooses among plain texts."""

import re
from importlib import import_module
from typing import NamedTuple

from documents.archive import ZIP_MAGIC, Archive
from documents.charset import decode
from documents.formats import Format
from documents.ole import OLE_MAGIC, kind_of_ole
from documents.pages import is_blank
from documents.plain_kinds import html_charset, kind_of_text
from documents.refusals import no_text, unsupported
from models.documents import DocumentRefused, ReadingLimits

PDF_MAGIC = b"%PDF-"
#: As far in as the readers of PDF look for its first line.
PDF_WITHIN = 1024
_PDF_LINE = re.compile(rb"[\x00-\x08\n-\x1f]" + PDF_MAGIC)
_PDF_END = b"startxref"
_PDF_LAST_LINES = re.compile(rb"startxref\s+\d+\s+%%EOF[\s\0]*\Z")
_HEAD = 8192

_CONTENT_TYPES = "[Content_Types].xml"
_MAIN = "application/vnd.openxmlformats-officedocument."
_OOXML = {
    f"{_MAIN}wordprocessingml.document.main+xml": Format.DOCX,
    f"{_MAIN}presentationml.presentation.main+xml": Format.PPTX,
    f"{_MAIN}presentationml.slideshow.main+xml": Format.PPTX,
    f"{_MAIN}spreadsheetml.sheet.main+xml": Format.XLSX,
    "application/vnd.ms-excel.sheet.macroEnabled.main+xml": Format.XLSX,
}
_OOXML_OTHERS = {
    "application/vnd.ms-word.document.macroEnabled.main+xml": (
        "a Word document with macros (DOCM)", "Save it as DOCX and send that."
    ),
    f"{_MAIN}wordprocessingml.template.main+xml": (
        "a Word template (DOTX)", "Save it as DOCX and send that."
    ),
    "application/vnd.ms-powerpoint.presentation.macroEnabled.main+xml": (
        "a PowerPoint presentation with macros (PPTM)", "Save it as PPTX and send that."
    ),
    "application/vnd.ms-excel.sheet.binary.macroEnabled.main": (
        "a binary Excel workbook (XLSB)", "Save it as XLSX and send that."
    ),
}  # fmt: skip
_MIMETYPES = {
    b"application/epub+zip": Format.EPUB,
    b"application/vnd.oasis.opendocument.text": Format.ODT,
    b"application/vnd.oasis.opendocument.spreadsheet": Format.ODS,
}
_XML_KINDS = {"svg": "an image (SVG)"}
#: The first element. Atomic: many instructions and no element must not be tried in all ways.
_ROOT = re.compile(
    r"\s*+(?>(?:<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*+(?:\[.*?\]\s*+)?>)\s*+)*+<(\w+)", re.DOTALL
)


class Detected(NamedTuple):
    """A format, and what the bytes decode to where it is plain text."""

    format: Format
    text: str = ""
    charset: str | None = None


def detect(content: bytes, ending: str, limits: ReadingLimits) -> Detected:
    """Say what `content` is; `ending`: the file name's, as `md`. Raises DocumentRefused."""
    if not content:
        raise no_text("The file is empty: it has no bytes. Send the file with its content.")
    if content.startswith(ZIP_MAGIC):
        return Detected(_kind_of_zip(Archive(content, limits)))
    if content.startswith(OLE_MAGIC):
        return Detected(kind_of_ole(content))
    if _is_pdf(content):
        return Detected(Format.PDF)
    if content.startswith(b"{\\rtf"):
        raise unsupported("a rich text file (RTF)", "Save it as DOCX and send that.")
    decoded = decode(content, html_charset(content))
    if decoded is None:
        raise _binary(content)
    if is_blank(decoded.text):
        raise no_text("The file has only white space. Send a file with text.")
    root = _ROOT.match(decoded.text[:_HEAD])
    if root and root.group(1).lower() in _XML_KINDS:
        raise unsupported(_XML_KINDS[root.group(1).lower()])
    return Detected(kind_of_text(decoded.text, ending), decoded.text, decoded.charset)


def _is_pdf(content: bytes) -> bool:
    """Its first line, or rubbish before it and the end that all of them have.

    A text that tells of PDF may have both as well; but within a line, or it is text throughout and
    does not end as a PDF does.
    """
    if content[:_HEAD].lstrip(b"\xef\xbb\xbf\0\t\n\f\r ").startswith(PDF_MAGIC):
        return True
    start, end = content[:PDF_WITHIN], content[-_HEAD:]
    if PDF_MAGIC not in start or _PDF_END not in end:
        return False
    begins = _PDF_LINE.search(start) is not None
    ends = _PDF_LAST_LINES.search(end) is not None
    if _is_utf8(content):
        return begins and ends and content.isascii()
    return begins or ends


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _kind_of_zip(archive: Archive) -> Format:
    """By the entries that each of the formats must have. Raises DocumentRefused."""
    mimetype = archive.read("mimetype").strip()
    if mimetype in _MIMETYPES:
        return _MIMETYPES[mimetype]
    if mimetype == b"application/vnd.oasis.opendocument.presentation":
        raise unsupported("an OpenDocument presentation (ODP)", "Save it as PPTX and send that.")
    if mimetype.startswith(b"application/vnd.oasis.opendocument."):
        raise unsupported("an OpenDocument file that is no text or spreadsheet")
    if _CONTENT_TYPES in archive:
        return _kind_of_ooxml(archive.read(_CONTENT_TYPES))
    if "META-INF/container.xml" in archive:  # an EPUB that was packed again, by hand
        return Format.EPUB
    raise unsupported("a zip archive", "Unpack it and send the documents in it one by one.")


def _kind_of_ooxml(types: bytes) -> Format:
    told = types.replace(b"\0", b"").decode("ascii", "replace")
    for name, format_ in _OOXML.items():
        if f'"{name}"' in told or f"'{name}'" in told:
            return format_
    for name, (found, advice) in _OOXML_OTHERS.items():
        if name in told:
            raise unsupported(found, advice)
    raise unsupported("an Office file of an unknown kind (OOXML)")


def _binary(content: bytes) -> DocumentRefused:
    """Name the type of what is no text. The library's tables are loaded for this alone."""
    kind = import_module("filetype").guess(content[:_HEAD])
    if kind is None:
        return unsupported("binary data of an unknown type")
    family = kind.mime.split("/")[0]
    article = {"image": "an image", "audio": "a sound", "video": "a video", "font": "a font"}
    return unsupported(f"{article.get(family, 'a file')} of type {kind.mime}")
