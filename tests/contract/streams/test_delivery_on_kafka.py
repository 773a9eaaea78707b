"""Our delivery on a real broker, where Faust's own fails: T1, T3, T5, T18, A5 of the references.

Two tests run Faust as it comes, and show that the fault is still there: once they fail, Faust has
been mended, and what we replace may go.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any

import faust
import pytest
from faust.types import TP
from yarl import URL

from streams import figures
from streams.app import StageApp
from streams.codec import BadRecord
from streams.records import Record
from streams.retry import RetryPolicy
from tests.contract.streams.conftest import Broker, Running, Taker, until_true
from tests.harness.kafka import producer

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

#: Records of a partition that are enough for a rebalance to come in the middle.
EACH = 4_000


class Held:
    """Work that waits for its turn, record by record."""

    def __init__(self, *numbers: int) -> None:
        self.turns = {number: asyncio.Event() for number in numbers}

    async def begin(self, record: Record) -> Awaitable[None] | None:
        turn = self.turns.get(int(record.value or b"-1"))
        return self._wait(turn) if turn else None

    async def _wait(self, turn: asyncio.Event) -> None:
        await turn.wait()


async def test_no_offset_is_committed_past_a_record_that_is_worked_on(
    broker: Broker, running: Running
) -> None:
    await broker.create(broker.name)
    await broker.put(10)
    held = Held(0, 4)
    taker = Taker(held.begin)
    async with running(taker):
        await until_true("all are taken", lambda: len(taker.taken) == 10)
        held.turns[4].set()
        await asyncio.sleep(0.6)  # several commits long: nothing may be committed in them
        assert await broker.committed() in {None, 0}
        held.turns[0].set()
        await broker.until_committed(10)


async def test_what_was_worked_on_when_a_process_left_comes_to_the_next(
    broker: Broker, running: Running
) -> None:
    await broker.create(broker.name)
    await broker.put(6)
    held = Held(2)
    first, second = Taker(held.begin), Taker()
    async with running(first):
        await until_true("all are taken", lambda: len(first.taken) == 6)
        await broker.until_committed(2)
    assert await broker.committed() == 2
    async with running(second, data="other"):
        await broker.until_committed(6)
    assert second.numbers == [2, 3, 4, 5]


async def test_a_record_over_which_the_stage_raises_keeps_nothing_from_its_neighbours(
    broker: Broker, running: Running
) -> None:
    await broker.create(broker.name)
    await broker.put(12)
    tries: list[int] = []

    async def begin(record: Record) -> None:
        if record.offset in {3, 7}:
            tries.append(record.offset)
            raise BadRecord("bad", "of no use") if record.offset == 3 else RuntimeError("odd")

    taker = Taker(begin)
    retry = RetryPolicy(first_wait_s=0.01, longest_wait_s=0.02, attempts=3)
    async with running(taker, retry=retry):
        await broker.until_committed(12)
    assert {record.offset for record in taker.taken} == set(range(12))
    assert [record.offset for record in taker.buried] == [3, 7]
    assert tries == [3, 7, 7, 7], "what can never be read is tried once, what failed again"


async def test_bytes_that_nobody_can_read_and_tombstones_end_no_agent(
    broker: Broker, running: Running
) -> None:
    await broker.create(broker.name)
    values = [b"0", b"\xff\xfe", None, b"{", b"", b"5"]
    async with producer(broker.servers) as sending:
        for value in values:
            await sending.send_and_wait(broker.name, value, key=b"\xff", partition=0)

    async def begin(record: Record) -> None:
        int(record.value or b"x")

    taker = Taker(begin)
    async with running(taker, retry=RetryPolicy(first_wait_s=0.01, attempts=1)):
        await broker.until_committed(len(values))
        assert [record.value for record in taker.taken] == values
        assert [record.offset for record in taker.buried] == [1, 2, 3, 4]
        await broker.put(1, first=6)
        await broker.until_committed(len(values) + 1)


async def test_a_commit_that_fails_is_not_taken_for_done(broker: Broker, running: Running) -> None:
    await broker.create(broker.name)
    await broker.put(5)
    taker = Taker()
    place = TP(broker.name, 0)
    async with running(taker) as app:
        await broker.until_committed(5)
        commit, refused = app.consumer._commit, []

        async def refuse(offsets: Any) -> bool:
            refused.append(dict(offsets))
            return False

        app.consumer._commit = refuse
        await broker.put(5, first=5)
        await until_true("commits were refused", lambda: len(refused) >= 2)
        assert app.consumer._committed_offset[place] == 5
        assert refused[-1] == {place: 10}, "the same offset is tried again"
        app.consumer._commit = commit
        await broker.until_committed(10)


async def test_a_fetch_for_other_partitions_holds_a_record_up_for_moments_only(
    broker: Broker, running: Running
) -> None:
    """While one partition's records wait in the client, a fetch goes out for the others alone."""
    await broker.create(broker.name)
    async with running(Taker()) as app:
        consumer = app.consumer._thread._consumer
        assert consumer._fetch_max_wait_ms == consumer._fetcher._fetch_max_wait_ms
        assert consumer._fetch_max_wait_ms == app.fetch_max_wait_ms == 50
        assert consumer._isolation_level == "read_committed"


async def test_records_that_faust_drops_while_its_flow_is_suspended_are_delivered_in_order(
    broker: Broker, running: Running
) -> None:
    await broker.create(broker.name)
    await broker.put(6_000)

    async def slowly(record: Record) -> None:
        if record.offset % 50 == 0:
            await asyncio.sleep(0.001)

    taker = Taker(slowly)
    before = figures.HOLES_DELIVERED.labels("taker")._value.get()
    async with running(taker) as app:
        for shown in (200, 900, 1_800, 2_700, 3_600):
            await until_true(f"{shown} are taken", lambda shown=shown: len(taker.taken) >= shown)  # type: ignore[misc]
            await suspend_for(app, 0.03)
        await broker.until_committed(6_000)
    assert taker.numbers == list(range(6_000))
    assert figures.HOLES_DELIVERED.labels("taker")._value.get() > before, "Faust dropped none"


async def suspend_for(app: StageApp, seconds: float) -> None:
    """What a rebalance does to the flow, at any moment one likes."""
    app.flow_control.suspend()
    app.consumer.stop_flow()
    await asyncio.sleep(seconds)
    app.consumer.resume_flow()
    app.flow_control.resume()


async def test_a_rebalance_in_the_middle_of_a_full_buffer_loses_nothing(
    broker: Broker, running: Running
) -> None:
    await broker.create(broker.name, 2)
    for partition in (0, 1):
        await broker.put(EACH, partition=partition)

    async def slowly(record: Record) -> None:
        await asyncio.sleep(0.001)

    staying, visiting = Taker(slowly), Taker(slowly)
    async with running(staying):
        await until_true("some are taken", lambda: len(staying.taken) >= 100)
        async with running(visiting, data="visitor"):
            await until_true("the visitor works", lambda: len(visiting.taken) >= 50)
        for partition in (0, 1):
            await broker.until_committed(EACH, partition=partition)
    together = {(r.partition, r.offset) for r in [*staying.taken, *visiting.taken]}
    assert together == {(partition, n) for partition in (0, 1) for n in range(EACH)}
    assert len(staying.taken) < 2 * EACH, "the visitor took nothing over"


# -- Faust as it comes -------------------------------------------------------------------------


def stock_app(broker: Broker) -> Any:
    return faust.App(
        broker.group,
        broker=URL(f"aiokafka://{broker.servers}"),
        autodiscover=False,
        web_enabled=False,
        broker_commit_interval=0.2,
        consumer_auto_offset_reset="earliest",
        topic_disable_leader=True,
        logging_config=None,
    )


async def test_faust_itself_commits_past_an_unfinished_record(broker: Broker) -> None:
    await broker.create(broker.name)
    await broker.put(10)
    app, seen = stock_app(broker), []
    topic = app.topic(broker.name, value_type=bytes, value_serializer="raw")

    async def agent(stream: Any) -> None:
        async for event in stream.noack().events():
            seen.append(event)
            if event.message.offset != 0:
                event.ack()

    app.agent(topic, name="stock")(agent)
    await app.start()
    try:
        await until_true("all were seen", lambda: len(seen) == 10)
        await broker.until_committed(10)  # though record 0 was never acknowledged (T1)
    finally:
        for event in seen:
            event.ack()  # else it waits for it without limit, at its end
        await app.stop()


async def test_faust_itself_acknowledges_a_record_over_which_its_agent_raised(
    broker: Broker,
) -> None:
    await broker.create(broker.name)
    await broker.put(3)
    app, seen = stock_app(broker), []
    topic = app.topic(broker.name, value_type=bytes, value_serializer="raw")

    async def agent(stream: Any) -> None:
        async for value in stream:
            seen.append(value)
            if value == b"1":
                raise RuntimeError("a bad moment")

    app.agent(topic, name="stock")(agent)
    await app.start()
    try:
        await until_true("the last was seen", lambda: b"2" in seen)
        await broker.until_committed(3)
    finally:
        await app.stop()
    assert seen.count(b"1") == 1, "it is lost, and nobody was told (T3)"
