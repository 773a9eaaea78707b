"""The encoder on torch: fp16 on CUDA, full precision on the CPU. Importing it imports torch."""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np
import structlog
import torch
from sentence_transformers import SentenceTransformer

from embedding.catalog import ModelEntry
from embedding.encoder import ModelInput, ReadyImage, Tokenized, as_images, as_texts
from embedding.parity import BackendRefused, refuse_unless_equal
from embedding.pixel_spec import pixel_spec
from embedding.sentence_model import (
    CPU,
    ImageForward,
    SentenceForward,
    load_sentence_model,
    pad_id,
    reference_image_vectors,
    reference_vectors,
    tokenizer_definition,
)
from embedding.tokenizing import TextTokenizer
from embedding.torch_staging import Staging
from embedding.weights import checked_folder
from models.encoding import Truncate
from models.images import PixelSpec
from models.vectors import Vector

log = structlog.get_logger(__name__)

FULL = "fp32"
HALF = "fp16"

#: Loads the model once more, in full precision on the CPU.
LoadExact = Callable[[], SentenceTransformer]


def load_torch(
    entry: ModelEntry, *, device: str = CPU, threads: int | None = None
) -> "TorchEncoder":
    """Load `entry` from its checked files on `device` (`cpu`, `cuda`, `cuda:1`). Takes seconds.

    `threads` is for the whole process, None: torch decides. Raises BadWeights, and BackendRefused
    where the device does not answer or gives other vectors than sentence-transformers.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    if device == CPU:
        return _accepted(entry, device, FULL)
    if (torch.device(device).index or 0) >= torch.cuda.device_count():
        raise BackendRefused(f"torch finds no {device} here")
    leave_out_planned_attention()
    try:
        return _accepted(entry, device, HALF)
    except BackendRefused as error:
        log.warning("precision_refused", model=entry.name, reason=error.message, next=FULL)
    _free(device)
    return _accepted(entry, device, FULL)


def leave_out_planned_attention() -> None:
    """Keep attention off cuDNN, which builds a plan for each shape of a batch that is new to it.

    Ours have hundreds of shapes, and torch (2.11) asks cuDNN first on Hopper cards. On one, texts
    of mixed lengths came to 74,000 tokens a second where one shape came to 5,700,000.
    """
    torch.backends.cuda.enable_cudnn_sdp(enabled=False)


def cuda_devices() -> list[str]:
    """Every GPU that torch can use: `cuda:0`, `cuda:1`."""
    return [f"cuda:{number}" for number in range(torch.cuda.device_count())]


def _accepted(entry: ModelEntry, device: str, precision: str) -> "TorchEncoder":
    """An encoder that gave the reference vectors. Raises BackendRefused, BadWeights."""
    folder = checked_folder(entry)
    spec = pixel_spec(entry)
    model = load_sentence_model(folder, entry, device)
    expected = reference_vectors(model)
    images = reference_image_vectors(model, spec) if spec else None
    exact = precision == FULL
    encoder = TorchEncoder(
        model if exact else model.half(),
        entry,
        spec=spec,
        device=device,
        precision=precision,
        load_exact=lambda: load_sentence_model(folder, entry),
    )
    refuse_unless_equal(encoder, expected, exact=exact, images=images)
    return encoder


class TorchEncoder:
    """A sentence-transformers model in inference mode."""

    def __init__(
        self,
        model: SentenceTransformer,
        entry: ModelEntry,
        *,
        spec: PixelSpec | None,
        device: str,
        precision: str,
        load_exact: LoadExact,
    ) -> None:
        """Run `model`, which lies on `device` in `precision`; `spec` where it reads images."""
        self.device = device
        self.backend = f"torch {precision}"
        self.pixel_spec = spec
        self._tokenizer = TextTokenizer(tokenizer_definition(model), entry.max_tokens)
        self._stage = partial(Staging, pad_id=pad_id(model), max_tokens=entry.max_tokens)
        self._name = entry.name
        self._load_exact = load_exact
        self._fast: _Placed | None = _Placed(model, spec, self._stage(device))
        self._exact = self._fast if precision == FULL else None

    def tokenize(self, texts: Sequence[str], *, prompt: str, truncate: Truncate) -> list[Tokenized]:
        """Make texts ready for the model; from any thread."""
        return self._tokenizer.tokenize(texts, prompt=prompt, truncate=truncate)

    def forward(self, batch: Sequence[ModelInput]) -> Vector:
        """Give `(n, dim) float32`, an array of its own. Raises MemoryError, the cache emptied."""
        if self._fast is None:
            raise RuntimeError(f"model {self._name} is closed")
        with out_of_memory_as_memory_error(self.device):
            return self._fast.run(batch)

    def forward_exact(self, one: ModelInput) -> Vector:
        """Give `(dim,) float32` of one text or image in full precision, if need be on the CPU."""
        if self._fast is None:
            raise RuntimeError(f"model {self._name} is closed")
        if self._exact is None:
            self._exact = _Placed(self._load_exact(), self.pixel_spec, self._stage(CPU))
        return np.asarray(self._exact.run([one])[0])

    def close(self) -> None:
        """Drop the model and free its memory."""
        self._fast = self._exact = None
        _free(self.device)


class _Placed:
    """A model beside the staging of the device it lies on."""

    def __init__(
        self, model: SentenceTransformer, spec: PixelSpec | None, staging: Staging
    ) -> None:
        self._texts = SentenceForward(model).eval()
        self._images = None if spec is None else ImageForward(model, spec).eval()
        self._staging = staging

    @torch.inference_mode()
    def run(self, batch: Sequence[ModelInput]) -> Vector:
        """Give `(n, dim) float32`."""
        if self._images is not None and batch and isinstance(batch[0], ReadyImage):
            pixels = self._staging.place_images(as_images(batch))
            return self._staging.fetch(self._images(pixels))
        return self._staging.fetch(self._texts(*self._staging.place(as_texts(batch))))


@contextmanager
def out_of_memory_as_memory_error(device: str) -> Iterator[None]:
    """Raise MemoryError, with the device's cache freed, where that is what an error means."""
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, torch.OutOfMemoryError) and _CPU_SIGN not in str(error):
            raise
        message = f"out of memory on {device}"
    else:
        return
    _free(device)  # outside the handler: the error's traceback holds the tensors
    raise MemoryError(message)


#: How torch says that memory ran out on the CPU.
_CPU_SIGN = "can't allocate memory"


def _free(device: str) -> None:
    """Give unused memory back."""
    gc.collect()
    if device != CPU:
        torch.cuda.empty_cache()
