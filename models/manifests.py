"""What stands of a document that has an id, and what a new reading of it changes. Pure.

Of two tasks on one document the later submitted wins, as with items. Only a reading that was
closed, that is whose chunks all stand, lends chunks to the next one; so what a task that was
cancelled or died left behind is never relied on.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from enum import Enum, auto
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from models.documents import Chunk, Place
from models.tasks import RECORD_VERSION


class Rank(NamedTuple):
    """Who wins a document: the task submitted later; ties go to the greater id."""

    submitted_ms: int
    task_id: str


class KeptChunk(BaseModel):
    """A chunk that an earlier reading stored, and where the new one has it."""

    model_config = ConfigDict(frozen=True)

    key: str
    index: int
    place: Place


class Manifest(BaseModel):
    """The table `documents`: one row a document, by its key."""

    model_config = ConfigDict(frozen=True)

    v: int = RECORD_VERSION
    submitted_ms: int = Field(description="Of the latest task that was read.")
    task_id: str
    reading: str = Field(default="", description="Which reading of that task's document.")
    chunks: list[str] = Field(default_factory=list, description="Keys of all chunks of that task.")
    kept: list[KeptChunk] = Field(
        default_factory=list, description="Those that it takes over when it is closed."
    )
    standing: list[str] = Field(
        default_factory=list, description="Keys of the last reading that was closed."
    )
    closed_ms: int = Field(default=-1, description="When the task of that one was submitted.")
    closed_id: str = Field(default="", description="That task.")

    @property
    def rank(self) -> Rank:
        """Of the latest task."""
        return Rank(self.submitted_ms, self.task_id)

    @property
    def closed_by(self) -> Rank:
        """Of the last task that was closed; lower than any other where there is none."""
        return Rank(self.closed_ms, self.closed_id)

    @property
    def version(self) -> tuple[int | str, ...]:
        """Orders the manifests of a document: by its latest task, then by what was closed.

        Of two readings of one task neither is newer: the one written later counts.
        """
        return (*self.rank, *self.closed_by)

    def closed(self) -> "Manifest":
        """The manifest once the latest task's chunks all stand.

        What it kept is remembered: it may be told to close once more, and answers the same.
        """
        closed = {"closed_ms": self.submitted_ms, "closed_id": self.task_id}
        return self.model_copy(update={"standing": self.chunks, **closed})


def document_key(tenant: str, collection: str, fingerprint: str, document_id: str) -> str:
    """Name a document: its row, and the key of its files, so that one process has them all."""
    return f"{tenant}\x1f{collection}\x1f{fingerprint}\x1f{document_id}"


def chunk_keys(chunks: Sequence[Chunk]) -> list[str]:
    """Name each chunk by its text, and by its number among equal ones."""
    seen: Counter[str] = Counter()
    keys = []
    for chunk in chunks:
        digest = chunk.content_hash
        keys.append(f"{digest}-{seen[digest]}")
        seen[digest] += 1
    return keys


def is_outdated(manifest: Manifest | None, rank: Rank) -> bool:
    """Whether a later task on the same document was read already."""
    return manifest is not None and manifest.rank > rank


class Closing(Enum):
    """What becomes of an order to close a document."""

    NOW = auto()
    """It is the latest task's; once more changes nothing."""
    DONE = auto()
    """It was closed before a later task was read: the order came once more."""
    SUPERSEDED = auto()
    """A later task was closed meanwhile: what this one stored beside it is too much."""
    LEFT = auto()
    """A later task was read, and is not closed yet, or the manifest is older than the order:
    nothing is removed, the later one does that when it is closed."""
    ANOTHER_READING = auto()
    """The document was read once more since: the closing of that reading comes."""


def what_to_close(manifest: Manifest | None, rank: Rank, reading: str | None) -> Closing:
    """Decide about an order to close, of a task of this rank and reading."""
    if manifest is None or manifest.rank < rank:
        return Closing.LEFT
    if manifest.rank == rank:
        return Closing.NOW if manifest.reading == reading else Closing.ANOTHER_READING
    if manifest.closed_by > rank:
        return Closing.SUPERSEDED
    return Closing.DONE if manifest.closed_by == rank else Closing.LEFT


def reading_of(digest: str, kept: Sequence[KeptChunk]) -> str:
    """Name a reading: what was read, and what of it is not sent to be embedded."""
    told = hashlib.sha256(digest.encode())
    for chunk in kept:
        told.update(chunk.key.encode())
    return told.hexdigest()[:32]
