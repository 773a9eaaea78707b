"""Room in memory: bounded, in order, and never lost by who gives up waiting."""

import asyncio

from streams.room import Room


class Holder:
    """Takes room in a task of its own, until it is told to leave."""

    def __init__(self, room: Room, size: int) -> None:
        self.inside = asyncio.Event()
        self._leave = asyncio.Event()
        self.task = asyncio.create_task(self._hold(room, size))

    async def _hold(self, room: Room, size: int) -> None:
        async with room.taken(size):
            self.inside.set()
            await self._leave.wait()
            self.inside.clear()

    async def leave(self) -> None:
        self._leave.set()
        await self.task


async def settled(*holders: Holder) -> list[bool]:
    for _ in range(5):
        await asyncio.sleep(0)
    return [holder.inside.is_set() for holder in holders]


async def test_as_much_is_let_in_as_there_is_room_for() -> None:
    room = Room(10)
    first, second, third = Holder(room, 6), Holder(room, 4), Holder(room, 1)
    assert await settled(first, second, third) == [True, True, False]
    await second.leave()
    assert await settled(first, third) == [True, True]
    await first.leave()
    await third.leave()


async def test_who_waits_is_let_in_by_arrival_though_a_smaller_one_would_fit() -> None:
    room = Room(10)
    first, large, small = Holder(room, 6), Holder(room, 8), Holder(room, 1)
    assert await settled(first, large, small) == [True, False, False]
    await first.leave()
    assert await settled(large, small) == [True, True]
    await large.leave()
    await small.leave()


async def test_what_is_larger_than_all_of_the_room_has_it_alone() -> None:
    room = Room(10)
    small, huge = Holder(room, 1), Holder(room, 1000)
    assert await settled(small, huge) == [True, False]
    await small.leave()
    behind = Holder(room, 1)
    assert await settled(huge, behind) == [True, False]
    await huge.leave()
    assert await settled(behind) == [True]
    await behind.leave()


async def test_who_gives_up_waiting_stands_before_nobody() -> None:
    room = Room(10)
    first, gives_up, last = Holder(room, 6), Holder(room, 8), Holder(room, 4)
    assert await settled(first, gives_up, last) == [True, False, False]
    gives_up.task.cancel()
    assert await settled(first, last) == [True, True]
    await first.leave()
    await last.leave()


async def test_who_is_cancelled_when_it_was_let_in_already_leaves_its_room_to_others() -> None:
    room = Room(10)
    first, unlucky = Holder(room, 10), Holder(room, 10)
    assert await settled(first, unlucky) == [True, False]
    first._leave.set()
    await asyncio.sleep(0)  # it gives back now, and the other is let in, though it has not run
    unlucky.task.cancel()
    last = Holder(room, 10)
    assert await settled(first, unlucky, last) == [False, False, True]
    await last.leave()
