"""The lease an owner answers under: its last heartbeat the broker confirmed is young enough.

A master that was stopped and woken still believes it owns its partitions. Until the broker
confirms a heartbeat it must not answer: another master may have taken over and moved on.
"""

import time
from typing import Any, cast

from faust import App

from models.errors import OwnerUnavailable


def now_s() -> float:
    """Seconds since the machine started, those included in which it was suspended."""
    return time.clock_gettime(_CLOCK) if _CLOCK is not None else time.monotonic()


_CLOCK: int | None = getattr(time, "CLOCK_BOOTTIME", None)  # Linux only


class Lease:
    """When the group last confirmed this member."""

    def __init__(self, app: App, session_timeout_s: float) -> None:
        """The lease holds for half of `session_timeout_s` after a confirmed heartbeat."""
        self._app = app
        self._holds_s = session_timeout_s / 2
        self._confirmed_s = 0.0

    def renew(self, asked_s: float) -> None:
        """Note a confirmation by the group of what was asked at `asked_s`.

        The time of asking counts: an answer may have waited in the socket of a frozen process.
        """
        self._confirmed_s = max(self._confirmed_s, asked_s)

    def holds(self) -> bool:
        """Tell whether this process may still answer as owner."""
        return now_s() - self._confirmed_s < self._holds_s

    def check(self) -> None:
        """Raise OwnerUnavailable where it may have run out."""
        if not self.holds():
            raise OwnerUnavailable("the lease on this partition has run out; no heartbeat went by")

    def watch_heartbeats(self) -> None:
        """Renew at each heartbeat of the present consumer; called after every assignment."""
        self.renew(now_s())
        consumer = cast(Any, self._app.consumer)._thread._consumer  # noqa: SLF001  # aiokafka tells nobody
        coordinator = consumer._coordinator  # noqa: SLF001
        if hasattr(coordinator, "vectorize_lease"):
            return
        coordinator.vectorize_lease = self
        beat = coordinator._do_heartbeat  # noqa: SLF001

        async def confirmed() -> bool:
            asked_s = now_s()
            success = bool(await beat())
            if success:
                self.renew(asked_s)
            return success

        coordinator._do_heartbeat = confirmed  # noqa: SLF001
