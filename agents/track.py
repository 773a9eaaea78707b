"""Track: the only writer of rows. It folds a task's events and tells what came of them.

The order that makes a crash at any point harmless: row into the table -> its changelog durable
-> the final state announced -> the row says so, durably -> the event is acknowledged. A repeat of
the event repeats what may not have happened.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import structlog

from models.events import Event, UnitDone
from models.files import closing_of, key_of
from models.fold import Folded, Verdict, fold
from models.rows import TaskRow
from models.states import SWEPT, TaskState
from models.units import SourcePlace
from streams import figures
from streams.announcing import announcement
from streams.board import FinalBell
from streams.codec import BadRecord, decode_event, encode_file
from streams.records import Record
from streams.row_store import RowStore
from streams.tools import StageTools

log = structlog.get_logger("agents.track")


class RowCache(Protocol):
    """The Redis side: final rows and marks of cancelled tasks."""

    async def put_final(self, row: TaskRow, ttl_s: int) -> None:
        """Keep a final row for readers."""

    async def mark_cancelled(self, task_id: str, ttl_s: int) -> None:
        """Let workers skip the task's units."""

    async def forget(self, task_ids: list[str]) -> None:
        """Drop what is kept of purged tasks."""


@dataclass(frozen=True, slots=True)
class TrackOptions:
    """What track must know of the settings."""

    max_run_ms: int
    row_ttl_s: int


class VerdictDesk:
    """Where intake waits for the fold of its `accepted` events."""

    def __init__(self) -> None:
        """Begin with nobody waiting."""
        self._waiting: dict[tuple[str, SourcePlace], asyncio.Future[Verdict]] = {}

    def expect(self, task_id: str, source: SourcePlace) -> "asyncio.Future[Verdict]":
        """The answer for this record, once folded."""
        place = (task_id, source)
        future = self._waiting.get(place)
        if future is None or future.done():
            future = self._waiting[place] = asyncio.get_running_loop().create_future()
            future.add_done_callback(partial(self._forget, place))
        return future

    def _forget(self, place: tuple[str, SourcePlace], ended: "asyncio.Future[Verdict]") -> None:
        if self._waiting.get(place) is ended:
            del self._waiting[place]

    def answer(self, task_id: str, source: SourcePlace, verdict: Verdict) -> None:
        """Tell whoever waits."""
        future = self._waiting.get((task_id, source))
        if future is not None and not future.done():
            future.set_result(verdict)


class Track:
    """Takes records of `vectorize.events`."""

    def __init__(
        self,
        tools: StageTools,
        *,
        rows: RowStore,
        finals: FinalBell,
        verdicts: VerdictDesk,
        cache: RowCache,
        options: TrackOptions,
    ) -> None:
        """Write to `rows`, announce by `producer`, then ring `finals`."""
        self._rows = rows
        self._finals = finals
        self._producer = tools.producer
        self._verdicts = verdicts
        self._dead_letters = tools.dead_letters
        self._cache = cache
        self._names = tools.names
        self._options = options
        self._clock = tools.clock
        self._announcing: set[str] = set()

    async def begin(self, record: Record) -> Awaitable[None]:
        """Fold an event in the partition's order; what is returned makes it durable and known."""
        event = decode_event(record.value)
        if (record.key or b"") != event.task_id.encode():
            raise BadRecord("wrong_key", "the key of an event is its task id")
        row = self._rows.stored(record.partition, event.task_id)
        folded = fold(row, event, record.offset, max_run_ms=self._options.max_run_ms)
        writes = await self._write(record.partition, event, row, folded)
        self._answer(event, folded)
        if folded.row is not None and is_late_chunk(event, folded.row):
            await self._have_closed(folded.row)
        return self._conclude(record.partition, folded, writes, event.task_id)

    async def poison(self, record: Record, error: Exception, attempts: int) -> None:
        """Send an event nobody can read to the dead letters."""
        reason = error.reason if isinstance(error, BadRecord) else "track_failed"
        await self._dead_letters.bury(
            record, stage="track", reason=reason, detail=str(error), attempts=attempts
        )

    async def _write(
        self, partition: int, event: Event, row: TaskRow | None, folded: Folded
    ) -> list[Awaitable[None]]:
        """Write what the event came to, a repeat too.

        A row that stands here may never have reached the changelog before the process that wrote
        it died.
        """
        if folded.purged and row is not None:
            return await self._rows.purge(partition, row)
        if folded.row is None:
            return []
        writes = [await self._rows.put(partition, folded.row)]
        if folded.error_unit is not None:
            writes.append(
                await self._rows.put_errors(
                    partition,
                    event.task_id,
                    folded.error_unit,
                    failures=folded.errors,
                    again=not folded.changed,
                )
            )
        return writes

    def _answer(self, event: Event, folded: Folded) -> None:
        """Tell intake; a final task leaves nothing to send, like a repeat."""
        if folded.verdict is None or folded.row is None or event.kind != "accepted":
            return
        done = folded.verdict is Verdict.OWN and folded.row.is_final
        verdict = Verdict.REPEAT if done else folded.verdict
        self._verdicts.answer(event.task_id, event.source, verdict)

    async def _conclude(
        self, partition: int, folded: Folded, writes: list[Awaitable[None]], task_id: str
    ) -> None:
        await asyncio.gather(*writes)
        if folded.purged:
            await self._cache.forget([task_id])
        elif folded.row is not None and folded.row.is_to_be_closed:
            await self._have_closed(folded.row)
        elif folded.row is not None and folded.announce and not self._told(partition, task_id):
            self._announcing.add(task_id)
            try:
                await self._announce(partition, folded.row)
            finally:
                self._announcing.discard(task_id)
        if folded.row is not None and folded.row.is_final and task_id not in self._announcing:
            self._finals.ring(task_id)

    async def _have_closed(self, row: TaskRow) -> None:
        """Have the document of a task closed whose chunks all stand; once more does no harm."""
        order = closing_of(row, self._clock.now_ms())
        await self._producer.send(
            self._names.files(row.lane), key_of(order), encode_file(order, b"")
        )

    def _told(self, partition: int, task_id: str) -> bool:
        """Tell whether another event announced the task, or is at it: that one repeats if need be.

        The other event is not acknowledged before; should it fail, its repeat announces.
        """
        latest = self._rows.stored(partition, task_id)
        return task_id in self._announcing or (latest is not None and latest.announced)

    async def _announce(self, partition: int, row: TaskRow) -> None:
        note = announcement(row)
        await self._producer.send(
            self._names.results, row.task_id.encode(), note.value, headers=note.headers
        )
        latest = self._rows.stored(partition, row.task_id)
        if latest is not None:
            told = latest.model_copy(update={"announced": True})
            await (await self._rows.put(partition, told))
            await self._cache.put_final(told, self._options.row_ttl_s)
        if row.state in SWEPT:
            await self._cache.mark_cancelled(row.task_id, self._options.max_run_ms // 1000)
        self._count(row)

    def _count(self, row: TaskRow) -> None:
        seconds = ((row.finished_ms or row.submitted_ms) - row.submitted_ms) / 1000
        figures.TASKS_FINISHED.labels(row.state).inc()
        if row.state is TaskState.COMPLETED:
            figures.TASK_SECONDS.observe(seconds)
        log.info(
            "task_finished",
            task_id=row.task_id,
            state=row.state,
            items=row.total_items,
            stored=row.stored_items,
            failed=row.failed_items,
            seconds=seconds,
        )


def is_late_chunk(event: Event, row: TaskRow) -> bool:
    """Whether chunks were stored of a document that was closed before.

    A unit may come again after a kill, when a later task has removed what it stores: closing the
    document once more removes it again.
    """
    return (
        isinstance(event, UnitDone)
        and row.closes
        and row.state is TaskState.COMPLETED
        and event.stored > 0
        and event.unit != row.total_units - 1
    )
