"""A document's pages, chunks or refusal, in a line of a test."""

from pathlib import Path

from documents.detection import detect
from documents.extraction import extract, open_document
from documents.pages import Page
from models.documents import (
    Chunk,
    ChunkOptions,
    DocumentRefused,
    Extraction,
    PageFault,
    ReadingLimits,
)

LIMITS = ReadingLimits()


def pages(content: bytes, ending: str = "", limits: ReadingLimits = LIMITS) -> list[Page]:
    """The pages of a document that has no broken ones."""
    read = list(parts(content, ending, limits))
    return [part for part in read if isinstance(part, Page)]


def parts(
    content: bytes, ending: str = "", limits: ReadingLimits = LIMITS
) -> list[Page | PageFault]:
    found = detect(content, ending, limits)
    return list(open_document(content, found, limits).pages)


def text(content: bytes, ending: str = "") -> str:
    [page] = pages(content, ending)
    return page.text


def extracted(
    content: bytes,
    ending: str = "",
    *,
    tokenizer: Path | None = None,
    options: ChunkOptions | None = None,
    limits: ReadingLimits = LIMITS,
) -> Extraction:
    return extract(
        content,
        ending,
        tokenizer=tokenizer,
        options=options or ChunkOptions(tokens=256),
        limits=limits,
        progress=lambda done, total: None,
    )


def chunks(content: bytes, ending: str = "", **given: object) -> list[Chunk]:
    return [chunk for _, chunk in extracted(content, ending, **given).chunks()]  # type: ignore[arg-type]


def refusal(content: bytes, ending: str = "", limits: ReadingLimits = LIMITS) -> DocumentRefused:
    """Why a document is refused, which it must be."""
    try:
        extracted(content, ending, limits=limits)
    except DocumentRefused as refused:
        return refused
    raise AssertionError("it was read")
