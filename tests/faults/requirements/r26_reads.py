"""R26: what was accepted by one master is known to the other at once."""

import asyncio
from collections.abc import Callable
from itertools import count
from pathlib import Path

from tests.faults.outcome import Outcome, outcome_of
from tests.faults.rig import Rig, Shape, rig, texts_of

NAME = "R26"
TITLE = "each task read at the other master right after its submit was accepted"
ROLES = ("master", "master", "embed", "store")
AT_ONCE = 16


async def run(folder: Path, *, tasks: int, seed: int, say: Callable[[str], None]) -> Outcome:
    """Submit `tasks` tasks of one text, each read by both masters once it was accepted."""
    shape = Shape(tasks=0, texts=1, roles=ROLES, patience_s=300.0)
    async with rig(shape, folder, seed=seed, say=say) as trial:
        numbers = count()

        async def one(client: str) -> None:
            while (number := next(numbers)) < tasks:
                await _submit_and_read(trial, client, number)

        await asyncio.gather(*(one(f"client-{at}") for at in range(AT_ONCE)))
        verdict = await trial.judge()
    return outcome_of(NAME, TITLE, seed=seed, trials=tasks, verdict=verdict)


async def _submit_and_read(trial: Rig, client: str, number: int) -> None:
    texts = texts_of(7_000_000 + number, 1)
    task_id = await trial.clients.submit(client, f"{trial.fleet.prefix}-r{number}", texts)
    for master in trial.masters:
        await trial.clients.read(client, str(task_id), at=master)
