"""Submit → stored in Weaviate beside the encoder alone, and beside Celery doing the same."""

import asyncio

from benchmarks.bench import Bench, Contender, rounds_of
from benchmarks.comparing import Contestant
from benchmarks.corpus import fresh
from benchmarks.crew import CELERY, OURS, PLAIN, Crew, crew_of
from benchmarks.figures import Round, Section, Series, ratios
from benchmarks.likeness import fault_of, nearness
from benchmarks.log import results_of
from benchmarks.through import PAGE_ITEMS, ThroughService

NAME = "stored"
TITLE = "Submit → stored in Weaviate, beside the encoder alone and beside Celery (docstrings)"
SERVICE = "service: submit → stored"
ALONE = "our encoder alone"
LEAST_OF_ALONE, LEAST_OF_CELERY = 0.7, 4.0


async def measure(bench: Bench) -> Section:
    """Measure all three in turn, on the same stack; then look at what was stored."""
    count = bench.plan.stored_texts

    def texts_of(number: int) -> list[str]:
        return fresh(number * count, count)

    async with (
        bench.serving(["all"]) as [service],
        results_of(bench.servers, service.prefix) as results,
        crew_of(bench, [PLAIN, OURS, CELERY]) as crew,
    ):
        through = ThroughService(bench, service, results, texts_of, name=SERVICE)
        others = [
            Contestant(name, crew.members[member], texts_of)
            for name, member in ((ALONE, OURS), (CELERY, CELERY))
            if member in crew.members
        ]
        everybody: list[Contender] = [through, *others]
        found = await rounds_of(bench, everybody, "texts/s", rounds=bench.plan.compared_rounds)
        notes, faults = await _judge(crew, through, others, texts_of(0))
    for name in faults:
        del found[name]
    return Section(
        name=NAME,
        title=TITLE,
        series=_series(found),
        notes=[f"{count} texts a round, one task; Celery: jobs of 64 texts", *notes],
        faults=crew.faults + list(faults.values()),
        wanted_rounds=bench.plan.compared_rounds,
    )


async def _judge(
    crew: Crew, through: ThroughService, others: list[Contestant], texts: list[str]
) -> tuple[list[str], dict[str, str]]:
    """Compare the warm-up's vectors, as they lie in Weaviate, with plain encoding's.

    Gives how near the right ones are, and why others have no speed, by name.
    """
    _, expected = await crew.members[PLAIN].worker.encode(texts)
    stored = await asyncio.to_thread(through.vectors, 0, min(len(texts), PAGE_ITEMS))
    found = {SERVICE: stored, **{each.name: each.vectors.get(0) for each in others}}
    broken = {each.name: each.broken for each in others}
    notes: list[str] = []
    faults: dict[str, str] = {}
    for name, vectors in found.items():
        given = {} if vectors is None else {0: vectors}
        right = {0: expected if vectors is None else expected[: len(vectors)]}
        if fault := broken.get(name) or fault_of(given, right):
            faults[name] = f"{name}: no speed: {fault}"
        else:
            notes.append(f"{name}: {nearness(given, right)}")
    return notes, faults


def _series(found: dict[str, list[Round]]) -> list[Series]:
    series = {
        name: Series(
            name=name, unit="texts/s", rounds=rounds, loop="all" if name == SERVICE else None
        )
        for name, rounds in found.items()
    }
    quotients = [
        Series(
            name=f"{SERVICE} ÷ {name}",
            unit="ratio",
            rounds=ratios(series[SERVICE], series[name]),
            least=least,
        )
        for name, least in ((ALONE, LEAST_OF_ALONE), (CELERY, LEAST_OF_CELERY))
        if name in series and SERVICE in series
    ]
    return [*series.values(), *quotients]
