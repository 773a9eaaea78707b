"""The parts of a run, in their order: what each is called, and how long it may take."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from benchmarks import (
    batches,
    documents,
    duplicates,
    encoder,
    encoding,
    gpu,
    images,
    lanes,
    latency,
    memory,
    pipeline,
    profiles,
    rest,
    roofline,
    stored,
    submits,
    wire,
)
from benchmarks.bench import Bench
from benchmarks.figures import Section

Measure = Callable[[Bench], Awaitable[Section]]


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a run."""

    title: str
    measure: Measure
    seconds: float
    """Past so many in the default form it begins no further round."""
    page: str
    """Which table of the documentation its figures stand in; those of a GPU have their own."""
    servers: bool = True
    """Whether it works on Kafka, Redis and Weaviate."""


PARTS = {
    submits.NAME: Part(submits.TITLE, submits.measure, 66, "service"),
    pipeline.NAME: Part(pipeline.TITLE, pipeline.measure, 82, "service"),
    encoding.NAME: Part(encoding.TITLE, encoding.measure, 66, "service"),
    latency.NAME: Part(latency.TITLE, latency.measure, 82, "service"),
    rest.NAME: Part(rest.TITLE, rest.measure, 34, "service"),
    documents.NAME: Part(documents.TITLE, documents.measure, 600, "service"),
    roofline.NAME: Part(roofline.TITLE, roofline.measure, 60, "encoder", servers=False),
    wire.NAME: Part(wire.TITLE, wire.measure, 60, "encoder", servers=False),
    encoder.NAME: Part(encoder.TITLE, encoder.measure, 300, "encoder", servers=False),
    profiles.NAME: Part(profiles.TITLE, profiles.measure, 480, "encoder", servers=False),
    batches.NAME: Part(batches.TITLE, batches.measure, 180, "encoder", servers=False),
    duplicates.NAME: Part(duplicates.TITLE, duplicates.measure, 300, "encoder"),
    lanes.NAME: Part(lanes.TITLE, lanes.measure, 300, "encoder"),
    stored.NAME: Part(stored.TITLE, stored.measure, 240, "encoder"),
    memory.NAME: Part(memory.TITLE, memory.measure, 900, "encoder"),
    gpu.NAME: Part(gpu.TITLE, gpu.measure, 600, "card", servers=False),
    images.NAME: Part(images.TITLE, images.measure, 240, "encoder", servers=False),
}


def page_of(section: Section) -> str:
    """Which table its figures stand in."""
    return "card" if section.card else PARTS[section.name].page


def named(given: list[str] | None) -> list[str]:
    """The parts that were asked for, each once, in the order of a run; none asked for: all.

    A word may name several, joined by commas. Raises ValueError for a part there is not.
    """
    asked = [name for word in given or [] for name in word.split(",") if name]
    unknown = sorted(set(asked) - set(PARTS))
    if unknown:
        raise ValueError(f"no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    return [name for name in PARTS if name in asked or not asked]
