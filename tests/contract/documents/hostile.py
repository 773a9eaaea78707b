"""Files made to break what reads them, and what may become of each. None lies in the repository."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from models.states import ItemErrorCode
from tests.contract.documents.bombs import (
    BODY,
    CATALOG,
    MB,
    OLE,
    Canary,
    active_pdf,
    attached,
    body_with,
    broken_page,
    calling_itself,
    compressed_otherwise,
    counting_pages,
    cyclic_pages,
    damaged_data,
    deep_word,
    encrypted_members,
    entries,
    external,
    far_cell,
    growing_names,
    html_depth,
    in_part,
    laughs,
    locked_pdf,
    lying_sizes,
    mail_with,
    many_members,
    many_pages,
    member_names,
    nested_archive,
    nested_mail,
    no_slide,
    noise,
    odt_with,
    ole_of,
    one_page,
    overlapping,
    pdf_of,
    rows,
    twice,
    with_note,
    without,
    word_with,
    word_xml,
)
from tests.unit.documents import making

ENCRYPTED = ItemErrorCode.DOCUMENT_ENCRYPTED
NO_TEXT = ItemErrorCode.DOCUMENT_NO_TEXT
LARGE = ItemErrorCode.DOCUMENT_TOO_LARGE
UNREADABLE = ItemErrorCode.DOCUMENT_UNREADABLE
UNSUPPORTED = ItemErrorCode.DOCUMENT_UNSUPPORTED


@dataclass(frozen=True, slots=True)
class Hostile:
    """A maker of a file, and what may become of it: some text of it, or one of the codes."""

    make: Callable[[Canary], bytes]
    text: str | None = None
    codes: frozenset[ItemErrorCode] = frozenset()
    ending: str = ""
    ends_process: bool = False


def ending(make: Callable[[Canary], bytes]) -> Hostile:
    """It may end its process, which no library in it can prevent."""
    return Hostile(make, codes=frozenset({NO_TEXT, UNREADABLE, LARGE}), ends_process=True)


def refused(make: Callable[[Canary], bytes], *codes: ItemErrorCode, ending: str = "") -> Hostile:
    return Hostile(make, codes=frozenset(codes), ending=ending)


def read(make: Callable[[Canary], bytes], text: str, ending: str = "") -> Hostile:
    return Hostile(make, text=text, ending=ending)


def cut_off(formats: Iterable[tuple[str, bytes]]) -> dict[str, Hostile]:
    """Half of a file of each format that can be cut off."""
    made: dict[str, Hostile] = {}
    for name, content in formats:
        half = content[: len(content) // 2]
        made[f"half of a {name}"] = refused(lambda _, half=half: half, UNREADABLE)
    return made


ARCHIVES = {
    "a part of 100 MB in 100 KB": refused(lambda _: body_with(bytes(100 * MB)), LARGE),
    "sixty parts of 1 MB in 60 KB": refused(lambda _: many_members(60, MB), LARGE),
    "archives in archives": refused(lambda _: nested_archive(6), UNSUPPORTED),
    "a bomb within a document": read(
        lambda _: word_with(None, **{"word/embeddings/a.zip": nested_archive(2)}), "All is well"
    ),
    "members that overlap": refused(lambda _: overlapping(500), LARGE, UNREADABLE),
    "sizes that are too small": refused(lambda _: lying_sizes(making.word(), 10), UNREADABLE),
    "a bomb that says it is small": refused(
        lambda _: lying_sizes(body_with(bytes(100 * MB)), 10), LARGE, UNREADABLE
    ),
    "a workbook untrue of its sizes": refused(
        lambda _: lying_sizes(making.workbook({"A": [["x"]]}), 9), UNREADABLE
    ),
    "sizes that are too large": refused(
        lambda _: lying_sizes(making.word(), 0xFFFFFFFE), UNREADABLE
    ),
    "a hundred thousand members": refused(lambda _: entries(100_000), LARGE),
    "members with a password": refused(lambda _: encrypted_members(), ENCRYPTED),
    "a member that is there twice": refused(lambda _: twice(BODY), UNREADABLE),
    "a compression of its own": refused(lambda _: compressed_otherwise(), UNREADABLE),
    "data that is damaged": refused(lambda _: damaged_data(), UNREADABLE),
    "names that lead outside": read(
        lambda _: member_names("../../outside", "/tmp/outside", "C:\\outside", "..\\outside"),
        "All is well",
    ),
    "names with zeros and no end": read(
        lambda _: member_names("word/a\0b", "n" * 60_000, "\u202egnp.exe"), "All is well"
    ),
    "two archives in a row": read(lambda _: making.zipped({"a": "b"}) + making.word(), "All is"),
    "ends within its end": refused(lambda _: with_note(making.word()), UNREADABLE),
}


XML = {
    "a billion laughs": refused(lambda _: body_with(word_xml(laughs(), "&l9;")), UNREADABLE),
    "one entity said too often": refused(
        lambda _: body_with(word_xml(f'<!DOCTYPE x [<!ENTITY a "{"a" * 50_000}">]>', "&a;" * 5000)),
        UNREADABLE,
    ),
    "a file as entity": refused(
        lambda canary: body_with(word_xml(external("file://" + canary.path), "&e;")), UNREADABLE
    ),
    "a server as entity": refused(
        lambda canary: body_with(word_xml(external(canary.url), "&e;")), UNREADABLE
    ),
    "a server's document type": refused(
        lambda canary: in_part(
            making.slides(), "ppt/presentation.xml", f'<!DOCTYPE x SYSTEM "{canary.url}">'
        ),
        UNREADABLE,
    ),
    "an entity in a workbook": refused(
        lambda canary: in_part(
            making.workbook({"A": [["x"]]}), "xl/workbook.xml", external(canary.url)
        ),
        UNREADABLE,
    ),
    "an entity in a spreadsheet": refused(
        lambda canary: in_part(making.ods([["x"]]), "content.xml", external(canary.url)),
        UNREADABLE,
    ),
    "an entity in an open document": refused(
        lambda canary: odt_with(external("file://" + canary.path), "<text:p>&e;</text:p>"),
        UNREADABLE,
    ),
    "an entity in a book's container": refused(
        lambda canary: in_part(
            making.epub({"a": "<p>x</p>"}), "META-INF/container.xml", external(canary.url)
        ),
        UNREADABLE,
    ),
    "laughs in a book's package": refused(
        lambda _: in_part(making.epub({"a": "<p>x</p>"}), "OEBPS/book.opf", laughs()), UNREADABLE
    ),
    "an entity in a book's chapter": read(
        lambda canary: making.epub({"a": external("file://" + canary.path) + "<p>one &e;</p>"}),
        "one &e;",
    ),
    "types in sixteen bits": refused(
        lambda _: body_with(word_xml(laughs(), "&l9;", "UTF-16")), UNREADABLE
    ),
    "types in seven bits": refused(
        lambda _: body_with(word_xml(laughs(), "&l9;", "UTF-7")), UNREADABLE
    ),
    "types in IBM's letters": refused(
        lambda _: body_with(word_xml(laughs(), "&l9;", "cp037")), UNREADABLE
    ),
    "types behind a long comment": refused(
        lambda _: body_with(word_xml(f"<!-- {'c' * 300_000} -->" + laughs(), "&l9;")), UNREADABLE
    ),
    "a picture with entities": refused(
        lambda canary: f"{external(canary.url)}<svg><text>&e;</text></svg>".encode(),
        UNSUPPORTED,
        UNREADABLE,
    ),
    "a template from a server": read(attached, "All is well"),
    "pages from a server": read(
        lambda canary: (
            f'<html><head><link rel="stylesheet" href="{canary.url}"><base href="{canary.url}">'
            f'<meta http-equiv="refresh" content="0;url={canary.url}"></head><body>'
            f'<img src="{canary.url}"><iframe src="{canary.url}"></iframe>'
            f'<object data="file://{canary.path}"></object>a page</body></html>'
        ).encode(),
        "a page",
    ),
    "elements in elements": refused(lambda _: deep_word(200_000), UNREADABLE),
    "open elements in elements": refused(
        lambda _: odt_with("", "<text:list>" * 100_000), UNREADABLE
    ),
    "a paragraph of 100,000 words": read(
        lambda _: body_with(word_xml("", "".join(f"w{at} " for at in range(100_000)))), "w0 w1"
    ),
}

PDFS = {
    "pages that contain each other": refused(lambda _: cyclic_pages(), UNREADABLE, NO_TEXT),
    "ten thousand pages": refused(lambda _: many_pages(10_000), LARGE),
    "two billion pages, it says": refused(
        lambda _: counting_pages(2_147_483_647), LARGE, UNREADABLE
    ),
    "fewer than no pages": refused(lambda _: counting_pages(-5), UNREADABLE, NO_TEXT),
    "a stream of 200 MB": refused(lambda _: one_page(b" " * 200 * MB), NO_TEXT, LARGE, UNREADABLE),
    "a form that draws itself": ending(lambda _: calling_itself()),
    "arrays in arrays": refused(
        lambda _: pdf_of(CATALOG, b"[" * 200_000 + b"]" * 200_000), UNREADABLE, NO_TEXT
    ),
    "a PDF with a password": refused(lambda _: locked_pdf(), ENCRYPTED),
    "a PDF that acts": read(active_pdf, "active"),
    "a page that is none": read(lambda _: broken_page(), "second"),
    "noise that says it is a PDF": refused(lambda _: noise(MB, b"%PDF-1.7\n"), UNREADABLE),
    "a PDF with a document behind it": read(
        lambda _: making.pdf(["the PDF"]) + making.word(), "the PDF"
    ),
    "a PDF that says it is a document": read(lambda _: making.pdf(["the PDF"]), "the PDF", "docx"),
}

TEXTS = {
    "50 MB in one word": refused(lambda _: b"x" * 50 * MB, LARGE),
    "50 MB in one line": refused(lambda _: b"some words " * (50 * MB // 11), LARGE),
    "50 MB of spaces": refused(lambda _: b" " * 50 * MB, NO_TEXT),
    "lists in lists": refused(lambda _: b"[" * 200_000 + b"]" * 200_000, UNREADABLE, ending="json"),
    "lists in lists without a name": read(lambda _: b"[" * 2000 + b"]" * 2000, "[[["),
    "a number of 10 MB": refused(lambda _: b'{"n": ' + b"9" * 10 * MB + b"}", LARGE),
    "names that grow": refused(lambda _: growing_names(), LARGE),
    "boxes in boxes": read(lambda _: html_depth(20_000), "deep"),
    "open tables in tables": read(
        lambda _: b"<!doctype html>" + b"<table><tr><td>deep" * 5000, "deep"
    ),
    "an element of 10,000 attributes": read(
        lambda _: (
            b"<!doctype html><p " + b" ".join(b"a%d=1" % at for at in range(10_000)) + b">text"
        ),
        "text",
    ),
    "a table of 20 MB": refused(lambda _: rows(3_300_000), LARGE, ending="csv"),
    "a cell without end": read(lambda _: b'a,"' + b"x" * 5 * MB, "a | xxx", "csv"),
    "quotes in quotes": read(lambda _: b"> " * 50_000 + b"quoted", "quoted", "md"),
    "brackets without end": read(lambda _: b"a\n" + b"[" * 50_000, "[[", "md"),
    "emphasis without end": read(lambda _: b"*a **a " * 10_000, "a", "md"),
    "marks upon marks": read(lambda _: ("a" + "\u0301" * 200_000).encode(), "a"),
    "no bytes": refused(lambda _: b"", NO_TEXT),
    "bytes of zero": refused(lambda _: bytes(MB), UNSUPPORTED),
    "noise": refused(lambda _: noise(MB), UNSUPPORTED),
    "noise that says it is text": refused(lambda _: noise(MB), UNSUPPORTED, ending="txt"),
    "half a letter": read(lambda _: "größer".encode() + b"\xf0\x9f", "gr"),
    "sixteen bits and a half": read(lambda _: "größer".encode("utf-16") + b"x", "größer"),
    "a picture that says it is text": refused(
        lambda _: b"\x89PNG\r\n\x1a\n" + noise(500), UNSUPPORTED, ending="txt"
    ),
    "a program": refused(lambda _: b"\x7fELF" + noise(500), UNSUPPORTED),
}

MAILS = {
    "parts in parts": refused(lambda _: nested_mail(3000), UNREADABLE),
    "ten thousand parts": read(
        lambda _: mail_with(
            'Content-Type: multipart/mixed; boundary="b"\n\n' + "--b\n\nhello\n" * 10_000
        ),
        "hello",
    ),
    "a header of 5 MB": read(lambda _: mail_with("X-A: " + "x" * 5 * MB + "\n\nhello"), "hello"),
    "an attachment with a path": read(
        lambda _: mail_with(
            'Content-Type: multipart/mixed; boundary="b"\n\n--b\n\nhello\n--b\n'
            'Content-Disposition: attachment; filename="../../outside"\n\nx\n--b--\n'
        ),
        "hello",
    ),
    "a charset that is none": read(
        lambda _: mail_with('Content-Type: text/plain; charset="no\\"such\n\nhello'), "hello"
    ),
}

OFFICE = {
    "a spreadsheet with an element without end": refused(
        lambda _: making.rezipped(
            making.ods([["x"]]), lambda _, part: part.replace(b"</table:table>", b"</table:|able>")
        ),
        UNREADABLE,
    ),
    "cells at both ends of a sheet": refused(lambda _: far_cell(), LARGE, UNREADABLE),
    "noise that says it is a workbook": refused(lambda _: ole_of("Workbook"), UNREADABLE),
    "a workbook of repeated bytes": refused(
        lambda _: OLE + b"\xff\xff\xff\x7f" * 20_000 + "Workbook\0".encode("utf-16-le"),
        UNREADABLE,
    ),
    "an Office file with a password": refused(lambda _: ole_of("EncryptedPackage"), ENCRYPTED),
    "an archive with nothing but types": refused(
        lambda _: making.zipped({"[Content_Types].xml": "<Types/>"}), UNSUPPORTED
    ),
    "a document without its text": refused(lambda _: without(BODY), UNREADABLE),
    "a slide that is none": read(lambda _: no_slide(), "Table"),
}


HALVES = cut_off([
    ("PDF", making.pdf(["x" * 50] * 9)), ("DOCX", making.word()), ("PPTX", making.slides()),
    ("XLSX", making.workbook({"A": [["x"]]})), ("ODS", making.ods([["x"]])),
    ("ODT", making.odt("<text:p>x</text:p>")), ("EPUB", making.epub({"a": "<p>x</p>"})),
])  # fmt: skip

CORPUS = {**ARCHIVES, **XML, **PDFS, **TEXTS, **MAILS, **OFFICE, **HALVES}
