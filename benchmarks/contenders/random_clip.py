"""A CLIP of ViT-B/32's shape with random weights, and images in JPEG for it to read."""

import io
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict

from embedding.catalog import ModelEntry
from embedding.weights import config_hash, weights_hash

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

SEED = 11
SIDE, PATCH, MAX_TOKENS, DIMENSION = 224, 32, 77, 512
IMAGE_TOWER = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "image_size": SIDE,
    "patch_size": PATCH,
}
TEXT_TOWER = {
    "hidden_size": 512,
    "intermediate_size": 2048,
    "num_hidden_layers": 12,
    "num_attention_heads": 8,
    "max_position_embeddings": MAX_TOKENS,
}
#: Times CLIP's own spread of weights: with 1 all images were at a cosine of 0.97 or more, with 4
#: of 0.68 to 0.95; fp16 stayed at 0.999999 to fp32.
WEIGHT_FACTOR = 4.0
WIDTH, HEIGHT = 640, 480
#: Patches of colour from which an image is made, and the grain that is laid upon them.
COARSE, GRAIN = (6, 8, 3), 6.0
QUALITY = 85


class ImageTrial(BaseModel):
    """One question: how fast at so many images a call? At none: where does the model run?"""

    model_config = ConfigDict(frozen=True)

    images: int = 0
    seconds: float = 0.0
    turned: bool = False
    """Whether the other one begins."""


def jpeg_of(number: int) -> bytes:
    """An image of its own for each number: soft patches of colour with grain, as a photo has."""
    dice = np.random.default_rng(number)
    patches = Image.fromarray(dice.integers(0, 256, COARSE, dtype=np.uint8))
    soft = patches.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    points = np.asarray(soft, dtype=np.float32) + dice.normal(0, GRAIN, (HEIGHT, WIDTH, 3))
    out = io.BytesIO()
    Image.fromarray(points.clip(0, 255).astype(np.uint8)).save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def random_clip(folder: Path) -> ModelEntry:
    """Make the model in `folder`, as sentence-transformers saves it; its entry."""
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415  # seconds and 400 MB
    from sentence_transformers.base.modules import Transformer  # noqa: PLC0415  # likewise

    bare, whole = folder / "bare", folder / "whole"
    _save_bare(bare)
    modules = [Transformer(str(bare))]
    SentenceTransformer(modules=modules, device="cpu").save(str(whole), create_model_card=False)
    shutil.rmtree(bare)
    return ModelEntry.model_validate(
        {
            "name": "random/clip-ViT-B-32",
            "kind": "clip",
            "source": {"folder": str(whole)},
            "revision": "random",
            "sha256": weights_hash(whole),
            "config_sha256": config_hash(whole),
            "dimension": DIMENSION,
            "max_tokens": MAX_TOKENS,
            "backend": "torch",
        }
    )


def _save_bare(folder: Path) -> None:
    """The model and its processor, as transformers saves them."""
    import torch  # noqa: PLC0415  # likewise
    from transformers import CLIPConfig, CLIPModel, CLIPProcessor  # noqa: PLC0415  # likewise
    from transformers.models.clip.image_processing_pil_clip import (  # noqa: PLC0415  # likewise
        CLIPImageProcessorPil,
    )

    torch.manual_seed(SEED)
    words = _tokenizer()
    config = CLIPConfig(
        text_config={**_text_facts(words), **_tower(TEXT_TOWER)},
        vision_config=_tower(IMAGE_TOWER),
        projection_dim=DIMENSION,
        initializer_factor=WEIGHT_FACTOR,
    )
    CLIPModel(config).save_pretrained(folder)
    images = CLIPImageProcessorPil(
        size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}
    )
    processor = CLIPProcessor(images, words)  # type: ignore[no-untyped-call]  # it ships no types
    processor.save_pretrained(folder)


def _tower(sizes: Mapping[str, int]) -> dict[str, float]:
    return {**sizes, "projection_dim": DIMENSION, "initializer_factor": WEIGHT_FACTOR}


def _text_facts(words: "CLIPTokenizer") -> dict[str, int | None]:
    special = ("bos_token_id", "eos_token_id", "pad_token_id")
    return {"vocab_size": len(words), **{name: getattr(words, name) for name in special}}


def _tokenizer() -> "CLIPTokenizer":
    """Bytes, and bytes that end a word: images are what is measured."""
    from tokenizers import pre_tokenizers  # noqa: PLC0415  # comes with torch's company
    from transformers import CLIPTokenizer  # noqa: PLC0415  # likewise

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    ends = [f"{letter}</w>" for letter in letters]
    pieces = [*letters, *ends, "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=MAX_TOKENS)
