"""Fault points: places in the code, before or after something happens, at which a process ends.

Random kills hit the windows that nobody thought of; these hit the known ones every time.
"""

import os
import signal
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

from agents.track import Track
from embedding.lanes import LaneBatcher
from stores.weaviate import WeaviateStore
from streams.delivery import Delivery
from streams.ledger import OffsetLedger
from streams.producing import FaustProducer
from streams.tables import DurableTable
from streams.transport import LedgerConsumer
from tests.faults.orders import Armed


class Point(NamedTuple):
    """A method at which a process may end, and the roles that come by."""

    owner: type
    method: str
    asynchronous: bool
    roles: tuple[str, ...]


POINTS = {
    "decode": Point(Delivery, "_attempts", True, ("master", "embed", "store")),
    "encode": Point(LaneBatcher, "encode", True, ("embed",)),
    "weaviate_write": Point(WeaviateStore, "write", True, ("store",)),
    "send": Point(FaustProducer, "send", True, ("master", "embed", "store")),
    "row_write": Point(DurableTable, "put", True, ("master",)),
    "announce": Point(Track, "_announce", True, ("master",)),
    "ack": Point(OffsetLedger, "finish", False, ("master", "embed", "store")),
    "commit": Point(LedgerConsumer, "_commit_offsets", True, ("master", "embed", "store")),
}


def arm(armed: Iterable[Armed]) -> None:
    """Arm points in this process; it comes by from the first record on that it takes.

    Commits come every second, and one that ends a process while it starts hits no window.
    """
    if armed := tuple(armed):
        Delivery._attempts = _noting(Delivery._attempts)  # type: ignore[method-assign]
    for each in armed:
        if each.role in (None, os.environ.get("VECTORIZE_ROLE")) and not Path(each.once).exists():
            place = POINTS[each.point]
            setattr(place.owner, place.method, _wrapped(place, each))


def _noting(whole: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(whole)
    async def noting(*given: Any, **more: Any) -> Any:
        _at_work.set()
        return await whole(*given, **more)

    return noting


#: Whether this process has taken a record.
_at_work = Event()


def _wrapped(place: Point, armed: Armed) -> Callable[..., Any]:
    whole = getattr(place.owner, place.method)
    left = [armed.nth]

    def end_if_due() -> None:
        if not _at_work.is_set():
            return
        left[0] -= 1
        if left[0] == 0:
            Path(armed.once).touch(exist_ok=False)
            os.kill(os.getpid(), signal.SIGKILL)

    @wraps(whole)
    async def waiting(*given: Any, **more: Any) -> Any:
        if not armed.after:
            end_if_due()
        found = await whole(*given, **more)
        if armed.after:
            end_if_due()
        return found

    @wraps(whole)
    def at_once(*given: Any, **more: Any) -> Any:
        if not armed.after:
            end_if_due()
        found = whole(*given, **more)
        if armed.after:
            end_if_due()
        return found

    return waiting if place.asynchronous else at_once
