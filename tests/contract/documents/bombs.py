"""The bytes of files made to break what reads them, made anew in each run."""

import json
import random
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from tests.unit.documents import making

MB = 1_000_000
SECRET = "canary-3f9c"
BODY = "word/document.xml"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


@dataclass(frozen=True, slots=True)
class Canary:
    """A file and a server that no document may make anybody read."""

    path: str
    url: str


# ------------------------------------------------------------------------------------ archives
def word_with(change: Callable[[str, bytes], bytes] | None = None, **more: bytes) -> bytes:
    """A document of Word with other bytes in its parts, and `more` parts at its end."""
    content = making.rezipped(making.word(), change or (lambda _, part: part))
    file = BytesIO(content)
    with ZipFile(file, "a", ZIP_DEFLATED) as archive:
        for name, part in more.items():
            archive.writestr(name, part)
    return file.getvalue()


def body_with(content: bytes) -> bytes:
    """A document of Word whose text is another part."""
    return word_with(lambda name, part: content if name == BODY else part)


def many_members(count: int, size: int) -> bytes:
    return word_with(None, **{f"word/media/{at}.bin": bytes(size) for at in range(count)})


def member_names(*names: str) -> bytes:
    file = BytesIO(making.word())
    with ZipFile(file, "a", ZIP_DEFLATED) as archive:
        for name in names:
            info = ZipInfo("x")
            info.filename = name
            archive.writestr(info, b"outside")
    return file.getvalue()


def nested_archive(depth: int) -> bytes:
    inner = making.zipped({"zeros": bytes(20 * MB)})
    for _ in range(depth):
        inner = making.zipped({"a.zip": inner, "b.zip": inner})
    return inner


def entries(count: int) -> bytes:
    file = BytesIO()
    with ZipFile(file, "w", ZIP_STORED) as archive:
        for at in range(count):
            archive.writestr(ZipInfo(f"{at:x}"), b"")
    return file.getvalue()


def patched_directory(content: bytes, patch: Callable[[bytearray, int], None]) -> bytes:
    """The archive with each entry of its central directory changed in place."""
    changed = bytearray(content)
    at = changed.find(b"PK\x01\x02")
    while at >= 0:
        patch(changed, at)
        at = changed.find(b"PK\x01\x02", at + 4)
    return bytes(changed)


def lying_sizes(content: bytes, size: int) -> bytes:
    """An archive that says of each member that it is `size` bytes long."""

    def patch(changed: bytearray, at: int) -> None:
        struct.pack_into("<L", changed, at + 24, size)

    return patched_directory(content, patch)


def encrypted_members() -> bytes:
    def patch(changed: bytearray, at: int) -> None:
        changed[at + 8] |= 1

    return patched_directory(making.word(), patch)


def overlapping(count: int) -> bytes:
    """One kernel of zeros, and a directory that lists it under many names."""
    kernel = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = kernel.compress(bytes(MB)) + kernel.flush()
    crc = zlib.crc32(bytes(MB))
    names = [b"[Content_Types].xml", *(b"%06d" % at for at in range(count))]
    first = names[0]
    common = struct.pack("<HHHHHLLLHH", 20, 0, 8, 0, 33, crc, len(packed), MB, len(first), 0)
    local = b"PK\x03\x04" + common + first + packed
    directory = b"".join(
        b"PK\x01\x02" + struct.pack("<H", 20) + common[:26]
        + struct.pack("<HHHHHLL", len(name), 0, 0, 0, 0, 0, 0) + name
        for name in names
    )  # fmt: skip
    end = struct.pack("<HHHHLLH", 0, 0, len(names), len(names), len(directory), len(local), 0)
    return local + directory + b"PK\x05\x06" + end


def damaged_data() -> bytes:
    content = bytearray(making.word())
    with ZipFile(BytesIO(content)) as archive:
        at = archive.getinfo(BODY).header_offset
    content[at + 60 : at + 90] = bytes(30)
    return bytes(content)


def compressed_otherwise() -> bytes:
    file = BytesIO()
    with ZipFile(BytesIO(making.word())) as old, ZipFile(file, "w", ZIP_BZIP2) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return file.getvalue()


def twice(name: str) -> bytes:
    file = BytesIO(making.word())
    with ZipFile(file, "a") as archive:
        archive.writestr(ZipInfo("y" * len(name)), b"<other/>")
    return file.getvalue().replace(b"y" * len(name), name.encode())


# ----------------------------------------------------------------------------------------- XML
def laughs(levels: int = 10) -> str:
    told = '<!ENTITY l0 "ha">'
    for level in range(1, levels):
        inner = f"&l{level - 1};" * 10
        told += f'<!ENTITY l{level} "{inner}">'
    return f"<!DOCTYPE x [{told}]>"


def external(target: str) -> str:
    return f'<!DOCTYPE x [<!ENTITY e SYSTEM "{target}">]>'


def word_xml(prolog: str, inner: str = "x", encoding: str = "UTF-8") -> bytes:
    space = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    told = (
        f'<?xml version="1.0" encoding="{encoding}"?>{prolog}<w:document xmlns:w="{space}">'
        f"<w:body><w:p><w:r><w:t>{inner}</w:t></w:r></w:p></w:body></w:document>"
    )
    return told.encode(encoding)


def deep_word(depth: int) -> bytes:
    return body_with(word_xml("", "</w:t></w:r>" + "<w:sdt>" * depth + "</w:sdt>" * depth
                              + "<w:r><w:t>deep"))  # fmt: skip


def attached(canary: Canary) -> bytes:
    """A document that asks for a template and a picture from a server."""
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    asks = "".join(
        f'<Relationship Id="rX{kind}" Type="{office}/{kind}" Target="{target}" '
        'TargetMode="External"/>'
        for kind in ("attachedTemplate", "image", "frame", "oleObject")
        for target in [canary.url]
    )

    def change(name: str, part: bytes) -> bytes:
        if name != "word/_rels/document.xml.rels":
            return part
        return part.replace(b"</Relationships>", asks.encode() + b"</Relationships>")

    return word_with(change)


def in_part(content: bytes, name: str, prolog: str) -> bytes:
    """The archive with `prolog` behind the XML declaration of one part."""

    def change(found: str, part: bytes) -> bytes:
        if found != name:
            return part
        start = part.find(b"?>") + 2 if part.startswith(b"<?xml") else 0
        return part[:start] + prolog.encode() + part[start:]

    return making.rezipped(content, change)


def odt_with(prolog: str, body: str = "<text:p>x</text:p>") -> bytes:
    return in_part(making.odt(body), "content.xml", prolog)


# ----------------------------------------------------------------------------------------- PDF
def pdf_of(*objects: bytes, trailer: bytes = b"/Root 1 0 R") -> bytes:
    return making.pdf_objects(objects, trailer)


CATALOG = b"<</Type /Catalog /Pages 2 0 R>>"


def cyclic_pages() -> bytes:
    return pdf_of(
        CATALOG,
        b"<</Type /Pages /Count 5 /Kids [3 0 R 2 0 R]>>",
        b"<</Type /Pages /Parent 2 0 R /Count 3 /Kids [2 0 R 3 0 R]>>",
    )


def counting_pages(count: int) -> bytes:
    return pdf_of(CATALOG, b"<</Type /Pages /Count %d /Kids []>>" % count)


def one_page(content: bytes, resources: bytes = b"", *more: bytes) -> bytes:
    return pdf_of(
        CATALOG,
        b"<</Type /Pages /Count 1 /Kids [3 0 R]>>",
        b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        b"/Resources <<%s>>>>" % resources,
        making.pdf_stream(content),
        *more,
    )


def calling_itself() -> bytes:
    form = making.pdf_stream(
        b"/F Do /F Do", b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources "
        b"<</XObject <</F 5 0 R>>>>"
    )  # fmt: skip
    return one_page(b"/F Do", b"/XObject <</F 5 0 R>>", form)


def many_pages(count: int) -> bytes:
    kids = b" ".join(b"%d 0 R" % (3 + at) for at in range(count))
    page = b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 9 9]>>"
    return pdf_of(CATALOG, b"<</Type /Pages /Count %d /Kids [%s]>>" % (count, kids),
                  *[page] * count)  # fmt: skip


def locked_pdf() -> bytes:
    lock = (
        b"/Encrypt <</Filter /Standard /V 2 /R 3 /Length 128 /P -4 /O <%s> /U <%s>>> "
        b"/ID [<%s> <%s>]" % (b"11" * 32, b"22" * 32, b"33" * 16, b"33" * 16)
    )
    return making.pdf(["secret"], lock)


def active_pdf(canary: Canary) -> bytes:
    """A PDF that wants to run a script, open a link and start a program."""
    page = making.pdf(["active"])
    actions = (
        b"<</Type /Catalog /Pages 2 0 R /OpenAction <</S /URI /URI (%s) /Next <</S /Launch "
        b"/F (/bin/sh) /Next <</S /JavaScript /JS (app.launchURL\\('%s'\\))>>>>>>>>"
        % (canary.url.encode(), canary.url.encode())
    )
    return page.replace(CATALOG, actions)


def broken_page() -> bytes:
    return making.pdf(["first", "second"]).replace(
        b"4 0 obj\n<</Type /Page ", b"4 0 obj\n<</Tipe /Pig "
    )


# ---------------------------------------------------------------------------------------- text
def html_depth(depth: int) -> bytes:
    return b"<!doctype html>" + b"<div>" * depth + b"deep" + b"</div>" * depth


def rows(count: int) -> bytes:
    return b"name,size\n" + b"ant,3\n" * count


def nested_mail(depth: int) -> bytes:
    told = "From: a@example.org\nTo: b@example.org\nSubject: deep\nMIME-Version: 1.0\n"
    for level in range(depth):
        told += f'Content-Type: multipart/mixed; boundary="b{level}"\n\n--b{level}\n'
    return (told + "Content-Type: text/plain\n\nthe end\n").encode()


def mail_with(body: str) -> bytes:
    return ("From: a@example.org\nTo: b@example.org\nSubject: hello\n" + body).encode()


def noise(size: int, start: bytes = b"") -> bytes:
    return start + random.Random(1).randbytes(size)  # the same in each run


def far_cell() -> bytes:
    """A workbook with two cells, as far from each other as can be."""
    return making.rezipped(
        making.workbook({"A": [["a", "b"]]}),
        lambda _, part: part.replace(b'r="B1"', b'r="XFD1048576"'),
    )


def ole_of(stream: str, size: int = 4096) -> bytes:
    return OLE + (stream + "\0").encode("utf-16-le") + noise(size)


def with_note(content: bytes) -> bytes:
    file = BytesIO(content)
    with ZipFile(file, "a") as archive:
        archive.comment = b"PK\x05\x06" * 15_000
    return file.getvalue()


def without(part: str) -> bytes:
    with ZipFile(BytesIO(making.word())) as archive:
        kept = [name for name in archive.namelist() if name != part]
        return making.zipped({name: archive.read(name) for name in kept})


def no_slide() -> bytes:
    return making.rezipped(
        making.slides(),
        lambda name, part: part.replace(b"<p:cSld", b"<p:cSlid").replace(b"</p:cSld", b"</p:cSlid")
        if name == "ppt/slides/slide1.xml" else part,
    )  # fmt: skip


def growing_names() -> bytes:
    """A file of 2 MB whose values would each be told under a name of 1 MB."""
    return json.dumps({"n" * MB: {str(at): at for at in range(100_000)}}).encode()
