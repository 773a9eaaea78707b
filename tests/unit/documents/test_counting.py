"""Counting word by word: exact where it can be, and never the last word."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from documents import counting
from documents.chunking import Cutter, HeadingPath
from documents.counting import TokenCounter, WordCounter
from documents.pages import Page
from models.documents import ChunkOptions

PROSE = (
    "The quick brown fox jumps over the lazy dog.\n\nGröße, naïve Café — 漢字かな交じり文。 "
    "def f(x):\n    return x  # tabs\tand   spaces\u00a0too; state-of-the-art (1,234.5) 😀\n"
)


def trained(made: Tokenizer, trainer: trainers.Trainer, folder: Path) -> Path:
    made.train_from_iterator([PROSE * 3], trainer)
    made.save(str(folder / "tokenizer.json"))
    return folder / "tokenizer.json"


def bytes_bpe(folder: Path) -> Path:
    """As GPT-2, Qwen and Llama 3 have it: a space belongs to the word behind it."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    return trained(made, trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet), folder)


def unigram(folder: Path) -> Path:
    """As XLM-R and T5 have it."""
    made = Tokenizer(models.Unigram())
    made.normalizer = normalizers.NFKC()
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    return trained(made, trainers.UnigramTrainer(vocab_size=120, unk_token="<unk>"), folder)


def over_white_space(folder: Path) -> Path:
    """Nothing holds a token back from reaching over several words."""
    made = Tokenizer(models.BPE())
    return trained(made, trainers.BpeTrainer(vocab_size=300), folder)


KINDS = [bytes_bpe, unigram, over_white_space]


@pytest.mark.parametrize("text", [PROSE, "one", " lead", "trail ", "", " \n ", "a\tb\n\nc  d"])
def test_a_word_piece_tokenizers_words_add_up_to_the_text(
    minilm_tokenizer: Path, text: str
) -> None:
    counter = TokenCounter(minilm_tokenizer)
    assert counter.quick(text) == counter.exact(text)
    assert counter.quick(text) == counter.exact(text), "from memory too"


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("tokens", [6, 40])
@pytest.mark.parametrize("markdown", [False, True])
def test_no_chunk_has_more_tokens_than_asked_for_whatever_the_tokenizer(
    make: Callable[[Path], Path], tokens: int, markdown: bool, tmp_path: Path
) -> None:
    tokenizer = make(tmp_path)
    page = Page(PROSE * 40)
    cutter = Cutter(tokenizer, ChunkOptions(tokens=tokens, overlap=2))
    exact = TokenCounter(tokenizer).exact
    made = list(cutter.chunks(page, HeadingPath(), markdown=markdown))
    assert max(exact(chunk.text) for chunk in made) <= tokens
    assert [page.text[c.place.start : c.place.end] for c in made] == [c.text for c in made]


@pytest.mark.parametrize("make", KINDS[:2])
def test_chunks_are_about_as_full_as_exact_counting_makes_them(
    make: Callable[[Path], Path], tmp_path: Path
) -> None:
    tokenizer = make(tmp_path)
    quick, exact = (Cutter(tokenizer, ChunkOptions(tokens=40)) for _ in range(2))
    exact._text = exact._exact
    found, wanted = (
        len(list(one.chunks(Page(PROSE * 40), HeadingPath(), markdown=False)))
        for one in (quick, exact)
    )
    assert found <= 1.1 * wanted


def test_what_is_remembered_is_bounded(
    minilm_tokenizer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "REMEMBERED", 10)
    counter = TokenCounter(minilm_tokenizer)
    words = " ".join(f"w{number}" for number in range(100)) + " " + "x" * 1000
    assert counter.quick(words) == counter.exact(words)
    assert len(counter._known) <= 10
    assert max(map(len, counter._known)) <= counting.LONGEST_CHARS


def test_without_a_tokenizer_words_are_counted() -> None:
    counter = WordCounter()
    assert (counter.exact(" one\ttwo \n three "), counter.quick("one two"), counter.special) == (
        3,
        2,
        0,
    )
