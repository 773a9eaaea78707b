"""One trial: a stack and processes of its own, clients at work, faults on a schedule, a verdict."""

import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator, Callable, Container, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

from scripts.stack import StackState, start_stack, stop_stack
from tests.faults.checker import Verdict, check
from tests.faults.clients import Clients, read_for_ever
from tests.faults.failing import REFUSED
from tests.faults.forgetting import history_without, view_without
from tests.faults.history import HistoryWriter, read_history
from tests.faults.net import Net, proxied
from tests.faults.orders import VARIABLE, Faults
from tests.faults.reference import Reference
from tests.faults.rules_of_results import orphans
from tests.faults.sampling import Sampler, sampling
from tests.faults.seeing import look
from tests.faults.view import SystemView
from tests.harness.fleet import Fleet, Process
from tests.harness.poison import EATS, EXITS, HANGS, RAISES

#: A submit that is refused for so long, again and again, tells that the service does not recover.
SUBMIT_LIMIT_S = 120.0
READERS = 2
#: How long vectors of cancelled tasks may be there after the drain.
SWEEP_LIMIT_S = 30.0
#: A task is cancelled within so long after it was accepted.
MOST_CANCEL_S = 1.5
COMMAND = [sys.executable, "-m", "tests.faults.root", "-A", "faust_app", "worker", "-l", "info"]
ROLES = ("master", "master", "embed", "embed", "store", "store")


@dataclass(frozen=True, slots=True)
class Shape:
    """What a trial runs on, and what it is given to do."""

    tasks: int
    texts: int
    model: str = "test/hashing-64"
    roles: Sequence[str] = ROLES
    submitters: int = 12
    look_s: float = 0.1
    """Between two looks of a submitter at its task."""
    settings: Mapping[str, str] = field(default_factory=dict)
    faults: Faults | None = None
    """What goes wrong within the processes; None: they are the service as it is."""
    bad_share: float = 0.0
    """Share of tasks with a text that is to fail."""
    bad: str = RAISES
    """What such a text holds."""
    cancel_share: float = 0.0
    """Share of tasks that are cancelled at a moment of chance."""
    fields: Mapping[str, object] = field(default_factory=dict)
    """What else each task asks for."""
    proxied: bool = False
    """Whether proxies stand before the servers, for the network to be harmed."""
    patience_s: float = 60.0
    """How long one task may take, and the drain at the end, before it counts as lost."""


@dataclass
class Rig:
    """What a trial has in hand."""

    shape: Shape
    stack: StackState
    fleet: Fleet
    clients: Clients
    sampler: Sampler
    net: Net
    dice: random.Random
    say: Callable[[str], None]
    unrecovered: int = 0
    """Faults after which work did not go on in time."""
    measured: dict[str, list[float]] = field(default_factory=dict)
    """What faults measured by the way."""
    struck_ns: list[tuple[int, int]] = field(default_factory=list)
    """From when to when each fault and its healing lasted, on the history's clock."""

    def start_another(self, role: str) -> Process:
        """Start one more process like those of this role."""
        return self.fleet.add(role, command=COMMAND if self.shape.faults else None)

    @property
    def masters(self) -> list[Process]:
        """The processes that serve the API."""
        return self.of("master")

    def of(self, role: str) -> list[Process]:
        """The processes of a role."""
        return [each for each in self.fleet.processes if each.name.startswith(role)]

    async def load(self, enough: asyncio.Event, *, first: int = 0) -> None:
        """Keep `submitters` tasks in flight until `tasks` were done and it is `enough`.

        Each submitter waits for its task's end before it sends the next: the system is busy all
        the while, and what waits in it is bounded. Tasks are numbered from `first`.
        """
        numbers = count(first)
        await asyncio.gather(
            *(
                self._submit(f"submitter-{at}", numbers, enough)
                for at in range(self.shape.submitters)
            )
        )

    async def _submit(self, client: str, numbers: Iterator[int], enough: asyncio.Event) -> None:
        for number in numbers:
            if number >= self.shape.tasks and enough.is_set():
                return
            texts, key = self._texts(number), f"{self.fleet.prefix}-{number}"
            try:
                async with asyncio.timeout(SUBMIT_LIMIT_S):
                    task_id = await self.clients.submit(client, key, texts, **self.shape.fields)
            except TimeoutError:
                self.unrecovered += 1  # nobody takes anything any more
                return
            assert task_id is not None, "a good task was refused"
            if self.dice.random() < self.shape.cancel_share:
                await asyncio.sleep(self.dice.uniform(0, MOST_CANCEL_S))
                await self.clients.cancel(client, task_id)
            with suppress(TimeoutError):  # whether it is lost is judged at the end
                async with asyncio.timeout(self.shape.patience_s):
                    await self.clients.until_final(client, task_id, look_s=self.shape.look_s)

    def _texts(self, number: int) -> list[str]:
        texts = texts_of(number, self.shape.texts)
        if self.dice.random() < self.shape.bad_share:
            at = self.dice.randrange(len(texts))
            texts[at] = f"{texts[at]} {self.shape.bad}"
        return texts

    async def judge(self, gone: Mapping[str, str] | None = None) -> Verdict:
        """Drain, look at everything, and judge the history by it.

        Of tasks `gone`, that is final for so long that they may be purged, each with its state,
        only the commits are judged.
        """
        gone = gone or {}
        for task in gone:
            self.clients.acked.pop(task, None)
        began_s = time.monotonic()
        await self.fleet.all_ready()
        states = await self.clients.all_final(self.shape.patience_s)
        missing = len(self.clients.acked) - len(states)
        self.say(f"  drained in {time.monotonic() - began_s:.0f} s, {missing} not final")
        view = await self._swept_view(gone)
        final = {**gone, **{task: each.state for task, each in view.tasks.items()}}
        view = replace(view, commits=await self.sampler.judged(final))
        reference = await asyncio.to_thread(Reference, self.shape.model)
        history = read_history(self.clients.history.path)
        verdict = await asyncio.to_thread(
            check,
            history_without(gone, history),
            view_without(gone, view),
            self.clients.acked,
            reference,
            bad=is_bad,
        )
        return replace(verdict, acked=verdict.acked + len(gone))

    async def _swept_view(self, gone: Container[str]) -> SystemView:
        """What the system says, once what was cancelled is swept, or had the time to be."""
        until_s = time.monotonic() + SWEEP_LIMIT_S
        while True:
            view = await look(self.stack, self.fleet.prefix, self.clients)
            if not any(orphans(view_without(gone, view))) or time.monotonic() > until_s:
                return view
            await asyncio.sleep(1)


@asynccontextmanager
async def rig(
    shape: Shape, folder: Path, *, seed: int, say: Callable[[str], None]
) -> AsyncIterator[Rig]:
    """Start everything, readers too; end everything, whatever happened."""
    state = await asyncio.to_thread(start_stack, folder / "stack", ephemeral=True)
    try:
        async with _net(shape, state, seed) as net:
            fleet = Fleet(net.before(state), folder, **settings_of(shape))
            try:
                for role in shape.roles:
                    fleet.add(role, command=COMMAND if shape.faults else None)
                for each in fleet.processes:
                    await each.ready()  # one that ends at its start is told as that
                await fleet.all_ready()
                async with (
                    _clients(fleet, folder, seed) as clients,
                    sampling(state, fleet.prefix) as sampler,
                ):
                    dice = random.Random(seed)
                    yield Rig(shape, state, fleet, clients, sampler, net, dice, say)
            finally:
                fleet.end()
    finally:
        await asyncio.to_thread(stop_stack, state.directory)


@asynccontextmanager
async def _net(shape: Shape, state: StackState, seed: int) -> AsyncIterator[Net]:
    """Proxies where they are wanted, nothing otherwise."""
    if not shape.proxied:
        yield Net({})
        return
    async with proxied(state, random.Random(f"{seed} net")) as net:
        yield net


def settings_of(shape: Shape) -> dict[str, str]:
    """Environment variables of every process."""
    told = {VARIABLE: shape.faults.model_dump_json()} if shape.faults else {}
    return {
        "VECTORIZE_MASTER_TASK_DEFAULT_MODEL": shape.model,
        # The sweep that sends units again must have no part in it: what is lost stays lost.
        "VECTORIZE_MASTER_TASK_STALLED_AFTER_S": "3600",
        **told,
        **shape.settings,
    }


@asynccontextmanager
async def _clients(fleet: Fleet, folder: Path, seed: int) -> AsyncIterator[Clients]:
    masters = [each for each in fleet.processes if each.name.startswith("master")]
    history = HistoryWriter(folder / "history.jsonl", time.monotonic_ns)
    dice = random.Random(f"{seed} clients")
    async with Clients(masters, fleet.collection, history, dice) as clients:
        readers = [
            asyncio.create_task(read_for_ever(clients, f"reader-{at}")) for at in range(READERS)
        ]
        try:
            yield clients
        finally:
            for reader in readers:
                reader.cancel()
            ended = await asyncio.gather(*readers, return_exceptions=True)
            history.close()
        for error in ended:
            if not isinstance(error, asyncio.CancelledError):
                raise RuntimeError("a reader ended by itself") from error  # noqa: TRY004


def is_bad(text: str) -> bool:
    """Tell a text that is to fail: the model raises over it, or worse, or Weaviate refuses it."""
    return any(kind in text for kind in (EXITS, HANGS, EATS, RAISES, REFUSED))


def texts_of(number: int, count: int) -> list[str]:
    """The texts of task `number`: each differs from every other of the trial."""
    return [
        f"task {number} text {index} tells of {(number * 7919 + index * 104_729) % 1_000_003}"
        for index in range(count)
    ]
