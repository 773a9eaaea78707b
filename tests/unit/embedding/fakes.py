"""Encoders and clocks that tests can steer."""

import threading
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b

import numpy as np

from embedding.catalog import ModelEntry
from embedding.encoder import ModelInput, ReadyImage, Tokenized
from embedding.pixel_spec import pixel_spec
from models.encoding import Truncate
from models.images import Pixels
from models.vectors import Vector


def hashing_entry(name: str = "test/fake", dimension: int = 16, **more: object) -> ModelEntry:
    facts = {"name": name, "revision": "1", "dimension": dimension, "max_tokens": 1000}
    return ModelEntry.model_validate({**facts, "backend": "hashing", **more})


class FakeClock:
    def __init__(self) -> None:
        self.at_s = 1000.0

    def now_ms(self) -> int:
        return int(self.at_s * 1000)

    def monotonic_s(self) -> float:
        return self.at_s


#: Changes what a call gives, or raises: (texts of the call, vectors) -> vectors.
Spoil = Callable[[Sequence[str], Vector], Vector]


def vector_of(text: str, dimension: int) -> Vector:
    """What a FakeEncoder makes of a text: other texts, other directions; length not 1."""
    seed = int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")
    values = np.random.default_rng(seed).standard_normal(dimension)
    return np.asarray(values, dtype=np.float32)


class FakeEncoder:
    """A token is a character. Writes its calls down; waits at `gate`; lets `spoil` spoil them."""

    backend = "fake"

    def __init__(self, entry: ModelEntry, spoil: Spoil | None = None) -> None:
        self.device = "cpu"
        self.calls: list[list[str]] = []
        self.exact_calls: list[str] = []
        self.threads: set[str] = set()
        self.gate = threading.Event()
        self.gate.set()
        self.closed = False
        self.pixel_spec = pixel_spec(entry)
        self._dimension = entry.dimension
        self._limit = entry.max_tokens
        self._spoil = spoil

    def tokenize(self, texts: Sequence[str], *, prompt: str, truncate: Truncate) -> list[Tokenized]:
        return [self._read(prompt + text, truncate) for text in texts]

    def _read(self, text: str, truncate: Truncate) -> Tokenized:
        kept = text[-self._limit :] if truncate is Truncate.START else text[: self._limit]
        ids = np.array([ord(character) for character in kept], dtype=np.int32)
        return Tokenized(ids, len(text))

    def forward(self, batch: Sequence[ModelInput]) -> Vector:
        texts = [_text(each) for each in batch]
        self.calls.append(texts)
        self.threads.add(threading.current_thread().name)
        assert self.gate.wait(10)
        vectors = np.stack([vector_of(text, self._dimension) for text in texts])
        return vectors if self._spoil is None else self._spoil(texts, vectors)

    def forward_exact(self, one: ModelInput) -> Vector:
        text = _text(one)
        self.exact_calls.append(text)
        return vector_of(text, self._dimension)

    def close(self) -> None:
        self.closed = True


def image(mark: int) -> Pixels:
    """An image as ViT-B/32 wants them, of one grey; a FakeEncoder calls it `image 7`."""
    return Pixels(224, 224, bytes([mark]) * (224 * 224 * 3))


def _text(one: ModelInput) -> str:
    if isinstance(one, ReadyImage):
        return f"image {one.pixels.data[0]}"
    return "".join(chr(number) for number in one.ids)


class FakeVectorCache:
    """Keeps everything; `held` may be looked into; waits at `gate`."""

    def __init__(self) -> None:
        self.held: dict[bytes, bytes] = {}
        self.asked = 0

    async def recall(self, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        self.asked += 1
        return [self.held.get(key) for key in keys]

    async def keep(self, values: Mapping[bytes, bytes]) -> None:
        self.held.update(values)
