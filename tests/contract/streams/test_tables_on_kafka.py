"""Sends and tables on a real broker: nothing counts before the broker has it (T2, T4); a changelog
that lost records recovers (T7)."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from models.errors import BrokerUnavailable
from scripts.stack import StackState, load_state
from streams.app import StageApp
from streams.producing import FaustProducer
from streams.tables import DurableTable
from tests.contract.streams.conftest import Broker, Running, Taker, until_true
from tests.harness import until, until_sync

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

ROWS = 60


@contextmanager
def frozen_kafka(stack: StackState) -> Iterator[None]:
    """Kafka takes no step while the block runs."""
    state = load_state(stack.directory)
    assert state is not None
    reference = state.server("kafka").process
    assert reference is not None
    process = psutil.Process(reference.pid)
    process.suspend()
    try:
        # On a busy machine the signal may take a while, and the broker answers meanwhile.
        until_sync("it stands still", lambda: process.status() == psutil.STATUS_STOPPED)
        yield
    finally:
        process.resume()


class Tables:
    """A table of the test's own, made when its app is."""

    def __init__(self, partitions: int = 1) -> None:
        self.partitions = partitions
        self.table: DurableTable | None = None

    def prepare(self, app: StageApp) -> None:
        self.table = DurableTable(app, "rows", self.partitions)

    async def put(self, key: bytes, value: bytes | None) -> None:
        """Write a row and wait until the changelog has it."""
        assert self.table is not None
        await (await self.table.put(0, key, value))

    def rows(self, partition: int = 0) -> dict[bytes, bytes]:
        assert self.table is not None
        return dict(self.table.scan(partition))

    def changelog(self, broker: Broker) -> str:
        return f"{broker.group}-rows-changelog"


async def test_a_send_ends_only_when_the_broker_has_the_record(
    broker: Broker, running: Running, stack: StackState
) -> None:
    await broker.create(broker.name)
    taker = Taker()
    async with running(taker) as app:
        producer = FaustProducer(app)
        await producer.send(broker.name, b"k", b"0")
        with frozen_kafka(stack):
            begun = await app.producer.send(broker.name, b"k", b"1", None, None, None)
            assert not begun.done(), "Faust's own send ends here, and proves nothing (T2)"
            with pytest.raises(BrokerUnavailable, match="unknown"):
                await producer.send(broker.name, b"k", b"2", timeout_s=0.5)
        await producer.send(broker.name, b"k", b"3")
        await until_true("all came", lambda: taker.numbers == [0, 1, 2, 3])


async def test_an_event_is_not_committed_before_the_row_it_made_is_in_the_changelog(
    broker: Broker, running: Running, stack: StackState
) -> None:
    tables = Tables()
    await broker.create(broker.name)
    await broker.create(tables.changelog(broker), **{"cleanup.policy": "compact"})

    async def begin(record: object) -> None:
        await tables.put(b"row", b"1")

    taker = Taker(begin)
    async with running(taker, prepare=tables.prepare) as app:
        await broker.put(1)
        await broker.until_committed(1)
        with frozen_kafka(stack):
            writing = asyncio.create_task(tables.put(b"row", b"2"))
            await asyncio.sleep(0.5)  # Faust's flush would have given up after 0.1 s (T4)
            assert not writing.done()
            assert tables.rows()[b"row"] == b"2", "the local row is ahead, which is why we wait"
        await writing
        assert app.deliveries.in_flight == 0


async def test_a_table_tells_what_it_holds_in_memory_until_it_is_in_files(
    broker: Broker, running: Running
) -> None:
    tables = Tables()
    await broker.create(broker.name)
    await broker.create(tables.changelog(broker), **{"cleanup.policy": "compact"})
    async with running(Taker(), prepare=tables.prepare):
        await tables.put(b"row", b"1")
        before = tables.table.buffers_bytes()
        await tables.put(b"large", bytes(300_000))
        assert 300_000 <= tables.table.buffers_bytes() - before < 600_000
    assert tables.table.buffers_bytes() == 0, "it is closed, and may be asked still"


@pytest.mark.parametrize("lost", [0, ROWS // 2, ROWS], ids=["nothing", "its head", "everything"])
async def test_a_changelog_that_lost_records_recovers_with_what_is_left(
    broker: Broker, running: Running, lost: int
) -> None:
    await broker.create(broker.name, 2)
    tables = Tables(2)
    changelog = tables.changelog(broker)
    # Not compacted, as ours are: the broker deletes from the head of such topics only.
    await broker.create(changelog, 2, **{"cleanup.policy": "delete"})
    async with running(Taker(), prepare=tables.prepare):
        await asyncio.gather(*(tables.put(b"%d" % n, b"row %d" % n) for n in range(ROWS)))
    place = TopicPartition(changelog, 0)
    if lost:
        await broker.admin.delete_records({place: RecordsToDelete(before_offset=lost)})

    recovered = Tables(2)
    async with running(Taker(), data="empty", prepare=recovered.prepare) as app:

        async def in_standing() -> bool:
            return bool(app.in_standing())

        await until("it has recovered", in_standing)
        left = {b"%d" % n: b"row %d" % n for n in range(lost, ROWS)}
        assert {key: recovered.rows()[key] for key in left} == left
        assert len(recovered.rows()) in {len(left), len(left) + 1}  # Faust's own key
        await recovered.put(b"after", b"all")
        assert recovered.rows()[b"after"] == b"all"
