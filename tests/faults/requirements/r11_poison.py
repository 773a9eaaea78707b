"""R11: a text that ends, hangs or eats up its process costs few deaths, and only its own item."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.faults.checker import NOTHING_JUDGED
from tests.faults.clients import FINAL
from tests.faults.keeping import keeping
from tests.faults.orders import Faults
from tests.faults.outcome import Outcome, outcome_of
from tests.faults.rig import Rig, Shape, rig, texts_of
from tests.harness.poison import EATS, EXITS, HANGS

NAME = "R11"
TITLE = "texts that end, hang or bloat their process, among good ones"
ROLES = ("master", "embed", "embed", "store")
KINDS = (EXITS, HANGS, EATS)
#: The most deaths of workers that one poison may cost.
MOST_DEATHS = 3
#: Past this a poison is never found.
HOPELESS_DEATHS = 6
LOOK_S = 0.2
#: How long one poison may take to be found.
LIMIT_S = 240.0
SETTINGS = {
    "VECTORIZE_MASTER_ENCODER_CALL_TIMEOUT_S": "3",
    "VECTORIZE_MASTER_ENCODER_ALONE_TIMEOUT_S": "3",
    "VECTORIZE_MASTER_ENCODER_ALONE_MEMORY_MB": "1024",
}


async def run(
    folder: Path,
    *,
    poisons: int,
    texts: int,
    seed: int,
    say: Callable[[str], None],
    bug: str | None = None,
) -> Outcome:
    """Send poison in batches of `texts`, one after the other, while good tasks are worked on."""
    verdict = NOTHING_JUDGED
    shape = Shape(
        tasks=poisons,
        texts=texts,
        roles=ROLES,
        submitters=4,
        settings=SETTINGS,
        faults=Faults(bug=bug, seed=seed, poison=True),
    )
    async with rig(shape, folder, seed=seed, say=say) as trial, keeping(trial) as deaths:
        enough = asyncio.Event()
        working = asyncio.create_task(trial.load(enough))
        costs: list[int] = []
        while len(costs) < poisons and max(costs, default=0) <= HOPELESS_DEATHS:
            costs.append(await _one(trial, len(costs), deaths))
        if max(costs) <= HOPELESS_DEATHS:
            enough.set()
            async with asyncio.timeout(LIMIT_S):
                await working
            verdict = await trial.judge()
        else:
            working.cancel()  # the processes go on dying: there is nothing to drain
    return outcome_of(
        NAME,
        TITLE,
        seed=seed,
        trials=len(costs),
        verdict=verdict,
        faults={"too many deaths": sum(cost > MOST_DEATHS for cost in costs)},
        facts={"worker deaths": sum(costs), "most deaths for one": max(costs)},
    )


async def _one(trial: Rig, number: int, deaths: "dict[str, int]") -> int:
    """Send one poison among good texts; give the deaths until its task was final."""
    before = sum(deaths.values())
    kind = KINDS[number % len(KINDS)]
    texts = _with(texts_of(2_000_000 + number, trial.shape.texts), kind, trial.dice.random())
    key = f"{trial.fleet.prefix}-poison-{number}"
    began_s = asyncio.get_running_loop().time()
    task_id = await trial.clients.submit("poisoner", key, texts)
    assert task_id is not None
    state, cost = None, 0
    while state not in FINAL and cost <= HOPELESS_DEATHS and _seconds_since(began_s) < LIMIT_S:
        await asyncio.sleep(LOOK_S)
        state = await trial.clients.read("poisoner", task_id)
        cost = sum(deaths.values()) - before
    took_s = _seconds_since(began_s)
    trial.say(f"  {kind}: {state} after {took_s:.1f} s and {cost} deaths")
    return cost


def _seconds_since(began_s: float) -> float:
    return asyncio.get_running_loop().time() - began_s


def _with(texts: Sequence[str], kind: str, chance: float) -> list[str]:
    at = int(chance * len(texts))
    return [f"{text} {kind}" if number == at else text for number, text in enumerate(texts)]
