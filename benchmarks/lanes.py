"""One urgent text while bulk saturates encoder and store: what it waits, and what bulk loses."""

import asyncio
from dataclasses import dataclass
from uuid import uuid4

import orjson

from benchmarks import hops
from benchmarks.bench import Bench, batch_task, rounds_of, text_task
from benchmarks.corpus import fresh
from benchmarks.figures import Round, Section, Series, percentile, ratios
from benchmarks.hops import Hop
from benchmarks.load import Answered, Load
from benchmarks.log import Offsets, Results, Unfinished, produce_tasks, producing, results_of
from benchmarks.plan import TASK_TEXTS
from benchmarks.services import Service
from benchmarks.usage import CpuWatch
from models.states import Lane

NAME = "lanes"
TITLE = "One urgent text (priority high, ?wait=) at rest and under saturating bulk (priority low)"
PATH = "/tasks/submit?wait=20"
ROLES = ("master", "embed", "store")
MOST_TIMES, LEAST_LEFT = 3.0, 0.95
#: Pause between an answer and the next urgent request: urgent work is rare.
RESTING_PAUSE_S, LOADED_PAUSE_S = 0.1, 0.5
RESTING, ALONE, BESIDE = "urgent at rest", "bulk alone", "bulk beside urgent"


@dataclass(slots=True)
class Field:
    """The service under test, and the texts it has not seen yet."""

    bench: Bench
    services: list[Service]
    results: Results
    produce_to: str
    used: int = 0

    def texts(self, count: int) -> list[str]:
        """Texts that were never given out before."""
        self.used += count
        return fresh(self.used - count, count)

    async def ask_urgently(self) -> Answered:
        """One urgent text from asked to completed; raise Unfinished."""
        body = text_task(self.texts(1)[0], priority="high")
        found = await self.bench.load(Load(self.services[0].port, PATH, [body], connections=1))
        told = orjson.loads(found.answers[0])
        if told["status"] != "completed":
            raise Unfinished(f"an urgent text is {told['status']}")
        return found

    async def begin(self) -> Offsets:
        """Remember where the topics of urgent texts end."""
        return await hops.begin(self.bench.servers, self.services[0].prefix, Lane.HIGH)

    async def way_of(self, begins: Offsets, found: Answered) -> list[Hop]:
        """Where the time of these urgent texts went."""
        return await hops.hops_of(self.bench.servers, begins, found)

    async def run_bulk(self) -> Round:
        """Put all bulk tasks on the log at once; the rate from the first to the last completed."""
        tasks = {
            name: batch_task(self.texts(TASK_TEXTS), name, priority="low")
            for name in (str(uuid4()) for _ in range(self.bench.plan.bulk_tasks))
        }
        watch = CpuWatch(self.bench.pids(*self.services))
        watch.start()
        began_s = asyncio.get_running_loop().time()
        async with producing(self.bench.servers) as producer:
            await produce_tasks(producer, self.produce_to, tasks)
        seconds = await self._last_of(set(tasks)) - began_s
        work = TASK_TEXTS * len(tasks)
        return Round(value=work / seconds, seconds=seconds, work=work, cores=watch.cores())

    async def _last_of(self, wanted: set[str]) -> float:
        """When the last of these tasks was seen completed; urgent ones pass by."""
        last_s = 0.0
        while wanted:
            for found in await self.results.next(1):
                if found.task_id not in wanted:
                    continue
                if (found.status, found.stored) != ("completed", TASK_TEXTS):
                    raise Unfinished(f"a bulk task ended otherwise: {found}")
                wanted.discard(found.task_id)
                last_s = found.seen_s
        return last_s


class Urgent:
    """Urgent texts of one round, one at a time."""

    def __init__(self, ground: Field) -> None:
        """Ask this service; nothing is asked yet."""
        self.found = Answered()
        self._ground = ground

    async def ask(self, pause_s: float) -> None:
        """Ask for one, then pause."""
        one = await self._ground.ask_urgently()
        self.found.asked_ms += one.asked_ms
        self.found.latencies_ms += one.latencies_ms
        self.found.answers += one.answers
        await asyncio.sleep(pause_s)

    def p99(self) -> Round:
        """Of all asked so far, in milliseconds."""
        took_ms = self.found.latencies_ms
        return Round(value=percentile(took_ms, 0.99), work=len(took_ms))


class Resting:
    """Urgent texts, one at a time, while nothing else runs."""

    name = RESTING

    def __init__(self, ground: Field) -> None:
        """Ask this service."""
        self.ways: list[list[Hop]] = []
        self._ground = ground

    async def measure(self, number: int) -> Round:
        """The p99 of a round, in milliseconds."""
        begins, urgent = await self._ground.begin(), Urgent(self._ground)
        for _ in range(self._ground.bench.plan.urgent):
            await urgent.ask(RESTING_PAUSE_S)
        if number:
            self.ways.append(await self._ground.way_of(begins, urgent.found))
        return urgent.p99()


class Bulk:
    """Bulk that saturates, with urgent texts beside it or without."""

    def __init__(self, ground: Field, *, urgent: bool) -> None:
        """Load this service."""
        self.name = BESIDE if urgent else ALONE
        self.p99: list[Round] = []
        self.ways: list[list[Hop]] = []
        self._ground = ground
        self._urgent = urgent

    async def measure(self, number: int) -> Round:
        """Run all bulk; the p99 of urgent texts meanwhile is kept apart."""
        begins, urgent = await self._ground.begin(), Urgent(self._ground)
        bulk = asyncio.create_task(self._ground.run_bulk())
        try:
            while self._urgent and not bulk.done():
                await urgent.ask(LOADED_PAUSE_S)
            found = await bulk
        finally:
            bulk.cancel()
        if self._urgent and number:
            self.p99.append(urgent.p99())
            self.ways.append(await self._ground.way_of(begins, urgent.found))
        return found


async def measure(bench: Bench) -> Section:
    """Measure all three in turn."""
    async with (
        bench.serving(ROLES) as services,
        results_of(bench.servers, services[0].prefix) as results,
    ):
        ground = Field(bench, services, results, f"{services[0].prefix}.tasks")
        resting, alone = Resting(ground), Bulk(ground, urgent=False)
        beside = Bulk(ground, urgent=True)
        found = await rounds_of(
            bench,
            [resting, alone, beside],
            "texts/s",
            rounds=bench.plan.compared_rounds,
            units={RESTING: "ms"},
        )
    return Section(
        name=NAME,
        title=TITLE,
        series=_series(found, beside.p99),
        notes=[
            *_notes(found[RESTING], beside.p99),
            *hops.told("at rest", resting.ways),
            *hops.told("under bulk", beside.ways),
        ],
        wanted_rounds=bench.plan.compared_rounds,
    )


def _series(found: dict[str, list[Round]], p99: list[Round]) -> list[Series]:
    rest = Series(name=f"{RESTING}: p99", unit="ms", rounds=found[RESTING])
    loaded = Series(name="urgent under bulk: p99", unit="ms", rounds=p99)
    alone = Series(name=ALONE, unit="texts/s", rounds=found[ALONE])
    beside = Series(name=BESIDE, unit="texts/s", rounds=found[BESIDE])
    return [
        rest,
        loaded,
        Series(
            name="urgent under bulk ÷ at rest: p99",
            unit="ratio",
            rounds=ratios(loaded, rest),
            most=MOST_TIMES,
        ),
        alone,
        beside,
        Series(
            name="bulk beside urgent ÷ alone",
            unit="ratio",
            rounds=ratios(beside, alone),
            least=LEAST_LEFT,
        ),
    ]


def _notes(rest: list[Round], p99: list[Round]) -> list[str]:
    counted = [
        (name, [int(each.work) for each in rounds])
        for name, rounds in (("at rest", rest), ("under bulk", p99))
    ]
    told = "; ".join(f"{name}: {min(each)} to {max(each)}" for name, each in counted)
    return [
        (
            f"urgent texts a round: {told}; {RESTING_PAUSE_S:g} s at rest and {LOADED_PAUSE_S:g} s"
            " under bulk between an answer and the next (the p99 of less than 100 is the longest)"
        )
    ]
