"""Reading a partition beside the consumer group: for holes, quiet tails and source records."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from streams.records import Place, Record

#: How long the broker may hold a fetch.
FETCH_WAIT_MS = 500
#: How long one look for fetched records waits. aiokafka is silent about a fetch that held markers
#: and aborted records only: short looks see that the position moved.
LOOK_MS = 20


@dataclass(frozen=True, slots=True)
class Span:
    """What a stretch of a partition holds: its records, and how far it was read."""

    records: list[Record]
    read_to: int


READ_COMMITTED, READ_UNCOMMITTED = "read_committed", "read_uncommitted"


class SideReader:
    """Plain consumers without a group; they commit nothing and move nobody's offsets."""

    def __init__(self, bootstrap_servers: str, fetch_max_bytes: int) -> None:
        """Connect at the first use; `fetch_max_bytes` must hold the largest record."""
        self._options = {
            "bootstrap_servers": bootstrap_servers,
            "max_partition_fetch_bytes": fetch_max_bytes,
        }
        self._most_bytes = fetch_max_bytes
        self._consumers: dict[str, AIOKafkaConsumer] = {}
        self._lock = asyncio.Lock()
        self._connecting = asyncio.Lock()

    async def read(self, place: Place, start: int, end: int, *, timeout_s: float = 5.0) -> Span:
        """Read the committed records in `[start, end)`.

        `read_to` is less than `end` where time ran out, or the records are many bytes.
        Markers of foreign transactions and aborted records are passed in silence: that a stretch
        was read and held nothing is the proof that nothing is missing there.
        """
        async with self._lock:
            consumer = await self._connected()
            partition = TopicPartition(*place)
            consumer.assign([partition])
            try:
                consumer.seek(partition, start)
                return await self._collect(consumer, partition, (start, end), timeout_s)
            finally:
                consumer.unsubscribe()

    async def end_offsets(self, places: Iterable[Place]) -> dict[Place, int]:
        """Return the offset after the last committed record or marker of each partition."""
        consumer = await self._connected()
        offsets = await consumer.end_offsets([TopicPartition(*place) for place in places])
        return {Place(*partition): int(offset) for partition, offset in offsets.items()}

    async def beginning_offset(self, place: Place) -> int:
        """Return the offset of the first record that retention has left in a partition."""
        consumer = await self._connected()
        offsets = await consumer.beginning_offsets([TopicPartition(*place)])
        return int(offsets[TopicPartition(*place)])

    async def high_watermarks(self, places: Iterable[Place]) -> dict[Place, int]:
        """Return the offset after the last record of each partition, open transactions included.

        What this service itself produced lies below it, even behind a stranger's transaction.
        """
        consumer = await self._connected(READ_UNCOMMITTED)
        offsets = await consumer.end_offsets([TopicPartition(*place) for place in places])
        return {Place(*partition): int(offset) for partition, offset in offsets.items()}

    async def broker_answers(self, timeout_s: float = 1.0) -> bool:
        """Tell whether the broker answers a metadata request within `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                await (await self._connected()).topics()
        except Exception:  # noqa: BLE001  # whatever it is, it is no answer
            return False
        return True

    async def close(self) -> None:
        """Close the connections."""
        while self._consumers:
            _, consumer = self._consumers.popitem()
            await consumer.stop()

    async def _connected(self, isolation: str = READ_COMMITTED) -> AIOKafkaConsumer:
        async with self._connecting:
            if isolation not in self._consumers:
                self._consumers[isolation] = await self._connect(isolation)
            return self._consumers[isolation]

    async def _connect(self, isolation: str) -> AIOKafkaConsumer:
        consumer = AIOKafkaConsumer(
            **self._options,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level=isolation,
            fetch_max_wait_ms=FETCH_WAIT_MS,
        )
        await consumer.start()
        return consumer

    async def _collect(
        self,
        consumer: AIOKafkaConsumer,
        partition: TopicPartition,
        stretch: tuple[int, int],
        timeout_s: float,
    ) -> Span:
        records: list[Record] = []
        read_to, end = stretch
        deadline = asyncio.get_running_loop().time() + timeout_s
        held_bytes = 0
        while (
            read_to < end
            and held_bytes < self._most_bytes
            and asyncio.get_running_loop().time() < deadline
        ):
            fetched = await consumer.getmany(partition, timeout_ms=LOOK_MS)
            found = [as_record(each) for each in fetched.get(partition, [])]
            held_bytes += sum(len(record.value or b"") for record in found)
            records += found
            read_to = int(await consumer.position(partition))
        return Span([record for record in records if record.offset < end], min(read_to, end))


def as_record(found: ConsumerRecord[bytes, bytes]) -> Record:
    """Take over an aiokafka record."""
    return Record(
        topic=found.topic,
        partition=found.partition,
        offset=found.offset,
        key=found.key,
        value=found.value,
        headers=tuple(found.headers),
        timestamp_ms=found.timestamp,
    )
