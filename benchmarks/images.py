"""Images a second: making them ready, the model alone and both, beside sentence-transformers."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack

import numpy as np

from benchmarks.bench import Bench
from benchmarks.contenders.random_clip import ImageTrial
from benchmarks.contenders.worker import Program, Worker
from benchmarks.crew import started
from benchmarks.figures import Round, Section, Series, ratios
from benchmarks.likeness import LEAST_COSINE

NAME = "images"
TITLE = (
    "Images: JPEGs of 640 × 480, a random CLIP of ViT-B/32's shape, beside sentence-transformers"
)
#: What is measured, by the contender's name for it, and what a reader is told.
MEASURED = {
    "processor": "bytes to pixels",
    "model": "pixels to vectors",
    "both": "bytes to vectors",
}
#: Images of one call: a GPU is full of work, and a CPU has a round in a few seconds.
CARD_IMAGES, CPU_IMAGES = 256, 12
#: Two images nearer than this could be taken for each other, and the gate would not see it.
MOST_ALIKE = 0.99

Facts = Mapping[str, float | str]


async def measure(bench: Bench) -> Section:
    """Measure on a GPU where there is one, else on the CPU."""
    async with AsyncExitStack() as running:
        folder = bench.folder / "images"
        folder.mkdir(exist_ok=True)
        program = Program("benchmarks.contenders.images", settings={"folder": str(folder)})
        worker = await started(bench, running, program)
        place = (await worker.ask(ImageTrial())).facts
        images = images_for(str(place["card"]), bench.plan.time)
        found = await _asked(bench, worker, images)
        return section_of(place, images, found, bench.plan.compared_rounds)


def images_for(card: str, time: float) -> int:
    """Images of one call on this card (empty: on the CPU), with such a share of the time."""
    return CARD_IMAGES if card else max(2, int(CPU_IMAGES * time))


async def _asked(bench: Bench, worker: Worker, images: int) -> list[Facts]:
    """The facts of each round, after one that is dropped; who begins changes every round."""
    found: list[Facts] = []
    for number in range(bench.plan.compared_rounds + 1):
        if number > 1 and bench.over:
            break
        trial = ImageTrial(images=images, seconds=bench.plan.gpu_s, turned=bool(number % 2))
        facts = (await worker.ask(trial)).facts
        told = ", ".join(f"{name} {float(facts[f'ours, {name}']):,.4g}" for name in MEASURED)
        label = f"round {number}" if number else "warm-up"
        bench.say(f"  ours: {told} images/s ({label})")
        if number:
            found.append(facts)
    return found


def section_of(place: Facts, images: int, found: Sequence[Facts], rounds: int) -> Section:
    """What was found; a gate that was not passed leaves no speed."""
    section = Section(name=NAME, title=TITLE, wanted_rounds=rounds, card=str(place["card"]))
    # numpy's, not Python's: those may drop a NaN.
    ours, theirs = (float(np.min(_all(found, f"cosine of {who}"))) for who in ("ours", "theirs"))
    alike = float(np.max(_all(found, "alike")))
    section.notes.append(
        f"{place['card'] or 'CPU'}, {place['backend']}; {float(place['threads']):.0f} threads for"
        f" both; {images} images a call, {float(found[0]['bytes']):,.0f} bytes in the mean"
    )
    section.notes.append(
        f"least cosine to sentence-transformers in fp32 {ours:.6f}, of theirs {theirs:.6f};"
        f" the two images most alike {alike:.3f}"
    )
    section.notes.append(
        "our pixels are 8 bits and are normalized by the forward; theirs are in fp32, normalized"
    )
    # Not `<` and `>`: a vector with NaN compares with nothing.
    if ours >= LEAST_COSINE and alike <= MOST_ALIKE:
        section.series.extend(one for name in MEASURED for one in _series(found, name))
    else:
        section.faults.append(f"no speed: least cosine {ours:.6f}, most alike {alike:.3f}")
    return section


def _all(found: Sequence[Facts], name: str) -> list[float]:
    """One fact in every round."""
    return [float(facts[name]) for facts in found]


def _series(found: Sequence[Facts], name: str) -> list[Series]:
    """Ours, theirs and their ratio, round by round."""
    label = MEASURED[name]
    ours, theirs = (
        Series(
            name=f"{who}: {label}",
            unit="images/s",
            rounds=[Round(value=value) for value in _all(found, f"{key}, {name}")],
        )
        for key, who in (("ours", "ours"), ("theirs", "sentence-transformers"))
    )
    quotient = Series(name=f"ours ÷ theirs: {label}", unit="ratio", rounds=ratios(ours, theirs))
    return [ours, theirs, quotient]
