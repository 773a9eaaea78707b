"""What the parsers of Office's zipped formats share: the look before they are let loose."""

from documents.archive import Archive
from documents.pages import Source

#: Members that no parser reads as XML: pictures of a kind that declares its type.
_PICTURES = (".svg", ".svgz", ".html", ".htm")


def checked_archive(source: Source) -> Archive:
    """Open and inflate the whole file once. Raises DocumentRefused."""
    archive = Archive(source.content, source.limits)
    archive.check(xml=is_xml)
    return archive


def is_xml(name: str) -> bool:
    """Whether a member's name says it is XML."""
    return name.lower().endswith((".xml", ".rels", ".vml", ".opf", ".rdf"))
