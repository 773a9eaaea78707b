"""Encoders side by side on the standard library's docstrings, and how near ours is to the roof."""

from collections.abc import Sequence

from benchmarks.bench import Bench
from benchmarks.comparing import (
    TRIED,
    Compared,
    Contestant,
    Roof,
    TextsOf,
    compare,
    count_for,
)
from benchmarks.contenders.model import default_assignment
from benchmarks.corpus import docstrings
from benchmarks.crew import GEMM, INFINITY, ONNX, OURS, PLAIN, TUNED, Crew, crew_of
from benchmarks.figures import Round, Section, Series, ratios, scaled
from benchmarks.roof import gflop, shape_of
from benchmarks.tokens import lengths_of

NAME = "encoder"
TITLE = "Encoders on standard library docstrings (all-MiniLM-L6-v2), equal threads"
CONTENDERS = (PLAIN, TUNED, ONNX, INFINITY, OURS)
#: Ours on so many texts a round as wait in a backlog: what the batches can be made of counts.
BULK = "ours, a backlog"
BULK_TEXTS = 2048
#: The least quotients (PERFORMANCE.md, 7), where the processor computes in bfloat16 …
LEAST_RATIOS = {PLAIN: 5.0, INFINITY: 5.0}
#: … and where it does not.
LEAST_RATIO_FP32 = {PLAIN: 2.5}
LEAST_SHARE = 0.6
LEAST_EFFICIENCY = 0.95
#: A processor computes in bfloat16 where its products are so much faster than in float32.
FASTER = 1.5


async def measure(bench: Bench) -> Section:
    """Measure all side by side; who gives wrong vectors gets no speed."""
    async with crew_of(bench, [*CONTENDERS, GEMM]) as crew:
        count = await count_for(crew, docstrings(0, TRIED), bench.plan.compared_s)

        def texts_of(number: int) -> list[str]:
            return docstrings(number * count, count)

        def bulk_of(number: int) -> list[str]:
            return docstrings(number * count, max(count, BULK_TEXTS))

        bench.say(f"  {count} texts a round, {BULK}: {max(count, BULK_TEXTS)}")
        roof = Roof(crew.members[GEMM])
        racing = contestants(crew, texts_of=texts_of)
        if OURS in crew.members:
            racing.append(Contestant(BULK, crew.members[OURS], bulk_of, judged=count))
        compared = await compare(bench, racing, roof)
    texts = [bulk_of(number) for number in range(1, len(compared.rounds[GEMM]) + 1)]
    series = speeds(compared) + quotients(compared, bf16=has_bf16(roof))
    series += against_roof(compared, texts) + padding(compared, of=BULK)
    return Section(
        name=NAME,
        title=TITLE,
        series=series,
        notes=[
            f"{count} texts a round, {BULK}: {max(count, BULK_TEXTS)}",
            *notes(compared, roof),
        ],
        faults=crew.faults + compared.faults,
        wanted_rounds=bench.plan.compared_rounds,
    )


def contestants(crew: Crew, *, texts_of: TextsOf) -> list[Contestant]:
    """Those of the crew that encode."""
    found = [name for name in CONTENDERS if name in crew.members]
    return [Contestant(name, crew.members[name], texts_of) for name in found]


def has_bf16(roof: Roof) -> bool:
    """Whether this processor computes in bfloat16, judged by its products."""
    return all(each["bfloat16"] >= FASTER * each["float32"] for each in roof.rates.values())


def speeds(compared: Compared, prefix: str = "") -> list[Series]:
    """Texts a second of everyone whose vectors are right."""
    return [
        Series(name=prefix + name, unit="texts/s", rounds=rounds)
        for name, rounds in compared.rounds.items()
        if name != GEMM
    ]


def quotients(compared: Compared, prefix: str = "", *, bf16: bool | None = None) -> list[Series]:
    """Ours by each of the others, round by round; with `bf16` given, with what is expected."""
    if OURS not in compared.rounds:
        return []
    least = {None: {}, True: LEAST_RATIOS, False: LEAST_RATIO_FP32}[bf16]
    ours = Series(name=OURS, unit="", rounds=compared.rounds[OURS])
    return [
        Series(
            name=f"{prefix}{OURS} ÷ {name}",
            unit="ratio",
            rounds=ratios(ours, Series(name=name, unit="", rounds=rounds)),
            least=least.get(name),
        )
        for name, rounds in compared.rounds.items()
        if name not in (OURS, BULK, GEMM)
    ]


def against_roof(compared: Compared, texts: Sequence[list[str]]) -> list[Series]:
    """Tokens a second of our backlog, and its operations as a share of the best products."""
    roofs = Series(name="best matrix product", unit="GFLOP/s", rounds=compared.rounds[GEMM])
    if BULK not in compared.rounds:
        return [roofs]
    given = default_assignment()
    shape = shape_of(given.folder)
    lengths = [lengths_of(given.folder, each, given.max_tokens) for each in texts]
    ours = Series(name=BULK, unit="", rounds=compared.rounds[BULK])
    per_text = [sum(each) / len(each) for each in lengths]
    work = [gflop(shape, each) / len(each) for each in lengths]
    done = Series(name=f"{BULK}: work of the model", unit="GFLOP/s", rounds=scaled(ours, work))
    return [
        Series(name=f"{BULK}: tokens", unit="tokens/s", rounds=scaled(ours, per_text)),
        done,
        roofs,
        Series(
            name=f"{BULK} ÷ best matrix product",
            unit="share",
            rounds=ratios(done, roofs),
            least=LEAST_SHARE,
        ),
    ]


def padding(compared: Compared, prefix: str = "", *, of: str = OURS) -> list[Series]:
    """Which share of what the model computed were real tokens."""
    facts = compared.facts.get(of, [])
    if of not in compared.rounds:
        return []
    shares = [float(each["tokens"]) / float(each["padded_tokens"]) for each in facts]
    rounds = [Round(value=share) for share in shares]
    name = f"{prefix}{of}: padding efficiency"
    return [Series(name=name, unit="share", rounds=rounds, least=LEAST_EFFICIENCY)]


def notes(compared: Compared, roof: Roof) -> list[str]:
    """What the contenders told of themselves, the gate, and the roof by precision."""
    told = [
        f"{name}: " + ", ".join(f"{key} {value}" for key, value in facts[-1].items())
        for name, facts in compared.facts.items()
        if facts and facts[-1]
    ]
    precisions = ", ".join(
        f"{name} {min(rates):,.0f} to {max(rates):,.0f}"
        for name, rates in (
            (name, [each[name] for each in roof.rates.values()]) for name in ("float32", "bfloat16")
        )
    )
    return [*told, *compared.notes, f"matrix products, GFLOP/s: {precisions}"]
