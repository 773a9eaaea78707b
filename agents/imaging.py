"""Images: each is made as its model wants it, in a child process, and goes on as pixels."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

from models.clock import Clock
from models.documents import ChunkOptions, DocumentRefused
from models.files import FileOrder
from models.images import Pixels, PixelSpec
from models.states import ItemErrorCode
from models.units import DocumentFacts, ImageFacts, ItemFailure, UnitItem
from streams.turns import Turns

#: So long the images of a task may be fetched from foreign servers: a task of many from one that
#: does not answer must not stand before others for hours.
FETCHES_S = 300.0


class Preparer(Protocol):
    """Makes images ready, each in a process that may die of it."""

    async def prepare(self, content: bytes, spec: PixelSpec) -> Pixels:
        """Make one as `spec` says; raises DocumentRefused and Unavailable."""


class Obtainer(Protocol):
    """Where images come from."""

    async def content(self, order: FileOrder) -> bytes:
        """The file of an order, from elsewhere; raises DocumentRefused and Unavailable."""


@dataclass(frozen=True, slots=True)
class Images:
    """What became of the images of a task."""

    items: list[UnitItem]
    failures: list[ItemFailure]


class Imaging:
    """Reads the images of a task one after the other."""

    def __init__(
        self,
        preparer: Preparer,
        obtainer: Obtainer,
        *,
        spec_of: Callable[[str], PixelSpec | None],
        turns: Turns,
        clock: Clock,
    ) -> None:
        """`spec_of` says how a model wants images; it raises where the model cannot be had."""
        self._preparer = preparer
        self._obtainer = obtainer
        self._spec_of = spec_of
        self._turns = turns
        self._clock = clock

    async def read(self, order: FileOrder, inline: bytes) -> Images:
        """Read all; one that cannot be fails alone. Raises Unavailable."""
        spec = self._spec_of(order.model)
        images = Images([], [])
        async for index, image, content in self._contents(order, inline):
            found: bytes | Pixels | DocumentRefused = content
            if isinstance(content, bytes) and spec is not None:
                found = await self._prepared(order, content, spec)
            if isinstance(found, Pixels):
                shape = (found.height, found.width)
                images.items.append(
                    UnitItem(index=index, text="", own_id=image.own_id, pixels=found, shape=shape)
                )
            else:
                images.failures.append(_failure(index, image, found))
        return images

    async def _prepared(
        self, order: FileOrder, content: bytes, spec: PixelSpec
    ) -> Pixels | DocumentRefused:
        async with self._turns.turn(order.lane):
            try:
                return await self._preparer.prepare(content, spec)
            except DocumentRefused as refused:
                return refused

    async def _contents(
        self, order: FileOrder, inline: bytes
    ) -> AsyncIterator[tuple[int, ImageFacts, bytes | DocumentRefused]]:
        """The file of each image, or why there is none."""
        at, until_s = 0, self._clock.monotonic_s() + FETCHES_S
        for index, image in enumerate(order.document.images or ()):
            content: bytes | DocumentRefused = inline[at : at + image.size]
            at += image.size
            if image.blob is not None or image.url is not None:
                content = await self._obtained(order, image, until_s)
            yield index, image, content

    async def _obtained(
        self, order: FileOrder, image: ImageFacts, until_s: float
    ) -> bytes | DocumentRefused:
        if image.url is not None and self._clock.monotonic_s() > until_s:
            told = f"the images before it took {FETCHES_S:g} s to be fetched: send fewer at a time"
            return DocumentRefused(ItemErrorCode.DOCUMENT_FETCH_FAILED, told)
        where = DocumentFacts(blob=image.blob, url=image.url, chunks=ChunkOptions(tokens=1))
        try:
            return await self._obtainer.content(order.model_copy(update={"document": where}))
        except DocumentRefused as refused:
            return refused


def _failure(index: int, image: ImageFacts, found: object) -> ItemFailure:
    if isinstance(found, DocumentRefused):
        return ItemFailure(
            index=index,
            code=found.code,
            message=f"data[{index}]: {found.message.removeprefix('data: ')}",
            own_id=image.own_id,
        )
    message = f"data[{index}]: this worker's model reads no images"
    return ItemFailure(
        index=index, code=ItemErrorCode.MODEL_UNAVAILABLE, message=message, own_id=image.own_id
    )
