"""Chunks: exact in the model's tokens, in their place, under their headings."""

from pathlib import Path

import pytest
from tokenizers import Tokenizer

from documents.chunking import BLOCK_CHARS, Cutter, HeadingPath
from documents.counting import TokenCounter
from documents.pages import Heading, Page
from models.documents import Chunk, ChunkOptions, DocumentRefused, ReadingLimits
from models.states import ItemErrorCode
from tests.unit.documents import making
from tests.unit.documents.reading import chunks, extracted, refusal

MIXED = (
    "Größe und naïve Café, 漢字かな交じり文。 Emoji 😀👩‍👩‍👧 and e\u0301 combined. "
    "The quick brown fox jumps over the lazy dog; https://example.org/a/b?c=d#e. "
)


def cut(page: Page, tokenizer: Path | None, options: ChunkOptions, **how: bool) -> list[Chunk]:
    cutter = Cutter(tokenizer, options)
    return list(cutter.chunks(page, HeadingPath(), markdown=how.get("markdown", False)))


@pytest.mark.parametrize("tokens", [4, 16, 64, 256])
@pytest.mark.parametrize("overlap", [0, 2, 300])
@pytest.mark.parametrize("markdown", [False, True])
def test_no_chunk_has_more_tokens_than_asked_for_with_special_ones(
    minilm_tokenizer: Path, tokens: int, overlap: int, markdown: bool
) -> None:
    page = Page(f"# Head\n\n{MIXED * 4}\n\n- {MIXED}\n- {MIXED * 10}\n\n" * 2)
    options = ChunkOptions(tokens=tokens, overlap=min(overlap, tokens))
    real = Tokenizer.from_file(str(minilm_tokenizer))
    real.no_truncation()
    real.no_padding()
    made = cut(page, minilm_tokenizer, options, markdown=markdown)
    assert made
    assert max(len(real.encode(chunk.text).ids) for chunk in made) <= tokens


@pytest.mark.parametrize("prompt", ["passage: ", "Represent this passage of a contract:", "(" * 40])
def test_no_chunk_has_more_tokens_than_asked_for_behind_its_prompt(
    minilm_tokenizer: Path, prompt: str
) -> None:
    options = ChunkOptions(tokens=64, overlap=8, prompt=prompt)
    real = Tokenizer.from_file(str(minilm_tokenizer))
    real.no_truncation()
    real.no_padding()
    made = cut(Page(MIXED * 40), minilm_tokenizer, options)
    counts = [len(real.encode(prompt + chunk.text).ids) for chunk in made]
    assert max(counts) <= 64
    assert max(counts) > 56  # the room there is, is used


def test_a_prompt_that_leaves_no_room_for_text_is_refused_with_what_to_change(
    minilm_tokenizer: Path,
) -> None:
    options = ChunkOptions(tokens=64, prompt="prompt " * 62)
    with pytest.raises(DocumentRefused, match=r"62 tokens.*of 64.*raise chunk_tokens") as refused:
        cut(Page(MIXED), minilm_tokenizer, options)
    assert refused.value.code is ItemErrorCode.TEXT_TOO_LONG
    assert cut(Page(MIXED), minilm_tokenizer, options.model_copy(update={"tokens": 65}))


@pytest.mark.parametrize("overlap", [0, 8])
@pytest.mark.parametrize("markdown", [False, True])
def test_a_chunk_stands_in_its_page_where_its_place_says(
    minilm_tokenizer: Path, overlap: int, markdown: bool
) -> None:
    page = Page(f"# Ä 😀\n\n{MIXED * 6}\n\n  1. {MIXED}\n\n```\n  {MIXED}\n```\n" * 3)
    made = cut(page, minilm_tokenizer, ChunkOptions(tokens=32, overlap=overlap), markdown=markdown)
    assert [page.text[c.place.start : c.place.end] for c in made] == [c.text for c in made]


@pytest.mark.parametrize("tokenized", [False, True])
def test_nothing_but_white_space_stands_between_two_chunks(
    minilm_tokenizer: Path, tokenized: bool
) -> None:
    text = (MIXED + "\n") * 5_000
    assert len(text) > 2 * BLOCK_CHARS
    made = cut(Page(text), minilm_tokenizer if tokenized else None, ChunkOptions(tokens=500))
    end = 0
    for chunk in made:
        assert chunk.place.start >= end
        assert not text[end : chunk.place.start].strip()
        end = chunk.place.end
    assert not text[end:].strip()


def test_an_overlap_repeats_the_end_of_the_last_chunk() -> None:
    words = " ".join(f"w{number}" for number in range(100))
    made = cut(Page(words), None, ChunkOptions(tokens=10, overlap=3))
    firsts, seconds = made[:-1], made[1:]
    assert all(
        first.text.split()[-3:] == second.text.split()[:3]
        for first, second in zip(firsts, seconds, strict=True)
    )


def test_without_a_tokenizer_a_token_is_a_word() -> None:
    made = cut(Page("one two three four five"), None, ChunkOptions(tokens=2))
    assert [chunk.text for chunk in made] == ["one two", "three four", "five"]


@pytest.mark.parametrize("tokenized", [False, True])
def test_a_word_of_any_length_is_cut(minilm_tokenizer: Path, tokenized: bool) -> None:
    """To this tokenizer a word of more than a hundred letters is one token."""
    page = Page("before " + "x" * 100_000 + " after")
    made = cut(page, minilm_tokenizer if tokenized else None, ChunkOptions(tokens=32))
    assert max(len(chunk.text) for chunk in made) <= 32 * 32
    assert sum(chunk.text.count("x") for chunk in made) == 100_000
    if tokenized:
        assert max(map(TokenCounter(minilm_tokenizer).exact, (c.text for c in made))) <= 30
    assert [page.text[c.place.start : c.place.end] for c in made] == [c.text for c in made]


@pytest.mark.parametrize("text", ["", " \n\t\u00a0 ", "\u200b\u200d \u2060"])
def test_a_page_that_shows_nothing_gives_no_chunk(text: str) -> None:
    assert cut(Page(text), None, ChunkOptions(tokens=8)) == []


def test_a_chunk_stands_under_the_headings_before_it() -> None:
    source = b"intro words\n\n# A\n\none two\n\n## B\n\nthree four\n\n# C\n\nfive six\n"
    made = chunks(source, "md", options=ChunkOptions(tokens=4))
    assert [(chunk.text.split()[-1], chunk.place.headings) for chunk in made] == [
        ("words", []), ("two", ["A"]), ("four", ["A", "B"]), ("six", ["C"]),
    ]  # fmt: skip


def test_headings_go_on_over_the_border_of_a_page() -> None:
    path = HeadingPath()
    cutter = Cutter(None, ChunkOptions(tokens=100))
    first = Page("# A\n\nx", (Heading(1, "A", 0),), number=1)
    second = Page("y\n\n## B\n\nz", (Heading(2, "B", 3),), number=2)
    third = Page("end", (), number=3)
    made = [list(cutter.chunks(page, path, markdown=True)) for page in (first, second, third)]
    assert [[chunk.place.headings for chunk in one] for one in made] == [[["A"]], [["A"]],
                                                                         [["A", "B"]]]  # fmt: skip


def test_no_chunk_crosses_the_border_of_a_page() -> None:
    made = chunks(making.pdf(["one", "two", "", "four"]))
    assert [(chunk.text, chunk.place.page) for chunk in made] == [
        ("one", 1), ("two", 2), ("four", 4),
    ]  # fmt: skip


def test_a_chunk_of_a_workbook_knows_its_sheet() -> None:
    [chunk] = chunks(making.workbook({"Data": [["a", 1]]}))
    assert (chunk.place.page, chunk.place.sheet, chunk.text) == (1, "Data", "a | 1")


def test_more_chunks_than_allowed_are_refused() -> None:
    refused = refusal(b"word " * 3000, limits=ReadingLimits(max_chunks=2))
    assert refused.code is ItemErrorCode.DOCUMENT_TOO_LARGE
    assert "document.max_chunks" in refused.message


def test_half_a_pair_and_control_characters_do_not_stop_the_reading() -> None:
    found = extracted(b'{"a": "x\\ud83d y\\u0000\\u0007z"}')
    [(_, chunk)] = found.chunks()
    assert chunk.text == "a: x\ufffd yz"
