"""Our encoder with its batcher, as the role `embed` runs them: units of 64 texts, many at once."""

import asyncio
from collections.abc import Sequence

import numpy as np
from prometheus_client import REGISTRY

from benchmarks.contenders.model import default_entry
from benchmarks.contenders.speaking import Assignment, Encode, serve_encoder
from embedding.batching import BatchOptions
from embedding.catalog import ModelEntry
from embedding.encoder import EncodedText, Encoder, Outcome
from embedding.lanes import LaneBatcher
from embedding.loading import LoadOptions, load_encoder, load_encoders, most_encoders
from embedding.pool import ModelPool
from models.states import Lane
from models.vectors import Vector
from scripts.stack.places import environment, tools_dir

UNIT_TEXTS = 64
DEFAULTS = BatchOptions()
COMPUTED = "vectorize_encoder_tokens_total"
PADDED = "vectorize_encoder_padded_tokens_total"
DEDUPLICATED = "vectorize_encoder_deduplicated_total"


class NoVector(Exception):
    """A text has no vector: a speed would mean nothing."""


def options_for(threads: int, device: str = "cpu") -> LoadOptions:
    """How models are loaded here."""
    cache = tools_dir(environment()) / "bench-converted"
    return LoadOptions(cache_dir=cache, device=device, threads=threads)


def encoder_of(entry: ModelEntry, threads: int, device: str = "cpu") -> Encoder:
    """Load `entry` with the backend that the service would pick on this device."""
    return load_encoder(entry, options_for(threads, device))


class Ours:
    """One batcher a token budget, all on the same loaded model; budget 0: as users have it."""

    def __init__(self, entry: ModelEntry, threads: int, device: str = "cpu") -> None:
        """Load on first use."""
        self._entry = entry
        self._encoders: Sequence[Encoder] = []
        self._options = options_for(threads, device)
        self._pool = ModelPool(self._load)
        self._batchers: dict[int, LaneBatcher] = {}

    async def encode(
        self, texts: list[str], settings: dict[str, int]
    ) -> tuple[Vector, dict[str, float | str]]:
        """Encode all units at once, as far as the lane lets them in. Raises NoVector."""
        batcher = await self._batcher(settings.get("budget_tokens", 0))
        before = _figures()
        units = [texts[start : start + UNIT_TEXTS] for start in range(0, len(texts), UNIT_TEXTS)]
        options = self._entry.default_options()
        found = await asyncio.gather(
            *(batcher.encode(Lane.NORMAL, self._entry, unit, options) for unit in units)
        )
        vectors = np.stack([_vector(outcome) for unit in found for outcome in unit])
        facts: dict[str, float | str] = {
            name: value - before[name] for name, value in _figures().items()
        }
        return vectors, {**facts, "backend": self._encoders[0].backend}

    async def _batcher(self, budget_tokens: int) -> LaneBatcher:
        if budget_tokens not in self._batchers:
            batcher = LaneBatcher(
                self._pool,
                options_of(budget_tokens),
                encoders=most_encoders(self._options),
            )
            await batcher.start()
            self._batchers[budget_tokens] = batcher
        return self._batchers[budget_tokens]

    def _load(self, entry: ModelEntry) -> Sequence[Encoder]:
        self._encoders = load_encoders(entry, self._options)
        return self._encoders

    async def close(self) -> None:
        """End the batchers' threads and free the model."""
        for batcher in self._batchers.values():
            await batcher.stop()
        await self._pool.close()


def options_of(budget_tokens: int) -> BatchOptions:
    """The defaults, or batches of just so many tokens."""
    if not budget_tokens:
        return DEFAULTS
    return BatchOptions(
        first_tokens=budget_tokens, least_tokens=budget_tokens, most_tokens=budget_tokens
    )


def _vector(outcome: Outcome) -> Vector:
    if not isinstance(outcome, EncodedText):
        raise NoVector(outcome.message)
    return outcome.vector


def _figures() -> dict[str, float]:
    """The encoder's own counts so far."""
    lanes = [REGISTRY.get_sample_value(COMPUTED, {"lane": lane.value}) or 0.0 for lane in Lane]
    return {
        "tokens": sum(lanes),
        "padded_tokens": REGISTRY.get_sample_value(PADDED) or 0.0,
        "deduplicated": REGISTRY.get_sample_value(DEDUPLICATED) or 0.0,
    }


def main() -> None:
    """Serve until stdin ends."""
    with asyncio.Runner() as runner:
        made: list[Ours] = []

        def load(given: Assignment) -> Encode:
            ours = Ours(default_entry(), given.threads)
            made.append(ours)
            return lambda texts, settings: runner.run(ours.encode(texts, settings))

        serve_encoder(load)
        for ours in made:
            runner.run(ours.close())


if __name__ == "__main__":
    main()
