"""PDF, by Chrome's engine: the text of each page. Not thread-safe: one document a process."""

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pypdfium2  # type: ignore[import-untyped]  # ships no types; this file wraps what it uses

from documents.outline import Outline, outline_of, placed
from documents.pages import Opened, Page, Source, clean
from documents.refusals import encrypted, too_large, unreadable
from models.documents import PageFault

#: A word broken at the end of a line: the engine puts a mark where its hyphen was.
_BROKEN_WORD = re.compile("[\ufffe\x02]\r?\n?")


def opened(source: Source) -> Opened:
    """Open the document; its pages are read when asked for. Raises DocumentRefused."""
    document = _document(source.content)
    total = len(document)
    if total > source.limits.max_pages:
        raise too_large(
            f"{total:,} pages", f"{source.limits.max_pages:,} pages", "document.max_pages"
        )
    if total == 0:
        raise unreadable("it has no pages that can be found")
    return Opened(_pages(document, source), total, markdown=False)


def _document(content: bytes) -> Any:  # noqa: ANN401  (the library has no types)
    _forget_last_error()
    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        if error.err_code == pypdfium2.raw.FPDF_ERR_PASSWORD:
            raise encrypted("a PDF with a password") from error
        if error.err_code == pypdfium2.raw.FPDF_ERR_SECURITY:
            raise encrypted("a PDF with a protection that is not known") from error
        raise unreadable("it is not a whole PDF, or its inner directory is broken") from error
    with suppress(pypdfium2.PdfiumError):  # a form that is broken is no reason not to read the rest
        document.init_forms()  # before any page is loaded
    return document


def _forget_last_error() -> None:
    """Make "no PDF" the engine's last error; otherwise it is that of a document before this one.

    A document without pages opens without an error, and pypdfium2 then tells the last there was: it
    would be said to have the password of another.
    """
    pypdfium2.raw.FPDF_LoadMemDocument64(b"", 0, None)


def _pages(document: Any, source: Source) -> Iterator[Page | PageFault]:  # noqa: ANN401
    outline = _outline(document)
    for index in range(len(document)):
        try:
            text = _text(document, index)
        except pypdfium2.PdfiumError:
            yield PageFault(
                page=index + 1,
                message=f"Page {index + 1} is broken and was left out; export the PDF again.",
            )
            continue
        source.room.take(len(text))
        yield Page(text, placed(outline.get(index, ()), text), number=index + 1)


def _outline(document: Any) -> Outline:  # noqa: ANN401
    """The bookmarks; none where they are broken, for the text does without them."""
    try:
        return outline_of(document.get_toc())
    except (pypdfium2.PdfiumError, ValueError):
        return {}


def _text(document: Any, index: int) -> str:  # noqa: ANN401
    if document.formenv is not None:
        _fill_in(document, index)
    page = document[index]
    try:
        layer = page.get_textpage()
        try:
            text = _of_both(layer.get_text_bounded(), layer.get_text_range())
        finally:
            layer.close()
    finally:
        page.close()
    return clean(_BROKEN_WORD.sub("", text))


def _fill_in(document: Any, index: int) -> None:  # noqa: ANN401
    """Make what was filled into a form's fields text of their page."""
    page = document[index]
    try:
        with suppress(pypdfium2.PdfiumError):
            page.flatten()
    finally:
        page.close()


def _of_both(bounded: str, whole: str) -> str:
    """What stands within the page, with the line breaks of all there is where these are the same.

    The first leaves out what lies beside the page, and in text that runs sideways its line breaks.
    """
    return whole if _letters(whole) == _letters(bounded) else bounded


def _letters(text: str) -> str:
    return "".join(_BROKEN_WORD.sub("", text).split())
