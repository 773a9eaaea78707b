"""Texts a second through the whole pipeline where neither model nor vector store costs anything."""

import time
from uuid import uuid4

import orjson
from aiokafka import AIOKafkaProducer

from benchmarks.bench import Bench, batch_task, rounds_of
from benchmarks.corpus import mixed
from benchmarks.figures import Round, Section, Series
from benchmarks.load import Load
from benchmarks.log import Finished, Results, Unfinished, produce_tasks, producing, results_of
from benchmarks.plan import TASK_TEXTS
from benchmarks.services import NO_MODEL_NO_STORE, Service
from benchmarks.usage import CpuWatch

NAME = "pipeline"
TITLE = f"Pipeline with the hashing encoder, no Weaviate: tasks of {TASK_TEXTS} texts, units of 64"
LEAST = 5_000.0
CONNECTIONS = 8
SHAPES = {"one process": ["all"], "three processes": ["master", "embed", "store"]}


class Run:
    """Tasks put in one way, awaited on the topic of results."""

    def __init__(self, bench: Bench, shape: str, services: list[Service], results: Results) -> None:
        """Measure these processes, which are named `shape` in the table."""
        self.bench = bench
        self.shape = shape
        self.services = services
        self.texts = mixed(TASK_TEXTS)
        self._results = results

    @property
    def tasks(self) -> int:
        """How many tasks a round has."""
        return self.bench.plan.pipeline_tasks

    def watch(self) -> CpuWatch:
        """Begin to watch the processes."""
        watch = CpuWatch(self.bench.pids(*self.services))
        watch.start()
        return watch

    async def finished(self, ids: set[str] | None = None) -> list[Finished]:
        """Wait for this round's tasks, every text of them stored; raise Unfinished."""
        found = await self._results.next(self.tasks)
        wrong = [each for each in found if (each.status, each.stored) != ("completed", TASK_TEXTS)]
        if wrong or (ids is not None and {each.task_id for each in found} != ids):
            raise Unfinished(f"other tasks than were submitted, or not all of them: {wrong[:3]}")
        return found

    def round(self, began_s: float, found: list[Finished], cores: dict[str, float]) -> Round:
        """What was done from the first submit to the last completed."""
        seconds = max(each.seen_s for each in found) - began_s
        texts = self.tasks * TASK_TEXTS
        return Round(value=texts / seconds, seconds=seconds, work=texts, cores=cores)


class OverKafka:
    """Tasks produced straight onto the public topic."""

    def __init__(self, run: Run, producer: AIOKafkaProducer) -> None:
        """Produce with `producer`."""
        self.name = f"{run.shape}, from Kafka"
        self._run = run
        self._producer = producer

    async def measure(self, number: int) -> Round:
        """Produce all tasks at once and wait for the last."""
        del number
        run = self._run
        ids = [str(uuid4()) for _ in range(run.tasks)]
        tasks = {task_id: batch_task(run.texts, task_id) for task_id in ids}
        watch, began_s = run.watch(), time.monotonic()
        await produce_tasks(self._producer, f"{run.services[0].prefix}.tasks", tasks)
        found = await run.finished(set(ids))
        return run.round(began_s, found, watch.cores())


class OverHttp:
    """Tasks posted, one a request."""

    def __init__(self, run: Run) -> None:
        """Post to the first of the run's processes."""
        self.name = f"{run.shape}, over HTTP"
        self._run = run

    async def measure(self, number: int) -> Round:
        """Post all tasks and wait for the last."""
        del number
        run = self._run
        bodies = [batch_task(run.texts)] * run.tasks
        watch = run.watch()
        answered = await run.bench.load(
            Load(run.services[0].port, "/tasks/submit", bodies, CONNECTIONS)
        )
        ids = {orjson.loads(answer)["task_id"] for answer in answered.answers}
        found = await run.finished(ids)
        return run.round(answered.began_s, found, watch.cores(client=answered.cpu_s))


async def measure(bench: Bench) -> Section:
    """Measure both shapes and both ways in side by side."""
    async with (
        bench.serving(SHAPES["one process"], NO_MODEL_NO_STORE) as one,
        bench.serving(SHAPES["three processes"], NO_MODEL_NO_STORE) as three,
        results_of(bench.servers, one[0].prefix) as of_one,
        results_of(bench.servers, three[0].prefix) as of_three,
        producing(bench.servers) as producer,
    ):
        runs = [
            Run(bench, "one process", one, of_one),
            Run(bench, "three processes", three, of_three),
        ]
        contenders = [way for run in runs for way in (OverKafka(run, producer), OverHttp(run))]
        found = await rounds_of(bench, contenders, "texts/s")
    return Section(name=NAME, title=TITLE, series=[_series(name, found[name]) for name in found])


def _series(name: str, rounds: list[Round]) -> Series:
    loop = "all" if name.startswith("one") else None
    return Series(name=name, unit="texts/s", rounds=rounds, least=LEAST, loop=loop)
