"""Deliveries against a model of all around them, by chance: what is committed was finished.

The model is a log with gaps, a Faust that skips, repeats and takes partitions away and back, and a
stage that dawdles and fails. One seed is one run, to the very turn of the loop: `play(seed)` plays
it again. Time is the loop's own, and passes only where nothing else can happen.
"""

import asyncio
import random
from collections.abc import Awaitable
from typing import Any, cast

import pytest
import structlog

from models.errors import BrokerUnavailable, HandedBack, VectorStoreUnavailable
from streams import delivery as module
from streams.codec import BadRecord
from streams.delivery import Deliveries, Delivery, Stage
from streams.records import Place, Record
from streams.retry import RetryPolicy
from streams.side_reader import Span
from tests.unit.streams.fakes import FakeStream, record

SEEDS = 250
KEYS = (b"a", b"b", b"c", b"d", b"e", None)
#: On the loop's own clock; what does not come to rest by then never does.
LONGEST_S = 2000

At = tuple[Place, int]


class TimelessLoop(asyncio.SelectorEventLoop):
    """A loop whose clock jumps to the next timer; where there is none, something hangs."""

    now_s = 0.0

    def time(self) -> float:
        return self.now_s

    def _run_once(self) -> None:
        loop = cast(Any, self)
        if not loop._ready:
            timers = [timer.when() for timer in loop._scheduled if not timer.cancelled()]
            assert timers, "all wait, and nothing will ever happen"
            self.now_s = max(self.now_s, min(timers))
        cast(Any, super())._run_once()


async def pause(chance: random.Random, longest_s: float = 1.0) -> None:
    """Let some turns of the loop pass, and maybe time."""
    if chance.random() < 0.2:
        await asyncio.sleep(chance.random() * longest_s)
    for _ in range(chance.randrange(4)):
        await asyncio.sleep(0)


class Broker:
    """The log, what the group has committed, and what was ever made durable of its records."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.records: dict[Place, dict[int, Record]] = {}
        self.elders: dict[At, int] = {}
        self.ends: dict[Place, int] = {}
        for partition in range(chance.randint(1, 3)):
            self._fill(Place("v.t", partition))
        self.commits = dict.fromkeys(self.ends, 0)
        self.owned = set(self.ends)
        self.durable: set[At] = set()
        self.faults: list[str] = []

    def _fill(self, place: Place) -> None:
        held, last, end = self.records.setdefault(place, {}), dict[bytes | None, int](), 0
        for _ in range(self.chance.randint(20, 60)):
            if self.chance.random() < 0.15:
                end += self.chance.randint(1, 4)  # markers of transactions
            held[end] = record(end, key=self.chance.choice(KEYS), partition=place.partition)
            self.elders[place, end] = last.get(held[end].key, -1)
            last[held[end].key] = end
            end += 1
        self.ends[place] = end + self.chance.choice((0, 0, 2))

    def expect(self, holds: bool, otherwise: str) -> None:
        """Note a fault: raised within a stage, it would only be one more error of the stage."""
        if not holds:
            self.faults.append(otherwise)

    def committed(self, place: Place) -> int:
        """What the consumer knows of it: nothing where the partition is not in hand."""
        return self.commits[place] if place in self.owned else 0

    async def read(self, place: Place, start: int, end: int, *, timeout_s: float = 5.0) -> Span:
        await pause(self.chance, 10.0)
        if self.chance.random() < 0.1:
            raise ConnectionError
        held, end = self.records[place], min(end, start + self.chance.choice((0, 1, 3, 1000)))
        return Span([held[offset] for offset in range(start, end) if offset in held], end)

    def judge(self, books: Deliveries) -> dict[Place, int]:
        """Give what would be committed now; all that counts as finished must be durable."""
        offsets = books.committable()
        for place, offset in offsets.items():
            self.expect(place in self.owned, f"{place} has left, and its books are open")
            moved = self.commits[place] <= offset <= self.ends[place]
            self.expect(moved, f"{place}: from {self.commits[place]} to {offset}")
            for each in self.records[place].values():
                if (place, each.offset) not in self.durable:
                    self.expect(offset <= each.offset, f"{offset} is past {each}, not durable")
                    told = books.is_finished(place, each.offset)
                    told |= books.is_finished_of(place, each.key or b"a", each.offset + 1)
                    self.expect(not told, f"{each} is told to be finished")
        return offsets


class Worker:
    """A stage that dawdles and fails, and knows what it must not be given."""

    def __init__(self, broker: Broker) -> None:
        self.broker, self.chance = broker, broker.chance
        self.books = Deliveries(broker, cast(Any, broker))
        self.generation, self.last = 0, False
        self.take_over()

    def take_over(self) -> None:
        self.generation += 1
        self.starts = dict(self.broker.commits)
        self.begun, self.fate = set[At](), dict[At, str]()

    async def begin(self, each: Record) -> Awaitable[None] | None:
        at, expect = (each.place, each.offset), self.broker.expect
        start, elder = self.starts[each.place], self.broker.elders[at]
        expect(each.place in self.broker.owned, f"{each} is begun, but it has left")
        expect(start <= each.offset, f"{each} is begun, but {start} was committed")
        in_turn = elder < start or (each.place, elder) in self.begun
        expect(in_turn, f"{each} is begun before {elder} of its key")
        fate, self.fate[at] = self.fate.get(at, "failed"), "in hand"
        expect(fate == "failed", f"{each} is begun again, but it is {fate}")
        at_once = self.chance.random() < 0.4
        await self._do(at, self.generation, all_of_it=at_once)
        return None if at_once else self._do(at, self.generation, all_of_it=True)

    async def poison(self, each: Record, error: Exception, attempts: int) -> None:
        at = (each.place, each.offset)
        fate, self.fate[at] = self.fate.get(at), "failed"
        self.broker.expect(fate == "failed", f"{each} is buried, but it is {fate}")
        await self._do(at, self.generation, all_of_it=True)

    async def _do(self, at: At, generation: int, *, all_of_it: bool) -> None:
        await pause(self.chance)
        await self._meet(at)
        self.broker.expect(generation == self.generation, f"{at} outlives its generation")
        self.begun.add(at)
        if all_of_it:
            self.broker.durable.add(at)
            self.fate[at] = "done"

    async def _meet(self, at: At) -> None:
        """Meet what a stage may meet: slowness, others to wait for, outages, bugs, cancellation."""
        match self.chance.randrange(40):
            case 0:
                await asyncio.sleep(self.chance.random() * 20)
            case 1 | 2:
                await self.books.or_leave(asyncio.sleep(self.chance.random() * 20))
            case 3 | 4 | 5 | 6:
                self.fate[at] = "failed"
                raise self.chance.choice((BrokerUnavailable, VectorStoreUnavailable))
            case 7 | 8:
                self.fate[at] = "failed"
                wrong = (BadRecord("bad", "x"), ValueError(), asyncio.CancelledError())
                raise self.chance.choice(wrong)
            case 9 if not self.last and self.chance.random() < 0.3:
                raise HandedBack


class Faust:
    """What brings records, commits and rebalances, and is not to be trusted."""

    def __init__(self, chance: random.Random) -> None:
        self.chance, self.tasks = chance, asyncio.TaskGroup()
        self.broker = Broker(chance)
        self.worker = Worker(self.broker)
        self.books = self.worker.books
        begin, poison, retry = self.worker.begin, self.worker.poison, RetryPolicy(jitter=0.0)
        stage = Stage("embed", begin, poison, window=chance.choice((1, 2, 4, 16)), retry=retry)
        self.delivery = Delivery(stage, self.books)
        self.stream, self.at = FakeStream(), dict(self.broker.commits)
        self.committing: asyncio.Future[None] | None = None

    def bring(self, place: Place) -> None:
        """Put the next record of a partition, one behind it, or one that was brought before."""
        kind = self.chance.random()
        self.at[place] += self.chance.randint(1, 6) if kind < 0.15 else 0
        wanted = self.at[place] - (self.chance.randint(1, 9) if kind > 0.9 else 0)
        found = [offset for offset in self.broker.records[place] if offset >= wanted]
        if found:
            self.stream.put(self.broker.records[place][found[0]])
            self.at[place] = max(self.at[place], found[0] + 1)

    async def look(self, place: Place) -> None:
        """Look at a tail as Membership does, but at any moment."""
        if place in self.broker.owned:
            ledger, generation = self.books.ledger(place), self.books.generation
            await pause(self.chance)
            end = min(self.broker.ends[place], ledger.due + self.chance.choice((1, 5, 500)))
            await self.delivery.look_at_tail(place, end, generation)

    async def commit(self) -> None:
        """Commit as Faust does: one at a time, and who comes meanwhile waits for that one."""
        if self.committing is not None:
            await asyncio.wait({self.committing})
        elif offsets := self.broker.judge(self.books):
            self.committing = asyncio.get_running_loop().create_future()
            await pause(self.chance)
            self.broker.commits |= offsets if self.chance.random() < 0.9 else {}
            self.committing.set_result(None)
            self.committing = None

    def act(self) -> None:
        """Let something happen beside what is under way."""
        place, kind = self.chance.choice([*self.broker.ends]), self.chance.random()
        if kind < 0.3:
            self.tasks.create_task(self.look(place) if kind < 0.15 else self.commit())
        elif place in self.broker.owned:
            for _ in range(self.chance.randint(1, 4)):
                self.bring(place)

    async def rebalance(self, wanted: set[Place]) -> None:
        """Let partitions go and come, while late records and looks come in."""
        moving = self.tasks.create_task(self._move(wanted))
        while not moving.done():
            await pause(self.chance)
            if self.chance.random() < 0.3:
                self.act()

    async def _move(self, wanted: set[Place]) -> None:
        """What LedgerConsumer and Faust do at a rebalance, in their order."""
        cast(Any, self.stream._queue)._queue.clear()
        if self.broker.owned:
            await self.books.settle()
            for _ in range(self.chance.randrange(3)):
                self.act()
            await self.commit()
            self.books.forget()
        cast(Any, self.stream._queue)._queue.clear()
        for place in sorted(self.broker.ends.keys() - self.broker.owned):
            self._work_elsewhere(place)
        kept, self.broker.owned = self.broker.owned & wanted, wanted
        self.worker.take_over()
        for place in sorted(kept):
            for _ in range(self.chance.randrange(4)):
                self.bring(place)  # it was buffered in the generation before
        self.at = dict(self.broker.commits)

    def _work_elsewhere(self, place: Place) -> None:
        """Somebody else had the partition meanwhile, and finished more than was committed."""
        start = self.broker.commits[place]
        end = min(self.broker.ends[place], start + self.chance.choice((0, 3, 20)))
        self.broker.durable |= {(place, each) for each in self.broker.records[place] if each < end}
        self.broker.commits[place] = self.chance.randint(start, end)

    def check(self) -> None:
        assert not self.broker.faults, self.broker.faults[0]
        assert self.books.broken is None, f"broken: {self.books.broken!r}"

    async def play(self) -> None:
        """Let much happen, then all come to rest: then every record is finished."""
        async with asyncio.timeout(LONGEST_S), self.tasks:
            running = self.tasks.create_task(self.delivery.run(cast(Any, self.stream)))
            for _ in range(self.chance.randint(50, 150)):
                self.act()
                await pause(self.chance)
                if self.chance.random() < 0.06:
                    places = [place for place in self.broker.ends if self.chance.random() < 0.8]
                    await self.rebalance(set(places))
                self.check()
            self.worker.last = True
            await self.rebalance(set(self.broker.ends))
            while self.broker.commits != self.broker.ends:
                for place in self.broker.ends:
                    self.tasks.create_task(self.look(place))
                await asyncio.sleep(10.0)
                await self.commit()
                self.check()
            self.check()
            assert self.broker.durable == self.broker.elders.keys()
            running.cancel()


def play(seed: int) -> None:
    chance = random.Random(seed)
    with pytest.MonkeyPatch.context() as patch, asyncio.Runner(loop_factory=TimelessLoop) as runner:
        patch.setattr(module, "log", structlog.ReturnLogger())
        patch.setattr(module, "MOST_BEHIND", chance.choice((3, 10_000)))
        runner.run(Faust(chance).play())


@pytest.mark.parametrize("seed", range(SEEDS))
def test_whatever_happens_what_is_committed_was_finished_once_and_in_order(seed: int) -> None:
    play(seed)
