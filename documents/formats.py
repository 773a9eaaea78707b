"""The formats that are read."""

from enum import StrEnum


class Format(StrEnum):
    """What a document's content says it is; the value stands in `Extraction.format`."""

    PDF = "pdf"
    DOCX = "docx"
    PPTX = "pptx"
    XLSX = "xlsx"
    XLS = "xls"
    ODS = "ods"
    ODT = "odt"
    EPUB = "epub"
    HTML = "html"
    MARKDOWN = "markdown"
    TEXT = "text"
    CSV = "csv"
    JSON = "json"
    NDJSON = "ndjson"
    EML = "eml"


#: What a page is called in those that have pages.
PAGE_NAMES = {
    Format.PDF: "pages",
    Format.PPTX: "slides",
    Format.XLSX: "sheets",
    Format.XLS: "sheets",
    Format.ODS: "sheets",
    Format.EPUB: "chapters",
}
