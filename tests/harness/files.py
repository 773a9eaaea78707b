"""Documents of every format, made by real writers, with a sentence of their own on each page."""

import csv
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from email.message import EmailMessage

from docx import Document
from pptx import Presentation
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate
from xlsxwriter import Workbook

Pages = Sequence[str]


def pdf(pages: Pages, *, password: str | None = None) -> bytes:
    """A PDF, one sentence a page."""
    out = io.BytesIO()
    style = getSampleStyleSheet()["BodyText"]
    story = []
    for number, text in enumerate(pages):
        story += [PageBreak()] * bool(number) + [Paragraph(text, style)]
    SimpleDocTemplate(out, pagesize=A4, encrypt=password).build(story)
    return out.getvalue()


def docx(pages: Pages) -> bytes:
    """A Word document, a heading over each sentence, and a table."""
    document, out = Document(), io.BytesIO()
    for number, text in enumerate(pages, 1):
        document.add_heading(f"Part {number}", level=1)
        document.add_paragraph(text)
    document.save(out)
    return out.getvalue()


def pptx(pages: Pages) -> bytes:
    """A presentation, one sentence a slide."""
    deck, out = Presentation(), io.BytesIO()
    for number, text in enumerate(pages, 1):
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text = f"Slide {number}"
        slide.placeholders[1].text = text
    deck.save(out)
    return out.getvalue()


def xlsx(pages: Pages) -> bytes:
    """A workbook, one sentence a sheet."""
    out = io.BytesIO()
    with Workbook(out, {"in_memory": True}) as book:
        for number, text in enumerate(pages, 1):
            book.add_worksheet(f"Sheet{number}").write(0, 0, text)
    return out.getvalue()


def html(pages: Pages) -> bytes:
    """A web page, a heading over each sentence, with what nobody reads."""
    parts = "".join(f"<h2>Part {at}</h2><p>{text}</p>" for at, text in enumerate(pages, 1))
    return f"<!doctype html><title>T</title><script>var x=1</script>{parts}".encode()


def markdown(pages: Pages) -> bytes:
    """Markdown, a heading over each sentence."""
    return "\n\n".join(f"# Part {at}\n\n{text}" for at, text in enumerate(pages, 1)).encode()


def text(pages: Pages) -> bytes:
    """Plain text in UTF-16."""
    return "\n\n".join(pages).encode("utf-16")


def table(pages: Pages) -> bytes:
    """A CSV, one sentence a row."""
    out = io.StringIO()
    csv.writer(out).writerows([["number", "text"], *enumerate(pages, 1)])
    return out.getvalue().encode()


def json_lines(pages: Pages) -> bytes:
    """NDJSON, one sentence a line."""
    lines = (json.dumps({"number": at, "text": one}) for at, one in enumerate(pages))
    return "\n".join(lines).encode()


def mail(pages: Pages) -> bytes:
    """A letter."""
    letter = EmailMessage()
    letter["Subject"], letter["From"], letter["To"] = "News", "a@example.org", "b@example.org"
    letter.set_content("\n\n".join(pages))
    return letter.as_bytes()


def epub(pages: Pages) -> bytes:
    """A book, one sentence a chapter."""
    out = io.BytesIO()
    names = [f"c{at}.xhtml" for at in range(len(pages))]
    items = "".join(
        f'<item id="c{at}" href="{name}" media-type="application/xhtml+xml"/>'
        for at, name in enumerate(names)
    )
    spine = "".join(f'<itemref idref="c{at}"/>' for at in range(len(pages)))
    with zipfile.ZipFile(out, "w") as book:
        book.writestr("mimetype", "application/epub+zip")
        book.writestr("META-INF/container.xml", _CONTAINER)
        book.writestr("content.opf", _PACKAGE.format(items=items, spine=spine))
        for name, one in zip(names, pages, strict=True):
            book.writestr(name, _CHAPTER.format(text=one))
    return out.getvalue()


_CONTAINER = (
    '<?xml version="1.0"?><container version="1.0"'
    ' xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="content.opf" media-type="application/oebps-package+xml"/>'
    "</rootfiles></container>"
)
_PACKAGE = (
    '<?xml version="1.0"?><package version="3.0" unique-identifier="i"'
    ' xmlns="http://www.idpf.org/2007/opf"><metadata/><manifest>{items}</manifest>'
    "<spine>{spine}</spine></package>"
)
_CHAPTER = (
    '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title>C</title></head>'
    "<body><p>{text}</p></body></html>"
)

#: Each format with its writer, and whether each sentence is on a page of its own.
FORMATS: dict[str, tuple[Callable[[Pages], bytes], bool]] = {
    "pdf": (pdf, True),
    "docx": (docx, False),
    "pptx": (pptx, True),
    "xlsx": (xlsx, True),
    "html": (html, False),
    "markdown": (markdown, False),
    "text": (text, False),
    "csv": (table, False),
    "ndjson": (json_lines, False),
    "eml": (mail, False),
    "epub": (epub, True),
}
