"""A model as sentence-transformers loads it, and as functions of ids and of pixels. Imports torch.

Who serves a converted model never imports this module.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
from torch import Tensor
from transformers.utils.logging import disable_progress_bar

from embedding.catalog import ModelEntry
from embedding.parity import REFERENCE_TEXTS, BackendRefused
from embedding.reference_images import reference_images
from embedding.weights import BadWeights
from models.images import CHANNELS, PixelSpec
from models.vectors import Vector

CPU = "cpu"


def load_sentence_model(folder: Path, entry: ModelEntry, device: str = CPU) -> SentenceTransformer:
    """Load the model in `folder` in full precision, cut to `entry.max_tokens`, not normalizing.

    Without network, remote code or pickles. Raises BadWeights where the files do not fit the
    catalog, and BackendRefused for a kind of model that cannot be served.
    """
    disable_progress_bar()  # type: ignore[no-untyped-call]  # no terminal; it ships no types
    logging.getLogger("transformers").setLevel(logging.ERROR)
    loaded = SentenceTransformer(
        str(folder),
        device=device,
        local_files_only=True,
        trust_remote_code=False,
        model_kwargs={"use_safetensors": True, "dtype": torch.float32},
    )
    _check_facts(loaded, entry)
    modules = _without_normalize(list(loaded))
    _check_kind(modules, entry)
    model = SentenceTransformer(modules=modules, device=device).eval()
    model.max_seq_length = entry.max_tokens
    return model


def _check_facts(model: SentenceTransformer, entry: ModelEntry) -> None:
    """Raise BadWeights where the catalog says other than the files."""
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


def _without_normalize(modules: Sequence[torch.nn.Module]) -> list[torch.nn.Module]:
    """The modules up to the last that does more than scale the vector to length 1."""
    kept = list(modules)
    while isinstance(kept[-1], Normalize):
        kept.pop()
    return kept


def _check_kind(modules: Sequence[torch.nn.Module], entry: ModelEntry) -> None:
    """Raise BackendRefused for a model whose input is not one text, or image where it may be."""
    first = modules[0]
    if not isinstance(first, Transformer):
        raise BackendRefused(f"a model that begins with {type(first).__name__} is not served")
    if first.tokenizer is None or not first.tokenizer.is_fast:
        raise BackendRefused("a model without a fast tokenizer is not served")
    if "message" in first.modality_config:
        raise BackendRefused("a model that reads chat messages is not served")
    if ("image" in first.modality_config) != entry.reads_images:
        raise BackendRefused(
            f"it reads {' and '.join(map(str, first.modality_config))}, "
            f"which the catalog's kind {entry.kind} does not say"
        )
    if any(isinstance(module, Pooling) and not module.include_prompt for module in modules):
        raise BackendRefused("a model that leaves its prompt out of pooling is not served")


def tokenizer_definition(model: SentenceTransformer) -> str:
    """The content of a tokenizer.json that tokenizes as `model` does."""
    definition: str = model.tokenizer.backend_tokenizer.to_str()
    return definition


def pad_id(model: SentenceTransformer) -> int:
    """What fills the short rows of a batch; masked, so it matters only to count positions."""
    found: int | None = model.tokenizer.pad_token_id
    return 0 if found is None else found


def reference_vectors(model: SentenceTransformer) -> Vector:
    """What sentence-transformers' own `encode` makes of the reference texts, `(n, dim) float32`.

    One by one: no padding, no neighbours.
    """
    found = model.encode(list(REFERENCE_TEXTS), batch_size=1, show_progress_bar=False)
    return np.asarray(found, dtype=np.float32)


def reference_image_vectors(model: SentenceTransformer, spec: PixelSpec) -> Vector:
    """What sentence-transformers' own `encode` makes of the reference images, likewise."""
    pictures = [Image.fromarray(picture) for picture in reference_images(spec)]
    found = model.encode(pictures, batch_size=1, show_progress_bar=False)
    return np.asarray(found, dtype=np.float32)


class SentenceForward(torch.nn.Module):
    """All of a model as one function: `(n, length) int64` ids and mask to `(n, dim)` vectors."""

    def __init__(self, model: SentenceTransformer) -> None:
        """Wrap `model`; token types are given as zeros where its tokenizer would give them."""
        super().__init__()
        self.model = model
        self._typed = "token_type_ids" in model.tokenizer.model_input_names

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Run every module in turn."""
        features = {"input_ids": input_ids, "attention_mask": attention_mask}
        if self._typed:
            features["token_type_ids"] = torch.zeros_like(input_ids)
        embedding: Tensor = self.model(features)["sentence_embedding"]
        return embedding


class ImageForward(torch.nn.Module):
    """The same of images: `(n, height, width, 3) uint8` to `(n, dim)` vectors."""

    def __init__(self, model: SentenceTransformer, spec: PixelSpec) -> None:
        """Wrap `model`, which wants its pixels as `spec` says; those constants lie beside it."""
        super().__init__()
        self.model = model
        self._rescale = spec.rescale
        shape = 1, CHANNELS, 1, 1
        self._mean = torch.tensor(spec.mean, device=model.device).view(shape)
        self._std = torch.tensor(spec.std, device=model.device).view(shape)

    def forward(self, pixels: Tensor) -> Tensor:
        """Normalize in full precision, then run every module in turn."""
        values = pixels.permute(0, 3, 1, 2).to(torch.float32) * self._rescale
        features = {"pixel_values": (values - self._mean) / self._std, "modality": "image"}
        embedding: Tensor = self.model(features)["sentence_embedding"]
        return embedding
