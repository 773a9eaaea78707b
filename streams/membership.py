"""What a process may say about its partitions: which are in hand, where they end, what is quiet."""

import asyncio
from collections import defaultdict

import structlog

from streams.app import StageApp
from streams.delivery import Deliveries
from streams.records import Place

log = structlog.get_logger("streams.membership")

#: A partition from which nothing came for so long, though it has records, is looked into.
QUIET_S = 5.0
#: Most offsets fetched beside Faust in one look.
LOOK_AHEAD = 500


class Membership:
    """One app's place in its group."""

    def __init__(self, app: StageApp, partitioned_by: str) -> None:
        """Own a partition number when that partition of the topic `partitioned_by` is in hand."""
        self._app = app
        self._topic = partitioned_by
        self._next_ends: dict[Place, asyncio.Task[int]] = {}
        self._asking: defaultdict[Place, asyncio.Lock] = defaultdict(asyncio.Lock)

    @property
    def _books(self) -> Deliveries:
        return self._app.deliveries

    def in_standing(self) -> bool:
        """Tell whether this process has its place in the group, and its tables."""
        return self._app.in_standing()

    def owned(self) -> frozenset[int]:
        """Partitions assigned and recovered."""
        places = self._app.assigned()
        return frozenset(place.partition for place in places if place.topic == self._topic)

    async def end_offset(self, place: Place) -> int:
        """The offset after the last record of a partition, asked after this call began.

        An open transaction of a stranger's counts: a record of ours may lie behind it.

        An older answer, however young, could miss a record acknowledged just before. A burst of
        calls shares: while one question is under way, all that come wait for the next.
        """
        if place not in self._next_ends:
            self._next_ends[place] = asyncio.create_task(self._ask_end(place))
        return await asyncio.shield(self._next_ends[place])

    async def _ask_end(self, place: Place) -> int:
        async with self._asking[place]:
            del self._next_ends[place]
            return (await self._app.reader.high_watermarks([place]))[place]

    async def look_at_tail(self, place: Place) -> None:
        """Deliver or pass what lies between the offset due and the end, where there is room.

        Records that Faust is about to bring are left to it for a moment: what it brings after all
        is a repeat and costs nothing but the fetch.
        """
        delivery = self._app.stage_deliveries[place.topic]
        await asyncio.sleep(0.05)
        if place not in self._app.assigned():
            return
        # Opens the books of a partition without news, which is finished as far as is committed.
        ledger, generation = self._books.ledger(place), self._books.generation
        if delivery.full:
            return
        end = (await self._app.reader.end_offsets([place]))[place]
        if ledger.due < end:
            await delivery.look_at_tail(place, min(end, ledger.due + LOOK_AHEAD), generation)

    async def watch_tails(self) -> None:
        """Look for ever into partitions that went quiet before their end."""
        behind: dict[Place, int] = {}
        while True:
            await asyncio.sleep(QUIET_S)
            quiet = self._quiet(asyncio.get_running_loop().time())
            due = {place: self._books.ledger(place).due for place in quiet}
            for place in quiet:
                if behind.get(place) == due[place]:
                    await self.look_at_tail(place)
            ends = await self._app.reader.end_offsets(quiet) if quiet else {}
            behind = {place: due[place] for place in quiet if ends[place] > due[place]}

    def _quiet(self, now_s: float) -> list[Place]:
        deliveries = self._app.stage_deliveries
        return [
            place
            for place in sorted(self._app.assigned())
            if now_s - deliveries[place.topic].arrived_s(place) > QUIET_S
        ]
