"""Computed vectors in Redis, in a fixed number of slots: bounded without any book-keeping.

A key picks its slot by its first bytes; the slot's value begins with the whole key, so another
key's vector is a miss and is written over. What is kept ends by itself after a time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.clock import SYSTEM_CLOCK, Clock
from stores.redis_calls import RedisCalls, RedisOptions

#: So many bytes of a key pick its slot.
SLOT_BYTES = 8


@dataclass(frozen=True, slots=True)
class VectorCacheOptions:
    """How much is kept, and for how long."""

    slots: int
    ttl_s: int


class RedisVectorCache:
    """Bytes by key in Redis; away, full or slow, it only misses."""

    def __init__(
        self, redis: RedisOptions, options: VectorCacheOptions, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        """Connect at the first call, not here."""
        self._calls = RedisCalls(redis, clock)
        self._options = options

    async def recall(self, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        """What is kept under each key, in one round trip; never raises."""
        slots = [self._slot(key) for key in keys]
        held = await self._calls.ask(lambda: self._calls.client.mget(slots)) if slots else None
        pairs = zip(keys, held or [None] * len(keys), strict=True)
        return [_value(key, value) for key, value in pairs]

    async def keep(self, values: Mapping[bytes, bytes]) -> None:
        """Keep values, each in the place of whatever its slot held; never raises."""
        await self._calls.ask(lambda: self._write(values))

    async def close(self) -> None:
        """Let go of all connections; never raises."""
        await self._calls.close()

    async def _write(self, values: Mapping[bytes, bytes]) -> None:
        async with self._calls.client.pipeline(transaction=False) as pipe:
            for key, value in values.items():
                pipe.set(self._slot(key), key + value, ex=self._options.ttl_s)
            await pipe.execute()

    def _slot(self, key: bytes) -> str:
        number = int.from_bytes(key[:SLOT_BYTES], "big") % self._options.slots
        return f"{self._calls.prefix}vector:{number}"


def _value(key: bytes, held: bytes | str | None) -> bytes | None:
    """The value kept under `key`, None where the slot holds another key's."""
    return held[len(key) :] if isinstance(held, bytes) and held.startswith(key) else None
