"""The old container of Office (OLE2), as far as to say what is in it."""

from documents.formats import Format
from documents.refusals import encrypted, unsupported

OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def _name(stream: str) -> bytes:
    """A stream's name as the directory spells it, with the zero character behind it."""
    return (stream + "\0").encode("utf-16-le")


_ENCRYPTED = (_name("EncryptedPackage"), _name("EncryptedSummary"))
_STREAMS = {
    _name("Workbook"): "",
    _name("Book"): "",
    _name("WordDocument"): "an old Word document (DOC)",
    _name("PowerPoint Document"): "an old PowerPoint presentation (PPT)",
    _name("__properties_version1.0"): "an Outlook message (MSG)",
    _name("VisioDocument"): "a Visio drawing",
}
_ADVICE = {
    "an old Word document (DOC)": "Save it as DOCX and send that.",
    "an old PowerPoint presentation (PPT)": "Save it as PPTX and send that.",
    "an Outlook message (MSG)": "Save it as EML and send that.",
}


def kind_of_ole(content: bytes) -> Format:
    """Say what an OLE2 file is. Raises DocumentRefused for all but a workbook."""
    if any(name in content for name in _ENCRYPTED):
        raise encrypted("protected with a password")
    # A document with a workbook inside lists its own stream before those of what it embeds.
    found = {name: content.find(name) for name in _STREAMS}
    there = {name: at for name, at in found.items() if at >= 0}
    if not there:
        raise unsupported("an Office file of an unknown kind (OLE2)")
    kind = _STREAMS[min(there, key=lambda name: there[name])]
    if kind:
        raise unsupported(kind, _ADVICE.get(kind))
    return Format.XLS
