"""PPTX: a page a slide, with its title as heading, its texts, tables and notes."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any
from zipfile import BadZipFile

import pptx
from pptx.enum.shapes import PP_PLACEHOLDER
from pptx.exc import PythonPptxError
from pptx.presentation import Presentation
from pptx.slide import Slide

from documents.office import checked_archive
from documents.pages import Opened, Page, PageWriter, Source
from documents.refusals import too_large, unreadable
from models.documents import PageFault

#: Of groups within groups.
MAX_DEPTH = 50

_REPEATED = {PP_PLACEHOLDER.SLIDE_NUMBER, PP_PLACEHOLDER.DATE, PP_PLACEHOLDER.FOOTER}

#: What the library raises where a part is missing or is not what it should be.
_BROKEN = (
    BadZipFile,
    PythonPptxError,
    LookupError,
    ValueError,
    SyntaxError,
    AttributeError,
    TypeError,
)

# Shapes come in a dozen classes, which share no type with what is read of them.
_Shape = Any


def opened(source: Source) -> Opened:
    """Open the presentation; its slides are read when asked for. Raises DocumentRefused."""
    checked_archive(source)
    try:
        presentation = pptx.Presentation(BytesIO(source.content))
        total = len(presentation.slides)
    except _BROKEN as error:
        raise unreadable("a part that every presentation has is missing or broken") from error
    limit = source.limits.max_pages
    if total > limit:
        raise too_large(f"{total:,} slides", f"{limit:,} slides", "document.max_pages")
    return Opened(_pages(presentation, source), total, headings_go_on=False)


def _pages(presentation: Presentation, source: Source) -> Iterator[Page | PageFault]:
    for number in range(1, len(presentation.slides) + 1):
        try:
            writer = PageWriter(source.room)
            _write_slide(presentation.slides[number - 1], writer)
            yield writer.page(number)
        except _BROKEN:
            message = f"Slide {number} is broken and was left out; save the presentation again."
            yield PageFault(page=number, message=message)


def _write_slide(slide: Slide, writer: PageWriter) -> None:
    title = slide.shapes.title
    if title is not None:
        writer.heading(1, title.text_frame.text)
    for shape in _shapes(slide.shapes, 0):
        if not _is_title(shape, title) and not _is_repeated(shape):
            _write_shape(shape, writer)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        notes = slide.notes_slide.notes_text_frame.text.strip()
        writer.paragraph(f"Notes: {notes}" if notes else "")


def _shapes(shapes: Any, depth: int) -> Iterator[_Shape]:  # noqa: ANN401
    """All shapes, those in groups too."""
    for shape in shapes:
        if hasattr(shape, "shapes"):
            if depth < MAX_DEPTH:
                yield from _shapes(shape.shapes, depth + 1)
        else:
            yield shape


def _is_title(shape: _Shape, title: _Shape | None) -> bool:
    return title is not None and shape.element is title.element


def _is_repeated(shape: _Shape) -> bool:
    """Whether it stands on every slide: its number, the date, the footer."""
    return shape.is_placeholder and shape.placeholder_format.type in _REPEATED


def _write_shape(shape: _Shape, writer: PageWriter) -> None:
    writer.end_run()
    if getattr(shape, "has_table", False):
        for row in shape.table.rows:
            writer.row([cell.text_frame.text for cell in row.cells])
    elif shape.has_text_frame:
        _write_text(shape, writer)


def _write_text(shape: _Shape, writer: PageWriter) -> None:
    """Write a text: a list where it has more than one paragraph in a place made for lists."""
    paragraphs = [one for one in shape.text_frame.paragraphs if one.text.strip()]
    for paragraph in paragraphs:
        if shape.is_placeholder and len(paragraphs) > 1:
            writer.item(paragraph.text, paragraph.level)
        else:
            writer.paragraph(paragraph.text)
