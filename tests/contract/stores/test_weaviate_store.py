"""What only a real Weaviate can show: outages, races, deletions, and how it is laid out."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
import weaviate
from weaviate import WeaviateAsyncClient
from weaviate.classes.config import Configure, DataType, Property, Tokenization

from models.errors import VectorStoreUnavailable
from models.states import ItemErrorCode
from models.units import ItemFailure
from models.vectors import Space, StoredItem
from scripts.stack import StackState, kill_service, start_service
from stores.circuit import FAILURES
from stores.vector_store import VectorStoreBusy
from stores.weaviate import WeaviateStore
from stores.weaviate_options import IndexOptions, WeaviateOptions
from stores.weaviate_schema import class_name
from tests.unit.stores.items import stored_item, unit_vector

pytestmark = pytest.mark.integration


@pytest.fixture
async def client(weaviate_options: WeaviateOptions) -> AsyncIterator[WeaviateAsyncClient]:
    http, grpc = weaviate_options.http, weaviate_options.grpc
    async with weaviate.use_async_with_custom(
        http_host=http.host,
        http_port=http.port,
        http_secure=False,
        grpc_host=grpc.host,
        grpc_port=grpc.port,
        grpc_secure=False,
    ) as client:
        yield client


@pytest.fixture
async def stores(weaviate_options: WeaviateOptions) -> AsyncIterator[list[WeaviateStore]]:
    """Four stores, as in four processes."""
    stores = [WeaviateStore(weaviate_options) for _ in range(4)]
    yield stores
    for store in stores:
        await store.close()


async def _found(store: WeaviateStore, space: Space, task_id: str = "task-a") -> list[int]:
    return sorted(await store.results(space, task_id, first=0, count=99, with_vectors=False))


async def _until_stored(
    store: WeaviateStore, items: Sequence[StoredItem]
) -> list[ItemFailure | None]:
    """Write as a stage does; Weaviate is read-only for a moment while a model is added, too."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await store.write(items)
            except VectorStoreUnavailable:
                await asyncio.sleep(0.1)


async def test_the_visible_name_is_an_alias_and_the_index_is_as_stated(
    weaviate_store: WeaviateStore, space: Space, client: WeaviateAsyncClient
) -> None:
    await weaviate_store.write([stored_item(space=space)])
    name = class_name(space.collection)
    assert (await client.alias.get(alias_name=name)).collection == f"{name}_v1"
    config = await client.collections.use(f"{name}_v1").config.get()
    assert config.multi_tenancy_config.enabled
    index = config.vector_config["m_f1"].vector_index_config
    assert (index.distance_metric, index.ef_construction) == ("cosine", 128)
    assert (index.max_connections, index.ef) == (32, -1)


async def _make_as_before(client: WeaviateAsyncClient, space: Space) -> None:
    """Make a collection as versions did that knew no `tokens` and no `truncated`."""
    name = class_name(space.collection)
    whole = {"tokenization": Tokenization.FIELD, "index_searchable": False}
    place = Property(name="item_index", data_type=DataType.INT, index_range_filters=True)
    labels = [
        Property(name=one, data_type=DataType.TEXT, **whole)
        for one in ("task", "item", "fingerprint")
    ]
    tags = Property(name="tags", data_type=DataType.TEXT_ARRAY, **whole)
    kept = [Property(name=one, data_type=DataType.TEXT) for one in ("text", "metadata", "passport")]
    numbers = [Property(name=one, data_type=DataType.INT) for one in ("chunk", "submitted_ms")]
    await client.collections.create(
        f"{name}_v1",
        properties=[place, *labels, tags, *kept, *numbers],
        vector_config=[Configure.Vectors.self_provided(name="m_f1")],
        multi_tenancy_config=Configure.multi_tenancy(enabled=True, auto_tenant_creation=True),
    )
    await client.alias.create(alias_name=name, target_collection=f"{name}_v1")
    old = stored_item(space=space)
    facts = {"task": old.task_id, "item": old.item, "item_index": 0, "fingerprint": "f1"}
    collection = client.collections.use(name).with_tenant(space.tenant)
    await collection.data.insert(facts, uuid=old.object_id, vector={"m_f1": old.vector.tolist()})


@pytest.mark.parametrize("with_vectors", [True, False])
async def test_a_collection_of_before_is_read_and_gains_what_it_lacks_when_written_to(
    weaviate_store: WeaviateStore, space: Space, client: WeaviateAsyncClient, with_vectors: bool
) -> None:
    await _make_as_before(client, space)

    async def outcomes() -> list[tuple[int | None, bool | None]]:
        found = await weaviate_store.results(
            space, "task-a", first=0, count=9, with_vectors=with_vectors
        )
        assert all((one.vector is not None) is with_vectors for one in found.values())
        return [(found[index].tokens, found[index].truncated) for index in sorted(found)]

    assert await outcomes() == [(None, None)]
    new = replace(stored_item(index=1, space=space), tokens=300, truncated=True)
    assert await weaviate_store.write([new]) == [None]
    assert await outcomes() == [(None, None), (300, True)]
    config = await client.collections.use(class_name(space.collection)).config.get()
    added = {one.name: one for one in config.properties if one.name in {"tokens", "truncated"}}
    assert {one.data_type for one in added.values()} == {DataType.INT, DataType.BOOL}
    assert not any(one.index_filterable for one in added.values())


async def test_a_collection_of_before_has_no_chunks_to_remove(
    weaviate_store: WeaviateStore, space: Space, client: WeaviateAsyncClient
) -> None:
    """A document of which every chunk failed is closed where no chunk was ever stored."""
    await _make_as_before(client, space)
    removed = await weaviate_store.delete_outdated(space, "d", submitted_ms=9, task_id="task-a")
    assert removed == 0


async def test_stores_that_meet_a_collection_of_before_at_once_all_succeed(
    stores: list[WeaviateStore], space: Space, client: WeaviateAsyncClient
) -> None:
    await _make_as_before(client, space)
    items = [[stored_item("new", index, space=space)] for index in range(4)]
    writing = (_until_stored(s, i) for s, i in zip(stores, items, strict=True))
    assert await asyncio.gather(*writing) == [[None]] * 4
    assert await _found(stores[0], space, "new") == [0, 1, 2, 3]


async def test_a_collection_takes_no_more_spaces_than_its_limit_and_goes_on_with_those_it_has(
    weaviate_options: WeaviateOptions, space: Space
) -> None:
    """Any prompt makes a space: a client with a prompt for each task would make an index each."""
    options = replace(weaviate_options, index=IndexOptions(most_spaces=2))
    store = WeaviateStore(options)
    spaces = [space.model_copy(update={"fingerprint": f"f{number}"}) for number in (1, 2, 3)]
    try:
        for one in spaces[:2]:
            assert await _until_stored(store, [stored_item(space=one)]) == [None]
        (failure,) = await _until_stored(store, [stored_item(space=spaces[2])])
        assert failure is not None
        assert failure.code is ItemErrorCode.STORE_REFUSED
        assert "3 spaces" in failure.message
        assert "over the limit of 2" in failure.message
        assert await _until_stored(store, [stored_item(index=1, space=space)]) == [None]
    finally:
        await store.close()


async def test_stores_that_make_one_collection_at_once_all_succeed(
    stores: list[WeaviateStore], space: Space
) -> None:
    items = [[stored_item("task-a", index, space=space)] for index in range(4)]
    outcomes = await asyncio.gather(*(s.write(i) for s, i in zip(stores, items, strict=True)))
    assert outcomes == [[None]] * 4
    assert await _found(stores[0], space) == [0, 1, 2, 3]


async def test_stores_that_add_models_at_once_all_succeed_in_the_end(
    stores: list[WeaviateStore], space: Space
) -> None:
    await stores[0].write([stored_item("first", space=space)])
    spaces = [space.model_copy(update={"fingerprint": f"n{number}"}) for number in range(4)]
    items = [[stored_item(space=one)] for one in spaces]
    writing = (_until_stored(s, i) for s, i in zip(stores, items, strict=True))
    assert await asyncio.gather(*writing) == [[None]] * 4
    for store, one in zip(stores, spaces, strict=True):
        assert len(await store.search(one, unit_vector(0), limit=9, where={})) == 1


@pytest.mark.parametrize("deletion", ["collection", "alias", "collection and alias", "tenant"])
async def test_what_somebody_deleted_is_made_again(
    weaviate_store: WeaviateStore, space: Space, client: WeaviateAsyncClient, deletion: str
) -> None:
    name = class_name(space.collection)
    await weaviate_store.write([stored_item(space=space)])
    if "collection" in deletion:
        await client.collections.delete(f"{name}_v1")
    if "alias" in deletion:
        await client.alias.delete(alias_name=name)
    if deletion == "tenant":
        await client.collections.use(f"{name}_v1").tenants.remove(["default"])
    kept = [0] if deletion == "alias" else []
    assert await _found(weaviate_store, space) in (kept, [])
    items = [stored_item(index=index, space=space) for index in (1, 2)]
    assert await weaviate_store.write(items) == [None, None]
    assert await _found(weaviate_store, space) == [*kept, 1, 2]
    assert (await client.alias.get(alias_name=name)).collection == f"{name}_v1"


async def test_a_collection_of_somebody_else_is_refused_and_left_alone(
    weaviate_store: WeaviateStore, space: Space, client: WeaviateAsyncClient
) -> None:
    title = Property(name="title", data_type=DataType.TEXT)
    foreign = await client.collections.create(class_name(space.collection), properties=[title])
    await foreign.data.insert({"title": "not ours"})
    (failure,) = await weaviate_store.write([stored_item(space=space)])
    assert failure.code is ItemErrorCode.STORE_REFUSED
    assert "not multi-tenant" in failure.message
    assert (await foreign.aggregate.over_all(total_count=True)).total_count == 1


@pytest.mark.parametrize("field", ["tenant", "collection"])
async def test_a_name_that_weaviate_does_not_take_harms_only_its_own_items(
    weaviate_store: WeaviateStore, space: Space, field: str
) -> None:
    odd = space.model_copy(update={field: "not a name!"})
    items = [stored_item(space=odd), stored_item(space=space), stored_item(index=1, space=odd)]
    first, good, second = await weaviate_store.write(items)
    assert good is None
    assert first.code is second.code is ItemErrorCode.STORE_REFUSED
    assert "not a valid" in first.message


async def test_what_only_weaviate_refuses_harms_only_itself(
    weaviate_store: WeaviateStore, space: Space
) -> None:
    """A passport that lies about its dimension passes our own check."""
    await weaviate_store.write([stored_item("first", space=space)])
    items = [stored_item(index=index, space=space) for index in range(6)]
    for at in (1, 4):
        items[at] = stored_item(index=at, space=space, vector=unit_vector(0, 4), dimension=4)
    outcomes = await weaviate_store.write(items)
    assert [at for at, outcome in enumerate(outcomes) if outcome] == [1, 4]
    assert "length 4" in outcomes[1].message
    alone = await weaviate_store.write([items[1], items[4]])
    assert [failure.index for failure in alone] == [1, 4]


async def test_a_refused_text_never_reaches_the_log(
    weaviate_store: WeaviateStore,
    space: Space,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await weaviate_store.write([stored_item("first", space=space)])
    bad = stored_item(space=space, vector=unit_vector(0, 4), dimension=4, text="my secret")
    with caplog.at_level(logging.DEBUG):
        await weaviate_store.write([bad, stored_item(index=1, space=space)])
    assert "my secret" not in caplog.text + "".join(capsys.readouterr())


async def test_a_call_larger_than_a_grpc_message_is_split(
    weaviate_store: WeaviateStore, space: Space
) -> None:
    text = "x" * 262_144
    items = [stored_item(index=index, space=space, text=text) for index in range(64)]
    assert await weaviate_store.write(items) == [None] * 64
    assert len(await _found(weaviate_store, space)) == 64


async def test_many_writers_at_once_each_get_their_own(
    weaviate_store: WeaviateStore, space: Space
) -> None:
    async def write(task_id: str) -> list[ItemFailure | None]:
        items = [stored_item(task_id, index, space=space) for index in range(32)]
        return await weaviate_store.write(items)

    tasks = [f"task-{number}" for number in range(12)]
    assert await asyncio.gather(*map(write, tasks)) == [[None] * 32] * 12
    for task in tasks:
        assert len(await _found(weaviate_store, space, task)) == 32


async def test_an_outage_is_said_soon_and_ends_by_itself(
    servers: StackState, weaviate_store: WeaviateStore, space: Space
) -> None:
    await weaviate_store.write([stored_item(space=space)])
    kill_service(servers.directory, "weaviate")
    try:
        began = time.monotonic()
        for call in (
            weaviate_store.write([stored_item(index=1, space=space)]),
            weaviate_store.search(space, unit_vector(0), limit=3, where={}),
            weaviate_store.results(space, "task-a", first=0, count=9, with_vectors=True),
            weaviate_store.delete_task(space, "task-a"),
        ):
            with pytest.raises(VectorStoreUnavailable) as caught:
                await call
            assert caught.value.__cause__ is not None or "reachable" in str(caught.value)
        assert not await weaviate_store.ping()
        assert time.monotonic() - began < 10
    finally:
        start_service(servers.directory, "weaviate")
    assert await weaviate_store.ping()
    assert await weaviate_store.write([stored_item(index=1, space=space)]) == [None]
    assert await _found(weaviate_store, space) == [0, 1]


async def test_a_store_made_during_an_outage_works_after_it(
    servers: StackState, stores: list[WeaviateStore], space: Space
) -> None:
    kill_service(servers.directory, "weaviate")
    try:
        with pytest.raises(VectorStoreUnavailable):
            await stores[0].write([stored_item(space=space)])
    finally:
        start_service(servers.directory, "weaviate")
    assert await stores[0].write([stored_item(space=space)]) == [None]


async def test_a_caller_that_retries_through_a_crash_loses_nothing(
    servers: StackState, weaviate_store: WeaviateStore, space: Space
) -> None:
    async def crash() -> None:
        await asyncio.sleep(0.05)
        await asyncio.to_thread(kill_service, servers.directory, "weaviate")
        await asyncio.to_thread(start_service, servers.directory, "weaviate")

    items = [[stored_item(index=index, space=space)] for index in range(40)]
    writing = asyncio.gather(*(_until_stored(weaviate_store, one) for one in items))
    outcomes, _ = await asyncio.gather(writing, crash())
    assert outcomes == [[None]] * 40
    assert await _found(weaviate_store, space) == list(range(40))
    hits = await weaviate_store.search(space, np.ones(8, np.float32), limit=99, where={})
    assert len(hits) == 40


async def test_a_tenant_that_cannot_be_written_to_now_holds_up_no_other(
    weaviate_store: WeaviateStore, space: Space, client: WeaviateAsyncClient
) -> None:
    other = space.model_copy(update={"tenant": "other"})
    assert await weaviate_store.write([stored_item(space=space)]) == [None]
    assert await weaviate_store.write([stored_item(space=other)]) == [None]
    shards = client.collections.use(f"{class_name(space.collection)}_v1").config
    await shards.update_shards(status="READONLY", shard_names=other.tenant)
    for index in range(1, 2 * FAILURES):
        with pytest.raises(VectorStoreBusy):
            await weaviate_store.write([stored_item(index=index, space=other)])
        with pytest.raises(VectorStoreBusy):
            await weaviate_store.delete_task(other, "task-a")
        assert await weaviate_store.write([stored_item(index=index, space=space)]) == [None]
        assert await _found(weaviate_store, other) == [0]
    await shards.update_shards(status="READY", shard_names=other.tenant)
    assert await weaviate_store.write([stored_item(index=1, space=other)]) == [None]
