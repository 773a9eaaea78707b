"""What a process may say about its partitions: which are in hand, where they end, what is quiet."""

import asyncio

import structlog

from streams.app import StageApp
from streams.records import Place

log = structlog.get_logger("streams.membership")

#: How old a known end offset may be for a read; within it a burst of reads asks the broker once.
END_OFFSET_AGE_S = 0.02
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
        self._ends: dict[Place, tuple[float, int]] = {}

    def owned(self) -> frozenset[int]:
        """Partitions assigned and recovered."""
        places = self._app.assigned()
        return frozenset(place.partition for place in places if place.topic == self._topic)

    async def end_offset(self, place: Place) -> int:
        """The offset after the last record of a partition, at most some milliseconds old."""
        now = asyncio.get_running_loop().time()
        asked_s, end = self._ends.get(place, (0.0, 0))
        if now - asked_s > END_OFFSET_AGE_S:
            end = (await self._app.reader.end_offsets([place]))[place]
            self._ends[place] = (now, end)
        return end

    async def look_at_tail(self, place: Place) -> None:
        """Deliver or pass what lies between the offset due and the end, if nothing is under way.

        Records that Faust is about to bring are left to it for a moment: what it brings after all
        is a repeat and costs nothing but the fetch.
        """
        delivery = self._app.stage_deliveries[place.topic]
        await asyncio.sleep(0.05)
        if place not in self._app.assigned() or delivery.busy:
            return
        end = await self.end_offset(place)
        due = self._app.deliveries.ledger(place).due
        if due < end:
            await delivery.look_at_tail(place, min(end, due + LOOK_AHEAD))

    async def watch_tails(self) -> None:
        """Look for ever into partitions that went quiet before their end."""
        behind: dict[Place, int] = {}
        while True:
            await asyncio.sleep(QUIET_S)
            quiet = self._quiet(asyncio.get_running_loop().time())
            due = {place: self._app.deliveries.ledger(place).due for place in quiet}
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
            if now_s - deliveries[place.topic].last_arrival_s > QUIET_S
        ]
