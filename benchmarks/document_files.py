"""Files to read, of docstrings of the standard library: of one size a kind, no two alike."""

import io
from collections.abc import Callable

from benchmarks.corpus import fresh

TEXT_BYTES = 8_000
PDF_PAGES = 20
PAGE_CHARS = 1_800


def prose(start: int, characters: int) -> str:
    """Docstrings from number `start` on, one behind the other, of about so many characters."""
    return "\n\n".join(fresh(start, 1 + characters // 100))[:characters]


def text(number: int) -> bytes:
    """Plain text of about 8 KB."""
    return prose(number * 100, TEXT_BYTES).encode()


def html(number: int) -> bytes:
    """A web page of about 8 KB, in sections."""
    parts = prose(number * 100, TEXT_BYTES - 1_000).replace("<", "&lt;").split("\n\n")
    body = "".join(f"<h2>Part {at}</h2><p>{part}</p>" for at, part in enumerate(parts))
    return f"<!doctype html><title>{number}</title><body>{body}</body>".encode()


def docx(number: int) -> bytes:
    """A Word document of the same text."""
    from docx import Document  # noqa: PLC0415  # who measures no documents needs no writer

    document, out = Document(), io.BytesIO()
    for at, part in enumerate(prose(number * 100, TEXT_BYTES).split("\n\n")):
        document.add_heading(f"Part {at}", level=2)
        document.add_paragraph("".join(letter for letter in part if letter.isprintable()))
    document.save(out)
    return out.getvalue()


def pdf(number: int) -> bytes:
    """A PDF of 20 full pages."""
    from reportlab.lib.pagesizes import A4  # noqa: PLC0415  # likewise
    from reportlab.pdfgen.canvas import Canvas  # noqa: PLC0415  # likewise

    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4)
    for page in range(PDF_PAGES):
        lines = canvas.beginText(40, 800)
        words = prose(number * 1_000 + page * 40, PAGE_CHARS).replace("\n", " ")
        for at in range(0, len(words), 90):
            lines.textLine(words[at : at + 90])
        canvas.drawText(lines)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


#: Each kind with its writer and the pages of one file.
KINDS: dict[str, tuple[Callable[[int], bytes], int]] = {
    "text": (text, 1),
    "HTML": (html, 1),
    "DOCX": (docx, 1),
    "PDF": (pdf, PDF_PAGES),
}
