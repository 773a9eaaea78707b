"""Our encoder's stages one after the other, batches as in `ours`: what overlapping is judged by."""

import time
from collections.abc import Sequence

import numpy as np

from benchmarks.contenders.model import default_entry
from benchmarks.contenders.ours import encoder_of
from benchmarks.contenders.planning import plan_batches
from benchmarks.contenders.speaking import Assignment, Encode, serve_encoder
from embedding.batching import BatchOptions
from embedding.encoder import Encoder, Tokenized
from embedding.quality import shaped, vector_faults
from models.encoding import EncodeOptions
from models.vectors import Vector

DEFAULTS = BatchOptions()
WINDOW_TEXTS = 1024


class Serial:
    """Tokenize a window, run its batches, shape its vectors; then the next window."""

    def __init__(self, encoder: Encoder, dimension: int, options: EncodeOptions) -> None:
        """Keep the seconds of each stage apart."""
        self._encoder = encoder
        self._dimension = dimension
        self._options = options
        self._seconds = dict.fromkeys(("tokenize", "forward", "post"), 0.0)

    def encode(
        self, texts: list[str], settings: dict[str, int]
    ) -> tuple[Vector, dict[str, float | str]]:
        """Encode window by window: `(n, dim) float32` in the order of `texts`."""
        self._seconds = dict.fromkeys(self._seconds, 0.0)
        size, budget = WINDOW_TEXTS, settings["budget_tokens"]
        found = [
            self._window(texts[start : start + size], budget)
            for start in range(0, len(texts), size)
        ]
        return np.concatenate(found), {f"{name}_s": value for name, value in self._seconds.items()}

    def _window(self, texts: Sequence[str], budget_tokens: int) -> Vector:
        began_s = time.perf_counter()
        ready = self._encoder.tokenize(
            texts, prompt=self._options.prompt, truncate=self._options.truncate
        )
        self._seconds["tokenize"] += time.perf_counter() - began_s
        vectors = np.empty((len(texts), self._dimension), dtype=np.float32)
        for batch in plan_batches(
            [each.length for each in ready],
            max_items=DEFAULTS.batch_texts,
            max_tokens=budget_tokens,
        ):
            vectors[batch] = self._batch([ready[at] for at in batch])
        return vectors

    def _batch(self, batch: list[Tokenized]) -> Vector:
        began_s = time.perf_counter()
        made = self._encoder.forward(batch)
        done_s = time.perf_counter()
        vector_faults(made, texts=len(batch), dimension=self._dimension)
        rows = shaped(made, self._options)
        self._seconds["forward"] += done_s - began_s
        self._seconds["post"] += time.perf_counter() - done_s
        return rows


def load(given: Assignment) -> Encode:
    """Load the same encoder as `ours`."""
    entry = default_entry()
    encoder = encoder_of(entry, given.threads)
    return Serial(encoder, entry.dimension, entry.default_options()).encode


if __name__ == "__main__":
    serve_encoder(load)
