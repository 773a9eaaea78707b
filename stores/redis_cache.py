"""The cache in Redis, which may vanish at any moment: slower then, never wrong, never an error."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import structlog
from pydantic import ValidationError

from models.clock import SYSTEM_CLOCK, Clock
from models.rows import TaskRow
from models.tasks import RECORD_VERSION
from stores.task_cache import NullCache, TaskCache

if TYPE_CHECKING:  # redis costs 22 MB; a process with the cache off need not pay
    from redis.asyncio import Redis

PREFIX = "vectorize:"
SKIP_S = 1.0  # after a failed call nobody waits for Redis that long
LOG_EVERY_S = 30.0  # per kind of failure
PING_S = 1.0

#: KEYS[1] the row's key; ARGV: version, "version\njson", seconds to live.
_PUT_IF_NEWER = """
local held = redis.call('GET', KEYS[1])
if held and tonumber(string.match(held, '^%d+')) >= tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
"""

_T = TypeVar("_T")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RedisOptions:
    """How to reach Redis; an empty `url` means there is none."""

    url: str = field(repr=False)  # may hold a password
    prefix: str = ""  # stands after `vectorize:` in every key
    max_connections: int = 50
    timeout_ms: int = 200  # for one call, connecting and waiting for a connection included


def open_cache(options: RedisOptions, clock: Clock = SYSTEM_CLOCK) -> TaskCache:
    """Build the cache that `options` ask for; connects at the first call, not here."""
    return RedisCache(options, clock) if options.url else NullCache()


class RedisCache:
    """A TaskCache in Redis. `failures` counts failed calls by kind (the error's name)."""

    def __init__(self, options: RedisOptions, clock: Clock = SYSTEM_CLOCK) -> None:
        self.failures: Counter[str] = Counter()
        self._redis = _client(options)
        self._prefix = PREFIX + options.prefix
        self._limit_s = options.timeout_ms / 1000
        self._clock = clock
        self._skip_until_s = float("-inf")
        self._logged_s: dict[str, float] = {}

    async def put_final(self, row: TaskRow, ttl_s: int) -> None:
        """Keep a row in a final state for `ttl_s`, unless one of its version or later is kept."""
        if not row.is_final:
            raise ValueError(f"task {row.task_id} is still {row.state}. This is a bug.")
        held = f"{row.version}\n{row.model_dump_json()}"
        key = self._row_key(row.task_id)
        await self._ask(lambda: self._redis.eval(_PUT_IF_NEWER, 1, key, row.version, held, ttl_s))

    async def get(self, task_id: str) -> TaskRow | None:
        """Return the task's final row, None where it is not kept."""
        held = await self._ask(lambda: self._redis.get(self._row_key(task_id)))
        return self._decode(held) if isinstance(held, bytes) else None

    async def forget(self, task_ids: Sequence[str]) -> None:
        """Drop the rows and marks of purged tasks."""
        keys = [key(task_id) for task_id in task_ids for key in (self._row_key, self._mark_key)]
        if keys:
            await self._ask(lambda: self._redis.unlink(*keys))

    async def mark_cancelled(self, task_id: str, ttl_s: int) -> None:
        """Say that a task was cancelled, for `ttl_s`."""
        await self._ask(lambda: self._redis.set(self._mark_key(task_id), b"1", ex=ttl_s))

    async def cancelled(self, task_ids: Sequence[str]) -> frozenset[str]:
        """Return those of `task_ids` that are marked; one round trip."""
        keys = [self._mark_key(task_id) for task_id in task_ids]
        marks = await self._ask(lambda: self._redis.mget(keys)) if keys else None
        pairs = zip(task_ids, marks or (), strict=False)
        return frozenset(task_id for task_id, mark in pairs if mark is not None)

    async def ping(self) -> bool:
        """Tell within a second whether Redis answers; never raises."""
        return await self._try(self._redis.ping, PING_S) is not None

    async def close(self) -> None:
        """Let go of all connections; never raises."""
        await self._try(self._redis.aclose, PING_S)

    def _row_key(self, task_id: str) -> str:
        return f"{self._prefix}row:{task_id}"

    def _mark_key(self, task_id: str) -> str:
        return f"{self._prefix}cancelled:{task_id}"

    def _decode(self, held: bytes) -> TaskRow | None:
        try:
            row = TaskRow.model_validate_json(held.partition(b"\n")[2])
        except ValidationError as error:
            self._note(error)
            return None
        return row if row.v == RECORD_VERSION else None

    async def _ask(self, work: Callable[[], Awaitable[_T]]) -> _T | None:
        """Do `work` unless Redis failed a moment ago; None when it does not succeed."""
        if self._clock.monotonic_s() < self._skip_until_s:
            return None
        return await self._try(work, self._limit_s)

    async def _try(self, work: Callable[[], Awaitable[_T]], limit_s: float) -> _T | None:
        from redis.exceptions import RedisError  # noqa: PLC0415 (loaded only with the cache on)

        try:
            async with asyncio.timeout(limit_s):
                answer = await work()
        except (RedisError, OSError) as error:  # TimeoutError is an OSError
            self._skip_until_s = self._clock.monotonic_s() + SKIP_S
            self._note(error)
            return None
        self._skip_until_s = float("-inf")
        return answer

    def _note(self, error: Exception) -> None:
        kind = type(error).__name__
        self.failures[kind] += 1
        now_s = self._clock.monotonic_s()
        if now_s - self._logged_s.get(kind, float("-inf")) >= LOG_EVERY_S:
            self._logged_s[kind] = now_s
            reason = str(error).partition("\n")[0]
            _log.warning("redis_call_failed", kind=kind, reason=reason, count=self.failures[kind])


def _client(options: RedisOptions) -> "Redis":
    from redis.asyncio import BlockingConnectionPool, Redis  # noqa: PLC0415 (22 MB)
    from redis.asyncio.retry import Retry  # noqa: PLC0415
    from redis.backoff import NoBackoff  # noqa: PLC0415

    limit_s = options.timeout_ms / 1000
    pool = BlockingConnectionPool.from_url(
        options.url,
        max_connections=options.max_connections,
        timeout=limit_s,
        socket_timeout=limit_s,
        socket_connect_timeout=limit_s,
        retry=Retry(NoBackoff(), 0),
    )
    return Redis.from_pool(pool)
