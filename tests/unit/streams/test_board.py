"""What an owner waits for before it answers about a task."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from models.errors import OwnerUnavailable
from models.units import SourcePlace
from streams.board import Board

TASK = "a-task"


class Partition:
    """A partition whose intake is done with records below `done`; a row, if there is one."""

    def __init__(self, *, done: int, row_from: int | None) -> None:
        self.done = done
        self.row: Any = None
        if row_from is not None:
            self.row = SimpleNamespace(source=place(row_from), is_final=False)

    def stored(self, partition: int, task_id: str) -> Any:
        assert (partition, task_id) == (0, TASK)
        return self.row

    async def open_gate(self, partition: int) -> None: ...

    async def after_source(self, source: SourcePlace) -> None:
        if source.offset >= self.done:
            await asyncio.Event().wait()

    async def to_the_end(self, partition: int, key: bytes) -> None: ...

    def check_standing(self, partition: int) -> None: ...

    async def told(self, offset: int) -> Any:
        board = Board(
            rows=cast(Any, self),
            freshness=cast(Any, self),
            finals=cast(Any, None),
            partition_of=lambda key: 0,
            read_timeout_s=0.01,
        )
        return await board.row(TASK, after_source=place(offset))


def place(offset: int) -> SourcePlace:
    return SourcePlace(partition=0, offset=offset)


async def test_a_record_that_repeats_a_task_is_answered_with_it_before_intake_comes_to_it() -> None:
    there = Partition(done=5, row_from=4)
    assert await there.told(400) is there.row


@pytest.mark.parametrize("row_from", [None, 7, 8])
async def test_what_no_earlier_record_is_waits_for_intake(row_from: int | None) -> None:
    with pytest.raises(OwnerUnavailable, match="not caught up"):
        await Partition(done=5, row_from=row_from).told(7)
    there = Partition(done=8, row_from=7)
    assert await there.told(7) is there.row
