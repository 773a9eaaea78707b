"""Ends a process that is wedged, so that whoever supervises it starts a new one.

Four ways to be wedged: the event loop stands still (native code that never returns, a deadlock),
a model call never ends, the place in the group does not come back though Kafka answers, or
delivery itself met an error, so that a record will never count as finished. An outage is none of
them: it is waited out for as long as it takes.
"""

import asyncio
import faulthandler
import os
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Protocol

import structlog

from models.clock import Clock

log = structlog.get_logger("streams.watchdog")

#: EX_TEMPFAIL of sysexits.h: try again.
EX_WEDGED = 75
LOOK_S = 1.0
#: By its number: Faust puts something of its own in the place of `sys.stderr`, which is no file.
_STDERR = 2

Wedged = Callable[[], Awaitable[str | None]]


class Watchdog:
    """Looks again and again whether the process still gets anywhere."""

    def __init__(
        self,
        checks: Sequence[Wedged],
        *,
        loop_limit_s: float,
        end: Callable[[int], object] = os._exit,
    ) -> None:
        """Each check gives what is wedged, or None; the loop may stand still `loop_limit_s`."""
        self._checks = checks
        self._loop_limit_s = loop_limit_s
        self._end = end

    async def run(self) -> None:
        """Watch until cancelled; then the stop itself is watched.

        A standing loop cannot look at itself: faulthandler's timer, which needs neither the loop
        nor the interpreter's lock, tells where every thread stands and ends the process.
        """
        try:
            while True:
                self._wind_up()
                await self.look()
                await asyncio.sleep(LOOK_S)
        finally:
            self._wind_up()

    def _wind_up(self) -> None:
        faulthandler.dump_traceback_later(self._loop_limit_s, exit=True, file=_STDERR)

    async def look(self) -> None:
        """Ask every check once; what is wedged ends the process."""
        for check in self._checks:
            if (what := await check()) is not None:
                log.critical("process_wedged", what=what, exit_code=EX_WEDGED)
                faulthandler.dump_traceback(file=_STDERR)
                self._end(EX_WEDGED)


class Standstill:
    """Tells that something has neither come about nor moved for too long."""

    def __init__(self, limit_s: float, clock: Clock) -> None:
        """Begin to count now."""
        self._limit_s = limit_s
        self._clock = clock
        self._since_s = clock.monotonic_s()
        self._seen: Hashable = None

    def judge(self, progress: Hashable) -> float | None:
        """Take note of a progress, None where all is well; give the seconds past the limit."""
        now_s = self._clock.monotonic_s()
        if progress is None or progress != self._seen:
            self._seen, self._since_s = progress, now_s
        lasted_s = now_s - self._since_s
        return lasted_s if lasted_s > self._limit_s else None


def call_check(running_s: Callable[[], float], limit_s: float) -> Wedged:
    """A model call that runs longer than `limit_s`."""

    async def check() -> str | None:
        lasted_s = running_s()
        if lasted_s <= limit_s:
            return None
        return f"a model call runs for {lasted_s:.0f} s (encoder.call_timeout_s {limit_s:g})"

    return check


class Breakable(Protocol):
    """What may meet an error of its own."""

    broken: BaseException | None


def broken_check(part: Breakable) -> Wedged:
    """An error in delivery itself, which no retry is for: the records are done by a new process."""

    async def check() -> str | None:
        error = part.broken
        return None if error is None else f"delivery met an error of its own: {error!r}"

    return check


def standing_check(
    progress: Callable[[], Hashable],
    broker_answers: Callable[[], Awaitable[bool]],
    still: Standstill,
) -> Wedged:
    """A place in the group that is not taken, though Kafka answers; None as progress: taken."""

    async def check() -> str | None:
        lasted_s = still.judge(progress())
        if lasted_s is None or not await broker_answers():
            return None
        return f"no place in the group, and no progress towards one, for {lasted_s:.0f} s"

    return check
