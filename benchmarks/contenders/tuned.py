"""`SentenceTransformer.encode` as somebody would call it who looked into it, still fp32 on torch.

Texts are sorted by tokens, and the batch size is the fastest of several, tried on the warm-up.
"""

import time
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.contenders.plain import loaded
from benchmarks.contenders.speaking import Assignment, Encode, serve_encoder
from models.vectors import Vector

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

SIZES = (8, 16, 32, 64, 128)
#: The batch size is chosen on so many texts.
TRIED = 256


class Tuned:
    """The model, and the batch size that was found to be the fastest here."""

    def __init__(self, model: "SentenceTransformer", counter: "Tokenizer") -> None:
        """Know no size yet; `counter` counts tokens."""
        self._model = model
        self._counter = counter
        self._size = 0

    def encode(
        self, texts: list[str], _settings: dict[str, int]
    ) -> tuple[Vector, dict[str, float | str]]:
        """Encode sorted by tokens; the first call chooses the batch size."""
        if not self._size:
            self._size = self._fastest(texts[:TRIED])
        return self._sorted(texts, self._size), {"batch_size": self._size}

    def _fastest(self, texts: list[str]) -> int:
        def took_s(size: int) -> float:
            began_s = time.perf_counter()
            self._sorted(texts, size)
            return time.perf_counter() - began_s

        took_s(SIZES[0])  # the first call of all is slower
        return min(SIZES, key=took_s)

    def _sorted(self, texts: list[str], size: int) -> Vector:
        """`(n, dim) float32` in the order of `texts`."""
        lengths = [len(each.ids) for each in self._counter.encode_batch_fast(texts)]
        order = sorted(range(len(texts)), key=lambda at: -lengths[at])
        vectors = np.empty((len(texts), self._dimension), dtype=np.float32)
        for start in range(0, len(order), size):
            batch = order[start : start + size]
            vectors[batch] = self._model.encode(
                [texts[at] for at in batch],
                batch_size=size,
                show_progress_bar=False,
                normalize_embeddings=True,
            )
        return vectors

    @property
    def _dimension(self) -> int:
        return int(self._model.get_embedding_dimension() or 0)


def load(given: Assignment) -> Encode:
    """Load it on the CPU, with a copy of its tokenizer that neither cuts nor pads."""
    from tokenizers import Tokenizer  # noqa: PLC0415  # comes with torch's company

    counter = Tokenizer.from_file(str(given.folder / "tokenizer.json"))
    counter.no_truncation()
    counter.no_padding()
    return Tuned(loaded(given.folder, given.max_tokens, given.threads), counter).encode


if __name__ == "__main__":
    serve_encoder(load)
