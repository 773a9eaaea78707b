"""Vectors that were computed before, by the hash of all that made them.

The cache is a port: it may be slow, away or damaged. A look-up runs while the texts are tokenized
and counts as a miss when it takes too long, raises, or gives other bytes than were kept.
"""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from hashlib import blake2b
from typing import Protocol
from zlib import crc32

import numpy as np
import structlog

from embedding import figures
from embedding.catalog import ModelEntry
from embedding.encoder import EncodedText, Origin, Outcome
from models.encoding import EncodeOptions
from models.images import Pixels

log = structlog.get_logger(__name__)

KEY_BYTES = 16
#: How long a look-up may take before its texts count as not found.
PATIENCE_S = 0.005
#: So many requests' vectors may be on their way into the cache; beyond, they are not kept.
MOST_KEEPING = 64
_CHECK_BYTES = 4
_HEAD = np.dtype([("tokens", "<u4"), ("truncated", "<u4")])


class VectorCache(Protocol):
    """Bytes by key; a miss is always a right answer."""

    async def recall(self, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        """What is kept under each key, in one round trip; never raises."""

    async def keep(self, values: Mapping[bytes, bytes]) -> None:
        """Keep values; never raises."""


def keys_of(
    entry: ModelEntry, options: EncodeOptions, inputs: Sequence[str | Pixels]
) -> list[bytes]:
    """Name the vector of each text or image: model fingerprint, options, and its hash."""
    fingerprint = entry.passport_of(options).fingerprint
    texts = blake2b(f"{fingerprint}\n{options.truncate}\n".encode(), digest_size=KEY_BYTES)
    images = blake2b(f"{fingerprint}\nimage\n".encode(), digest_size=KEY_BYTES)
    keys = []
    for one in inputs:
        if isinstance(one, str):
            digest = texts.copy()
            digest.update(one.encode("utf-8", "surrogatepass"))
        else:
            digest = images.copy()
            digest.update(one.digest)
        keys.append(digest.digest())
    return keys


class Recall:
    """Looks vectors up before they are computed, and keeps those that were."""

    def __init__(self, cache: VectorCache | None, patience_s: float = PATIENCE_S) -> None:
        """Ask `cache`, for `patience_s` at most; None: nothing is kept, and nothing counted."""
        self._cache = cache
        self._patience_s = patience_s
        self._keeping: set[asyncio.Future[None]] = set()

    async def look(self, keys: Sequence[bytes]) -> dict[int, EncodedText]:
        """What is kept of these, by position."""
        if self._cache is None:
            return {}
        held = await self._held(self._cache, keys)
        found = {at: read for at, raw in enumerate(held) if raw and (read := _read(raw))}
        figures.CACHE_HITS.inc(len(found))
        figures.CACHE_MISSES.inc(len(keys) - len(found))
        return found

    async def _held(self, cache: VectorCache, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        """What the cache answers; nothing where it does not answer well."""
        try:
            async with asyncio.timeout(self._patience_s):
                return await cache.recall(keys)
        except TimeoutError:
            return []
        except Exception as error:  # noqa: BLE001  (a cache only ever costs speed)
            log.warning("vectors_not_recalled", error=type(error).__name__)
            return []

    def keep(self, keys: Sequence[bytes], outcomes: Sequence[Outcome]) -> None:
        """Keep what was computed; nobody waits for it."""
        if self._cache is None or len(self._keeping) >= MOST_KEEPING:
            return
        values = {
            key: _written(outcome)
            for key, outcome in zip(keys, outcomes, strict=True)
            if isinstance(outcome, EncodedText) and outcome.origin is Origin.COMPUTED
        }
        if values:
            self._launch(self._cache.keep(values))

    def _launch(self, keeping: Awaitable[None]) -> None:
        task = asyncio.ensure_future(keeping)
        self._keeping.add(task)
        task.add_done_callback(self._kept)

    def _kept(self, task: asyncio.Future[None]) -> None:
        self._keeping.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("vectors_not_kept", error=type(error).__name__)


#: Keeps nothing and knows nothing.
NO_RECALL = Recall(None)


def _written(encoded: EncodedText) -> bytes:
    head = np.array((encoded.tokens, encoded.truncated), dtype=_HEAD)
    body = head.tobytes() + encoded.vector.astype("<f4").tobytes()
    return _check(body) + body


def _check(body: bytes) -> bytes:
    return crc32(body).to_bytes(_CHECK_BYTES, "little")


def _read(raw: bytes) -> EncodedText | None:
    body = raw[_CHECK_BYTES:]
    if len(body) <= _HEAD.itemsize or _check(body) != raw[:_CHECK_BYTES]:
        return None
    head = np.frombuffer(body, dtype=_HEAD, count=1)[0]
    vector = np.frombuffer(body, dtype="<f4", offset=_HEAD.itemsize).astype(np.float32)
    return EncodedText(vector, int(head["tokens"]), bool(head["truncated"]), Origin.CACHED)
