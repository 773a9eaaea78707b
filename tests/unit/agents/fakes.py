"""What stages lean on, in memory: tables, marks, models."""

import asyncio
from collections.abc import Awaitable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any, cast

from embedding.catalog import Catalog, ModelEntry
from models.errors import BrokerUnavailable
from models.events import Event
from models.rows import TaskRow
from streams.codec import decode_event
from streams.delivery import Deliveries
from streams.records import Record
from streams.row_store import RowStore
from tests.unit.streams.fakes import NAMES, FakeProducer

TINY = ModelEntry(
    name="tiny",
    aliases=("small",),
    revision="1",
    dimension=4,
    matryoshka=(2,),
    max_tokens=16,
    backend="hashing",
    prompts={"query": "query: "},
)
CATALOG = Catalog([TINY], "tiny")


def deliveries() -> Deliveries:
    commits = SimpleNamespace(committed=lambda place: 0)
    return Deliveries(cast(Any, commits), cast(Any, None))


class FakeTable:
    """A table whose changelog may be slow (`hold`) or away (`down`); `journal` tells the order."""

    def __init__(self, name: str, journal: list[str]) -> None:
        self.name = name
        self.data: dict[bytes, bytes] = {}
        self.durable: dict[bytes, bytes | None] = {}
        self.flow = asyncio.Event()
        self.flow.set()
        self.down = False
        self._journal = journal

    def get(self, partition: int, key: bytes) -> bytes | None:
        return self.data.get(key)

    def scan(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        yield from list(self.data.items())

    async def put(self, partition: int, key: bytes, value: bytes | None) -> Awaitable[None]:
        if value is None:
            self.data.pop(key, None)
        else:
            self.data[key] = value
        return self._sent(key, value)

    async def _sent(self, key: bytes, value: bytes | None) -> None:
        await self.flow.wait()
        if self.down:
            raise BrokerUnavailable
        self.durable[key] = value
        self._journal.append(f"{self.name} durable")


class Tables:
    """A real RowStore on two fake tables."""

    def __init__(self) -> None:
        self.journal: list[str] = []
        self.tasks = FakeTable("tasks", self.journal)
        self.errors = FakeTable("errors", self.journal)
        self.rows = RowStore(cast(Any, self.tasks), cast(Any, self.errors), lambda: frozenset({0}))

    async def hold(self, *rows: TaskRow) -> None:
        for row in rows:
            await (await self.rows.put(0, row))
        self.rows._loaded.add(0)


class TellingProducer(FakeProducer):
    """Writes into a journal what it takes."""

    def __init__(self, journal: list[str]) -> None:
        super().__init__()
        self.journal = journal

    async def begin(self, topic: str, *args: Any, **more: Any) -> Any:
        sent = await super().begin(topic, *args, **more)
        self.journal.append(f"{topic} sent")
        return sent


class FakeCache:
    """Redis: final rows, marks, what was forgotten."""

    def __init__(self, *marked: str) -> None:
        self.finals: dict[str, TaskRow] = {}
        self.marked: dict[str, int] = dict.fromkeys(marked, 0)
        self.forgotten: list[str] = []

    async def put_final(self, row: TaskRow, ttl_s: int) -> None:
        self.finals[row.task_id] = row

    async def mark_cancelled(self, task_id: str, ttl_s: int) -> None:
        self.marked[task_id] = ttl_s

    async def forget(self, task_ids: list[str]) -> None:
        self.forgotten += task_ids

    async def cancelled(self, task_ids: Sequence[str]) -> frozenset[str]:
        return frozenset(task_ids) & set(self.marked)


def events_of(producer: FakeProducer) -> list[Event]:
    return [decode_event(each.value) for each in producer.to(NAMES.events)]


def kinds_of(producer: FakeProducer) -> list[str]:
    return [event.kind for event in events_of(producer)]


def topics_of(records: Sequence[Record]) -> list[str]:
    return [each.topic for each in records]
