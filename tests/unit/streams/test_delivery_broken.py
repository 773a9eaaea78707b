"""What delivery does about an error of its own."""

import asyncio
from typing import cast

import pytest

from streams.codec import BadRecord
from streams.ledger import OffsetLedger
from tests.unit.streams.line import Desk, Line, until


async def test_an_error_of_delivery_itself_is_known_and_its_record_is_not_committed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing would ever finish the record: whoever watches ends the process."""
    finish = OffsetLedger.finish

    def broken(self: OffsetLedger, offset: int) -> None:
        if offset == 1:
            raise RuntimeError("a bug")
        finish(self, offset)

    monkeypatch.setattr(OffsetLedger, "finish", broken)
    async with Line(Desk()).running() as line:
        line.bring(0, 1, 2)
        await until(lambda: line.books.broken is not None)
        await until(lambda: line.books.in_flight == 0)
        assert str(line.books.broken) == "a bug"
        assert line.committable == 1


async def test_work_that_is_handed_back_breaks_nothing() -> None:
    async with Line(Desk(patient=True)).running() as line:
        line.bring(0)
        await until(lambda: line.books.in_flight == 1)
        next(iter(line.books._work)).cancel()
        await until(lambda: line.books.in_flight == 0)
        assert line.books.broken is None


async def test_a_last_resort_that_is_cancelled_from_within_is_tried_again() -> None:
    desk = Desk()
    desk.errors[0] = [BadRecord("bad", "never")]
    desk.poison_errors = [cast(Exception, asyncio.CancelledError())]
    async with Line(desk).running() as line:
        line.bring(0)
        await until(lambda: line.committable == 1)
        assert desk.buried == [(0, "BadRecord", 1)]
        assert line.books.broken is None


async def test_work_that_is_cancelled_by_nobody_breaks_delivery(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def cancelled(self: OffsetLedger, offset: int) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(OffsetLedger, "finish", cancelled)
    async with Line(Desk()).running() as line:
        line.bring(0)
        await until(lambda: line.books.broken is not None)
        assert line.committable == 0


async def test_an_error_that_cannot_be_told_is_handled_like_any_other() -> None:
    class Dumb(Exception):
        def __repr__(self) -> str:
            raise ValueError("no words")

    desk = Desk()
    desk.errors[0] = [Dumb()]
    async with Line(desk).running() as line:
        line.bring(0)
        await until(lambda: line.committable == 1)
        assert line.books.broken is None


async def test_work_cancelled_before_its_first_step_leaves_no_slot_taken() -> None:
    async with Line(Desk(patient=True), window=1).running() as line:
        line.bring(0)
        while not line.books._work:  # noqa: ASYNC110  # the very moment it is launched
            await asyncio.sleep(0)
        next(iter(line.books._work)).cancel()
        await until(lambda: line.books.in_flight == 0)
        assert not line.delivery.full
