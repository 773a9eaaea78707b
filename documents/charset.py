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
#: How far into a text its foreign letters are looked for.
GUESSED_BYTES = 8_000_000
#: Fewer bytes beyond ASCII than this tell nothing: the charset of the web's old pages is taken.
FEW_BYTES = 6
FALLBACK = "cp1252"
#: What is guessed among: the rare relatives of these win by chance, over a short text.
_IN_USE = [
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp874",
    "koi8_r", "cp866", "iso8859_2", "cp932", "euc_jp", "gb18030", "big5", "cp949",
]  # fmt: skip
#: Zero bytes of ASCII text in UTF-16: nearly every second one.
_UTF16_ZEROS = 0.7
#: Control characters that stand in no text; a few stray ones are forgiven.
_CONTROLS = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f]")
_FORGIVEN = 0.005
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]+")


class Decoded(NamedTuple):
    """Text, and the charset it was in."""

    text: str
    charset: str


def decode(content: bytes, stated: str | None = None) -> Decoded | None:
    """Decode plain text: by BOM, `stated` charset, UTF-8, then by guess. None: it is binary."""
    marked = _by_mark(content)
    if marked is not None:
        return _decoded(content, marked)
    if _is_binary(content):
        return None
    for charset in ("utf-8", stated):
        if charset and (told := _strictly(content, charset)):
            return told
    return _decoded(content, _guessed(content))


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


def _strictly(content: bytes, charset: str) -> Decoded | None:
    try:
        return Decoded(content.decode(charset), codecs.lookup(charset).name)
    except (LookupError, ValueError):
        return None


def _decoded(content: bytes, charset: str) -> Decoded:
    name = codecs.lookup(charset).name
    return Decoded(content.decode(charset, "replace"), name)


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
