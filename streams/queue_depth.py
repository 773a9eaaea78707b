"""How much waits in this service, as far as one master can tell: by number, and by age."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count

from models.clock import Clock
from streams import figures
from streams.row_store import RowStore

#: How often rows are counted, and every how many such looks what intake has not read.
LOOK_S = 0.25
UNREAD_EVERY = 4


class QueueDepth:
    """Tasks that are not final: those on the log that intake has not read, and those with a row.

    Counted a few times a second, so that to ask costs nothing: it is asked at every submit.
    """

    def __init__(
        self,
        rows: RowStore,
        unread: Callable[[], Awaitable[int]],
        *,
        partitions: int,
        clock: Clock,
    ) -> None:
        """`unread` counts the records of all partitions that intake has not finished."""
        self._rows = rows
        self._unread = unread
        self._partitions = partitions
        self._clock = clock
        self._last_unread = 0
        self._tasks = 0
        self._oldest_s = 0.0

    async def watch(self) -> None:
        """Count again and again, for ever."""
        for look in count():
            if look % UNREAD_EVERY == 0:
                self._last_unread = await self._unread()
            self.look()
            await asyncio.sleep(LOOK_S)

    def look(self) -> None:
        """Count the rows now."""
        owned = [index for _, index in self._rows.indexes()]
        unfinished = sum(index.unfinished_total for index in owned)
        share = max(1, len(owned))
        self._tasks = self._last_unread + unfinished * self._partitions // share
        waiting = [each for index in owned if (each := index.oldest_pending_ms) is not None]
        waited_ms = self._clock.now_ms() - min(waiting) if waiting else 0
        self._oldest_s = max(0, waited_ms) / 1000
        figures.QUEUED_TASKS.set(self._tasks)
        figures.OLDEST_TASK_SECONDS.set(self._oldest_s)

    def tasks(self) -> int:
        """About how many tasks wait or are worked on: owned rows stand for those of all masters."""
        return self._tasks

    def oldest_s(self) -> float:
        """How long the owned task has waited that waits longest for its first unit; 0 for none."""
        return self._oldest_s
