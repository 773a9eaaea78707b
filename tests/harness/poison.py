"""Texts that do to the model's process what no code can catch: they end it, hang it, eat it up."""

import os
import time
from collections.abc import Sequence
from typing import Any

from embedding.encoder import Encoder, Tokenized
from models.encoding import Truncate
from models.vectors import Vector

EXIT_CODE = 87
#: What a text must hold to be poison.
EXITS, HANGS, EATS = "poison that exits", "poison that hangs", "poison that eats memory"
#: This one only raises: its batch is halved down to it.
RAISES = "poison that raises"
_CHUNK_BYTES = 64 * 1024 * 1024


class PoisonedEncoder:
    """An encoder that falls for poison; everything else goes to the one behind it."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._poison: dict[bytes, str] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def tokenize(self, texts: Sequence[str], *, prompt: str, truncate: Truncate) -> list[Tokenized]:
        read = self._encoder.tokenize(texts, prompt=prompt, truncate=truncate)
        for text, one in zip(texts, read, strict=True):
            for kind in (EXITS, HANGS, EATS, RAISES):
                if kind in text:
                    self._poison[one.ids.tobytes()] = kind
        return read

    def forward(self, batch: Sequence[Tokenized]) -> Vector:
        for one in batch:
            if (kind := self._poison.get(one.ids.tobytes())) is not None:
                _act(kind)
        return self._encoder.forward(batch)


def _act(kind: str) -> None:
    if kind == EXITS:
        os._exit(EXIT_CODE)
    if kind == RAISES:
        raise RuntimeError("poison")
    if kind == HANGS:
        time.sleep(3600)
    held = []
    while True:  # ends by the process's limit, or its end
        held.append(b"\1" * _CHUNK_BYTES)
