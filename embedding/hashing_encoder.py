"""An encoder without a model: vectors from hashes, for tests and for measuring all the rest.

Of images too, where the catalog says `kind: clip`; no text is near to any of them.
"""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from embedding.catalog import ModelEntry
from embedding.encoder import ModelInput, Tokenized
from embedding.pixel_spec import pixel_spec
from models.encoding import Truncate
from models.vectors import Vector

SEED_BYTES = 8
BYTES_PER_WORD = 8
#: A text's seed takes the place of its first two ids.
SEED_IDS = 2
#: SplitMix64 (Steele, Lea, Flood 2014): step and the two multipliers of its finalizer.
_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


class HashingEncoder:
    """Same text, same vector; different texts are nearly orthogonal. A token is a word."""

    def __init__(self, entry: ModelEntry) -> None:
        """Prepare for `entry`; another fingerprint gives other vectors."""
        self.device = "cpu"
        self.backend = "hashing"
        self.pixel_spec = pixel_spec(entry)
        self._limit = entry.max_tokens
        self._dimension = entry.dimension
        self._person = entry.fingerprint.encode()
        words = -(-entry.dimension // BYTES_PER_WORD)
        self._steps = np.arange(1, words + 1, dtype=np.uint64) * _STEP

    def tokenize(self, texts: Sequence[str], *, prompt: str, truncate: Truncate) -> list[Tokenized]:
        """Hash each text with `prompt` before it; one over `max_tokens` words is cut first."""
        return [self._read(prompt, text, truncate) for text in texts]

    def forward(self, batch: Sequence[ModelInput]) -> Vector:
        """Grow the seeds to `(n, dim) float32` vectors, not normalized and never zero."""
        seeds = np.array([self._seed_ids(one) for one in batch], dtype="<i4")
        return self._expand(seeds.reshape(len(batch), SEED_IDS).view("<u8")[:, 0])

    def forward_exact(self, one: ModelInput) -> Vector:
        """Give the same `(dim,) float32` again."""
        return np.asarray(self.forward([one])[0])

    def close(self) -> None:
        """Hold nothing."""

    def _read(self, prompt: str, text: str, truncate: Truncate) -> Tokenized:
        """The seed of a text, and zeros for the words that it has beyond two."""
        words = (prompt + text).split()
        kept = prompt + text
        if len(words) > self._limit:
            kept = " ".join(_cut(words, len(prompt.split()), self._limit, truncate))
        ids = np.zeros(max(SEED_IDS, min(len(words), self._limit)), dtype=np.int32)
        seed = self._seed(kept.encode("utf-8", "surrogatepass"))
        ids[:SEED_IDS] = np.frombuffer(seed, dtype="<i4")
        return Tokenized(ids, len(words))

    def _seed_ids(self, one: ModelInput) -> NDArray[np.int32]:
        if isinstance(one, Tokenized):
            return one.ids[:SEED_IDS]
        return np.frombuffer(self._seed(one.pixels.digest), dtype="<i4")

    def _seed(self, data: bytes) -> bytes:
        return blake2b(data, digest_size=SEED_BYTES, person=self._person).digest()

    def _expand(self, seeds: NDArray[np.uint64]) -> Vector:
        """Grow `(n,)` seeds to `(n, dim)` vectors."""
        state = seeds[:, None] + self._steps
        state = (state ^ (state >> np.uint64(30))) * _MIX_1
        state = (state ^ (state >> np.uint64(27))) * _MIX_2
        state ^= state >> np.uint64(31)
        signed = state.astype("<u8", copy=False).view(np.int8)[:, : self._dimension]
        return np.asarray(signed + np.float32(0.5), dtype=np.float32)  # symmetric, never zero


def _cut(words: Sequence[str], prompt: int, limit: int, truncate: Truncate) -> Sequence[str]:
    """Keep `limit` words: the first, or with START the prompt's and the last."""
    if truncate is not Truncate.START:
        return words[:limit]
    head = min(prompt, limit)
    return [*words[:head], *words[len(words) - (limit - head) :]]
