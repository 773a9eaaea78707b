"""Obtaining a document's bytes from the blob store, or from a foreign server, where there is room.

Our own blob store is waited for, as long as it takes; a foreign server is asked a few times and
then the document fails: what stands behind it in its partition must not wait for a stranger.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from typing import Protocol

import structlog

from models.blob_refs import BlobRef
from models.documents import DocumentRefused
from models.errors import BlobStoreUnavailable
from models.files import FileOrder, Obtained
from models.states import ItemErrorCode
from stores.blob_errors import BlobFailed
from stores.fetch_errors import FetchFailed, FetchTooLarge
from streams.room import Room

log = structlog.get_logger("agents.obtaining")

#: Waits before a foreign server is asked again.
ASK_AGAIN_S = (1.0, 4.0)


class Fetched(Protocol):
    """What a server delivered."""

    @property
    def size(self) -> int:
        """Its bytes."""

    @property
    def filename(self) -> str | None:
        """What the server calls it, or else its URL: a bare name."""

    def read(self) -> bytes:
        """Take it into memory."""

    def close(self) -> None:
        """Let go of it."""


class Fetcher(Protocol):
    """Fetches from foreign servers, and from no private address."""

    async def fetch(self, url: str) -> Fetched:
        """Fetch a document; raises FetchFailed."""


class BlobReader(Protocol):
    """Reads blobs."""

    async def get(self, ref: BlobRef) -> bytes:
        """Read one; raises BlobFailed."""


class Obtainer:
    """Gives the bytes of a document, wherever they are."""

    def __init__(
        self,
        fetcher: Fetcher,
        blobs: BlobReader,
        room: Room,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Ask `fetcher` for URLs and `blobs` for blobs; what they give is held in `room`."""
        self._fetcher = fetcher
        self._blobs = blobs
        self._room = room
        self._sleep = sleep

    @asynccontextmanager
    async def content(self, order: FileOrder) -> AsyncIterator[Obtained]:
        """The document, which has its room until the block ends.

        Raises DocumentRefused, and BlobStoreUnavailable: try again later.
        """
        url = order.document.url
        if url is None:
            ref = BlobRef.parse(order.document.blob or "")
            async with self._room.taken(ref.size):
                yield Obtained(await self._read(ref))
            return
        with closing(await self._fetched(url, order.task_id)) as fetched:
            async with self._room.taken(fetched.size):
                yield Obtained(await asyncio.to_thread(fetched.read), fetched.filename)

    async def _fetched(self, url: str, task_id: str) -> Fetched:
        for wait_s in (*ASK_AGAIN_S, None):
            try:
                return await self._fetcher.fetch(url)
            except FetchFailed as error:
                if wait_s is None or not error.transient:
                    raise _refused(error) from error
                log.info("fetch_again", task_id=task_id, wait_s=wait_s, reason=error.message)
                await self._sleep(wait_s)
        raise RuntimeError("neither fetched nor refused. This is a bug.")

    async def _read(self, ref: BlobRef) -> bytes:
        try:
            return await self._blobs.get(ref)
        except BlobFailed as error:
            if error.transient:
                raise BlobStoreUnavailable(error.message) from error
            told = f"{error.message}: send the file again"
            raise DocumentRefused(ItemErrorCode.DOCUMENT_GONE, told) from error


def _refused(error: FetchFailed) -> DocumentRefused:
    too_large = isinstance(error, FetchTooLarge)
    code = ItemErrorCode.DOCUMENT_TOO_LARGE if too_large else ItemErrorCode.DOCUMENT_FETCH_FAILED
    return DocumentRefused(code, error.message)
