"""Each format's structure survives as text: headings, lists, tables, pages."""

import posixpath
import re
from io import BytesIO
from zipfile import ZipFile

import pytest

from documents.pages import Heading
from models.documents import PageFault, ReadingLimits
from models.states import ItemErrorCode
from tests.unit.documents import making
from tests.unit.documents.reading import pages, parts, refusal, text

TAB = "\t"


def test_a_word_document_keeps_headings_lists_and_tables() -> None:
    [page] = pages(making.word())
    assert page.text == (
        "# Report\n\n# Results\n\nAll is well: größer, naïve, 漢字 and 😀.\n\n- first\n- second\n\n"
        "## Numbers\n\nname | size\nant | 3\n\nThe end."
    )
    assert [(heading.level, heading.title) for heading in page.headings] == [
        (1, "Report"), (1, "Results"), (2, "Numbers"),
    ]  # fmt: skip
    assert all(page.text[h.start :].startswith("#" * h.level + " ") for h in page.headings)


def test_text_that_a_change_inserted_is_read_and_what_it_deleted_is_not() -> None:
    changed = (
        b'<w:p><w:ins w:id="1"><w:r><w:t>inserted</w:t></w:r></w:ins>'
        b'<w:del w:id="2"><w:r><w:delText>deleted</w:delText></w:r></w:del></w:p>'
        b"<w:sdt><w:sdtContent><w:p><w:r><w:t>controlled</w:t></w:r></w:p></w:sdtContent></w:sdt>"
        b"<w:sectPr"
    )
    content = making.rezipped(
        making.word(),
        lambda name, part: (
            part.replace(b"<w:sectPr", changed) if name == "word/document.xml" else part
        ),
    )
    assert "inserted" in text(content)
    assert "controlled" in text(content)
    assert "deleted" not in text(content)


def test_a_presentation_is_read_slide_by_slide() -> None:
    first, second = pages(making.slides())
    assert first.text == "# Plans\n\n- one\n  - deeper\n\nNotes: say it slowly"
    assert second.text == "# Table\n\na | b\n1 | 2"
    assert (first.number, second.number) == (1, 2)


def test_a_shape_with_the_number_of_the_title_is_read() -> None:
    """Programs that copy shapes give some of them the same number."""
    content = making.rezipped(
        making.slides(),
        lambda _, part: re.sub(rb'<p:cNvPr id="\d+"', b'<p:cNvPr id="2"', part),
    )
    assert [page.text for page in pages(content)] == [page.text for page in pages(making.slides())]


def test_a_workbook_is_read_sheet_by_sheet() -> None:
    rows: list[list[object]] = [["name", "size"], ["ant\nqueen", 1.5], [], ["", 3.0], [True]]
    first, second = pages(making.workbook({"Data": rows, "Empty": []}))
    assert first.text == "name | size\nant queen | 1.5\n| 3\nTRUE".replace("\n|", "\n |")
    assert (first.number, first.sheet, second.sheet) == (1, "Data", "Empty")
    assert second.text == ""


def test_an_open_document_keeps_headings_lists_and_tables() -> None:
    body = (
        '<text:h text:outline-level="2">He<text:span>ad</text:span></text:h>'
        '<text:p>two<text:s text:c="2"/>words<office:annotation><text:p>no</text:p>'
        "</office:annotation></text:p>"
        "<text:list><text:list-item><text:p>one</text:p><text:list><text:list-item>"
        "<text:p>deeper</text:p></text:list-item></text:list></text:list-item></text:list>"
        "<table:table><table:table-row><table:table-cell><text:p>a</text:p><text:p>b</text:p>"
        "</table:table-cell><table:table-cell><text:p>c</text:p></table:table-cell>"
        "</table:table-row></table:table>"
    )
    [page] = pages(making.odt(body))
    assert page.text == "## Head\n\ntwo  words\n\n- one\n  - deeper\n\na b | c"
    assert page.headings == (Heading(2, "Head", 0),)


@pytest.mark.parametrize("told", ["²", "9" * 5_000, "-1", ""])
def test_a_number_that_is_none_costs_an_open_document_no_text(told: str) -> None:
    head = f'<text:h text:outline-level="{told}">Head</text:h>'
    body = f'{head}<text:p>a<text:s text:c="{told}"/>b</text:p>'
    assert text(making.odt(body)) == "# Head\n\na b"


def test_an_open_spreadsheet_is_read() -> None:
    [page] = pages(making.ods([["a", "b"], ["c", "d"]]))
    assert (page.text, page.sheet) == ("a | b\nc | d", "Data")


def test_a_book_is_read_in_the_order_of_reading() -> None:
    first, second = pages(making.epub({"b": "<h1>One</h1><p>x</p>", "a": "<p>y</p>"}))
    assert (first.number, first.text) == (1, "# One\n\nx")
    assert (second.number, second.text) == (2, "y")


def test_a_missing_chapter_is_a_fault_and_the_others_are_read() -> None:
    book = making.epub({"a": "<p>x</p>", "b": ""})
    first, second = parts(book)
    assert isinstance(second, PageFault)
    assert second.page == 2
    assert first == pages(book)[0]


def test_a_book_with_a_locked_chapter_is_encrypted() -> None:
    locked = (
        '<encryption><c:CipherReference xmlns:c="http://www.w3.org/2001/04/xmlenc#" '
        'URI="OEBPS/a.xhtml"/></encryption>'
    )
    book = making.epub({"a": "<p>x</p>"}, {"META-INF/encryption.xml": locked})
    assert refusal(book).code is ItemErrorCode.DOCUMENT_ENCRYPTED


def test_html_is_read_as_a_person_would_see_it() -> None:
    page = b"""<html><head><title>The title</title><style>p {}</style></head><body>
      <nav>menu</nav><h1>A &amp; B</h1><p>one <b>bold</b>
      line<br>next</p><script>no()</script><p hidden>no</p><!-- no -->
      <ul><li>first<ol><li>deep</li><li>er</li></ol></li><li>second</li></ul>
      <table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td><p>2</p><p>3</p></td></tr></table>
      <pre>x\n  y</pre><noscript>no</noscript><template>no</template></body></html>"""
    assert text(page) == (
        "# The title\n\n# A & B\n\none bold line\nnext\n\n"
        "- first\n\n  1. deep\n  2. er\n- second\n\n"
        "a | b\n1 | 2 3\n\n```\nx\n  y\n```"
    )


def test_html_is_read_in_the_charset_it_states() -> None:
    page = '<html><head><meta charset="windows-1251"></head><p>Привет</p></html>'
    assert text(page.encode("cp1251")) == "Привет"


def test_what_xhtml_closes_at_once_does_not_swallow_the_page() -> None:
    chapter = (
        '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title/>'
        '<script src="x.js"/></head><body><a id="p"/><p>one<br/>two</p></body></html>'
    )
    [page] = pages(making.epub({"a": chapter}))
    assert page.text == "one\ntwo"


def test_an_old_workbook_is_read() -> None:
    [page] = pages(making.old_workbook("Data", [["name", 1.5], ["größer", 2.0]]))
    assert (page.sheet, page.text) == ("Data", "name | 1.5\ngrößer | 2")


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_rows_are_told_apart_by_the_mark_they_have_in_common(mark: str) -> None:
    table = f'name{mark}size\n"a{mark}nt"{mark}3\n\n'.encode()
    assert text(table, "csv") == f"name | size\n{f'a{mark}nt'.replace(TAB, ' ')} | 3"


FORK = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X" + b"<!DOCTYPE plist>"
"""What a Mac keeps beside a file: no XML, whatever the file beside it is."""


def packed_on_a_mac(content: bytes, beside: bytes) -> bytes:
    """The archive with something beside each of its members."""
    with ZipFile(BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    forks = {f"__MACOSX/{posixpath.dirname(name)}/._{posixpath.basename(name)}" for name in members}
    return making.zipped({**members, **dict.fromkeys(sorted(forks), beside)})


@pytest.mark.parametrize(
    "content, told",
    [
        (making.word(), "All is well"),
        (making.slides(), "say it slowly"),
        (making.workbook({"A": [["cell"]]}), "cell"),
        (making.ods([["cell"]]), "cell"),
        (making.odt("<text:p>text</text:p>"), "text"),
        (making.epub({"a": "<p>text</p>"}), "text"),
    ],
)
def test_an_archive_that_a_mac_packed_again_is_read(content: bytes, told: str) -> None:
    assert told in pages(packed_on_a_mac(content, FORK))[0].text


def test_what_only_lies_where_a_mac_puts_its_own_is_looked_at() -> None:
    refused = refusal(packed_on_a_mac(making.word(), b"<!DOCTYPE x>"))
    assert refused.code is ItemErrorCode.DOCUMENT_UNREADABLE
    assert "types" in refused.message


def test_the_charset_of_xml_is_looked_at_however_few_bytes_come_at_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("documents.archive._STEP", 3)
    content = making.rezipped(
        making.word(), lambda _, part: part.replace(b"encoding='UTF-8'", b"encoding='UTF-7'")
    )
    assert "charset" in refusal(content).message


def test_json_becomes_a_line_a_value() -> None:
    record = b'{"a": {"b": [1, 2]}, "c": [{"d": 1.50}, {"e": null}], "f": true, "g": []}'
    assert text(record) == "a.b: 1, 2\nc.d: 1.50\nc.e: null\nf: true\ng:"


def test_records_stand_apart() -> None:
    assert text(b'[{"a": 1}, {"a": 2}]') == "a: 1\n\na: 2"
    assert text(b'{"a": 1}\n\n{"a": 2}\n') == "a: 1\n\na: 2"


def test_broken_json_says_where() -> None:
    refused = refusal(b'{"a": 1}\n{"a": \n', "ndjson")
    assert refused.code is ItemErrorCode.DOCUMENT_UNREADABLE
    assert "line 2" in refused.message


def test_a_pdf_is_read_page_by_page() -> None:
    first, second = pages(making.pdf(["Hello World\nsecond line", "größer"]))
    assert (first.number, first.text) == (1, "Hello World\nsecond line")
    assert second.text == "größer"


def test_a_word_that_a_line_of_a_pdf_broke_is_put_together() -> None:
    assert pages(making.pdf(["trans-\nformation"]))[0].text == "transformation"


def test_a_pdf_without_text_is_sent_to_text_recognition() -> None:
    refused = refusal(making.pdf(["", ""]))
    assert refused.code is ItemErrorCode.DOCUMENT_NO_TEXT
    assert "OCR" in refused.message


@pytest.mark.parametrize(
    "content",
    [
        making.pdf(["x"] * 3),
        making.workbook({str(at): [["x"]] for at in range(3)}),
        making.epub({f"c{at}": "<p>x</p>" for at in range(3)}),
    ],
)
def test_more_pages_than_allowed_are_refused_with_both_numbers(content: bytes) -> None:
    refused = refusal(content, limits=ReadingLimits(max_pages=2))
    assert refused.code is ItemErrorCode.DOCUMENT_TOO_LARGE
    assert "has 3 " in refused.message
    assert "limit is 2 " in refused.message
    assert "document.max_pages" in refused.message


@pytest.mark.parametrize(
    "content",
    [
        making.word(),
        making.pdf(["\n".join(["x" * 20] * 10)]),
        b"x" * 200,
        making.mail(plain="x" * 200),
    ],
)
def test_more_characters_than_allowed_are_refused(content: bytes) -> None:
    refused = refusal(content, limits=ReadingLimits(max_chars=100))
    assert refused.code is ItemErrorCode.DOCUMENT_TOO_LARGE
    assert "document.max_chars" in refused.message


def test_the_bookmarks_of_a_pdf_are_its_headings() -> None:
    first, second = pages(making.pdf(["cover\nPart  One\ntext", "more\nEnd"], bookmarks=[
        ("Part One", 0), ("not in the text", 0), ("End", 1),
    ]))  # fmt: skip
    assert first.headings == (Heading(1, "Part One", 6), Heading(1, "not in the text", 6))
    assert second.headings == (Heading(1, "End", 5),)


@pytest.mark.parametrize(
    "line, title",
    [
        ("# A", "A"), ("## A ##", "A"), ("# C#", "C#"), ("   # A", "A"), ("A\n===", "A"),
        ("A\n---", "A"), ("#A", None), ("    # A", None), ("#", None), ("```\n# A\n```", None),
        ("---\n# A\n---\n", None), ("\n---", None),
    ],
)  # fmt: skip
def test_markdown_headings_are_those_of_the_standard(line: str, title: str | None) -> None:
    [page] = pages(f"{line}\n\ntext".encode(), "md")
    assert [heading.title for heading in page.headings] == ([title] if title else [])


def test_no_pattern_takes_longer_than_the_text_is_long() -> None:
    """Each of these is tried in a million ways by a pattern that is written without care."""
    for content in (b"<?a?>" * 1600, b"<!---->" * 1100, b"# " + b" \t" * 100_000 + b"x",
                    b"---\n" * 50_000, b"[" * 8000, b"<!DOCTYPE[" * 800):  # fmt: skip
        assert pages(content + b"\n\nwords", "md")


def test_a_stray_cell_far_to_the_right_makes_no_chunks_of_nothing() -> None:
    content = making.workbook({"A": [["a", *[""] * 16_382, "stray"], [], ["b", "", "c"]]})
    [page] = pages(content)
    [first, second] = page.text.split("\n")
    assert first.split(" | ")[0] == "a"
    assert first.split(" | ")[-1] == "stray"
    assert len(first) < 100
    assert second == "b |  | c"
