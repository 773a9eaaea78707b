"""The tables `tasks` and `errors` as this master writes and lists them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from itertools import islice

import orjson

from models.bitmap import members
from models.rows import TaskRow
from models.units import ItemFailure
from streams.codec import encode
from streams.errors_table import error_key, failures_from, failures_to
from streams.index import RowIndex
from streams.tables import DurableTable, Version

LOAD_CHUNK = 500
LOAD_INTERVAL_S = 0.1

Owned = Callable[[], frozenset[int]]


def version_of(raw: bytes) -> Version:
    """Read the version of a row as it is written."""
    return (int(orjson.loads(raw)["version"]),)


class RowStore:
    """Rows and errors of the partitions in hand; whether they may be shown is asked elsewhere."""

    def __init__(self, tasks: DurableTable, errors: DurableTable, owned: Owned) -> None:
        """Keep an index of each partition that `owned` names."""
        self._tasks = tasks
        self._errors = errors
        self._owned = owned
        self._indexes: dict[int, RowIndex] = {}
        self._loaded: set[int] = set()
        self._purged_while_loading: set[str] = set()

    def stored(self, partition: int, task_id: str) -> TaskRow | None:
        """Read a row as it stands."""
        raw = self._tasks.get(partition, task_id.encode())
        return TaskRow.model_validate_json(raw) if raw is not None else None

    async def put(self, partition: int, row: TaskRow) -> Awaitable[None]:
        """Write a row; what is returned ends when the changelog has it."""
        durable = await self._tasks.put(partition, row.task_id.encode(), encode(row))
        self._index(partition).put(row)
        return durable

    async def put_errors(
        self,
        partition: int,
        task_id: str,
        unit: int,
        *,
        failures: tuple[ItemFailure, ...],
        again: bool,
    ) -> Awaitable[None]:
        """Write the reasons of one unit's failed items; `again` keeps what stands already.

        What stands is written once more even so: it may never have reached the changelog.
        """
        key = error_key(task_id, unit)
        standing = self._errors.get(partition, key) if again else None
        return await self._errors.put(partition, key, standing or failures_to(failures))

    async def purge(self, partition: int, row: TaskRow) -> list[Awaitable[None]]:
        """Remove a row and its errors."""
        self._index(partition).remove(row.task_id)
        if partition not in self._loaded:
            self._purged_while_loading.add(row.task_id)
        keys = [error_key(row.task_id, unit) for unit in members(row.error_units)]
        durable = [await self._errors.put(partition, key, None) for key in keys]
        return [*durable, await self._tasks.put(partition, row.task_id.encode(), None)]

    def errors(self, partition: int, row: TaskRow) -> list[ItemFailure]:
        """List the reasons of a task's failed items, by item."""
        keys = (error_key(row.task_id, unit) for unit in members(row.error_units))
        found = [each for key in keys for each in failures_from(self._errors.get(partition, key))]
        return sorted(found, key=lambda failure: failure.index)

    def drop_indexes(self) -> None:
        """Forget what was derived from the tables: a rebalance began."""
        self._indexes.clear()
        self._loaded.clear()

    async def keep_loaded(self) -> None:
        """Build the index of what was taken over, for ever."""
        while True:
            for partition in sorted(self._owned() - self._loaded):
                await self._load(partition)
            await asyncio.sleep(LOAD_INTERVAL_S)

    async def _load(self, partition: int) -> None:
        index = self._index(partition)
        rows = self._tasks.scan(partition)
        while chunk := list(islice(rows, LOAD_CHUNK)):
            found = (TaskRow.model_validate_json(raw) for _, raw in chunk)
            for row in found:
                if row.task_id not in self._purged_while_loading:
                    index.put(row)
            await asyncio.sleep(0)
        if self._indexes.get(partition) is index:
            self._loaded.add(partition)
        if self.ready:
            self._purged_while_loading.clear()

    def _index(self, partition: int) -> RowIndex:
        return self._indexes.setdefault(partition, RowIndex())

    @property
    def ready(self) -> bool:
        """Whether every owned partition has its index."""
        return self._owned() <= self._loaded

    def indexes(self) -> Iterator[tuple[int, RowIndex]]:
        """Yield each owned partition whose index stands."""
        for partition in sorted(self._owned() & self._loaded):
            yield partition, self._indexes[partition]
