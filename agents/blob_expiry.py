"""Blob expiry: files that no task can need any more go from the blob store."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Protocol

import structlog

from models.blob_refs import BlobRef
from models.clock import Clock
from models.units import DocumentFacts
from stores.blob_errors import BlobDamaged, BlobGone
from streams.row_store import RowStore

log = structlog.get_logger("agents.blob_expiry")

HOUR_MS = 3_600_000
#: A look is bounded and goes on where the last one ended.
INTERVAL_S = 600.0


class BlobSweeper(Protocol):
    """The blob store's own clearing."""

    async def sweep(self, older_than_ms: int, keep: Callable[[str], bool]) -> int:
        """Delete blobs last written before a time, unless `keep(sha256)`; raises BlobFailed."""

    async def touch(self, ref: BlobRef) -> None:
        """Make a blob young again; raises BlobFailed."""


class BlobExpiry:
    """Removes blobs that were last sent longer ago than tasks are kept.

    Sending a file again makes its blob young, so whichever task was accepted with it is purged by
    then, or unfinished: those of this master's are looked at.
    """

    def __init__(
        self, rows: RowStore, blobs: BlobSweeper, *, keep_hours: int, clock: Clock
    ) -> None:
        """Keep each blob for `keep_hours` since it was last sent."""
        self._rows = rows
        self._blobs = blobs
        self._keep_ms = keep_hours * HOUR_MS
        self._clock = clock

    async def run(self) -> None:
        """Look now and then, for ever; a store that is away is looked at again later."""
        while True:
            await asyncio.sleep(INTERVAL_S)
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001  # clearing must not end the master
                log.warning("blob_expiry_waits", reason=str(error)[:300])

    async def look(self) -> int:
        """Remove what is too old; return how many blobs that were."""
        if not self._rows.ready:
            return 0  # what is not loaded yet may name some
        wanted = frozenset(ref.sha256 for ref, _ in self._wanted())
        oldest_ms = self._clock.now_ms() - self._keep_ms
        await self._keep_young(oldest_ms + self._keep_ms // 2)
        removed = await self._blobs.sweep(oldest_ms, wanted.__contains__)
        if removed:
            log.info("blobs_expired", removed=removed)
        return removed

    async def _keep_young(self, submitted_before_ms: int) -> None:
        """Make the blobs of old unfinished tasks young: another master knows nothing of them."""
        for ref, submitted_ms in list(self._wanted()):
            if submitted_ms < submitted_before_ms:
                with suppress(BlobGone, BlobDamaged):
                    await self._blobs.touch(ref)

    def _wanted(self) -> Iterator[tuple[BlobRef, int]]:
        """The blobs of unfinished tasks, and when those were submitted."""
        for partition, index in list(self._rows.indexes()):
            for entry in list(index.unfinished()):
                row = self._rows.stored(partition, entry.task_id)
                if row is not None and row.document is not None:
                    yield from ((ref, row.submitted_ms) for ref in blobs_of(row.document))


def blobs_of(document: DocumentFacts) -> list[BlobRef]:
    """The blobs that a document or its images are."""
    named = [document.blob, *(image.blob for image in document.images or ())]
    return [BlobRef.parse(blob) for blob in named if blob is not None]
