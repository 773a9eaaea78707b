"""How many submits a second one master process accepts, alone and with all roles beside it."""

import asyncio
import http.client
import time

import orjson

from benchmarks.bench import Bench, rounds_of, text_task
from benchmarks.corpus import mixed
from benchmarks.figures import Round, Section, Series
from benchmarks.load import Answered, Load
from benchmarks.plan import CONNECTIONS
from benchmarks.services import NO_MODEL_NO_STORE, Service
from benchmarks.usage import CpuWatch

NAME = "submits"
TITLE = f"Submits of one text accepted by one process, {CONNECTIONS} connections"
LEAST = 1_000.0
BODIES = 256
SETTLE_LIMIT_S = 15.0
STALL_S = 8.0
LOOK_EVERY_S = 0.1


class Refused(Exception):
    """A submit was not accepted, so its speed means nothing."""


class Submits:
    """One shape of the service under submits."""

    def __init__(self, bench: Bench, service: Service, name: str, counted: str) -> None:
        """`counted` is the figure of `GET /metrics` that tells when all work is done."""
        self.name = name
        self.settled: list[Round] = []
        self.faults: list[str] = []
        self._bench = bench
        self._service = service
        self._counted = counted
        self._sent = 0
        self._done = 0
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
        """Let what was accepted be done, so that rounds do not lean on each other.

        A service that is only slow goes on with a backlog after `SETTLE_LIMIT_S`; one of which
        nothing came for `STALL_S` is at fault.
        """
        before, self._sent = self._done, self._sent + found.accepted
        limit_s = time.monotonic() + SETTLE_LIMIT_S
        moved_s = time.monotonic()
        while self._done < self._sent and not self.faults and time.monotonic() < limit_s:
            await asyncio.sleep(LOOK_EVERY_S)
            count = await asyncio.to_thread(self._figure)
            if count > self._done:
                self._done, moved_s = count, time.monotonic()
            elif time.monotonic() - moved_s > STALL_S:
                self._stalled()
        if number and not self.faults:
            seconds = moved_s - found.began_s
            self.settled.append(Round(value=(self._done - before) / seconds, seconds=seconds))

    def _stalled(self) -> None:
        fault = (
            f"{self.name}: nothing came of {self._sent - self._done} of {self._sent} accepted"
            f" tasks for {STALL_S:g} s ({self._counted} stays at {self._done})"
        )
        self.faults.append(fault)
        self._bench.say(f"  {fault}")

    @property
    def note(self) -> str:
        """What is left undone at the end."""
        return f"{self.name}: {self._sent - self._done} of {self._sent} left undone at the end"

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
    unit = "submits/s"
    # A stalled intake costs nothing: what is accepted meanwhile proves nothing.
    least = None if alone.faults else LEAST
    accepted = [
        Series(name=alone.name, unit=unit, rounds=found[alone.name], least=least, loop="master"),
        Series(name=beside.name, unit=unit, rounds=found[beside.name], loop="all"),
    ]
    settled = {
        "role master alone: submitted → folded": alone.settled,
        "role all: submitted → completed": beside.settled,
    }
    done = [
        Series(name=name, unit="tasks/s", rounds=each) for name, each in settled.items() if each
    ]
    faults = alone.faults + beside.faults
    notes = [alone.note, beside.note]
    return Section(name=NAME, title=TITLE, series=accepted + done, notes=notes, faults=faults)
