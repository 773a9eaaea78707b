"""What every section works with: the stack, the processes beside it, and the way of a round."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import orjson

from benchmarks.figures import Round
from benchmarks.load import Answered, Load, run_load
from benchmarks.plan import Plan
from benchmarks.services import Service
from scripts.stack import StackState

Say = Callable[[str], None]


@dataclass(frozen=True)
class Bench:
    """A running stack and all that measures on it."""

    stack: StackState
    folder: Path
    plan: Plan
    client: ProcessPoolExecutor
    """One process for the client of HTTP."""
    peer: ProcessPoolExecutor
    """One process for plain encoding."""
    say: Say
    deadline_s: float = math.inf
    """On the monotonic clock: past it no further round begins."""

    @property
    def over(self) -> bool:
        """Whether the time of this section is used up."""
        return time.monotonic() > self.deadline_s

    @property
    def servers(self) -> str:
        """Kafka's address."""
        return self.stack.settings["kafka.bootstrap_servers"]

    def pids(self, *services: Service) -> dict[str, int]:
        """The processes to watch: these services, by role, and the servers of the stack."""
        servers = {
            name: server.process.pid
            for name, server in self.stack.servers.items()
            if server.process is not None
        }
        return {**{service.role: service.pid for service in services}, **servers}

    async def load(self, load: Load) -> Answered:
        """Ask from the client's own process."""
        return await asyncio.get_running_loop().run_in_executor(self.client, run_load, load)

    @asynccontextmanager
    async def serving(
        self, roles: Sequence[str], settings: Mapping[str, str] | None = None
    ) -> AsyncIterator[list[Service]]:
        """Processes of these roles under a prefix that nobody used before, all of them ready."""
        prefix = f"bench-{uuid4().hex[:8]}"
        made = [
            Service(self.stack, self.folder, prefix=prefix, role=role, settings=settings)
            for role in roles
        ]
        async with AsyncExitStack() as running:
            for service in made:
                running.push_async_callback(service.end)
            await asyncio.gather(*(service.start() for service in made))
            yield made


class Contender(Protocol):
    """Something that is measured round by round."""

    name: str

    async def measure(self, number: int) -> Round:
        """Measure once; `number` counts from 0, which is the warm-up."""


async def rounds_of(
    bench: Bench,
    contenders: Sequence[Contender],
    unit: str,
    *,
    rounds: int | None = None,
    units: Mapping[str, str] | None = None,
) -> dict[str, list[Round]]:
    """Measure side by side: A B, B A, A B …, after a round that is dropped.

    Out of time, it ends early, but never before one round. Without `rounds` they are the plan's;
    `units` are those of contenders that have another than `unit`.
    """
    found: dict[str, list[Round]] = {contender.name: [] for contender in contenders}
    for number in range((rounds or bench.plan.rounds) + 1):
        if number > 1 and bench.over:
            break
        turn = contenders if number % 2 else list(reversed(contenders))
        for contender in turn:
            measured = await contender.measure(number)
            if number:
                found[contender.name].append(measured)
            said = (units or {}).get(contender.name, unit)
            label = f"round {number}" if number else "warm-up"
            bench.say(f"  {contender.name}: {measured.value:,.4g} {said} ({label})")
    return found


def text_task(text: str, *, priority: str | None = None) -> bytes:
    """The body of a task of one text."""
    given = {"priority": priority} if priority is not None else {}
    return orjson.dumps({"task_type": "text_vectorization", "data": text, **given})


def batch_task(
    texts: Sequence[str], task_id: str | None = None, *, priority: str | None = None
) -> bytes:
    """The body of a task of many texts."""
    named = {"task_id": task_id, "priority": priority}
    given = {name: value for name, value in named.items() if value is not None}
    return orjson.dumps({"task_type": "batch_vectorization", "data": list(texts), **given})
