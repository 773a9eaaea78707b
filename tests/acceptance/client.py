"""A client that submits, remembers what was accepted, and looks at what came of it."""

import asyncio
import itertools
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import aiohttp
import orjson

from tests.harness import PATIENCE_S, until
from tests.harness.fleet import Process

RANK = {"pending": 0, "processing": 1, "completed": 2, "failed": 2, "cancelled": 2, "expired": 2}
FINAL = {state for state, rank in RANK.items() if rank == 2}


@dataclass(frozen=True)
class Answer:
    """Status, headers and parsed body of one response."""

    status: int
    body: Any
    headers: Mapping[str, str]


@dataclass
class Client:
    """Talks to one or several masters; `tasks` maps each accepted id to its number of items."""

    masters: Sequence[Process]
    collection: str
    tasks: dict[str, int] = field(default_factory=dict)
    _http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=200, force_close=False)
        self._http = aiohttp.ClientSession(
            connector=connector, timeout=aiohttp.ClientTimeout(total=75)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._http is not None
        await self._http.close()
        await asyncio.sleep(0)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        at: Process | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request; raises aiohttp.ClientError where nobody answers."""
        assert self._http is not None
        url = (at or self.masters[0]).url + path
        async with self._http.request(method, url, json=json, headers=headers) as answer:
            raw = await answer.read()
            return Answer(answer.status, orjson.loads(raw) if raw else None, dict(answer.headers))

    def body(self, texts: Sequence[str], **fields: object) -> dict[str, object]:
        """The body of a batch task over `texts`."""
        return {
            "task_type": "batch_vectorization",
            "data": list(texts),
            "collection": self.collection,
            **fields,
        }

    async def submit(
        self, texts: Sequence[str], *, at: Process | None = None, **fields: object
    ) -> str:
        """Submit a batch task once; it must be accepted."""
        answer = await self.ask("POST", "/tasks/submit", at=at, json=self.body(texts, **fields))
        assert answer.status == 202, answer
        task_id = str(answer.body["task_id"])
        self.tasks[task_id] = len(texts)
        return task_id

    async def submit_stubbornly(
        self, texts: Sequence[str], key: str, *, at: Iterable[Process] | None = None
    ) -> str:
        """Submit under an idempotency key, again and again, here and there, until accepted."""
        for master in itertools.cycle(list(at or self.masters)):
            try:
                answer = await self.ask(
                    "POST",
                    "/tasks/submit",
                    at=master,
                    json=self.body(texts),
                    headers={"Idempotency-Key": key},
                )
            except (aiohttp.ClientError, TimeoutError, ConnectionError):
                await asyncio.sleep(0.2)
                continue
            if answer.status in {200, 202}:
                task_id = str(answer.body["task_id"])
                self.tasks[task_id] = len(texts)
                return task_id
            assert answer.status in {429, 500, 502, 503, 504}, answer
            await asyncio.sleep(0.2)
        raise AssertionError

    async def submit_many(self, tasks: int, items: int, *, at: Process | None = None) -> list[str]:
        """Submit `tasks` batch tasks of `items` texts each."""
        gate = asyncio.Semaphore(16)
        run = random.randrange(16**8)

        async def one(number: int) -> str:
            async with gate:
                return await self.submit(texts_of(f"{run:x}-{number}", items), at=at)

        return await asyncio.gather(*(one(number) for number in range(tasks)))

    async def task(self, task_id: str, *, at: Process | None = None) -> dict[str, Any]:
        """Read a task that must be readable now."""
        answer = await self.ask("GET", f"/tasks/{task_id}", at=at)
        assert answer.status == 200, answer
        return dict(answer.body)

    async def stored(self, *, at: Process | None = None) -> int:
        """How many items of all accepted tasks are stored, as far as the masters say."""
        found = await asyncio.gather(*(self.patient_task(task_id, at=at) for task_id in self.tasks))
        return sum(int(task["completed_items"]) for task in found)

    @property
    def items(self) -> int:
        """How many items all accepted tasks have."""
        return sum(self.tasks.values())

    async def some_stored(self, least: int) -> int:
        """Wait until `least` items are stored; there must be more to come, or it shows nothing."""

        async def enough() -> int | None:
            stored = await self.stored()
            return stored if stored >= least else None

        stored = int(await until(f"{least} items are stored", enough))
        assert stored < self.items, "everything was stored already: too late to show anything"
        return stored

    async def patient_task(
        self, task_id: str, *, at: Process | None = None, limit_s: float = PATIENCE_S
    ) -> dict[str, Any]:
        """Read a task, waiting out a 503 (an owner is away); anything else but 200 fails."""
        masters = itertools.cycle([at] if at else self.masters)

        async def read() -> dict[str, Any] | None:
            try:
                answer = await self.ask("GET", f"/tasks/{task_id}", at=next(masters))
            except (aiohttp.ClientError, TimeoutError, ConnectionError):
                return None
            assert answer.status in {200, 503}, answer
            return dict(answer.body) if answer.status == 200 else None

        found = await until(f"task {task_id} can be read", read, limit_s=limit_s)
        return dict(found)

    async def as_many_completed(self, limit_s: float = PATIENCE_S) -> None:
        """Wait until the list counts as many completed tasks as were accepted.

        For thousands of tasks: reading each again and again would be a load of its own, and a read
        of a task that is not known yet makes its owner look for it.
        """

        async def counted() -> bool:
            answer = await self.ask("GET", "/tasks?status_filter=completed&page_size=1")
            return answer.status == 200 and answer.body["total"] >= len(self.tasks)

        await until(f"{len(self.tasks)} tasks are completed", counted, limit_s=limit_s)

    async def all_final(self, limit_s: float = PATIENCE_S) -> dict[str, dict[str, Any]]:
        """Wait until every accepted task is final; return them as they then are."""
        final: dict[str, dict[str, Any]] = {}

        async def look() -> bool:
            rest = [task_id for task_id in self.tasks if task_id not in final]
            gate = asyncio.Semaphore(32)

            async def one(task_id: str) -> None:
                async with gate:
                    task = await self.patient_task(task_id, limit_s=limit_s)
                if task["status"] in FINAL:
                    final[task_id] = task

            await asyncio.gather(*(one(task_id) for task_id in rest))
            return len(final) == len(self.tasks)

        try:
            await until("every task is final", look, limit_s=limit_s)
        except AssertionError:
            rest = [task_id for task_id in self.tasks if task_id not in final]
            shown = [await self.patient_task(task_id) for task_id in rest[:3]]
            raise AssertionError(f"{len(rest)} tasks are not final, such as {shown}") from None
        return final

    async def all_completed(self, limit_s: float = PATIENCE_S) -> dict[str, dict[str, Any]]:
        """Wait until every accepted task is completed with all its items stored, and no more."""
        final = await self.all_final(limit_s)
        for task_id, task in final.items():
            told = (task["status"], task["total_items"], task["completed_items"])
            assert told == ("completed", self.tasks[task_id], self.tasks[task_id]), task
            assert task["failed_items"] == 0
            assert task["progress"] == 1.0
        return final


def texts_of(name: str, count: int) -> list[str]:
    """`count` texts, each different from every other of any name."""
    return [f"{name} text number {number} says {number * 7919 % 104729}" for number in range(count)]


@dataclass
class Watch:
    """What a reader saw: each task read again and again through all masters in turn."""

    client: Client
    sightings: int = 0
    unavailable: int = 0
    wrong: list[str] = field(default_factory=list)
    _last: dict[str, tuple[int, float, int, int]] = field(default_factory=dict)

    async def _look(self, task_id: str, master: Process) -> None:
        try:
            answer = await self.client.ask("GET", f"/tasks/{task_id}", at=master)
        except (aiohttp.ClientError, TimeoutError, ConnectionError):
            self.unavailable += 1
            await asyncio.sleep(0.05)
            return
        if answer.status == 503:
            self.unavailable += 1
            return
        if answer.status != 200:
            self.wrong.append(f"{task_id} at {master.name}: {answer}")
            return
        self.sightings += 1
        self._judge(task_id, master, answer.body)

    def _judge(self, task_id: str, master: Process, task: Mapping[str, Any]) -> None:
        now = (
            RANK[task["status"]],
            float(task["progress"]),
            int(task["completed_items"]),
            int(task["failed_items"]),
        )
        before = self._last.get(task_id)
        if before is not None and any(new < old for new, old in zip(now, before, strict=True)):
            self.wrong.append(f"{task_id} at {master.name} went back from {before} to {now}")
        self._last[task_id] = now

    async def _read_for_ever(self, lane: int, lanes: int) -> None:
        masters: Iterator[Process] = itertools.cycle(self.client.masters)
        while True:
            mine = [
                task_id for at, task_id in enumerate(list(self.client.tasks)) if at % lanes == lane
            ]
            for task_id in mine:
                await self._look(task_id, next(masters))
                await asyncio.sleep(0.01)
            # An even number of tasks would meet the same master each time.
            next(masters)
            await asyncio.sleep(0.02)


@asynccontextmanager
async def watching(client: Client, lanes: int = 4) -> Any:
    """Read all tasks all the while; at the end nothing may have gone backwards or missing."""
    watch = Watch(client)
    readers = [asyncio.create_task(watch._read_for_ever(lane, lanes)) for lane in range(lanes)]
    try:
        yield watch
        ended = [reader for reader in readers if reader.done()]
        for reader in ended:
            reader.result()
    finally:
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
    assert not watch.wrong, watch.wrong[:5]
    assert watch.sightings > len(client.tasks), "the reader hardly read anything"
