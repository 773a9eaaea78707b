"""Contenders on the same texts, round by round, and the gate that their vectors must pass."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.bench import Bench, Contender, rounds_of
from benchmarks.contenders.speaking import Wanted
from benchmarks.contenders.worker import WorkerFailed
from benchmarks.crew import GEMM, PLAIN, Crew, Member
from benchmarks.figures import Round
from benchmarks.likeness import fault_of, nearness
from benchmarks.usage import CpuWatch
from models.vectors import Vector

#: Speed is judged by so many texts; a round has a multiple of the step.
TRIED, STEP = 128, 32
MOST_TEXTS = 8192

TextsOf = Callable[[int], list[str]]


class Contestant:
    """One contender that encodes; it keeps what came out, for the gate."""

    def __init__(
        self,
        name: str,
        member: Member,
        texts_of: TextsOf,
        settings: Mapping[str, int] | None = None,
        *,
        judged: int | None = None,
    ) -> None:
        """Encode `texts_of(number)` in round `number`; the gate sees the first `judged` vectors."""
        self.name = name
        self.broken = ""
        self.vectors: dict[int, Vector] = {}
        self.facts: dict[int, dict[str, float | str]] = {}
        self._member = member
        self._texts_of = texts_of
        self._settings = settings
        self._judged = judged

    async def measure(self, number: int) -> Round:
        """Encode the round's texts; one that broke is not asked again and has no figure."""
        if self.broken:
            return Round(value=0)
        texts = self._texts_of(number)
        watch = CpuWatch(self._member.pids(self.name))
        watch.start()
        try:
            told, vectors = await self._member.worker.encode(texts, self._settings)
        except WorkerFailed as error:
            self.broken = str(error)
            return Round(value=0)
        self.vectors[number] = vectors[: self._judged]
        self.facts[number] = told.facts
        count, seconds = len(texts), told.seconds
        return Round(value=count / seconds, seconds=seconds, work=count, cores=watch.cores())


class Roof:
    """The rates of matrix products, measured between the contenders."""

    name = GEMM

    def __init__(self, member: Member) -> None:
        """Ask this process."""
        self.rates: dict[int, dict[str, float]] = {}
        self._member = member

    async def measure(self, number: int) -> Round:
        """Measure each precision; the value is the best of them, in GFLOP/s."""
        told = await self._member.worker.ask(Wanted(texts=self._member.worker.folder))
        self.rates[number] = {name: float(rate) for name, rate in told.facts.items()}
        return Round(value=max(self.rates[number].values()))


@dataclass(slots=True)
class Compared:
    """What a comparison gave: rounds of those whose vectors are right, and of the roof."""

    rounds: dict[str, list[Round]]
    facts: dict[str, list[dict[str, float | str]]]
    """What each contender told of its rounds, the warm-up left out."""
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


async def compare(
    bench: Bench, contestants: Sequence[Contestant], roof: Roof | None = None
) -> Compared:
    """Measure side by side, then let only those keep their speed whose vectors are right."""
    everybody: list[Contender] = [*contestants, *([roof] if roof else [])]
    units = {GEMM: "GFLOP/s"}
    rounds = await rounds_of(
        bench, everybody, "texts/s", rounds=bench.plan.compared_rounds, units=units
    )
    compared = Compared(rounds, {each.name: _told(each) for each in contestants})
    _judge(compared, contestants)
    return compared


def _told(contestant: Contestant) -> list[dict[str, float | str]]:
    return [facts for number, facts in sorted(contestant.facts.items()) if number]


def _judge(compared: Compared, contestants: Sequence[Contestant]) -> None:
    """Take the speed from whoever broke or gave wrong vectors; say how near the others are."""
    reference = next(each for each in contestants if each.name == PLAIN).vectors
    for each in contestants:
        fault = each.broken or fault_of(each.vectors, reference)
        if fault:
            compared.faults.append(f"{each.name}: no speed: {fault}")
            del compared.rounds[each.name]
        elif each.vectors is not reference:
            compared.notes.append(f"{each.name}: {nearness(each.vectors, reference)}")


async def count_for(crew: Crew, texts: Sequence[str], seconds: float) -> int:
    """How many of such texts plain encoding does in about so many seconds; a multiple of 32."""
    worker, sample = crew.members[PLAIN].worker, list(texts[:TRIED])
    await worker.encode(sample[:STEP])
    tried, _ = await worker.encode(sample)
    wanted = round(seconds * len(sample) / tried.seconds / STEP) * STEP
    return min(MOST_TEXTS, max(STEP, wanted))
