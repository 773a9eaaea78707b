"""Room for what is held in memory: so many bytes at once, first come, first served."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Room:
    """At most so many bytes at once; what is larger has all of the room, alone."""

    def __init__(self, total_bytes: int) -> None:
        """Have room for `total_bytes`."""
        self._total = self._free = total_bytes
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def taken(self, size_bytes: int) -> AsyncIterator[None]:
        """Wait for room, and have it until the block ends."""
        wanted = min(size_bytes, self._total)
        await self._take(wanted)
        try:
            yield
        finally:
            self._give_back(wanted)

    async def _take(self, wanted: int) -> None:
        if not self._waiting and wanted <= self._free:
            self._free -= wanted
            return
        let_in: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((wanted, let_in))
        try:
            await let_in
        except asyncio.CancelledError:
            if let_in.cancelled():
                self._let_in()  # it may have stood before others
            else:
                self._give_back(wanted)  # it was let in and cannot come
            raise

    def _give_back(self, size_bytes: int) -> None:
        self._free += size_bytes
        self._let_in()

    def _let_in(self) -> None:
        """Let in those who wait, in their order, for as long as there is room."""
        while self._waiting:
            wanted, let_in = self._waiting[0]
            if not let_in.cancelled():
                if wanted > self._free:
                    return
                self._free -= wanted
                let_in.set_result(None)
            self._waiting.popleft()
