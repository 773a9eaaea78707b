"""Upkeep: deadlines, retention, sweeps and the sending again of what was lost, each by an event."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from agents.upkeep import Upkeep, UpkeepOptions
from models.documents import ChunkOptions
from models.encoding import EncodeOptions, Truncate
from models.errors import VectorStoreUnavailable
from models.events import DeadlinePassed, Swept
from models.rows import TaskRow
from models.splitting import TaskLimits
from models.states import Lane, TaskState, TaskType
from models.tasks import TaskRequest
from models.time_limits import MOST_RESENDS, TimeLimit
from models.units import DocumentFacts, SourcePlace
from models.vectors import Space
from stores.memory import MemoryStore
from streams.codec import decode_file, decode_unit
from tests.harness.waiting import until
from tests.unit.agents.fakes import Tables, events_of, kinds_of, topics_of
from tests.unit.models.making import (
    DEADLINE_MS,
    NOW_MS,
    SOURCE,
    TASK,
    final_row,
    request,
    row,
)
from tests.unit.streams.fakes import NAMES, FakeClock, FakeProducer, tools

HOUR_MS = 3_600_000
LIMITS = TaskLimits(unit_items=2)


class Sweeper(MemoryStore):
    """Writes down what it is to remove."""

    def __init__(self) -> None:
        super().__init__()
        self.removed: list[tuple[Space, str]] = []
        self.down = False
        self.hangs = False

    async def delete_task(self, space: Space, task_id: str) -> int:
        if self.hangs:
            await asyncio.Event().wait()
        if self.down:
            raise VectorStoreUnavailable
        self.removed.append((space, task_id))
        return 1


class Bench:
    def __init__(self) -> None:
        self.tables = Tables()
        self.producer = FakeProducer()
        self.clock = FakeClock()
        self.sweeper = Sweeper()
        self.idle = True
        self.sources: dict[SourcePlace, TaskRequest] = {
            SOURCE: request(["a", "", "b", "c", "d"], metadata={"k": 1})
        }
        self.upkeep = Upkeep(
            tools(self.producer, self.clock),
            rows=self.tables.rows,
            writer=self.sweeper,
            source=self._source,
            pipeline_idle=self._idle,
            options=UpkeepOptions(limits=LIMITS, retention_hours=1, stalled_after_s=10),
        )

    async def _source(self, place: SourcePlace) -> TaskRequest | None:
        return self.sources.get(place)

    async def _idle(self) -> bool:
        return self.idle

    async def look(self, *rows: TaskRow, later_ms: int = 0) -> list[str]:
        await self.tables.hold(*rows)
        self.clock.at_ms = NOW_MS + later_ms
        await self.round()
        return kinds_of(self.producer)

    async def round(self) -> None:
        """Do all of it once."""
        await self.upkeep.look_at_clocks()
        await self.upkeep.look_at_rows()
        await self.upkeep.sweep()

    @property
    def resent(self) -> list[int]:
        sent = [each for each in self.producer.sent if ".units." in each.topic]
        return [decode_unit(each.value).number for each in sent]

    async def told(self) -> bool:
        return bool(self.limits)

    @property
    def limits(self) -> list[TimeLimit]:
        """The limits that were told to have passed."""
        events = events_of(self.producer)
        return [each.limit for each in events if isinstance(each, DeadlinePassed)]


@pytest.fixture
async def bench() -> Bench:
    return Bench()


@pytest.mark.parametrize("state", [TaskState.PENDING, TaskState.PROCESSING])
async def test_a_deadline_passed_is_told_and_not_a_moment_early(
    bench: Bench, state: TaskState
) -> None:
    due = row(state=state, deadline_ms=DEADLINE_MS, last_event_ms=DEADLINE_MS)
    assert await bench.look(due, later_ms=DEADLINE_MS - NOW_MS - 1) == []
    assert await bench.look(due, later_ms=DEADLINE_MS - NOW_MS) == ["deadline_passed"]
    assert (bench.producer.sent[0].key, bench.producer.partitions) == (TASK.encode(), [0])


@pytest.mark.parametrize(
    "limit, facts, after_ms",
    [
        (TimeLimit.QUEUE, {"state": TaskState.PENDING, "queue_timeout_ms": 5_000}, 5_000),
        (TimeLimit.RUN, {"run_timeout_ms": 7_000, "started_ms": NOW_MS + 500}, 7_500),
    ],
)
async def test_each_limit_of_time_is_told_by_its_name_and_not_a_moment_early(
    bench: Bench, limit: TimeLimit, facts: dict[str, object], after_ms: int
) -> None:
    whole = {
        "state": TaskState.PROCESSING,
        "submitted_ms": NOW_MS,
        "last_event_ms": NOW_MS,
        **facts,
    }
    assert await bench.look(row(**whole), later_ms=after_ms - 1) == []
    assert await bench.look(row(**whole), later_ms=after_ms) == ["deadline_passed"]
    assert bench.limits == [limit]


async def test_a_limit_that_passed_is_told_again_only_after_a_while(bench: Bench) -> None:
    due = row(state=TaskState.PENDING, queue_timeout_ms=1_000, submitted_ms=NOW_MS)
    for later_ms, told in ((1_000, 1), (1_250, 1), (5_999, 1), (6_000, 2)):
        assert await bench.look(due, later_ms=later_ms) == ["deadline_passed"] * told


async def test_a_vector_store_that_hangs_holds_up_no_clock(bench: Bench) -> None:
    bench.sweeper.hangs = True
    swept = final_row(TaskState.CANCELLED, task_id="swept", sweeps_due_ms=[NOW_MS])
    due = row(state=TaskState.PENDING, queue_timeout_ms=1_000, submitted_ms=NOW_MS)
    await bench.tables.hold(swept, due)
    bench.clock.at_ms = NOW_MS + 1_000
    running = asyncio.create_task(bench.upkeep.run())
    try:
        await until("the clock is told", bench.told)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_finished_task_and_one_without_deadline_never_expire(bench: Bench) -> None:
    rows = [row(task_id="a"), final_row(task_id="b", deadline_ms=NOW_MS - 1)]
    assert await bench.look(*rows) == []


async def test_a_final_task_is_purged_after_its_retention_only(bench: Bench) -> None:
    finished = final_row(submitted_ms=NOW_MS - 2 * HOUR_MS, finished_ms=NOW_MS - HOUR_MS)
    assert await bench.look(finished) == []
    assert await bench.look(finished, later_ms=1) == ["retention_passed"]


async def test_an_unfinished_task_is_kept_however_old(bench: Bench) -> None:
    bench.idle = False
    old = row(submitted_ms=NOW_MS - 99 * HOUR_MS, last_event_ms=NOW_MS - 99 * HOUR_MS)
    assert await bench.look(old) == []


async def test_a_due_sweep_removes_the_tasks_vectors_and_then_says_so(bench: Bench) -> None:
    cancelled = final_row(TaskState.CANCELLED, sweeps_due_ms=[NOW_MS, NOW_MS + 500], tenant="acme")
    assert await bench.look(cancelled, later_ms=-1) == []
    assert await bench.look(cancelled) == ["swept"]
    assert bench.sweeper.removed == [
        (Space(tenant="acme", collection="Tiny", fingerprint="f1"), TASK)
    ]
    (event,) = events_of(bench.producer)
    assert isinstance(event, Swept)
    assert event.due_ms == NOW_MS


async def test_a_sweep_that_failed_is_not_noted(bench: Bench) -> None:
    bench.sweeper.down = True
    with suppress(VectorStoreUnavailable):
        await bench.look(final_row(TaskState.CANCELLED, sweeps_due_ms=[NOW_MS]))
    assert bench.producer.sent == []


async def test_an_outage_of_the_store_holds_up_nothing_but_sweeps(bench: Bench) -> None:
    bench.sweeper.down = True
    rows = [final_row(TaskState.CANCELLED, task_id="b", sweeps_due_ms=[NOW_MS]), stalled()]
    with suppress(VectorStoreUnavailable):
        await bench.look(*rows)
    assert kinds_of(bench.producer) == ["units_resent"]


def stalled(**changes: Any) -> TaskRow:
    facts = {"last_event_ms": NOW_MS - 10_001, "total_items": 5, "metadata": {"k": 1}}
    return row(**facts | changes)


async def test_a_stalled_tasks_missing_units_are_sent_again_as_they_were(bench: Bench) -> None:
    await bench.look(stalled(state=TaskState.PROCESSING, done_units=0b01, lane=Lane.HIGH))
    assert topics_of(bench.producer.sent) == [NAMES.events, NAMES.units(Lane.HIGH)]
    assert kinds_of(bench.producer) == ["units_resent"]
    again = decode_unit(bench.producer.sent[1].value)
    assert again.number == 1
    assert [(item.index, item.text) for item in again.items] == [(3, "c"), (4, "d")]
    assert (again.source, again.metadata) == (SOURCE, {"k": 1})
    assert bench.producer.sent[1].key == b"task-a/1"


async def test_units_sent_again_are_encoded_as_the_first_ones_were(bench: Bench) -> None:
    """The row knows how; the catalog may say something else by now."""
    options = EncodeOptions(prompt="p: ", dimensions=2, normalize=False, truncate=Truncate.START)
    await bench.look(stalled(options=options, fingerprint="f2", input_type=""))
    sent = [decode_unit(each.value) for each in bench.producer.sent if ".units." in each.topic]
    assert [(unit.options, unit.fingerprint) for unit in sent] == [(options, "f2")] * 2


async def test_a_stalled_document_is_sent_again_to_be_read(bench: Bench) -> None:
    facts = DocumentFacts(filename="a.txt", chunks=ChunkOptions(tokens=8))
    bench.sources[SOURCE] = TaskRequest(task_type=TaskType.DOCUMENT, data="YWI=")
    await bench.look(
        stalled(
            document=facts, reading="r1", cut=LIMITS.cut, lane=Lane.LOW, total_items=0,
            done_units=0b01,
        )
    )  # fmt: skip
    assert topics_of(bench.producer.sent) == [NAMES.events, NAMES.files(Lane.LOW)]
    order, content = decode_file(bench.producer.sent[1].value)
    assert (content, order.document, order.source) == (b"ab", facts, SOURCE)
    assert (order.reading, bench.producer.sent[1].key) == (None, TASK.encode())


async def test_a_task_never_started_is_sent_again_whole(bench: Bench) -> None:
    await bench.look(stalled())
    assert bench.resent == [0, 1]


async def test_a_task_that_waits_in_a_queue_is_not_stalled(bench: Bench) -> None:
    bench.idle = False
    assert await bench.look(stalled()) == []
    assert bench.producer.sent == []


async def test_a_task_that_moved_lately_is_not_stalled(bench: Bench) -> None:
    await bench.look(stalled(last_event_ms=NOW_MS - 10_000))
    assert bench.producer.sent == []


async def test_a_final_task_is_not_sent_again(bench: Bench) -> None:
    await bench.look(final_row(last_event_ms=NOW_MS - 10_001))
    assert bench.producer.sent == []


async def test_a_task_is_not_sent_again_for_ever(bench: Bench) -> None:
    assert await bench.look(stalled(resent=MOST_RESENDS)) == ["deadline_passed"]
    assert bench.limits == [TimeLimit.HEARTBEAT]


async def test_a_task_whose_source_is_gone_is_left_alone(bench: Bench) -> None:
    bench.sources.clear()
    await bench.look(stalled())
    assert bench.producer.sent == []


async def test_units_are_never_sent_under_numbers_that_meant_other_items(bench: Bench) -> None:
    """The row was cut into one unit of four (another task.unit_items); today it makes two."""
    await bench.look(stalled(total_units=1))
    sent = [each for each in bench.producer.sent if ".units." in each.topic]
    items = {decode_unit(each.value).number: decode_unit(each.value).items for each in sent}
    assert [item.index for item in items.get(0, [])] in ([], [0, 2, 3, 4])


async def test_partitions_not_loaded_yet_are_left_alone(bench: Bench) -> None:
    await bench.tables.hold(stalled())
    bench.tables.rows.drop_indexes()
    await bench.round()
    assert bench.producer.sent == []
