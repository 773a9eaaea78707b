"""What stands of a document that has an id, and what a new reading of it changes. Pure.

Of two tasks on one document the later submitted wins, as with items. Only a reading that was
closed, that is whose chunks all stand, lends chunks to the next one; so what a task that was
cancelled or died left behind is never relied on.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
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
    chunks: list[str] = Field(default_factory=list, description="Keys of all chunks of that task.")
    kept: list[KeptChunk] = Field(
        default_factory=list, description="Those that it takes over when it is closed."
    )
    standing: list[str] = Field(
        default_factory=list, description="Keys of the last reading that was closed."
    )

    @property
    def rank(self) -> Rank:
        """Of the latest task."""
        return Rank(self.submitted_ms, self.task_id)

    def closed(self) -> "Manifest":
        """The manifest once the latest task's chunks all stand.

        What it kept is remembered: it may be told to close once more, and answers the same.
        """
        return self.model_copy(update={"standing": self.chunks})


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


def reading_of(digest: str, kept: Sequence[KeptChunk]) -> str:
    """Name a reading: what was read, and what of it is not sent to be embedded."""
    told = hashlib.sha256(digest.encode())
    for chunk in kept:
        told.update(chunk.key.encode())
    return told.hexdigest()[:32]
