"""R16: a master's tables come back whole, warm and cold, though their recovery is disturbed."""

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from scripts.stack import kill_service, start_service
from tests.faults.outcome import Outcome, outcome_of
from tests.faults.rig import Rig, Shape, rig
from tests.harness import Log, until
from tests.harness.fleet import Process
from tests.harness.tables import put_finished_tasks, records_read_again, recovery_began_s

NAME = "R16"
TITLE = "a master starts again: warm, killed, cold, killed or left by Kafka while it recovers"
#: How long a recovery may take before it counts as hung.
LIMIT_S = 120.0
#: A cold recovery is disturbed so long after the start of the process.
DISTURBED_AFTER_S = 3.0


@dataclass
class Books:
    """What was seen so far."""

    trials: int = 0
    hung: int = 0
    differ: int = 0
    facts: dict[str, float] = field(default_factory=dict)


async def run(
    folder: Path, *, sizes: tuple[int, ...], seed: int, say: Callable[[str], None]
) -> Outcome:
    """Bring the table to each of the sizes, and recover it in each of the ways."""
    shape = Shape(tasks=0, texts=1, roles=("master",))
    books = Books()
    async with rig(shape, folder, seed=seed, say=say) as trial:
        await _recovered(trial, books, "empty", _warm, 0)
        known = 0
        for size in sizes:
            await put_finished_tasks(Log(trial.stack, trial.fleet.prefix), size - known)
            known = size
            there = partial(_are_known, trial, size)
            await until(f"{size} tasks", there, limit_s=90 + size / 50)
            for name, way in WAYS.items():
                await _recovered(trial, books, name, way, size)
    return outcome_of(
        NAME,
        TITLE,
        seed=seed,
        trials=books.trials,
        tasks=known,
        faults={"hung": books.hung, "rows differ": books.differ},
        facts=books.facts,
    )


async def _recovered(trial: Rig, books: Books, name: str, way: "Way", size: int) -> None:
    """Start again in one way; note whether and how fast all rows are back."""
    master = trial.masters[0]
    before = await _newest(trial)
    began_s = time.time()
    await way(trial, master)
    books.trials += 1
    try:
        async with asyncio.timeout(LIMIT_S):
            await _ready(master)
            took_s = time.time() - began_s
            same = await _newest(trial) == before and await _are_known(trial, size)
    except TimeoutError:
        books.hung += 1
        trial.say(f"  {size} rows, {name}: hung")
        return
    books.differ += not same
    told = _measured(master, size) if size else {}
    trial.say(f"  {size} rows, {name}: {took_s:.1f} s {told} {'' if same else 'ROWS DIFFER'}")
    if name in {"warm", "cold"}:
        books.facts |= {f"{size} rows {name}: {what}": value for what, value in told.items()}


async def _ready(master: Process) -> None:
    """Wait until it is; one that left while Kafka was away is started again, as it would be."""
    while not (master.alive and await master.is_ready()):
        if not master.alive:
            master.start()
        await asyncio.sleep(0.1)


def _measured(master: Process, size: int) -> Mapping[str, float]:
    """Seconds since the recovery began, records read, and how many that is a second."""
    took_s = time.time() - recovery_began_s(master)
    read = records_read_again(master)
    told = {"s": round(took_s, 2), "records read": float(read)}
    return told | ({"records/s": round(read / took_s)} if read > size / 2 else {})


async def _warm(trial: Rig, master: Process) -> None:
    await master.terminate()
    master.start()


async def _killed(trial: Rig, master: Process) -> None:
    await asyncio.to_thread(master.kill)
    master.start()


async def _cold(trial: Rig, master: Process) -> None:
    await master.terminate()
    for folder in (trial.fleet.folder / "data").glob(f"{trial.fleet.prefix}-master*"):
        shutil.rmtree(folder)
    master.start()


async def _killed_meanwhile(trial: Rig, master: Process) -> None:
    await _cold(trial, master)
    await asyncio.sleep(DISTURBED_AFTER_S)
    await _killed(trial, master)


async def _broker_bounced(trial: Rig, master: Process) -> None:
    await _cold(trial, master)
    await asyncio.sleep(DISTURBED_AFTER_S)
    await asyncio.to_thread(kill_service, trial.stack.directory, "kafka")
    await asyncio.to_thread(start_service, trial.stack.directory, "kafka")


Way = Callable[[Rig, Process], Awaitable[None]]
WAYS: Mapping[str, Way] = {
    "warm": _warm,
    "killed": _killed,
    "cold": _cold,
    "cold, killed meanwhile": _killed_meanwhile,
    "cold, Kafka killed meanwhile": _broker_bounced,
}


async def _are_known(trial: Rig, rows: int) -> bool:
    """Whether the list has all of them, each completed."""
    told = await trial.clients.ask(
        "GET", trial.masters[0].url + "/tasks?status_filter=completed&page_size=1"
    )
    return told.status == 200 and told.body["total"] == rows


async def _newest(trial: Rig) -> Any:
    told = await trial.clients.ask("GET", trial.masters[0].url + "/tasks?page_size=1000")
    return told.body
