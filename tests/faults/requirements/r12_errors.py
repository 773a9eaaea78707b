"""R12: one send and one write in five fails or is not answered; every record comes to an end."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from tests.faults.orders import Faults
from tests.faults.outcome import Outcome, outcome_of
from tests.faults.rig import Shape, rig

NAME = "R12"
TITLE = "20 % of sends and of Weaviate writes fail, 20 % of their answers are lost"
ROLES = ("master", "embed", "store")
SHARE = 0.2


async def run(
    folder: Path, *, tasks: int, texts: int, seed: int, say: Callable[[str], None]
) -> Outcome:
    """Work on `tasks` tasks meanwhile; none may fail for it."""
    shape = Shape(
        tasks=tasks,
        texts=texts,
        roles=ROLES,
        submitters=24,
        patience_s=120.0,
        faults=Faults(seed=seed, sends_fail=SHARE, writes_fail=SHARE),
    )
    async with rig(shape, folder, seed=seed, say=say) as trial:
        enough = asyncio.Event()
        enough.set()
        await trial.load(enough)
        verdict = await trial.judge()
    return outcome_of(
        NAME,
        TITLE,
        seed=seed,
        trials=verdict.acked,
        verdict=verdict,
        faults={"not completed": sum(verdict.states.values()) - verdict.states["completed"]},
        facts={"slowest answer to a submit, s": round(verdict.slowest_submit_s, 2)},
    )
