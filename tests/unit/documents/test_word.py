"""What Word shows as a heading, a list, a box or an equation is read as one."""

from collections.abc import Callable
from io import BytesIO

import docx
import pytest
from docx.document import Document
from docx.enum.style import WD_STYLE_TYPE
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls, qn

from tests.unit.documents.reading import pages, text

SPACES = (
    nsdecls("w")
    + ' xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    + ' xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
)
IN_BOX = "<w:txbxContent><w:p><w:r><w:t>boxed</w:t></w:r></w:p></w:txbxContent>"
#: Word writes a box twice: for itself, and for programs that are older.
BOX = (
    f"<w:r {SPACES}><mc:AlternateContent><mc:Choice>{IN_BOX}</mc:Choice>"
    f"<mc:Fallback>{IN_BOX}</mc:Fallback></mc:AlternateContent></w:r>"
)


def saved(document: Document) -> bytes:
    file = BytesIO()
    document.save(file)
    return file.getvalue()


def style(document: Document, name: str, base: str) -> None:
    """Add a style that is based on another."""
    added = document.styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH)
    added.base_style = document.styles[base]


def headings(document: Document) -> list[tuple[int, str]]:
    [page] = pages(saved(document))
    return [(heading.level, heading.title) for heading in page.headings]


def outline(document: Document, name: str, level: str) -> None:
    """Let a style state a level of the outline."""
    properties = document.styles[name].element.get_or_add_pPr()
    properties.append(parse_xml(f'<w:outlineLvl {SPACES} w:val="{level}"/>'))


def test_a_style_has_the_level_of_the_heading_it_is_based_on() -> None:
    document = docx.Document()
    style(document, "Corp", "Heading 2")
    style(document, "Corp Blue", "Corp")
    document.add_paragraph("Chapter", style="Corp Blue")
    assert headings(document) == [(2, "Chapter")]


def test_a_style_is_in_a_list_like_the_style_it_is_based_on() -> None:
    document = docx.Document()
    style(document, "Corp List", "List Bullet")
    document.add_paragraph("one", style="Corp List")
    document.add_paragraph("two", style="Corp List")
    assert text(saved(document)) == "- one\n- two"


def test_a_style_that_says_it_is_no_heading_is_none() -> None:
    document = docx.Document()
    style(document, "Contents Title", "Heading 1")
    outline(document, "Contents Title", "9")
    document.add_paragraph("Contents", style="Contents Title")
    assert headings(document) == []


def test_styles_that_are_based_on_each_other_are_none() -> None:
    document = docx.Document()
    style(document, "A", "Normal")
    style(document, "B", "A")
    document.styles["A"].base_style = document.styles["B"]
    document.add_paragraph("text", style="A")
    assert text(saved(document)) == "text"


@pytest.mark.timeout(30)
def test_a_long_chain_of_styles_is_followed_once() -> None:
    document = docx.Document()
    styles = document.styles.element
    for at in range(20_000):
        base = f"S{at - 1}" if at else "Heading1"
        added = parse_xml(
            f'<w:style {SPACES} w:type="paragraph" w:styleId="S{at}">'
            f'<w:name w:val="S{at}"/><w:basedOn w:val="{base}"/></w:style>'
        )
        styles.insert(0, added)
    paragraph = document.add_paragraph("deep")
    paragraph._p.get_or_add_pPr().append(parse_xml(f'<w:pStyle {SPACES} w:val="S19999"/>'))
    assert headings(document) == [(1, "deep")]


@pytest.mark.parametrize("level", ["\u00b2", "9" * 5000, "-1", "x"])
def test_a_level_that_is_no_number_says_nothing(level: str) -> None:
    document = docx.Document()
    outline(document, "Normal", level)
    paragraph = document.add_paragraph("text", style="List Bullet")
    numbering = paragraph._p.get_or_add_pPr().get_or_add_numPr()
    numbering.get_or_add_ilvl().set(qn("w:val"), level)
    assert text(saved(document)) == "- text"


def in_paragraph(document: Document) -> None:
    document.add_paragraph("around")._p.append(parse_xml(BOX))


def in_cell(document: Document) -> None:
    cell = document.add_table(1, 1).cell(0, 0)
    cell.text = "around"
    cell.paragraphs[0]._p.append(parse_xml(BOX))


@pytest.mark.parametrize("write", [in_paragraph, in_cell])
def test_a_text_box_is_read_once(write: Callable[[Document], None]) -> None:
    document = docx.Document()
    write(document)
    assert text(saved(document)).split() == ["around", "boxed"]


def test_an_equation_is_read_in_its_place() -> None:
    document = docx.Document()
    paragraph = document.add_paragraph("Energy: ")
    paragraph._p.append(parse_xml(f"<m:oMath {SPACES}><m:r><m:t>E=mc^2</m:t></m:r></m:oMath>"))
    paragraph.add_run(" holds.")
    assert text(saved(document)) == "Energy: E=mc^2 holds."
