"""How many submits a second one master process accepts, alone and with all roles beside it."""

import asyncio
import http.client
import time

import orjson

from benchmarks.bench import Bench, rounds_of, text_task, until
from benchmarks.corpus import mixed
from benchmarks.figures import Round, Section, Series, percentile
from benchmarks.load import Answered, Load
from benchmarks.plan import CONNECTIONS
from benchmarks.services import NO_MODEL_NO_STORE, Service
from benchmarks.usage import CpuWatch

NAME = "submits"
TITLE = f"Submits of one text accepted by one process, {CONNECTIONS} connections"
LEAST = 1_000.0
BODIES = 256
SETTLE_LIMIT_S = 90.0


class Refused(Exception):
    """A submit was not accepted, so its speed means nothing."""


class Submits:
    """One shape of the service under submits."""

    def __init__(self, bench: Bench, service: Service, name: str, counted: str) -> None:
        """`counted` is the figure of `GET /metrics` that tells when all work is done."""
        self.name = name
        self.settled: list[Round] = []
        self.p99_ms: list[float] = []
        self._bench = bench
        self._service = service
        self._counted = counted
        self._sent = 0
        self._bodies = [text_task(text) for text in mixed(BODIES)]

    async def measure(self, number: int) -> Round:
        """Submit for a while, then let the service finish what it accepted."""
        watch = CpuWatch(self._bench.pids(self._service))
        watch.start()
        found = await self._bench.load(
            Load(
                self._service.port,
                "/tasks/submit",
                self._bodies,
                CONNECTIONS,
                seconds=self._bench.plan.submit_s,
            )
        )
        cores = watch.cores(client=found.cpu_s)
        _check(found)
        await self._settle(found, number)
        rate = found.accepted / found.seconds
        return Round(value=rate, seconds=found.seconds, work=found.accepted, cores=cores)

    async def _settle(self, found: Answered, number: int) -> None:
        """Wait for the end of all that was accepted, so that rounds do not lean on each other."""
        self._sent += found.accepted

        async def done() -> bool:
            return await asyncio.to_thread(self._figure) >= self._sent

        await until(f"{self._sent} tasks settled", done, limit_s=SETTLE_LIMIT_S)
        if number:
            seconds = time.monotonic() - found.began_s
            self.settled.append(Round(value=found.accepted / seconds, seconds=seconds))
            self.p99_ms.append(percentile(found.latencies_ms, 0.99))

    def _figure(self) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self._service.port, timeout=10)
        try:
            connection.request("GET", "/metrics")
            answer = connection.getresponse()
            told = orjson.loads(answer.read())
            return int(told[self._counted]) if answer.status == http.client.OK else 0
        finally:
            connection.close()


def _check(found: Answered) -> None:
    refused = {status: count for status, count in found.statuses.items() if status != 202}  # noqa: PLR2004
    if refused:
        raise Refused(f"submits answered with other than 202: {refused}")


async def measure(bench: Bench) -> Section:
    """Measure both shapes side by side."""
    async with (
        bench.serving(["master"], NO_MODEL_NO_STORE) as [master],
        bench.serving(["all"], NO_MODEL_NO_STORE) as [whole],
    ):
        alone = Submits(bench, master, "role master alone", "total_tasks")
        beside = Submits(bench, whole, "role all", "completed_tasks")
        found = await rounds_of(bench, [alone, beside], "submits/s")
    return Section(
        name=NAME,
        title=TITLE,
        series=[
            Series(
                name=alone.name,
                unit="submits/s",
                rounds=found[alone.name],
                least=LEAST,
                loop="master",
            ),
            Series(name=beside.name, unit="submits/s", rounds=found[beside.name], loop="all"),
            Series(name="role master: submitted → folded", unit="tasks/s", rounds=alone.settled),
            Series(name="role all: submitted → completed", unit="tasks/s", rounds=beside.settled),
        ],
    )
