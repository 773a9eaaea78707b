"""Lines: records of one key of a partition are begun one after the other, others beside them."""

import asyncio
from collections.abc import Hashable
from functools import partial

from models.errors import HandedBack

#: Ends when a record was begun, or with False when it never was.
Begun = asyncio.Future[bool]


class Turn:
    """A record's place in its line."""

    def __init__(self, before: Begun | None, begun: Begun) -> None:
        """Stand behind `before`, if anybody is there."""
        self._before = before
        self._begun = begun

    async def come(self) -> None:
        """Wait until the record before was begun; raise HandedBack where it never was."""
        if self._before is None:
            return
        await asyncio.wait({self._before})
        if not self._before.result():
            raise HandedBack

    def begun(self) -> None:
        """Let the next one begin."""
        self._settle(done=True)

    def over(self) -> None:
        """Nothing more comes of it: unless it was begun, nobody behind it ever is."""
        self._settle(done=False)

    def _settle(self, *, done: bool) -> None:
        if not self._begun.done():
            self._begun.set_result(done)


class Lines:
    """All lines of a stage, for as long as its partitions stay in hand."""

    def __init__(self) -> None:
        """Begin with nobody in any line."""
        self._generation = 0
        self._last: dict[Hashable, Begun] = {}
        """Of each line in which somebody waits, or was never begun, the last one."""

    def __len__(self) -> int:
        return len(self._last)

    def stand_in(self, line: Hashable, generation: int) -> Turn:
        """Stand at the end of a line; a new generation begins with empty ones."""
        if generation != self._generation:
            self._last.clear()
            self._generation = generation
        begun: Begun = asyncio.get_running_loop().create_future()
        turn = Turn(self._last.get(line), begun)
        self._last[line] = begun
        begun.add_done_callback(partial(self._forget, line))
        return turn

    def _forget(self, line: Hashable, begun: Begun) -> None:
        """Let go of a line whose last record was begun; one that never was stays in the way."""
        if begun.result() and self._last.get(line) is begun:
            del self._last[line]
