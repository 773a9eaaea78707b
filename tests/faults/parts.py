"""The parts that can be run, and how large each is in its short and in its long form."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

from tests.faults.outcome import Outcome
from tests.faults.requirements import mixed, r02_kills, r11_poison

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
HASHING = "test/hashing-64"
Say = Callable[[str], None]


class Size(StrEnum):
    """How much of a part is run."""

    SHORT = "short"
    LONG = "long"


@dataclass(frozen=True, slots=True)
class Part:
    """A requirement with the sizes of its load."""

    name: str
    title: str
    short: Callable[..., Awaitable[Outcome]]
    long: Callable[..., Awaitable[Outcome]]

    async def run(self, folder: Path, size: Size, seed: int, say: Say) -> Outcome:
        """Run it once in this folder."""
        form = self.short if size is Size.SHORT else self.long
        return await form(folder, seed=seed, say=say)


PARTS = (
    Part(
        "mixed",
        mixed.TITLE,
        short=partial(mixed.run, tasks=150, texts=8, faults=6),
        long=partial(mixed.run, tasks=3_000, texts=8, faults=60),
    ),
    Part(
        "R2-model",
        r02_kills.TITLE + ", real model",
        short=partial(r02_kills.run, tasks=40, texts=16, kills=3, model=MINILM),
        long=partial(r02_kills.run, tasks=1_000, texts=16, kills=20, model=MINILM),
    ),
    Part(
        "R2-hashing",
        r02_kills.TITLE + ", hashing model",
        short=partial(r02_kills.run, tasks=200, texts=8, kills=3, model=HASHING),
        long=partial(r02_kills.run, tasks=30_000, texts=4, kills=100, model=HASHING),
    ),
    Part(
        r11_poison.NAME,
        r11_poison.TITLE,
        short=partial(r11_poison.run, poisons=2, texts=8),
        long=partial(r11_poison.run, poisons=10, texts=32),
    ),
)
