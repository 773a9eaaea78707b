"""Collections: made when first needed, by whichever process comes first.

The name a tenant sees is an alias to `<name>_v1`, so that a collection can be rebuilt beside
the old one and switched. Each holds one named vector per model fingerprint.
"""

import asyncio
from collections import defaultdict

from weaviate import WeaviateAsyncClient
from weaviate.classes.config import Configure, DataType, Property, Tokenization, VectorDistances
from weaviate.classes.query import Filter
from weaviate.outputs.query import FilterReturn

from models.errors import VectorStoreUnavailable
from models.vectors import Space
from stores.weaviate_connection import Connection
from stores.weaviate_errors import CallRefused
from stores.weaviate_options import IndexOptions, WeaviateOptions

FIRST_VERSION = "_v1"
STEPS = 20  # looks and changes until a collection must be as wanted
PAUSE_S = 0.05
#: What a step may be told while another process makes the same thing. The message holds the
#: collection's name, so each of these has a character that no name has.
_RACES = (
    "already exists",
    "already in use",
    "missing config for vector",
    "class not found",
    "status code: 404",
)
_NO_RACE = "found similar class"


def class_name(collection: str) -> str:
    """Write a collection's name as Weaviate does: with a capital first letter."""
    return collection[:1].upper() + collection[1:]


def vector_name(fingerprint: str) -> str:
    """Name the vectors that one model made."""
    return f"m_{fingerprint}"


def objects_of(space: Space, task_id: str) -> FilterReturn:
    """Build the filter for what this task stored and still holds."""
    mine = Filter.by_property("task").equal(task_id)
    return mine & Filter.by_property("fingerprint").equal(space.fingerprint)


class Schema:
    """What collections exist, as far as this process knows."""

    def __init__(self, connection: Connection, options: WeaviateOptions) -> None:
        self._connection = connection
        self._limit_s = options.schema_timeout_s
        self._index = options.index
        self._known: defaultdict[str, set[str]] = defaultdict(set)
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def ensure(self, collection: str, fingerprints: frozenset[str]) -> None:
        """Make the collection and its named vectors unless known to exist.

        Raises VectorStoreUnavailable, and CallRefused for a name that Weaviate does not take.
        """
        if fingerprints <= self._known[collection]:
            return
        async with self._locks[collection]:
            if not fingerprints <= self._known[collection]:
                await self._make(class_name(collection), fingerprints)
                self._known[collection] |= fingerprints

    def forget(self, collection: str) -> None:
        """Take nothing for granted any more: somebody deleted something."""
        self._known.pop(collection, None)

    async def _make(self, name: str, fingerprints: frozenset[str]) -> None:
        """Take one step after another until nothing is left to do, whoever else is at it."""
        wanted = {vector_name(fingerprint) for fingerprint in fingerprints}
        for step in range(STEPS):
            try:
                if await self._connection.call(
                    lambda client: _step(client, name, wanted, self._index), limit_s=self._limit_s
                ):
                    return
            except CallRefused as error:
                if not _is_race(str(error)):
                    raise
                await asyncio.sleep(PAUSE_S * step)
        raise VectorStoreUnavailable(f"collection {name} did not become ready in {STEPS} steps")


def _is_race(message: str) -> bool:
    return _NO_RACE not in message and any(words in message for words in _RACES)


async def _step(
    client: WeaviateAsyncClient, name: str, wanted: set[str], index: IndexOptions
) -> bool:
    """Bring the collection one step nearer to what is wanted; True when nothing was to do."""
    alias = await client.alias.get(alias_name=name)
    target = alias.collection if alias else name + FIRST_VERSION
    if alias is None and await client.collections.exists(name):
        return await _adopt(client, name, wanted, index)
    if not await client.collections.exists(target):
        await _create(client, target, wanted, index)
    elif alias is None:
        await client.alias.create(alias_name=name, target_collection=target)
    else:
        return await _complete(client, target, wanted, index)
    return False


async def _adopt(
    client: WeaviateAsyncClient, name: str, wanted: set[str], index: IndexOptions
) -> bool:
    """Use a plain collection of the visible name, unless Weaviate made it up by itself.

    A write into a missing collection makes an empty one without tenants (automatic schema),
    which then stands in the way of the alias: that one is removed.
    """
    collection = client.collections.use(name)
    if (await collection.config.get()).multi_tenancy_config.enabled:
        return await _complete(client, name, wanted, index)
    if (await collection.aggregate.over_all(total_count=True)).total_count:
        raise CallRefused(f"collection {name} exists and is not multi-tenant")
    await client.collections.delete(name)
    return False


async def _complete(
    client: WeaviateAsyncClient, target: str, wanted: set[str], index: IndexOptions
) -> bool:
    """Add what a collection lacks: properties, where an older version made it, and vectors."""
    collection = client.collections.use(target)
    config = await collection.config.get()
    present = {one.name for one in config.properties}
    properties = [one for one in _properties() if one.name not in present]
    for one in properties:
        await collection.config.add_property(one)
    held = (config.vector_config or {}).keys()
    vectors = sorted(wanted - held)
    if vectors:
        _check_spaces(target, len(held) + len(vectors), index.most_spaces)
        await collection.config.add_vector(vector_config=[_vector(one, index) for one in vectors])
    return not properties and not vectors


def _check_spaces(target: str, given: int, limit: int) -> None:
    """Raise CallRefused: a prompt of its own for each task would make an index for each."""
    if given > limit:
        raise CallRefused(
            f"collection {target} would hold vectors of {given} spaces (model, dimensions, "
            f"normalize, prompt), over the limit of {limit} (database.max_spaces); use another one"
        )


async def _create(
    client: WeaviateAsyncClient, target: str, wanted: set[str], index: IndexOptions
) -> None:
    await client.collections.create(
        target,
        description="Made by Vectorize; one named vector per model fingerprint.",
        properties=_properties(),
        vector_config=[_vector(name, index) for name in sorted(wanted)],
        multi_tenancy_config=Configure.multi_tenancy(
            enabled=True, auto_tenant_creation=True, auto_tenant_activation=True
        ),
    )


def _vector(name: str, index: IndexOptions):  # type: ignore[no-untyped-def]  # noqa: ANN202 (a private class of the client)
    hnsw = Configure.VectorIndex.hnsw(
        distance_metric=VectorDistances.COSINE,
        ef_construction=index.ef_construction,
        max_connections=index.max_connections,
        ef=index.ef,
    )
    return Configure.Vectors.self_provided(name=name, vector_index_config=hnsw)


def _properties() -> list[Property]:
    return [
        *(_label(name) for name in ("task", "item", "fingerprint")),
        _label("tags", DataType.TEXT_ARRAY),
        Property(name="item_index", data_type=DataType.INT, index_range_filters=True),
        # Of chunks alone, when their task was submitted: the removal of outdated ones asks for it.
        Property(name="generation", data_type=DataType.INT, index_range_filters=True),
        *(_kept(name, DataType.TEXT) for name in ("text", "metadata", "passport")),
        *(_kept(name, DataType.INT) for name in ("chunk", "submitted_ms", "tokens")),
        *(_kept(name, DataType.BOOL) for name in ("own_id", "truncated")),
        _label("document_id"),
        *(_kept(name, DataType.TEXT) for name in ("filename", "place")),
    ]


def _label(name: str, data_type: DataType = DataType.TEXT) -> Property:
    """Build a property that is found by its whole value."""
    return Property(
        name=name,
        data_type=data_type,
        tokenization=Tokenization.FIELD,
        index_filterable=True,
        index_searchable=False,
    )


def _kept(name: str, data_type: DataType) -> Property:
    """Build a property that is only read back."""
    searchable = False if data_type is DataType.TEXT else None
    return Property(
        name=name, data_type=data_type, index_filterable=False, index_searchable=searchable
    )
