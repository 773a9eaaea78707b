"""Kafka as a client of the service sees it: tasks put in, results awaited, records read."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol, cast

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

LARGEST_BYTES = 10 * 1024 * 1024
PATIENCE_S = 60.0


class Record(Protocol):
    """What is used of a consumed record."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes


class Unfinished(Exception):
    """Tasks did not finish in time, or did not store every text."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What the public record of a finished task says, and when it was seen here."""

    task_id: str
    status: str
    stored: int
    seen_s: float  # monotonic


class Results:
    """Waits for finished tasks on `<prefix>.results`."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        """Read with a started `consumer` that stands at the end of the topic."""
        self._consumer = consumer

    async def next(self, count: int, limit_s: float = PATIENCE_S) -> list[Finished]:
        """The next `count` finished tasks; raise Unfinished."""
        found: dict[str, Finished] = {}
        deadline_s = time.monotonic() + limit_s
        while len(found) < count:
            if time.monotonic() > deadline_s:
                raise Unfinished(f"{len(found)} of {count} tasks finished in {limit_s:g} s")
            chunks = await self._consumer.getmany(timeout_ms=100)
            now_s = time.monotonic()
            for record in (record for chunk in chunks.values() for record in chunk):
                told = _finished(cast(Record, record), now_s)
                found.setdefault(told.task_id, told)
        return list(found.values())


def _finished(record: Record, now_s: float) -> Finished:
    told = orjson.loads(record.value)
    return Finished(told["task_id"], told["status"], told["completed_items"], now_s)


@asynccontextmanager
async def results_of(servers: str, prefix: str) -> AsyncIterator[Results]:
    """Listen from now on."""
    async with _reading(servers, [f"{prefix}.results"]) as consumer:
        await consumer.seek_to_end()
        yield Results(consumer)


@asynccontextmanager
async def producing(servers: str) -> AsyncIterator[AIOKafkaProducer]:
    """A plain producer that waits for acknowledgements, as any client would have it."""
    producer = AIOKafkaProducer(
        bootstrap_servers=servers, acks="all", max_request_size=LARGEST_BYTES
    )
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def produce_tasks(producer: AIOKafkaProducer, topic: str, tasks: Mapping[str, bytes]) -> None:
    """Put each task under its id onto `topic`; return once all are acknowledged."""
    sent = [await producer.send(topic, value, key=key.encode()) for key, value in tasks.items()]
    await asyncio.gather(*sent)


Offsets = dict[TopicPartition, int]


async def ends_of(servers: str, topics: Sequence[str]) -> Offsets:
    """Where each partition of `topics` ends now."""
    async with _reading(servers, topics) as consumer:
        return dict(await consumer.end_offsets(list(consumer.assignment())))


async def records_since(servers: str, begins: Offsets) -> list[Record]:
    """Every record that was written after `begins`."""
    async with _reading(servers, sorted({place.topic for place in begins})) as consumer:
        for place, offset in begins.items():
            consumer.seek(place, offset)
        ends = await consumer.end_offsets(list(begins))
        found: list[Record] = []
        while [place for place in begins if await consumer.position(place) < ends[place]]:
            for chunk in (await consumer.getmany(timeout_ms=100)).values():
                found += chunk
        return found


@asynccontextmanager
async def _reading(servers: str, topics: Sequence[str]) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer without a group that has every partition of `topics`."""
    consumer = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=servers,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        max_partition_fetch_bytes=LARGEST_BYTES,
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()
