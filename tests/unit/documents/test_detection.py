"""A file is what its content says; its name chooses among plain texts only."""

from pathlib import Path

import pytest

from documents.detection import detect
from documents.formats import Format
from models.documents import DocumentRefused
from models.states import ItemErrorCode
from tests.unit.documents import making
from tests.unit.documents.reading import LIMITS, refusal

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
MADE = {
    Format.PDF: making.pdf(["x"]),
    Format.DOCX: making.word(),
    Format.PPTX: making.slides(),
    Format.XLSX: making.workbook({"A": [["x"]]}),
    Format.ODS: making.ods([["x"]]),
    Format.ODT: making.odt("<text:p>x</text:p>"),
    Format.EPUB: making.epub({"one": "<p>x</p>"}),
    Format.EML: making.mail(plain="x"),
    Format.HTML: b"<!doctype html><p>x",
    Format.JSON: b'{"a": 1}',
    Format.NDJSON: b'{"a": 1}\n{"a": 2}\n',
    Format.CSV: b"a,b,c\n1,2,3\n4,5,6\n",
    Format.MARKDOWN: b"# A\n\ntext\n\n## B\n\n- one\n- two\n",
    Format.TEXT: b"only words",
    Format.XLS: OLE + "Workbook\0".encode("utf-16-le"),
}


def kind(content: bytes, ending: str = "") -> Format:
    return detect(content, ending, LIMITS).format


def test_every_format_is_made_here() -> None:
    assert set(MADE) == set(Format)


@pytest.mark.parametrize("format_", MADE)
def test_content_alone_tells_the_format(format_: Format) -> None:
    assert kind(MADE[format_]) is format_


BINARY = [Format.PDF, Format.DOCX, Format.PPTX, Format.XLSX, Format.ODS, Format.ODT, Format.EPUB,
          Format.XLS]  # fmt: skip


@pytest.mark.parametrize("format_", BINARY)
@pytest.mark.parametrize("ending", ["txt", "pdf", "json", "html"])
def test_a_wrong_ending_changes_nothing_for_a_binary_format(format_: Format, ending: str) -> None:
    assert kind(MADE[format_], ending) is format_


@pytest.mark.parametrize(
    "content, ending, format_",
    [
        (b"# not a heading in a text", "txt", Format.TEXT),
        (b"one plain line", "md", Format.MARKDOWN),
        (b"name;size\nant;3", "csv", Format.CSV),
        (b'{"a": 1}', "txt", Format.TEXT),
        (b"one line in <b>html</b>", "html", Format.HTML),
        (b"no tag at all", "html", Format.TEXT),
        (b"no header at all", "eml", Format.TEXT),
        (b"<!DOCTYPE html><p>a page", "txt", Format.HTML),
        (b"BMW is a maker of cars", "", Format.TEXT),
        (b"Well, yes.\nNo, not that.\nOr, on the other hand, so.", "", Format.TEXT),
    ],
)
def test_an_ending_chooses_among_plain_texts(content: bytes, ending: str, format_: Format) -> None:
    assert kind(content, ending) is format_


OASIS = "application/vnd.oasis.opendocument"


@pytest.mark.parametrize(
    "content, named",
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "image/png"),
        (b"ID3\x03" + bytes(100), "audio/mpeg"),
        (b"\x1f\x8b\x08" + bytes(100), "application/gzip"),
        (bytes(range(256)) * 4, "binary data"),
        (making.zipped({"a.txt": "x"}), "a zip archive"),
        (making.zipped({"mimetype": f"{OASIS}.presentation"}), "Save it as PPTX"),
        (making.zipped({"mimetype": f"{OASIS}.graphics"}), "no text or spreadsheet"),
        (b"{\\rtf1 x}", "RTF"),
        (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (OLE + "WordDocument\0".encode("utf-16-le"), "DOC"),
        (OLE, "OLE2"),
    ],
)
def test_what_is_not_read_is_named(content: bytes, named: str) -> None:
    refused = refusal(content)
    assert refused.code is ItemErrorCode.DOCUMENT_UNSUPPORTED
    assert named in refused.message


@pytest.mark.parametrize("content", [b"", b" \n\t ", "\ufeff\u200b ".encode()])
def test_a_file_without_a_character_has_no_text(content: bytes) -> None:
    assert refusal(content).code is ItemErrorCode.DOCUMENT_NO_TEXT


def test_an_office_file_with_a_password_is_encrypted() -> None:
    content = OLE + "EncryptedPackage\0".encode("utf-16-le")
    assert refusal(content).code is ItemErrorCode.DOCUMENT_ENCRYPTED


def test_a_document_with_macros_is_refused_with_advice() -> None:
    main = b"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    macros = b"application/vnd.ms-word.document.macroEnabled.main+xml"
    content = making.rezipped(making.word(), lambda _, part: part.replace(main, macros))
    assert "DOCX" in refusal(content).message


def test_rubbish_before_a_pdf_is_forgiven() -> None:
    assert kind(b"\r\n\r\n" + MADE[Format.PDF]) is Format.PDF
    assert kind(b"HTTP/1.1 200 OK\r\n\r\n" + MADE[Format.PDF]) is Format.PDF
    assert kind(b"\0\x08report.pdf" + bytes(116) + MADE[Format.PDF]) is Format.PDF


@pytest.mark.parametrize(
    "text",
    [
        b"A file of that kind starts with %PDF-1.4.",
        b"A PDF starts with %PDF-1.7 and names, by startxref, where its table is.",
        "Größer: %PDF-1.7 is where it starts, and startxref where it ends.".encode("cp1252"),
        b"A whole one:\n\n%PDF-1.4\n1 0 obj\n...\nstartxref\n9\n%%EOF\n\nThat was it.",
        "Ein ganzes, größer:\n\n%PDF-1.4\n…\nstartxref\n9\n%%EOF\n".encode(),
        b"\xe9t\xe9 " * 256 + b"\n%PDF-1.4\nstartxref\n",
    ],
)
def test_a_text_about_pdf_is_a_text(text: bytes) -> None:
    assert kind(text) is Format.TEXT


def test_detection_opens_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DocumentRefused):
        detect(making.zipped({"../../x": "y"}), "zip", LIMITS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "rubbish", [b"xx", b"HTTP/1.1 200 OK\r\nContent-Type: x\r\n\r\n", b"\0" * 9]
)
def test_what_ends_as_a_pdf_does_is_one_behind_rubbish(rubbish: bytes) -> None:
    assert detect(rubbish + making.pdf(["x"]), "", LIMITS).format is Format.PDF
