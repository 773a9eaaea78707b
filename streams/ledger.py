"""Which offsets of a partition are due, in flight and done. Pure; the commit follows from it.

Faust's own acknowledgements pass over records it never delivered (FAUST A5, T1), so the offset
that may be committed is computed here: everything below it was delivered by this layer and is
finished, or was shown to hold no record.
"""

from collections import deque
from enum import Enum, auto


class Arrival(Enum):
    """What an arriving offset means."""

    DUE = auto()
    REPEAT = auto()
    AFTER_A_HOLE = auto()


class OffsetLedger:
    """The books of one partition, from the offset that was committed when it was taken over."""

    __slots__ = ("_finished", "_in_flight", "_unfinished", "due")

    def __init__(self, start: int) -> None:
        """Begin at `start`, the first offset not yet done by anybody."""
        self.due = start
        self._in_flight: deque[int] = deque()
        self._finished: set[int] = set()
        self._unfinished: dict[int, bytes | None] = {}

    def judge(self, offset: int) -> Arrival:
        """Say whether `offset` is the one due, a repeat, or lies behind a hole."""
        if offset < self.due:
            return Arrival.REPEAT
        return Arrival.DUE if offset == self.due else Arrival.AFTER_A_HOLE

    def deliver(self, offset: int, key: bytes | None) -> None:
        """Note that `offset` was handed to the stage. Holes must be closed or passed first."""
        if offset != self.due:
            raise ValueError(f"offset {offset} delivered while {self.due} is due. This is a bug.")
        self._in_flight.append(offset)
        self._unfinished[offset] = key
        self.due = offset + 1

    def pass_to(self, offset: int) -> None:
        """Note that the offsets up to `offset` (exclusive) were shown to hold no record."""
        self.due = max(self.due, offset)

    def finish(self, offset: int) -> None:
        """Note that the stage is done with `offset`: its output is durable."""
        self._finished.add(offset)
        self._unfinished.pop(offset, None)
        while self._in_flight and self._in_flight[0] in self._finished:
            self._finished.discard(self._in_flight.popleft())

    def is_finished(self, offset: int) -> bool:
        """Tell whether `offset` is done with, whatever lies before it."""
        return offset < self.due and offset not in self._unfinished

    def is_finished_of(self, key: bytes, end: int) -> bool:
        """Tell whether all below `end` is done with that may be of this key.

        A record without a key may be of any.
        """
        return self.due >= end and not any(
            held in (key, None) for held in self._unfinished.values()
        )

    @property
    def committable(self) -> int:
        """The offset to commit: all below it are finished."""
        return self._in_flight[0] if self._in_flight else self.due

    @property
    def in_flight(self) -> int:
        """How many delivered records are not below the committable offset yet."""
        return len(self._in_flight)
