"""What is told of a document on its way: that it was begun, how far it is read, what came of it.

All of it are events of its task, for the task's row; what is a courtesy is not waited for.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from models.documents import Extraction
from models.events import DeadlinePassed, Event, Extracted, PagesRead, UnitStarted
from models.extracting import Circumstances, document_failed, document_read, images_read
from models.files import FileOrder
from models.manifests import KeptChunk
from models.states import ItemErrorCode
from models.units import ItemFailure, UnitItem
from streams import figures
from streams.codec import encode
from streams.tools import StageTools


@dataclass(slots=True)
class Pages:
    """How far a document is read."""

    read: int = 0
    total: int | None = None
    told: int = 0

    def note(self, read: int, total: int | None) -> None:
        """Take the reader's word."""
        self.read, self.total = read, total

    def news(self) -> bool:
        """Whether there is more to tell than was told."""
        found, self.told = self.read > self.told, self.read
        return found


class Teller:
    """Tells the task's row what happens to its document, from now on."""

    def __init__(self, tools: StageTools, worker: str, order: FileOrder) -> None:
        """Tell it as `worker`, which has the document since now."""
        self._producer = tools.producer
        self._topic = tools.names.events
        self._clock = tools.clock
        self._worker = worker
        self._order = order
        self._begun_ms = tools.clock.now_ms()

    async def late(self) -> None:
        """Its time is over."""
        await self._tell(DeadlinePassed(task_id=self._order.task_id, at_ms=self._clock.now_ms()))

    async def begun(self) -> None:
        """A worker has it."""
        task_id, at_ms = self._order.task_id, self._begun_ms
        event = UnitStarted(task_id=task_id, at_ms=at_ms, unit=0, worker=self._worker)
        await self._begin_to_tell(event)

    async def pages(self, pages: Pages) -> None:
        """So far it is read, where that is news."""
        if pages.news():
            event = PagesRead(
                task_id=self._order.task_id,
                at_ms=self._clock.now_ms(),
                source=self._order.source,
                read=pages.read,
                pages=pages.total,
            )
            await self._begin_to_tell(event)

    async def failed(self, code: ItemErrorCode, message: str) -> None:
        """It is the one item of its task, and it failed."""
        figures.ITEMS_FAILED.labels(code).inc()
        await self._tell(document_failed(self._order, code, message, told=self._now()))

    async def read(
        self, found: Extraction, kept: Sequence[KeptChunk] | None, *, units: int
    ) -> Extracted:
        """What it was read into, and what of it an earlier reading has; durable on return."""
        event = document_read(self._order, found, kept, units=units, told=self._now())
        await self._tell(event)
        return event

    async def images(
        self, items: Sequence[UnitItem], failures: Sequence[ItemFailure], *, units: int
    ) -> Extracted:
        """The images that were read, and those that were not; durable on return."""
        event = images_read(self._order, items, failures, units=units, told=self._now())
        await self._tell(event)
        return event

    def _now(self) -> Circumstances:
        return Circumstances(self._worker, self._begun_ms, self._clock.now_ms())

    async def _tell(self, event: Event) -> None:
        await self._producer.send(self._topic, event.task_id.encode(), encode(event))

    async def _begin_to_tell(self, event: Event) -> None:
        """Tell what is a courtesy: the work does not wait for it."""
        await self._producer.begin(self._topic, event.task_id.encode(), encode(event))
