"""Delivery on a fake stream: order, holes, retries, the window, and giving work back."""

import asyncio
from collections.abc import Awaitable
from typing import Any, cast

import pytest

from models.errors import BrokerUnavailable, HandedBack
from streams import delivery as module
from streams.codec import BadRecord
from streams.delivery import Delivery, Stage, as_record
from streams.records import Place, Record
from streams.retry import RetryPolicy
from tests.unit.streams.fakes import FakeLog, FakeStream, record
from tests.unit.streams.line import PLACE, QUICK, Desk, Line, settled, until


async def test_records_in_order_are_begun_in_order_and_committed() -> None:
    async with Line(Desk()).running() as line:
        line.bring(0, 1, 2, 3)
        await until(lambda: line.committable == 4)
        assert line.desk.begun == [0, 1, 2, 3]
        assert line.books.in_flight == 0


async def test_the_stream_ending_ends_the_run() -> None:
    line = Line(Desk())
    line.bring(0)
    line.stream.close()
    await asyncio.wait_for(line.delivery.run(cast(Any, line.stream)), 1)
    assert not line.delivery.running


async def test_a_repeated_record_is_not_begun_again() -> None:
    async with Line(Desk(), committed=5).running() as line:
        line.bring(3, 4, 5, 5, 6, 5, 7)
        await until(lambda: line.committable == 8)
        assert line.desk.begun == [5, 6, 7]


async def test_records_skipped_by_faust_are_fetched_and_delivered_in_order() -> None:
    async with Line(Desk(), log=FakeLog(0, 1, 2, 3, 4)).running() as line:
        line.bring(0, 3, 4)
        await until(lambda: line.committable == 5)
        assert line.desk.begun == [0, 1, 2, 3, 4]
        assert line.log.asked == [(1, 3)]


async def test_a_hole_without_records_is_passed() -> None:
    async with Line(Desk(), log=FakeLog(0, 3)).running() as line:
        line.bring(0, 3)
        await until(lambda: line.committable == 4)
        assert line.desk.begun == [0, 3]


async def test_a_hole_with_some_records_delivers_those() -> None:
    async with Line(Desk(), log=FakeLog(0, 2, 9)).running() as line:
        line.bring(0, 9)
        await until(lambda: line.committable == 10)
        assert line.desk.begun == [0, 2, 9]


async def test_a_hole_read_in_pieces_is_read_to_its_end() -> None:
    log = FakeLog(0, 2, 3, 7)
    log.step = 2
    async with Line(Desk(), log=log).running() as line:
        line.bring(0, 7)
        await until(lambda: line.committable == 8)
        assert line.desk.begun == [0, 2, 3, 7]


async def test_a_hole_is_never_passed_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    log = FakeLog(0, 1, 2)
    log.down = 1
    async with Line(Desk(), log=log).running() as line:
        line.bring(0, 2)
        await until(lambda: len(log.asked) == 1)
        assert line.committable == 1
        await until(lambda: line.committable == 3)
        assert line.desk.begun == [0, 1, 2]


async def test_the_first_record_behind_the_commit_is_a_hole_too() -> None:
    async with Line(Desk(), log=FakeLog(5, 6, 7), committed=5).running() as line:
        line.bring(7)
        await until(lambda: line.committable == 8)
        assert line.desk.begun == [5, 6, 7]


async def test_what_lies_at_a_quiet_tail_is_delivered_and_comes_as_a_repeat_later() -> None:
    async with Line(Desk(), log=FakeLog(0, 1)).running() as line:
        await line.delivery.look_at_tail(PLACE, 3, line.books.generation)
        line.bring(0, 1)
        await until(lambda: line.committable == 3)
        assert line.desk.begun == [0, 1]


async def test_the_commit_stays_at_the_oldest_unfinished_record() -> None:
    async with Line(Desk(patient=True)).running() as line:
        line.bring(0, 1, 2, 3)
        await until(lambda: line.desk.begun == [0, 1, 2, 3])
        line.desk.let_go(1, 3)
        await until(lambda: line.desk.finished == [1, 3])
        assert line.committable == 0
        line.desk.let_go(0)
        await until(lambda: line.committable == 2)
        line.desk.let_go(2)
        await until(lambda: line.committable == 4)


async def test_the_window_bounds_what_is_in_flight() -> None:
    async with Line(Desk(patient=True), window=3).running() as line:
        line.bring(*range(8))
        await until(lambda: len(line.desk.begun) == 3)
        await settled()
        assert line.desk.begun == [0, 1, 2]
        assert line.books.in_flight == 3
        assert line.delivery.full
        line.desk.let_go(1)
        await until(lambda: line.desk.begun == [0, 1, 2, 3])
        line.desk.let_go(*range(8))
        await until(lambda: line.committable == 8)
        assert not line.delivery.full


async def test_an_error_is_tried_again_and_then_is_poison_without_harm_to_neighbours() -> None:
    desk = Desk()
    desk.errors[1] = [ValueError(str(n)) for n in range(9)]
    async with Line(desk).running() as line:
        line.bring(0, 1, 2)
        await until(lambda: line.committable == 3)
        assert desk.buried == [(1, "ValueError", 3)]
        assert desk.begun.count(1) == 3
        assert sorted(desk.finished) == [0, 2]


async def test_an_error_that_passes_leaves_nothing_buried() -> None:
    desk = Desk()
    desk.errors[0] = [ValueError(), ValueError()]
    async with Line(desk).running() as line:
        line.bring(0)
        await until(lambda: line.committable == 1)
        assert desk.finished == [0]
        assert desk.buried == []


async def test_a_bad_record_is_poison_at_once() -> None:
    desk = Desk()
    desk.errors[0] = [BadRecord("bad", "x")]
    async with Line(desk).running() as line:
        line.bring(0)
        await until(lambda: line.committable == 1)
        assert desk.buried == [(0, "BadRecord", 1)]


async def test_an_outage_is_waited_out_however_often_it_fails() -> None:
    desk = Desk()
    desk.errors[0] = [BrokerUnavailable() for _ in range(20)]
    async with Line(desk).running() as line:
        line.bring(0, 1)
        await until(lambda: line.committable == 2)
        assert desk.begun.count(0) == 21
        assert desk.buried == []
        assert desk.finished == [1, 0]


async def test_a_failing_beginning_keeps_later_records_behind_it() -> None:
    desk, failing = Desk(), [BrokerUnavailable(), BrokerUnavailable()]
    begin = desk.begin

    async def begin_or_fail(each: Record) -> Awaitable[None]:
        if each.offset == 0 and failing:
            raise failing.pop()
        return await begin(each)

    line = Line(desk)
    line.delivery = Delivery(Stage("embed", begin_or_fail, desk.poison, retry=QUICK), line.books)
    async with line.running():
        line.bring(0, 1)
        await until(lambda: line.committable == 2)
        assert desk.begun == [0, 1]


async def test_the_last_resort_is_tried_until_it_succeeds() -> None:
    desk = Desk()
    desk.errors[0] = [BadRecord("bad", "x")]
    desk.poison_errors = [BrokerUnavailable()]
    async with Line(desk).running() as line:
        line.bring(0)
        await until(lambda: line.committable == 1)
        assert len(desk.buried) == 1


async def test_settling_lets_work_in_flight_finish_and_commits_it() -> None:
    async with Line(Desk(patient=True)).running() as line:
        line.bring(0, 1)
        await until(lambda: line.desk.begun == [0, 1])
        settling = asyncio.create_task(line.books.settle())
        await settled()
        assert not settling.done()
        line.desk.let_go(0, 1)
        await settling
        assert line.committable == 2


async def test_settling_hands_back_what_waits_for_another_and_keeps_what_finished() -> None:
    desk = Desk()
    desk.errors[1] = [HandedBack()]
    async with Line(desk).running() as line:
        line.bring(0, 1, 2)
        await until(lambda: 2 in desk.finished)
        await line.books.settle()
        assert desk.finished == [0, 2]
        assert line.committable == 1
        assert desk.buried == []


async def test_settling_ends_the_wait_for_another_attempt() -> None:
    desk = Desk()
    desk.errors[0] = [BrokerUnavailable() for _ in range(1000)]
    line = Line(desk)
    slow = RetryPolicy(first_wait_s=60, longest_wait_s=60)
    line.delivery = Delivery(Stage("embed", desk.begin, desk.poison, retry=slow), line.books)
    async with line.running():
        line.bring(0)
        await until(lambda: desk.begun == [0])
        await asyncio.wait_for(line.books.settle(), 1)
        assert line.committable == 0


async def test_what_does_not_end_in_time_is_cancelled_and_not_committed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "SETTLE_S", 0.01)
    async with Line(Desk(patient=True)).running() as line:
        line.bring(0, 1)
        await until(lambda: line.desk.begun == [0, 1])
        line.desk.let_go(1)
        await line.books.settle()
        assert line.committable == 0
        assert line.books.in_flight == 0


async def test_waiting_for_another_stage_ends_with_an_error_when_leaving() -> None:
    books = Line(Desk()).books
    waiting = asyncio.create_task(books.or_leave(asyncio.Event().wait()))
    await settled()
    books.leaving.set()
    with pytest.raises(HandedBack):
        await waiting


async def test_waiting_for_another_stage_passes_its_error_on() -> None:
    async def broken() -> None:
        raise ValueError("said")

    with pytest.raises(ValueError, match="said"):
        await Line(Desk()).books.or_leave(broken())


async def test_after_forgetting_the_books_begin_at_the_commit_and_do_the_rest_again() -> None:
    desk = Desk()
    desk.errors[1] = [HandedBack()]
    async with Line(desk, log=FakeLog(1, 2)).running() as line:
        line.bring(0, 1, 2)
        await until(lambda: 2 in desk.finished)
        await line.books.settle()
        line.commits.offset = line.committable or 0
        line.books.forget()
        assert line.books.committable() == {}
        assert line.books.finished_to(PLACE) is None
        line.bring(1, 2, 3)
        await until(lambda: line.committable == 4)
        assert desk.finished == [0, 2, 1, 2, 3]


async def test_a_record_waiting_for_room_is_not_begun_by_the_generation_that_left() -> None:
    async with Line(Desk(patient=True), window=1).running() as line:
        line.bring(0, 1)
        await until(lambda: line.desk.begun == [0])
        await settled()
        settling = asyncio.create_task(line.books.settle())
        await settled()
        line.desk.let_go(0)
        await settling
        await settled()
        assert line.desk.begun == [0]
        assert line.committable == 1


async def test_a_hole_being_read_when_the_partition_leaves_is_not_committed_past() -> None:
    log = FakeLog(0, 1, 2, 3)
    log.before_answer.clear()
    async with Line(Desk(), log=log).running() as line:
        line.bring(0, 3)
        await until(lambda: log.asked == [(1, 3)])
        await line.books.settle()
        log.before_answer.set()
        await settled()
        assert line.desk.begun == [0]
        assert line.committable == 1


async def test_a_hole_half_delivered_when_the_partition_leaves_is_not_committed_past() -> None:
    async with Line(Desk(patient=True), log=FakeLog(0, 1, 2, 3), window=1).running() as line:
        line.bring(3)
        await until(lambda: line.desk.begun == [0])
        settling = asyncio.create_task(line.books.settle())
        await settled()
        line.desk.let_go(0)
        await settling
        await settled()
        assert line.desk.begun == [0]
        assert line.committable == 1


async def test_the_last_resort_survives_an_outage_of_an_hour(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk()
    desk.errors[0] = [BadRecord("bad", "x")]
    desk.poison_errors = [BrokerUnavailable() for _ in range(1100)]
    line = Line(desk)

    async def at_once(waiting: Any) -> None:
        waiting.close()
        await asyncio.sleep(0)

    monkeypatch.setattr(line.books, "or_leave", at_once)
    async with line.running():
        line.bring(0)
        await until(lambda: line.committable == 1, 1.0)


async def test_a_look_at_the_tail_of_a_partition_that_has_left_delivers_nothing() -> None:
    async with Line(Desk(), log=FakeLog(0, 1, 2)).running() as line:
        before = line.books.generation
        await line.books.settle()
        line.books.forget()
        await line.delivery.look_at_tail(PLACE, 3, before)
        assert line.desk.begun == []


async def test_a_cancellation_from_within_is_an_error_of_the_stage() -> None:
    desk = Desk()
    desk.errors[0] = [asyncio.CancelledError()]  # type: ignore[list-item]  # a future somebody cancelled
    async with Line(desk).running() as line:
        line.bring(0)
        await until(lambda: line.committable == 1)


async def test_those_who_wait_for_progress_are_woken() -> None:
    async with Line(Desk(patient=True)).running() as line:
        line.bring(0)
        await until(lambda: line.desk.begun == [0])
        waiting = asyncio.create_task(line.books.progress(PLACE))
        await settled()
        assert not waiting.done()
        line.desk.let_go(0)
        await asyncio.wait_for(waiting, 1)
        assert line.books.finished_to(PLACE) == 1


@pytest.mark.parametrize("headers", [None, [("a", b"1")], {"a": b"1"}])
async def test_headers_of_a_faust_event_come_as_list_mapping_or_nothing(headers: Any) -> None:
    stream = FakeStream(record(3))
    async for event in stream.noack().events():
        event.message.headers = headers
        taken = as_record(cast(Any, event))
        assert taken.headers == ((("a", b"1"),) if headers else ())
        assert (taken.place, taken.offset, taken.value) == (PLACE, 3, b"{}")
        break


async def test_two_partitions_keep_their_own_books() -> None:
    async with Line(Desk(patient=True)).running() as line:
        for partition in (0, 1):
            line.stream.put(record(0, partition=partition))
        await until(lambda: len(line.desk.begun) == 2)
        assert line.books.committable() == {PLACE: 0, Place("v.t", 1): 0}
        line.desk.let_go(0)
        await until(lambda: line.books.committable() == {PLACE: 1, Place("v.t", 1): 1})
