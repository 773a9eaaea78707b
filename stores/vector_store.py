"""The vector store as stages and web see it: two ports, one to write and one to read."""

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from pydantic import JsonValue

from models.errors import VectorStoreUnavailable
from models.units import ItemFailure
from models.vectors import Hit, Space, StandingChunk, StoredItem, StoredVector, Vector


class VectorStoreBusy(VectorStoreUnavailable):
    """The store answered that it cannot do this now, which says nothing of what others ask."""


class VectorWriter(Protocol):
    """Where vectors go; writing the same again changes nothing."""

    async def write(self, items: Sequence[StoredItem]) -> list[ItemFailure | None]:
        """Store `items`; return one outcome per item in their order, None for stored.

        An item whose place a later submitted task holds counts as stored and changes nothing.
        Raises VectorStoreUnavailable when nothing is known of some item: write all again. It is
        a VectorStoreBusy where the store answered, and stores what others bring.
        """

    async def delete_task(self, space: Space, task_id: str) -> int:
        """Remove what this task stored and still holds; return how many objects that were.

        Raises VectorStoreUnavailable.
        """

    async def ping(self) -> bool:
        """Tell within a second whether the store answers; never raises."""

    async def close(self) -> None:
        """Let go of all connections; never raises."""


class ChunkStore(Protocol):
    """The chunks of documents that come again, beside what a VectorWriter does."""

    async def write(self, items: Sequence[StoredItem]) -> list[ItemFailure | None]:
        """Store `items`; see VectorWriter."""

    async def delete_task(self, space: Space, task_id: str) -> int:
        """Remove what this task stored and still holds; see VectorWriter."""

    async def standing(self, space: Space, ids: Sequence[UUID]) -> frozenset[UUID]:
        """Tell which of `ids` are objects that stand. Raises VectorStoreUnavailable."""

    async def chunks(self, space: Space, ids: Sequence[UUID]) -> dict[UUID, StandingChunk]:
        """Read those of `ids` that stand and have a vector. Raises VectorStoreUnavailable."""

    async def delete_outdated(
        self, space: Space, document_id: str, *, submitted_ms: int, task_id: str
    ) -> int:
        """Remove a document's chunks of tasks submitted before; return how many there were.

        What the task `task_id` or a later one stored stays. Raises VectorStoreUnavailable.
        """


class VectorReader(Protocol):
    """Where vectors are read and searched."""

    async def results(
        self, space: Space, task_id: str, *, first: int, count: int, with_vectors: bool
    ) -> dict[int, StoredVector]:
        """Read the objects of this task with indexes in [`first`, `first + count`), by index.

        An item that is missing was never stored, or is held by a later task. Raises
        VectorStoreUnavailable.
        """

    async def search(
        self, space: Space, vector: Vector, *, limit: int, where: Mapping[str, JsonValue]
    ) -> list[Hit]:
        """Find the `limit` objects nearest to `vector`, `(dim,) float32`, best first.

        `where` holds equalities, all of which must hold: `task`, `item`, or any key of the
        objects' metadata with a scalar; a list means any of its scalars. Raises InvalidRequest
        for anything else and for a vector of another dimension, and VectorStoreUnavailable.
        """
