"""What the cache does with a real Redis, and without it."""

import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from models.rows import TaskRow
from models.states import Lane, TaskState, TaskType
from models.units import SourcePlace
from scripts.stack import StackState, kill_service, start_service
from stores.redis_cache import RedisCache
from stores.redis_calls import SKIP_S, RedisOptions

pytestmark = pytest.mark.integration


class StillClock:
    """A clock that moves only when told."""

    def __init__(self) -> None:
        self.at_s = 1000.0

    def now_ms(self) -> int:
        return int(self.at_s * 1000)

    def monotonic_s(self) -> float:
        return self.at_s


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def options(servers: StackState) -> RedisOptions:
    return RedisOptions(url=servers.settings["database.redis_url"], prefix=f"{uuid4().hex}:")


@pytest.fixture
async def cache(options: RedisOptions, clock: StillClock) -> AsyncIterator[RedisCache]:
    cache = RedisCache(options, clock)
    yield cache
    await cache.close()


@pytest.fixture
async def raw(options: RedisOptions) -> AsyncIterator[Redis]:
    redis = Redis.from_url(options.url)
    yield redis
    await redis.aclose()


def row(
    task_id: str = "t", *, version: int = 7, state: TaskState = TaskState.COMPLETED, **changes: Any
) -> TaskRow:
    return TaskRow(
        task_id=task_id,
        version=version,
        state=state,
        source=SourcePlace(partition=0, offset=1),
        body_hash="h",
        task_type=TaskType.TEXT,
        model="m",
        fingerprint="f1",
        collection="Books",
        lane=Lane.NORMAL,
        submitted_ms=1,
        last_event_ms=2,
        total_items=3,
        total_units=1,
        **{"done_units": 1, "stored_items": 3, "metadata": {"汉": [1, None]}} | changes,
    )


async def test_a_final_row_comes_back_whole(cache: RedisCache) -> None:
    assert await cache.get("t") is None
    await cache.put_final(row(failed=1 << 9_999), 60)
    assert await cache.get("t") == row(failed=1 << 9_999)


async def test_a_row_that_may_still_change_is_never_kept(cache: RedisCache) -> None:
    with pytest.raises(ValueError, match="This is a bug"):
        await cache.put_final(row(state=TaskState.PROCESSING), 60)
    assert await cache.get("t") is None


async def test_only_a_later_version_takes_the_place_of_an_earlier_one(cache: RedisCache) -> None:
    await cache.put_final(row(version=9, tokens=9), 60)
    await cache.put_final(row(version=8, tokens=8), 60)
    await cache.put_final(row(version=9, tokens=1), 60)
    assert (await cache.get("t")).tokens == 9
    await cache.put_final(row(version=10, tokens=10), 60)
    assert (await cache.get("t")).tokens == 10


async def test_rows_and_marks_live_as_long_as_told(
    cache: RedisCache, raw: Redis, options: RedisOptions
) -> None:
    await cache.put_final(row(), 60)
    await cache.mark_cancelled("t", 30)
    assert 55 < await raw.ttl(f"vectorize:{options.prefix}row:t") <= 60
    assert 25 < await raw.ttl(f"vectorize:{options.prefix}cancelled:t") <= 30


async def test_a_purged_task_is_forgotten_with_its_mark(cache: RedisCache) -> None:
    await cache.put_final(row(), 60)
    await cache.put_final(row("u"), 60)
    await cache.mark_cancelled("t", 60)
    await cache.forget(["t", "never seen"])
    await cache.forget([])
    assert await cache.get("t") is None
    assert await cache.cancelled(["t"]) == frozenset()
    assert await cache.get("u") is not None


async def test_the_cancelled_are_told_from_the_others(cache: RedisCache) -> None:
    await cache.mark_cancelled("b", 60)
    await cache.mark_cancelled("d", 60)
    assert await cache.cancelled(["a", "b", "c", "d", "b"]) == {"b", "d"}
    assert await cache.cancelled([]) == frozenset()


@pytest.mark.parametrize("held", [b"", b"nonsense", b"7\n{}", b"7\n{", b"\xff\xfe"])
async def test_what_no_longer_can_be_read_is_a_miss(
    cache: RedisCache, raw: Redis, options: RedisOptions, held: bytes
) -> None:
    await raw.set(f"vectorize:{options.prefix}row:t", held)
    assert await cache.get("t") is None
    assert sum(cache.failures.values()) == 1
    await cache.mark_cancelled("t", 60)
    assert await cache.cancelled(["t"]) == {"t"}


async def test_a_row_of_another_record_version_is_a_miss(cache: RedisCache) -> None:
    await cache.put_final(row(v=99), 60)
    assert await cache.get("t") is None


async def test_two_prefixes_never_meet(cache: RedisCache, options: RedisOptions) -> None:
    other = RedisCache(RedisOptions(url=options.url, prefix="other:"))
    await cache.put_final(row(), 60)
    assert await other.get("t") is None
    await other.close()


async def test_with_redis_away_all_is_a_miss_soon_and_its_return_is_noticed(
    servers: StackState, cache: RedisCache, clock: StillClock
) -> None:
    await cache.put_final(row(), 60)
    kill_service(servers.directory, "redis")
    try:
        began = time.monotonic()
        for _ in range(50):
            assert await cache.get("t") is None
            assert await cache.cancelled(["t"]) == frozenset()
            await cache.put_final(row(), 60)
            await cache.mark_cancelled("t", 60)
            await cache.forget(["t"])
        assert time.monotonic() - began < 1
        assert sum(cache.failures.values()) == 1  # all others were spared the attempt
        assert not await cache.ping()
    finally:
        start_service(servers.directory, "redis")
    assert await cache.get("t") is None
    clock.at_s += SKIP_S
    await cache.put_final(row(version=8), 60)
    assert (await cache.get("t")).version == 8


async def test_a_ping_that_succeeds_ends_the_wait(servers: StackState, cache: RedisCache) -> None:
    kill_service(servers.directory, "redis")
    assert await cache.get("t") is None
    start_service(servers.directory, "redis")
    assert await cache.ping()
    await cache.put_final(row(), 60)
    assert await cache.get("t") is not None


async def test_a_slow_redis_costs_no_more_than_its_timeout(cache: RedisCache, raw: Redis) -> None:
    assert await cache.ping()
    await raw.execute_command("CLIENT", "PAUSE", 1500)
    began = time.monotonic()
    assert await cache.get("t") is None
    assert await cache.get("t") is None
    assert time.monotonic() - began < 0.5


async def test_a_failure_is_logged_once_in_a_while_and_counted_each_time(
    servers: StackState,
    options: RedisOptions,
    clock: StillClock,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cache = RedisCache(RedisOptions(url="redis://127.0.0.1:1/0", timeout_ms=100), clock)
    for _ in range(5):
        await cache.get("t")
        clock.at_s += SKIP_S
    assert sum(cache.failures.values()) == 5
    assert capsys.readouterr().out.count("redis_call_failed") == 1
    clock.at_s += 30
    await cache.get("t")
    assert capsys.readouterr().out.count("redis_call_failed") == 1
    await cache.close()
