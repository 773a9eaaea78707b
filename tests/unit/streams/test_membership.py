"""Looking into a partition whose end Faust does not bring."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from streams.delivery import Deliveries, Delivery, Stage
from streams.membership import Membership
from streams.records import Place, Record
from streams.side_reader import Span
from tests.unit.streams.line import PLACE, Commits, Desk


class Markers:
    """A log whose last offset is a marker of a stranger's transaction."""

    end = 3

    async def end_offsets(self, places: Sequence[Place]) -> dict[Place, int]:
        return dict.fromkeys(places, self.end)

    async def read(self, place: Place, start: int, end: int) -> Span:
        records: list[Record] = []
        return Span(records, end)


@pytest.mark.parametrize("unfinished", [[], [0], [0, 1]])
async def test_a_marker_at_the_end_is_passed_whatever_is_under_way(unfinished: list[int]) -> None:
    """One task's record that waits for another try must not hide the end from all others."""
    books = Deliveries(Commits(), cast(Any, Markers()))
    delivery = Delivery(Stage("intake", Desk().begin, Desk().poison), books)
    app = SimpleNamespace(
        deliveries=books,
        reader=books.reader,
        assigned=lambda: {PLACE},
        stage_deliveries={PLACE.topic: delivery},
    )
    ledger = books.ledger(PLACE)
    for offset in range(2):
        ledger.deliver(offset, b"k")
        if offset not in unfinished:
            ledger.finish(offset)
    await Membership(cast(Any, app), PLACE.topic).look_at_tail(PLACE)
    assert ledger.due == 3
    assert ledger.committable == min([*unfinished, 3])
