"""R6: every record of every topic comes once more, or three times; nothing becomes more by it."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from models.states import Lane
from streams.topics import TopicNames
from tests.faults.outcome import Outcome, outcome_of
from tests.faults.rig import Rig, Shape, rig
from tests.harness import Log
from tests.harness.kafka import producer

NAME = "R6"
TITLE = "every record of tasks, units, vectors and events again, one to three times"
ROLES = ("master", "master", "embed", "store")
MOST_TIMES = 3
#: How long the work on what was sent again may take.
LIMIT_S = 300.0


async def run(
    folder: Path, *, tasks: int, texts: int, seed: int, say: Callable[[str], None]
) -> Outcome:
    """Work on `tasks` tasks, some of them cancelled, then replay the whole log, stage by stage."""
    shape = Shape(tasks=tasks, texts=texts, roles=ROLES, cancel_share=0.1)
    async with rig(shape, folder, seed=seed, say=say) as trial:
        enough = asyncio.Event()
        enough.set()
        await trial.load(enough)
        names = TopicNames(trial.fleet.prefix)
        inputs = {
            "master": [names.tasks, names.events],
            "embed": [names.units(lane) for lane in Lane],
            "store": [names.vectors(lane) for lane in Lane],
        }
        again = sum([await _replayed(trial, topic) for each in inputs.values() for topic in each])
        say(f"  {again} records again")
        for role, topics in inputs.items():
            await _worked_off(trial, names.group(role), topics)
        verdict = await trial.judge()
    return outcome_of(NAME, TITLE, seed=seed, trials=again, verdict=verdict)


async def _replayed(trial: Rig, topic: str) -> int:
    """Send each record of a topic again, into its own partition; count the copies."""
    log = Log(trial.stack, trial.fleet.prefix)
    copies = [
        record
        for record in await log.records_of(topic)
        for _ in range(trial.dice.randint(1, MOST_TIMES))
    ]
    trial.dice.shuffle(copies)
    async with producer(log.servers) as sending:
        sent = [await sending.send(**_copy(record)) for record in copies]
        await asyncio.gather(*sent)
    return len(copies)


def _copy(record: Any) -> dict[str, Any]:
    return {
        "topic": record.topic,
        "value": record.value,
        "key": record.key,
        "partition": record.partition,
        "headers": list(record.headers),
    }


async def _worked_off(trial: Rig, group: str, topics: list[str]) -> None:
    """Wait until the group has committed all that lies in these topics now."""
    log = Log(trial.stack, trial.fleet.prefix)
    ends: dict[TopicPartition, int] = {}
    for topic in topics:
        for record in await log.records_of(topic):
            place = TopicPartition(record.topic, record.partition)
            ends[place] = max(ends.get(place, 0), record.offset + 1)
    admin = AIOKafkaAdminClient(bootstrap_servers=log.servers)
    await admin.start()
    try:
        until_s = time.monotonic() + LIMIT_S
        while True:
            committed = await admin.list_consumer_group_offsets(group)
            at = {place: told.offset for place, told in committed.items()}
            if all(at.get(place, 0) >= end for place, end in ends.items()):
                return
            assert time.monotonic() < until_s, f"{group} stands still: {at} of {ends}"
            await asyncio.sleep(1)
    finally:
        await admin.close()
