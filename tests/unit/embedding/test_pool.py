"""The pool: each model once, failures remembered for a while."""

import asyncio
import threading
import time

import pytest

from embedding.catalog import ModelEntry
from embedding.pool import ModelLoadFailed, ModelPool
from models.errors import VectorizeError
from tests.unit.embedding.fakes import FakeClock, FakeEncoder, hashing_entry

ENTRY = hashing_entry()


class Loader:
    """Counts loads; fails while `broken`."""

    def __init__(self) -> None:
        self.loads: list[str] = []
        self.threads: set[int] = set()
        self.broken: Exception | None = None

    def __call__(self, entry: ModelEntry) -> FakeEncoder:
        self.loads.append(entry.name)
        self.threads.add(threading.get_ident())
        time.sleep(0.02)
        if self.broken is not None:
            raise self.broken
        return FakeEncoder(entry)


async def test_two_callers_at_once_load_once_and_off_the_loop() -> None:
    loader = Loader()
    pool = ModelPool(loader)
    first, second = await asyncio.gather(pool.get(ENTRY), pool.get(ENTRY))
    assert first is second
    assert await pool.get(ENTRY) is first
    assert loader.loads == [ENTRY.name]
    assert threading.get_ident() not in loader.threads


async def test_it_says_what_is_loaded_and_where() -> None:
    pool = ModelPool(Loader())
    assert (pool.loaded(), pool.device) == ([], "none")
    await pool.get(ENTRY)
    assert (pool.loaded(), pool.device) == ([ENTRY.name], "cpu")


async def test_a_failed_load_is_told_and_not_tried_again_for_30_s() -> None:
    loader, clock = Loader(), FakeClock()
    pool = ModelPool(loader, clock=clock)
    loader.broken = OSError("no such\nfile")
    for _ in range(3):
        with pytest.raises(VectorizeError, match="test/fake cannot be loaded: no such file"):
            await pool.get(ENTRY)
    assert len(loader.loads) == 1
    clock.at_s += 29.9
    with pytest.raises(ModelLoadFailed):
        await pool.get(ENTRY)
    assert len(loader.loads) == 1


async def test_after_30_s_the_model_is_tried_again() -> None:
    loader, clock = Loader(), FakeClock()
    pool = ModelPool(loader, clock=clock)
    loader.broken = MemoryError()
    with pytest.raises(ModelLoadFailed, match="MemoryError"):
        await pool.get(ENTRY)
    loader.broken = None
    clock.at_s += 30
    await pool.get(ENTRY)
    assert pool.loaded() == [ENTRY.name]


async def test_a_failure_of_one_model_leaves_the_others_alone() -> None:
    loader = Loader()
    pool = ModelPool(loader)
    loader.broken = OSError("gone")
    with pytest.raises(ModelLoadFailed):
        await pool.get(ENTRY)
    loader.broken = None
    await pool.get(hashing_entry("test/other"))
    assert pool.loaded() == ["test/other"]


async def test_a_caller_that_leaves_does_not_spoil_the_load_for_others() -> None:
    loader = Loader()
    pool = ModelPool(loader)
    leaving, staying = (asyncio.create_task(pool.get(ENTRY)) for _ in range(2))
    await asyncio.sleep(0.001)
    leaving.cancel()
    assert (await staying).device == "cpu"
    assert loader.loads == [ENTRY.name]
    assert leaving.cancelled()


async def test_closing_frees_every_model() -> None:
    pool = ModelPool(Loader())
    encoder = await pool.get(ENTRY)
    await pool.close()
    assert isinstance(encoder, FakeEncoder)
    assert encoder.closed
    assert pool.loaded() == []
