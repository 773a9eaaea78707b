"""What delivery does about an error of its own."""

import pytest

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
