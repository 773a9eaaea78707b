"""The rows this master owns, as its web side reads them: fresh, or not at all."""

import asyncio
import heapq
from itertools import islice

from models.errors import OwnerUnavailable
from models.metrics import Tally
from models.paging import Page, PageQuery
from models.rows import TaskRow
from models.units import ItemFailure, SourcePlace
from streams.freshness import Freshness
from streams.index import Entry
from streams.producing import PartitionOf
from streams.row_store import RowStore


class FinalBell:
    """Wakes those who wait for a task's final state."""

    def __init__(self) -> None:
        """Begin with nobody waiting."""
        self._waiters: dict[str, set[asyncio.Future[None]]] = {}

    def ring(self, task_id: str) -> None:
        """Tell that the task is final, and announced."""
        for waiter in self._waiters.pop(task_id, ()):
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self, task_id: str, timeout_s: float) -> None:
        """Wait for the ring, or until the time is over."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(task_id, set()).add(waiter)
        try:
            await asyncio.wait({waiter}, timeout=timeout_s)
        finally:
            waiters = self._waiters.get(task_id, set())
            waiters.discard(waiter)
            if not waiters:
                self._waiters.pop(task_id, None)


class Board:
    """Reads of the owned share."""

    def __init__(
        self,
        *,
        rows: RowStore,
        freshness: Freshness,
        finals: FinalBell,
        partition_of: PartitionOf,
        read_timeout_s: float,
    ) -> None:
        """Give up catching up with the log after `read_timeout_s`."""
        self._rows = rows
        self._freshness = freshness
        self._finals = finals
        self._partition_of = partition_of
        self._read_timeout_s = read_timeout_s

    async def row(
        self,
        task_id: str,
        *,
        after_source: SourcePlace | None = None,
        after_event: int | None = None,
        until_final_s: float = 0.0,
    ) -> TaskRow | None:
        """Read a row once everything up to the given places is folded; None: no such task.

        `until_final_s` holds the call until the task is final or that time is over. Raises
        OwnerUnavailable where this process may not answer, or is not far enough in time.
        """
        partition = self._partition_of(task_id.encode())
        try:
            async with asyncio.timeout(self._read_timeout_s):
                await self._freshness.open_gate(partition)
                if after_source is not None and not self._repeats(partition, task_id, after_source):
                    await self._freshness.after_source(after_source)
                if after_event is not None:
                    await self._freshness.after_event(partition, after_event)
                row = await self._known(partition, task_id)
        except TimeoutError as error:
            raise OwnerUnavailable("the owner has not caught up with the log yet") from error
        if row is not None and not row.is_final and until_final_s > 0:
            await self._finals.wait(task_id, until_final_s)
            row = self._rows.stored(partition, task_id)
        self._freshness.check_standing(partition)
        return row

    def _repeats(self, partition: int, task_id: str, source: SourcePlace) -> bool:
        """Whether an earlier record is the task already: what becomes of this one changes nothing.

        Many who post one key again and again would wait for each other's records else.
        """
        row = self._rows.stored(partition, task_id)
        if row is None or row.source.partition != source.partition:
            return False
        return row.source.offset < source.offset

    async def _known(self, partition: int, task_id: str) -> TaskRow | None:
        row = self._rows.stored(partition, task_id)
        if row is None:
            await self._freshness.to_the_end(partition, task_id.encode())
            row = self._rows.stored(partition, task_id)
        return row

    def errors(self, row: TaskRow) -> list[ItemFailure]:
        """List the reasons of a task's failed items, by item."""
        partition = self._partition_of(row.task_id.encode())
        self._freshness.check_standing(partition)
        return self._rows.errors(partition, row)

    def page(self, query: PageQuery) -> Page:
        """List owned tasks, newest first."""
        self._check_ready()
        indexes = [index for _, index in self._rows.indexes()]
        parts = [part for index in indexes for part in index.newest(query.state, query.before)]
        newest = heapq.merge(*parts, key=lambda entry: entry[:2], reverse=True)
        wanted = islice(newest, query.skip, query.skip + query.limit)
        rows = [row for entry in wanted if (row := self._row_of(entry)) is not None]
        return Page(rows=rows, total=sum(index.total(query.state) for index in indexes))

    def _row_of(self, entry: Entry) -> TaskRow | None:
        return self._rows.stored(self._partition_of(entry.task_id.encode()), entry.task_id)

    def tally(self) -> Tally:
        """Add up what is owned."""
        self._check_ready()
        total = Tally()
        for _, index in self._rows.indexes():
            total = total.merged(index.tally())
        return total

    def _check_ready(self) -> None:
        self._freshness.check_member()
        if not self._rows.ready:
            raise OwnerUnavailable("this master is still taking over its partitions")
