"""Texts a second with the real model and Weaviate, beside plain `SentenceTransformer.encode`."""

import asyncio

from benchmarks.bench import Bench, rounds_of
from benchmarks.corpus import docstrings
from benchmarks.figures import Round, Section, Series, ratios
from benchmarks.likeness import LEAST_COSINE, least_cosine
from benchmarks.log import results_of
from benchmarks.plain import Encoded, encode, gemm_gflops
from benchmarks.through import ThroughService
from benchmarks.usage import CpuWatch
from models.vectors import Vector

NAME = "encoding"
TITLE = "The real model (all-MiniLM-L6-v2, standard library docstrings), stored in Weaviate"
PLAIN = "plain SentenceTransformer.encode"
SERVICE = "submit → stored in Weaviate"
#: Texts encoded to learn how fast the machine is; rounds have a multiple of it.
TRIED = 64
MOST_TEXTS = 1024


class WrongVectors(Exception):
    """The service's vectors are not the model's: a speed would mean nothing."""


class Plain:
    """The model called with all defaults, in a process of its own, the service idle beside it."""

    name = PLAIN

    def __init__(self, bench: Bench, count: int) -> None:
        """Encode `count` texts a round in the peer's process."""
        self.vectors: dict[int, Vector] = {}
        self._bench = bench
        self._count = count

    async def measure(self, number: int) -> Round:
        """Encode the texts of round `number`."""
        texts = texts_of(number, self._count)
        watch = CpuWatch(self._bench.pids())
        watch.start()
        encoded = await encoded_plainly(self._bench, texts)
        if number == 0:
            self.vectors[number] = encoded.vectors
        return Round(
            value=len(texts) / encoded.seconds,
            seconds=encoded.seconds,
            work=len(texts),
            cores=watch.cores(plain=encoded.cpu_s),
        )


def texts_of(number: int, count: int) -> list[str]:
    """The texts of a round: others in each, so that nothing is known from before."""
    return docstrings(number * count, count)


async def encoded_plainly(bench: Bench, texts: list[str]) -> Encoded:
    """Encode in the peer's process."""
    return await asyncio.get_running_loop().run_in_executor(bench.peer, encode, texts)


async def count_for(bench: Bench) -> int:
    """How many texts take the plain model about as long as the plan says; loads it too."""
    await encoded_plainly(bench, texts_of(0, 1))
    tried = await encoded_plainly(bench, texts_of(0, TRIED))
    wanted = bench.plan.encode_s * TRIED / tried.seconds
    return min(MOST_TEXTS, max(TRIED, round(wanted / TRIED) * TRIED))


async def measure(bench: Bench) -> Section:
    """Measure both side by side; raise WrongVectors where the vectors differ."""
    async with (
        bench.serving(["all"]) as [service],
        results_of(bench.servers, service.prefix) as results,
    ):
        count = await count_for(bench)
        bench.say(f"  {count} texts a round")
        plain = Plain(bench, count)
        through = ThroughService(
            bench, service, results, lambda number: texts_of(number, count), name=SERVICE
        )
        found = await rounds_of(bench, [plain, through], "texts/s")
        note = await _gate(plain, through)
    roof = await asyncio.get_running_loop().run_in_executor(bench.peer, gemm_gflops)
    ours = Series(name=SERVICE, unit="texts/s", rounds=found[SERVICE], loop="all")
    theirs = Series(name=PLAIN, unit="texts/s", rounds=found[PLAIN])
    quotient = Series(name="service ÷ plain, by round", unit="ratio", rounds=ratios(ours, theirs))
    roofs = ", ".join(f"{name} {rate:,.0f} GFLOP/s" for name, rate in roof.items())
    notes = [f"{count} texts a round", note, f"matrix products here: {roofs}"]
    return Section(name=NAME, title=TITLE, series=[theirs, ours, quotient], notes=notes)


async def _gate(plain: Plain, through: ThroughService) -> str:
    """Compare the warm-up's vectors, item by item."""
    expected = plain.vectors[0][:64]
    given = await asyncio.to_thread(through.vectors, 0, len(expected))
    cosine = least_cosine(given, expected)
    if not cosine >= LEAST_COSINE:  # NaN compares with nothing
        raise WrongVectors(f"least cosine to plain encode {cosine:.6f} < {LEAST_COSINE}")
    return f"least cosine to plain encode over {len(expected)} texts: {cosine:.6f}"
