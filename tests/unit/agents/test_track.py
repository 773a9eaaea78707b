"""Track: durable before known, announced once more after a crash, Redis told, purged whole."""

import asyncio
from typing import Any

import orjson
import pytest

from agents.track import Track, TrackOptions, VerdictDesk
from models.documents import ChunkOptions
from models.errors import BrokerUnavailable
from models.events import Event
from models.fold import Verdict
from models.rows import TaskRow
from models.states import Lane, TaskState
from models.units import Cut, DocumentFacts
from streams.board import FinalBell
from streams.codec import BadRecord, decode_file, encode
from streams.records import Record
from tests.unit.agents.fakes import FakeCache, Tables, TellingProducer
from tests.unit.models.making import (
    DEADLINE_MS,
    MAX_RUN_MS,
    OTHER_SOURCE,
    READING,
    SOURCE,
    TASK,
    accepted,
    cancel,
    deadline,
    failure,
    final_row,
    retention,
    row,
    started,
    unit_done,
)
from tests.unit.streams.fakes import NAMES, reason_of, record, tools

KEY = TASK.encode()


class Bench:
    """A track on fake tables; `crash` forgets everything but what is durable or local."""

    def __init__(self) -> None:
        self.tables = Tables()
        self.producer = TellingProducer(self.tables.journal)
        self.cache = FakeCache()
        self.finals = FinalBell()
        self.desk = VerdictDesk()
        self.track = Track(
            tools(self.producer),
            rows=self.tables.rows,
            finals=self.finals,
            verdicts=self.desk,
            cache=self.cache,
            options=TrackOptions(max_run_ms=MAX_RUN_MS, row_ttl_s=60),
        )

    async def fold(self, event: Event, offset: int) -> None:
        await (await self.track.begin(event_record(event, offset)))

    async def begun(self, event: Event, offset: int) -> "asyncio.Task[None]":
        rest: Any = await self.track.begin(event_record(event, offset))
        task: asyncio.Task[None] = asyncio.create_task(rest)
        for _ in range(5):
            await asyncio.sleep(0)
        return task

    @property
    def row(self) -> TaskRow | None:
        return self.tables.rows.stored(0, TASK)

    @property
    def durable(self) -> TaskRow | None:
        raw = self.tables.tasks.durable.get(KEY)
        return TaskRow.model_validate_json(raw) if raw else None

    @property
    def announced(self) -> list[str]:
        return [
            orjson.loads(each.value or b"")["status"] for each in self.producer.to(NAMES.results)
        ]


@pytest.fixture
async def bench() -> Bench:
    return Bench()


def event_record(event: Event, offset: int) -> Record:
    return record(offset, encode(event), key=event.task_id.encode(), topic=NAMES.events)


async def test_a_task_is_folded_to_its_end_and_announced_once(bench: Bench) -> None:
    events = [accepted(), started(), unit_done(0), unit_done(1)]
    for offset, event in enumerate(events, 3):
        await bench.fold(event, offset)
    assert bench.row == bench.durable
    assert bench.row is not None
    assert (bench.row.state, bench.row.version) == (TaskState.COMPLETED, 6)
    assert bench.row.announced
    assert bench.announced == ["completed"]
    assert bench.cache.finals[TASK] == bench.row
    assert bench.cache.marked == {}


async def test_the_row_is_durable_before_the_final_state_is_announced(bench: Bench) -> None:
    await bench.fold(accepted(total_units=1), 1)
    bench.tables.tasks.flow.clear()
    task = await bench.begun(unit_done(0), 2)
    assert bench.announced == []
    bench.tables.tasks.flow.set()
    await task
    assert bench.tables.journal == [
        "tasks durable",
        "tasks durable",
        "v.results sent",
        "tasks durable",
    ]


async def test_failures_are_durable_before_the_final_state_is_announced(bench: Bench) -> None:
    await bench.fold(accepted(total_units=1), 1)
    bench.tables.errors.flow.clear()
    task = await bench.begun(unit_done(0, failed=(0, 1)), 2)
    assert bench.announced == []
    bench.tables.errors.flow.set()
    await task
    assert bench.announced == ["failed"]
    assert bench.row is not None
    assert bench.tables.rows.errors(0, bench.row) == [failure(0), failure(1)]


async def test_a_waiting_reader_is_woken_only_after_the_announcement(bench: Bench) -> None:
    await bench.fold(accepted(total_units=1), 1)
    bench.producer.refuse.add(NAMES.results)
    waiter = asyncio.create_task(bench.finals.wait(TASK, 5))
    await asyncio.sleep(0)
    with pytest.raises(BrokerUnavailable):
        await bench.fold(unit_done(0), 2)
    assert not waiter.done()
    bench.producer.refuse.clear()
    await bench.fold(unit_done(0), 2)
    await asyncio.wait_for(waiter, 1)


async def test_after_a_crash_before_the_announcement_a_repeat_announces(bench: Bench) -> None:
    await bench.fold(accepted(total_units=1), 1)
    bench.producer.refuse.add(NAMES.results)
    with pytest.raises(BrokerUnavailable):
        await bench.fold(unit_done(0), 2)
    assert bench.durable is not None
    assert bench.durable.is_final
    assert not bench.durable.announced
    bench.producer.refuse.clear()
    await bench.fold(unit_done(0), 2)
    assert bench.announced == ["completed"]
    assert bench.durable.announced


async def test_after_the_announcement_a_repeat_says_nothing(bench: Bench) -> None:
    for _ in range(3):
        await bench.fold(accepted(total_units=1), 1)
        await bench.fold(unit_done(0), 2)
    assert bench.announced == ["completed"]


async def test_a_repeat_writes_the_row_again_since_its_changelog_may_lack_it(bench: Bench) -> None:
    bench.tables.tasks.down = True
    with pytest.raises(BrokerUnavailable):
        await bench.fold(accepted(), 1)
    assert bench.durable is None
    bench.tables.tasks.down = False
    await bench.fold(accepted(), 1)
    assert bench.durable == bench.row


async def test_errors_lost_in_a_crash_are_written_again_by_the_repeat(bench: Bench) -> None:
    events = [accepted(rejected=[failure(3)]), unit_done(0, failed=(1,))]
    bench.tables.errors.down = True
    for offset, event in enumerate(events, 1):
        with pytest.raises(BrokerUnavailable):
            await bench.fold(event, offset)
    bench.tables.errors.down = False
    for offset, event in enumerate(events, 1):
        await bench.fold(event, offset)
    assert set(bench.tables.errors.durable) == {b"task-a/0", b"task-a/1"}


async def test_a_second_run_that_failed_less_does_not_overwrite_the_first_runs_errors(
    bench: Bench,
) -> None:
    events = [accepted(), unit_done(0, failed=(0, 1)), unit_done(0, failed=(0,))]
    for offset, event in [*enumerate(events, 1), *enumerate(events, 1)]:
        await bench.fold(event, offset)
    assert bench.row is not None
    assert bench.tables.rows.errors(0, bench.row) == [failure(0), failure(1)]


@pytest.mark.parametrize(
    "before, event, verdict",
    [
        (None, accepted(), Verdict.OWN),
        (row(), accepted(), Verdict.OWN),
        (row(), accepted(source=OTHER_SOURCE), Verdict.REPEAT),
        (row(), accepted(source=OTHER_SOURCE, body_hash="b"), Verdict.CONFLICT),
        (final_row(announced=True), accepted(), Verdict.REPEAT),
        (final_row(announced=True), accepted(source=OTHER_SOURCE, body_hash="b"), Verdict.CONFLICT),
    ],
    ids=["new", "own again", "same body", "other body", "own but final", "other body, final"],
)
async def test_intake_is_told_the_verdict(
    bench: Bench, before: TaskRow | None, event: Any, verdict: Verdict
) -> None:
    if before is not None:
        await bench.tables.hold(before)
    answer = bench.desk.expect(TASK, event.source)
    await bench.fold(event, 20)
    assert await asyncio.wait_for(answer, 1) is verdict


@pytest.mark.parametrize(
    "event, state", [(cancel(), TaskState.CANCELLED), (deadline(), TaskState.EXPIRED)]
)
async def test_a_task_ended_early_is_marked_in_redis_for_the_workers(
    bench: Bench, event: Event, state: TaskState
) -> None:
    await bench.fold(accepted(deadline_ms=DEADLINE_MS), 1)
    await bench.fold(event, 2)
    assert bench.announced == [state]
    assert bench.cache.marked == {TASK: MAX_RUN_MS // 1000}
    assert bench.row is not None
    assert len(bench.row.sweeps_due_ms) == 2


async def test_a_late_unit_after_a_cancel_changes_no_state_and_announces_nothing_new(
    bench: Bench,
) -> None:
    for offset, event in enumerate([accepted(), cancel(), unit_done(0), unit_done(1)], 1):
        await bench.fold(event, offset)
    assert bench.row is not None
    assert bench.row.state is TaskState.CANCELLED
    assert bench.announced == ["cancelled"]


async def test_an_announcement_keeps_what_was_folded_meanwhile(bench: Bench) -> None:
    await bench.fold(accepted(), 1)
    bench.tables.tasks.flow.clear()
    slow = await bench.begun(cancel(), 2)
    later = await bench.begun(unit_done(0), 3)
    bench.tables.tasks.flow.set()
    await asyncio.gather(slow, later)
    assert bench.row is not None
    assert (bench.row.version, bench.row.announced) == (3, True)


async def test_a_purge_takes_row_errors_cache_and_index_entry(bench: Bench) -> None:
    events = [accepted(rejected=[failure(3)]), unit_done(0, failed=(0,)), unit_done(1)]
    for offset, event in enumerate(events, 1):
        await bench.fold(event, offset)
    assert len(bench.tables.errors.data) == 2
    await bench.fold(retention(), 9)
    assert bench.row is None
    assert bench.tables.errors.data == {}
    assert bench.tables.tasks.durable == {KEY: None}
    assert set(bench.tables.errors.durable.values()) == {None}
    assert bench.cache.forgotten == [TASK]
    assert len(bench.tables.rows._index(0)) == 0


async def test_an_unfinished_task_is_never_purged(bench: Bench) -> None:
    await bench.fold(accepted(), 1)
    await bench.fold(retention(), 2)
    assert bench.row is not None
    assert bench.cache.forgotten == []


async def test_events_of_an_unknown_task_write_nothing(bench: Bench) -> None:
    for offset, event in enumerate([unit_done(0), cancel(), retention(), started()], 1):
        await bench.fold(event, offset)
    assert bench.tables.tasks.data == {}
    assert bench.producer.sent == []


@pytest.mark.parametrize(
    "odd, reason",
    [
        (record(1, b"no json", key=KEY), "bad_record"),
        (record(1, None, key=KEY), "empty_record"),
        (record(1, encode(accepted()), key=b"other"), "wrong_key"),
        (record(1, encode(accepted()), key=None), "wrong_key"),
    ],
)
async def test_an_event_that_is_none_is_a_dead_letter_and_writes_nothing(
    bench: Bench, odd: Record, reason: str
) -> None:
    with pytest.raises(BadRecord) as caught:
        await bench.track.begin(odd)
    await bench.track.poison(odd, caught.value, 1)
    assert [reason_of(each) for each in bench.producer.to(NAMES.dead)] == [reason]
    assert bench.tables.tasks.data == {}


async def test_the_source_of_a_row_is_its_records_place(bench: Bench) -> None:
    await bench.fold(accepted(), 1)
    assert bench.row is not None
    assert bench.row.source == SOURCE


FILES = NAMES.files(Lane.NORMAL)
CLOSED = row(
    version=7,
    document=DocumentFacts(document_id="d", chunks=ChunkOptions(tokens=64)),
    closes=True,
    reading=READING,
    total_items=4,
    total_units=3,
    cut=Cut(max_text_bytes=1000, unit_items=2, unit_bytes=10_000, max_units=8),
    state=TaskState.PROCESSING,
)


async def test_chunks_stored_late_of_a_closed_document_have_it_closed_again(bench: Bench) -> None:
    """A later task may have removed what a unit that came again has stored once more."""
    await (await bench.tables.rows.put(0, CLOSED))
    for at, unit in enumerate((0, 1), 8):
        await bench.fold(unit_done(unit, reading=READING), at)
    await bench.fold(unit_done(2, stored=0, reading=READING), 10)
    assert bench.row is not None
    assert bench.row.state is TaskState.COMPLETED
    sent = bench.producer.to(FILES)
    assert len(sent) == 1, "when all its chunks stand"
    await bench.fold(unit_done(0, reading=READING), 11)
    again = bench.producer.to(FILES)
    assert len(again) == 2
    assert decode_file(again[1].value or b"")[0].closing
    await bench.fold(unit_done(2, stored=0, reading=READING), 12)
    await bench.fold(unit_done(1, stored=0, reading=READING), 13)
    assert len(bench.producer.to(FILES)) == 2
    assert len(bench.announced) == 1
