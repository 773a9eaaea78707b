"""Encoders side by side on texts of four lengths: queries, passages, chunks, and a mixture."""

from benchmarks.bench import Bench
from benchmarks.comparing import Compared, compare, count_for
from benchmarks.contenders.model import default_assignment
from benchmarks.corpus import PROFILES, part_of, profile
from benchmarks.crew import Crew, crew_of
from benchmarks.encoder import CONTENDERS, contestants, padding, quotients, speeds
from benchmarks.figures import Section
from benchmarks.tokens import lengths_of

NAME = "profiles"
TITLE = "Encoders by length of text (all-MiniLM-L6-v2), equal threads"
SHARE = 0.5


async def measure(bench: Bench) -> Section:
    """Measure each profile for itself; only what stands under one profile was side by side."""
    section = Section(name=NAME, title=TITLE, wanted_rounds=bench.plan.compared_rounds)
    async with crew_of(bench, CONTENDERS) as crew:
        section.faults.extend(crew.faults)
        for name in PROFILES:
            bench.say(f"  {name}")
            note, compared = await _profile(bench, crew, name)
            prefix = f"{name}: "
            section.series.extend(
                speeds(compared, prefix) + quotients(compared, prefix) + padding(compared, prefix)
            )
            section.notes.extend([prefix + note, *(prefix + each for each in compared.notes)])
            section.faults.extend(prefix + each for each in compared.faults)
    return section


async def _profile(bench: Bench, crew: Crew, name: str) -> tuple[str, Compared]:
    """What the texts are like, and the comparison on them."""
    given = default_assignment()
    texts = profile(name, given.folder)
    count = await count_for(crew, texts, bench.plan.compared_s * SHARE)
    lengths = lengths_of(given.folder, texts, given.max_tokens)
    note = (
        f"{count} texts a round, {sum(lengths) / len(lengths):.0f} tokens in the mean after"
        f" truncation at {given.max_tokens}"
    )
    compared = await compare(
        bench,
        contestants(crew, texts_of=lambda number: part_of(texts, number * count, count)),
    )
    return note, compared
