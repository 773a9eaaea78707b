"""A document on its way to vectors: what it is read into, and why it may not be. Pure."""

import hashlib
from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, Field

from models.errors import VectorizeError
from models.states import ItemErrorCode

#: The reading of a document that cannot be read.
UNREAD = "unread"


class Place(BaseModel):
    """Where in its document a chunk stands."""

    model_config = ConfigDict(frozen=True)

    page: int | None = Field(
        default=None, description="From 1: page, slide or sheet; null: the format has none."
    )
    sheet: str | None = Field(default=None, description="The sheet's name, in a workbook.")
    headings: list[str] = Field(
        default_factory=list, description="The headings it stands under, the outermost first."
    )
    start: int = Field(
        default=0, description="First character within the text of its page, or of the document."
    )
    end: int = Field(default=0, description="Behind its last character there.")


class Chunk(BaseModel):
    """A part of a document that becomes one vector."""

    model_config = ConfigDict(frozen=True)

    text: str
    place: Place = Place()

    @property
    def content_hash(self) -> str:
        """The same for the same text."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


class PageFault(BaseModel):
    """A page that could not be read; the others were."""

    model_config = ConfigDict(frozen=True)

    page: int = Field(description="From 1.")
    message: str = Field(description="A sentence for a person; never text of the document.")


class Extraction(BaseModel):
    """All that a document was read into, in its own order."""

    model_config = ConfigDict(frozen=True)

    format: str = Field(description="What its content says it is: `pdf`, `docx`, `text`.")
    pages: int | None = Field(default=None, description="Pages, slides or sheets, read or not.")
    charset: str | None = Field(default=None, description="The guessed one, of plain text.")
    parts: list[Chunk | PageFault]

    def chunks(self) -> Iterator[tuple[int, Chunk]]:
        """The chunks, each with its place among all parts: the item's index."""
        return ((at, part) for at, part in enumerate(self.parts) if isinstance(part, Chunk))

    def faults(self) -> Iterator[tuple[int, PageFault]]:
        """The pages that could not be read, likewise."""
        return ((at, part) for at, part in enumerate(self.parts) if isinstance(part, PageFault))

    def digest(self) -> str:
        """The same for the same parts: another reading of a document is told by it."""
        told = hashlib.sha256()
        for part in self.parts:
            told.update(part.model_dump_json().encode("utf-8", "surrogatepass"))
        return told.hexdigest()[:32]


class DocumentRefused(VectorizeError):
    """A document cannot be read at all; the message is a sentence for a person."""

    def __init__(self, code: ItemErrorCode, message: str) -> None:
        """Say why by `code`, and how to mend it by `message`."""
        super().__init__(message)
        self.code = code


class ChunkOptions(BaseModel):
    """How a document is cut."""

    model_config = ConfigDict(frozen=True)

    tokens: int = Field(ge=1, description="Most tokens of a chunk, special ones included.")
    overlap: int = Field(default=0, ge=0, description="Tokens that a chunk repeats of the last.")
    prompt: str = Field(
        default="", description="What the model sees before each chunk: its tokens count too."
    )


class ReadingLimits(BaseModel):
    """How much one document may take (settings document.*)."""

    model_config = ConfigDict(frozen=True)

    max_pages: int = 5_000
    max_chars: int = 50_000_000
    max_chunks: int = 10_000
    max_unpacked_bytes: int = 268_435_456
    max_ratio: int = 200
    max_entries: int = 10_000
    max_image_pixels: int = 40_000_000
    timeout_s: float = 120.0
    memory_mb: int = 768
