"""A vector store in a dict with exact cosine, for unit tests."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import numpy as np
from pydantic import JsonValue

from models.errors import InvalidRequest
from models.units import ItemFailure
from models.vectors import Hit, Space, StandingChunk, StoredItem, StoredVector, Vector
from stores.admission import rank_of, refusal
from stores.filters import Condition, conditions_of, tags_of


class MemoryStore:
    """A VectorWriter and VectorReader; `objects` may be looked at."""

    def __init__(self) -> None:
        self.objects: dict[UUID, StoredItem] = {}

    async def write(self, items: Sequence[StoredItem]) -> list[ItemFailure | None]:
        """Keep every item that may be stored and is not outranked."""
        outcomes = [refusal(item) for item in items]
        for item, failure in zip(items, outcomes, strict=True):
            held = self.objects.get(item.object_id, item)
            if failure is None and rank_of(held) <= rank_of(item):
                self.objects[item.object_id] = item
        return outcomes

    async def delete_task(self, space: Space, task_id: str) -> int:
        """Remove what the task still holds."""
        gone = [item.object_id for item in self._in(space) if item.task_id == task_id]
        for object_id in gone:
            del self.objects[object_id]
        return len(gone)

    async def standing(self, space: Space, ids: Sequence[UUID]) -> frozenset[UUID]:
        """Those of `ids` that stand."""
        return frozenset(item.object_id for item in self._in(space)) & frozenset(ids)

    async def chunks(self, space: Space, ids: Sequence[UUID]) -> dict[UUID, StandingChunk]:
        """What the objects hold."""
        found = (item for item in self._in(space) if item.object_id in set(ids))
        return {
            item.object_id: StandingChunk(item.text, item.vector, item.tokens, item.truncated)
            for item in found
        }

    async def delete_outdated(
        self, space: Space, document_id: str, *, submitted_ms: int, task_id: str
    ) -> int:
        """Remove what earlier readings left."""
        gone = [
            item.object_id
            for item in self._in(space)
            if item.document_id == document_id
            and item.submitted_ms < submitted_ms
            and item.task_id != task_id
        ]
        for object_id in gone:
            del self.objects[object_id]
        return len(gone)

    async def results(
        self, space: Space, task_id: str, *, first: int, count: int, with_vectors: bool
    ) -> dict[int, StoredVector]:
        """Read the task's objects in the range of indexes."""
        mine = (item for item in self._in(space) if item.task_id == task_id)
        return {
            item.index: _stored(item, with_vectors=with_vectors)
            for item in mine
            if first <= item.index < first + count
        }

    async def search(
        self, space: Space, vector: Vector, *, limit: int, where: Mapping[str, JsonValue]
    ) -> list[Hit]:
        """Rank all objects that pass by their exact cosine similarity."""
        conditions = conditions_of(where)
        found = [item for item in self._in(space) if _passes(item, conditions)]
        hits = [_hit(item, vector) for item in found]
        return sorted(hits, key=lambda hit: -hit.score)[:limit]

    async def ping(self) -> bool:
        """Answer at once."""
        return True

    async def close(self) -> None:
        """Hold on to the objects; there is nothing else."""

    def _in(self, space: Space) -> list[StoredItem]:
        return [item for item in self.objects.values() if _space_of(item) == space]


def _stored(item: StoredItem, *, with_vectors: bool) -> StoredVector:
    return StoredVector(
        item.index,
        item.item,
        item.vector if with_vectors else None,
        tokens=item.tokens,
        truncated=item.truncated,
        place=item.place,
    )


def _space_of(item: StoredItem) -> Space:
    fingerprint = item.passport.fingerprint
    return Space(tenant=item.tenant, collection=item.collection, fingerprint=fingerprint)


def _passes(item: StoredItem, conditions: Sequence[Condition]) -> bool:
    values = {
        "task": frozenset({item.task_id}),
        "item": frozenset({item.item}),
        "document_id": frozenset({item.document_id} if item.document_id else ()),
        "tags": frozenset(tags_of(item.metadata)),
    }
    return all(condition.holds(values[condition.prop]) for condition in conditions)


def _hit(item: StoredItem, vector: Vector) -> Hit:
    if vector.shape != item.vector.shape:
        raise InvalidRequest(field="vector", reason=f"it must have shape {item.vector.shape}")
    lengths = float(np.linalg.norm(vector) * np.linalg.norm(item.vector))
    score = float(vector @ item.vector) / lengths if lengths else 0.0
    return Hit(
        id=item.object_id,
        score=score,
        text=item.text,
        task=item.task_id,
        item=item.item,
        metadata=item.metadata,
        document_id=item.document_id,
        filename=item.filename,
        place=item.place,
    )
