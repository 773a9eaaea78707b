"""How often a piece of work was begun, counted in Redis before it is done.

Who ends by itself, well or not, takes its count back; so what is left over counts the processes
that died over it. Redis away or emptied: nothing is known, and work is taken for new.
"""

import asyncio
from collections.abc import Sequence

from models.clock import SYSTEM_CLOCK, Clock
from stores.redis_calls import RedisCalls, RedisOptions

#: How long a count outlives its work's last begin.
TTL_S = 72 * 3600
_COUNT = """
local counts = {}
for at, key in ipairs(KEYS) do
    counts[at] = redis.call('INCR', key)
    redis.call('EXPIRE', key, ARGV[1])
end
return counts
"""


class RedisAttempts:
    """Counts by key; what comes while Redis is asked goes with the next call together."""

    def __init__(self, redis: RedisOptions, clock: Clock = SYSTEM_CLOCK) -> None:
        """Connect at the first call, not here."""
        self._calls = RedisCalls(redis, clock)
        self._count = self._calls.client.register_script(_COUNT)
        self._begun: dict[str, asyncio.Future[int]] = {}
        self._ended: set[str] = set()
        self._flushing: asyncio.Task[None] | None = None

    async def begin(self, key: str) -> int:
        """Count a begin of the work `key`, once at a time; the first gives 1. Never raises."""
        waiting = self._begun.setdefault(key, asyncio.get_running_loop().create_future())
        self._flush_soon()
        return await asyncio.shield(waiting)

    def end(self, key: str) -> None:
        """Forget the count of work that ended by itself, before it was counted too."""
        if (uncounted := self._begun.pop(key, None)) is not None:
            uncounted.cancel()
        self._ended.add(key)
        self._flush_soon()

    async def close(self) -> None:
        """Send what is still to be sent, then let go of all connections; never raises."""
        if self._flushing is not None:
            await self._flushing
        await self._calls.close()

    def _flush_soon(self) -> None:
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.get_running_loop().create_task(self._flush())

    async def _flush(self) -> None:
        while self._begun or self._ended:
            begun, self._begun = self._begun, {}
            ended, self._ended = self._ended, set()
            await self._forget(sorted(ended))
            counts = await self._counted(list(begun))
            for waiting, count in zip(begun.values(), counts, strict=True):
                waiting.set_result(count)

    async def _forget(self, keys: Sequence[str]) -> None:
        if keys:
            await self._calls.ask(lambda: self._calls.client.unlink(*map(self._name, keys)))

    async def _counted(self, keys: Sequence[str]) -> Sequence[int]:
        names = [self._name(key) for key in keys]
        found = await self._calls.ask(lambda: self._count(names, [TTL_S])) if keys else None
        return [int(count) for count in found] if found else [1] * len(keys)

    def _name(self, key: str) -> str:
        return f"{self._calls.prefix}attempt:{key}"


class NoAttempts:
    """Counts nothing: where there is no Redis, work is always new."""

    async def begin(self, key: str) -> int:
        """Take work for new."""
        del key
        return 1

    def end(self, key: str) -> None:
        """Know nothing, forget nothing."""

    async def close(self) -> None:
        """Hold nothing, let nothing go."""
