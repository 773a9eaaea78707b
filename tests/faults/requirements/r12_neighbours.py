"""R12: one task in five meets errors that pass; the others must hardly notice."""

import asyncio
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from statistics import median

import numpy as np

from tests.faults.failing import is_struck
from tests.faults.orders import Faults
from tests.faults.outcome import Outcome, outcome_of
from tests.faults.rig import Rig, Shape, rig, texts_of

NAME = "R12-near"
TITLE = "20 % of sends and objects of one task in five fail, as many answers are lost"
ROLES = ("master", "embed", "store")
SUBMITTERS = 8
TEXTS = 4
LOOK_S = 0.02
#: How much slower the others may be (R12).
MOST_TIMES = 2.0


async def run(
    folder: Path, *, rounds: int, tasks: int, seed: int, say: Callable[[str], None]
) -> Outcome:
    """Do `tasks` tasks without and with errors, in turns; compare how long the healthy took."""
    switch = folder / "switch"
    faults = Faults(seed=seed, sends_fail=0.2, objects_fail=0.2, switch=str(switch))
    shape = Shape(tasks=0, texts=TEXTS, roles=ROLES, faults=faults)
    numbers = count()
    ratios: list[float] = []
    async with rig(shape, folder, seed=seed, say=say) as trial:
        await _p95_s(trial, numbers, tasks)  # until everything is warm
        for _ in range(rounds):
            calm_s = await _p95_s(trial, numbers, tasks)
            switch.touch()
            struck_s = await _p95_s(trial, numbers, tasks)
            switch.unlink()
            ratios.append(struck_s / calm_s)
            say(f"  p95 of the healthy: {calm_s:.3f} s, beside errors {struck_s:.3f} s")
        verdict = await trial.judge()
    return outcome_of(
        NAME,
        TITLE,
        seed=seed,
        trials=rounds,
        verdict=verdict,
        faults={
            "not completed": sum(verdict.states.values()) - verdict.states["completed"],
            "healthy too slow": int(median(ratios) > MOST_TIMES),
        },
        facts={
            "healthy p95 ÷ baseline, median": round(median(ratios), 2),
            "most": round(max(ratios), 2),
        },
    )


async def _p95_s(trial: Rig, numbers: Iterator[int], tasks: int) -> float:
    """Do so many tasks, some at a time; give the p95 of those that no error may strike."""
    left = iter(range(tasks))

    async def submitter(name: str) -> list[float]:
        return [took for _ in left if (took := await _one(trial, name, next(numbers))) is not None]

    took = await asyncio.gather(*(submitter(f"submitter-{at}") for at in range(SUBMITTERS)))
    return float(np.percentile([each for some in took for each in some], 95))


async def _one(trial: Rig, client: str, number: int) -> float | None:
    """How long a task took, from before its submit until it was seen final; None if struck."""
    began_s = time.monotonic()
    texts = texts_of(number, trial.shape.texts)
    task_id = await trial.clients.submit(client, f"{trial.fleet.prefix}-{number}", texts)
    assert task_id is not None
    await trial.clients.until_final(client, task_id, look_s=LOOK_S)
    return None if is_struck(task_id) else time.monotonic() - began_s
