"""Images: each is made as its model wants it, in a child process, and goes on as pixels."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from models.clock import Clock
from models.documents import ChunkOptions, DocumentRefused
from models.files import FileOrder, Obtained
from models.images import Pixels, PixelSpec
from models.states import ItemErrorCode
from models.units import DocumentFacts, ImageFacts, ItemFailure, UnitItem
from streams.turns import Turns

#: So long the images of a task may be fetched from foreign servers: a task of many from one that
#: does not answer must not stand before others for hours.
FETCHES_S = 300.0
_TOOK_LONG = f"data: the images before it took {FETCHES_S:g} s to be fetched: send fewer at a time"


class Preparer(Protocol):
    """Makes images ready, each in a process that may die of it."""

    async def prepare(self, content: bytes, spec: PixelSpec) -> Pixels:
        """Make one as `spec` says; raises DocumentRefused and Unavailable."""


class Obtainer(Protocol):
    """Where images come from."""

    def content(self, order: FileOrder) -> AbstractAsyncContextManager[Obtained]:
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
        spec, until_s = self._spec_of(order.model), self._clock.monotonic_s() + FETCHES_S
        images, at = Images([], []), 0
        for index, image in enumerate(order.document.images or ()):
            content = inline[at : at + image.size]
            at += image.size
            found: Pixels | DocumentRefused | None = None
            if spec is not None:
                found = await self._read(order, image, content, spec=spec, until_s=until_s)
            if isinstance(found, Pixels):
                shape = (found.height, found.width)
                images.items.append(
                    UnitItem(index=index, text="", own_id=image.own_id, pixels=found, shape=shape)
                )
            else:
                images.failures.append(_failure(index, image, found))
        return images

    async def _read(
        self, order: FileOrder, image: ImageFacts, inline: bytes, *, spec: PixelSpec, until_s: float
    ) -> Pixels | DocumentRefused:
        """One image, wherever it is, or why it cannot be had."""
        try:
            if image.blob is None and image.url is None:
                return await self._prepared(order, inline, spec)
            if image.url is not None and self._clock.monotonic_s() > until_s:
                return DocumentRefused(ItemErrorCode.DOCUMENT_FETCH_FAILED, _TOOK_LONG)
            where = DocumentFacts(blob=image.blob, url=image.url, chunks=ChunkOptions(tokens=1))
            elsewhere = order.model_copy(update={"document": where})
            async with self._obtainer.content(elsewhere) as found:
                return await self._prepared(order, found.content, spec)
        except DocumentRefused as refused:
            return refused

    async def _prepared(self, order: FileOrder, content: bytes, spec: PixelSpec) -> Pixels:
        async with self._turns.turn(order.lane):
            return await self._preparer.prepare(content, spec)


def _failure(index: int, image: ImageFacts, found: DocumentRefused | None) -> ItemFailure:
    if found is not None:
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
