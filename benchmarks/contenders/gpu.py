"""Random models of known shapes on a GPU: our encoder beside sentence-transformers in fp16."""

import asyncio
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.contenders.ours import Ours, encoder_of
from benchmarks.contenders.random_models import SHAPES, GpuTrial, random_model
from benchmarks.contenders.speaking import Answer, Assignment, Told, serve
from benchmarks.corpus import mixed
from benchmarks.likeness import least_cosine
from embedding.catalog import ModelEntry
from embedding.encoder import Encoder, Tokenized
from models.encoding import Truncate
from models.vectors import Vector

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

#: Tokens of one call, and of the texts of one trial of `encode`.
CALL_TOKENS = 65_536
#: BERT's `[CLS]` and `[SEP]`, and the first id that is a word.
BEGIN_ID, END_ID, FIRST_WORD_ID = 101, 102, 2000
LAST_WORD_ID = 20_000
#: How many texts of each trial are compared with fp32.
GATED = 32
#: The card's own roof: products of this size, so many before it is waited for.
CARD_SIDE, CARD_PRODUCTS = 8192, 8


@dataclass(frozen=True, slots=True)
class Pair:
    """One shape, loaded by us and by sentence-transformers, twice: in fp16 and in fp32."""

    ours: Encoder
    theirs: "SentenceTransformer"
    reference: "SentenceTransformer"


class Models:
    """One shape at a time, on the device."""

    def __init__(self, given: Assignment, folder: Path) -> None:
        """Make models in `folder` when they are first asked for."""
        self._given = given
        self._folder = folder
        self._entries: dict[int, ModelEntry] = {}
        self._held: tuple[int, Pair] | None = None
        self._batchers: dict[int, Ours] = {}

    def both(self, at: int) -> Pair:
        """The shape number `at`; another one that was held is freed."""
        if self._held is not None and self._held[0] == at:
            return self._held[1]
        if self._held is not None:
            self._held[1].ours.close()
            self._held = None
        pair = self._loaded(self._entry(at))
        self._held = (at, pair)
        return pair

    def batcher(self, at: int) -> Ours:
        """Our batcher before a copy of its own of the shape number `at`."""
        if at not in self._batchers:
            self._batchers[at] = Ours(self._entry(at), self._given.threads, device="auto")
        return self._batchers[at]

    def _loaded(self, entry: ModelEntry) -> Pair:
        ours = encoder_of(entry, self._given.threads, device="auto")
        theirs = sentence_model(entry, ours.device, half=ours.device.startswith("cuda"))
        return Pair(ours, theirs, sentence_model(entry, ours.device, half=False))

    def _entry(self, at: int) -> ModelEntry:
        if at not in self._entries:
            sizes = SHAPES[at]
            self._entries[at] = random_model(sizes, self._given.folder, self._folder / sizes.name)
        return self._entries[at]


def sentence_model(entry: ModelEntry, device: str, *, half: bool) -> "SentenceTransformer":
    """sentence-transformers on this device, in fp16 or in fp32."""
    import torch  # noqa: PLC0415  # loaded by now
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415  # likewise

    return SentenceTransformer(
        entry.source.folder if entry.source is not None else "",
        device=device,
        local_files_only=True,
        model_kwargs={"dtype": torch.float16 if half else torch.float32},
    )


def batch_of(tokens: int, call_tokens: int) -> list[Tokenized]:
    """Texts of just so many tokens, all different, together about `call_tokens`."""
    dice = np.random.default_rng(tokens)
    rows = dice.integers(
        FIRST_WORD_ID, LAST_WORD_ID, (max(1, call_tokens // tokens), tokens), dtype=np.int32
    )
    rows[:, 0], rows[:, -1] = BEGIN_ID, END_ID
    return [Tokenized(row, tokens) for row in rows]


def texts_of(words: Sequence[str], tokens: int, call_tokens: int) -> list[str]:
    """Texts of whole words, so that each has just so many tokens."""
    dice = np.random.default_rng(tokens)
    count = max(1, call_tokens // tokens)
    picked = dice.integers(0, len(words), (count, tokens - 2))
    return [" ".join(words[at] for at in row) for row in picked]


def rate(work: Callable[[], Vector], tokens: float, seconds: float) -> float:
    """Tokens a second of `work`, which does `tokens` at each call, over about so many seconds."""
    work()
    calls, began_s = 0, time.perf_counter()
    while (spent_s := time.perf_counter() - began_s) < seconds or not calls:
        work()
        calls += 1
    return calls * tokens / max(spent_s, time.perf_counter() - began_s)


def load(given: Assignment) -> Answer:
    """Prepare; the setting `call_tokens` makes calls smaller, to try this on a CPU."""
    folder = Path(tempfile.mkdtemp(prefix="gpu-", dir=given.settings["folder"]))
    models = Models(given, folder)
    call_tokens = int(given.settings.get("call_tokens", CALL_TOKENS))
    words = words_of(given.folder)
    runner = asyncio.Runner()

    def answer(line: bytes) -> Told:
        trial = GpuTrial.model_validate_json(line)
        if trial.shape is None:
            return Told(facts=card())
        pair = models.both(trial.shape)
        if trial.mixed_texts:
            return Told(facts=batched(models.batcher(trial.shape), pair.ours, trial, runner))
        batch = batch_of(trial.tokens, call_tokens)
        return Told(facts=tried(pair, batch, texts_of(words, trial.tokens, call_tokens), trial))

    return answer


def tried(
    pair: Pair, batch: list[Tokenized], texts: list[str], trial: GpuTrial
) -> dict[str, float | str]:
    """Tokens a second of ours and theirs, and how near both are to fp32."""
    total, seconds = float(sum(each.length for each in batch)), trial.seconds

    def ours(given: list[str]) -> Vector:
        ready = pair.ours.tokenize(given, prompt="", truncate=Truncate.END)
        return pair.ours.forward(ready)

    def theirs(given: list[str]) -> Vector:
        return encoded(pair.theirs, given)

    expected = encoded(pair.reference, texts[:GATED])
    return {
        "forward": rate(lambda: pair.ours.forward(batch), total, seconds),
        "ours": rate(lambda: ours(texts), total, seconds),
        "theirs": rate(lambda: theirs(texts), total, seconds),
        "cosine of ours": least_cosine(ours(texts[:GATED]), expected),
        "cosine of theirs": least_cosine(theirs(texts[:GATED]), expected),
        "backend": pair.ours.backend,
    }


def batched(
    batcher: Ours, encoder: Encoder, trial: GpuTrial, runner: asyncio.Runner
) -> dict[str, float | str]:
    """Texts and tokens a second with the batcher before the card, and of its tokenizer alone."""
    texts = mixed(trial.mixed_texts)
    began_s = time.perf_counter()
    ready = encoder.tokenize(texts, prompt="", truncate=Truncate.END)
    tokenized_s = time.perf_counter() - began_s
    began_s = time.perf_counter()
    _, facts = runner.run(batcher.encode(texts, {}))
    spent_s = time.perf_counter() - began_s
    return {
        "batched": len(texts) / spent_s,
        "batched tokens": sum(each.length for each in ready) / spent_s,
        "tokenizer": len(texts) / tokenized_s,
        "padding": float(facts["tokens"]) / float(facts["padded_tokens"]),
    }


def encoded(model: "SentenceTransformer", texts: list[str]) -> Vector:
    """All texts in one batch: `(n, dim) float32`."""
    found = model.encode(texts, batch_size=len(texts), show_progress_bar=False)
    return np.asarray(found, dtype=np.float32)


def words_of(folder: Path) -> list[str]:
    """Words that the tokenizer of the model in `folder` reads as one token each."""
    from tokenizers import Tokenizer  # noqa: PLC0415  # comes with torch's company

    vocabulary: dict[str, int] = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab()
    return sorted(
        word
        for word, number in vocabulary.items()
        if FIRST_WORD_ID <= number <= LAST_WORD_ID and word.isascii() and word.isalpha()
    )


def card() -> dict[str, float | str]:
    """The card's name (empty: there is none) and its rate of fp16 products, in GFLOP/s."""
    import torch  # noqa: PLC0415  # only the contender's process pays

    if not torch.cuda.is_available():
        return {"card": "", "products": 0.0}
    one, other = (
        torch.rand(CARD_SIDE, CARD_SIDE, device="cuda", dtype=torch.float16) for _ in range(2)
    )

    def product() -> Vector:
        for _ in range(CARD_PRODUCTS):
            one @ other
        torch.cuda.synchronize()
        return np.empty(0, dtype=np.float32)

    flop = 2.0 * CARD_SIDE**3 * CARD_PRODUCTS
    return {"card": torch.cuda.get_device_name(0), "products": rate(product, flop, 1.0) / 1e9}


if __name__ == "__main__":
    serve(load)
