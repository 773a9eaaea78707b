"""The parts that can be run, and how large each is in its short and in its long form."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path

from tests.faults import failing, faults
from tests.faults.orders import Faults
from tests.faults.outcome import Outcome
from tests.faults.requirements import (
    documents,
    even_load,
    mixed,
    price,
    r04_points,
    r04_raises,
    r06_replay,
    r11_poison,
    r12_neighbours,
    r13_clocks,
    r16_recovery,
    r23_overload,
    r24_soak,
    r26_reads,
    r30_batch,
    under_faults,
)
from tests.faults.rig import Shape
from tests.faults.striking import Fault
from tests.faults.view import Fault as Wrong

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
Say = Callable[[str], None]
Form = Callable[..., Awaitable[Outcome]]


class Size(StrEnum):
    """How much of a part is run."""

    SHORT = "short"
    LONG = "long"


@dataclass(frozen=True, slots=True)
class Part:
    """A requirement with the sizes of its load; without a short form it is left out of it."""

    name: str
    title: str
    long: Form
    short: Form | None = None

    async def run(self, folder: Path, size: Size, seed: int, say: Say) -> Outcome:
        """Run it once in this folder."""
        form = self.short if size is Size.SHORT else self.long
        assert form is not None
        return await form(folder, seed=seed, say=say)


@dataclass(frozen=True, slots=True)
class Load:
    """How much is done, and how often it strikes."""

    strikes: int
    shape: Shape


def striking(name: str, title: str, fault: Fault, *, long: Load, short: Load | None = None) -> Part:
    """A part in which one kind of fault strikes again and again."""

    def form(load: Load) -> Form:
        return partial(
            under_faults.run,
            name=name,
            title=title,
            fault=fault,
            strikes=load.strikes,
            shape=load.shape,
        )

    return Part(name, title, form(long), form(short) if short else None)


def even(
    name: str,
    title: str,
    *,
    long: Shape,
    short: Shape | None = None,
    on_purpose: frozenset[Wrong] = frozenset(),
) -> Part:
    """A part in which processes fail from within, and nothing strikes them."""

    def form(shape: Shape) -> Form:
        return partial(even_load.run, name=name, title=title, shape=shape, on_purpose=on_purpose)

    return Part(name, title, form(long), form(short) if short else None)


def with_faults(tasks: int, faults: Faults, settings: Mapping[str, str] | None = None) -> Shape:
    """An even load on one process of each role, which fails so."""
    return Shape(
        tasks=tasks,
        texts=8,
        roles=("master", "embed", "store"),
        submitters=24,
        patience_s=120.0,
        settings=settings or {},
        faults=faults,
    )


#: The sweep that the rig has off, on again and soon.
STALLED_AFTER_S = {"VECTORIZE_MASTER_TASK_STALLED_AFTER_S": "3"}
PARTS = (
    Part(
        mixed.NAME,
        mixed.TITLE,
        short=partial(mixed.run, tasks=100, texts=8, strikes=3),
        long=partial(mixed.run, tasks=3_000, texts=8, strikes=60),
    ),
    striking(
        "R1",
        "Kafka frozen for 5 s or killed while clients submit",
        faults.any_of(faults.outages("kafka", (5.0, 5.0))),
        long=Load(15, Shape(tasks=1_000, texts=1, submitters=48)),
    ),
    striking(
        "R2-model",
        "SIGKILL of masters, embed and store workers, MiniLM",
        faults.kill,
        short=Load(2, Shape(tasks=40, texts=16, model=MINILM)),
        long=Load(20, Shape(tasks=1_000, texts=16, model=MINILM)),
    ),
    striking(
        "R2-hashing",
        "SIGKILL of masters, embed and store workers, hashing model",
        faults.kill,
        # A third of what R2 asks for: `--times 3` is the whole of it, and each within half an hour.
        long=Load(34, Shape(tasks=10_000, texts=2, submitters=48, look_s=0.3)),
    ),
    Part(
        r04_points.NAME,
        r04_points.TITLE,
        long=partial(r04_points.run, passes=3, texts=8),
    ),
    Part(
        r04_raises.NAME,
        r04_raises.TITLE,
        long=partial(r04_raises.run, positions=r04_raises.BATCH),
    ),
    striking(
        "R5",
        "SIGKILL of a process behind a Kafka that is frozen for 1 to 30 s",
        faults.kill_behind_frozen_broker,
        long=Load(15, Shape(tasks=500, texts=8)),
    ),
    Part(r06_replay.NAME, r06_replay.TITLE, long=partial(r06_replay.run, tasks=500, texts=8)),
    striking(
        "R9",
        "cancels at moments of chance, with kills",
        faults.kill,
        long=Load(30, Shape(tasks=2_000, texts=40, cancel_share=1.0, submitters=32)),
    ),
    striking(
        "R10",
        "processes frozen past their session and woken",
        faults.freeze,
        short=Load(1, Shape(tasks=100, texts=8, cancel_share=0.2)),
        long=Load(20, Shape(tasks=1_000, texts=8, cancel_share=0.2)),
    ),
    Part(
        r11_poison.NAME,
        r11_poison.TITLE,
        short=partial(r11_poison.run, poisons=2, texts=8),
        long=partial(r11_poison.run, poisons=12, texts=32),
    ),
    even(
        "R12",
        "20 % of sends and of Weaviate writes fail, 20 % of their answers are lost",
        long=with_faults(1_000, Faults(sends_fail=0.2, writes_fail=0.2)),
    ),
    even(
        "objects",
        "Weaviate refuses single objects for good, and one in twenty for now",
        long=replace(
            with_faults(1_000, Faults(objects_fail=0.05)), bad_share=0.3, bad=failing.REFUSED
        ),
    ),
    Part(
        r12_neighbours.NAME,
        r12_neighbours.TITLE,
        long=partial(r12_neighbours.run, rounds=9, tasks=200),
    ),
    even(
        "sweep",
        "one unit in five is acknowledged and never worked on: the reconcile sweep finds it",
        short=with_faults(40, Faults(units_skipped=0.2), STALLED_AFTER_S),
        long=with_faults(500, Faults(units_skipped=0.2), STALLED_AFTER_S),
        on_purpose=frozenset({Wrong.OFFSET_PAST_UNFINISHED}),
    ),
    Part(
        r13_clocks.NAME,
        r13_clocks.TITLE,
        long=partial(r13_clocks.run, rounds=12, tasks=20),
    ),
    Part(
        r23_overload.NAME,
        r23_overload.TITLE,
        long=partial(r23_overload.run, seconds=600.0),
    ),
    Part(
        r24_soak.NAME,
        r24_soak.TITLE,
        long=partial(r24_soak.run, seconds=1740.0, texts=256),
    ),
    Part(
        documents.NAME,
        documents.TITLE,
        long=partial(documents.run, documents=40, strikes=25),
    ),
    Part(r26_reads.NAME, r26_reads.TITLE, long=partial(r26_reads.run, tasks=10_000)),
    striking(
        "R28",
        "every process's clock an hour off, this way or that, with kills and deadlines of 10 min",
        faults.kill,
        long=Load(
            10,
            Shape(
                tasks=500,
                texts=8,
                fields={"deadline_s": 600},
                faults=Faults(skew_s=3600.0),
            ),
        ),
    ),
    Part(
        r30_batch.NAME,
        r30_batch.TITLE,
        long=partial(r30_batch.run, batches=5, tasks=500),
    ),
    Part(
        price.NAME,
        price.TITLE,
        long=partial(price.run, rounds=7, tasks=300, texts=64),
    ),
    Part(
        r16_recovery.NAME,
        r16_recovery.TITLE,
        long=partial(r16_recovery.run, sizes=(1_000, 10_000, 100_000)),
    ),
    striking(
        "R17",
        "1 to 4 processes of each role, another number again and again, half of them killed",
        faults.resize,
        long=Load(20, Shape(tasks=1_000, texts=8)),
    ),
    striking(
        "R18",
        "SIGTERM of masters, embed and store workers: left in order within 25 s",
        faults.drain,
        long=Load(50, Shape(tasks=1_000, texts=8)),
    ),
    striking(
        "R19",
        "Kafka killed or frozen for 2 to 30 s",
        faults.any_of(faults.outages("kafka", (2.0, 30.0))),
        long=Load(15, Shape(tasks=500, texts=8)),
    ),
    striking(
        "R20",
        "Redis killed, frozen for 2 to 30 s, emptied, or left no memory to write to",
        faults.any_of(
            [
                *faults.outages("redis", (2.0, 30.0)),
                faults.flush,
                partial(faults.fill, away_s=(2.0, 10.0)),
            ]
        ),
        long=Load(15, Shape(tasks=500, texts=8, cancel_share=0.2)),
    ),
    striking(
        "R21",
        "Weaviate killed or frozen for 5 to 60 s",
        faults.any_of(faults.outages("weaviate", (5.0, 60.0))),
        long=Load(10, Shape(tasks=500, texts=8)),
    ),
    *(
        striking(
            f"{name}-net",
            f"the network to {title} resets, refuses, swallows, carries one way, is slow, cuts",
            partial(faults.harm_network, server=server, away_s=away_s),
            long=Load(12, Shape(tasks=300, texts=8, proxied=True)),
        )
        for name, title, server, away_s in (
            ("R19", "Kafka", "kafka", (2.0, 20.0)),
            ("R20", "Redis", "redis", (2.0, 10.0)),
            ("R21", "Weaviate", "weaviate", (2.0, 20.0)),
        )
    ),
)
