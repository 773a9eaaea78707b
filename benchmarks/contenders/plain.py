"""`SentenceTransformer.encode` with all defaults in fp32: what most would run, and the reference.

Defaults are: batches of 32, sorted by characters, tokenized in the loop.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.contenders.speaking import Assignment, Encode, serve_encoder
from models.vectors import Vector

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


def load(given: Assignment) -> Encode:
    """Load it on the CPU."""
    model = loaded(given.folder, given.max_tokens, given.threads)

    def encode(
        texts: list[str], _settings: dict[str, int]
    ) -> tuple[Vector, dict[str, float | str]]:
        vectors = model.encode(texts, show_progress_bar=False, normalize_embeddings=True)
        return np.asarray(vectors, dtype=np.float32), {}

    return encode


def loaded(folder: Path, max_tokens: int, threads: int) -> "SentenceTransformer":
    """The model in fp32 on the CPU."""
    import torch  # noqa: PLC0415  # seconds and 400 MB: only the contender's process pays
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415  # likewise

    torch.set_num_threads(threads)
    model = SentenceTransformer(
        str(folder),
        device="cpu",
        local_files_only=True,
        model_kwargs={"dtype": torch.float32},
    )
    model.max_seq_length = max_tokens
    return model


if __name__ == "__main__":
    serve_encoder(load)
