"""Texts to tokens: true counts, cuts that keep special tokens and prompt, arrays padded right."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, pre_tokenizers, processors
from tokenizers.models import WordLevel

from embedding import tokenizing
from embedding.encoder import Tokenized
from embedding.tokenizing import TextTokenizer, padded
from models.encoding import Truncate

WORDS = ["[PAD]", "[UNK]", "<s>", "</s>", "p", ":", *"abcdefgh", "�"]
IDS = {word: number for number, word in enumerate(WORDS)}
LIMIT = 6


def _definition(template: str) -> str:
    """A tokenizer of whole words and punctuation; anything else is [UNK]."""
    rust = Tokenizer(WordLevel(IDS, unk_token="[UNK]"))
    rust.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    rust.post_processor = processors.TemplateProcessing(
        single=template, special_tokens=[(name, IDS[name]) for name in ("<s>", "</s>")]
    )
    rust.enable_truncation(3)
    rust.enable_padding(length=20)
    return rust.to_str()


BOTH, LAST, NONE = "<s> $A </s>", "$A </s>", "$A"


def _read(
    text: str, truncate: Truncate = Truncate.END, prompt: str = "", template: str = BOTH
) -> tuple[str, int, bool]:
    """The words the model sees, the count before the cut, and whether there was one."""
    tokenizer = TextTokenizer(_definition(template), LIMIT)
    [one] = tokenizer.tokenize([text], prompt=prompt, truncate=truncate)
    return " ".join(WORDS[number] for number in one.ids), one.tokens, one.truncated


def test_a_short_text_is_whole_whatever_the_file_says_of_cutting_and_padding() -> None:
    assert _read("a b c") == ("<s> a b c </s>", 5, False)


@pytest.mark.parametrize(
    "template,truncate,seen",
    [
        (BOTH, Truncate.END, "<s> a b c d </s>"),
        (BOTH, Truncate.ERROR, "<s> a b c d </s>"),
        (BOTH, Truncate.START, "<s> e f g h </s>"),
        (LAST, Truncate.END, "a b c d e </s>"),
        (LAST, Truncate.START, "d e f g h </s>"),
        (NONE, Truncate.END, "a b c d e f"),
        (NONE, Truncate.START, "c d e f g h"),
    ],
)
def test_a_long_text_is_cut_within_its_special_tokens(
    template: str, truncate: Truncate, seen: str
) -> None:
    tokens = 8 + (template != NONE) + (template == BOTH)
    assert _read("a b c d e f g h", truncate, template=template) == (seen, tokens, True)


def test_a_text_of_just_the_limit_is_not_cut() -> None:
    assert _read("a b c d") == ("<s> a b c d </s>", 6, False)


@pytest.mark.parametrize(
    "truncate,seen", [(Truncate.END, "<s> p : a b </s>"), (Truncate.START, "<s> p : d e </s>")]
)
def test_the_prompt_counts_and_stays(truncate: Truncate, seen: str) -> None:
    assert _read("a b c d e", truncate, prompt="p: ") == (seen, 9, True)


def test_a_prompt_that_fills_the_model_leaves_no_room_for_the_text() -> None:
    seen = _read("a b c", Truncate.START, prompt="p p p p p p ")
    assert seen == ("<s> p p p p </s>", 11, True)


def test_a_prompt_that_runs_on_into_the_text_keeps_what_is_its_own() -> None:
    """`ca` is one unknown word: the prompt's `c` is no token of its own any more."""
    seen = _read("a d e f g h", Truncate.START, prompt="p: c")
    assert seen == ("<s> p : g h </s>", 10, True)


@pytest.mark.parametrize(
    "text,read",
    [("a \ud800 b", "a � b"), ("\udc00", "�"), ("a \ud83d\ude42", "a 🙂"), ("ab\ud800", "ab�")],
)
def test_half_of_a_surrogate_pair_reads_as_the_replacement_character(text: str, read: str) -> None:
    assert _read(text) == _read(read)


@pytest.mark.parametrize("text", ["", " ", "\x00"])
def test_a_text_of_nothing_has_its_special_tokens(text: str) -> None:
    assert _read(text)[0].startswith("<s>")


@given(st.lists(st.text(alphabet="ab \ud800é", max_size=12), max_size=8), st.integers(1, 20))
def test_slices_change_nothing(texts: list[str], size: int) -> None:
    tokenizer = TextTokenizer(_definition(BOTH), LIMIT)
    alone = [tokenizer.tokenize([text], prompt="", truncate=Truncate.END)[0] for text in texts]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokenizing, "SLICE_CHARACTERS", size)
        found = tokenizer.tokenize(texts, prompt="", truncate=Truncate.END)
    assert [one.ids.tolist() for one in found] == [one.ids.tolist() for one in alone]


def _tokenized(*ids: int) -> Tokenized:
    return Tokenized(np.array(ids, dtype=np.int32), len(ids))


def test_a_batch_is_padded_on_the_right_to_its_longest() -> None:
    ids, mask = padded([_tokenized(5, 6, 7), _tokenized(8)], pad_id=1)
    assert ids.tolist() == [[5, 6, 7], [8, 1, 1]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0]]
    assert (ids.dtype, mask.dtype) == (np.int64, np.int64)


def test_a_text_without_tokens_is_one_masked_place() -> None:
    ids, mask = padded([_tokenized()], pad_id=1)
    assert (ids.tolist(), mask.tolist()) == ([[1]], [[0]])
