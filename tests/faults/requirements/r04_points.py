"""R4, R5: processes that end in each known window: before and after each step of a task's way."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from tests.faults.keeping import keeping
from tests.faults.orders import Armed, Faults
from tests.faults.outcome import Outcome, outcome_of
from tests.faults.points import POINTS
from tests.faults.rig import Shape, rig

NAME = "R4"
TITLE = (
    "SIGKILL before and after each of decode, encode, write, send, row, announcement, ack, commit"
)
ROLES = ("master", "master", "embed", "store")
#: How long all points may take to be reached.
LIMIT_S = 600.0
#: A process ends when it comes by for the n-th time, n up to this.
MOST_PASSES = 25
#: Commits come once a second.
MOST_COMMITS = 3


async def run(
    folder: Path, *, passes: int, texts: int, seed: int, say: Callable[[str], None]
) -> Outcome:
    """Reach every point `passes` times while tasks are worked on."""
    dice = Random(f"{seed} points")
    armed = tuple(_armed(folder, passes, dice))
    shape = Shape(
        tasks=50, texts=texts, roles=ROLES, cancel_share=0.1, faults=Faults(seed=seed, armed=armed)
    )
    async with rig(shape, folder, seed=seed, say=say) as trial, keeping(trial) as deaths:
        enough = asyncio.Event()
        working = asyncio.create_task(trial.load(enough))
        until_s = time.monotonic() + LIMIT_S
        while _left(armed) and time.monotonic() < until_s:  # noqa: ASYNC110  # files of others
            await asyncio.sleep(1)
        enough.set()
        await working
        verdict = await trial.judge()
    left = _left(armed)
    say(f"  {len(armed) - len(left)} of {len(armed)} points reached, not {left[:5]}")
    return outcome_of(
        NAME,
        TITLE,
        seed=seed,
        trials=len(armed) - len(left),
        verdict=verdict,
        faults={"points not reached": len(left)},
        facts={"deaths": sum(deaths.values())},
    )


def _armed(folder: Path, passes: int, dice: Random) -> Iterator[Armed]:
    for number in range(passes):
        for name, point in POINTS.items():
            for after in (False, True):
                for role in point.roles:
                    most = MOST_COMMITS if name == "commit" else MOST_PASSES
                    once = folder / f"{name}-{'after' if after else 'before'}-{role}-{number}"
                    yield Armed(
                        point=name,
                        after=after,
                        nth=dice.randint(1, most),
                        role=role,
                        once=str(once),
                    )


def _left(armed: tuple[Armed, ...]) -> list[str]:
    return [Path(each.once).name for each in armed if not Path(each.once).exists()]
