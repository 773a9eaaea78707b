"""Looks at committed offsets while a trial runs, as an admin client may."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from scripts.stack import StackState
from streams.records import Place
from streams.topics import TopicNames
from tests.faults.commits import Snapshot, judged
from tests.faults.tracing import inputs_of, topics_of
from tests.faults.view import CommitSample
from tests.harness import Log

INTERVAL_S = 0.25
#: A look that takes longer is given up: the broker may be frozen.
LOOK_LIMIT_S = 5.0
ROLES = ("master", "embed", "store")


class Sampler:
    """The samples of one trial."""

    def __init__(self, stack: StackState, prefix: str) -> None:
        """Take none yet."""
        self._log = Log(stack, prefix)
        self._names = TopicNames(prefix)
        self._taken: list[Snapshot] = []

    async def judged(self, states: Mapping[str, str]) -> list[CommitSample]:
        """Judge the samples by all the records there are; `states` are the tasks' final ones."""
        topics = topics_of(self._names)
        records = {topic: await self._log.records_of(topic) for topic in topics}
        inputs = inputs_of(records, self._names, states)
        return list(judged(self._taken, inputs))

    async def take_for_ever(self) -> None:
        """Take a sample a few times a second, until cancelled; leave out what cannot be read."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self._log.servers)
        consumer = AIOKafkaConsumer(bootstrap_servers=self._log.servers, group_id=None)
        await admin.start()
        try:
            await consumer.start()
            while True:
                with suppress(KafkaError, OSError, TimeoutError):
                    async with asyncio.timeout(LOOK_LIMIT_S):
                        self._taken.append(await self._look(admin, consumer))
                await asyncio.sleep(INTERVAL_S)
        finally:
            await consumer.stop()
            await admin.close()

    async def _look(self, admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer) -> Snapshot:
        """Read the commits first, the ends after them: the judge counts on this order."""
        committed: dict[tuple[str, Place], int] = {}
        for role in ROLES:
            group = self._names.group(role)
            offsets = await admin.list_consumer_group_offsets(group)
            committed |= {(group, Place(*at)): int(told.offset) for at, told in offsets.items()}
        await consumer._client.force_metadata_update()
        places = [
            TopicPartition(topic, partition)
            for topic in topics_of(self._names)
            for partition in consumer.partitions_for_topic(topic) or ()
        ]
        ends = await consumer.end_offsets(places)
        return Snapshot(committed, {Place(*at): int(end) for at, end in ends.items()})


@asynccontextmanager
async def sampling(stack: StackState, prefix: str) -> AsyncIterator[Sampler]:
    """Take samples while the block runs."""
    sampler = Sampler(stack, prefix)
    taking = asyncio.create_task(sampler.take_for_ever())
    try:
        yield sampler
    finally:
        taking.cancel()
        (ended,) = await asyncio.gather(taking, return_exceptions=True)
    if not isinstance(ended, asyncio.CancelledError):
        raise RuntimeError("the sampler ended by itself") from ended  # noqa: TRY004
