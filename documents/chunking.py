"""Pages to chunks that a model reads whole: exact in its own tokens, by structure first."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from semantic_text_splitter import MarkdownSplitter, TextSplitter

from documents.counting import counter_for
from documents.pages import Heading, Page, is_blank
from documents.refusals import prompt_too_long
from models.documents import Chunk, ChunkOptions, Place

#: A page is cut in blocks of so many characters: the splitter holds all borders of what it is
#: given, and the cap on chunks is noticed after a block, not after fifty million characters.
BLOCK_CHARS = 262_144
#: Longer chunks are cut further: some tokenizers call a word of any length one unknown token.
CHARS_PER_TOKEN = 32
#: Different tokenizers and sizes that a child keeps ready.
_KEPT = 8


class Cutter:
    """Cuts the pages of one document after another; remembers the headings of one."""

    def __init__(self, tokenizer: Path | None, options: ChunkOptions) -> None:
        """`tokenizer` None: a token is a word between white space.

        Raises DocumentRefused where the prompt leaves no room for text.
        """
        self._counter = counter_for(tokenizer)
        self._prompt = options.prompt
        #: What the special tokens leave; a limit below them cannot be kept, and one token is.
        self._room = max(1, options.tokens - self._counter.special)
        #: And what the prompt leaves of that.
        self._capacity = self._room - self._counter.exact(options.prompt)
        if self._capacity < 1:
            raise prompt_too_long(self._room - self._capacity, options.tokens)
        sizes = (self._capacity, min(options.overlap, self._capacity - 1))
        self._text = TextSplitter.from_callback(self._counter.quick, *sizes)
        self._markdown = MarkdownSplitter.from_callback(self._counter.quick, *sizes)
        self._exact = TextSplitter.from_callback(self._counter.exact, *sizes)

    def chunks(self, page: Page, path: "HeadingPath", *, markdown: bool) -> Iterator[Chunk]:
        """The chunks of a page in order; `path` goes on from page to page of a document."""
        path.turn(page.headings)
        for start, text in self._pieces(page.text, self._markdown if markdown else self._text):
            place = Place(
                page=page.number,
                sheet=page.sheet,
                headings=path.at(start),
                start=start,
                end=start + len(text),
            )
            yield Chunk(text=text, place=place)
        path.finish()

    def _pieces(
        self, text: str, splitter: TextSplitter | MarkdownSplitter
    ) -> Iterator[tuple[int, str]]:
        """Cut block by block; a block's last chunk is cut again with what comes after it."""
        if is_blank(text):
            return
        at = 0
        while at < len(text):
            found = splitter.chunk_indices(text[at : at + BLOCK_CHARS])
            following = at + BLOCK_CHARS
            if following < len(text) and len(found) > 1:
                following = at + found.pop()[0]
            for start, piece in found:
                yield from self._counted(at + start, piece)
            at = following

    def _counted(self, start: int, text: str) -> Iterator[tuple[int, str]]:
        """Cut what has more tokens than its words have, counted one by one."""
        if self._counter.exact(self._prompt + text) <= self._room or len(text) == 1:
            yield from self._fitting(start, text)
            return
        pieces = self._exact.chunk_indices(text)
        if len(pieces) <= 1:  # the splitter leaves some words whole that are a token too long
            pieces = _halves(text)
        for at, piece in pieces:
            yield from self._counted(start + at, piece)

    def _fitting(self, start: int, text: str) -> Iterator[tuple[int, str]]:
        """Cut what is too long in characters, or in tokens once it is cut."""
        if len(text) <= self._capacity * CHARS_PER_TOKEN:
            if not is_blank(text):
                yield start, text
            return
        for at, half in _halves(text):
            # A half may have more tokens than the whole: a word grown short is known again.
            yield from self._counted(start + at, half)


class HeadingPath:
    """The headings a place stands under, followed over the pages of one document."""

    def __init__(self) -> None:
        """Start outside of all headings."""
        self._open: list[Heading] = []
        self._coming: list[Heading] = []

    def turn(self, headings: tuple[Heading, ...]) -> None:
        """Come to a new page with these headings."""
        self._coming = list(reversed(headings))

    def at(self, start: int) -> list[str]:
        """The path at a character of the page; places are asked for in order."""
        while self._coming and self._coming[-1].start <= start:
            self._enter(self._coming.pop())
        return [heading.title for heading in self._open]

    def finish(self) -> None:
        """Leave the page: its last headings go on to the next."""
        while self._coming:
            self._enter(self._coming.pop())

    def _enter(self, heading: Heading) -> None:
        while self._open and self._open[-1].level >= heading.level:
            self._open.pop()
        self._open.append(heading)


@lru_cache(maxsize=_KEPT)
def cutter_for(tokenizer: Path | None, options: ChunkOptions) -> Cutter:
    """The cutter for a model and sizes; making one anew takes a tenth of a second."""
    return Cutter(tokenizer, options)


def _halves(text: str) -> list[tuple[int, str]]:
    """Both halves of a text, without white space around them, each with its place."""
    middle = _middle(text)
    halves = [(0, text[:middle]), (middle, text[middle:])]
    return [
        (at + len(half) - len(half.lstrip()), half.strip()) for at, half in halves if half.strip()
    ]


def _middle(text: str) -> int:
    """Where to cut: behind the last space of the first half, or in its very middle."""
    half = len(text) // 2
    space = text.rfind(" ", half // 2, half)
    return space + 1 if space >= 0 else half
