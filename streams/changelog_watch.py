"""Looks for strangers' records in the changelogs of this master's tables, and writes over them.

A master that was stopped, lost its partitions and was woken may still have had rows in its
producer: older versions, behind the new owner's. Read in order they lose (`streams/tables.py`), but
compaction would keep only the last. So the owner writes the row that stands once more (DESIGN 7).
"""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from streams import figures
from streams.records import Place
from streams.side_reader import SideReader
from streams.tables import DurableTable

log = structlog.get_logger("streams.changelog_watch")

LOOK_S = 5.0


class ChangelogWatch:
    """Watches the changelogs of some tables."""

    def __init__(
        self,
        tables: Sequence[DurableTable],
        reader: SideReader,
        owned: Callable[[], frozenset[int]],
        holds: Callable[[], bool],
    ) -> None:
        """Look into partitions that are `owned`, while the lease `holds`."""
        self._tables = tables
        self._reader = reader
        self._owned = owned
        self._holds = holds
        self._seen: dict[tuple[str, int], range] = {}

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            for table in self._tables:
                await self.look(table)

    async def look(self, table: DurableTable) -> None:
        """Look into what nobody here wrote, if it was there at the look before, too.

        What we are just writing ourselves is known by then.
        """
        owned = sorted(self._owned())
        places = [Place(table.changelog, partition) for partition in owned]
        ends = await self._reader.end_offsets(places) if places else {}
        for place in places:
            spot = (table.name, place.partition)
            hole = table.hole(place.partition, ends[place])
            if hole and self._seen.get(spot) == hole and self._holds():
                await self._close(table, place, hole)
            self._seen[spot] = hole

    async def _close(self, table: DurableTable, place: Place, hole: range) -> None:
        span = await self._reader.read(place, hole.start, hole.stop)
        if place.partition not in self._owned() or not self._holds():
            return
        written = await table.assert_again(place.partition, span.records, span.read_to)
        figures.ROWS_ASSERTED.inc(written)
        log.warning(
            "changelog_of_a_stranger",
            place=place,
            records=len(span.records),
            written_again=written,
        )
