"""The port of every encoder: texts to tokens, tokens to vectors, always in the same order.

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


class Origin(StrEnum):
    """Where a vector comes from."""

    COMPUTED = "computed"
    DEDUPLICATED = "deduplicated"
    """An equal text was on its way through the model at that moment."""
    CACHED = "cached"


@dataclass(frozen=True, slots=True, eq=False)
class EncodedText:
    """One text's vector, and how much of the text it speaks for."""

    vector: Vector  # (dim,) float32
    tokens: int  # before truncation, prompt and special ones included
    truncated: bool
    origin: Origin = Origin.COMPUTED


@dataclass(frozen=True, slots=True)
class EncodeFailure:
    """Why one text has no vector; the message never contains the text."""

    code: ItemErrorCode
    message: str


#: What becomes of one text.
Outcome = EncodedText | EncodeFailure


class Encoder(Protocol):
    """A loaded model. Blocking: `tokenize` from any thread, the rest from one thread at a time."""

    device: str
    """Where it runs: `cpu`, `cuda:0`."""
    backend: str
    """What runs it, precision included: `openvino bf16`."""

    def tokenize(self, texts: Sequence[str], *, prompt: str, truncate: Truncate) -> list[Tokenized]:
        """Make texts ready, `prompt` before each; too long ones are cut (START: at the start)."""

    def forward(self, batch: Sequence[Tokenized]) -> Vector:
        """Give `(n, dim) float32`, neither cut nor normalized, one row a text.

        Raises MemoryError when memory runs out, with the device's cache freed.
        """

    def forward_exact(self, one: Tokenized) -> Vector:
        """Give `(dim,) float32` of one text alone in full precision, however slow."""

    def close(self) -> None:
        """Free what the model holds."""
