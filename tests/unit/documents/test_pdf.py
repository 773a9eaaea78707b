"""PDF: text that runs sideways keeps its lines, and what was filled into a form is text too."""

import io

import pytest
from reportlab.pdfgen.canvas import Canvas

from tests.unit.documents.reading import pages

LINES = ["Anchor 12.50 3", "Rope 4.20 17", "Sail 99.00 1", "Inventory of the shop", "as of January"]


def drawn(*, sideways: bool, rotated: int) -> bytes:
    """A page of five lines, along its short side or its long one, shown `rotated` by degrees."""
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(595, 842))
    canvas.setPageRotation(rotated)
    if sideways:
        canvas.translate(595, 0)
        canvas.rotate(90)
    for at, line in enumerate(LINES):
        canvas.drawString(50, 500 - 15 * at, line)
    canvas.showPage()
    canvas.save()
    return out.getvalue()


@pytest.mark.parametrize("rotated", [0, 90, 270])
@pytest.mark.parametrize("sideways", [False, True])
def test_lines_stay_lines_however_a_page_is_turned(sideways: bool, rotated: int) -> None:
    [page] = pages(drawn(sideways=sideways, rotated=rotated))
    assert sorted(page.text.split("\n")) == sorted(LINES)


def test_text_beside_the_page_is_no_text_of_it() -> None:
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(595, 842))
    canvas.drawString(50, 500, "on the page")
    canvas.drawString(-3000, 500, "beside it")
    canvas.showPage()
    canvas.save()
    assert pages(out.getvalue())[0].text == "on the page"


def test_what_was_filled_into_a_form_is_read_on_each_of_its_pages() -> None:
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(595, 842))
    for value in ("Alice Example", "Bob Beispiel"):
        canvas.drawString(50, 700, "Name:")
        canvas.acroForm.textfield(name=value[:3], value=value, x=100, y=690, width=200, height=20)
        canvas.showPage()
    canvas.save()
    assert [page.text.split() for page in pages(out.getvalue())] == [
        ["Name:", "Alice", "Example"],
        ["Name:", "Bob", "Beispiel"],
    ]
