"""The chunks of a document that comes again: which stand, what they hold, and which are gone."""

from collections.abc import Iterator, Sequence
from uuid import UUID

import numpy as np
from weaviate.classes.query import Filter
from weaviate.outputs.query import Object, WeaviateProperties

from models.errors import VectorStoreUnavailable
from models.vectors import Space, StandingChunk
from stores.vector_store import VectorStoreBusy
from stores.weaviate_connection import Connection
from stores.weaviate_errors import CallRefused, PlaceMissing
from stores.weaviate_options import WeaviateOptions
from stores.weaviate_removal import Removal
from stores.weaviate_schema import class_name, vector_name

#: Objects of one look-up: with vectors of 4,096 dimensions 8 MB.
WINDOW = 500

#: How Weaviate says that a collection lacks a property: an older version made it.
NO_PROPERTY = "no such prop"

_Found = Object[WeaviateProperties, None]


class ChunkReader:
    """Reads the objects of chunks by their ids, and removes those of earlier readings."""

    def __init__(self, connection: Connection, options: WeaviateOptions) -> None:
        self._connection = connection
        self._options = options
        self._removal = Removal(connection, options)

    async def standing(self, space: Space, ids: Sequence[UUID]) -> frozenset[UUID]:
        """Those of `ids` that stand; see ChunkStore."""
        found = await self._found(space, ids, vectors=False)
        return frozenset(UUID(int=one.uuid.int) for one in found)

    async def chunks(self, space: Space, ids: Sequence[UUID]) -> dict[UUID, StandingChunk]:
        """What the objects hold; see ChunkStore."""
        name = vector_name(space.fingerprint)
        found = await self._found(space, ids, vectors=True)
        return {UUID(int=one.uuid.int): _chunk(one, name) for one in found if name in one.vector}

    async def delete_outdated(
        self, space: Space, document_id: str, *, submitted_ms: int, task_id: str
    ) -> int:
        """Remove what earlier readings left; see ChunkStore."""
        outdated = (
            Filter.by_property("document_id").equal(document_id)
            & Filter.by_property("fingerprint").equal(space.fingerprint)
            & Filter.by_property("generation").less_than(submitted_ms)
            & Filter.by_property("task").not_equal(task_id)
        )
        try:
            return await self._removal.all_of(space, outdated, f"document {document_id}")
        except VectorStoreUnavailable as error:
            if NO_PROPERTY in str(error):
                return 0  # no chunk was ever stored here
            raise

    async def _found(self, space: Space, ids: Sequence[UUID], *, vectors: bool) -> list[_Found]:
        """The objects that stand; a collection that nobody wrote to holds none."""
        try:
            windows = [await self._window(space, few, vectors=vectors) for few in _windows(ids)]
        except PlaceMissing:
            return []
        except CallRefused as error:
            raise VectorStoreBusy(f"Weaviate did not look up: {error}") from error
        return [one for window in windows for one in window]

    async def _window(
        self, space: Space, ids: Sequence[UUID], *, vectors: bool
    ) -> Sequence[_Found]:
        name = vector_name(space.fingerprint)
        found = await self._connection.call(
            lambda client: (
                client.collections.use(class_name(space.collection))
                .with_tenant(space.tenant)
                .query.fetch_objects_by_ids(
                    ids,
                    limit=len(ids),
                    include_vector=[name] if vectors else False,
                    return_properties=["text", "tokens", "truncated"],
                )
            ),
            limit_s=self._options.query_timeout_s,
        )
        return found.objects


def _windows(ids: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    for start in range(0, len(ids), WINDOW):
        yield ids[start : start + WINDOW]


def _chunk(found: _Found, name: str) -> StandingChunk:
    held = found.properties
    tokens = held.get("tokens")
    return StandingChunk(
        text=str(held["text"]),
        vector=np.asarray(found.vector[name], dtype=np.float32),
        tokens=int(str(tokens)) if tokens is not None else 0,
        truncated=bool(held.get("truncated")),
    )
