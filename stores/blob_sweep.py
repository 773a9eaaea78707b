"""Expiry of blobs: what is old and not wanted goes, a bounded number at a time."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import obstore

from stores.blob_calls import BlobCalls
from stores.blob_errors import KeyMissing

if TYPE_CHECKING:  # obstore has this name for type checkers only
    from obstore import ObjectMeta

INCOMING = "incoming"
#: Bounds of one call: keys looked at (a shard is finished once begun), and keys deleted.
LOOKS = 20_000
DELETES = 1_000
SHARDS = 256
PAGE_KEYS = 1_000
AT_ONCE = 8  # deletes in flight

Keep = Callable[[str], bool]

_SHA256 = re.compile(r"[0-9a-f]{64}")
#: How obstore names a file of a folder that is still written; it lists none of them.
_STAGED = "*#[0-9]*"


class BlobSweep:
    """Walks the shards in turn; each call goes on where the last one stopped."""

    def __init__(self, calls: BlobCalls, prefix: str) -> None:
        """Begin at the first shard."""
        self._calls = calls
        self._prefix = prefix
        self._shard = 0
        self._looked = 0

    async def run(self, older_than_ms: int, keep: Keep) -> int:
        """Delete what is older than a time and not kept; returns how many that were."""
        self._looked = 0
        gone = await self._clean(INCOMING, older_than_ms, keep, DELETES)
        for _ in range(SHARDS):
            if gone >= DELETES or self._looked >= LOOKS:
                break
            gone += await self._clean(f"{self._shard:02x}", older_than_ms, keep, DELETES - gone)
            if gone < DELETES:  # else this shard may hold more
                self._shard = (self._shard + 1) % SHARDS
        return gone

    async def _clean(self, part: str, older_than_ms: int, keep: Keep, most: int) -> int:
        folder = f"{self._prefix}/{part}"
        gone = 0
        if self._calls.folder is not None:
            gone = await asyncio.to_thread(
                _remove_staged, self._calls.folder / folder, older_than_ms, most
            )
        doomed = await self._doomed(folder, older_than_ms, keep, most - gone)
        for first in range(0, len(doomed), AT_ONCE):
            keys = doomed[first : first + AT_ONCE]
            went = await asyncio.gather(*(self._expire(key, older_than_ms, keep) for key in keys))
            gone += sum(went)
        return gone

    async def _doomed(self, folder: str, older_than_ms: int, keep: Keep, most: int) -> list[str]:
        doomed: list[str] = []
        async for found in self._listed(folder):
            if len(doomed) >= most:
                break
            self._looked += 1
            if _is_doomed(found, older_than_ms, keep):
                doomed.append(found["path"])
        return doomed

    async def _listed(self, folder: str) -> "AsyncIterator[ObjectMeta]":
        pages = obstore.list(self._calls.store, folder, chunk_size=PAGE_KEYS)
        while True:
            try:
                page = await self._calls.ask(lambda: anext(pages))
            except StopAsyncIteration:
                return
            for found in page:
                yield found

    async def _expire(self, key: str, older_than_ms: int, keep: Keep) -> bool:
        """Delete one, unless it was written again since it was listed."""
        store = self._calls.store
        try:
            found = await self._calls.ask(lambda: obstore.head_async(store, key))
            if not _is_doomed(found, older_than_ms, keep):
                return False
            await self._calls.ask(lambda: obstore.delete_async(store, key))
        except KeyMissing:
            return False
        return True


def _is_doomed(found: "ObjectMeta", older_than_ms: int, keep: Keep) -> bool:
    """Whether it may go: what has no hash for a name was never finished, and nobody wants it."""
    name = found["path"].rpartition("/")[2]
    wanted = _SHA256.fullmatch(name) is not None and keep(name)
    return _ms(found["last_modified"]) < older_than_ms and not wanted


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _remove_staged(folder: Path, older_than_ms: int, most: int) -> int:
    """Remove what a killed process was writing into a folder; returns how many that were."""
    gone = 0
    for path in folder.glob(_STAGED):
        if gone < most and path.stat().st_mtime * 1000 < older_than_ms:
            path.unlink(missing_ok=True)
            gone += 1
    return gone
