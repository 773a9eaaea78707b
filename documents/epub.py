"""EPUB: its chapters in the order of reading, each of them a page."""

import posixpath
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from documents.archive import Archive
from documents.charset import decode
from documents.html import write_chapter
from documents.pages import Opened, Page, PageWriter, Source
from documents.plain_kinds import html_charset
from documents.refusals import encrypted, too_large, unreadable
from documents.xml_walk import walk_xml
from models.documents import DocumentRefused, PageFault
from models.states import ItemErrorCode

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_OPF = "http://www.idpf.org/2007/opf "
_ROOTFILE = "urn:oasis:names:tc:opendocument:xmlns:container rootfile"
_CIPHER = "http://www.w3.org/2001/04/xmlenc# CipherReference"


def opened(source: Source) -> Opened:
    """Open the book; its chapters are read when asked for. Raises DocumentRefused."""
    archive = Archive(source.content, source.limits)
    archive.check(xml=lambda name: name == _CONTAINER)
    chapters = _chapters(archive)
    limit = source.limits.max_pages
    if len(chapters) > limit:
        raise too_large(f"{len(chapters):,} chapters", f"{limit:,} chapters", "document.max_pages")
    if _locked(archive) & set(chapters):
        raise encrypted("a book that is protected against copying (DRM)")
    return Opened(_pages(archive, chapters, source), len(chapters))


def _chapters(archive: Archive) -> list[str]:
    """The chapters' names in the archive, in order. Raises DocumentRefused."""
    packages: list[str] = []

    def container(name: str, attributes: Mapping[str, str]) -> None:
        if name == _ROOTFILE:
            packages.append(attributes.get("full-path", ""))

    walk_xml(archive.read(_CONTAINER), start=container)
    if not packages or packages[0] not in archive:
        raise unreadable("its table of contents is missing")
    return _spine(archive, packages[0])


def _spine(archive: Archive, package: str) -> list[str]:
    hrefs: dict[str, str] = {}
    order: list[str] = []

    def element(name: str, attributes: Mapping[str, str]) -> None:
        if name == f"{_OPF}item":
            hrefs[attributes.get("id", "")] = attributes.get("href", "")
        elif name == f"{_OPF}itemref":
            order.append(attributes.get("idref", ""))

    walk_xml(archive.read(package), start=element)
    folder = posixpath.dirname(package)
    return [_member(folder, hrefs[key]) for key in order if key in hrefs]


def _member(folder: str, href: str) -> str:
    """The name in the archive that a link means: a key, which no file system ever sees."""
    return posixpath.normpath(posixpath.join(folder, unquote(href.split("#", maxsplit=1)[0])))


def _locked(archive: Archive) -> set[str]:
    """The members that are encrypted; some publishers do it to fonts alone."""
    found: set[str] = set()

    def element(name: str, attributes: Mapping[str, str]) -> None:
        if name == _CIPHER:
            found.add(posixpath.normpath(unquote(attributes.get("URI", ""))))

    if _ENCRYPTION in archive:
        walk_xml(archive.read(_ENCRYPTION), start=element)
    return found


def _pages(archive: Archive, chapters: list[str], source: Source) -> Iterator[Page | PageFault]:
    titles: set[str] = set()
    for number, name in enumerate(chapters, start=1):
        writer = PageWriter(source.room)
        try:
            write_chapter(_text(archive.read(name)), writer, titles)
            yield writer.page(number)
        except DocumentRefused as refusal:
            if refusal.code is not ItemErrorCode.DOCUMENT_UNREADABLE:
                raise
            message = f"Chapter {number} is missing or broken and was left out."
            yield PageFault(page=number, message=message)


def _text(content: bytes) -> str:
    """A chapter's HTML. Raises DocumentRefused."""
    decoded = decode(content, html_charset(content))
    if not content or decoded is None:
        raise unreadable("a chapter is missing or no text")
    return decoded.text
