"""A stage, its delivery, its books and its stream, with nothing real behind them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

from streams.delivery import Deliveries, Delivery, Stage
from streams.records import Place, Record
from streams.retry import RetryPolicy
from tests.unit.streams.fakes import FakeLog, FakeStream, record

PLACE = Place("v.t", 0)
QUICK = RetryPolicy(first_wait_s=0.001, longest_wait_s=0.002, attempts=3)


class Commits:
    """What the group has committed."""

    def __init__(self, offset: int = 0) -> None:
        self.offset = offset

    def committed(self, place: Place) -> int:
        return self.offset


class Desk:
    """A stage whose work waits until it is let go, or fails as told."""

    def __init__(self, *, patient: bool = False) -> None:
        self.begun: list[int] = []
        self.finished: list[int] = []
        self.buried: list[tuple[int, str, int]] = []
        self.errors: dict[int, list[Exception]] = {}
        self.poison_errors: list[Exception] = []
        self._gates: dict[int, asyncio.Event] = {}
        self._patient = patient

    def let_go(self, *offsets: int) -> None:
        for offset in offsets:
            self._gate(offset).set()

    def _gate(self, offset: int) -> asyncio.Event:
        return self._gates.setdefault(offset, asyncio.Event())

    async def begin(self, each: Record) -> Awaitable[None]:
        self.begun.append(each.offset)
        return self._rest(each.offset)

    async def _rest(self, offset: int) -> None:
        if self.errors.get(offset):
            raise self.errors[offset].pop(0)
        if self._patient:
            await self._gate(offset).wait()
        self.finished.append(offset)

    async def poison(self, each: Record, error: Exception, attempts: int) -> None:
        if self.poison_errors:
            raise self.poison_errors.pop(0)
        self.buried.append((each.offset, type(error).__name__, attempts))


class Line:
    """A delivery with its books, its broker and its stream."""

    def __init__(
        self, desk: Desk, *, log: FakeLog | None = None, window: int = 16, committed: int = 0
    ) -> None:
        self.desk = desk
        self.commits = Commits(committed)
        self.log = log or FakeLog()
        self.books = Deliveries(self.commits, cast(Any, self.log))
        stage = Stage("embed", desk.begin, desk.poison, window=window, retry=QUICK)
        self.delivery = Delivery(stage, self.books)
        self.stream = FakeStream()

    def bring(self, *offsets: int) -> None:
        for offset in offsets:
            self.stream.put(record(offset))

    @property
    def committable(self) -> int | None:
        return self.books.committable().get(PLACE)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Line"]:
        task = asyncio.create_task(self.delivery.run(cast(Any, self.stream)))
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def until(holds: Callable[[], bool], timeout_s: float = 3.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not holds():  # noqa: ASYNC110  # what is waited for rings no bell
            await asyncio.sleep(0.001)


async def settled() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)
