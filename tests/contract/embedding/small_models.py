"""Small random models, saved as sentence-transformers saves them, with tokenizers of their own.

Random models give nearly the same vector to every text unless their weights are large: each is
made with a fixed seed and a large initializer range, and the tests assert first that it tells
texts apart.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Transformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, processors, trainers
from tokenizers.models import BPE, Unigram, WordPiece
from transformers import (
    AutoModel,
    BertConfig,
    MPNetConfig,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    XLMRobertaConfig,
)

from embedding.catalog import ModelEntry
from embedding.parity import REFERENCE_TEXTS
from embedding.weights import config_hash, weights_hash

MAX_TOKENS = 48
VOCABULARY = 600
WORD_WEIGHT = 4.0
SHAPE = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "initializer_range": 1.0,
    "max_position_embeddings": MAX_TOKENS + 4,
}
#: What each tokenizer knows words of. Training is not repeatable for two of them, so their
#: vocabularies are written down.
SENTENCES = [
    *REFERENCE_TEXTS,
    "search_query: find me the documents about rivers, bridges and winters",
    "passage: a stream of events is a table in the making",
]


@dataclass(frozen=True)
class Recipe:
    """How one small model is made."""

    name: str
    config: Callable[[PreTrainedTokenizerFast], PreTrainedConfig]
    tokenizer: Callable[[], PreTrainedTokenizerFast]
    pooling: str
    seed: int
    normalize: bool = False
    dense: int | None = None
    prompts: dict[str, str] = field(default_factory=dict)


def _special(tokens: PreTrainedTokenizerFast) -> dict[str, int]:
    """The special ids a configuration must know."""
    wanted = ("pad_token_id", "bos_token_id", "eos_token_id")
    return {name: getattr(tokens, name) for name in wanted if getattr(tokens, name) is not None}


def _bert(tokens: PreTrainedTokenizerFast) -> BertConfig:
    return BertConfig(vocab_size=len(tokens), **SHAPE, **_special(tokens))


def _mpnet(tokens: PreTrainedTokenizerFast) -> MPNetConfig:
    return MPNetConfig(vocab_size=len(tokens), **SHAPE, **_special(tokens))


def _xlm_roberta(tokens: PreTrainedTokenizerFast) -> XLMRobertaConfig:
    return XLMRobertaConfig(vocab_size=len(tokens), **SHAPE, **_special(tokens))


def _qwen2(tokens: PreTrainedTokenizerFast) -> Qwen2Config:
    return Qwen2Config(vocab_size=len(tokens), num_key_value_heads=2, **SHAPE, **_special(tokens))


def _letters(texts: Iterable[str]) -> list[str]:
    """Every character of `texts` that is not a blank, in order."""
    return sorted({letter for text in texts for letter in text if not letter.isspace()})


def _words() -> list[str]:
    """Words of every second sentence: those of the others come apart."""
    return sorted({word for text in SENTENCES[::2] for word in re.findall(r"\w+", text.lower())})


def wordpiece() -> PreTrainedTokenizerFast:
    """A tokenizer of the BERT family."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = _letters(text.lower() for text in SENTENCES)
    pieces = [*special, *letters, *(f"##{letter}" for letter in letters), *_words()]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    rust = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    rust.normalizer = normalizers.BertNormalizer(lowercase=True)
    rust.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    rust.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(name, rust.token_to_id(name)) for name in ("[CLS]", "[SEP]")],
    )
    rust.decoder = decoders.WordPiece()
    return PreTrainedTokenizerFast(
        tokenizer_object=rust,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        model_max_length=MAX_TOKENS,
    )


def unigram() -> PreTrainedTokenizerFast:
    """A tokenizer of the XLM-RoBERTa family: pad is not 0."""
    scored = [(piece, 0.0) for piece in ("<s>", "<pad>", "</s>", "<unk>", "<mask>")]
    scored += [(letter, -10.0) for letter in ("▁", *_letters(SENTENCES))]
    scored += [(f"▁{word}", -8.0) for word in _words()]
    rust = Tokenizer(Unigram(scored, unk_id=3))
    rust.normalizer = normalizers.NFKC()
    rust.pre_tokenizer = pre_tokenizers.Metaspace()
    rust.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[(name, rust.token_to_id(name)) for name in ("<s>", "</s>")],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=rust,
        bos_token="<s>",
        eos_token="</s>",
        cls_token="<s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
        model_input_names=["input_ids", "attention_mask"],
        model_max_length=MAX_TOKENS,
    )


def byte_level() -> PreTrainedTokenizerFast:
    """A tokenizer of the decoder families: bytes, an end token alone, padded on the left."""
    rust = Tokenizer(BPE())
    rust.normalizer = normalizers.NFC()
    rust.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    rust.train_from_iterator(
        SENTENCES,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            special_tokens=["<|endoftext|>", "<|pad|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    rust.post_processor = processors.TemplateProcessing(
        single="$A <|endoftext|>",
        pair="$A <|endoftext|> $B <|endoftext|>",
        special_tokens=[("<|endoftext|>", rust.token_to_id("<|endoftext|>"))],
    )
    rust.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=rust,
        eos_token="<|endoftext|>",
        pad_token="<|pad|>",
        padding_side="left",
        model_input_names=["input_ids", "attention_mask"],
        model_max_length=MAX_TOKENS,
    )


RECIPES: Sequence[Recipe] = (
    Recipe("test/bert-mean", _bert, wordpiece, "mean", normalize=True, seed=29),
    Recipe(
        "test/bert-cls-dense",
        _bert,
        wordpiece,
        "cls",
        normalize=True,
        dense=24,
        seed=3,
        prompts={"document": "passage: ", "query": "search_query: "},
    ),
    Recipe("test/mpnet-mean", _mpnet, wordpiece, "mean", seed=0),
    Recipe("test/xlm-roberta-cls", _xlm_roberta, unigram, "cls", normalize=True, seed=4),
    Recipe(
        "test/qwen2-last",
        _qwen2,
        byte_level,
        "lasttoken",
        normalize=True,
        seed=7,
        prompts={"query": "Instruct: find documents\nQuery: "},
    ),
)


#: No two of these are alike for any of the models; longer ones are cut.
TEXTS = (
    "What is a vector database?",
    "the river runs under the old stone bridge in winter",
    "Der Doktor spielte gestern Abend auf dem Marktplatz Gitarre.",
    "Съешь ещё этих мягких французских булок, да выпей чаю.",
    "分布式向量化服务把文本变成向量。",
    "مرحبا بالعالم، هذا نص من اليمين إلى اليسار",
    "👩‍🚀 emoji 🙂🙃 and flags 🇫🇷",
    "0123456789 " * 6,
    "tasks",
    "price 17 and 3.1415",
    "control\x00characters\x07and\ttabs\r\nand lines\n\n",
)


def save_model(recipe: Recipe, folder: Path) -> ModelEntry:
    """Make the model and save it into `folder`, as a person would who trained it."""
    tokens = recipe.tokenizer()
    torch.manual_seed(recipe.seed)
    inner = folder / "inner"
    model = AutoModel.from_config(recipe.config(tokens)).eval()
    with torch.no_grad():  # words, not places, are to make the vector
        model.get_input_embeddings().weight.mul_(WORD_WEIGHT)
    model.save_pretrained(inner)
    tokens.save_pretrained(inner)
    transformer = Transformer(str(inner))
    modules: list[torch.nn.Module] = [transformer, Pooling(SHAPE["hidden_size"], recipe.pooling)]
    if recipe.dense is not None:
        modules.append(Dense(SHAPE["hidden_size"], recipe.dense))
    if recipe.normalize:
        modules.append(Normalize())
    target = folder / "model"
    SentenceTransformer(modules=modules, device="cpu").save(str(target), create_model_card=False)
    return entry_of(recipe, target)


def entry_of(recipe: Recipe, target: Path) -> ModelEntry:
    """The catalog's entry for the saved model as its files are now."""
    return ModelEntry.model_validate(
        {
            "name": recipe.name,
            "source": {"folder": str(target)},
            "revision": "1",
            "sha256": weights_hash(target),
            "config_sha256": config_hash(target),
            "dimension": recipe.dense or SHAPE["hidden_size"],
            "max_tokens": MAX_TOKENS,
            "normalize": recipe.normalize,
            "prompts": recipe.prompts,
        }
    )
