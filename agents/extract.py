"""Extract: a document becomes chunks, and chunks become units like any texts.

The file is read in a child process (`documents/`), so that none, however hostile, ends this one.
What it was read into is told to the task's row, durably, before its first unit is sent; so units
are never of a reading that the row does not know.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from traceback import clear_frames
from typing import Protocol

import structlog

from models.documents import ChunkOptions, DocumentRefused, Extraction
from models.errors import Unavailable, VectorizeError
from models.events import Extracted
from models.extracting import items_of
from models.files import FileOrder, Obtained
from models.image_units import image_units
from models.manifests import KeptChunk
from models.splitting import cut_items
from models.states import ItemErrorCode
from models.unit_making import unit_of
from models.units import DocumentFacts, ImageFacts, ItemFailure, UnitItem
from streams import figures
from streams.codec import BadRecord, decode_file, encode_unit
from streams.producing import acknowledged
from streams.records import Record
from streams.telling import Pages, Teller
from streams.tools import StageTools
from streams.turns import Turns

log = structlog.get_logger("agents.extract")

#: A reading that takes so long tells that it began; of a shorter one, what was read tells that too,
#: and two records on the log (the event and the row) are spared. A `queue_timeout_s` is over once a
#: worker has the document, so there it is told at once.
TOLD_AFTER_S = 0.5
#: How often after that it tells how far it is, and looks whether it is still wanted.
LOOK_AGAIN_S = 1.0

Progress = Callable[[int, int | None], None]


class Reader(Protocol):
    """Reads documents, each in a process that may die of it."""

    async def read(
        self,
        content: bytes,
        *,
        filename: str | None,
        tokenizer: Path | None,
        options: ChunkOptions,
        progress: Progress,
    ) -> Extraction:
        """Read and cut; raises DocumentRefused. A caller that is cancelled leaves nothing."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How documents are read here: by whom, cut for which tokenizer, and in which order."""

    reader: Reader
    tokenizer_of: Callable[[str], Path | None]
    """The file of a model's tokenizer, None where it counts words; raises what it raises."""
    turns: Turns
    """Those of the reader: urgent documents go first."""

    async def read(self, order: FileOrder, found: Obtained, progress: Progress) -> Extraction:
        """Read a document when it is its turn; its server's name for it counts after the task's."""
        tokenizer = self.tokenizer_of(order.model)
        async with self.turns.turn(order.lane):
            return await self.reader.read(
                found.content,
                filename=order.document.filename or found.filename,
                tokenizer=tokenizer,
                options=order.document.chunks,
                progress=progress,
            )


class Obtainer(Protocol):
    """Where documents come from."""

    def content(self, order: FileOrder) -> AbstractAsyncContextManager[Obtained]:
        """The document, from elsewhere, for a block; raises DocumentRefused and Unavailable."""


class Images(Protocol):
    """What became of the images of a task."""

    @property
    def items(self) -> Sequence[UnitItem]:
        """Those that are made ready."""

    @property
    def failures(self) -> Sequence[ItemFailure]:
        """Those that could not be."""


class Imaging(Protocol):
    """Reads images."""

    async def read(self, order: FileOrder, inline: bytes) -> Images:
        """Read all of a task; one that cannot be fails alone. Raises Unavailable."""


class Revision(Protocol):
    """What is new in a document, by chunk, and what an earlier reading has already."""

    @property
    def new(self) -> Mapping[int, str]:
        """The keys of chunks to embed, by index."""

    @property
    def kept(self) -> Sequence[KeptChunk]:
        """Those that are not embedded again."""


class Revisions(Protocol):
    """Documents that come again under their ids."""

    async def compare(self, partition: int, order: FileOrder, found: Extraction) -> Revision:
        """Tell what of a reading is new, durably."""

    async def close(self, partition: int, order: FileOrder) -> None:
        """Take over what is kept, remove what is gone, and report it as the task's last unit."""

    async def give_up(self, order: FileOrder) -> None:
        """Report a document that cannot be closed: nothing was taken over."""


class CancelMarks(Protocol):
    """The Redis marks of cancelled tasks."""

    async def cancelled(self, task_ids: list[str]) -> frozenset[str]:
        """Those of `task_ids` that are marked; none when Redis is away."""


class Extract:
    """Takes records of `vectorize.files.<lane>`."""

    def __init__(
        self,
        tools: StageTools,
        *,
        obtainer: Obtainer,
        reading: Reading,
        imaging: Imaging,
        revisions: Revisions,
        marks: CancelMarks,
        worker: str,
        at_once: int = 8,
    ) -> None:
        """Report as `worker`.

        Of tasks whose files do not come in their records so many are worked on `at_once` that lie
        in the blob store, and as many that are fetched; slow servers hold up each other, and nobody
        else.
        """
        self._held = Turns(at_once + 1)  # one is kept for the high lane
        self._fetched = Turns(at_once + 1)
        self._obtainer = obtainer
        self._producer = tools.producer
        self._dead_letters = tools.dead_letters
        self._names = tools.names
        self._clock = tools.clock
        self._reading = reading
        self._imaging = imaging
        self._revisions = revisions
        self._marks = marks
        self._teller_of = partial(Teller, tools, worker)

    async def begin(self, record: Record) -> Awaitable[None]:
        """Take a file, to be read or closed; files are worked on beside each other."""
        order, content = decode_file(record.value)
        if order.closing:
            return self._revisions.close(record.partition, order)
        return self._extract(record.partition, order, content)

    async def poison(self, record: Record, error: Exception, attempts: int) -> None:
        """Fail a document that cannot be worked on; bury a record that is no file at all."""
        try:
            order, _ = decode_file(record.value)
        except BadRecord as bad:
            await self._dead_letters.bury(
                record, stage="extract", reason=bad.reason, detail=bad.detail, attempts=attempts
            )
            return
        if order.closing:
            await self._revisions.give_up(order)
            return
        message = f"the document failed {attempts} times: {type(error).__name__}"
        await self._teller_of(order).failed(ItemErrorCode.STAGE_FAILED, message)

    async def _extract(self, partition: int, order: FileOrder, content: bytes) -> None:
        teller = self._teller_of(order)
        if not await self._wanted(order, teller):
            return
        figures.QUEUE_SECONDS.labels(order.lane).observe(
            max(0, self._clock.now_ms() - order.sent_ms) / 1000
        )
        begun_s = self._clock.monotonic_s()
        try:
            found = await self._read_unless_cancelled(order, content, teller)
        except DocumentRefused as refused:
            await teller.failed(refused.code, refused.message)
        except Unavailable:
            await teller.begun()
            raise  # an outage says nothing of the document
        except VectorizeError as error:  # its model cannot be had here
            await teller.failed(ItemErrorCode.MODEL_UNAVAILABLE, error.message)
        else:
            if found is None:
                return
            figures.EXTRACT_SECONDS.observe(self._clock.monotonic_s() - begun_s)
            if isinstance(found, Extraction):
                await self._hand_on(partition, order, found, teller)
            else:
                await self._hand_on_images(order, found, teller)

    async def _wanted(self, order: FileOrder, teller: Teller) -> bool:
        """Tell whether anybody still waits for this document; say so where its time is over."""
        now_ms = self._clock.now_ms()
        if order.deadline_ms is not None and now_ms >= order.deadline_ms:
            await teller.late()
            return False
        return not await self._cancelled(order)

    async def _cancelled(self, order: FileOrder) -> bool:
        return order.task_id in await self._marks.cancelled([order.task_id])

    async def _read_unless_cancelled(
        self, order: FileOrder, inline: bytes, teller: Teller
    ) -> Extraction | Images | None:
        """Read, telling now and then how far; None: nobody wants it any more."""
        pages = Pages()
        reading = asyncio.ensure_future(self._read(order, inline, pages))
        try:
            quiet_s = TOLD_AFTER_S if order.queue_timeout_ms is None else 0
            if not (await asyncio.wait({reading}, timeout=quiet_s))[0]:
                await teller.begun()
            while not (await asyncio.wait({reading}, timeout=LOOK_AGAIN_S))[0]:
                if not await self._wanted(order, teller):
                    return None
                await teller.pages(pages)
            if (error := reading.exception()) is not None:
                _let_go(error)
            return reading.result()
        finally:
            reading.cancel()
            await asyncio.wait({reading})

    async def _read(self, order: FileOrder, inline: bytes, pages: Pages) -> Extraction | Images:
        async with self._slot(order):
            if order.document.images is not None:
                return await self._imaging.read(order, inline)
            if order.document.comes_along:
                return await self._reading.read(order, Obtained(inline), pages.note)
            async with self._obtainer.content(order) as found:
                return await self._reading.read(order, found, pages.note)

    def _slot(self, order: FileOrder) -> AbstractAsyncContextManager[None]:
        """What a task waits for before it asks for files from elsewhere."""
        document = order.document
        places: Sequence[DocumentFacts | ImageFacts] = document.images or [document]
        if any(place.url is not None for place in places):
            return self._fetched.turn(order.lane)
        if any(place.blob is not None for place in places):
            return self._held.turn(order.lane)
        return nullcontext()

    async def _hand_on(
        self, partition: int, order: FileOrder, found: Extraction, teller: Teller
    ) -> None:
        """Tell what the task is made of, durably, then send its units."""
        revision = None
        if order.document.document_id is not None:
            revision = await self._revisions.compare(partition, order, found)
        new, kept = (None, None) if revision is None else (revision.new, revision.kept)
        units = cut_items(items_of(order, found, new), order.document.batch_size, order.cut)
        event = await teller.read(found, kept, units=len(units))
        figures.PAGES_READ.inc(found.pages or 1)
        await self._send_units(order, event, units)

    async def _hand_on_images(self, order: FileOrder, found: Images, teller: Teller) -> None:
        units = image_units(found.items, order.cut)
        event = await teller.images(found.items, found.failures, units=len(units))
        figures.PAGES_READ.inc(len(found.items))
        await self._send_units(order, event, units)

    async def _send_units(
        self, order: FileOrder, event: Extracted, units: Sequence[list[UnitItem]]
    ) -> None:
        topic, now_ms = self._names.units(order.lane), self._clock.now_ms()
        read = order.model_copy(update={"reading": event.reading})
        made = (unit_of(read, number, items, now_ms) for number, items in enumerate(units))
        sent = [
            await self._producer.begin(topic, unit.id.encode(), encode_unit(unit)) for unit in made
        ]
        for each in sent:
            await acknowledged(each)
        log.info("document_read", task_id=order.task_id, format=event.format, units=len(units))


def _let_go(error: BaseException) -> None:
    """Empty the frames that an error came by: they hold files, and it may be waited with."""
    at: BaseException | None = error
    while at is not None:
        clear_frames(at.__traceback__)
        at = at.__context__
