"""What this machine can do at best: matrix products by precision, and the model's tokenizer."""

from benchmarks.bench import Bench, Contender, rounds_of
from benchmarks.comparing import Contestant, Roof
from benchmarks.corpus import docstrings
from benchmarks.crew import GEMM, TOKENIZER, TOKENIZER_ALONE, crew_of
from benchmarks.figures import Round, Section, Series

NAME = "roofline"
TITLE = "Ceilings of this machine: matrix products of 2048 × 2048, and the tokenizer"
TEXTS = 4096


async def measure(bench: Bench) -> Section:
    """Measure matrix products, and the tokenizer with one thread and with all, in turn."""
    async with crew_of(bench, [GEMM, TOKENIZER_ALONE, TOKENIZER]) as crew:
        roof = Roof(crew.members[GEMM])
        tokenizers = [
            Contestant(name, crew.members[name], _texts_of) for name in (TOKENIZER_ALONE, TOKENIZER)
        ]
        everybody: list[Contender] = [roof, *tokenizers]
        found = await rounds_of(
            bench,
            everybody,
            "texts/s",
            rounds=bench.plan.compared_rounds,
            units={GEMM: "GFLOP/s"},
        )
    return Section(
        name=NAME,
        title=TITLE,
        series=_products(roof) + [_tokens(each, found[each.name]) for each in tokenizers],
        notes=[f"the tokenizer had {TEXTS} standard library docstrings a round"],
        wanted_rounds=bench.plan.compared_rounds,
    )


def _texts_of(number: int) -> list[str]:
    return docstrings(number * TEXTS, TEXTS)


def _products(roof: Roof) -> list[Series]:
    measured = [rates for number, rates in sorted(roof.rates.items()) if number]
    return [
        Series(
            name=f"matrix product, {name}",
            unit="GFLOP/s",
            rounds=[Round(value=rates[name]) for rates in measured],
        )
        for name in measured[0]
    ]


def _tokens(tokenizer: Contestant, rounds: list[Round]) -> Series:
    """The rounds in tokens instead of texts."""
    counts = [facts["tokens"] for number, facts in sorted(tokenizer.facts.items()) if number]
    values = [float(count) / each.seconds for count, each in zip(counts, rounds, strict=True)]
    return Series(
        name=tokenizer.name, unit="tokens/s", rounds=[Round(value=value) for value in values]
    )
