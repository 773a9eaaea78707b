"""Starts again what ends by itself, as a supervisor would, and counts the deaths.

It also ends what takes too much memory, as a container's limit would.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil

from tests.faults.rig import Rig

LOOK_S = 0.2
#: A process of the rig takes some 200 MB of its own.
MOST_BYTES = 1_500_000_000


@asynccontextmanager
async def keeping(rig: Rig) -> AsyncIterator[Counter[str]]:
    """Keep all processes running; gives the deaths by process, which goes on counting."""
    deaths: Counter[str] = Counter()
    watching = asyncio.create_task(_keep(rig, deaths))
    try:
        yield deaths
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def _keep(rig: Rig, deaths: Counter[str]) -> None:
    while True:
        for process in rig.fleet.processes:
            if not process.alive:
                deaths[process.name] += 1
                process.start()
            elif _resident_bytes(process.pid) > MOST_BYTES:
                process.kill()
        await asyncio.sleep(LOOK_S)


def _resident_bytes(pid: int) -> int:
    """What a process holds of the memory; 0 where it has just ended."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
