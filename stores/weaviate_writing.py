"""Writing objects in batches: every object has its own outcome, and the later task wins."""

import functools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

import orjson
from weaviate import WeaviateAsyncClient
from weaviate.classes.data import DataObject
from weaviate.collections.collection import CollectionAsync
from weaviate.outputs.batch import BatchObjectReturn
from weaviate.outputs.query import WeaviateProperties

from models.errors import VectorStoreUnavailable
from models.units import ItemFailure
from models.vectors import Passport, Space, StoredItem
from stores.admission import Rank, rank_of, refusal, refused, winners
from stores.filters import tags_of
from stores.vector_store import VectorStoreBusy
from stores.weaviate_connection import Connection
from stores.weaviate_errors import CallRefused, PlaceMissing, Trouble, trouble_of_message
from stores.weaviate_options import WeaviateOptions
from stores.weaviate_removal import Removal
from stores.weaviate_schema import Schema, class_name, objects_of, vector_name

OBJECT_BYTES = 1024  # of an object without its text, vector and metadata

#: Items by their position in the call.
Batch = Mapping[int, StoredItem]


class Place(NamedTuple):
    """Where one request may write."""

    collection: str
    tenant: str


class ObjectWriter:
    """Writes and removes objects."""

    def __init__(self, connection: Connection, schema: Schema, options: WeaviateOptions) -> None:
        self._connection = connection
        self._schema = schema
        self._options = options
        self._removal = Removal(connection, options)

    async def write(self, items: Sequence[StoredItem]) -> list[ItemFailure | None]:
        """Store `items`; see VectorWriter."""
        faults = {at: fault for at, item in enumerate(items) if (fault := refusal(item))}
        sound = {at: item for at, item in enumerate(items) if at not in faults}
        for place, batch in self._batches(sound):
            reasons = await self._write_batch(place, batch)
            faults |= {at: refused(items[at], reason) for at, reason in reasons.items()}
        return [faults.get(at) for at in range(len(items))]

    async def delete_task(self, space: Space, task_id: str) -> int:
        """Remove what the task still holds; see VectorWriter."""
        return await self._removal.all_of(space, objects_of(space, task_id), task_id)

    def _batches(self, items: Batch) -> Iterator[tuple[Place, Batch]]:
        groups: defaultdict[Place, dict[int, StoredItem]] = defaultdict(dict)
        for at, item in winners(items).items():
            groups[Place(item.collection, item.tenant)][at] = item
        for place, group in groups.items():
            for batch in split_batch(
                group, most=self._options.batch_objects, most_bytes=self._options.batch_bytes
            ):
                yield place, batch

    async def _write_batch(self, place: Place, batch: Batch) -> dict[int, str]:
        """Write one batch; return the reasons of those refused, by position."""
        try:
            return await self._prepare_and_write(place, batch)
        except PlaceMissing:
            self._schema.forget(place.collection)
        try:
            return await self._prepare_and_write(place, batch)
        except PlaceMissing as error:
            raise VectorStoreUnavailable(f"{place.collection} vanishes: {error}") from error

    async def _prepare_and_write(self, place: Place, batch: Batch) -> dict[int, str]:
        fingerprints = frozenset(item.passport.fingerprint for item in batch.values())
        try:
            await self._schema.ensure(place.collection, fingerprints)
        except CallRefused as error:
            return dict.fromkeys(batch, str(error))
        return await self._insert(place, await self._not_outranked(place, batch))

    async def _not_outranked(self, place: Place, batch: Batch) -> Batch:
        """Leave out items whose place a later submitted task holds."""
        shared = [item.object_id for item in batch.values() if item.own_id]
        held = await self._holders(place, shared) if shared else {}
        return {
            at: item
            for at, item in batch.items()
            if held.get(item.object_id, rank_of(item)) <= rank_of(item)
        }

    async def _holders(self, place: Place, ids: Sequence[UUID]) -> dict[UUID, Rank]:
        try:
            found = await self._connection.call(
                lambda client: _open(client, place).query.fetch_objects_by_ids(
                    ids, limit=len(ids), return_properties=["task", "submitted_ms", "item_index"]
                ),
                limit_s=self._options.query_timeout_s,
            )
        except PlaceMissing:  # the tenant's first write makes it
            return {}
        except CallRefused as error:
            raise VectorStoreBusy(f"Weaviate did not look up: {error}") from error
        return {one.uuid: _rank_of_properties(one.properties) for one in found.objects}

    async def _insert(self, place: Place, batch: Batch) -> dict[int, str]:
        """Send one batch; where all of it is refused, its halves, until each has its own reason.

        The client tells who failed only while at least one object of the call did not.
        """
        if not batch:
            return {}
        objects = [_object(item) for item in batch.values()]
        try:
            done = await self._connection.call(
                lambda client: _open(client, place).data.insert_many(objects),
                limit_s=self._options.write_timeout_s,
            )
        except CallRefused as error:
            if len(batch) == 1:
                return dict.fromkeys(batch, str(error))
            first, second = halves(batch)
            return await self._insert(place, first) | await self._insert(place, second)
        return _reasons(done, list(batch))


def split_batch(items: Batch, *, most: int, most_bytes: int) -> Iterator[dict[int, StoredItem]]:
    """Cut `items` into batches of at most `most` objects and, but for one alone, `most_bytes`."""
    batch: dict[int, StoredItem] = {}
    size = 0
    for at, item in items.items():
        weight = OBJECT_BYTES + item.vector.nbytes + len(item.text.encode())
        if batch and (len(batch) >= most or size + weight > most_bytes):
            yield batch
            batch, size = {}, 0
        batch[at] = item
        size += weight
    if batch:
        yield batch


def halves(batch: Batch) -> tuple[Batch, Batch]:
    """Cut a batch of two or more in the middle."""
    entries = list(batch.items())
    middle = len(entries) // 2
    return dict(entries[:middle]), dict(entries[middle:])


def _reasons(done: BatchObjectReturn, positions: Sequence[int]) -> dict[int, str]:
    """Read the refusals; raise for those that are none (VectorStoreBusy, PlaceMissing)."""
    reasons = {positions[at]: error.message for at, error in done.errors.items()}
    troubles = {trouble_of_message(reason): reason for reason in reasons.values()}
    if Trouble.AWAY in troubles:
        raise VectorStoreBusy(f"Weaviate cannot store now: {troubles[Trouble.AWAY][:300]}")
    if Trouble.MISSING in troubles:
        raise PlaceMissing(troubles[Trouble.MISSING])
    return reasons


def _open(client: WeaviateAsyncClient, place: Place) -> CollectionAsync[WeaviateProperties, None]:
    return client.collections.use(class_name(place.collection)).with_tenant(place.tenant)


def _object(item: StoredItem) -> DataObject[WeaviateProperties, None]:
    properties: WeaviateProperties = {
        "task": item.task_id,
        "item": item.item,
        "item_index": item.index,
        "chunk": item.index if item.place is not None else 0,
        "text": item.text,
        "submitted_ms": item.submitted_ms,
        "own_id": item.own_id,
        "tokens": item.tokens,
        "truncated": item.truncated,
        "tags": tags_of(item.metadata),
        "metadata": orjson.dumps(item.metadata).decode(),
        "passport": _passport_json(item.passport),
        "fingerprint": item.passport.fingerprint,
        **_of_document(item),
    }
    vector = {vector_name(item.passport.fingerprint): item.vector.tolist()}
    return DataObject(properties=properties, uuid=item.object_id, vector=vector)


def _of_document(item: StoredItem) -> dict[str, str | int]:
    """What only a chunk of a document has."""
    if item.place is None:
        return {}
    named = {"document_id": item.document_id, "filename": item.filename}
    told = {name: value for name, value in named.items() if value is not None}
    return {
        **told,
        "place": item.place.model_dump_json(),
        "generation": item.submitted_ms,
    }


@functools.lru_cache(maxsize=64)
def _passport_json(passport: Passport) -> str:
    return passport.model_dump_json()


def _rank_of_properties(properties: Mapping[str, object]) -> Rank:
    return Rank(
        submitted_ms=_whole(properties.get("submitted_ms")),
        task_id=str(properties.get("task")),
        item_index=_whole(properties.get("item_index")),
    )


def _whole(value: object) -> int:
    return int(value) if isinstance(value, int | float) else 0
