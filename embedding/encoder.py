"""The port of every encoder: texts to tokens, tokens or images to vectors, in the same order.

The two halves are apart so that they overlap: while one batch is in the model, the texts of the
next ones are tokenized in other threads, and batches are cut by what texts really cost.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.encoding import Truncate
from models.images import Pixels, PixelSpec
from models.states import ItemErrorCode
from models.vectors import Vector

#: One text as the model reads it, `(length,) int32`, special tokens included.
TokenIds = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Tokenized:
    """One text made ready for the model, cut to the model's limit."""

    ids: TokenIds
    tokens: int
    """Before truncation; prompt and special tokens included."""

    @property
    def length(self) -> int:
        """Tokens that the model will see."""
        return len(self.ids)

    @property
    def truncated(self) -> bool:
        """Whether the model sees only a part of the text."""
        return self.tokens > len(self.ids)

    @property
    def key(self) -> bytes:
        """The same for what the model reads as the same."""
        return self.ids.tobytes()


@dataclass(frozen=True, slots=True, eq=False)
class ReadyImage:
    """One image made ready for the model; it is never cut."""

    pixels: Pixels
    tokens: int
    """What it costs a call, in tokens of a text: its patches, and one more."""

    @property
    def length(self) -> int:
        """Tokens that the model will see."""
        return self.tokens

    @property
    def key(self) -> bytes:
        """The same for what the model reads as the same."""
        return self.pixels.digest


#: What a model reads: a call has texts alone, or images alone.
ModelInput = Tokenized | ReadyImage


def as_texts(batch: Sequence[ModelInput]) -> Sequence[Tokenized]:
    """The batch, which has texts alone; else raises TypeError."""
    texts = [one for one in batch if isinstance(one, Tokenized)]
    if len(texts) != len(batch):
        raise TypeError("an image where the model reads texts. This is a bug.")
    return texts


def as_images(batch: Sequence[ModelInput]) -> Sequence[ReadyImage]:
    """The batch, which has images alone; else raises TypeError."""
    images = [one for one in batch if isinstance(one, ReadyImage)]
    if len(images) != len(batch):
        raise TypeError("a text among images. This is a bug.")
    return images


class Origin(StrEnum):
    """Where a vector comes from."""

    COMPUTED = "computed"
    DEDUPLICATED = "deduplicated"
    """An equal text or image was on its way through the model at that moment."""
    CACHED = "cached"


@dataclass(frozen=True, slots=True, eq=False)
class EncodedText:
    """The vector of a text or image, and how much of the text it speaks for."""

    vector: Vector  # (dim,) float32
    tokens: int  # before truncation, prompt and special ones included; of an image: its cost
    truncated: bool
    origin: Origin = Origin.COMPUTED


@dataclass(frozen=True, slots=True)
class EncodeFailure:
    """Why a text or image has no vector; the message never contains the text."""

    code: ItemErrorCode
    message: str


#: What becomes of one text or image.
Outcome = EncodedText | EncodeFailure


class Encoder(Protocol):
    """A loaded model. Blocking: `tokenize` from any thread, the rest from one thread at a time."""

    device: str
    """Where it runs: `cpu`, `cuda:0`."""
    backend: str
    """What runs it, precision included: `openvino bf16`."""
    pixel_spec: PixelSpec | None
    """How it wants images; None: it reads texts alone."""

    def tokenize(self, texts: Sequence[str], *, prompt: str, truncate: Truncate) -> list[Tokenized]:
        """Make texts ready, `prompt` before each; too long ones are cut (START: at the start)."""

    def forward(self, batch: Sequence[ModelInput]) -> Vector:
        """Give `(n, dim) float32`, neither cut nor normalized, one row a text or image.

        All are texts or all are images, and those only where there is a `pixel_spec`.

        Raises MemoryError when memory runs out, with the device's cache freed.
        """

    def forward_exact(self, one: ModelInput) -> Vector:
        """Give `(dim,) float32` of one text or image alone in full precision, however slow."""

    def close(self) -> None:
        """Free what the model holds."""
