"""What an owner may say of a task: as far as the log may be of it, and no further."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from models.units import SourcePlace
from streams.delivery import Deliveries
from streams.freshness import Freshness
from streams.records import Place
from streams.topics import TopicNames
from tests.unit.streams.line import Commits, settled, until

NAMES = TopicNames("v")
TASKS, EVENTS = Place(NAMES.tasks, 0), Place(NAMES.events, 0)


class Tails:
    """Where the log ends, as the broker would say."""

    def __init__(self) -> None:
        self.ends = {TASKS: 0, EVENTS: 0}
        self.looked: list[Place] = []

    def in_standing(self) -> bool:
        return True

    def owned(self) -> frozenset[int]:
        return frozenset({0})

    async def end_offset(self, place: Place) -> int:
        return self.ends[place]

    async def look_at_tail(self, place: Place) -> None:
        self.looked.append(place)


class Owner:
    """A master's books and what it may say by them."""

    def __init__(self) -> None:
        self.tails = Tails()
        self.commits = Commits()
        self.books = Deliveries(self.commits, cast(Any, None))
        lease = cast(Any, SimpleNamespace(check=lambda: None))
        self.freshness = Freshness(self.books, lease, self.tails, NAMES)

    def bring(self, place: Place, *keys: bytes) -> None:
        """Deliver a record a key, not finished yet."""
        ledger = self.books.ledger(place)
        for key in keys:
            ledger.deliver(ledger.due, key)
            self.tails.ends[place] = ledger.due

    def finish(self, place: Place, offset: int) -> None:
        self.books.ledger(place).finish(offset)
        self.books.moved(place)


@pytest.fixture
def owner() -> Owner:
    return Owner()


async def _waits(work: "asyncio.Task[None]") -> bool:
    for _ in range(10):
        await asyncio.sleep(0)
    return not work.done()


async def test_another_tasks_record_that_is_stuck_holds_up_no_answer(owner: Owner) -> None:
    owner.bring(TASKS, b"stuck", b"mine")
    owner.bring(EVENTS, b"stuck")
    asked = asyncio.create_task(owner.freshness.to_the_end(0, b"mine"))
    assert await _waits(asked)
    owner.finish(TASKS, 1)
    await asyncio.wait_for(asked, 1)
    assert owner.tails.looked == []


async def test_the_tasks_own_event_is_waited_for(owner: Owner) -> None:
    owner.bring(EVENTS, b"mine", b"other")
    asked = asyncio.create_task(owner.freshness.to_the_end(0, b"mine"))
    assert await _waits(asked)
    owner.finish(EVENTS, 1)
    assert await _waits(asked)
    owner.finish(EVENTS, 0)
    await asyncio.wait_for(asked, 1)


async def test_what_faust_has_not_brought_yet_may_be_the_tasks(owner: Owner) -> None:
    owner.tails.ends[TASKS] = 1
    asked = asyncio.create_task(owner.freshness.to_the_end(0, b"mine"))
    await until(lambda: owner.tails.looked == [TASKS])
    assert not asked.done()
    owner.bring(TASKS, b"other")
    owner.books.moved(TASKS)
    await asyncio.wait_for(asked, 1)


async def test_who_waits_is_woken_by_its_own_partition_only(owner: Owner) -> None:
    owner.bring(TASKS, b"mine")
    owner.bring(EVENTS, b"other")
    looks = 0

    def holds() -> bool:
        nonlocal looks
        looks += 1
        return owner.books.is_finished(TASKS, 0)

    waiting = asyncio.create_task(owner.freshness._until(TASKS, holds))
    assert await _waits(waiting)
    owner.finish(EVENTS, 0)
    assert await _waits(waiting)
    assert looks == 1
    owner.books.moved()  # the books close: everybody looks
    assert await _waits(waiting)
    assert looks == 2
    owner.finish(TASKS, 0)
    await asyncio.wait_for(waiting, 1)


async def test_books_that_are_opened_tell_what_was_committed(owner: Owner) -> None:
    owner.commits.offset = 8
    after = owner.freshness.after_source(SourcePlace(partition=0, offset=7))
    asked = asyncio.create_task(after)
    assert await _waits(asked), "the books are closed: nothing is known"
    owner.books.ledger(TASKS)
    await asyncio.wait_for(asked, 1)


async def test_a_source_and_an_event_are_waited_for_by_themselves(owner: Owner) -> None:
    owner.bring(TASKS, b"stuck", b"mine")
    owner.bring(EVENTS, b"stuck", b"mine")
    after = owner.freshness.after_source(SourcePlace(partition=0, offset=1))
    asked = [asyncio.create_task(after), asyncio.create_task(owner.freshness.after_event(0, 1))]
    for place, work in zip((TASKS, EVENTS), asked, strict=True):
        assert await _waits(work)
        owner.finish(place, 1)
        await asyncio.wait_for(work, 1)


async def test_after_a_takeover_all_of_the_log_is_waited_for_once(owner: Owner) -> None:
    owner.bring(EVENTS, b"other")
    opened = asyncio.create_task(owner.freshness.open_gate(0))
    assert await _waits(opened)
    owner.finish(EVENTS, 0)
    await asyncio.wait_for(opened, 1)
    owner.bring(EVENTS, b"other")
    await asyncio.wait_for(owner.freshness.open_gate(0), 1)


async def test_what_comes_after_a_takeover_is_nothing_to_its_gate(owner: Owner) -> None:
    """Also where nobody has read anything of the partition yet."""
    owner.books.ledger(EVENTS)
    keeping = asyncio.create_task(owner.freshness.keep_gates())
    await settled()
    owner.bring(EVENTS, b"stuck")
    await asyncio.wait_for(owner.freshness.open_gate(0), 1)
    keeping.cancel()


async def test_an_answer_about_the_time_before_a_rebalance_opens_no_gate_after_it(
    owner: Owner,
) -> None:
    answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    ask = owner.tails.end_offset

    async def late(place: Place) -> int:
        return await answer

    owner.tails.end_offset = late  # type: ignore[method-assign]
    opening = asyncio.create_task(owner.freshness.open_gate(0))
    await settled()
    owner.freshness.close_gates()
    owner.tails.end_offset = ask  # type: ignore[method-assign]
    owner.bring(EVENTS, b"a")
    answer.set_result(0)
    await asyncio.wait_for(opening, 1)
    assert await _waits(asyncio.create_task(owner.freshness.open_gate(0)))
