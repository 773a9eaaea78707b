"""Reading one task: the cache for what is final, else its owner, here or one hop away."""

import asyncio

from models.clock import Clock
from models.errors import OwnerUnavailable, TaskNotFound
from models.rows import TaskRow
from models.units import ItemFailure, SourcePlace
from web.hop import OwnerHop
from web.ports import Board, Owners, RowCache

#: Between two tries while an owner is away; twice as long each time, up to the longest, or hundreds
#: who wait for a busy owner keep it busy.
PAUSE_S = 0.1
LONGEST_PAUSE_S = 0.5
#: A held call is asked for anew that often: its owner may have changed, or this process may stop.
HOLD_S = 2.0


class TaskReader:
    """Reads rows wherever they are owned."""

    def __init__(
        self, board: Board, owners: Owners, cache: RowCache, *, hop: OwnerHop, clock: Clock
    ) -> None:
        """Ask `cache` first, then `board` for what is owned here and `hop` for the rest."""
        self._board = board
        self._owners = owners
        self._cache = cache
        self._hop = hop
        self._clock = clock
        self._stopping = False

    def stop_holding(self) -> None:
        """Let held calls end with what is known: the process is told to stop."""
        self._stopping = True

    async def find(self, task_id: str) -> TaskRow:
        """Read a task; raise TaskNotFound or OwnerUnavailable."""
        row = await self._cache.get(task_id) or await self.owned(task_id)
        if row is None:
            raise TaskNotFound(task_id)
        return row

    async def held(self, task_id: str, wait_s: float) -> TaskRow:
        """Read a task that is final, or `wait_s` later as it is; raise as `find` does."""
        if wait_s <= 0:
            return await self.find(task_id)
        row = await self._cache.get(task_id)
        if row is None:
            row = await self.settled(task_id, patience_s=wait_s, until_final_s=wait_s)
        if row is None:
            raise TaskNotFound(task_id)
        return row

    async def settled(
        self,
        task_id: str,
        *,
        patience_s: float,
        after_source: SourcePlace | None = None,
        after_event: int | None = None,
        until_final_s: float = 0.0,
    ) -> TaskRow | None:
        """Read from the owner, trying for `patience_s` while it is away; None: no such task.

        `until_final_s` counts from this call and is at most `patience_s`. Raises OwnerUnavailable.
        """
        try:
            # A held call is bounded by its owner; a verdict is not worth more than its patience.
            async with asyncio.timeout(None if until_final_s else patience_s):
                return await self._retried(
                    task_id,
                    patience_s=patience_s,
                    after_source=after_source,
                    after_event=after_event,
                    until_final_s=until_final_s,
                )
        except TimeoutError as error:
            raise OwnerUnavailable(f"the owner did not answer within {patience_s:g} s") from error

    async def _retried(
        self,
        task_id: str,
        *,
        patience_s: float,
        after_source: SourcePlace | None,
        after_event: int | None,
        until_final_s: float,
    ) -> TaskRow | None:
        began_s, pause_s = self._clock.monotonic_s(), PAUSE_S
        while True:
            left_s = until_final_s - (self._clock.monotonic_s() - began_s)
            try:
                row = await self.owned(
                    task_id,
                    after_source=after_source,
                    after_event=after_event,
                    until_final_s=min(max(left_s, 0.0), HOLD_S),
                )
                if row is None or row.is_final or left_s <= HOLD_S or self._stopping:
                    return row
            except OwnerUnavailable:
                rest_s = patience_s - (self._clock.monotonic_s() - began_s)
                if rest_s < PAUSE_S or self._stopping:
                    raise
                await asyncio.sleep(min(pause_s, max(PAUSE_S, rest_s - PAUSE_S)))
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            else:
                await asyncio.sleep(PAUSE_S)

    async def owned(
        self,
        task_id: str,
        *,
        after_source: SourcePlace | None = None,
        after_event: int | None = None,
        until_final_s: float = 0.0,
    ) -> TaskRow | None:
        """Read from the owner, once; None: no such task. Raises OwnerUnavailable."""
        url = self._owners.url_of(task_id)
        if url is None:
            return await self._board.row(
                task_id,
                after_source=after_source,
                after_event=after_event,
                until_final_s=until_final_s,
            )
        return await self._hop.row(
            url,
            task_id,
            after_source=after_source,
            after_event=after_event,
            until_final_s=until_final_s,
        )

    async def errors(self, row: TaskRow) -> list[ItemFailure]:
        """List a task's failed items, by item; raise OwnerUnavailable."""
        url = self._owners.url_of(row.task_id)
        return self._board.errors(row) if url is None else await self._hop.errors(url, row.task_id)
