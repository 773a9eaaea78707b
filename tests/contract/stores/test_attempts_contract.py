"""What counting attempts does with a real Redis, and without it."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from scripts.stack import StackState
from stores.attempts import TTL_S, RedisAttempts
from stores.redis_calls import RedisOptions

pytestmark = pytest.mark.integration


@pytest.fixture
def redis(servers: StackState) -> RedisOptions:
    url = servers.settings["database.redis_url"]
    return RedisOptions(url=url, prefix=f"{uuid4().hex}:", timeout_ms=10_000)


@pytest.fixture
async def attempts(redis: RedisOptions) -> AsyncIterator[RedisAttempts]:
    attempts = RedisAttempts(redis)
    yield attempts
    await attempts.close()


async def test_what_never_ended_is_counted_by_whoever_begins_it_next(
    attempts: RedisAttempts, redis: RedisOptions
) -> None:
    assert await attempts.begin("a") == 1
    successor = RedisAttempts(redis)  # the first process died
    assert await successor.begin("a") == 2
    assert await successor.begin("b") == 1
    await successor.close()


async def test_what_ended_is_new_again_even_if_it_begins_at_once(attempts: RedisAttempts) -> None:
    for _ in range(5):
        assert await attempts.begin("a") == 1
        attempts.end("a")


async def test_many_at_once_are_each_counted(attempts: RedisAttempts) -> None:
    keys = [f"k{number}" for number in range(500)]
    for wanted in (1, 2, 3):
        assert await asyncio.gather(*map(attempts.begin, keys)) == [wanted] * len(keys)


async def test_a_begin_that_was_given_up_leaves_nothing(
    attempts: RedisAttempts, redis: RedisOptions
) -> None:
    beginning = asyncio.create_task(attempts.begin("a"))
    await asyncio.sleep(0)
    beginning.cancel()
    attempts.end("a")
    await attempts.close()
    raw = Redis.from_url(redis.url)
    assert [name async for name in raw.scan_iter(f"vectorize:{redis.prefix}*")] == []
    await raw.aclose()


async def test_a_begin_that_is_taken_back_leaves_the_deaths_before_it(
    attempts: RedisAttempts,
) -> None:
    for wanted in (1, 2, 3):
        assert await attempts.begin("a") == wanted
    for _ in range(3):
        attempts.take_back("a")
        assert await attempts.begin("a") == 3


async def test_the_last_begin_taken_back_leaves_nothing(
    attempts: RedisAttempts, redis: RedisOptions
) -> None:
    assert await attempts.begin("a") == 1
    attempts.take_back("a")
    attempts.take_back("a")  # of more begins than there were
    attempts.take_back("never begun")
    await attempts.close()
    raw = Redis.from_url(redis.url)
    assert [name async for name in raw.scan_iter(f"vectorize:{redis.prefix}*")] == []
    await raw.aclose()


async def test_a_begin_that_is_not_counted_yet_is_taken_back_uncounted(
    attempts: RedisAttempts,
) -> None:
    assert await attempts.begin("a") == 1
    beginning = asyncio.create_task(attempts.begin("a"))
    await asyncio.sleep(0)
    beginning.cancel()
    attempts.take_back("a")
    assert await attempts.begin("a") == 2


async def test_a_count_is_forgotten_after_three_days(
    attempts: RedisAttempts, redis: RedisOptions
) -> None:
    await attempts.begin("a")
    raw = Redis.from_url(redis.url)
    assert TTL_S - 60 < await raw.ttl(f"vectorize:{redis.prefix}attempt:a") <= TTL_S == 259_200
    await raw.aclose()


async def test_without_redis_all_work_is_new() -> None:
    away = RedisAttempts(RedisOptions(url="redis://127.0.0.1:1/0", timeout_ms=100))
    assert await away.begin("a") == 1
    assert await away.begin("a") == 1
    away.end("a")
    away.take_back("a")
    await away.close()
