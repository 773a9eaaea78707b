"""Reading a task's objects back, and searching."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from uuid import UUID

import numpy as np
import orjson
from pydantic import JsonValue
from weaviate.classes.query import Filter, MetadataQuery
from weaviate.collections.collection import CollectionAsync
from weaviate.outputs.query import (
    FilterReturn,
    MetadataReturn,
    Object,
    QueryReturn,
    WeaviateProperties,
)

from models.documents import Place
from models.errors import InvalidRequest
from models.vectors import Hit, Space, StoredVector, Vector
from stores.filters import Condition, conditions_of
from stores.vector_store import VectorStoreBusy
from stores.weaviate_connection import Connection
from stores.weaviate_errors import CallRefused, PlaceMissing
from stores.weaviate_options import WeaviateOptions
from stores.weaviate_schema import class_name, objects_of, vector_name

WINDOW = 500  # objects per request: 8 MB of vectors at 4096 dimensions
_WRONG_LENGTH = "vector lengths don't match"
_NO_PROPERTY = "no such prop"
#: What is read of a task's object; an older version's collections lack the last ones.
_PLACE = ("item", "item_index")
_OUTCOME = ("tokens", "truncated")
_HIT = ("text", "task", "item", "metadata")
_DOCUMENT = ("document_id", "filename", "place")

_Collection = CollectionAsync[WeaviateProperties, None]
_Found = QueryReturn[WeaviateProperties, None]
_Object = Object[WeaviateProperties, None]


class PropertyMissing(Exception):
    """The collection lacks a property that was asked for: an older version made it."""


class ObjectReader:
    """Reads objects by task and by nearness."""

    def __init__(self, connection: Connection, options: WeaviateOptions) -> None:
        self._connection = connection
        self._limit_s = options.query_timeout_s

    async def results(
        self, space: Space, task_id: str, *, first: int, count: int, with_vectors: bool
    ) -> dict[int, StoredVector]:
        """Read the task's objects in the range of indexes; see VectorReader."""
        found: dict[int, StoredVector] = {}
        for start in range(first, first + count, WINDOW):
            window = range(start, min(start + WINDOW, first + count))
            found |= await self._window(space, task_id, window, with_vectors=with_vectors)
        return found

    async def search(
        self, space: Space, vector: Vector, *, limit: int, where: Mapping[str, JsonValue]
    ) -> list[Hit]:
        """Find the nearest objects; see VectorReader."""
        filters = _filter_of(conditions_of(where))
        for properties in ((*_HIT, *_DOCUMENT), _HIT):
            with suppress(PropertyMissing):  # no document was stored here yet
                found = await self._nearest(space, vector, limit, filters, properties)
                return [_hit(one) for one in found]
        return []  # asked for by one

    async def _nearest(  # noqa: PLR0917  # a query's own parts
        self,
        space: Space,
        vector: Vector,
        limit: int,
        filters: FilterReturn | None,
        properties: Sequence[str],
    ) -> Sequence[_Object]:
        return await self._ask(
            space,
            lambda collection: collection.query.near_vector(
                vector.tolist(),
                target_vector=vector_name(space.fingerprint),
                limit=limit,
                filters=filters,
                return_metadata=MetadataQuery(distance=True),
                return_properties=list(properties),
            ),
        )

    async def _window(
        self, space: Space, task_id: str, window: range, *, with_vectors: bool
    ) -> dict[int, StoredVector]:
        try:
            return await self._read(
                space,
                task_id,
                window,
                with_vectors=with_vectors,
                properties=(*_PLACE, *_OUTCOME, "place"),
            )
        except PropertyMissing:  # the next write adds it; reading changes nothing
            return await self._read(
                space, task_id, window, with_vectors=with_vectors, properties=_PLACE
            )

    async def _read(
        self,
        space: Space,
        task_id: str,
        window: range,
        *,
        with_vectors: bool,
        properties: Sequence[str],
    ) -> dict[int, StoredVector]:
        name = vector_name(space.fingerprint)
        index = Filter.by_property("item_index")
        filters = (
            objects_of(space, task_id)
            & index.greater_or_equal(window.start)
            & index.less_than(window.stop)
        )
        found = await self._ask(
            space,
            lambda collection: collection.query.fetch_objects(
                filters=filters,
                limit=len(window),
                include_vector=[name] if with_vectors else False,
                return_properties=list(properties),
            ),
        )
        rows = (_stored(one, name) for one in found)
        return {row.index: row for row in rows}

    async def _ask(
        self, space: Space, query: Callable[[_Collection], Awaitable[_Found]]
    ) -> Sequence[_Object]:
        """Run one query; a collection or tenant that nobody wrote to holds nothing.

        Raises PropertyMissing, InvalidRequest or VectorStoreUnavailable.
        """
        try:
            found = await self._connection.call(
                lambda client: query(
                    client.collections.use(class_name(space.collection)).with_tenant(space.tenant)
                ),
                limit_s=self._limit_s,
            )
        except PlaceMissing:
            return []
        except CallRefused as error:
            raise _refusal(error) from error
        return found.objects


def _refusal(error: CallRefused) -> Exception:
    if _NO_PROPERTY in str(error):
        return PropertyMissing(str(error))
    if _WRONG_LENGTH in str(error):
        return InvalidRequest(field="vector", reason="it has another length than those stored")
    return VectorStoreBusy(f"Weaviate did not answer the query: {str(error)[:300]}")


def _filter_of(conditions: Sequence[Condition]) -> FilterReturn | None:
    parts = [
        Filter.by_property(condition.prop).contains_any(list(condition.any_of))
        for condition in conditions
    ]
    return Filter.all_of(parts) if parts else None


def _stored(found: _Object, name: str) -> StoredVector:
    raw = found.vector.get(name)
    vector = np.asarray(raw, dtype=np.float32) if raw is not None else None
    held = found.properties
    tokens, truncated = held.get("tokens"), held.get("truncated")
    return StoredVector(
        int(str(held["item_index"])),
        str(held["item"]),
        vector,
        tokens=None if tokens is None else int(str(tokens)),
        truncated=None if truncated is None else bool(truncated),
        place=_place(held),
    )


def _hit(found: _Object) -> Hit:
    held = found.properties
    return Hit(
        id=UUID(int=found.uuid.int),  # the client's own subclass is no plain UUID to a serializer
        score=_similarity(found.metadata),
        text=str(held["text"]),
        task=str(held["task"]),
        item=str(held["item"]),
        metadata=orjson.loads(str(held["metadata"])),
        document_id=_text(held, "document_id"),
        filename=_text(held, "filename"),
        place=_place(held),
    )


def _text(held: Mapping[str, object], name: str) -> str | None:
    value = held.get(name)
    return None if value is None else str(value)


def _place(held: Mapping[str, object]) -> Place | None:
    written = _text(held, "place")
    return None if written is None else Place.model_validate_json(written)


def _similarity(metadata: MetadataReturn) -> float:
    distance = 1.0 if metadata.distance is None else metadata.distance
    return max(-1.0, min(1.0, 1.0 - distance))
