import asyncio
import subprocess
import sys

import pytest

from models.errors import VectorStoreUnavailable
from models.vectors import Space
from stores.discard import DiscardStore
from stores.redis_cache import open_cache
from stores.redis_calls import RedisOptions
from stores.task_cache import NullCache
from stores.weaviate import WeaviateStore
from stores.weaviate_options import WeaviateOptions
from tests.unit.stores.items import stored_item, unit_vector

SPACE = Space(tenant="default", collection="Books", fingerprint="f1")

#: Far above what anything here may take on a slow machine.
HANG_S = 30.0


async def test_the_store_that_keeps_nothing_takes_everything() -> None:
    store = DiscardStore()
    assert await store.write([stored_item(space=SPACE)] * 3) == [None] * 3
    assert await store.results(SPACE, "task-a", first=0, count=9, with_vectors=True) == {}
    assert await store.search(SPACE, unit_vector(0), limit=3, where={}) == []
    assert await store.delete_task(SPACE, "task-a") == 0
    assert await store.ping()
    await store.close()


async def test_no_url_means_no_cache() -> None:
    cache = open_cache(RedisOptions(url=""))
    assert isinstance(cache, NullCache)
    assert await cache.get("t") is None
    assert await cache.cancelled(["t"]) == frozenset()
    assert not await cache.ping()
    await cache.close()


def test_importing_the_stores_loads_neither_client() -> None:
    program = (
        "import sys, stores.weaviate, stores.redis_cache, stores.memory\n"
        "assert not {'weaviate', 'grpc', 'redis'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


async def test_a_weaviate_that_was_never_there_is_unavailable_and_soon_said_so(
    free_port: int,
) -> None:
    store = WeaviateStore(WeaviateOptions(url=f"http://127.0.0.1:{free_port}"))
    await store._loaded()
    async with asyncio.timeout(HANG_S):  # not a measure of speed: that it ends at all
        assert not await store.ping()
        with pytest.raises(VectorStoreUnavailable):
            await store.write([stored_item(space=SPACE)])
        with pytest.raises(VectorStoreUnavailable):
            await store.search(SPACE, unit_vector(0), limit=3, where={})
    await store.close()


async def test_a_ping_of_a_weaviate_that_says_nothing_ends() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        address = f"127.0.0.1:{port}"
        store = WeaviateStore(WeaviateOptions(url=f"http://{address}", grpc_url=address))
        async with asyncio.timeout(HANG_S):
            assert not await store.ping()
        await asyncio.sleep(0.1)  # for the server to see that we hung up
