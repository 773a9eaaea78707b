"""How often a piece of work was begun, counted in Redis before it is done.

Who ends by itself, well or not, has its count forgotten; so what is left over counts the processes
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
_TAKE_BACK = """
for _, key in ipairs(KEYS) do
    if redis.call('EXISTS', key) == 1 and redis.call('DECR', key) <= 0 then
        redis.call('DEL', key)
    end
end
"""


class RedisAttempts:
    """Counts by key; what comes while Redis is asked goes with the next call together."""

    def __init__(self, redis: RedisOptions, clock: Clock = SYSTEM_CLOCK) -> None:
        """Connect at the first call, not here."""
        self._calls = RedisCalls(redis, clock)
        self._count = self._calls.client.register_script(_COUNT)
        self._uncount = self._calls.client.register_script(_TAKE_BACK)
        self._begun: dict[str, asyncio.Future[int]] = {}
        self._ended: set[str] = set()
        self._taken_back: list[str] = []
        self._flushing: asyncio.Task[None] | None = None

    async def begin(self, key: str) -> int:
        """Count a begin of the work `key`, once at a time; the first gives 1. Never raises."""
        waiting = self._begun.setdefault(key, asyncio.get_running_loop().create_future())
        self._flush_soon()
        return await asyncio.shield(waiting)

    def end(self, key: str) -> None:
        """Forget the count of work that ended by itself, before it was counted too."""
        self._give_up_begin(key)
        self._ended.add(key)
        self._flush_soon()

    def take_back(self, key: str) -> None:
        """Count the last begin of work no more that says nothing of it: it was handed back."""
        if not self._give_up_begin(key):
            self._taken_back.append(key)
            self._flush_soon()

    def _give_up_begin(self, key: str) -> bool:
        """Drop a begin that is not counted yet; tell whether there was one."""
        uncounted = self._begun.pop(key, None)
        if uncounted is not None:
            uncounted.cancel()
        return uncounted is not None

    async def close(self) -> None:
        """Send what is still to be sent, then let go of all connections; never raises."""
        if self._flushing is not None:
            await self._flushing
        await self._calls.close()

    def _flush_soon(self) -> None:
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.get_running_loop().create_task(self._flush())

    async def _flush(self) -> None:
        while self._begun or self._ended or self._taken_back:
            begun, self._begun = self._begun, {}
            ended, self._ended = self._ended, set()
            taken_back, self._taken_back = self._taken_back, []
            await self._forget(sorted(ended))
            await self._uncounted(taken_back)
            counts = await self._counted(list(begun))
            for waiting, count in zip(begun.values(), counts, strict=True):
                waiting.set_result(count)

    async def _forget(self, keys: Sequence[str]) -> None:
        if keys:
            await self._calls.ask(lambda: self._calls.client.unlink(*map(self._name, keys)))

    async def _uncounted(self, keys: Sequence[str]) -> None:
        if keys:
            names = [self._name(key) for key in keys]
            await self._calls.ask(lambda: self._uncount(names))

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

    def take_back(self, key: str) -> None:
        """Know nothing, take nothing back."""

    async def close(self) -> None:
        """Hold nothing, let nothing go."""
