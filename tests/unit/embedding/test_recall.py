"""Vectors that were computed before: found only where all that made them is the same."""

import asyncio
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from embedding.encoder import EncodedText, EncodeFailure, Origin, Outcome
from embedding.recall import MOST_KEEPING, NO_RECALL, Recall, keys_of
from models.encoding import EncodeOptions, Truncate
from models.states import ItemErrorCode
from tests.unit.embedding.fakes import FakeVectorCache, hashing_entry

ENTRY = hashing_entry()
PLAIN = EncodeOptions()


def encoded(value: float, origin: Origin = Origin.COMPUTED) -> EncodedText:
    return EncodedText(np.full(16, value, dtype=np.float32), 7, truncated=True, origin=origin)


def counted(name: str) -> float:
    return REGISTRY.get_sample_value(f"vectorize_encoder_cache_{name}_total") or 0.0


async def test_what_was_kept_is_found_whole() -> None:
    cache = FakeVectorCache()
    recall, keys = Recall(cache), keys_of(ENTRY, PLAIN, ["a", "b"])
    recall.keep(keys[:1], [encoded(2.5)])
    await asyncio.sleep(0)
    hits, misses = counted("hits"), counted("misses")
    found = await recall.look(keys)
    assert list(found) == [0]
    np.testing.assert_array_equal(found[0].vector, encoded(2.5).vector)
    assert (found[0].tokens, found[0].truncated, found[0].origin) == (7, True, Origin.CACHED)
    assert (counted("hits") - hits, counted("misses") - misses) == (1, 1)


async def test_only_what_was_computed_is_kept() -> None:
    cache = FakeVectorCache()
    outcomes: list[Outcome] = [
        encoded(1),
        encoded(1, Origin.CACHED),
        encoded(1, Origin.DEDUPLICATED),
        EncodeFailure(ItemErrorCode.BAD_VECTOR, "bad"),
    ]
    keys = keys_of(ENTRY, PLAIN, list("abcd"))
    Recall(cache).keep(keys, outcomes)
    await asyncio.sleep(0)
    assert list(cache.held) == [keys[0]]


class Silent:
    """A cache that never answers."""

    async def recall(self, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        await asyncio.Event().wait()
        return []

    async def keep(self, values: Mapping[bytes, bytes]) -> None:
        """Lose them."""


async def test_a_cache_that_does_not_answer_in_time_is_a_miss() -> None:
    misses = counted("misses")
    found = await asyncio.wait_for(Recall(Silent(), patience_s=0.001).look([b"k"]), 5)
    assert found == {}
    assert counted("misses") == misses + 1


@pytest.mark.parametrize("held", [b"", b"short", b"\x01" * 8, b"\x01" * 11])
async def test_damaged_bytes_are_a_miss(held: bytes) -> None:
    cache = FakeVectorCache()
    [key] = keys_of(ENTRY, PLAIN, ["a"])
    cache.held[key] = held
    assert await Recall(cache).look([key]) == {}


@pytest.mark.parametrize("at", [0, 4, 11, 12, 40, -1])
async def test_one_altered_byte_anywhere_is_a_miss(at: int) -> None:
    cache = FakeVectorCache()
    [key] = keys_of(ENTRY, PLAIN, ["a"])
    Recall(cache).keep([key], [encoded(2.5)])
    await asyncio.sleep(0)
    altered = bytearray(cache.held[key])
    altered[at] ^= 1
    cache.held[key] = bytes(altered)
    assert await Recall(cache).look([key]) == {}


class Failing:
    """A cache that raises."""

    async def recall(self, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        raise ConnectionError

    async def keep(self, values: Mapping[bytes, bytes]) -> None:
        raise ConnectionError


async def test_a_cache_that_raises_is_a_miss_and_disturbs_nobody() -> None:
    with capture_logs() as logs:
        recall = Recall(Failing())
        assert await recall.look([b"k"]) == {}
        recall.keep([b"k"], [encoded(1)])
        while len(logs) < 2:  # noqa: ASYNC110  # the second is written by a task of its own
            await asyncio.sleep(0)
    assert [entry["event"] for entry in logs] == ["vectors_not_recalled", "vectors_not_kept"]


class Slow(Silent):
    """A cache whose writes wait; it counts them."""

    def __init__(self) -> None:
        self.keeping = 0

    async def keep(self, values: Mapping[bytes, bytes]) -> None:
        self.keeping += 1
        await asyncio.Event().wait()


async def test_what_a_slow_cache_cannot_take_is_not_kept() -> None:
    cache = Slow()
    recall = Recall(cache)
    for _ in range(MOST_KEEPING + 10):
        recall.keep([b"k"], [encoded(1)])
    await asyncio.sleep(0)
    assert cache.keeping == MOST_KEEPING


async def test_no_recall_knows_nothing_and_counts_nothing() -> None:
    misses = counted("misses")
    NO_RECALL.keep([b"k"], [encoded(1)])
    assert await NO_RECALL.look([b"k"]) == {}
    assert counted("misses") == misses


def test_a_key_changes_with_all_that_changes_the_vector() -> None:
    keys = {
        keys_of(entry, options, [text])[0]
        for entry, options, text in [
            (ENTRY, PLAIN, "a"),
            (hashing_entry("test/other"), PLAIN, "a"),
            (ENTRY, EncodeOptions(prompt="p: "), "a"),
            (ENTRY, EncodeOptions(dimensions=8), "a"),
            (ENTRY, EncodeOptions(normalize=False), "a"),
            (ENTRY, EncodeOptions(truncate=Truncate.START), "a"),
            (ENTRY, PLAIN, "b"),
            (ENTRY, PLAIN, "a\ud800"),
        ]
    }
    assert len(keys) == 8
    assert keys_of(ENTRY, PLAIN, ["a"]) == keys_of(ENTRY, EncodeOptions(), ["a"])
