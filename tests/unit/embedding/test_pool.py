"""The pool: each model once, failures remembered for a while, memory given back."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from embedding.catalog import ModelEntry
from embedding.pool import ModelLoadFailed, ModelPool, PoolOptions
from models.errors import VectorizeError
from tests.unit.embedding.fakes import FakeClock, FakeEncoder, hashing_entry

ENTRY = hashing_entry()
OTHER = hashing_entry("test/other")


class Loader:
    """Counts loads; waits at `gate`; fails while `broken`."""

    def __init__(self) -> None:
        self.loads: list[str] = []
        self.threads: set[int] = set()
        self.made: list[FakeEncoder] = []
        self.gate = threading.Event()
        self.gate.set()
        self.broken: Exception | None = None

    def __call__(self, entry: ModelEntry) -> Sequence[FakeEncoder]:
        self.loads.append(entry.name)
        self.threads.add(threading.get_ident())
        assert self.gate.wait(10)
        if self.broken is not None:
            raise self.broken
        self.made.append(FakeEncoder(entry))
        return self.made[-1:]


async def used(pool: ModelPool, entry: ModelEntry = ENTRY) -> int:
    """Lease a model and let go of it; tells which one it was."""
    async with pool.lease(entry) as model:
        return id(model.encoders[0])


async def test_many_at_once_load_once_and_off_the_loop() -> None:
    loader = Loader()
    loader.gate.clear()
    pool = ModelPool(loader)
    asking = [asyncio.create_task(used(pool)) for _ in range(5)]
    await asyncio.sleep(0)
    loader.gate.set()
    assert len(set(await asyncio.gather(*asking))) == 1
    assert loader.loads == [ENTRY.name]
    assert loader.threads != {threading.get_ident()}
    assert (pool.loaded(), pool.device) == ([ENTRY.name], "cpu")


async def test_a_caller_that_leaves_does_not_spoil_the_load_for_others() -> None:
    loader = Loader()
    loader.gate.clear()
    pool = ModelPool(loader)
    leaving, staying = (asyncio.create_task(used(pool)) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    loader.gate.set()
    await staying
    assert loader.loads == [ENTRY.name]


async def test_a_failed_load_is_told_and_not_tried_again_for_a_while() -> None:
    loader, clock = Loader(), FakeClock()
    loader.broken = RuntimeError("no\nmemory")
    pool = ModelPool(loader, clock=clock)
    for _ in range(2):
        with pytest.raises(ModelLoadFailed, match="cannot be loaded: no memory"):
            await used(pool)
    assert loader.loads == [ENTRY.name]
    loader.broken = None
    clock.at_s += 29.9
    with pytest.raises(VectorizeError):
        await used(pool)
    await used(pool, OTHER)
    clock.at_s += 0.2
    await used(pool)
    assert loader.loads == [ENTRY.name, OTHER.name, ENTRY.name]


async def test_a_model_nobody_uses_is_freed_and_loaded_again_when_wanted() -> None:
    loader, clock = Loader(), FakeClock()
    pool = ModelPool(loader, PoolOptions(idle_s=60), clock=clock)
    await used(pool)
    clock.at_s += 59
    await pool.look()
    assert pool.loaded() == [ENTRY.name]
    clock.at_s += 1
    await pool.look()
    assert (pool.loaded(), loader.made[0].closed) == ([], True)
    await used(pool)
    assert loader.loads == [ENTRY.name] * 2


async def test_a_model_in_use_is_never_freed() -> None:
    loader, clock = Loader(), FakeClock()
    options = PoolOptions(idle_s=1, least_free_bytes=100)
    pool = ModelPool(loader, options, memory_left=lambda: 0, clock=clock)
    async with pool.lease(ENTRY):
        clock.at_s += 1000
        await pool.look()
        assert not loader.made[0].closed
    await pool.look()
    assert loader.made[0].closed


async def test_where_memory_is_short_the_longest_unused_goes_first() -> None:
    loader, clock, left = Loader(), FakeClock(), [50, 150]
    options = PoolOptions(least_free_bytes=100)
    pool = ModelPool(loader, options, memory_left=lambda: left.pop(0), clock=clock)
    await used(pool, OTHER)
    clock.at_s += 1
    await used(pool, ENTRY)
    await pool.look()
    assert pool.loaded() == [ENTRY.name]


async def test_without_limits_models_stay() -> None:
    loader, clock = Loader(), FakeClock()
    pool = ModelPool(loader, clock=clock)
    await pool.warm_up(ENTRY)
    clock.at_s += 1e9
    await pool.look()
    assert pool.loaded() == [ENTRY.name]


async def test_closing_waits_for_loads_and_frees_every_model() -> None:
    loader = Loader()
    pool = ModelPool(loader)
    await used(pool, OTHER)
    loader.gate.clear()
    loading = asyncio.create_task(used(pool))
    await asyncio.sleep(0)
    closing = asyncio.create_task(pool.close())
    await asyncio.sleep(0)
    loader.gate.set()
    await asyncio.gather(loading, closing)
    assert [encoder.closed for encoder in loader.made] == [True, True]
    assert pool.loaded() == []


async def test_a_model_that_somebody_waits_for_is_not_freed_before_it_is_used() -> None:
    loader, clock = Loader(), FakeClock()
    loader.gate.clear()
    options = PoolOptions(idle_s=1, least_free_bytes=100)
    pool = ModelPool(loader, options, memory_left=lambda: 0, clock=clock)
    asking = [asyncio.create_task(used(pool)) for _ in range(2)]
    await asyncio.sleep(0)
    clock.at_s += 1000
    looking = asyncio.create_task(pool.look())
    loader.gate.set()
    await asyncio.gather(*asking, looking)
    assert loader.loads == [ENTRY.name]


class Panic(BaseException):
    """What native code may raise."""


async def test_a_panic_while_loading_fails_that_load_only() -> None:
    def load(entry: ModelEntry) -> Sequence[FakeEncoder]:
        if entry.name == OTHER.name:
            raise Panic("lost")
        return [FakeEncoder(entry)]

    pool = ModelPool(load)
    with pytest.raises(ModelLoadFailed, match="lost"):
        await used(pool, OTHER)
    await used(pool)
    assert pool.loaded() == [ENTRY.name]


async def test_looking_and_closing_at_once_free_each_model_once() -> None:
    loader, clock = Loader(), FakeClock()
    pool = ModelPool(loader, PoolOptions(idle_s=1), clock=clock)
    await used(pool)
    await used(pool, OTHER)
    clock.at_s += 10
    await asyncio.gather(pool.look(), pool.close(), pool.look())
    assert pool.loaded() == []
    assert [encoder.closed for encoder in loader.made] == [True, True]
