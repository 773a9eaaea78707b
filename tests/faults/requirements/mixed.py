"""Everything at once: kills, a Redis that forgets, failing sends and writes, bad texts, cancels.

The trial that seeded bugs are caught by; without a bug it must find nothing.
"""

from collections.abc import Callable
from pathlib import Path

from tests.faults.faults import any_of, flush, kill
from tests.faults.orders import Faults
from tests.faults.outcome import Outcome
from tests.faults.requirements import under_faults
from tests.faults.rig import Shape
from tests.faults.striking import Fault

NAME = "mixed"
TITLE = "kills, FLUSHALL, failing sends and Weaviate writes, bad texts and cancels at once"
KILLS_AND_FLUSHES = any_of([kill, kill, kill, flush])
ROLES = ("master", "master", "embed", "embed", "store")


async def run(
    folder: Path,
    *,
    tasks: int,
    texts: int,
    strikes: int,
    seed: int,
    say: Callable[[str], None],
    bug: str | None = None,
    patience_s: float = 60.0,
    fault: Fault = KILLS_AND_FLUSHES,
) -> Outcome:
    """Strike `strikes` times while `tasks` tasks and more are worked on; `bug` is put in."""
    shape = Shape(
        tasks=tasks,
        texts=texts,
        roles=ROLES,
        bad_share=0.15,
        cancel_share=0.2,
        submitters=24,
        patience_s=patience_s,
        faults=Faults(
            bug=bug, seed=seed, sends_fail=0.02, writes_fail=0.05, slow_s=0.6, poison=True
        ),
    )
    return await under_faults.run(
        folder,
        name=NAME,
        title=TITLE,
        fault=fault,
        strikes=strikes,
        shape=shape,
        seed=seed,
        say=say,
    )
