"""Small documents, made by the programs' own writers or byte by byte."""

import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from email.message import EmailMessage
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile

import docx
import pptx
import xlsxwriter
from pptx.util import Inches

#: What an entry of an old container's directory names where it names no other.
NO_ENTRY = 0xFFFFFFFF
ODF_SPACES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for name in ("office", "text", "table")
)
CONTAINER = (
    '<?xml version="1.0"?><container version="1.0" '
    'xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/>'
    "</rootfiles></container>"
)


def zipped(members: Mapping[str, str | bytes]) -> bytes:
    file = BytesIO()
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def rezipped(content: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    """The same archive with changed members."""
    with ZipFile(BytesIO(content)) as archive:
        return zipped({name: change(name, archive.read(name)) for name in archive.namelist()})


def pdf_objects(objects: Sequence[bytes], trailer: bytes = b"/Root 1 0 R") -> bytes:
    """A PDF of these objects, numbered from 1, with a right table of where they stand."""
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<</Size %d %s>>\n" % (len(objects) + 1, trailer)
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)


def pdf_stream(data: bytes, extra: bytes = b"") -> bytes:
    packed = zlib.compress(data)
    head = b"<</Length %d /Filter /FlateDecode %s>>" % (len(packed), extra)
    return head + b"\nstream\n" + packed + b"\nendstream"


def pdf(
    pages: Sequence[str], trailer: bytes = b"", bookmarks: Sequence[tuple[str, int]] = ()
) -> bytes:
    """A PDF with a page for each text, a line for each line; bookmarks lead to a page's index."""
    font = b"<</Type /Font /Subtype /Type1 /BaseFont /Helvetica>>"
    kids = b" ".join(b"%d 0 R" % (4 + 2 * index) for index in range(len(pages)))
    last = 4 + 2 * len(pages)
    outlines = b" /Outlines %d 0 R" % last
    objects = [
        b"<</Type /Catalog /Pages 2 0 R%s>>" % (outlines if bookmarks else b""),
        b"<</Type /Pages /Count %d /Kids [%s]>>" % (len(pages), kids),
        font,
    ]
    for index, text in enumerate(pages):
        objects.append(
            b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R "
            b"/Resources <</Font <</F 3 0 R>>>>>>" % (5 + 2 * index)
        )
        objects.append(pdf_stream(_shown(text)))
    if bookmarks:
        objects.append(b"<</First %d 0 R /Last %d 0 R>>" % (last + 1, last + len(bookmarks)))
    for at, (title, index) in enumerate(bookmarks, start=last + 1):
        following = b" /Next %d 0 R" % (at + 1) if at < last + len(bookmarks) else b""
        told = (title.encode(), last, 4 + 2 * index, following)
        objects.append(b"<</Title (%s) /Parent %d 0 R /Dest [%d 0 R /Fit]%s>>" % told)
    return pdf_objects(objects, b"/Root 1 0 R " + trailer)


def _shown(text: str) -> bytes:
    lines = [line.encode("cp1252") for line in text.split("\n")]
    shown = b" 0 -14 Td ".join(b"(%s) Tj" % line for line in lines)
    return b"BT /F 12 Tf 50 740 Td %s ET" % shown


def word() -> bytes:
    document = docx.Document()
    document.add_heading("Report", 0)
    document.add_heading("Results", 1)
    document.add_paragraph("All is well: größer, naïve, 漢字 and 😀.")
    document.add_paragraph("first", style="List Bullet")
    document.add_paragraph("second", style="List Bullet")
    document.add_heading("Numbers", 2)
    table = document.add_table(rows=2, cols=2)
    for row, cells in zip(table.rows, (("name", "size"), ("ant", "3")), strict=True):
        for cell, text in zip(row.cells, cells, strict=True):
            cell.text = text
    document.add_paragraph("The end.")
    return _saved(document.save)


def slides() -> bytes:
    presentation = pptx.Presentation()
    slide = presentation.slides.add_slide(presentation.slide_layouts[1])
    slide.shapes.title.text = "Plans"
    frame = slide.placeholders[1].text_frame
    frame.text = "one"
    paragraph = frame.add_paragraph()
    paragraph.text, paragraph.level = "deeper", 1
    slide.notes_slide.notes_text_frame.text = "say it slowly"
    slide = presentation.slides.add_slide(presentation.slide_layouts[5])
    slide.shapes.title.text = "Table"
    box = [Inches(1)] * 4
    table = slide.shapes.add_table(2, 2, *box).table
    for row, cells in enumerate((("a", "b"), ("1", "2"))):
        for column, text in enumerate(cells):
            table.cell(row, column).text = text
    return _saved(presentation.save)


def workbook(sheets: Mapping[str, Sequence[Sequence[object]]]) -> bytes:
    file = BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for at, row in enumerate(rows):
                sheet.write_row(at, 0, row)
    return file.getvalue()


def old_workbook(sheet: str, rows: Sequence[Sequence[str | float]]) -> bytes:
    """A workbook of Excel 97, in the container of its time."""
    bound = struct.pack("<BB", len(sheet), 0) + sheet.encode("latin-1")
    start = _record(0x809, struct.pack("<HH12x", 0x600, 5))
    begins = len(start) + 4 + 6 + len(bound) + 4
    start += _record(0x85, struct.pack("<LBB", begins, 0, 0) + bound) + _record(0x0A, b"")
    cells = b"".join(
        _cell(row, column, value)
        for row, values in enumerate(rows)
        for column, value in enumerate(values)
    )
    stream = start + _record(0x809, struct.pack("<HH12x", 0x600, 0x10)) + cells
    return ole("Workbook", stream + _record(0x0A, b""))


def _record(kind: int, data: bytes) -> bytes:
    return struct.pack("<HH", kind, len(data)) + data


def _cell(row: int, column: int, value: str | float) -> bytes:
    place = struct.pack("<HHH", row, column, 0)
    if isinstance(value, str):
        text = struct.pack("<HB", len(value), 1) + value.encode("utf-16-le")
        return _record(0x204, place + text)
    return _record(0x203, place + struct.pack("<d", value))


def ole(name: str, stream: bytes) -> bytes:
    """A container with one stream: a header, a table of sectors, a directory, the stream."""
    stream = stream.ljust(max(4096, -(-len(stream) // 512) * 512), b"\0")
    count = len(stream) // 512
    chain = [0xFFFFFFFD, 0xFFFFFFFE, *range(3, 2 + count), 0xFFFFFFFE]
    table = struct.pack(f"<{len(chain)}L", *chain).ljust(512, b"\xff")
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack(
        "<HHHHH6xLLLLLLLLL", 0x3E, 3, 0xFFFE, 9, 6, 0, 1, 1, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0
    )  # fmt: skip
    directory = (
        _ole_entry("Root Entry", 5, 1, 0xFFFFFFFE, 0)
        + _ole_entry(name, 2, NO_ENTRY, 2, len(stream))
    )  # fmt: skip
    places = struct.pack("<L", 0).ljust(436, b"\xff")
    return (header + places).ljust(512, b"\0") + table + directory.ljust(512, b"\0") + stream


def _ole_entry(name: str, kind: int, child: int, start: int, size: int) -> bytes:
    spelled = (name + "\0").encode("utf-16-le")
    links = struct.pack("<HBBLLL", len(spelled), kind, 1, NO_ENTRY, NO_ENTRY, child)
    return (spelled.ljust(64, b"\0") + links).ljust(116, b"\0") + struct.pack("<LQ", start, size)


def odt(body: str) -> bytes:
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {ODF_SPACES}>'
        f"<office:body><office:text>{body}</office:text></office:body></office:document-content>"
    )
    return zipped({
        "mimetype": "application/vnd.oasis.opendocument.text",
        "META-INF/manifest.xml": "<manifest/>",
        "content.xml": content,
    })  # fmt: skip


def ods(rows: Sequence[Sequence[str]]) -> bytes:
    cells = "".join(
        "<table:table-row>" + "".join(
            f'<table:table-cell office:value-type="string"><text:p>{cell}</text:p>'
            "</table:table-cell>" for cell in row
        ) + "</table:table-row>" for row in rows
    )  # fmt: skip
    return zipped({
        "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
        "META-INF/manifest.xml": "<manifest/>",
        "content.xml": (
            f"<office:document-content {ODF_SPACES}><office:body><office:spreadsheet>"
            f'<table:table table:name="Data">{cells}</table:table>'
            "</office:spreadsheet></office:body></office:document-content>"
        ),
    })  # fmt: skip


def epub(chapters: Mapping[str, str], extra: Mapping[str, str] | None = None) -> bytes:
    """A book: `chapters` in the order of reading, listed the other way round."""
    items = "".join(
        f'<item id="{name}" href="{name}.xhtml" media-type="application/xhtml+xml"/>'
        for name in reversed(list(chapters))
    )
    refs = "".join(f'<itemref idref="{name}"/>' for name in chapters)
    package = (
        '<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0">'
        f"<manifest>{items}</manifest><spine>{refs}</spine></package>"
    )
    pages = {f"OEBPS/{name}.xhtml": text for name, text in chapters.items()}
    return zipped({
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": CONTAINER,
        "OEBPS/book.opf": package,
        **pages,
        **(extra or {}),
    })  # fmt: skip


def mail(*, html: str | None = None, plain: str | None = None) -> bytes:
    message = EmailMessage()
    message["Subject"] = "Grüße aus Köln"
    message["From"] = "Ann <ann@example.org>"
    message["To"] = "bob@example.org"
    message["Date"] = "Mon, 05 Jan 2026 10:00:00 +0000"
    if plain is not None:
        message.set_content(plain)
    if html is not None:
        message.add_alternative(html, subtype="html")
    message.add_attachment(b"\x89PNG", maintype="image", subtype="png", filename="cat.png")
    return message.as_bytes()


def _saved(save: Callable[[BytesIO], None]) -> bytes:
    file = BytesIO()
    save(file)
    return file.getvalue()
