"""Zip files, looked through before any parser sees them; nothing is ever written to a disk.

What a header says of a size is believed of none: each member is inflated to its end and counted.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from documents.refusals import encrypted, too_large, unreadable
from models.documents import DocumentRefused, ReadingLimits

ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
#: What may be small and still unpack a thousandfold: an empty sheet, a picture of one colour.
RATIO_FROM_BYTES = 2_000_000
_STEP = 1 << 18
_ENTRY_MAGIC = b"PK\x01\x02"
_IS_ENCRYPTED = 0x1
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_DTD = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_ENCODING = re.compile(rb"^<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([^\"'>]{0,40})[\"']")
#: All of them say `<!DOCTYPE` in the bytes of ASCII, with or without zero bytes between.
_ENCODINGS = {b"utf-8", b"utf8", b"us-ascii", b"ascii", b"utf-16", b"utf-16le", b"utf-16be",
              b"iso-8859-1", b"windows-1252"}  # fmt: skip
#: What a Mac keeps of a file beside it, under a name like its own: it starts as no XML does.
_MAC_FOLDER = "__MACOSX/"
_MAC_MAGIC = b"\0\5\x16\7"
#: More than the longest thing that is looked for.
_OVERLAP = 32
_HEAD = 512

Judge = Callable[[str], bool]


class Archive:
    """A zip whose directory is sound. Its names are keys, never paths."""

    def __init__(self, content: bytes, limits: ReadingLimits) -> None:
        """Read the directory. Raises DocumentRefused."""
        self._content = content
        self._limits = limits
        self._zip = _opened(content, limits.max_entries)
        entries = self._zip.infolist()
        self._entries = {entry.filename: entry for entry in entries}
        if len(self._entries) != len(entries):
            raise unreadable("its zip archive holds two files of the same name")
        if any(entry.flag_bits & _IS_ENCRYPTED for entry in entries):
            raise encrypted("a zip archive with a password")

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def names(self) -> list[str]:
        """All names, in the directory's order, but for those that a Mac added."""
        return [name for name in self._entries if not name.startswith(_MAC_FOLDER)]

    def read(self, name: str) -> bytes:
        """A member's bytes; none where it does not stand. Raises DocumentRefused."""
        entry = self._entries.get(name)
        if entry is None:
            return b""
        data = bytearray()
        for part in self._inflated(entry):
            data += part
            self._check_size(len(data))
        if zlib.crc32(data) != entry.CRC:
            raise _damaged()
        return bytes(data)

    def check(self, *, xml: Judge) -> None:
        """Inflate all members; those that `xml` picks may declare no types and no entities.

        Raises DocumentRefused: too large, damaged, or untrue about its sizes.
        """
        total = 0
        for entry in self._entries.values():
            watch = _DtdWatch() if xml(entry.filename) else None
            size = 0
            for part in self._inflated(entry):
                if not size and part.startswith(_MAC_MAGIC):
                    watch = None
                size += len(part)
                self._check_size(total + size)
                if watch:
                    watch.feed(part)
            if size != entry.file_size:
                raise unreadable("its zip archive is untrue about the sizes of its files")
            total += size

    def repacked(self, keep: Judge) -> bytes:
        """A new, uncompressed zip of the members that `keep` picks.

        For a parser with a zip reader of its own, which may read an odd directory another way.
        """
        packed = BytesIO()
        with ZipFile(packed, "w", ZIP_STORED) as new:
            for name in filter(keep, self.names()):
                new.writestr(ZipInfo(name), self.read(name))
        return packed.getvalue()

    def _check_size(self, size: int) -> None:
        limits = self._limits
        if size > limits.max_unpacked_bytes:
            raise too_large(
                f"more than {limits.max_unpacked_bytes:,} bytes when unpacked",
                f"{limits.max_unpacked_bytes:,} bytes",
                "document.max_unpacked_bytes",
            )
        if size > RATIO_FROM_BYTES and size > limits.max_ratio * len(self._content):
            raise too_large(
                f"more than {limits.max_ratio} times its size when unpacked",
                f"{limits.max_ratio} times",
                "document.max_ratio",
            )

    def _inflated(self, entry: ZipInfo) -> Iterator[bytes]:
        """A member's bytes, step by step, however many its header says. Raises DocumentRefused."""
        packed = self._packed(entry)
        if entry.compress_type == ZIP_STORED:
            yield from (bytes(packed[at : at + _STEP]) for at in range(0, len(packed), _STEP))
        elif entry.compress_type == ZIP_DEFLATED:
            yield from _deflated(packed)
        else:
            raise unreadable("its zip archive is compressed in a way that documents are not")

    def _packed(self, entry: ZipInfo) -> memoryview:
        start = entry.header_offset
        header = self._content[start : start + _LOCAL_HEADER.size] if start >= 0 else b""
        if len(header) < _LOCAL_HEADER.size or header[:4] != ZIP_MAGIC[0]:
            raise _damaged()
        _, name, extra = _LOCAL_HEADER.unpack(header)
        start += _LOCAL_HEADER.size + name + extra
        if start + entry.compress_size > len(self._content):
            raise _damaged()
        return memoryview(self._content)[start : start + entry.compress_size]


def _opened(content: bytes, max_entries: int) -> ZipFile:
    """Count before the directory is read: each entry costs the reader half a kilobyte."""
    entries = content.count(_ENTRY_MAGIC)
    if entries > max_entries:
        raise too_large(
            f"{entries:,} files in its zip archive", f"{max_entries:,}", "document.max_entries"
        )
    try:
        return ZipFile(BytesIO(content))
    except (BadZipFile, ValueError, NotImplementedError, struct.error, OSError) as error:
        raise _damaged() from error


def _deflated(packed: memoryview) -> Iterator[bytes]:
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for at in range(0, len(packed), _STEP):
            yield stream.decompress(packed[at : at + _STEP], _STEP)
            while stream.unconsumed_tail:
                yield stream.decompress(stream.unconsumed_tail, _STEP)
        while not stream.eof and (rest := stream.decompress(b"", _STEP)):
            yield rest
    except zlib.error as error:
        raise _damaged() from error
    if not stream.eof:
        raise _damaged()


def _damaged() -> DocumentRefused:
    return unreadable("its zip archive is damaged or cut off")


class _DtdWatch:
    """Looks for types and entities in the XML that passes by, in any charset that is allowed."""

    def __init__(self) -> None:
        self._head = b""
        self._tail = b""

    def feed(self, part: bytes) -> None:
        """Look through the next bytes of a member. Raises DocumentRefused."""
        plain = self._tail + part.replace(b"\0", b"")
        if len(self._head) < _HEAD:  # a part may be of no bytes, if whoever packed it wants so
            self._head += plain[len(self._tail) :][:_HEAD]
            _check_encoding(self._head)
        if _DTD.search(plain):
            raise unreadable("it declares XML entities or document types, which are not followed")
        self._tail = plain[-_OVERLAP:]


def _check_encoding(head: bytes) -> None:
    start = head.removeprefix(b"\xef\xbb\xbf").removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff")
    named = _ENCODING.match(start)
    if named and named.group(1).lower() not in _ENCODINGS:
        raise unreadable("its XML is in a charset that documents are not in")
    if start and not start.lstrip().startswith(b"<"):
        raise unreadable("a part that should be XML is not")
