"""Records of one key stand in line; those of others go by."""

import asyncio
from collections.abc import Awaitable

import pytest

from models.errors import BrokerUnavailable
from streams import delivery as module
from streams.records import Record
from tests.unit.streams.fakes import FakeLog, record
from tests.unit.streams.line import Desk, Line, settled, until


class Door(Desk):
    """A stage that cannot begin a key's records until it is let to."""

    def __init__(self) -> None:
        super().__init__()
        self.closed: set[bytes | None] = set()
        self.tried = 0

    async def begin(self, each: Record) -> Awaitable[None]:
        if each.key in self.closed:
            self.tried += 1
            raise BrokerUnavailable
        return await super().begin(each)


async def test_what_waits_for_another_try_holds_up_its_own_key_only() -> None:
    desk = Door()
    desk.closed.add(b"a")
    async with Line(desk).running() as line:
        for offset, key in enumerate((b"a", b"b", b"a", b"c", b"b")):
            line.stream.put(record(offset, key=key))
        await until(lambda: desk.finished == [1, 3, 4])
        assert line.committable == 0
        desk.closed.clear()
        await until(lambda: line.committable == 5)
        assert desk.begun == [1, 3, 4, 0, 2]


async def test_of_one_key_the_next_is_not_tried_before_the_one_before_has_begun() -> None:
    desk = Door()
    desk.closed.add(b"a")
    async with Line(desk).running() as line:
        line.stream.put(record(0, key=b"a"))
        line.stream.put(record(1, key=b"a"))
        await until(lambda: desk.tried >= 5)
        desk.closed.clear()
        await until(lambda: line.committable == 2)
        assert desk.begun == [0, 1]


async def test_the_same_key_in_another_partition_is_another_line() -> None:
    desk = Door()
    async with Line(desk).running() as line:
        desk.closed.add(None)
        line.stream.put(record(0, key=None))
        line.stream.put(record(0, key=b"a", partition=1))
        await until(lambda: desk.finished == [0])
        assert line.committable == 0


async def test_what_stands_behind_a_record_that_was_handed_back_goes_back_with_it() -> None:
    desk = Door()
    desk.closed.add(b"a")
    async with Line(desk).running() as line:
        for offset in range(3):
            line.stream.put(record(offset, key=b"a"))
        await until(lambda: desk.tried >= 2 and line.books.in_flight == 3)
        await line.books.settle()
        await until(lambda: line.books.in_flight == 0)
        assert desk.begun == []
        assert line.committable == 0
        assert line.books.broken is None


async def test_a_line_that_is_done_leaves_nothing_behind() -> None:
    desk = Desk()
    async with Line(desk).running() as line:
        for offset in range(50):
            line.stream.put(record(offset, key=str(offset % 7).encode()))
        await until(lambda: line.committable == 50)
        await settled()
        assert len(line.delivery._lines) == 0


async def test_a_full_window_of_one_key_is_all_that_is_taken_of_it() -> None:
    desk = Door()
    desk.closed.add(b"a")
    async with Line(desk, window=4).running() as line:
        for offset in range(10):
            line.stream.put(record(offset, key=b"a"))
        await until(lambda: desk.tried >= 3)
        assert line.books.in_flight == 4
        desk.closed.clear()
        await until(lambda: line.committable == 10)
        assert desk.begun == list(range(10))


async def test_cancelling_one_that_stands_in_line_does_not_begin_those_behind_it() -> None:
    desk = Door()
    desk.closed.add(b"a")
    async with Line(desk).running() as line:
        for offset in range(3):
            line.stream.put(record(offset, key=b"a"))
        await until(lambda: desk.tried >= 1 and line.books.in_flight == 3)
        for task in list(line.books._work):
            task.cancel()
        await asyncio.gather(*line.books._work, return_exceptions=True)
        desk.closed.clear()
        await settled()
        assert desk.begun == []
        assert line.committable == 0


async def test_what_waits_in_line_is_not_begun_by_one_who_leaves() -> None:
    """The head ends in time; those behind it are for the next owner."""
    desk = Door()
    desk.closed.add(b"a")
    async with Line(desk).running() as line:
        for offset in range(4):
            line.stream.put(record(offset, key=b"a"))
        await until(lambda: desk.tried >= 1 and line.books.in_flight == 4)
        line.books.leaving.set()
        desk.closed.clear()
        await until(lambda: line.books.in_flight == 0)
        assert desk.begun in ([], [0])
        assert line.committable in {0, 1}


async def test_after_one_that_ended_unbegun_none_of_its_key_is_begun_in_that_generation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The younger would be folded, and the elder be taken for a repeat when it comes again."""
    desk = Door()
    desk.closed.add(b"a")

    def breaks(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(module, "decide_retry", breaks)
    async with Line(desk).running() as line:
        line.stream.put(record(0, key=b"a"))
        await until(lambda: line.books.broken is not None)
        desk.closed.clear()
        line.stream.put(record(1, key=b"a"))
        line.stream.put(record(2, key=b"b"))
        await until(lambda: desk.finished == [2])
        assert desk.begun == [2]
        assert line.committable == 0
        await line.books.settle()
        line.books.forget()
        for offset in range(3):
            line.stream.put(record(offset, key=b"a"))
        await until(lambda: line.committable == 3)
        assert desk.begun == [2, 0, 1, 2]


async def test_no_more_than_so_many_lie_behind_one_that_is_stuck(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_BEHIND", 5)
    desk = Door()
    desk.closed.add(b"stuck")
    async with Line(desk).running() as line:
        line.stream.put(record(0, key=b"stuck"))
        for offset in range(1, 20):
            line.stream.put(record(offset, key=str(offset).encode()))
        await until(lambda: len(desk.finished) == 4)
        await settled()
        assert desk.finished == [1, 2, 3, 4]
        desk.closed.clear()
        await until(lambda: line.committable == 20)


async def test_who_waits_behind_one_that_is_stuck_can_leave(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_BEHIND", 1)
    desk = Door()
    desk.closed.add(b"stuck")
    async with Line(desk).running() as line:
        line.stream.put(record(0, key=b"stuck"))
        line.stream.put(record(1, key=b"other"))
        await until(lambda: desk.tried >= 1)
        await line.books.settle()
        line.books.forget()
        desk.closed.clear()
        line.stream.put(record(0, key=b"stuck"))
        await until(lambda: line.committable == 1)
        assert desk.begun == [0]


async def test_what_arrives_while_the_books_are_being_closed_comes_again_and_is_begun() -> None:
    """It was begun by nobody, and must not stand in its own way afterwards."""
    desk = Door()
    async with Line(desk).running() as line:
        await line.books.settle()
        line.stream.put(record(0, key=b"a"))
        await settled()
        assert desk.begun == []
        line.books.forget()
        line.stream.put(record(0, key=b"a"))
        line.stream.put(record(1, key=b"a"))
        await until(lambda: line.committable == 2)
        assert desk.begun == [0, 1]


async def test_what_arrives_while_the_books_are_being_closed_is_not_committed_past() -> None:
    """The last commit of a generation comes after `settle`, and before the books are closed."""
    desk = Door()
    async with Line(desk, log=FakeLog(0, 1, 2)).running() as line:
        line.stream.put(record(0, key=b"a"))
        await until(lambda: line.committable == 1)
        await line.books.settle()
        line.stream.put(record(1, key=b"b"))
        line.stream.put(record(2, key=b"c"))
        await settled()
        assert (desk.begun, line.committable) == ([0], 1)
        line.books.forget()
        await settled()
        assert desk.begun == [0]
