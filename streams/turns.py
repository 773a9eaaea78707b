"""Turns at something that serves few at a time: the most urgent lane first, none for ever last."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from models.lane_order import LaneOrder
from models.states import Lane


class Turns:
    """At most so many turns at once; who waits is let in by lane, within a lane by arrival.

    Where there are two or more, one is kept for the high lane: it does not wait for bulk.
    """

    def __init__(self, at_once: int) -> None:
        """Let in `at_once` at the same time."""
        self._free = at_once
        self._kept = 1 if at_once > 1 else 0
        self._order = LaneOrder()
        self._waiting: dict[Lane, deque[asyncio.Future[None]]] = {lane: deque() for lane in Lane}

    @asynccontextmanager
    async def turn(self, lane: Lane) -> AsyncIterator[None]:
        """Wait for a turn, and have it until the block ends."""
        await self._enter(lane)
        try:
            yield
        finally:
            self._leave()

    async def _enter(self, lane: Lane) -> None:
        if self._may_enter(lane):
            self._free -= 1
            return
        let_in: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[lane].append(let_in)
        try:
            await let_in
        except asyncio.CancelledError:
            if let_in in self._waiting[lane]:
                self._waiting[lane].remove(let_in)
            elif not let_in.cancelled():
                self._leave()  # it was let in and cannot come: the turn is another's
            raise

    def _may_enter(self, lane: Lane) -> bool:
        return self._free > (0 if lane is Lane.HIGH else self._kept)

    def _leave(self) -> None:
        """Give the turn back and let in who may come now."""
        self._free += 1
        while (lane := self._order.choose(self._lanes())) is not None and self._may_enter(lane):
            let_in = self._waiting[lane].popleft()
            self._order.note(lane, self._lanes())
            if not let_in.cancelled():
                self._free -= 1
                let_in.set_result(None)

    def _lanes(self) -> list[Lane]:
        return [lane for lane, waiting in self._waiting.items() if waiting]
