"""Calls to Redis that never fail their caller: slower when it is away, never an error."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import structlog

from models.clock import Clock

if TYPE_CHECKING:  # redis costs 22 MB; a process with the cache off need not pay
    from redis.asyncio import Redis

PREFIX = "vectorize:"
SKIP_S = 1.0  # after a failed call nobody waits for Redis that long
LOG_EVERY_S = 30.0  # per kind of failure
PING_S = 1.0

_T = TypeVar("_T")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RedisOptions:
    """How to reach Redis; an empty `url` means there is none."""

    url: str = field(repr=False)  # may hold a password
    prefix: str = ""  # stands after `vectorize:` in every key
    max_connections: int = 50
    timeout_ms: int = 200  # for one call, connecting and waiting for a connection included


class RedisCalls:
    """A client whose calls end in time; `failures` counts failed ones by the error's name."""

    def __init__(self, options: RedisOptions, clock: Clock) -> None:
        """Connect at the first call, not here."""
        self.failures: Counter[str] = Counter()
        self.client = _client(options)
        self.prefix = PREFIX + options.prefix
        self._limit_s = options.timeout_ms / 1000
        self._clock = clock
        self._skip_until_s = float("-inf")
        self._logged_s: dict[str, float] = {}

    async def ask(self, work: Callable[[], Awaitable[_T]]) -> _T | None:
        """Do `work` unless Redis failed a moment ago; None when it does not succeed."""
        if self._clock.monotonic_s() < self._skip_until_s:
            return None
        return await self._try(work, self._limit_s)

    async def ping(self) -> bool:
        """Tell within a second whether Redis answers; never raises."""
        return await self._try(self.client.ping, PING_S) is not None

    async def close(self) -> None:
        """Let go of all connections; never raises."""
        await self._try(self.client.aclose, PING_S)

    def note(self, error: Exception) -> None:
        """Count a failure, and log its kind now and then."""
        kind = type(error).__name__
        self.failures[kind] += 1
        now_s = self._clock.monotonic_s()
        if now_s - self._logged_s.get(kind, float("-inf")) >= LOG_EVERY_S:
            self._logged_s[kind] = now_s
            reason = str(error).partition("\n")[0]
            _log.warning("redis_call_failed", kind=kind, reason=reason, count=self.failures[kind])

    async def _try(self, work: Callable[[], Awaitable[_T]], limit_s: float) -> _T | None:
        from redis.exceptions import RedisError  # noqa: PLC0415 (loaded only with the cache on)

        try:
            async with asyncio.timeout(limit_s):
                answer = await work()
        except (RedisError, OSError) as error:  # TimeoutError is an OSError
            self._skip_until_s = self._clock.monotonic_s() + SKIP_S
            self.note(error)
            return None
        self._skip_until_s = float("-inf")
        return answer


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
