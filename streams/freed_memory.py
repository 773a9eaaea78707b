"""Memory that C's heaps hold free goes back to the system, now and then.

glibc keeps freed pages that have something in use above them. Work that comes and goes, of several
threads (Kafka's consumer, the tables' RocksDB), scatters what is in use, so a process grows to the
sum of its fullest moments though it holds no more than ever. `malloc_trim` gives back every free
page of every heap (man 3 malloc_trim); what is in use is not moved.
"""

import asyncio
import ctypes
from collections.abc import Callable
from functools import partial

TRIM_EVERY_S = 60.0

Trim = Callable[[], object]


def glibc_trim() -> Trim | None:
    """The C library's way to give back what is free; None where it has none (musl, macOS)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return None if trim is None else partial(trim, ctypes.c_size_t(0))


async def give_back(trim: Trim, every_s: float = TRIM_EVERY_S) -> None:
    """Give back for ever; in a thread, for it takes some milliseconds."""
    while True:
        await asyncio.sleep(every_s)
        await asyncio.to_thread(trim)
