"""The cache as web and stages see it: rows that never change again, and marks of cancelled tasks.

A cache may be empty, away or wrong about nothing else: every method answers as for a miss then.
"""

from collections.abc import Sequence
from typing import Protocol

from models.rows import TaskRow


class RowCache(Protocol):
    """Final rows, by task."""

    async def put_final(self, row: TaskRow, ttl_s: int) -> None:
        """Keep a row in a final state for `ttl_s`, unless one of its version or later is kept."""

    async def get(self, task_id: str) -> TaskRow | None:
        """Return the task's final row, None where it is not kept."""

    async def forget(self, task_ids: Sequence[str]) -> None:
        """Drop the rows and marks of purged tasks."""


class CancelMarks(Protocol):
    """Which tasks were cancelled, so that nobody works on them in vain."""

    async def mark_cancelled(self, task_id: str, ttl_s: int) -> None:
        """Say that a task was cancelled, for `ttl_s`."""

    async def cancelled(self, task_ids: Sequence[str]) -> frozenset[str]:
        """Return those of `task_ids` that are marked; one round trip."""


class Closable(Protocol):
    """What holds connections."""

    async def ping(self) -> bool:
        """Tell within a second whether the cache answers; never raises."""

    async def close(self) -> None:
        """Let go of all connections; never raises."""


class TaskCache(RowCache, CancelMarks, Closable, Protocol):
    """All of it, as the composition root holds it."""


class NullCache:
    """The cache that is off: every look is a miss."""

    async def put_final(self, row: TaskRow, ttl_s: int) -> None:
        """Keep nothing."""

    async def get(self, task_id: str) -> TaskRow | None:
        """Miss."""
        del task_id
        return None

    async def forget(self, task_ids: Sequence[str]) -> None:
        """Have nothing to drop."""

    async def mark_cancelled(self, task_id: str, ttl_s: int) -> None:
        """Keep nothing."""

    async def cancelled(self, task_ids: Sequence[str]) -> frozenset[str]:
        """Know of none."""
        del task_ids
        return frozenset()

    async def ping(self) -> bool:
        """Not answer: there is no cache."""
        return False

    async def close(self) -> None:
        """Hold nothing, let nothing go."""
