"""The port of every encoder: texts in, one outcome a text out, in the same order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from models.states import ItemErrorCode
from models.vectors import Vector


@dataclass(frozen=True, slots=True)
class EncodedText:
    """One text's vector, and how much of the text it speaks for."""

    vector: Vector  # (dim,) float32
    tokens: int  # before truncation, special ones included
    truncated: bool


@dataclass(frozen=True, slots=True)
class EncodeFailure:
    """Why one text has no vector; the message never contains the text."""

    code: ItemErrorCode
    message: str


#: What becomes of one text.
Outcome = EncodedText | EncodeFailure


class Encoder(Protocol):
    """A loaded model. Blocking: called in a worker thread, by one caller at a time."""

    device: str

    def encode(self, texts: Sequence[str]) -> list[Outcome]:
        """Encode `texts`; same order and length. May raise: then no text has an outcome."""

    def close(self) -> None:
        """Free what the model holds."""
