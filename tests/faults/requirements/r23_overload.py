"""R23: three times more than can be done is offered; what is accepted is done, the rest is told."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from tests.faults.clients import Told
from tests.faults.outcome import Outcome, outcome_of
from tests.faults.rig import Rig, Shape, rig, texts_of

NAME = "R23"
TITLE = "an open loop at three times the capacity"
ROLES = ("master", "embed", "store")
TIMES = 3.0
QUEUE_TASKS = 300
SETTINGS = {"VECTORIZE_MASTER_SERVICE_MAX_QUEUE_TASKS": str(QUEUE_TASKS)}
UNAVAILABLE = 503
#: Tasks of one text in flight while the capacity is measured, fewer than are shed.
AT_ONCE = 256
MB = 1024 * 1024


@dataclass
class Answers:
    """What came of the submits of an open loop."""

    statuses: Counter[int | None] = field(default_factory=Counter)
    without_retry_after: int = 0

    def note(self, told: Told | None) -> None:
        """Count an answer."""
        self.statuses[None if told is None else told.status] += 1
        if told is not None and told.status == UNAVAILABLE and told.retry_after is None:
            self.without_retry_after += 1


async def run(folder: Path, *, seconds: float, seed: int, say: Callable[[str], None]) -> Outcome:
    """Measure the capacity, then offer three times as much for so long."""
    shape = Shape(tasks=0, texts=1, roles=ROLES, settings=SETTINGS)
    async with rig(shape, folder, seed=seed, say=say) as trial:
        capacity = await _capacity(trial, seconds / 3)
        say(f"  capacity {capacity:.0f} tasks/s")
        done_before, began_s = await _completed(trial), time.monotonic()
        answers, most_bytes = await _offered(trial, capacity * TIMES, seconds)
        goodput = (await _completed(trial) - done_before) / (time.monotonic() - began_s)
        verdict = await trial.judge()
    offered = sum(answers.statuses.values())
    facts = {
        "capacity, tasks/s": round(capacity, 1),
        "goodput ÷ capacity": round(goodput / capacity, 3),
        "offered": float(offered),
        "refused with 503": float(answers.statuses[UNAVAILABLE]),
        "no answer": float(answers.statuses[None]),
        "master's most resident memory, MB": round(most_bytes / MB),
    }
    return outcome_of(
        NAME,
        TITLE,
        seed=seed,
        trials=offered,
        verdict=verdict,
        faults={"refusals without Retry-After": answers.without_retry_after},
        facts=facts,
    )


async def _capacity(trial: Rig, seconds: float) -> float:
    """Keep so many tasks in flight for a while; give the tasks done a second."""
    numbers, until_s = count(), time.monotonic() + seconds
    before, began_s = await _completed(trial), time.monotonic()

    async def one(client: str) -> None:
        while time.monotonic() < until_s:
            number = next(numbers)
            [text] = texts_of(3_000_000 + number, 1)
            task_id = await trial.clients.submit(client, f"{trial.fleet.prefix}-c{number}", [text])
            await trial.clients.until_final(client, str(task_id), look_s=1.0)

    await asyncio.gather(*(one(f"closed-{at}") for at in range(AT_ONCE)))
    return (await _completed(trial) - before) / (time.monotonic() - began_s)


async def _offered(trial: Rig, rate: float, seconds: float) -> tuple[Answers, int]:
    """Submit at a fixed rate, whatever is answered and however slowly."""
    answers, most_bytes = Answers(), 0
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    under_way: set[asyncio.Task[None]] = set()

    async def one(number: int) -> None:
        [text] = texts_of(4_000_000 + number, 1)
        key = f"{trial.fleet.prefix}-o{number}"
        answers.note(await trial.clients.try_once("open", key, text))

    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, began_s + number / rate - loop.time()))
        task = loop.create_task(one(number))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        if number % 500 == 0:
            most_bytes = max(most_bytes, trial.masters[0].resident_bytes())
    await asyncio.gather(*under_way)
    return answers, most_bytes


async def _completed(trial: Rig) -> int:
    """How many tasks are completed, as the service counts."""
    told = await trial.clients.ask("GET", trial.masters[0].url + "/metrics")
    return int(told.body["completed_tasks"])
