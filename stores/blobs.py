"""Files too large for a record: in a folder or in an object store, by the hash of their content.

Keys: `<prefix>/<first two hex digits>/<sha256>`; `<prefix>/incoming/<random>` while a stream is
written, `<prefix>/ping` for `ping`. Incomplete multipart uploads that a killed process left in an
object store are not listed by it: a lifecycle rule of the bucket ends them.
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import partial
from uuid import uuid4

import obstore

from models.blob_refs import BlobRef
from stores.blob_calls import BlobCalls, BlobOptions
from stores.blob_errors import (
    BlobDamaged,
    BlobGone,
    BlobsUnavailable,
    BlobTooLarge,
    KeyMissing,
)
from stores.blob_sweep import INCOMING, BlobSweep

PART_BYTES = 8 * 1024 * 1024
#: Larger contents are hashed on a thread: 1 MiB takes the event loop about 1 ms.
HASH_INLINE_BYTES = 1024 * 1024

_PREFIX = re.compile(r"[A-Za-z0-9_-]{1,64}(/[A-Za-z0-9_-]{1,64}){0,7}")


class Blobs:
    """Keeps contents by their hash: writing one twice keeps one, and makes it young again."""

    def __init__(self, options: BlobOptions) -> None:
        """Open the store; raises ValueError naming the setting where that cannot be."""
        if not _PREFIX.fullmatch(options.prefix):
            raise ValueError("the prefix of blob keys is made of letters, digits, - and _")
        self._calls = BlobCalls(options)
        self._prefix = options.prefix
        self._sweep = BlobSweep(self._calls, options.prefix)

    async def put(self, content: bytes) -> BlobRef:
        """Keep `content`, whole or not at all; raises BlobsUnavailable."""
        self._calls.check_room()
        ref = await _hashed(content)
        await self._put(self._key(ref), content)
        return ref

    async def put_stream(self, chunks: AsyncIterator[bytes], max_bytes: int) -> BlobRef:
        """Keep what comes, holding about 8 MiB of it; raises BlobTooLarge, BlobsUnavailable.

        Whatever goes wrong, in `chunks` too, nothing is left behind.
        """
        incoming = f"{self._prefix}/{INCOMING}/{uuid4().hex}"
        try:
            ref = await self._write(incoming, chunks, max_bytes)
            key = self._key(ref)
            # A rename, no copy: in a folder a copy is a hard link.
            await self._calls.ask(lambda: obstore.rename_async(self._calls.store, incoming, key))
        except BaseException:
            with suppress(BlobsUnavailable):
                await self._delete(incoming)
            raise
        return ref

    async def get(self, ref: BlobRef) -> bytes:
        """Read a blob and check it; raises BlobGone, BlobDamaged or BlobsUnavailable."""
        try:
            content = await self._calls.ask(lambda: self._load(ref))
        except KeyMissing:
            raise BlobGone(f"{ref} is not in the blob store (any more)") from None
        if await _hashed(content) != ref:
            raise BlobDamaged(f"{ref} is damaged: its content has another hash")
        return content

    async def touch(self, ref: BlobRef) -> None:
        """Make a blob young again; raises like `get` and `put`."""
        await self._put(self._key(ref), await self.get(ref))

    async def delete(self, ref: BlobRef) -> None:
        """Remove a blob, if it is there; raises BlobsUnavailable."""
        await self._delete(self._key(ref))

    async def sweep(self, older_than_ms: int, keep: Callable[[str], bool]) -> int:
        """Delete blobs last written before a time (ms since 1970) unless `keep(sha256)`.

        Also what crashed writers left behind. Bounded: a call goes on where the last one stopped.
        A blob that is claimed anew must be wanted by `keep` before it is put again: between the
        last look at its age and its deletion lies a moment. Returns how many were deleted;
        raises BlobsUnavailable.
        """
        return await self._sweep.run(older_than_ms, keep)

    async def ping(self) -> bool:
        """Whether the store takes a write now; never raises."""
        try:
            await self._put(f"{self._prefix}/ping", b"")
        except BlobsUnavailable:
            return False
        return True

    async def close(self) -> None:
        """Nothing is held open; here so that all stores close alike."""

    def _key(self, ref: BlobRef) -> str:
        return f"{self._prefix}/{ref.sha256[:2]}/{ref.sha256}"

    async def _put(self, key: str, content: bytes) -> None:
        await self._calls.ask(lambda: obstore.put_async(self._calls.store, key, content))

    async def _delete(self, key: str) -> None:
        with suppress(KeyMissing):
            await self._calls.ask(lambda: obstore.delete_async(self._calls.store, key))

    async def _load(self, ref: BlobRef) -> bytes:
        found = await obstore.get_async(self._calls.store, self._key(ref))
        size = found.meta["size"]
        if size != ref.size:  # before a byte of it is in memory
            raise BlobDamaged(f"{ref} is damaged: it has {size} bytes")
        return (await found.bytes_async()).to_bytes()

    async def _write(self, key: str, chunks: AsyncIterator[bytes], max_bytes: int) -> BlobRef:
        writer = obstore.open_writer_async(
            self._calls.store, key, buffer_size=PART_BYTES, max_concurrency=1
        )
        tally = _Tally(max_bytes)
        try:
            async for chunk in chunks:
                tally.add(chunk)
                self._calls.check_room()
                await self._calls.ask(partial(writer.write, chunk))
        except BaseException:
            # Closed all the same: else its part stays where no list shows it.
            with suppress(BlobsUnavailable):
                await self._calls.ask(writer.close)
            raise
        await self._calls.ask(writer.close)
        return tally.ref()


class _Tally:
    """The hash and size of what came so far."""

    def __init__(self, max_bytes: int) -> None:
        self._told = hashlib.sha256()
        self._size = 0
        self._max_bytes = max_bytes

    def add(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size > self._max_bytes:
            raise BlobTooLarge(limit=self._max_bytes)
        self._told.update(chunk)

    def ref(self) -> BlobRef:
        return BlobRef(self._told.hexdigest(), self._size)


async def _hashed(content: bytes) -> BlobRef:
    if len(content) <= HASH_INLINE_BYTES:
        return BlobRef.of(content)
    return await asyncio.to_thread(BlobRef.of, content)
