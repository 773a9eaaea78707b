"""Texts a second with the real model and Weaviate, beside plain `SentenceTransformer.encode`."""

import asyncio
import base64
import http.client

import numpy as np
import orjson

from benchmarks.bench import Bench, batch_task, rounds_of
from benchmarks.corpus import docstrings
from benchmarks.figures import Round, Section, Series, ratios
from benchmarks.load import Answered, Load
from benchmarks.log import Results, Unfinished, results_of
from benchmarks.plain import Encoded, encode, gemm_gflops
from benchmarks.services import Service
from benchmarks.usage import CpuWatch
from models.vectors import Vector

NAME = "encoding"
TITLE = "The real model (all-MiniLM-L6-v2, standard library docstrings), stored in Weaviate"
PLAIN = "plain SentenceTransformer.encode"
SERVICE = "submit → stored in Weaviate"
LEAST_COSINE = 0.9999
#: Texts encoded to learn how fast the machine is; rounds have a multiple of it.
TRIED = 64
MOST_TEXTS = 1024


class WrongVectors(Exception):
    """The service's vectors are not the model's: a speed would mean nothing."""


class Plain:
    """The model called with all defaults, in a process of its own, the service idle beside it."""

    name = PLAIN

    def __init__(self, bench: Bench, count: int) -> None:
        """Encode `count` texts a round in the peer's process."""
        self.vectors: dict[int, Vector] = {}
        self._bench = bench
        self._count = count

    async def measure(self, number: int) -> Round:
        """Encode the texts of round `number`."""
        texts = texts_of(number, self._count)
        watch = CpuWatch(self._bench.pids())
        watch.start()
        encoded = await encoded_plainly(self._bench, texts)
        if number == 0:
            self.vectors[number] = encoded.vectors
        return Round(
            value=len(texts) / encoded.seconds,
            seconds=encoded.seconds,
            work=len(texts),
            cores=watch.cores(plain=encoded.cpu_s),
        )


class ThroughService:
    """The same texts as one task, from its submit until every vector is in Weaviate."""

    name = SERVICE

    def __init__(self, bench: Bench, count: int, service: Service, results: Results) -> None:
        """Submit `count` texts a round to `service`, await them on `results`."""
        self.task_ids: dict[int, str] = {}
        self._bench = bench
        self._count = count
        self._service = service
        self._results = results

    async def measure(self, number: int) -> Round:
        """Submit the texts of round `number` and wait."""
        texts = texts_of(number, self._count)
        watch = CpuWatch(self._bench.pids(self._service))
        watch.start()
        answered = await self._submit(texts)
        [task_id] = [orjson.loads(answer)["task_id"] for answer in answered.answers]
        [found] = await self._results.next(1)
        if (found.task_id, found.status, found.stored) != (task_id, "completed", len(texts)):
            raise Unfinished(f"not the task, or not all of it: {found}")
        self.task_ids[number] = task_id
        seconds = found.seen_s - answered.began_s
        cores = watch.cores(client=answered.cpu_s)
        return Round(value=len(texts) / seconds, seconds=seconds, work=len(texts), cores=cores)

    async def _submit(self, texts: list[str]) -> Answered:
        load = Load(self._service.port, "/tasks/submit", [batch_task(texts)], connections=1)
        return await self._bench.load(load)

    def vectors(self, number: int, count: int) -> Vector:
        """The first `count` vectors of a round, as the service gives them back."""
        connection = http.client.HTTPConnection("127.0.0.1", self._service.port, timeout=30)
        try:
            query = f"limit={count}&encoding=base64"
            connection.request("GET", f"/tasks/{self.task_ids[number]}/result?{query}")
            items = orjson.loads(connection.getresponse().read())["items"]
        finally:
            connection.close()
        rows = [np.frombuffer(base64.b64decode(item["vector"]), dtype="<f4") for item in items]
        return np.stack(rows)


def texts_of(number: int, count: int) -> list[str]:
    """The texts of a round: others in each, so that nothing is known from before."""
    return docstrings(number * count, count)


async def encoded_plainly(bench: Bench, texts: list[str]) -> Encoded:
    """Encode in the peer's process."""
    return await asyncio.get_running_loop().run_in_executor(bench.peer, encode, texts)


async def count_for(bench: Bench) -> int:
    """How many texts take the plain model about as long as the plan says; loads it too."""
    await encoded_plainly(bench, texts_of(0, 1))
    tried = await encoded_plainly(bench, texts_of(0, TRIED))
    wanted = bench.plan.encode_s * TRIED / tried.seconds
    return min(MOST_TEXTS, max(TRIED, round(wanted / TRIED) * TRIED))


def least_cosine(ones: Vector, others: Vector) -> float:
    """The least cosine between rows `i` of both; 1 where each is the other's like."""
    dots = np.einsum("ij,ij->i", ones, others)
    lengths = np.linalg.norm(ones, axis=1) * np.linalg.norm(others, axis=1)
    return float(np.min(dots / lengths))


async def measure(bench: Bench) -> Section:
    """Measure both side by side; raise WrongVectors where the vectors differ."""
    async with (
        bench.serving(["all"]) as [service],
        results_of(bench.servers, service.prefix) as results,
    ):
        count = await count_for(bench)
        bench.say(f"  {count} texts a round")
        plain, through = Plain(bench, count), ThroughService(bench, count, service, results)
        found = await rounds_of(bench, [plain, through], "texts/s")
        note = await _gate(plain, through)
    roof = await asyncio.get_running_loop().run_in_executor(bench.peer, gemm_gflops)
    ours = Series(name=SERVICE, unit="texts/s", rounds=found[SERVICE], loop="all")
    theirs = Series(name=PLAIN, unit="texts/s", rounds=found[PLAIN])
    quotient = Series(name="service ÷ plain, by round", unit="ratio", rounds=ratios(ours, theirs))
    roofs = ", ".join(f"{name} {rate:,.0f} GFLOP/s" for name, rate in roof.items())
    notes = [f"{count} texts a round", note, f"matrix products here: {roofs}"]
    return Section(name=NAME, title=TITLE, series=[theirs, ours, quotient], notes=notes)


async def _gate(plain: Plain, through: ThroughService) -> str:
    """Compare the warm-up's vectors, item by item."""
    expected = plain.vectors[0][:64]
    given = await asyncio.to_thread(through.vectors, 0, len(expected))
    cosine = least_cosine(given, expected)
    if cosine < LEAST_COSINE:
        raise WrongVectors(f"least cosine to plain encode {cosine:.6f} < {LEAST_COSINE}")
    return f"least cosine to plain encode over {len(expected)} texts: {cosine:.6f}"
