"""Encoders and clocks that tests can steer."""

import threading
from collections.abc import Callable, Sequence

from embedding.catalog import ModelEntry
from embedding.encoder import Outcome
from embedding.hashing_encoder import HashingEncoder


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


class FakeEncoder:
    """Hashes; writes its calls down; waits at `gate`; lets `spoil` raise or change outcomes."""

    def __init__(
        self,
        entry: ModelEntry,
        spoil: Callable[[Sequence[str], list[Outcome]], list[Outcome]] | None = None,
    ) -> None:
        self.device = "cpu"
        self.calls: list[list[str]] = []
        self.threads: set[str] = set()
        self.gate = threading.Event()
        self.gate.set()
        self.closed = False
        self._hashing = HashingEncoder(entry)
        self._spoil = spoil

    def encode(self, texts: Sequence[str]) -> list[Outcome]:
        self.calls.append(list(texts))
        self.threads.add(threading.current_thread().name)
        assert self.gate.wait(10)
        outcomes = self._hashing.encode(texts)
        return outcomes if self._spoil is None else self._spoil(texts, outcomes)

    def close(self) -> None:
        self.closed = True
