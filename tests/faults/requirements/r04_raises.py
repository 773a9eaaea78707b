"""R4: an error at any step, of any one of a batch, swallows nothing and harms no mate."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from tests.faults.keeping import keeping
from tests.faults.orders import Faults
from tests.faults.outcome import Outcome, outcome_of
from tests.faults.raising import STEPS, orders
from tests.faults.rig import Rig, Shape, rig, texts_of

NAME = "R4-raise"
TITLE = f"an error at each of {', '.join(STEPS)}, of each one in a batch of 32"
ROLES = ("master", "embed", "store")
BATCH = 32
#: How long a batch may take, and a commit to come.
LIMIT_S = 60.0
LOOK_S = 0.05


async def run(folder: Path, *, positions: int, seed: int, say: Callable[[str], None]) -> Outcome:
    """Send batch after batch of tasks of one text, an order to raise given before each."""
    laid = folder / "orders"
    laid.mkdir()
    shape = Shape(tasks=0, texts=1, roles=ROLES, faults=Faults(seed=seed, raising=str(laid)))
    missed: list[str] = []
    harmed, slowest_s = 0, 0.0
    async with rig(shape, folder, seed=seed, say=say) as trial, keeping(trial) as deaths:
        given = list(orders(positions))
        for number, order in enumerate(given):
            began_s = time.monotonic()
            path = order.lay(laid)
            states = await _batch(trial, number)
            if not await _carried_out(path):
                missed.append(f"{path.name} {order.nth}")
                path.unlink(missing_ok=True)
            harmed += sum(state != "completed" for state in states)
            took_s = time.monotonic() - began_s
            if took_s > slowest_s:
                slowest_s = took_s
                say(f"  {path.name}, number {order.nth}: {took_s:.1f} s")
        verdict = await trial.judge()
    say(f"  {len(given) - len(missed)} of {len(given)} raised, not {missed[:5]}")
    return outcome_of(
        NAME,
        TITLE,
        seed=seed,
        trials=len(given) - len(missed),
        verdict=verdict,
        faults={"orders not met": len(missed), "mates not completed": harmed},
        facts={
            "mates": len(given) * (BATCH - 1),
            "slowest batch, s": round(slowest_s, 1),
            "deaths": sum(deaths.values()),
        },
    )


async def _batch(trial: Rig, number: int) -> list[str | None]:
    """Submit a batch at once; give the states that its tasks came to."""
    return await asyncio.gather(*(_one(trial, number * BATCH + at) for at in range(BATCH)))


async def _one(trial: Rig, number: int) -> str | None:
    key = f"{trial.fleet.prefix}-{number}"
    try:
        async with asyncio.timeout(LIMIT_S):
            task_id = await trial.clients.submit("batcher", key, texts_of(number, 1))
            assert task_id is not None
            return await trial.clients.until_final("batcher", task_id, look_s=LOOK_S)
    except TimeoutError:
        return None


async def _carried_out(path: Path) -> bool:
    """Wait for the order to be carried out: what a step does may come after the tasks' end."""
    until_s = time.monotonic() + LIMIT_S / 10
    while _lies(path) and time.monotonic() < until_s:  # noqa: ASYNC110  # for other processes
        await asyncio.sleep(LOOK_S)
    return not _lies(path)


def _lies(path: Path) -> bool:
    return path.exists()
