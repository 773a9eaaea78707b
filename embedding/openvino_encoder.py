"""The CPU encoder: a converted model on OpenVINO. Imports neither torch nor transformers."""

from collections.abc import Sequence
from pathlib import Path
from threading import Lock

import numpy as np
import structlog

from embedding.batching import padded_length
from embedding.catalog import ModelEntry
from embedding.conversion import Converted, converted
from embedding.encoder import ModelInput, Tokenized, as_texts
from embedding.openvino_runtime import core, openvino
from embedding.parity import BackendRefused, judge, refuse_unless_equal
from embedding.tokenizing import Padded, TextTokenizer, padded
from embedding.trial import refuse_unless_it_survives
from embedding.weights import checked_folder
from models.encoding import Truncate
from models.images import PixelSpec
from models.vectors import Vector

log = structlog.get_logger(__name__)

EXACT = "f32"
FAST = "bf16"
#: For so many shapes of its parts OpenVINO keeps what it compiled. Its own limit is 5,000, which
#: calls of all sorts fill with 500 MB (MiniLM, 3,000 random shapes); half of that with 500. Short
#: of it nothing is compiled twice: 24,000 docstrings make 168 shapes of calls.
SHAPES_KEPT = 500
#: How OpenVINO says that memory ran out.
_OUT_OF_MEMORY = ("bad_alloc", "allocate")


def load_openvino(
    entry: ModelEntry,
    *,
    cache_dir: Path,
    threads: int | None = None,
    streams: int = 1,
    timeout_s: float = 600.0,
) -> "list[OpenVinoEncoder]":
    """Load `entry` from its checked files, converting them the first time (then it takes long).

    Gives one encoder a stream, all on the same weights. Raises BadWeights, and BackendRefused
    where the model cannot be converted or comes out other than in sentence-transformers, in full
    precision too.
    """
    folder = checked_folder(entry)
    source = converted(entry, folder, cache_dir=cache_dir, timeout_s=timeout_s)
    reference = source.read_reference()
    for precision in _precisions():
        try:
            refuse_unless_it_survives(source, precision)
            model = OpenVinoModel(
                entry.name, source, precision=precision, threads=threads, streams=streams
            )
            encoders = [OpenVinoEncoder(model) for _ in range(streams)]
            refuse_unless_equal(encoders[0], reference, exact=precision == EXACT)
        except BackendRefused as error:
            if precision == EXACT:
                raise
            log.warning("precision_refused", model=entry.name, reason=error.message, next=EXACT)
        else:
            return encoders
    raise AssertionError("full precision is accepted or refused. This is a bug.")


def try_out(source: Converted, precision: str) -> None:
    """Compile a model and run all texts that backends are judged by; may end this process."""
    model = OpenVinoModel("trial", source, precision=precision, threads=1, streams=1)
    judge(OpenVinoEncoder(model), source.read_reference())


def _precisions() -> tuple[str, ...]:
    """Which precisions to try here, best first: bf16 where the processor computes in it."""
    able = core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return (FAST, EXACT) if "BF16" in able else (EXACT,)


class OpenVinoModel:
    """A converted model, compiled once for all encoders that share it."""

    def __init__(
        self,
        name: str,
        source: Converted,
        *,
        precision: str,
        threads: int | None,
        streams: int,
    ) -> None:
        """Compile the model in `source` (a second or so); `threads` None: OpenVINO decides."""
        manifest = source.read_manifest()
        definition = source.tokenizer.read_text(encoding="utf-8")
        self.name = name
        self.precision = precision
        self.tokenizer = TextTokenizer(definition, manifest.max_tokens)
        self.pad_id = manifest.pad_id
        self.max_tokens = manifest.max_tokens
        self._path = source.network
        self._threads = threads
        self._compiled = _compile(source.network, precision, threads, streams)
        self._exact: _Request | None = None
        self._exact_turn = Lock()

    def request(self) -> "_Request":
        """A request that may run beside others of this model."""
        return _Request(self._compiled.create_infer_request())

    def run_exact(self, ids: Padded, mask: Padded) -> Vector:
        """Run in full precision, one at a time; compiled when first asked for."""
        with self._exact_turn:
            if self._exact is None:
                compiled = _compile(self._path, EXACT, self._threads, 1)
                self._exact = _Request(compiled.create_infer_request())
            return self._exact.run(ids, mask)


class OpenVinoEncoder:
    """One stream of a model on the CPU; its neighbours run beside it."""

    def __init__(self, model: OpenVinoModel) -> None:
        """Share `model` with others."""
        self.device = "cpu"
        self.pixel_spec: PixelSpec | None = None
        self.backend = f"openvino {model.precision}"
        self._name = model.name
        self._model: OpenVinoModel | None = model
        self._request = model.request()

    def tokenize(self, texts: Sequence[str], *, prompt: str, truncate: Truncate) -> list[Tokenized]:
        """Make texts ready for the model; from any thread."""
        return self._open().tokenizer.tokenize(texts, prompt=prompt, truncate=truncate)

    def forward(self, batch: Sequence[ModelInput]) -> Vector:
        """Give `(n, dim) float32`, an array of its own. Raises MemoryError."""
        return self._request.run(*self._padded(batch))

    def forward_exact(self, one: ModelInput) -> Vector:
        """Give `(dim,) float32` of one text alone in full precision."""
        return np.asarray(self._open().run_exact(*self._padded([one]))[0])

    def close(self) -> None:
        """Let go of the model; it is freed when its last encoder did so."""
        self._model = None
        self._request.close()

    def _open(self) -> OpenVinoModel:
        if self._model is None:
            raise RuntimeError(f"model {self._name} is closed")
        return self._model

    def _padded(self, batch: Sequence[ModelInput]) -> tuple[Padded, Padded]:
        model, texts = self._open(), as_texts(batch)
        longest = max((one.length for one in texts), default=0)
        # Never past the model's limit: there are no positions for padding there.
        width = min(padded_length(longest), model.max_tokens)
        return padded(texts, model.pad_id, least=max(1, width))


class _Request:
    """One infer request, used by one thread at a time."""

    def __init__(self, request: "openvino.InferRequest") -> None:
        self._request: openvino.InferRequest | None = request

    def run(self, ids: Padded, mask: Padded) -> Vector:
        """`(n, length)` ids and mask to `(n, dim) float32`. Raises MemoryError."""
        if self._request is None:
            raise RuntimeError("the model is closed")
        # By tensors: what `infer` does with arrays takes 0.1 ms of Python a call.
        for place, values in enumerate((ids, mask)):
            self._request.set_input_tensor(place, openvino.Tensor(values, shared_memory=True))
        try:
            self._request.infer()
        except RuntimeError as error:
            if any(sign in str(error) for sign in _OUT_OF_MEMORY):
                raise MemoryError("out of memory on cpu") from error
            raise
        found = self._request.get_output_tensor(0).data
        return np.array(found, dtype=np.float32)  # a copy: the request uses its own again

    def close(self) -> None:
        """Free what the request holds."""
        self._request = None


def _compile(
    path: Path, precision: str, threads: int | None, streams: int
) -> "openvino.CompiledModel":
    settings: dict[str, str | int | bool] = {
        "INFERENCE_PRECISION_HINT": precision,  # left out, it is bf16 wherever that is known
        "NUM_STREAMS": streams,
        # Workers share the machine with others: two processes pinned to one core starve.
        "ENABLE_CPU_PINNING": False,
        "CPU_RUNTIME_CACHE_CAPACITY": SHAPES_KEPT,
    }
    if threads is not None:
        settings["INFERENCE_NUM_THREADS"] = threads
    return core().compile_model(path, "CPU", settings)
