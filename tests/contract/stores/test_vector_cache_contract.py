"""What the cache of vectors does with a real Redis, and without it."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from scripts.stack import StackState
from stores.redis_calls import RedisOptions
from stores.vector_cache import RedisVectorCache, VectorCacheOptions

pytestmark = pytest.mark.integration

SLOTS = 16


@pytest.fixture
def redis(servers: StackState) -> RedisOptions:
    # Patient: what is tested is what comes back, and a write that is late is left out.
    url = servers.settings["database.redis_url"]
    return RedisOptions(url=url, prefix=f"{uuid4().hex}:", timeout_ms=10_000)


@pytest.fixture
async def cache(redis: RedisOptions) -> AsyncIterator[RedisVectorCache]:
    cache = RedisVectorCache(redis, VectorCacheOptions(slots=SLOTS, ttl_s=60))
    yield cache
    await cache.close()


def key(number: int) -> bytes:
    """A key of 16 bytes that goes to slot `number % SLOTS`."""
    return number.to_bytes(8, "big") + b"12345678"


async def test_what_was_kept_is_recalled_in_the_order_asked(cache: RedisVectorCache) -> None:
    await cache.keep({key(1): b"one", key(2): bytes(range(256))})
    assert await cache.recall([key(2), key(3), key(1)]) == [bytes(range(256)), None, b"one"]
    assert await cache.recall([]) == []


async def test_a_slot_holds_one_key_and_never_gives_it_to_another(cache: RedisVectorCache) -> None:
    await cache.keep({key(1): b"first"})
    await cache.keep({key(1 + SLOTS): b"second"})
    assert await cache.recall([key(1), key(1 + SLOTS)]) == [None, b"second"]


async def test_however_much_is_kept_redis_holds_no_more_than_the_slots(
    cache: RedisVectorCache, redis: RedisOptions
) -> None:
    await cache.keep({key(number): b"v" for number in range(10 * SLOTS)})
    raw = Redis.from_url(redis.url)
    held = [name async for name in raw.scan_iter(f"vectorize:{redis.prefix}*")]
    assert len(held) == SLOTS
    assert all([0 < await raw.ttl(name) <= 60 for name in held])
    await raw.aclose()


async def test_another_kind_of_value_in_a_slot_is_a_miss(
    cache: RedisVectorCache, redis: RedisOptions
) -> None:
    raw = Redis.from_url(redis.url)
    await raw.set(f"vectorize:{redis.prefix}vector:1", b"shorter")
    assert await cache.recall([key(1)]) == [None]
    await raw.aclose()


async def test_two_prefixes_never_meet(cache: RedisVectorCache, redis: RedisOptions) -> None:
    await cache.keep({key(1): b"mine"})
    options = VectorCacheOptions(slots=SLOTS, ttl_s=60)
    other = RedisVectorCache(RedisOptions(url=redis.url, prefix="other:"), options)
    assert await other.recall([key(1)]) == [None]
    await other.close()


async def test_without_redis_all_is_a_miss_and_nothing_raises() -> None:
    away = RedisOptions(url="redis://127.0.0.1:1/0", timeout_ms=100)
    cache = RedisVectorCache(away, VectorCacheOptions(slots=SLOTS, ttl_s=60))
    await cache.keep({key(1): b"lost"})
    assert await cache.recall([key(1), key(2)]) == [None, None]
    await cache.close()
