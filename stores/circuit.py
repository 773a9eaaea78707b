"""A circuit breaker: while a server is away it is asked now and then only, by one caller at a time.

Everybody else is told at once. So an outage costs neither a pile of hanging calls nor, at its
end, a crowd at the door.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from models.clock import Clock
from models.errors import Unavailable
from stores.vector_store import VectorStoreBusy

log = structlog.get_logger(__name__)

#: So many failures in a row open the circuit.
FAILURES = 3
#: An open circuit lets one call through so often.
PROBE_S = 1.0

Answer = TypeVar("Answer")


class Circuit:
    """Closed: all calls pass. Open: one in `PROBE_S` passes, and closes it if it succeeds."""

    def __init__(self, refusal: Callable[[], Unavailable], clock: Clock) -> None:
        """Begin closed; `refusal` makes the error of calls that are not let through."""
        self._refusal = refusal
        self._clock = clock
        self._failures = 0
        self._probe_at_s = float("-inf")

    @property
    def is_open(self) -> bool:
        """Whether the server counts as away."""
        return self._failures >= FAILURES

    async def call(self, work: Callable[[], Awaitable[Answer]]) -> Answer:
        """Do `work` if the circuit lets it; an Unavailable that it raises counts against it.

        Not where the server answered that it is busy: one tenant whose objects it cannot store
        now would hold up all others.
        """
        self._admit()
        try:
            answer = await work()
        except VectorStoreBusy:
            self._note(failed=False)
            raise
        except Unavailable:
            self._note(failed=True)
            raise
        self._note(failed=False)
        return answer

    def _admit(self) -> None:
        if not self.is_open:
            return
        now_s = self._clock.monotonic_s()
        if now_s < self._probe_at_s:
            raise self._refusal()
        self._probe_at_s = now_s + PROBE_S

    def _note(self, *, failed: bool) -> None:
        was_open = self.is_open
        self._failures = self._failures + 1 if failed else 0
        if failed:
            self._probe_at_s = self._clock.monotonic_s() + PROBE_S
        if was_open != self.is_open:
            log.warning("circuit_opens" if self.is_open else "circuit_closes")
