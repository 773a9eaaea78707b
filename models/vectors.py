"""Vectors on their way into the store and back: what is written, read and found."""

from dataclasses import dataclass, field
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from models.documents import Place

#: One vector, `(dim,) float32`; several are `(n, dim) float32`.
Vector = NDArray[np.float32]


class Passport(BaseModel):
    """What made a vector; two vectors may be compared only under equal fingerprints."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    model: str
    revision: str
    files_hash: str = Field(description="sha256 of the weights.")
    dimension: int
    normalized: bool
    prompt: str = ""
    fingerprint: str = Field(description="Short hash over all the others.")


@dataclass(frozen=True, slots=True)
class StoredItem:
    """One object to be written: its place, what it says, and its vector."""

    object_id: UUID
    tenant: str
    collection: str
    task_id: str
    index: int
    item: str
    own_id: bool
    text: str
    submitted_ms: int
    passport: Passport
    vector: Vector
    metadata: dict[str, JsonValue] = field(default_factory=dict)
    tokens: int = 0  # of the text before it was cut, prompt included
    truncated: bool = False
    place: Place | None = None  # of a chunk: where in its document
    document_id: str | None = None
    filename: str | None = None


class Space(BaseModel):
    """Where vectors live that may be compared: tenant, collection and model fingerprint."""

    model_config = ConfigDict(frozen=True)

    tenant: str
    collection: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class StoredVector:
    """One object of a task, read back."""

    index: int
    item: str
    vector: Vector | None
    tokens: int | None = None
    """None where the object does not say: one that an older version wrote."""
    truncated: bool | None = None
    place: Place | None = None
    """Of a chunk: where it stands in its document."""


@dataclass(frozen=True, slots=True)
class StandingChunk:
    """A chunk of a document as an earlier reading stored it."""

    text: str
    vector: Vector
    tokens: int
    truncated: bool


class Hit(BaseModel):
    """One search result, best first."""

    id: UUID = Field(description="The stored object's id.")
    score: float = Field(description="Cosine similarity, -1.0 to 1.0.")
    text: str
    task: str = Field(description="The task that stored it.")
    item: str = Field(description="The client's item id, or task/index.")
    metadata: dict[str, JsonValue] = Field(default_factory=dict)
    document_id: str | None = Field(
        default=None, description="Of a chunk: the client's id of its document, if it gave one."
    )
    filename: str | None = Field(default=None, description="Of a chunk: its document's name.")
    place: Place | None = Field(
        default=None, description="Of a chunk: where it stands in its document."
    )
