"""Texts to tokens and tokens to arrays, in Rust and numpy; knows neither torch nor transformers."""

from collections.abc import Iterator, Sequence
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from embedding.encoder import TokenIds, Tokenized
from models.encoding import Truncate

#: Texts are handed to Rust in slices of so many characters: it keeps about 100 bytes a token,
#: and a token may be as short as a character.
SLICE_CHARACTERS = 1 << 18

#: `(n, length) int64`, as models take them.
Padded = NDArray[np.int64]


class TextTokenizer:
    """A model's tokenizer: gives the ids that sentence-transformers gives. Any thread may use it.

    The special tokens that the tokenizer puts around a text are the same around every text, so
    they are looked up once and survive every cut.
    """

    def __init__(self, definition: str, max_tokens: int) -> None:
        """Take `definition`, the content of a tokenizer.json; texts are cut to `max_tokens`."""
        self._rust = Tokenizer.from_str(definition)
        self._rust.no_truncation()
        self._rust.no_padding()
        self._limit = max_tokens
        special = self._rust.encode("a").special_tokens_mask
        self._leading = sum(1 for _ in takewhile(bool, special))
        self._trailing = sum(1 for _ in takewhile(bool, reversed(special[self._leading :])))

    def tokenize(self, texts: Sequence[str], *, prompt: str, truncate: Truncate) -> list[Tokenized]:
        """Make `texts` ready, `prompt` before each; a token count is that of the whole text.

        Too long texts lose their end, or with START their beginning, never the prompt; ERROR cuts
        like END, and the caller judges. Halves of surrogate pairs read as U+FFFD.
        """
        kept_prompt = self._content(prompt) if truncate is Truncate.START and prompt else ()
        return [
            Tokenized(self._cut(ids, truncate, kept_prompt), len(ids))
            for part in _slices([_encodable(prompt + text) for text in texts])
            for ids in self._encode(part)
        ]

    def _encode(self, texts: Sequence[str]) -> Iterator[TokenIds]:
        """The ids of each text, uncut, special ones included."""
        for encoding in self._rust.encode_batch_fast(texts):
            yield np.array(encoding.ids, dtype=np.int32)

    def _content(self, text: str) -> tuple[int, ...]:
        """The ids of a text without special ones around it."""
        return tuple(self._rust.encode(_encodable(text), add_special_tokens=False).ids)

    def _cut(self, ids: TokenIds, truncate: Truncate, prompt: Sequence[int]) -> TokenIds:
        """Cut to the limit; special tokens stay at both ends, and with START the prompt's."""
        if len(ids) <= self._limit:
            return ids
        tail = ids[len(ids) - self._trailing :]
        room = self._limit - self._trailing
        if truncate is not Truncate.START:
            return np.concatenate([ids[:room], tail])
        head = min(room, self._leading + _shared(ids[self._leading :], prompt))
        begin = len(ids) - self._trailing - (room - head)
        return np.concatenate([ids[:head], ids[begin:]])


def _shared(ids: TokenIds, prompt: Sequence[int]) -> int:
    """How many tokens a text begins with that are its prompt's.

    Fewer than the prompt has alone where its last word runs on into the text.
    """
    pairs = zip(ids.tolist()[: len(prompt)], prompt, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _slices(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Parts of `texts`, in order, of about SLICE_CHARACTERS; a longer text is alone."""
    begin, characters = 0, 0
    for at, text in enumerate(texts):
        if at > begin and characters + len(text) > SLICE_CHARACTERS:
            yield texts[begin:at]
            begin, characters = at, 0
        characters += len(text)
    if begin < len(texts):
        yield texts[begin:]


def _encodable(text: str) -> str:
    """The text as UTF-8 can carry it."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def padded(batch: Sequence[Tokenized], pad_id: int, *, least: int = 1) -> tuple[Padded, Padded]:
    """The ids and the attention mask of a batch, `(n, longest)` each, padded on the right.

    They are `least` wide or more; a text without tokens gets one that is masked out.
    """
    width = max(least, max((one.length for one in batch), default=0))
    ids = np.full((len(batch), width), pad_id, dtype=np.int64)
    mask = np.zeros((len(batch), width), dtype=np.int64)
    for row, one in enumerate(batch):
        ids[row, : one.length] = one.ids
        mask[row, : one.length] = 1
    return ids, mask
