"""ONNX Runtime in fp32: the model exported by torch, with sorted batches under a token budget."""

import tempfile
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.contenders.plain import loaded
from benchmarks.contenders.planning import plan_batches
from benchmarks.contenders.speaking import Assignment, Encode, serve_encoder
from models.vectors import Vector

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

BATCH_TOKENS = 2048
BATCH_TEXTS = 256
INPUTS = ("input_ids", "attention_mask")
OUTPUT = "vectors"


class Session(Protocol):
    """What is used of ONNX Runtime's session."""

    def run(self, names: list[str], feed: dict[str, NDArray[np.int64]]) -> list[Vector]:
        """Compute the outputs `names`."""


class OnnxEncoder:
    """The exported model."""

    def __init__(self, session: Session, tokenizer: "Tokenizer") -> None:
        """`tokenizer` cuts and does not pad."""
        self._session = session
        self._tokenizer = tokenizer

    def encode(
        self, texts: list[str], _settings: dict[str, int]
    ) -> tuple[Vector, dict[str, float | str]]:
        """Encode in batches of like length: `(n, dim) float32` in the order of `texts`."""
        ids = [each.ids for each in self._tokenizer.encode_batch_fast(texts)]
        batches = plan_batches(
            [len(each) for each in ids], max_items=BATCH_TEXTS, max_tokens=BATCH_TOKENS
        )
        found = [self._forward([ids[at] for at in batch]) for batch in batches]
        vectors = np.empty((len(texts), found[0].shape[1]), dtype=np.float32)
        for batch, rows in zip(batches, found, strict=True):
            vectors[batch] = rows
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), {}

    def _forward(self, ids: list[list[int]]) -> Vector:
        padded = np.zeros((len(ids), max(map(len, ids))), dtype=np.int64)
        mask = np.zeros_like(padded)
        for row, each in enumerate(ids):
            padded[row, : len(each)] = each
            mask[row, : len(each)] = 1
        [vectors] = self._session.run([OUTPUT], dict(zip(INPUTS, (padded, mask), strict=True)))
        return vectors


def load(given: Assignment) -> Encode:
    """Export the model and load what came out."""
    from tokenizers import Tokenizer  # noqa: PLC0415  # comes with torch's company

    tokenizer = Tokenizer.from_file(str(given.folder / "tokenizer.json"))
    tokenizer.enable_truncation(given.max_tokens)
    tokenizer.no_padding()
    with tempfile.TemporaryDirectory(prefix="bench-onnx-") as folder:
        path = Path(folder) / "model.onnx"
        _export(loaded(given.folder, given.max_tokens, given.threads), path)
        session = _session(path, given.threads)
    return OnnxEncoder(session, tokenizer).encode


def _export(model: "SentenceTransformer", path: Path) -> None:
    """Write transformer and pooling as one graph with free numbers of texts and tokens."""
    import torch  # noqa: PLC0415  # only the contender's process pays

    class Whole(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(
            self, input_ids: "torch.Tensor", attention_mask: "torch.Tensor"
        ) -> "torch.Tensor":
            found = self.model({"input_ids": input_ids, "attention_mask": attention_mask})
            vectors: torch.Tensor = found["sentence_embedding"]
            return vectors

    ids = torch.ones((2, 5), dtype=torch.int64)
    mask = torch.tensor([[1] * 5, [1] * 3 + [0] * 2])  # without padding the mask is left out
    free = dict.fromkeys((0, 1), torch.export.Dim.DYNAMIC)
    torch.onnx.export(
        Whole().eval(),
        (ids, mask),
        str(path),
        input_names=list(INPUTS),
        output_names=[OUTPUT],
        dynamic_shapes=(free, free),
        dynamo=True,
        external_data=False,
    )


def _session(path: Path, threads: int) -> Session:
    runtime = import_module("onnxruntime")  # of the contender's own environment
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    session: Session = runtime.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"]
    )
    return session


if __name__ == "__main__":
    serve_encoder(load)
