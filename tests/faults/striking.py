"""Faults at seeded moments while work goes on, and how long it takes until work goes on again."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from itertools import count
from typing import Any

from tests.faults.rig import Rig, texts_of

#: Between a fault and the next: work went on, then so much.
CALM_S = (0.2, 2.0)
#: Small urgent tasks that show whether every partition is served again.
CANARIES = 8
#: Past this a fault counts as not recovered from, and ends the trial.
RECOVERY_LIMIT_S = 90.0

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Strike:
    """What was hit, from when on recovery counts (monotonic), and what still heals it."""

    what: str
    since_s: float
    healing: Awaitable[object] | None = None


Fault = Callable[[Rig], Awaitable[Strike]]
Load = Callable[[asyncio.Event], Coroutine[Any, Any, None]]


async def strike_while(
    rig: Rig, strikes: int, fault: Fault, *, load: Load | None = None
) -> list[float]:
    """Do `strikes` faults while a load, the rig's own or another, goes on until it is enough.

    Gives the seconds that each took to recover.
    """
    enough = asyncio.Event()
    working = asyncio.ensure_future((load or rig.load)(enough))
    recovered: list[float] = []
    try:
        for number in range(strikes):
            await asyncio.sleep(rig.dice.uniform(*CALM_S))
            began_ns = time.monotonic_ns()
            strike = await fault(rig)
            done = await canaries_done(rig)
            recovered.append(time.monotonic() - strike.since_s)
            rig.struck_ns.append((began_ns, time.monotonic_ns()))
            if strike.healing is not None:
                await strike.healing
            rig.say(f"  {number + 1}/{strikes} {strike.what}: {recovered[-1]:.1f} s")
            rig.unrecovered += not done
            if not done or working.done():
                break  # the judge has enough, or the load raised: told below
        enough.set()
        await working
    finally:
        working.cancel()
    return recovered


async def canaries_done(rig: Rig) -> bool:
    """Submit urgent tasks of one text each, over all partitions; tell whether they were done."""
    try:
        async with asyncio.timeout(RECOVERY_LIMIT_S):
            await asyncio.gather(*(_canary(rig, next(_numbers)) for _ in range(CANARIES)))
    except TimeoutError:
        return False
    return True


async def _canary(rig: Rig, number: int) -> None:
    key = f"{rig.fleet.prefix}-canary-{number}"
    texts = texts_of(1_000_000 + number, 1)
    task_id = await rig.clients.submit("canary", key, texts, priority="high")
    assert task_id is not None
    await rig.clients.until_final("canary", task_id, look_s=0.05)
