"""`SentenceTransformer.encode` as anybody would call it: what the service is compared with."""

import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.contenders.model import default_entry
from embedding.weights import checked_folder
from models.vectors import Vector

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

GEMM_SIDE = 2048
GEMM_TRIES = 5


@dataclass(frozen=True, slots=True)
class Encoded:
    """Vectors in the order of the texts, and what they took."""

    vectors: Vector
    seconds: float
    cpu_s: float


def encode(texts: list[str]) -> Encoded:
    """Encode with all defaults: batches of 32, sorted by length, float32; for another process."""
    model = _model()
    began_s, cpu_began_s = time.monotonic(), time.process_time()
    vectors = model.encode(texts, show_progress_bar=False, normalize_embeddings=True)
    seconds = time.monotonic() - began_s
    return Encoded(np.asarray(vectors), seconds, time.process_time() - cpu_began_s)


@cache
def _model() -> "SentenceTransformer":
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415  (seconds, 400 MB)

    folder = checked_folder(default_entry())
    return SentenceTransformer(str(folder), device="cpu", local_files_only=True)


def gemm_gflops() -> dict[str, float]:
    """The best rate of a square matrix product here, by precision: the roof over any encoder."""
    import torch  # noqa: PLC0415  (likewise)

    found: dict[str, float] = {}
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        one, other = (torch.rand(GEMM_SIDE, GEMM_SIDE).to(dtype) for _ in range(2))
        best_s = min(_seconds_of_product(one, other) for _ in range(GEMM_TRIES))
        found[name] = round(2 * GEMM_SIDE**3 / best_s / 1e9, 1)
    return found


def _seconds_of_product(one: "torch.Tensor", other: "torch.Tensor") -> float:
    began_s = time.perf_counter()
    one @ other
    return time.perf_counter() - began_s
