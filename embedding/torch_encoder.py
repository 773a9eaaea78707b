"""The reference encoder: sentence-transformers on torch, offline, from checked local files."""

import gc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from embedding.batching import plan_batches
from embedding.catalog import ModelEntry
from embedding.encoder import EncodedText, Outcome
from embedding.weights import BadWeights, checked_folder
from models.vectors import Vector

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer


@dataclass(frozen=True, slots=True)
class TorchOptions:
    """How a model is run on torch."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where it runs; auto: CUDA where there is one."""
    threads: int | None = None
    """Threads of one forward pass on the CPU, for the whole process; None: torch decides."""
    forward_texts: int = 64
    """Most texts in one forward pass."""
    forward_tokens: int = 4096
    """Most tokens in one forward pass, padding included."""


#: Torch decides.
TORCH_DEFAULTS = TorchOptions()


def load_torch(entry: ModelEntry, options: TorchOptions = TORCH_DEFAULTS) -> "TorchEncoder":
    """Load `entry` from its checked files, without network. Takes seconds: imports torch.

    Raises BadWeights where the files or what they say do not fit the catalog.
    """
    import torch  # noqa: PLC0415  (seconds and 400 MB: only who loads a model pays)
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415  (likewise)
    from transformers.utils.logging import disable_progress_bar  # noqa: PLC0415  (likewise)

    folder = checked_folder(entry)
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    disable_progress_bar()  # type: ignore[no-untyped-call]  # no terminal; it ships no types
    device = _pick_device(options.device, cuda=torch.cuda.is_available())
    model = SentenceTransformer(
        str(folder),
        device=device,
        local_files_only=True,
        trust_remote_code=False,
        model_kwargs={"use_safetensors": True},
    )
    model.eval()
    _fit(model, entry)
    return TorchEncoder(model, entry, device, options)


def _pick_device(wanted: str, *, cuda: bool) -> str:
    if wanted == "auto":
        return "cuda" if cuda else "cpu"
    return wanted


def _fit(model: "SentenceTransformer", entry: ModelEntry) -> None:
    """Set the entry's limit and check its facts. Raises BadWeights."""
    dimension, longest = model.get_embedding_dimension(), model.max_seq_length
    if dimension != entry.dimension:
        raise BadWeights(
            f"model {entry.name}: makes vectors of {dimension} values, "
            f"the catalog says {entry.dimension}"
        )
    if longest is not None and entry.max_tokens > longest:
        raise BadWeights(
            f"model {entry.name}: takes {longest} tokens, the catalog says {entry.max_tokens}"
        )
    model.max_seq_length = entry.max_tokens
    model.default_prompt_name = None  # the catalog's prompt counts, not the folder's


def _counter_of(model: "SentenceTransformer") -> "Tokenizer":
    """A copy of the model's tokenizer that neither cuts nor pads."""
    from tokenizers import Tokenizer  # noqa: PLC0415  (comes with torch's company)

    counter = Tokenizer.from_str(model.tokenizer.backend_tokenizer.to_str())
    counter.no_truncation()
    counter.no_padding()
    return counter


class TorchEncoder:
    """A sentence-transformers model in inference mode; texts over its limit are cut at the end."""

    def __init__(
        self, model: "SentenceTransformer", entry: ModelEntry, device: str, options: TorchOptions
    ) -> None:
        """Wrap a loaded `model` that lies on `device`."""
        self.device = device
        self._model: SentenceTransformer | None = model
        self._counter = _counter_of(model)
        self._entry = entry
        self._options = options

    def encode(self, texts: Sequence[str]) -> list[Outcome]:
        """Encode `texts` in batches of like length. Raises MemoryError when memory runs out."""
        limit = self._entry.max_tokens
        tokens = self._count(texts)
        vectors = self._forward(texts, [min(count, limit) for count in tokens])
        return [
            EncodedText(vector, count, count > limit)
            for vector, count in zip(vectors, tokens, strict=True)
        ]

    def close(self) -> None:
        """Drop the model and free its memory."""
        self._model = None
        _free(self.device)

    def _count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text before truncation, the prompt and special ones included."""
        prompt = self._entry.prompt
        found = self._counter.encode_batch_fast([prompt + text for text in texts])
        return [len(encoding.ids) for encoding in found]

    def _forward(self, texts: Sequence[str], lengths: Sequence[int]) -> Vector:
        """Run the planned batches: `(n, dim) float32`, in the order of `texts`."""
        vectors = np.empty((len(texts), self._entry.dimension), dtype=np.float32)
        for batch in plan_batches(
            lengths,
            max_items=self._options.forward_texts,
            max_tokens=self._options.forward_tokens,
        ):
            vectors[batch] = self._run([texts[index] for index in batch])
        return vectors

    def _run(self, texts: list[str]) -> Vector:
        """One forward pass over one batch: `(n, dim) float32`."""
        if self._model is None:
            raise RuntimeError(f"model {self._entry.name} is closed")
        try:
            found = self._model.encode(
                texts,
                prompt=self._entry.prompt or None,
                batch_size=len(texts),
                show_progress_bar=False,
                normalize_embeddings=self._entry.normalize,
            )
        except RuntimeError as error:
            _reraise_out_of_memory(error, self.device)
            raise
        return np.asarray(found, dtype=np.float32)


def _reraise_out_of_memory(error: RuntimeError, device: str) -> None:
    """Raise MemoryError, with the device's cache freed, where that is what `error` means."""
    import torch  # noqa: PLC0415  (loaded by now)

    if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error):
        _free(device)
        raise MemoryError(f"out of memory on {device}") from error


def _free(device: str) -> None:
    """Give unused memory back."""
    import torch  # noqa: PLC0415  (loaded by now)

    gc.collect()
    if device.startswith("cuda"):
        torch.cuda.empty_cache()
