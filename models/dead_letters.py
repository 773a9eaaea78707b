"""A dead letter: a record that never became a task, with its bytes as they came and the reason."""

from dataclasses import dataclass

from models.units import SourcePlace


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One record of `vectorize.dead`; it is known by its `number`, its place there."""

    number: int
    reason: str
    detail: str
    stage: str
    attempts: int
    source_topic: str
    source: SourcePlace
    origin: str
    """Where its bytes were first read: its source, unless it had been sent back before."""
    source_ms: int
    buried_ms: int
    key: bytes | None
    value: bytes
    """As it came; empty where letters are listed."""
    size_bytes: int
    cut_from_bytes: int | None = None
    """How long it was, where only its beginning is kept."""


@dataclass(frozen=True, slots=True)
class DeadPage:
    """Dead letters, the newest first, and where the next page begins."""

    letters: list[DeadLetter]
    next_before: int | None


@dataclass(frozen=True, slots=True)
class Redriven:
    """Where a letter's bytes lie again."""

    topic: str
    partition: int
    offset: int
