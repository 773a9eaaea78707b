"""Starts again what ends by itself, as a supervisor would, and counts the deaths."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.faults.rig import Rig

LOOK_S = 0.2


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
        await asyncio.sleep(LOOK_S)
