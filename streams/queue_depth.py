"""How much waits in this service, as far as one master can tell: by number, and by age."""

import asyncio
from collections.abc import Awaitable, Callable

from models.clock import Clock
from streams import figures
from streams.row_store import RowStore

LOOK_S = 1.0


class QueueDepth:
    """Tasks that are not final: those on the log that intake has not read, and those with a row."""

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

    async def watch(self) -> None:
        """Count what intake has not read, again and again, for ever."""
        while True:
            self._last_unread = await self._unread()
            figures.QUEUED_TASKS.set(self.tasks())
            figures.OLDEST_TASK_SECONDS.set(self.oldest_s())
            await asyncio.sleep(LOOK_S)

    def tasks(self) -> int:
        """About how many tasks wait or are worked on: owned rows stand for those of all masters."""
        owned = [index for _, index in self._rows.indexes()]
        if not owned:
            return self._last_unread
        unfinished = sum(index.unfinished_total for index in owned)
        return self._last_unread + unfinished * self._partitions // len(owned)

    def oldest_s(self) -> float:
        """How long the owned task has waited that waits longest for its first unit; 0 for none."""
        waiting = [index.oldest_pending_ms for _, index in self._rows.indexes()]
        oldest = min((each for each in waiting if each is not None), default=None)
        return 0.0 if oldest is None else max(0, self._clock.now_ms() - oldest) / 1000
