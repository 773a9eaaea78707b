"""Tokens a second on a GPU, by shape and length, and the share of the card's peak."""

from collections.abc import Sequence
from contextlib import AsyncExitStack

from benchmarks.bench import Bench
from benchmarks.contenders.random_models import SHAPES, GpuTrial, Sizes
from benchmarks.contenders.worker import Program, Worker
from benchmarks.crew import started
from benchmarks.figures import Round, Section, Series, ratios, scaled
from benchmarks.likeness import LEAST_COSINE

NAME = "gpu"
TITLE = "Random models of known shapes on a GPU, our encoder beside sentence-transformers in fp16"
LENGTHS = (32, 128, 512)
#: Dense fp16 peaks of data sheets in TFLOP/s, by a part of the card's name.
PEAKS = {"H200": 989.5, "H100": 989.5, "A100": 312.0, "L4": 121.0}
#: What is aimed at on an H200: shape, tokens of a text, tokens a second.
AIM = ("BERT-base", 512, 1.7e6)
ASKED = ("forward", "ours", "theirs")
#: Texts of mixed lengths that go through the batcher in one round, and what is asked of it.
MIXED_TEXTS = 40_000
BATCHED = ("batched", "batched tokens", "tokenizer", "padding")


async def measure(bench: Bench) -> Section:
    """Measure every shape at every length; on a machine without a GPU say so."""
    async with AsyncExitStack() as running:
        folder = bench.folder / "gpu"
        folder.mkdir(exist_ok=True)
        program = Program("benchmarks.contenders.gpu", settings={"folder": str(folder)})
        worker = await started(bench, running, program)
        about = (await worker.ask(GpuTrial())).facts
        if not about["card"]:
            told = "no CUDA device here; a skip is not a pass"
            return Section(name=NAME, title=TITLE, skipped=told, lacking=True)
        return await _section(bench, worker, str(about["card"]), float(about["products"]))


async def _section(bench: Bench, worker: Worker, card: str, products: float) -> Section:
    section = Section(name=NAME, title=TITLE, wanted_rounds=bench.plan.compared_rounds, card=card)
    section.notes.append(f"{card}; fp16 products of 8192 × 8192: {products / 1000:,.0f} TFLOP/s")
    for at, sizes in enumerate(SHAPES):
        for tokens in LENGTHS:
            trial = GpuTrial(shape=at, tokens=tokens, seconds=bench.plan.gpu_s)
            rounds, facts = await _rounds(bench, worker, trial, ASKED)
            label = f"{sizes.name}, {tokens} tokens"
            cosine = float(facts["cosine of ours"])
            section.notes.append(
                f"{label}: {facts['backend']}; least cosine to fp32 {cosine:.6f},"
                f" sentence-transformers {float(facts['cosine of theirs']):.6f}"
            )
            if cosine >= LEAST_COSINE:
                section.series.extend(_series(rounds, sizes, tokens, card))
            else:
                section.faults.append(f"{label}: no speed: least cosine {cosine:.6f}")
        trial = GpuTrial(shape=at, mixed_texts=int(MIXED_TEXTS * bench.plan.time))
        rounds, _ = await _rounds(bench, worker, trial, BATCHED)
        section.series.extend(_batched(rounds, sizes))
    return section


def _batched(rounds: dict[str, list[Round]], sizes: Sizes) -> list[Series]:
    label = f"{sizes.name}, mixed texts"
    ours = Series(name=f"ours, {label}: with the batcher", unit="texts/s", rounds=rounds["batched"])
    tokenizer = Series(name=f"tokenizer, {label}", unit="texts/s", rounds=rounds["tokenizer"])
    return [
        ours,
        Series(name=f"ours, {label}", unit="tokens/s", rounds=rounds["batched tokens"]),
        tokenizer,
        Series(
            name=f"with the batcher ÷ tokenizer, {label}",
            unit="ratio",
            rounds=ratios(ours, tokenizer),
        ),
        Series(name=f"padding efficiency, {label}", unit="share", rounds=rounds["padding"]),
    ]


async def _rounds(
    bench: Bench, worker: Worker, trial: GpuTrial, asked: Sequence[str]
) -> tuple[dict[str, list[Round]], dict[str, float | str]]:
    """All that is `asked` in each round, after one that is dropped; the last facts."""
    rounds: dict[str, list[Round]] = {name: [] for name in asked}
    facts: dict[str, float | str] = {}
    for number in range(bench.plan.compared_rounds + 1):
        if number > 1 and bench.over:
            break
        facts = (await worker.ask(trial)).facts
        for name in asked if number else ():
            rounds[name].append(Round(value=float(facts[name])))
    return rounds, facts


def _series(rounds: dict[str, list[Round]], sizes: Sizes, tokens: int, card: str) -> list[Series]:
    label = f"{sizes.name}, {tokens} tokens"
    aimed = "H200" in card and (sizes.name, tokens) == AIM[:2]
    forward = Series(
        name=f"ours, {label}: forward",
        unit="tokens/s",
        rounds=rounds["forward"],
        least=AIM[2] if aimed else None,
    )
    ours = Series(name=f"ours, {label}: texts in", unit="tokens/s", rounds=rounds["ours"])
    theirs = Series(
        name=f"sentence-transformers fp16, {label}", unit="tokens/s", rounds=rounds["theirs"]
    )
    quotient = Series(
        name=f"ours ÷ theirs, {label}: texts in", unit="ratio", rounds=ratios(ours, theirs)
    )
    return [forward, ours, theirs, quotient, *mfu(forward, sizes, tokens, card)]


def mfu(forward: Series, sizes: Sizes, tokens: int, card: str) -> list[Series]:
    """The share of the card's peak on its data sheet; nothing for a card not known here."""
    peaks = [peak for part, peak in PEAKS.items() if part in card]
    if not peaks:
        return []
    flop_per_token = sizes.shape.flop(tokens) / tokens
    factors = [flop_per_token / (peaks[0] * 1e12)] * len(forward.rounds)
    name = f"{forward.name}: share of {peaks[0]:g} TFLOP/s (MFU)"
    return [Series(name=name, unit="share", rounds=scaled(forward, factors))]
