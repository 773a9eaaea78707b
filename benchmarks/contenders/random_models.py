"""Models of a known shape with random weights: as fast as real ones, without their sense."""

import shutil
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from benchmarks.roof import Shape
from embedding.catalog import ModelEntry
from embedding.weights import weights_hash

MOST_TOKENS = 512
SEED = 11
#: Wide enough that other texts get other vectors, and not so wide that fp16 is no longer near fp32
#: (with 0.1, 24 layers in fp16 were at a cosine of 0.99994; with 0.05 at 0.99999).
WEIGHT_SPREAD = 0.05
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
)


class Sizes(BaseModel):
    """One shape: sizes as in a model's `config.json`, and heads."""

    model_config = ConfigDict(frozen=True)

    name: str
    layers: int
    hidden: int
    heads: int

    @property
    def shape(self) -> Shape:
        """What the work of one token follows from."""
        return Shape(
            num_hidden_layers=self.layers,
            hidden_size=self.hidden,
            intermediate_size=4 * self.hidden,
        )


SHAPES = (
    Sizes(name="MiniLM-L6", layers=6, hidden=384, heads=12),
    Sizes(name="BERT-base", layers=12, hidden=768, heads=12),
    Sizes(name="BERT-large", layers=24, hidden=1024, heads=16),
)


class GpuTrial(BaseModel):
    """One question: how fast is this shape at texts of so many tokens? Without one: which card?

    With `mixed_texts` instead of `tokens`: how fast is it with our batcher before it?
    """

    model_config = ConfigDict(frozen=True)

    shape: int | None = None
    tokens: int = 0
    mixed_texts: int = 0
    seconds: float = 0.0


def random_model(sizes: Sizes, tokenizer_of: Path, folder: Path) -> ModelEntry:
    """Make the model in `folder` with the tokenizer of the model in `tokenizer_of`; its entry."""
    import torch  # noqa: PLC0415  # seconds and 400 MB: only the contender's process pays
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415  # likewise
    from sentence_transformers.base.modules import Transformer  # noqa: PLC0415  # likewise
    from sentence_transformers.sentence_transformer.modules import (  # noqa: PLC0415  # likewise
        Normalize,
        Pooling,
    )
    from transformers import BertConfig, BertModel  # noqa: PLC0415  # likewise

    torch.manual_seed(SEED)
    config = BertConfig(
        num_hidden_layers=sizes.layers,
        hidden_size=sizes.hidden,
        intermediate_size=4 * sizes.hidden,
        num_attention_heads=sizes.heads,
        max_position_embeddings=MOST_TOKENS,
        initializer_range=WEIGHT_SPREAD,
    )
    bare = folder / "bare"
    BertModel(config).save_pretrained(bare)  # type: ignore[no-untyped-call]  # it ships no types
    for name in TOKENIZER_FILES:
        if (tokenizer_of / name).exists():
            shutil.copy(tokenizer_of / name, bare / name)
    whole = folder / "whole"
    modules = [
        Transformer(str(bare), max_seq_length=MOST_TOKENS),
        Pooling(sizes.hidden),
        Normalize(),
    ]
    SentenceTransformer(modules=modules, device="cpu").save(str(whole), create_model_card=False)
    return ModelEntry.model_validate(
        {
            "name": f"random/{sizes.name}",
            "source": {"folder": str(whole)},
            "revision": "random",
            "sha256": weights_hash(whole),
            "dimension": sizes.hidden,
            "max_tokens": MOST_TOKENS,
            "backend": "torch",
        }
    )
