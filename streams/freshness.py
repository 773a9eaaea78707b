"""When an owner may answer: in good standing, under its lease, and folded far enough (DESIGN 7).

A row is shown only once the owner has folded its partition as far as the log reached when it
took over: so an answer is never older than one an earlier owner gave. That a task is unknown is
said only when the partition is folded to its end, as far as it may be of this task: what another
task's record waits for is nothing to it.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Protocol

from models.errors import OwnerUnavailable
from models.units import SourcePlace
from streams.delivery import Deliveries
from streams.lease import Lease
from streams.records import Place
from streams.topics import TopicNames

#: So long Faust may take to bring a record. A look of our own holds its stage up meanwhile, so it
#: is for what Faust never brings: markers of transactions, and what it skipped.
BROUGHT_S = 0.25
GATES_INTERVAL_S = 0.5


class Tails(Protocol):
    """Where the log ends, and whether this process is a member in good standing."""

    def in_standing(self) -> bool:
        """Whether no rebalance or recovery is under way."""

    def owned(self) -> frozenset[int]:
        """Partitions assigned and recovered."""

    async def end_offset(self, place: Place) -> int:
        """The offset after the last record of a partition, asked after this call began."""

    async def look_at_tail(self, place: Place) -> None:
        """Deliver or pass what lies between the offset due and the end."""


class Freshness:
    """What this process may say of its partitions."""

    def __init__(
        self, deliveries: Deliveries, lease: Lease, tails: Tails, names: TopicNames
    ) -> None:
        """Judge by `deliveries` what is folded."""
        self._deliveries = deliveries
        self._lease = lease
        self._tails = tails
        self._names = names
        self._gates: dict[int, int] = {}

    def check_standing(self, partition: int) -> None:
        """Raise OwnerUnavailable where this process must not answer for the partition now."""
        if partition not in self._tails.owned():
            raise OwnerUnavailable(f"partition {partition} is not served here now (a rebalance)")
        self._lease.check()

    def check_member(self) -> None:
        """Raise OwnerUnavailable where this master has no say now, or may have lost it."""
        if not self._tails.in_standing():
            raise OwnerUnavailable("a rebalance or the recovery of tables is under way")
        self._lease.check()

    def close_gates(self) -> None:
        """Begin anew: a rebalance began. What is still being asked for is of the time before."""
        self._gates = {}

    async def keep_gates(self) -> None:
        """Note for ever how far the log reaches when a partition is taken over.

        At its first read only, it could be far more: all of that would have to be folded.
        """
        while True:
            for partition in sorted(self._tails.owned() - self._gates.keys()):
                await self._gate(partition)
            await asyncio.sleep(GATES_INTERVAL_S)

    async def _gate(self, partition: int) -> int:
        gates = self._gates
        if partition not in gates:
            end = await self._tails.end_offset(self._events(partition))
            gates.setdefault(partition, end)
        return gates[partition]

    async def open_gate(self, partition: int) -> None:
        """Wait, once after taking over, until folded as far as the log reached then."""
        self.check_standing(partition)
        place, end = self._events(partition), await self._gate(partition)
        await self._reached(place, end, lambda: (self._deliveries.finished_to(place) or 0) >= end)

    async def after_source(self, source: SourcePlace) -> None:
        """Wait until intake is done with a record; by then its event is folded."""
        await self._folded(Place(self._names.tasks, source.partition), source.offset)

    async def after_event(self, partition: int, offset: int) -> None:
        """Wait until an event is folded."""
        await self._folded(self._events(partition), offset)

    async def to_the_end(self, partition: int, key: bytes) -> None:
        """Fold to the log's end what is of this key, the task's id.

        First intake's share, since each record has its event by then.
        """
        for place in (Place(self._names.tasks, partition), self._events(partition)):
            end = await self._tails.end_offset(place)
            await self._reached(
                place, end, partial(self._deliveries.is_finished_of, place, key, end)
            )

    async def _reached(self, place: Place, end: int, holds: Callable[[], bool]) -> None:
        """Wait until it `holds` of a log that ends at `end`.

        What Faust does not bring in a moment is looked into.
        """
        if end <= 0:
            return
        try:
            async with asyncio.timeout(BROUGHT_S):
                await self._until(place, holds)
        except TimeoutError:
            await self._tails.look_at_tail(place)
            await self._until(place, holds)

    async def _folded(self, place: Place, offset: int) -> None:
        await self._until(place, partial(self._deliveries.is_finished, place, offset))

    async def _until(self, place: Place, holds: Callable[[], bool]) -> None:
        while not holds():
            await self._deliveries.progress(place)

    def _events(self, partition: int) -> Place:
        return Place(self._names.events, partition)
