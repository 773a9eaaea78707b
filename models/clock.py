"""Time as an argument: whoever needs the time of day or a waiting time is handed a clock."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What a stage may ask about time."""

    def now_ms(self) -> int:
        """Return the wall-clock time in milliseconds since 1970."""

    def monotonic_s(self) -> float:
        """Return seconds that never jump, for measuring waits."""


class SystemClock:
    """The machine's own clock."""

    def now_ms(self) -> int:
        """Return the wall-clock time in milliseconds since 1970."""
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        """Return seconds that never jump."""
        return time.monotonic()


SYSTEM_CLOCK = SystemClock()


def iso_time(at_ms: int | None) -> str | None:
    """Write milliseconds since 1970 as an ISO 8601 time in UTC, as the API shows it."""
    if at_ms is None:
        return None
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
