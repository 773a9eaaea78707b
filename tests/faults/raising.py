"""Points at which a process raises when it is ordered to, before or after what happens there.

An order is a file with a number: the so-many-th to come by raises, and takes the file away. So a
trial of a moment can be had of a service that runs on, hundreds of times.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

from agents.embed import Embed
from agents.intake import Intake
from agents.store import Store
from agents.track import Track
from tests.faults.points import POINTS, Point

#: Where a record is decoded: what stages begin with.
_DECODING = ("master", "embed", "store")
#: Each step of a task's way, and the methods that take it.
STEPS: Mapping[str, Sequence[Point]] = {
    **{name: (point,) for name, point in POINTS.items()},
    "decode": tuple(
        Point(owner, "begin", True, _DECODING) for owner in (Intake, Track, Embed, Store)
    ),
}


class Ordered(Exception):
    """The rig wanted it so."""


@dataclass(frozen=True, slots=True)
class Order:
    """That the `nth` to come by a step in a process of this role raises."""

    step: str
    role: str
    after: bool
    nth: int = 1

    def path(self, folder: Path) -> Path:
        """Where it lies until it is carried out."""
        return folder / f"{self.role}-{self.step}-{'after' if self.after else 'before'}"

    def lay(self, folder: Path) -> Path:
        """Give the order; the file is there at once and whole."""
        path = self.path(folder)
        path.with_suffix(".new").write_text(str(self.nth))
        path.with_suffix(".new").rename(path)
        return path


def obey(folder: Path) -> None:
    """Have every step of this process look for orders."""
    role = os.environ["VECTORIZE_ROLE"]
    for step, places in STEPS.items():
        for place in places:
            setattr(place.owner, place.method, _wrapped(place, step, role, folder))


def orders(positions: int) -> Iterator[Order]:
    """One for each step and each position in a batch, roles and sides in turn.

    Commits come once a second, whatever the batch: of them always the next.
    """
    for step, places in STEPS.items():
        roles = places[0].roles
        for at in range(positions):
            nth = 1 if step == "commit" else at + 1
            yield Order(step, roles[at % len(roles)], after=at // len(roles) % 2 == 1, nth=nth)


def _wrapped(place: Point, step: str, role: str, folder: Path) -> Callable[..., Any]:
    whole = getattr(place.owner, place.method)
    before, after = (Order(step, role, after=side).path(folder) for side in (False, True))

    @wraps(whole)
    async def waiting(*given: Any, **more: Any) -> Any:
        _look(before, given)
        found = await whole(*given, **more)
        _look(after, given)
        return found

    @wraps(whole)
    def at_once(*given: Any, **more: Any) -> Any:
        _look(before, given)
        found = whole(*given, **more)
        _look(after, given)
        return found

    return waiting if place.asynchronous else at_once


def _look(path: Path, given: Sequence[Any]) -> None:
    """Raise Ordered where an order lies here and its time has come.

    What comes by with a list is as many as the list holds: a write of ten objects is ten.
    """
    if not path.exists():
        return
    came = len(given[1]) if len(given) > 1 and isinstance(given[1], list) else 1
    left = int(path.read_text()) - came
    if left > 0:
        path.write_text(str(left))
        return
    path.unlink()
    raise Ordered(f"a fault of the rig: {path.name}")
