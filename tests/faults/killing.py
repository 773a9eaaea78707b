"""Processes killed at seeded moments, and how long it takes until work goes on."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from itertools import count

from tests.faults.rig import Rig, texts_of
from tests.harness.fleet import Process

#: Between a kill and the next: the victim is back and work went on, then so much.
CALM_S = (0.2, 2.0)
#: How long a supervisor may take to start a victim again.
RESTART_S = (0.1, 1.0)
#: Small urgent tasks that show whether every partition is served again.
CANARIES = 8
#: Past this a kill counts as not recovered.
RECOVERY_LIMIT_S = 90.0

Fault = Callable[[Rig, Process], Awaitable[float]]

_numbers = count(1)


async def kill_and_time(rig: Rig, victim: Process) -> float:
    """SIGKILL a process, start it again; give the seconds until canaries sent at once are done."""
    await asyncio.to_thread(victim.kill)
    began_s = time.monotonic()
    back = asyncio.create_task(_start_again(rig, victim))
    await canaries_done(rig)
    recovered_s = time.monotonic() - began_s
    await back
    return recovered_s


async def _start_again(rig: Rig, victim: Process) -> None:
    await asyncio.sleep(rig.dice.uniform(*RESTART_S))
    victim.start()


async def canaries_done(rig: Rig) -> None:
    """Submit urgent tasks of one text each, over all partitions, and wait until they are final."""
    await asyncio.gather(*(_canary(rig, next(_numbers)) for _ in range(CANARIES)))


async def _canary(rig: Rig, number: int) -> None:
    key = f"{rig.fleet.prefix}-canary-{number}"
    texts = texts_of(1_000_000 + number, 1)
    async with asyncio.timeout(RECOVERY_LIMIT_S):
        task_id = await rig.clients.submit("canary", key, texts, priority="high")
        assert task_id is not None
        await rig.clients.until_final("canary", task_id, look_s=0.05)


async def fault_while(rig: Rig, faults: int, *, fault: Fault = kill_and_time) -> list[float]:
    """Do `faults` faults, each on a process picked by the dice, while the rig's load goes on.

    Gives the seconds each took to recover.
    """
    enough = asyncio.Event()
    working = asyncio.create_task(rig.load(enough))
    recovered: list[float] = []
    try:
        for number in range(faults):
            await asyncio.sleep(rig.dice.uniform(*CALM_S))
            victim = rig.dice.choice(rig.fleet.processes)
            recovered.append(await fault(rig, victim))
            rig.say(f"  {number + 1}/{faults} {victim.name}: {recovered[-1]:.1f} s")
            if working.done():
                break
        enough.set()
        await working
    finally:
        working.cancel()
    return recovered
