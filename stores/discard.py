"""The store that keeps nothing (`vector_store=none`): for benchmarks of all the rest."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from pydantic import JsonValue

from models.units import ItemFailure
from models.vectors import Hit, Space, StandingChunk, StoredItem, StoredVector, Vector


class DiscardStore:
    """A VectorWriter and VectorReader that takes every item and has none."""

    async def write(self, items: Sequence[StoredItem]) -> list[ItemFailure | None]:
        """Forget `items`; each counts as stored."""
        return [None] * len(items)

    async def delete_task(self, space: Space, task_id: str) -> int:
        """Remove nothing: there is nothing."""
        del space, task_id
        return 0

    async def standing(self, space: Space, ids: Sequence[UUID]) -> frozenset[UUID]:
        """Nothing stands."""
        del space, ids
        return frozenset()

    async def chunks(self, space: Space, ids: Sequence[UUID]) -> dict[UUID, StandingChunk]:
        """Nothing stands."""
        del space, ids
        return {}

    async def delete_outdated(
        self, space: Space, document_id: str, *, submitted_ms: int, task_id: str
    ) -> int:
        """Remove nothing: there is nothing."""
        del space, document_id, submitted_ms, task_id
        return 0

    async def results(
        self, space: Space, task_id: str, *, first: int, count: int, with_vectors: bool
    ) -> dict[int, StoredVector]:
        """Find nothing."""
        del space, task_id, first, count, with_vectors
        return {}

    async def search(
        self, space: Space, vector: Vector, *, limit: int, where: Mapping[str, JsonValue]
    ) -> list[Hit]:
        """Find nothing."""
        del space, vector, limit, where
        return []

    async def ping(self) -> bool:
        """Answer at once."""
        return True

    async def close(self) -> None:
        """Hold nothing, let nothing go."""
