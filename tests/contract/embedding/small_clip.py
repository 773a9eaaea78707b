"""A small random CLIP, saved as sentence-transformers saves it, and as `clip-ViT-B-32` is laid out.

Like the small models of texts: a fixed seed and large weights, and the tests assert first that it
tells images apart.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from tokenizers import pre_tokenizers
from transformers import CLIPConfig, CLIPModel, CLIPProcessor, CLIPTokenizer
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from embedding.catalog import ModelEntry
from embedding.weights import config_hash, weights_hash
from models.images import PixelSpec

NAME = "test/clip"
SIDE, PATCH, MAX_TOKENS, DIMENSION = 32, 8, 77, 32
SEED = 5
TOWER = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "projection_dim": DIMENSION,
    "initializer_range": 1.0,
    "initializer_factor": 4.0,
}
#: What OpenAI's files said of images, before transformers wrote them otherwise.
OLD_PROCESSOR = {
    "crop_size": SIDE,
    "do_center_crop": True,
    "do_normalize": True,
    "do_resize": True,
    "feature_extractor_type": "CLIPFeatureExtractor",
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "resample": 3,
    "size": SIDE,
}
OLD_MODULES = [
    {"idx": 0, "name": "0", "path": "0_CLIPModel", "type": "sentence_transformers.models.CLIPModel"}
]


def tokenizer() -> CLIPTokenizer:
    """Bytes, and bytes that end a word; it knows no word."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    ends = [f"{letter}</w>" for letter in letters]
    pieces = [*letters, *ends, "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=MAX_TOKENS)


def save_clip(folder: Path) -> ModelEntry:
    """Make the model and save it into `folder`, with today's layout."""
    words = tokenizer()
    images = CLIPImageProcessorPil(
        size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}
    )
    special = {name: getattr(words, name) for name in ("bos_token_id", "eos_token_id")}
    text = {"vocab_size": len(words), "max_position_embeddings": MAX_TOKENS, **special, **TOWER}
    torch.manual_seed(SEED)
    config = CLIPConfig(
        text_config={**text, "pad_token_id": words.pad_token_id},
        vision_config={"image_size": SIDE, "patch_size": PATCH, **TOWER},
        projection_dim=DIMENSION,
    )
    inner, target = folder / "inner", folder / "model"
    CLIPModel(config).eval().save_pretrained(inner)
    CLIPProcessor(images, words).save_pretrained(inner)
    modules: list[torch.nn.Module] = [Transformer(str(inner))]
    SentenceTransformer(modules=modules, device="cpu").save(str(target), create_model_card=False)
    return clip_entry(target)


def save_old_clip(folder: Path, today: Path) -> ModelEntry:
    """Lay the model in `today` out as the files of `clip-ViT-B-32` are."""
    inner = folder / "0_CLIPModel"
    inner.mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        shutil.copy(today / name, inner / name)
    model = json.loads((today / "tokenizer.json").read_text())["model"]
    words = {
        "model_max_length": MAX_TOKENS,
        "tokenizer_class": "CLIPTokenizer",
        **dict.fromkeys(("eos_token", "pad_token", "unk_token"), "<|endoftext|>"),
        "bos_token": "<|startoftext|>",
    }
    _write(inner / "tokenizer_config.json", words)
    _write(inner / "vocab.json", model["vocab"])
    (inner / "merges.txt").write_text("#version: 0.2\n")
    _write(inner / "preprocessor_config.json", OLD_PROCESSOR)
    _write(folder / "modules.json", OLD_MODULES)
    _write(folder / "config_sentence_transformers.json", {"__version__": {}})
    return clip_entry(folder)


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content))


def clip_entry(target: Path, **more: Any) -> ModelEntry:
    """The catalog's entry for the saved model as its files are now."""
    facts = {
        "name": NAME,
        "kind": "clip",
        "source": {"folder": str(target)},
        "revision": "1",
        "sha256": weights_hash(target),
        "config_sha256": config_hash(target),
        "dimension": DIMENSION,
        "max_tokens": MAX_TOKENS,
    }
    return ModelEntry.model_validate({**facts, **more})


def pictures() -> list[Image.Image]:
    """No two are alike for the model; of unlike sizes and shapes, none the model's own."""
    y, x = np.mgrid[0:48, 0:64]
    noise = np.random.default_rng(1).integers(0, 256, (40, 40, 3))
    squares = (x // 8 + y // 8) % 2 * 255
    ball = np.hypot(x - 32, y - 24) < 14
    made = [
        np.stack([x * 4, y * 5, x * 0], axis=-1),
        np.stack([255 - x * 4, y * 0, y * 5], axis=-1),
        noise,
        np.where(ball[..., None], [255, 0, 0], [0, 0, 255]),
        np.stack([squares] * 3, axis=-1),
        np.zeros((33, 90, 3)),
        np.full((100, 32, 3), 255),
        np.where((x > 32)[..., None], [0, 255, 0], [40, 40, 40]),
        np.where((y // 12 % 2 == 0)[..., None], [250, 120, 0], [0, 30, 90]),
    ]
    return [Image.fromarray(each.astype(np.uint8)) for each in made]


def hugging_face_pixels(model: SentenceTransformer, picture: Image.Image) -> NDArray[np.float32]:
    """`(3, height, width)`: what the model's own processor makes of a picture."""
    found: NDArray[np.float32] = model.preprocess([picture])["pixel_values"][0].numpy()
    return found


def normalized(data: bytes, spec: PixelSpec) -> NDArray[np.float32]:
    """The same of an image that was made ready, reckoned with numpy."""
    points = np.frombuffer(data, dtype=np.uint8).reshape(*spec.size, 3).astype(np.float32)
    values = (points * np.float32(spec.rescale) - np.float32(spec.mean)) / np.float32(spec.std)
    return np.asarray(values.transpose(2, 0, 1), dtype=np.float32)
