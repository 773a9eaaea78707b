"""The rows this master owns: when they may be shown, and reading them (DESIGN 7, Reads).

A row is shown only by its owner, only under a lease, and only once the owner has folded its
partition as far as the log reached when it took over: so an answer is never older than one an
earlier owner gave. That a task is unknown is said only when the partition is folded to its end.
"""

import asyncio
import heapq
from collections.abc import Awaitable, Iterator
from itertools import islice
from typing import Protocol

import structlog

from models.bitmap import members
from models.errors import OwnerUnavailable
from models.metrics import Tally
from models.paging import Page, PageQuery
from models.rows import TaskRow
from models.units import ItemFailure, SourcePlace
from streams.codec import encode
from streams.delivery import Deliveries
from streams.errors_table import error_key, failures_from, failures_to
from streams.index import Entry, RowIndex
from streams.lease import Lease
from streams.producing import PartitionOf
from streams.records import Place
from streams.tables import DurableTable
from streams.topics import TopicNames

log = structlog.get_logger("streams.board")

LOAD_CHUNK = 500
LOAD_INTERVAL_S = 0.1


class Tails(Protocol):
    """Where the log ends, and whether this process is a member in good standing."""

    def owned(self) -> frozenset[int]:
        """Partitions assigned and recovered."""

    async def end_offset(self, place: Place) -> int:
        """The offset after the last record of a partition (may be some milliseconds old)."""

    async def look_at_tail(self, place: Place) -> None:
        """Deliver or pass what lies between the offset due and the end."""


class Board:
    """The owned share of the tables `tasks` and `errors`."""

    def __init__(
        self,
        tasks: DurableTable,
        errors: DurableTable,
        deliveries: Deliveries,
        lease: Lease,
        tails: Tails,
        names: TopicNames,
        partition_of: PartitionOf,
        read_timeout_s: float,
    ) -> None:
        """Serve from the two tables what `deliveries` shows to be folded."""
        self._tasks = tasks
        self._errors = errors
        self._deliveries = deliveries
        self._lease = lease
        self._tails = tails
        self._names = names
        self._partition_of = partition_of
        self._read_timeout_s = read_timeout_s
        self._indexes: dict[int, RowIndex] = {}
        self._loaded: set[int] = set()
        self._gates: dict[int, int] = {}
        self._final_waiters: dict[str, set[asyncio.Future[None]]] = {}

    # -- writing: track only ------------------------------------------------------------------

    def stored(self, partition: int, task_id: str) -> TaskRow | None:
        """Read a row as it stands, without any check: for the fold."""
        raw = self._tasks.get(partition, task_id.encode())
        return TaskRow.model_validate_json(raw) if raw is not None else None

    async def put(self, partition: int, row: TaskRow) -> Awaitable[None]:
        """Write a row; what is returned ends when the changelog has it."""
        durable = await self._tasks.put(partition, row.task_id.encode(), encode(row))
        self._index(partition).put(row)
        return durable

    async def put_errors(
        self, partition: int, task_id: str, unit: int, failures: tuple[ItemFailure, ...]
    ) -> Awaitable[None]:
        """Write the reasons of one unit's failed items."""
        return await self._errors.put(partition, error_key(task_id, unit), failures_to(failures))

    async def purge(self, partition: int, row: TaskRow) -> list[Awaitable[None]]:
        """Remove a row and its errors."""
        self._index(partition).remove(row.task_id)
        keys = [error_key(row.task_id, unit) for unit in members(row.error_units)]
        durable = [await self._errors.put(partition, key, None) for key in keys]
        return [*durable, await self._tasks.put(partition, row.task_id.encode(), None)]

    def tell_final(self, task_id: str) -> None:
        """Wake those who wait for the task's final state."""
        for waiter in self._final_waiters.pop(task_id, ()):
            if not waiter.done():
                waiter.set_result(None)

    # -- taking over partitions ---------------------------------------------------------------

    def drop_all(self) -> None:
        """Forget what was derived from the tables: a rebalance began."""
        self._indexes.clear()
        self._loaded.clear()
        self._gates.clear()

    async def keep_loaded(self) -> None:
        """Load what was taken over, for ever."""
        while True:
            await self.load()
            await asyncio.sleep(LOAD_INTERVAL_S)

    async def load(self) -> None:
        """Build the index of every owned partition from its table."""
        for partition in sorted(self._tails.owned() - self._loaded):
            await self._load(partition)

    async def _load(self, partition: int) -> None:
        index = self._index(partition)
        rows = self._tasks.scan(partition)
        while chunk := list(islice(rows, LOAD_CHUNK)):
            for _, raw in chunk:
                index.put(TaskRow.model_validate_json(raw))
            await asyncio.sleep(0)
        if self._indexes.get(partition) is index:
            self._loaded.add(partition)

    def _index(self, partition: int) -> RowIndex:
        return self._indexes.setdefault(partition, RowIndex())

    # -- reading ------------------------------------------------------------------------------

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
                await self._open_gate(partition)
                if after_source is not None:
                    place = Place(self._names.tasks, after_source.partition)
                    await self._folded_to(place, after_source.offset + 1)
                if after_event is not None:
                    await self._folded_to(self._events(partition), after_event + 1)
                row = await self._known_row(partition, task_id)
        except TimeoutError as error:
            raise OwnerUnavailable("the owner has not caught up with the log yet") from error
        if row is not None and not row.is_final and until_final_s > 0:
            row = await self._final_row(partition, task_id, until_final_s)
        self._check_standing(partition)
        return row

    async def _known_row(self, partition: int, task_id: str) -> TaskRow | None:
        row = self.stored(partition, task_id)
        if row is None:
            await self._fold_to_the_end(partition)
            row = self.stored(partition, task_id)
        return row

    async def _fold_to_the_end(self, partition: int) -> None:
        """First intake's share to its end: each record it took has its event by then."""
        for place in (Place(self._names.tasks, partition), self._events(partition)):
            end = await self._tails.end_offset(place)
            if (self._deliveries.finished_to(place) or 0) < end:
                await self._tails.look_at_tail(place)
            await self._folded_to(place, end)

    async def _open_gate(self, partition: int) -> None:
        """Wait, once after taking over, until folded as far as the log reached then."""
        self._check_standing(partition)
        place = self._events(partition)
        if partition not in self._gates:
            self._gates[partition] = await self._tails.end_offset(place)
            await self._tails.look_at_tail(place)
        await self._folded_to(place, self._gates[partition])

    async def _folded_to(self, place: Place, end: int) -> None:
        while end > 0 and (self._deliveries.finished_to(place) or 0) < end:
            await self._deliveries.progress()

    async def _final_row(self, partition: int, task_id: str, wait_s: float) -> TaskRow | None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._final_waiters.setdefault(task_id, set()).add(waiter)
        try:
            await asyncio.wait({waiter}, timeout=wait_s)
        finally:
            waiters = self._final_waiters.get(task_id, set())
            waiters.discard(waiter)
            if not waiters:
                self._final_waiters.pop(task_id, None)
        return self.stored(partition, task_id)

    def _check_standing(self, partition: int) -> None:
        if partition not in self._tails.owned():
            raise OwnerUnavailable(f"partition {partition} is not served here now (a rebalance)")
        if not self._lease.holds():
            raise OwnerUnavailable("the lease on this partition has run out; no heartbeat went by")

    def _events(self, partition: int) -> Place:
        return Place(self._names.events, partition)

    def errors(self, row: TaskRow) -> list[ItemFailure]:
        """List the reasons of a task's failed items, by item."""
        partition = self._partition_of(row.task_id.encode())
        self._check_standing(partition)
        found = [
            failure
            for unit in members(row.error_units)
            for failure in failures_from(self._errors.get(partition, error_key(row.task_id, unit)))
        ]
        return sorted(found, key=lambda failure: failure.index)

    # -- listing and counting -----------------------------------------------------------------

    def page(self, query: PageQuery) -> Page:
        """List owned tasks newest first."""
        indexes = self._served()
        parts = [part for index in indexes for part in index.newest(query.state, query.before)]
        newest = heapq.merge(*parts, key=lambda entry: entry[:2], reverse=True)
        wanted = islice(newest, query.skip, query.skip + query.limit)
        rows = [row for entry in wanted if (row := self._row_of(entry)) is not None]
        return Page(rows=rows, total=sum(index.total(query.state) for index in indexes))

    def _row_of(self, entry: Entry) -> TaskRow | None:
        return self.stored(self._partition_of(entry.task_id.encode()), entry.task_id)

    def tally(self) -> Tally:
        """Add up what is owned."""
        total = Tally()
        for index in self._served():
            total = total.merged(index.tally())
        return total

    def _served(self) -> list[RowIndex]:
        owned = self._tails.owned()
        if not self._lease.holds() or not owned <= self._loaded:
            raise OwnerUnavailable("this master is still taking over its partitions")
        return [self._indexes[partition] for partition in sorted(owned)]

    def indexes(self) -> Iterator[tuple[int, RowIndex]]:
        """Yield each owned and loaded partition with its index: for the upkeep."""
        if self._lease.holds():
            for partition in self._tails.owned() & self._loaded:
                yield partition, self._indexes[partition]
