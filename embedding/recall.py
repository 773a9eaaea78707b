"""Vectors that were computed before, by the hash of all that made them.

The cache is a port: it may be slow, away or wrong about nothing else. A look-up runs while the
texts are tokenized and counts as a miss when it takes too long.
"""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from hashlib import blake2b
from typing import Protocol

import numpy as np

from embedding import figures
from embedding.catalog import ModelEntry
from embedding.encoder import EncodedText, Origin, Outcome
from models.encoding import EncodeOptions

KEY_BYTES = 16
#: How long a look-up may take before its texts count as not found.
PATIENCE_S = 0.005
_HEAD = np.dtype([("tokens", "<u4"), ("truncated", "<u4")])


class VectorCache(Protocol):
    """Bytes by key; a miss is always a right answer."""

    async def recall(self, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        """What is kept under each key, in one round trip; never raises."""

    async def keep(self, values: Mapping[bytes, bytes]) -> None:
        """Keep values; never raises."""


def keys_of(entry: ModelEntry, options: EncodeOptions, texts: Sequence[str]) -> list[bytes]:
    """Name each text's vector: model fingerprint, options, and the text's hash."""
    fingerprint = entry.passport_of(options).fingerprint
    start = blake2b(f"{fingerprint}\n{options.truncate}\n".encode(), digest_size=KEY_BYTES)
    keys = []
    for text in texts:
        digest = start.copy()
        digest.update(text.encode("utf-8", "surrogatepass"))
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
        try:
            async with asyncio.timeout(self._patience_s):
                held = await self._cache.recall(keys)
        except TimeoutError:
            held = []
        found = {at: read for at, raw in enumerate(held) if raw and (read := _read(raw))}
        figures.CACHE_HITS.inc(len(found))
        figures.CACHE_MISSES.inc(len(keys) - len(found))
        return found

    def keep(self, keys: Sequence[bytes], outcomes: Sequence[Outcome]) -> None:
        """Keep what was computed; nobody waits for it."""
        if self._cache is None:
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
        task.add_done_callback(self._keeping.discard)


#: Keeps nothing and knows nothing.
NO_RECALL = Recall(None)


def _written(encoded: EncodedText) -> bytes:
    head = np.array((encoded.tokens, encoded.truncated), dtype=_HEAD)
    return head.tobytes() + encoded.vector.astype("<f4").tobytes()


def _read(raw: bytes) -> EncodedText | None:
    if len(raw) <= _HEAD.itemsize or (len(raw) - _HEAD.itemsize) % 4:
        return None
    head = np.frombuffer(raw, dtype=_HEAD, count=1)[0]
    vector = np.frombuffer(raw, dtype="<f4", offset=_HEAD.itemsize).astype(np.float32)
    return EncodedText(vector, int(head["tokens"]), bool(head["truncated"]), Origin.CACHED)
