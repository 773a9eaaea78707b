"""The price of the delivery layer: our throughput beside that of a variant that awaits nothing."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, TopicPartition

from scripts.stack import StackState, start_stack, stop_stack
from tests.faults.orders import VARIABLE, Faults
from tests.faults.outcome import Outcome, outcome_of
from tests.faults.rig import COMMAND, texts_of
from tests.harness import Log
from tests.harness.fleet import Fleet
from tests.harness.kafka import producer, written

NAME = "price"
TITLE = "throughput with the delivery layer ÷ without it (hashing model, no vector store)"
ROLES = ("master", "embed", "store")
LIMIT_S = 120.0
SETTINGS = {"VECTORIZE_MASTER_DATABASE_VECTOR_STORE": "none"}
OURS, NAIVE = "ours", "naive"


async def run(
    folder: Path, *, rounds: int, tasks: int, texts: int, seed: int, say: Callable[[str], None]
) -> Outcome:
    """Measure both in turn: A B, B A, A B; the first round is a warm-up and dropped."""
    state = await asyncio.to_thread(start_stack, folder / "stack", ephemeral=True)
    fleets = {
        OURS: _fleet(state, folder / OURS, None),
        NAIVE: _fleet(state, folder / NAIVE, "naive"),
    }
    try:
        for fleet in fleets.values():
            await fleet.all_ready()
        ratios = [
            await _round(state, fleets, number, tasks=tasks, texts=texts, say=say)
            for number in range(rounds + 1)
        ][1:]
    finally:
        for fleet in fleets.values():
            fleet.end()
        await asyncio.to_thread(stop_stack, state.directory)
    figures = {"ratio, median": median(ratios), "least": min(ratios), "most": max(ratios)}
    facts = {name: round(value, 3) for name, value in figures.items()}
    return outcome_of(NAME, TITLE, seed=seed, trials=rounds, tasks=tasks, facts=facts)


def _fleet(state: StackState, folder: Path, bug: str | None) -> Fleet:
    folder.mkdir()
    told = {VARIABLE: Faults(bug=bug).model_dump_json()}
    fleet = Fleet(state, folder, **told, **SETTINGS)
    for role in ROLES:
        fleet.add(role, command=COMMAND)
    return fleet


async def _round(
    state: StackState,
    fleets: dict[str, Fleet],
    number: int,
    *,
    tasks: int,
    texts: int,
    say: Callable[[str], None],
) -> float:
    speeds: dict[str, float] = {}
    for name in (OURS, NAIVE) if number % 2 else (NAIVE, OURS):
        log = Log(state, fleets[name].prefix)
        took_s = await _time(log, [texts_of(number * tasks + at, texts) for at in range(tasks)])
        speeds[name] = tasks * texts / took_s
    ratio = speeds[OURS] / speeds[NAIVE]
    say(f"  {', '.join(f'{name} {speed:,.0f} texts/s' for name, speed in speeds.items())}")
    return ratio


async def _time(log: Log, tasks: list[list[str]]) -> float:
    """Put tasks on the log; give the seconds until as many results are announced."""
    async with producer(log.servers, linger_ms=5) as sending, _results(log) as announced:
        before = await announced()
        began_s = time.monotonic()
        sent = [
            await sending.send(log.topic("tasks"), written(body), key=body["task_id"].encode())
            for body in map(_body, tasks)
        ]
        await asyncio.gather(*sent)
        async with asyncio.timeout(LIMIT_S):
            while await announced() < before + len(tasks):  # noqa: ASYNC110  # Kafka rings no bell
                await asyncio.sleep(0.02)
        return time.monotonic() - began_s


def _body(texts: list[str]) -> dict[str, Any]:
    return {"task_type": "batch_vectorization", "data": texts, "task_id": str(uuid4())}


@asynccontextmanager
async def _results(log: Log) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """Gives a function that counts the announced results."""
    consumer = AIOKafkaConsumer(bootstrap_servers=log.servers)
    await consumer.start()
    await consumer._client.force_metadata_update()
    topic = log.topic("results")
    places = [TopicPartition(topic, at) for at in consumer.partitions_for_topic(topic) or ()]

    async def announced() -> int:
        return sum((await consumer.end_offsets(places)).values())

    try:
        yield announced
    finally:
        await consumer.stop()
