"""How batches are cut, and what overlapping the stages of our encoder gives."""

from benchmarks.bench import Bench
from benchmarks.comparing import Compared, Contestant, TextsOf, compare, count_for
from benchmarks.contenders.model import default_assignment
from benchmarks.corpus import MIXED, part_of, profile
from benchmarks.crew import OURS, PLAIN, SERIAL, Crew, crew_of
from benchmarks.figures import Round, Section, Series, ratios

NAME = "batches"
TITLE = "Our encoder by tokens a batch, and its stages overlapped or one by one (mixed lengths)"
BUDGETS = (256, 512, 1024, 2048)
#: Stages are compared on batches of so many tokens.
STAGED = 1024
SHARE = 0.5


async def measure(bench: Bench) -> Section:
    """Measure all in turn; plain encoding is the reference of the vectors and gets no row."""
    async with crew_of(bench, [PLAIN, OURS, SERIAL]) as crew:
        texts = profile(MIXED, default_assignment().folder)
        count = await count_for(crew, texts, bench.plan.compared_s * SHARE)
        contestants = _contestants(crew, lambda number: part_of(texts, number * count, count))
        compared = await compare(bench, contestants)
    compared.rounds.pop(PLAIN, None)
    series = [
        Series(name=name, unit="texts/s", rounds=rounds) for name, rounds in compared.rounds.items()
    ]
    return Section(
        name=NAME,
        title=TITLE,
        series=series + _efficiencies(compared) + _overlap(compared),
        notes=[f"{count} texts a round of the profile {MIXED}", *compared.notes],
        faults=crew.faults + compared.faults,
        wanted_rounds=bench.plan.compared_rounds,
    )


def _of_budget(budget: int) -> str:
    return f"ours, {budget} tokens a batch" if budget else "ours, as by default"


def _contestants(crew: Crew, texts_of: TextsOf) -> list[Contestant]:
    found = [Contestant(PLAIN, crew.members[PLAIN], texts_of)]
    if OURS in crew.members:
        found += [
            Contestant(_of_budget(budget), crew.members[OURS], texts_of, {"budget_tokens": budget})
            for budget in (0, *BUDGETS)
        ]
    if SERIAL in crew.members:
        settings = {"budget_tokens": STAGED}
        found.append(Contestant(SERIAL, crew.members[SERIAL], texts_of, settings))
    return found


def _efficiencies(compared: Compared) -> list[Series]:
    """Which share of the computed tokens was real, by budget."""
    names = [name for name in map(_of_budget, (0, *BUDGETS)) if name in compared.rounds]
    return [
        Series(
            name=f"{name}: padding efficiency",
            unit="share",
            rounds=[
                Round(value=float(facts["tokens"]) / float(facts["padded_tokens"]))
                for facts in compared.facts[name]
            ],
        )
        for name in names
    ]


def _overlap(compared: Compared) -> list[Series]:
    """What overlapping gives, and how near it comes to the longest stage alone."""
    overlapped = compared.rounds.get(_of_budget(STAGED))
    serial = compared.rounds.get(SERIAL)
    if overlapped is None or serial is None:
        return []
    ours = Series(name="", unit="", rounds=overlapped)
    longest = [max(map(float, facts.values())) for facts in compared.facts[SERIAL]]
    shares = [stage_s / each.seconds for stage_s, each in zip(longest, overlapped, strict=True)]
    return [
        Series(
            name=f"stages overlapped ÷ one by one, {STAGED} tokens a batch",
            unit="ratio",
            rounds=ratios(ours, Series(name="", unit="", rounds=serial)),
        ),
        Series(
            name="longest stage one by one ÷ overlapped whole",
            unit="share",
            rounds=[Round(value=share) for share in shares],
        ),
    ]
