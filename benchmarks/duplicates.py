"""Texts that repeat: how much faster they are, at the encoder alone and through the service."""

from collections.abc import Mapping

from benchmarks.bench import Bench, Contender, rounds_of
from benchmarks.comparing import TRIED, Contestant, TextsOf, count_for
from benchmarks.corpus import fresh, with_duplicates
from benchmarks.crew import OURS, PLAIN, Crew, crew_of
from benchmarks.figures import Round, Section, Series, ratios, scaled
from benchmarks.log import results_of
from benchmarks.through import ThroughService

NAME = "duplicates"
TITLE = "Duplicates by Zipf's law: the encoder alone, and submit → stored in Weaviate"
ENCODER, SERVICE = "encoder", "service"
SHARES = (0.0, 0.3, 0.7, 0.95)
TARGET_SHARE, LEAST = 0.7, 2.5
LARGEST_TASK = 2048
#: Plain encoding is the measure of a round's length; ours takes a fraction of it.
TIMES = 4


async def measure(bench: Bench) -> Section:
    """Measure every share at both places, in turn."""
    async with (
        crew_of(bench, [PLAIN, OURS]) as crew,
        bench.serving(["all"]) as [service],
        results_of(bench.servers, service.prefix) as results,
    ):
        texts = await count_for(crew, fresh(0, TRIED), bench.plan.compared_s)
        count = min(LARGEST_TASK, texts * TIMES)
        alone = _alone(crew, count)
        through = [
            ThroughService(
                bench, service, results, _texts_of(share, count), name=_name(SERVICE, share)
            )
            for share in SHARES
        ]
        everybody: list[Contender] = [*alone, *through]
        found = await rounds_of(bench, everybody, "texts/s", rounds=bench.plan.compared_rounds)
    return Section(
        name=NAME,
        title=TITLE,
        series=_speeds(found) + _quotients(ENCODER, found) + _quotients(SERVICE, found),
        notes=[f"{count} texts a round; the speed counts every text, computed or not"],
        faults=[*crew.faults, *(f"{each.name}: {each.broken}" for each in alone if each.broken)],
        wanted_rounds=bench.plan.compared_rounds,
    )


def _name(place: str, share: float) -> str:
    return f"{place}, {share:.0%} duplicates"


def _texts_of(share: float, count: int) -> TextsOf:
    """Other texts in every round and for every share: nothing is known from before."""
    lap = 1000 * SHARES.index(share)

    def texts_of(number: int) -> list[str]:
        return with_duplicates(fresh((lap + number) * count, count), share, seed=lap + number)

    return texts_of


def _alone(crew: Crew, count: int) -> list[Contestant]:
    if OURS not in crew.members:
        return []
    return [
        Contestant(_name(ENCODER, share), crew.members[OURS], _texts_of(share, count))
        for share in SHARES
    ]


def _speeds(found: Mapping[str, list[Round]]) -> list[Series]:
    return [Series(name=name, unit="texts/s", rounds=rounds) for name, rounds in found.items()]


def _quotients(place: str, found: Mapping[str, list[Round]]) -> list[Series]:
    """How much faster each share is than none, and that as a share of what is possible."""
    if _name(place, 0.0) not in found:
        return []
    base = Series(name="", unit="", rounds=found[_name(place, 0.0)])
    series = []
    for share in SHARES[1:]:
        here = Series(name="", unit="", rounds=found[_name(place, share)])
        speedup = Series(
            name=f"{_name(place, share)} ÷ none",
            unit="ratio",
            rounds=ratios(here, base),
            least=LEAST if (place, share) == (ENCODER, TARGET_SHARE) else None,
        )
        ideal = [1 - share] * len(speedup.rounds)
        series.append(speedup)
        series.append(
            Series(
                name=f"{_name(place, share)}: speed-up ÷ ideal {1 / (1 - share):.3g}",
                unit="share",
                rounds=scaled(speedup, ideal),
            )
        )
    return series
