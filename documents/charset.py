"""Bytes of plain text to characters, in whatever charset they are."""

import codecs
import re
from typing import NamedTuple

from charset_normalizer import from_bytes

#: Longest first: a BOM of UTF-32 starts with one of UTF-16.
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: What is looked at to tell text from binary, and to guess a charset.
SAMPLE_BYTES = 65_536
#: How much of a text is looked at for its foreign letters.
GUESSED_BYTES = 8_000_000
#: Fewer bytes beyond ASCII than this tell nothing: the charset of the web's old pages is taken.
FEW_BYTES = 6
FALLBACK = "cp1252"
#: What is guessed among: the rare relatives of these win by chance, over a short text.
_IN_USE = [
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp874",
    "koi8_r", "cp866", "iso8859_2", "cp932", "euc_jp", "gb18030", "big5", "cp949",
]  # fmt: skip
#: What a stated charset means to browsers (WHATWG, Encoding Standard): the one that has more.
_WIDER = {
    "ascii": "cp1252", "iso8859-1": "cp1252", "iso8859-9": "cp1254", "gb2312": "gb18030",
    "gbk": "gb18030", "big5": "big5hkscs", "shift_jis": "cp932", "euc_kr": "cp949",
    "iso2022_jp": "iso2022_jp_ext",
}  # fmt: skip
#: What is written in them is valid UTF-8 too, and reads as rubbish.
_SEVEN_BITS = ("iso2022", "hz")
#: Codecs of Python that are no charsets (one takes the square of the time), and one that hides
#: markup from whoever looks for it: browsers refuse it.
_NO_CHARSETS = frozenset({"idna", "punycode", "raw-unicode-escape", "unicode-escape", "utf-7"})
#: So many good characters beyond ASCII to a broken one tell that a text is damaged UTF-8: no other
#: charset looks like it by chance. They look like one another, so of a stated one more is asked.
_GOOD_TO_BROKEN = 9
_GOOD_TO_BROKEN_STATED = 49
#: Zero bytes of ASCII text in UTF-16: nearly every second one.
_UTF16_ZEROS = 0.7
#: Control characters that stand in no text (charsets of seven bits shift by three of the others);
#: a few stray ones are forgiven.
_CONTROLS = re.compile(rb"[\x00-\x06\x10-\x1a\x1c-\x1f]")
_FORGIVEN = 0.005
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]+")


class Decoded(NamedTuple):
    """Text, and the charset it was in."""

    text: str
    charset: str


def decode(content: bytes, stated: str | None = None) -> Decoded | None:
    """Decode plain text: by BOM, `stated` charset, UTF-8, then by guess. None: it is binary.

    UTF-8 goes before a stated charset that has eight bits. A few damaged bytes change nothing.
    """
    marked = _by_mark(content)
    if marked is not None:
        return _decoded(content, marked)
    if _is_binary(content):
        return None
    told = _codec(stated)
    if told and told.startswith(_SEVEN_BITS) and _is_mostly(content, told, _GOOD_TO_BROKEN):
        return _decoded(content, told)
    return (
        _fitting(content, "utf-8", _GOOD_TO_BROKEN)
        or (_fitting(content, told, _GOOD_TO_BROKEN_STATED) if told else None)
        or _decoded(content, _guessed(content))
    )


def _codec(stated: str | None) -> str | None:
    """The codec for a stated charset; None: nothing is stated, or nothing that is known."""
    try:
        name = codecs.lookup(stated or "").name
        b"text".decode(name)  # or it is a codec of something else: of a compression, even
    except (LookupError, ValueError):  # ValueError: a name with a zero byte, or `undefined`
        return None
    return None if name in _NO_CHARSETS else _WIDER.get(name, name)


def _by_mark(content: bytes) -> str | None:
    """The charset that a BOM names, or the zero bytes of UTF-16 without one."""
    for bom, charset in _BOMS:
        if content.startswith(bom):
            return charset
    sample = content[:SAMPLE_BYTES]
    half = len(sample) // 2
    if half and sample[1::2].count(0) > half * _UTF16_ZEROS and not sample[0::2].count(0):
        return "utf-16-le"
    if half and sample[0::2].count(0) > half * _UTF16_ZEROS and not sample[1::2].count(0):
        return "utf-16-be"
    return None


def _is_binary(content: bytes) -> bool:
    for sample in (content[:SAMPLE_BYTES], content[-SAMPLE_BYTES:]):
        if b"\0" in sample or len(_CONTROLS.findall(sample)) > len(sample) * _FORGIVEN:
            return True
    return False


def _fitting(content: bytes, charset: str, good_to_broken: int) -> Decoded | None:
    """The text where it is in this charset, be it slightly damaged."""
    try:
        return Decoded(content.decode(charset), charset)
    except UnicodeError:
        damaged = _is_mostly(content, charset, good_to_broken)
        return _decoded(content, charset) if damaged else None


def _is_mostly(content: bytes, charset: str, good_to_broken: int) -> bool:
    """Whether characters beyond ASCII are read, and more of them than so many to a broken one."""
    foreign = _BEYOND_ASCII.search(content)
    start = foreign.start() if foreign else 0
    text = _decoded(content[start : start + GUESSED_BYTES], charset).text
    broken = text.count("\ufffd")
    good = len(text) - len(text.encode("ascii", "ignore")) - broken
    return good > good_to_broken * broken


def _decoded(content: bytes, charset: str) -> Decoded:
    """Decode what may be damaged; a last character that is cut off is left out."""
    text = content.decode(charset, "replace").removesuffix("\ufffd")
    return Decoded(text, codecs.lookup(charset).name)


def _guessed(content: bytes) -> str:
    """Guess by the lines that have bytes beyond ASCII; all the others would say nothing."""
    lines = [line for line in content[:GUESSED_BYTES].splitlines() if not line.isascii()]
    sample = b"\n".join(lines)[:SAMPLE_BYTES]
    if sum(map(len, _BEYOND_ASCII.findall(sample))) < FEW_BYTES:
        return FALLBACK
    matches = list(from_bytes(sample, cp_isolation=_IN_USE))
    if not matches:
        return FALLBACK
    # Western text is as good Romanian or Slovak to the library: what is likelier wins a tie.
    least = matches[0].percent_coherence
    likely = [match for match in matches if match.encoding == FALLBACK]
    return FALLBACK if likely and likely[0].percent_coherence >= least else matches[0].encoding
