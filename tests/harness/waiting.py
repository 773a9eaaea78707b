"""Waiting for a condition, never for a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

Found = TypeVar("Found")

#: The longest that any step may take on a busy machine. Nothing is measured by it.
PATIENCE_S = 90.0
PAUSE_S = 0.05


async def until(
    what: str, look: Callable[[], Awaitable[Found]], *, limit_s: float = PATIENCE_S
) -> Found:
    """Await `look` again and again until it gives something true, and return that."""
    deadline_s = time.monotonic() + limit_s
    while True:
        found = await look()
        if found:
            return found
        assert time.monotonic() < deadline_s, f"not within {limit_s:g} s: {what} (last: {found!r})"
        await asyncio.sleep(PAUSE_S)


def until_sync(what: str, look: Callable[[], Found], *, limit_s: float = PATIENCE_S) -> Found:
    """Do the same without a loop."""
    deadline_s = time.monotonic() + limit_s
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline_s, f"not within {limit_s:g} s: {what} (last: {found!r})"
        time.sleep(PAUSE_S)
