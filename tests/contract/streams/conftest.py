"""A real Kafka, and apps of our own on it, within the test's process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from scripts.stack import StackState
from streams.app import KafkaOptions, StageApp, stage_app
from streams.delivery import Delivery, Stage
from streams.records import Record
from tests.harness import fresh_prefix, stack, until
from tests.harness.kafka import producer

__all__ = ["stack"]

Begin = Callable[[Record], Awaitable[Awaitable[None] | None]]


@dataclass
class Broker:
    """One topic of this test, its group, and what lies and is committed there."""

    servers: str
    name: str
    admin: AIOKafkaAdminClient

    @property
    def group(self) -> str:
        return f"{self.name}-group"

    async def create(self, topic: str, partitions: int = 1, **config: str) -> None:
        """Make a topic, and wait until it is there."""
        await self.admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=config)])

        async def there() -> bool:
            (found,) = await self.admin.describe_topics([topic])
            leaders = [each["leader"] for each in found["partitions"]]
            return len(leaders) == partitions and min(leaders) >= 0

        await until(f"{topic} has leaders", there)

    async def put(self, count: int, *, partition: int = 0, first: int = 0) -> None:
        """Add records that say their number."""
        async with producer(self.servers) as sending:
            sent = [
                await sending.send(self.name, str(first + n).encode(), partition=partition)
                for n in range(count)
            ]
            await asyncio.gather(*sent)

    async def send(self, topic: str, key: bytes, value: bytes | None) -> None:
        """Add one record to partition 0 of any topic."""
        async with producer(self.servers) as sending:
            await sending.send_and_wait(topic, value, key=key, partition=0)

    async def committed(self, partition: int = 0) -> int | None:
        """What the group has committed; None: nothing yet."""
        offsets = await self.admin.list_consumer_group_offsets(self.group)
        told = offsets.get(TopicPartition(self.name, partition))
        return None if told is None else int(told.offset)

    async def until_committed(self, offset: int, *, partition: int = 0) -> None:
        async def there() -> bool:
            return await self.committed(partition) == offset

        await until(f"{offset} is committed", there)


@pytest.fixture
async def broker(stack: StackState) -> AsyncIterator[Broker]:
    servers = stack.settings["kafka.bootstrap_servers"]
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        yield Broker(servers, fresh_prefix(), admin)
    finally:
        await admin.close()


class Taker:
    """A stage that writes down what it took; `begin` may be put in place of its work."""

    def __init__(self, begin: Begin | None = None) -> None:
        self.taken: list[Record] = []
        self.buried: list[Record] = []
        self._begin = begin

    @property
    def numbers(self) -> list[int]:
        """The records taken, by the numbers they say, in the order in which they came."""
        return [int(record.value or b"-1") for record in self.taken]

    async def begin(self, record: Record) -> Awaitable[None] | None:
        self.taken.append(record)
        return await self._begin(record) if self._begin else None

    async def poison(self, record: Record, error: Exception, attempts: int) -> None:
        self.buried.append(record)


Running = Callable[..., Any]


@pytest.fixture
def running(broker: Broker, tmp_path: Path) -> Running:
    """Run an app of ours on the test's topic: `async with running(taker) as app`."""

    @asynccontextmanager
    async def run(
        taker: Taker, *, data: str = "data", prepare: Callable[[StageApp], None] | None = None,
        **stage: Any,
    ) -> AsyncIterator[StageApp]:  # fmt: skip
        options = KafkaOptions(
            broker.servers,
            partitions=4,
            commit_interval_s=0.2,
            session_timeout_s=6.0,
            heartbeat_interval_s=1.0,
        )
        app = stage_app(broker.group, options, tmp_path / data)
        app.deliver(
            [broker.name],
            Delivery(Stage("taker", taker.begin, taker.poison, **stage), app.deliveries),
        )
        if prepare is not None:
            prepare(app)
        await app.start()
        try:
            yield app
        finally:
            await app.stop()

    return run


async def until_true(what: str, condition: Callable[[], object]) -> None:
    """Give the apps time to make `condition` true."""

    async def look() -> object:
        return condition()

    await until(what, look)
