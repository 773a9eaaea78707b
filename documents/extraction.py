"""A file's bytes to an `Extraction`: told apart, checked, read page by page, cut."""

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import cast

from documents.chunking import HeadingPath, cutter_for
from documents.detection import Detected, detect
from documents.formats import Format
from documents.pages import Opened, Page, Room, Source
from documents.refusals import no_text, too_large, unreadable
from models.documents import (
    Chunk,
    ChunkOptions,
    DocumentRefused,
    Extraction,
    PageFault,
    ReadingLimits,
)

Open = Callable[[Source], Opened]
Progress = Callable[[int, int | None], None]

#: Where each format is read. By name: a process loads the parsers of the formats it is given.
PARSERS = {
    Format.PDF: "documents.pdf",
    Format.DOCX: "documents.word",
    Format.PPTX: "documents.slides",
    Format.XLSX: "documents.sheets",
    Format.XLS: "documents.sheets",
    Format.ODS: "documents.sheets",
    Format.ODT: "documents.opendocument",
    Format.EPUB: "documents.epub",
    Format.HTML: "documents.html",
    Format.MARKDOWN: "documents.plain",
    Format.TEXT: "documents.plain",
    Format.CSV: "documents.rows",
    Format.JSON: "documents.records",
    Format.NDJSON: "documents.records",
    Format.EML: "documents.mail",
}
_SCANNED = (
    "No page of the PDF has text. It may be scanned: "
    "put it through text recognition (OCR) and send the result."
)


def extract(
    content: bytes,
    ending: str,
    *,
    tokenizer: Path | None,
    options: ChunkOptions,
    limits: ReadingLimits,
    progress: Progress,
) -> Extraction:
    """Read a document whole; `progress` gets the pages done and how many there are.

    Raises DocumentRefused.
    """
    found = detect(content, ending, limits)
    document = open_document(content, found, limits)
    parts: list[Chunk | PageFault] = []
    for part in _parts(document, tokenizer, options, progress):
        parts.append(part)
        if len(parts) > limits.max_chunks:
            raise too_large(
                f"more than {limits.max_chunks:,} chunks of {options.tokens} tokens",
                f"{limits.max_chunks:,} chunks",
                "document.max_chunks",
            )
    if not any(isinstance(part, Chunk) for part in parts):
        raise _nothing(found.format, faults=len(parts))
    return Extraction(format=found.format, pages=document.total, charset=found.charset, parts=parts)


def open_document(content: bytes, found: Detected, limits: ReadingLimits) -> Opened:
    """Open a document of a known format. Raises DocumentRefused."""
    source = Source(
        format=found.format,
        content=content,
        limits=limits,
        room=Room(limits.max_chars),
        text=found.text,
        charset=found.charset,
    )
    return cast(Open, import_module(PARSERS[found.format]).opened)(source)


def _parts(
    document: Opened, tokenizer: Path | None, options: ChunkOptions, progress: Progress
) -> Iterator[Chunk | PageFault]:
    cutter = cutter_for(tokenizer, options)
    path = HeadingPath()
    for done, page in enumerate(document.pages, start=1):
        if not document.headings_go_on:
            path = HeadingPath()
        if isinstance(page, Page):
            yield from cutter.chunks(page, path, markdown=document.markdown)
        else:
            yield page
        progress(done, document.total)


def _nothing(format_: Format, *, faults: int) -> DocumentRefused:
    if faults:
        return unreadable("none of its pages can be read")
    if format_ is Format.PDF:
        return no_text(_SCANNED)
    return no_text("The document has no text, only empty pages or pictures. Send one with text.")
