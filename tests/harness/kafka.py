"""Kafka beside the service: records put in and read out, as any other program would."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from scripts.stack import StackState
from scripts.stack.progress import say_nothing
from scripts.stack.recipe import clean_environment
from tests.docs.console import console_tools
from tests.harness.waiting import PATIENCE_S, until

LARGEST_BYTES = 10 * 1024 * 1024

Record = Any


class Log:
    """The topics under one prefix."""

    def __init__(self, stack: StackState, prefix: str) -> None:
        self.servers = stack.settings["kafka.bootstrap_servers"]
        self.prefix = prefix

    def topic(self, name: str) -> str:
        """The full name of `tasks`, `dead`, `results`, …"""
        return f"{self.prefix}.{name}"

    async def produce(
        self,
        values: Sequence[object],
        *,
        topic: str = "tasks",
        key: bytes | None = None,
        partition: int | None = None,
    ) -> list[Any]:
        """Produce records in their order; return their places.

        What is no bytes goes as JSON, None as a tombstone.
        """
        async with producer(self.servers) as sending:
            return [
                await sending.send_and_wait(
                    self.topic(topic), written(value), key=key, partition=partition
                )
                for value in values
            ]

    @asynccontextmanager
    async def transactions(self, transactional_id: str) -> AsyncIterator[AIOKafkaProducer]:
        """A transactional producer: `async with it.transaction(): await it.send(…)`."""
        async with producer(self.servers, transactional_id=transactional_id) as sending:
            yield sending

    async def records(self, topic: str) -> list[Record]:
        """Every committed record that lies now in `tasks`, `dead`, …"""
        return await self.records_of(self.topic(topic))

    async def records_of(self, topic: str) -> list[Record]:
        """Every committed record that lies now in the topic of this full name."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.servers,
            group_id=None,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            isolation_level="read_committed",
            max_partition_fetch_bytes=LARGEST_BYTES,
        )
        await consumer.start()
        try:
            return await _read_all(consumer, topic)
        finally:
            await consumer.stop()

    async def awaited(self, topic: str, count: int) -> list[Record]:
        """Wait until at least `count` records lie in a topic; return all that do."""

        async def look() -> list[Record]:
            found = await self.records(topic)
            return found if len(found) >= count else []

        return await until(f"{count} records in {topic}", look, limit_s=PATIENCE_S)


def written(value: object) -> bytes | None:
    """The value as it goes onto the wire; None is a tombstone."""
    return value if value is None or isinstance(value, bytes) else orjson.dumps(value)


@asynccontextmanager
async def producer(
    servers: str, *, largest: int = LARGEST_BYTES, **options: Any
) -> AsyncIterator[AIOKafkaProducer]:
    """A plain producer, closed at the end."""
    sending = AIOKafkaProducer(
        bootstrap_servers=servers, acks="all", max_request_size=largest, **options
    )
    await sending.start()
    try:
        yield sending
    finally:
        await sending.stop()


async def _read_all(consumer: AIOKafkaConsumer, topic: str) -> list[Record]:
    await consumer._client.force_metadata_update()
    places = [
        TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()
    ]
    assert places, f"there is no topic {topic}"
    consumer.assign(places)
    ends = await consumer.end_offsets(places)
    found: list[Record] = []
    # A position passes the markers of transactions too, so this ends.
    while any([await consumer.position(place) < ends[place] for place in places]):
        for chunk in (await consumer.getmany(timeout_ms=200, max_records=5000)).values():
            found += chunk
        await asyncio.sleep(0)
    return found


def headers_of(record: Record) -> dict[str, str]:
    """A record's headers as text."""
    return {name: value.decode(errors="replace") for name, value in record.headers}


async def console_produce(stack: StackState, topic: str, lines: str, folder: Path) -> None:
    """Pipe `lines` into Kafka's own console producer: no key, one record a line."""
    tools = await asyncio.to_thread(console_tools, folder, say_nothing)
    servers = stack.settings["kafka.bootstrap_servers"]
    done = await asyncio.to_thread(
        subprocess.run,
        [tools / "kafka-console-producer.sh", "--bootstrap-server", servers, "--topic", topic],
        input=lines.encode(),
        env=clean_environment(),
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-2000:]
