"""Memory that C's heaps hold free goes back to the system."""

import asyncio
from contextlib import suppress
from itertools import count

import psutil

from streams.freed_memory import give_back, glibc_trim

MB = 1024 * 1024


def test_pages_that_are_free_between_what_is_in_use_go_back() -> None:
    trim = glibc_trim()
    assert trim is not None, "the C library is glibc here"
    blocks = [bytes(16 * 1024) for _ in range(2_000)]
    in_use = blocks[::10]  # holds every heap that the blocks lie in
    del blocks
    resident = psutil.Process().memory_info().rss
    trim()
    assert resident - psutil.Process().memory_info().rss > 15 * MB
    assert all(len(block) == 16 * 1024 for block in in_use)


async def test_it_is_done_again_and_again() -> None:
    rounds = count(1)
    enough = asyncio.Event()
    loop = asyncio.get_running_loop()

    def trim() -> None:
        if next(rounds) == 3:
            loop.call_soon_threadsafe(enough.set)

    giving = asyncio.create_task(give_back(trim, every_s=0))
    await asyncio.wait_for(enough.wait(), 5)
    giving.cancel()
    with suppress(asyncio.CancelledError):
        await giving
