"""The CPU encoder: a converted model on OpenVINO. Imports neither torch nor transformers."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import structlog

from embedding.batching import padded_length
from embedding.catalog import ModelEntry
from embedding.conversion import Converted, converted
from embedding.encoder import Tokenized
from embedding.openvino_runtime import openvino
from embedding.parity import BackendRefused, refuse_unless_equal
from embedding.tokenizing import Padded, TextTokenizer, padded
from embedding.weights import checked_folder
from models.encoding import Truncate
from models.vectors import Vector

log = structlog.get_logger(__name__)

EXACT = "f32"
FAST = "bf16"
#: How OpenVINO says that memory ran out.
_OUT_OF_MEMORY = ("bad_alloc", "allocate")


def load_openvino(
    entry: ModelEntry, *, cache_dir: Path, threads: int | None = None, timeout_s: float = 600.0
) -> "OpenVinoEncoder":
    """Load `entry` from its checked files, converting them the first time (then it takes long).

    Raises BadWeights, and BackendRefused where the model cannot be converted or comes out other
    than in sentence-transformers, in full precision too.
    """
    folder = checked_folder(entry)
    source = converted(entry, folder, cache_dir=cache_dir, timeout_s=timeout_s)
    reference = source.read_reference()
    for precision in _precisions():
        encoder = OpenVinoEncoder(entry.name, source, precision=precision, threads=threads)
        try:
            refuse_unless_equal(encoder, reference, exact=precision == EXACT)
        except BackendRefused as error:
            encoder.close()
            if precision == EXACT:
                raise
            log.warning("precision_refused", model=entry.name, reason=error.message, next=EXACT)
        else:
            return encoder
    raise AssertionError("full precision is accepted or refused. This is a bug.")


def _precisions() -> tuple[str, ...]:
    """Which precisions to try here, best first: bf16 where the processor computes in it."""
    able = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return (FAST, EXACT) if "BF16" in able else (EXACT,)


class _Compile(Protocol):
    def __call__(self, *, precision: str) -> "_Network": ...


class OpenVinoEncoder:
    """A converted model on the CPU, in one precision; full precision is compiled when asked for."""

    def __init__(
        self, name: str, source: Converted, *, precision: str, threads: int | None = None
    ) -> None:
        """Compile the model in `source` (a second or so); `threads` None: OpenVINO decides."""
        self.device = "cpu"
        self.backend = f"openvino {precision}"
        manifest = source.read_manifest()
        definition = source.tokenizer.read_text(encoding="utf-8")
        self._tokenizer = TextTokenizer(definition, manifest.max_tokens)
        self._pad_id = manifest.pad_id
        self._max_tokens = manifest.max_tokens
        self._name = name
        self._compile: _Compile | None = partial(_Network, source.network, threads=threads)
        self._networks = {precision: self._compile(precision=precision)}
        self._precision = precision

    def tokenize(self, texts: Sequence[str], *, prompt: str, truncate: Truncate) -> list[Tokenized]:
        """Make texts ready for the model; from any thread."""
        return self._tokenizer.tokenize(texts, prompt=prompt, truncate=truncate)

    def forward(self, batch: Sequence[Tokenized]) -> Vector:
        """Give `(n, dim) float32`, an array of its own. Raises MemoryError."""
        return self._run(batch, self._precision)

    def forward_exact(self, one: Tokenized) -> Vector:
        """Give `(dim,) float32` of one text alone in full precision."""
        return np.asarray(self._run([one], EXACT)[0])

    def close(self) -> None:
        """Drop the compiled models."""
        self._compile = None
        self._networks.clear()

    def _run(self, batch: Sequence[Tokenized], precision: str) -> Vector:
        if self._compile is None:
            raise RuntimeError(f"model {self._name} is closed")
        if precision not in self._networks:
            self._networks[precision] = self._compile(precision=precision)
        longest = max((one.length for one in batch), default=0)
        # Never past the model's limit: there are no positions for padding there.
        width = min(padded_length(longest), self._max_tokens)
        return self._networks[precision].run(*padded(batch, self._pad_id, least=max(1, width)))


class _Network:
    """One compiled model with its one request."""

    def __init__(self, path: Path, *, precision: str, threads: int | None) -> None:
        core = openvino.Core()
        settings: dict[str, str | int | bool] = {
            "INFERENCE_PRECISION_HINT": precision,  # left out, it is bf16 wherever that is known
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            # Workers share the machine with others: two processes pinned to one core starve.
            "ENABLE_CPU_PINNING": False,
        }
        if threads is not None:
            settings["INFERENCE_NUM_THREADS"] = threads
        self._request = core.compile_model(path, "CPU", settings).create_infer_request()

    def run(self, ids: Padded, mask: Padded) -> Vector:
        """`(n, length)` ids and mask to `(n, dim) float32`. Raises MemoryError."""
        try:
            found = self._request.infer([ids, mask], share_inputs=True, share_outputs=True)
        except RuntimeError as error:
            if any(sign in str(error) for sign in _OUT_OF_MEMORY):
                raise MemoryError("out of memory on cpu") from error
            raise
        return np.array(found[0], dtype=np.float32)  # a copy: the request uses its own again
