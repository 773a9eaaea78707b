"""The docstrings on their way: submitted as batch tasks, watched until each is final."""

import asyncio
import platform
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid4

from scripts.demo.docstrings import Docstring
from scripts.service_client import Json, ServiceClient

BATCH_ITEMS = 1_000
WAIT_S = 1
FINAL = frozenset({"completed", "failed", "cancelled", "expired"})


@dataclass(frozen=True, slots=True)
class Tally:
    """How far all tasks are together."""

    tasks: int
    finished_tasks: int
    failed_tasks: int
    items: int
    stored_items: int
    failed_items: int
    truncated_items: int
    elapsed_s: float

    @property
    def decided_items(self) -> int:
        """Items whose outcome is known."""
        return self.stored_items + self.failed_items

    @property
    def texts_per_s(self) -> float:
        """The mean speed so far."""
        return self.decided_items / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def eta_s(self) -> float | None:
        """Seconds to the end at this speed; None while there is none."""
        speed = self.texts_per_s
        return (self.items - self.decided_items) / speed if speed > 0 else None


Show = Callable[[Tally], None]


def batches(texts: Sequence[Docstring], size: int = BATCH_ITEMS) -> list[Sequence[Docstring]]:
    """The texts in tasks of up to `size`."""
    return [texts[at : at + size] for at in range(0, len(texts), size)]


def task_body(batch: Sequence[Docstring]) -> Json:
    """One batch task; its own item ids make a second run overwrite what the first has stored."""
    return {
        "task_type": "batch_vectorization",
        "data": [docstring.text for docstring in batch],
        "item_ids": [docstring.item for docstring in batch],
        "metadata": {"source": "python-stdlib", "version": platform.python_version()},
    }


def tally(views: Iterable[Mapping[str, object]], items: int, elapsed_s: float) -> Tally:
    """What the tasks' own answers add up to."""
    shown = list(views)
    states = [str(view["status"]) for view in shown]
    return Tally(
        tasks=len(shown),
        finished_tasks=sum(state in FINAL for state in states),
        failed_tasks=sum(state in FINAL - {"completed"} for state in states),
        items=items,
        stored_items=_sum(shown, "completed_items"),
        failed_items=_sum(shown, "failed_items"),
        truncated_items=_sum(shown, "truncated_items"),
        elapsed_s=elapsed_s,
    )


def _sum(views: list[Mapping[str, object]], field: str) -> int:
    """A receipt, the answer to a fresh submit, has no counts yet."""
    return sum(int(str(view.get(field) or 0)) for view in views)


async def vectorize(client: ServiceClient, texts: Sequence[Docstring], show: Show) -> list[Json]:
    """Submit all texts and follow them to the end; gives the finished tasks."""
    began_s = time.monotonic()
    run = uuid4().hex[:12]
    views: dict[str, Json] = {}

    def tell() -> None:
        show(tally(views.values(), len(texts), time.monotonic() - began_s))

    for number, batch in enumerate(batches(texts)):
        view = await _submit(client, batch, f"demo-{run}-{number}")
        views[view["task_id"]] = view
        tell()
    while unfinished := [name for name, view in views.items() if view["status"] not in FINAL]:
        looks = (client.ask("GET", f"/tasks/{name}?wait={WAIT_S}") for name in unfinished)
        views |= zip(unfinished, await asyncio.gather(*looks), strict=True)
        tell()
    return list(views.values())


async def _submit(client: ServiceClient, batch: Sequence[Docstring], key: str) -> Json:
    """Submit under a key of this run, so that a try whose answer got lost is no second task."""
    return await client.ask("POST", "/tasks/submit", task_body(batch), Idempotency_Key=key)
