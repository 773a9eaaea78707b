"""The cache in Redis, which may vanish at any moment: slower then, never wrong, never an error."""

from collections import Counter
from collections.abc import Sequence

from pydantic import ValidationError

from models.clock import SYSTEM_CLOCK, Clock
from models.rows import TaskRow
from models.tasks import RECORD_VERSION
from stores.redis_calls import RedisCalls, RedisOptions
from stores.task_cache import NullCache, TaskCache

#: KEYS[1] the row's key; ARGV: version, "version\njson", seconds to live.
_PUT_IF_NEWER = """
local held = redis.call('GET', KEYS[1])
if held and tonumber(string.match(held, '^%d+')) >= tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
"""


def open_cache(options: RedisOptions, clock: Clock = SYSTEM_CLOCK) -> TaskCache:
    """Build the cache that `options` ask for; connects at the first call, not here."""
    return RedisCache(options, clock) if options.url else NullCache()


class RedisCache:
    """A TaskCache in Redis."""

    def __init__(self, options: RedisOptions, clock: Clock = SYSTEM_CLOCK) -> None:
        self._calls = RedisCalls(options, clock)

    @property
    def failures(self) -> Counter[str]:
        """Failed calls by kind (the error's name)."""
        return self._calls.failures

    async def put_final(self, row: TaskRow, ttl_s: int) -> None:
        """Keep a row in a final state for `ttl_s`, unless one of its version or later is kept."""
        if not row.is_final:
            raise ValueError(f"task {row.task_id} is still {row.state}. This is a bug.")
        held = f"{row.version}\n{row.model_dump_json()}"
        key = self._row_key(row.task_id)
        await self._calls.ask(
            lambda: self._calls.client.eval(_PUT_IF_NEWER, 1, key, row.version, held, ttl_s)
        )

    async def get(self, task_id: str) -> TaskRow | None:
        """Return the task's final row, None where it is not kept."""
        held = await self._calls.ask(lambda: self._calls.client.get(self._row_key(task_id)))
        return self._decode(held) if isinstance(held, bytes) else None

    async def forget(self, task_ids: Sequence[str]) -> None:
        """Drop the rows and marks of purged tasks."""
        keys = [key(task_id) for task_id in task_ids for key in (self._row_key, self._mark_key)]
        if keys:
            await self._calls.ask(lambda: self._calls.client.unlink(*keys))

    async def mark_cancelled(self, task_id: str, ttl_s: int) -> None:
        """Say that a task was cancelled, for `ttl_s`."""
        await self._calls.ask(
            lambda: self._calls.client.set(self._mark_key(task_id), b"1", ex=ttl_s)
        )

    async def cancelled(self, task_ids: Sequence[str]) -> frozenset[str]:
        """Return those of `task_ids` that are marked; one round trip."""
        keys = [self._mark_key(task_id) for task_id in task_ids]
        marks = await self._calls.ask(lambda: self._calls.client.mget(keys)) if keys else None
        pairs = zip(task_ids, marks or (), strict=False)
        return frozenset(task_id for task_id, mark in pairs if mark is not None)

    async def ping(self) -> bool:
        """Tell within a second whether Redis answers; never raises."""
        return await self._calls.ping()

    async def close(self) -> None:
        """Let go of all connections; never raises."""
        await self._calls.close()

    def _row_key(self, task_id: str) -> str:
        return f"{self._calls.prefix}row:{task_id}"

    def _mark_key(self, task_id: str) -> str:
        return f"{self._calls.prefix}cancelled:{task_id}"

    def _decode(self, held: bytes) -> TaskRow | None:
        try:
            row = TaskRow.model_validate_json(held.partition(b"\n")[2])
        except ValidationError as error:
            self._calls.note(error)
            return None
        return row if row.v == RECORD_VERSION else None
