"""Revisions: a document that comes again under its id is compared chunk by chunk.

What an earlier reading stored is kept and not embedded again. When the chunks of the new one all
stand, the document is closed: those kept are taken over, with their new places, and those that
are gone are removed. The manifest decides: only the task submitted last removes anything, and only
what was stored for tasks submitted before it.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol
from uuid import UUID
from zlib import crc32

import structlog

from embedding.catalog import Catalog
from models.documents import Extraction
from models.events import UnitDone
from models.files import FileOrder, key_of
from models.ids import chunk_identity, chunk_key, object_id
from models.manifests import (
    Closing,
    KeptChunk,
    Manifest,
    Rank,
    chunk_keys,
    is_outdated,
    reading_of,
    what_to_close,
)
from models.states import ItemErrorCode
from models.storing import stored_item
from models.unit_making import unit_of
from models.units import ItemFailure, ItemOutcome, UnitItem
from models.vectors import Space, StandingChunk, StoredItem
from stores.vector_store import ChunkStore
from streams.codec import encode
from streams.tools import StageTools

log = structlog.get_logger("agents.revisions")

#: Documents are worked on one after the other that share a lock: the same one always does.
LOCKS = 256
#: Chunks that are read and written at once.
TAKEN_AT_ONCE = 128


class Documents(Protocol):
    """The table of manifests."""

    def stored(self, partition: int, key: bytes) -> Manifest | None:
        """Read a manifest as it stands."""

    async def put(self, partition: int, key: bytes, manifest: Manifest) -> Awaitable[None]:
        """Write one; what is returned ends when it is durable."""


@dataclass(frozen=True, slots=True)
class Revision:
    """What is new in a document, by chunk, and what an earlier reading has already."""

    new: dict[int, str]
    """The keys of chunks to embed, by index."""
    kept: Sequence[KeptChunk]


class Revisions:
    """Compares, and closes."""

    def __init__(
        self,
        tools: StageTools,
        *,
        documents: Documents,
        store: ChunkStore,
        catalog: Catalog,
        worker: str,
    ) -> None:
        """Keep manifests in `documents`; report as `worker`."""
        self._producer = tools.producer
        self._names = tools.names
        self._clock = tools.clock
        self._documents = documents
        self._store = store
        self._catalog = catalog
        self._worker = worker
        self._locks = [asyncio.Lock() for _ in range(LOCKS)]

    async def compare(self, partition: int, order: FileOrder, found: Extraction) -> Revision:
        """Tell what of a reading is new; the manifest that says so is durable on return."""
        key, rank = key_of(order), Rank(order.submitted_ms, order.task_id)
        async with self._lock(key):
            manifest = self._documents.stored(partition, key)
            revision = await self._revision(order, found, manifest)
            if not is_outdated(manifest, rank):
                latest = Manifest(
                    **rank._asdict(),
                    reading=reading_of(found.digest(), revision.kept),
                    closed_ms=manifest.closed_ms if manifest else -1,
                    closed_id=manifest.closed_id if manifest else "",
                    chunks=[*revision.new.values(), *(chunk.key for chunk in revision.kept)],
                    kept=list(revision.kept),
                    standing=manifest.standing if manifest else [],
                )
                await (await self._documents.put(partition, key, latest))
        return revision

    async def close(self, partition: int, order: FileOrder) -> None:
        """Take over what is kept, remove what is gone, and report it as the task's last unit."""
        key, rank = key_of(order), Rank(order.submitted_ms, order.task_id)
        async with self._lock(key):
            manifest = self._documents.stored(partition, key)
            match what_to_close(manifest, rank, order.reading):
                case Closing.NOW if manifest is not None:
                    await self._close_latest(partition, order, manifest)
                case Closing.SUPERSEDED:
                    removed = await self._store.delete_task(_space(order), order.task_id)
                    log.info("document_superseded", task_id=order.task_id, removed=removed)
                    await self._report(order, [], deleted=0)
                case Closing.ANOTHER_READING:
                    log.info("closing_of_another_reading", task_id=order.task_id)
                case _:
                    await self._report(order, [], deleted=0)

    async def give_up(self, order: FileOrder) -> None:
        """Report a document that cannot be closed: nothing was taken over, nothing removed.

        What was to be kept stands where it stood, as an earlier task's.
        """
        log.error("document_not_closed", task_id=order.task_id, kept=order.kept)
        await self._report(order, [], deleted=0)

    async def _revision(
        self, order: FileOrder, found: Extraction, manifest: Manifest | None
    ) -> Revision:
        chunks = dict(found.chunks())
        keys = dict(zip(chunks, chunk_keys(list(chunks.values())), strict=True))
        lent = set(manifest.standing) if manifest else set()
        ids = {at: _object_id(order, key) for at, key in keys.items() if key in lent}
        stand = await self._store.standing(_space(order), list(ids.values())) if ids else ()
        kept = [
            KeptChunk(key=keys[at], index=at, place=chunks[at].place)
            for at, one in ids.items()
            if one in stand
        ]
        left_out = {chunk.index for chunk in kept}
        return Revision({at: key for at, key in keys.items() if at not in left_out}, kept)

    async def _close_latest(self, partition: int, order: FileOrder, manifest: Manifest) -> None:
        failures: list[ItemFailure] = []
        kept = iter(manifest.kept)
        while few := list(islice(kept, TAKEN_AT_ONCE)):
            failures += await self._take_over(order, few)
        removed = 0
        if order.whole:  # else what was there before stays beside the chunks that failed
            removed = await self._store.delete_outdated(
                _space(order),
                order.document.document_id or "",
                submitted_ms=order.submitted_ms,
                task_id=order.task_id,
            )
            await (await self._documents.put(partition, key_of(order), manifest.closed()))
        log.info("document_closed", task_id=order.task_id, kept=len(manifest.kept), removed=removed)
        await self._report(order, failures, deleted=removed)

    async def _take_over(self, order: FileOrder, few: Sequence[KeptChunk]) -> list[ItemFailure]:
        """Write chunks again as this task's, their vectors as they stand."""
        ids = {chunk.index: _object_id(order, chunk.key) for chunk in few}
        standing = await self._store.chunks(_space(order), list(ids.values()))
        found = [(chunk, standing.get(ids[chunk.index])) for chunk in few]
        items = [self._item(order, chunk, held) for chunk, held in found if held is not None]
        refusals = await self._store.write(items)
        gone = [_gone(order, chunk) for chunk, held in found if held is None]
        return [*gone, *(refusal for refusal in refusals if refusal is not None)]

    def _item(self, order: FileOrder, chunk: KeptChunk, held: StandingChunk) -> StoredItem:
        item = UnitItem(
            index=chunk.index,
            text=held.text,
            own_id=_own_id(order, chunk.index),
            place=chunk.place,
            chunk=chunk.key,
        )
        passport = self._catalog.resolve(order.model).passport_of(order.options)
        unit = unit_of(order, order.unit, [item], order.sent_ms)
        outcome = ItemOutcome(tokens=held.tokens, truncated=held.truncated)
        return stored_item(unit, item, passport, vector=held.vector, outcome=outcome)

    async def _report(
        self, order: FileOrder, failures: Sequence[ItemFailure], *, deleted: int
    ) -> None:
        event = UnitDone(
            task_id=order.task_id,
            tenant=order.tenant,
            traceparent=order.traceparent,
            at_ms=self._clock.now_ms(),
            unit=order.unit,
            source=order.source,
            reading=order.reading,
            stored=order.kept - len(failures),
            failures=list(failures),
            deleted=deleted,
            worker=self._worker,
        )
        await self._producer.send(self._names.events, order.task_id.encode(), encode(event))

    def _lock(self, key: bytes) -> asyncio.Lock:
        return self._locks[crc32(key) % LOCKS]


def _space(order: FileOrder) -> Space:
    return Space(tenant=order.tenant, collection=order.collection, fingerprint=order.fingerprint)


def _object_id(order: FileOrder, key: str) -> UUID:
    identity = chunk_identity(order.document.document_id or "", key)
    return object_id(order.tenant, order.collection, identity, 0, fingerprint=order.fingerprint)


def _own_id(order: FileOrder, index: int) -> str:
    return chunk_key(order.document.document_id or "", index)


def _gone(order: FileOrder, chunk: KeptChunk) -> ItemFailure:
    return ItemFailure(
        index=chunk.index,
        code=ItemErrorCode.STORE_REFUSED,
        message="an earlier task stored this chunk, and it is gone from the store: "
        "send the document again",
        own_id=_own_id(order, chunk.index),
    )
