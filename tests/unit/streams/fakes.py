"""A broker, a clock and a stream that tests can steer."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

from models.errors import BrokerUnavailable
from streams.dead_letters import DeadLetters
from streams.producing import LOG_APPEND_TIME, Sent, Written, acknowledged
from streams.records import Headers, Place, Record
from streams.side_reader import Span
from streams.tools import StageTools
from streams.topics import TopicNames
from tests.unit.models.making import NOW_MS

NAMES = TopicNames("v")


class FakeClock:
    def __init__(self) -> None:
        self.at_ms = NOW_MS

    def now_ms(self) -> int:
        return self.at_ms

    def monotonic_s(self) -> float:
        return self.at_ms / 1000


class FakeProducer:
    """Keeps what is sent, in order; `refuse` names topics that a broker does not take now."""

    def __init__(self) -> None:
        self.sent: list[Record] = []
        self.partitions: list[int | None] = []
        self.refuse: set[str] = set()
        self.appended_ms = NOW_MS

    async def begin(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        *,
        partition: int | None = None,
        headers: Headers = (),
    ) -> Sent:
        if topic in self.refuse:
            raise BrokerUnavailable
        offset = len(self.sent)
        self.sent.append(Record(topic, partition or 0, offset, key, value, headers, NOW_MS))
        self.partitions.append(partition)
        place: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        place.set_result(
            SimpleNamespace(
                partition=partition or 0,
                offset=offset,
                timestamp=self.appended_ms,
                timestamp_type=LOG_APPEND_TIME,
            )
        )
        return place

    async def send(self, *args: Any, timeout_s: float | None = None, **more: Any) -> Written:
        return await acknowledged(await self.begin(*args, **more))

    def to(self, topic: str) -> list[Record]:
        return [record for record in self.sent if record.topic == topic]


def tools(
    producer: FakeProducer | None = None, clock: FakeClock | None = None, per_minute: int = 100
) -> StageTools:
    """What every stage works with, on fakes."""
    producer, clock = producer or FakeProducer(), clock or FakeClock()
    dead = DeadLetters(producer, NAMES.dead, per_minute, clock)
    return StageTools(producer, dead, NAMES, clock)


def record(
    offset: int = 0,
    value: bytes | None = b"{}",
    *,
    key: bytes | None = b"k",
    topic: str = "v.t",
    partition: int = 0,
    timestamp_ms: int = NOW_MS,
) -> Record:
    return Record(topic, partition, offset, key, value, (), timestamp_ms)


def reason_of(dead: Record) -> str:
    return dict(dead.headers)["reason"].decode()


class FakeLog:
    """One partition as the broker has it, read as the side reader does; `down` times fail first."""

    def __init__(self, *offsets: int) -> None:
        self.records = {offset: record(offset) for offset in offsets}
        self.down = 0
        self.asked: list[tuple[int, int]] = []
        self.step = 1000
        self.before_answer = asyncio.Event()
        self.before_answer.set()

    async def read(self, place: Place, start: int, end: int, *, timeout_s: float = 5.0) -> Span:
        self.asked.append((start, end))
        await self.before_answer.wait()
        if self.down:
            self.down -= 1
            raise ConnectionError
        end = min(end, start + self.step)
        found = [self.records[offset] for offset in range(start, end) if offset in self.records]
        return Span(found, end)


class FakeStream:
    """A Faust stream: what is put in comes out as events, until it is closed."""

    def __init__(self, *records: Record) -> None:
        self._queue: asyncio.Queue[Record | None] = asyncio.Queue()
        for each in records:
            self.put(each)

    def put(self, each: Record) -> None:
        self._queue.put_nowait(each)

    def close(self) -> None:
        self._queue.put_nowait(None)

    def noack(self) -> "FakeStream":
        return self

    async def events(self) -> AsyncIterator[SimpleNamespace]:
        while (each := await self._queue.get()) is not None:
            yield SimpleNamespace(message=_message(each))


def _message(each: Record) -> SimpleNamespace:
    facts = {name: getattr(each, name) for name in ("topic", "partition", "offset", "key", "value")}
    return SimpleNamespace(**facts, headers=list(each.headers), timestamp=each.timestamp_ms / 1000)
