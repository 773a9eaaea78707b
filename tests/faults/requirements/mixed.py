"""Everything at once: kills, a Redis that forgets, failing sends and writes, bad texts, cancels.

The trial that seeded bugs are caught by; without a bug it must find nothing.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

import redis.asyncio

from tests.faults.killing import canaries_done, fault_while, kill_and_time
from tests.faults.orders import Faults
from tests.faults.outcome import Outcome, outcome_of
from tests.faults.rig import Rig, Shape, rig
from tests.harness.fleet import Process

NAME = "mixed"
TITLE = "kills, FLUSHALL, failing sends and Weaviate writes, bad texts and cancels at once"
ROLES = ("master", "master", "embed", "embed", "store")
FLUSH_SHARE = 0.25


async def run(
    folder: Path,
    *,
    tasks: int,
    texts: int,
    faults: int,
    seed: int,
    say: Callable[[str], None],
    bug: str | None = None,
) -> Outcome:
    """Do `faults` of them while `tasks` tasks and more are worked on; `bug` is put in."""
    shape = Shape(
        tasks=tasks,
        texts=texts,
        roles=ROLES,
        bad_share=0.15,
        cancel_share=0.2,
        faults=Faults(bug=bug, seed=seed, sends_fail=0.02, writes_fail=0.05, poison=True),
    )
    async with rig(shape, folder, seed=seed, say=say) as trial:
        recovered_s = await fault_while(trial, faults, fault=_some_fault)
        verdict = await trial.judge()
    return outcome_of(
        NAME, TITLE, seed=seed, trials=faults, verdict=verdict, recovered_s=recovered_s
    )


async def _some_fault(trial: Rig, victim: Process) -> float:
    if trial.dice.random() < FLUSH_SHARE:
        return await _flush(trial)
    return await kill_and_time(trial, victim)


async def _flush(trial: Rig) -> float:
    """Empty Redis; give the seconds until canaries are done."""
    began_s = asyncio.get_running_loop().time()
    url = trial.stack.settings["database.redis_url"]
    async with redis.asyncio.from_url(url) as client:
        await client.flushall()
    await canaries_done(trial)
    return asyncio.get_running_loop().time() - began_s
