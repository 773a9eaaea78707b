"""R2: no loss and no duplicate result when a worker or a master dies (kill -9)."""

from collections.abc import Callable
from pathlib import Path

from tests.faults.killing import fault_while
from tests.faults.outcome import Outcome, outcome_of
from tests.faults.rig import Shape, rig

NAME = "R2"
TITLE = "SIGKILL of masters, embed and store workers at seeded moments"


async def run(
    folder: Path,
    *,
    tasks: int,
    texts: int,
    kills: int,
    model: str,
    seed: int,
    say: Callable[[str], None],
) -> Outcome:
    """Kill `kills` times while `tasks` tasks are submitted and worked on."""
    shape = Shape(tasks=tasks, texts=texts, model=model)
    async with rig(shape, folder, seed=seed, say=say) as trial:
        recovered_s = await fault_while(trial, kills)
        verdict = await trial.judge()
    return outcome_of(
        NAME, TITLE, seed=seed, trials=kills, verdict=verdict, recovered_s=recovered_s
    )
