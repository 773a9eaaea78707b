"""Upkeep: what is due on the rows a master owns, without anybody asking.

Deadlines, retention, the removal of cancelled tasks' vectors, and the reconcile sweep. Each only
sends an event (or removes vectors and then sends one): the fold alone changes rows.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from models.bitmap import contains
from models.errors import Unavailable
from models.events import DeadlinePassed, Event, RetentionPassed, Swept, UnitsResent
from models.file_sources import inline_bytes
from models.files import closing_of, file_of, key_of
from models.rows import TaskRow
from models.splitting import TaskLimits, refused_items, split
from models.tasks import TaskRequest
from models.time_limits import MOST_RESENDS, TimeLimit, passed_limit
from models.unit_making import unit_of
from models.units import SourcePlace
from models.vectors import Space
from stores.vector_store import VectorWriter
from streams import figures
from streams.codec import encode, encode_file
from streams.index import Entry
from streams.row_store import RowStore
from streams.tools import StageTools

log = structlog.get_logger("agents.upkeep")

HOUR_MS = 3_600_000
#: A task expires so late at most. A look reads what is due only.
CLOCKS_INTERVAL_S = 0.25
#: The fold may be busy: what was told is told again after so long.
TELL_AGAIN_MS = 5_000
#: Rows purged in one round, so that a round stays short.
PURGED_A_ROUND = 500


@dataclass(frozen=True, slots=True)
class UpkeepOptions:
    """What upkeep must know of the settings."""

    limits: TaskLimits
    retention_hours: int
    stalled_after_s: float
    interval_s: float = 1.0


class Upkeep:
    """The periodic work of a master."""

    def __init__(
        self,
        tools: StageTools,
        *,
        rows: RowStore,
        writer: VectorWriter,
        source: Callable[[SourcePlace], Awaitable[TaskRequest | None]],
        pipeline_idle: Callable[[], Awaitable[bool]],
        options: UpkeepOptions,
    ) -> None:
        """`source` reads a task's record; `pipeline_idle` tells that no lane has a backlog."""
        self._rows = rows
        self._producer = tools.producer
        self._writer = writer
        self._source = source
        self._pipeline_idle = pipeline_idle
        self._names = tools.names
        self._options = options
        self._clock = tools.clock
        self._told_ms: dict[str, int] = {}

    async def run(self) -> None:
        """Look for what is due until cancelled; nothing of it waits for the rest.

        A vector store that hangs holds up the sweeps, and a deadline must pass even so.
        """
        async with asyncio.TaskGroup() as group:
            for look, interval_s in (
                (self.look_at_clocks, CLOCKS_INTERVAL_S),
                (self.look_at_rows, self._options.interval_s),
                (self.sweep, self._options.interval_s),
            ):
                group.create_task(_again_and_again(look, interval_s))

    async def look_at_clocks(self) -> None:
        """Tell which limits of time have passed."""
        told: dict[str, int] = {}
        for partition, index in list(self._rows.indexes()):
            now_ms = self._clock.now_ms()
            for entry in index.due(now_ms):
                told_ms = self._told_ms.get(entry.task_id)
                if told_ms is None or now_ms - told_ms >= TELL_AGAIN_MS:
                    told_ms = now_ms
                    await self._expire(partition, entry.task_id, now_ms)
                told[entry.task_id] = told_ms
        self._told_ms = told

    async def sweep(self) -> None:
        """Remove the vectors that are due to go."""
        for partition, index in list(self._rows.indexes()):
            await self._sweep_all(partition, index.to_sweep(self._clock.now_ms()))

    async def look_at_rows(self) -> None:
        """Tell which tasks are old enough to be purged, and send again what stands still."""
        known = 0
        for partition, index in list(self._rows.indexes()):
            now_ms = self._clock.now_ms()
            known += len(index)
            oldest = now_ms - self._options.retention_hours * HOUR_MS
            for entry in index.finished_before(oldest, PURGED_A_ROUND):
                await self._send(RetentionPassed(task_id=entry.task_id, at_ms=now_ms), partition)
            await self._resend_stalled(partition, list(index.unfinished()), now_ms)
        figures.ROWS.set(known)

    async def _send(self, event: Event, partition: int) -> None:
        await self._producer.send(
            self._names.events, event.task_id.encode(), encode(event), partition=partition
        )

    async def _expire(self, partition: int, task_id: str, now_ms: int) -> None:
        """Say which of a task's limits of time has passed."""
        row = self._rows.stored(partition, task_id)
        limit = passed_limit(row, now_ms) if row is not None else None
        if limit is not None:
            await self._tell_passed(partition, task_id, limit, now_ms)

    async def _tell_passed(
        self, partition: int, task_id: str, limit: TimeLimit, now_ms: int
    ) -> None:
        event = DeadlinePassed(task_id=task_id, at_ms=now_ms, limit=limit)
        await self._send(event, partition)

    async def _sweep_all(self, partition: int, due: list[Entry]) -> None:
        try:
            for entry in due:
                await self._sweep(partition, entry)
        except Unavailable as error:
            log.warning("sweep_waits", partition=partition, reason=str(error))

    async def _sweep(self, partition: int, entry: Entry) -> None:
        """Remove the vectors of a cancelled or expired task, then note it."""
        row = self._rows.stored(partition, entry.task_id)
        if row is None or entry.next_sweep_ms is None:
            return
        space = Space(tenant=row.tenant, collection=row.collection, fingerprint=row.fingerprint)
        removed = await self._writer.delete_task(space, row.task_id)
        log.info("swept", task_id=row.task_id, state=row.state, removed=removed)
        swept = Swept(task_id=row.task_id, at_ms=self._clock.now_ms(), due_ms=entry.next_sweep_ms)
        await self._send(swept, partition)

    async def _resend_stalled(self, partition: int, entries: list[Entry], now_ms: int) -> None:
        oldest = now_ms - int(self._options.stalled_after_s * 1000)
        stalled = [entry for entry in entries if entry.last_event_ms < oldest]
        if not stalled or not await self._pipeline_idle():
            return  # a task that waits in a queue is not stalled
        for entry in stalled:
            row = self._rows.stored(partition, entry.task_id)
            if row is None or row.is_final:
                continue
            if row.resent < MOST_RESENDS:
                await self._resend(partition, row)
            else:
                await self._tell_passed(partition, row.task_id, TimeLimit.HEARTBEAT, now_ms)

    async def _resend(self, partition: int, row: TaskRow) -> None:
        """Send a row's unfinished units again, made anew from its source record."""
        request = await self._source(row.source)
        if request is None:
            log.error("source_gone", task_id=row.task_id, source=row.source)
            return
        if row.document is not None:
            await self._resend_file(partition, row, request)
        else:
            await self._resend_units(partition, row, request)

    async def _resend_file(self, partition: int, row: TaskRow, request: TaskRequest) -> None:
        """Send a document again to be read; units of it that are done count nothing twice."""
        now_ms = self._clock.now_ms()
        log.warning("file_resent", task_id=row.task_id, units=row.total_units)
        await self._send(UnitsResent(task_id=row.task_id, at_ms=now_ms), partition)
        order = closing_of(row, now_ms) if row.is_to_be_closed else file_of(row, now_ms)
        content = b"" if order.closing else inline_bytes(request)
        value = encode_file(order, content)
        await self._producer.send(self._names.files(row.lane), key_of(order), value)

    async def _resend_units(self, partition: int, row: TaskRow, request: TaskRequest) -> None:
        limits = self._options.limits.cut_as(row.cut)
        units = split(request, refused_items(request, limits), limits)
        if len(units) != row.total_units:
            log.error(
                "units_do_not_match", task_id=row.task_id, now=len(units), then=row.total_units
            )
            return
        missing = [n for n in range(len(units)) if not contains(row.done_units, n)]
        log.warning("units_resent", task_id=row.task_id, units=len(missing))
        await self._send(UnitsResent(task_id=row.task_id, at_ms=self._clock.now_ms()), partition)
        for number in missing:
            unit = unit_of(row, number, units[number], self._clock.now_ms())
            await self._producer.send(self._names.units(row.lane), unit.id.encode(), encode(unit))


async def _again_and_again(look: Callable[[], Awaitable[None]], interval_s: float) -> None:
    while True:
        await asyncio.sleep(interval_s)
        await look()
