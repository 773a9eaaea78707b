"""An encoder without a model: vectors from hashes, for tests and for measuring all the rest."""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from embedding.catalog import ModelEntry
from embedding.encoder import EncodedText, Outcome
from models.vectors import Vector

SEED_BYTES = 8
BYTES_PER_WORD = 8
#: SplitMix64 (Steele, Lea, Flood 2014): step and the two multipliers of its finalizer.
_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


class HashingEncoder:
    """Same text, same vector; different texts are nearly orthogonal. A token is a word."""

    def __init__(self, entry: ModelEntry) -> None:
        """Prepare for `entry`; another fingerprint gives other vectors."""
        self.device = "cpu"
        self._entry = entry
        self._person = entry.fingerprint.encode()
        words = -(-entry.dimension // BYTES_PER_WORD)
        self._steps = np.arange(1, words + 1, dtype=np.uint64) * _STEP

    def encode(self, texts: Sequence[str]) -> list[Outcome]:
        """Hash each text; one over `max_tokens` words is cut at the end first."""
        limit = self._entry.max_tokens
        words = [text.split() for text in texts]
        seeds = [
            self._seed(text if len(split) <= limit else " ".join(split[:limit]))
            for text, split in zip(texts, words, strict=True)
        ]
        vectors = self._expand(np.frombuffer(b"".join(seeds), dtype="<u8"))
        return [
            EncodedText(vector, len(split), len(split) > limit)
            for vector, split in zip(vectors, words, strict=True)
        ]

    def close(self) -> None:
        """Hold nothing."""

    def _seed(self, text: str) -> bytes:
        data = text.encode("utf-8", "surrogatepass")
        return blake2b(data, digest_size=SEED_BYTES, person=self._person).digest()

    def _expand(self, seeds: NDArray[np.uint64]) -> Vector:
        """Grow `(n,)` seeds to `(n, dim)` vectors of length 1 (raw bytes where not normalized)."""
        state = seeds[:, None] + self._steps
        state = (state ^ (state >> np.uint64(30))) * _MIX_1
        state = (state ^ (state >> np.uint64(27))) * _MIX_2
        state ^= state >> np.uint64(31)
        signed = state.astype("<u8", copy=False).view(np.int8)[:, : self._entry.dimension]
        raw = signed.astype(np.float32) + np.float32(0.5)  # symmetric, and never zero
        return _normalized(raw) if self._entry.normalize else raw


def _normalized(vectors: Vector) -> Vector:
    """Scale `(n, dim)` vectors, none of them zero, to length 1 each."""
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    return np.asarray(vectors / lengths[:, None], dtype=np.float32)
