"""Clients that submit, read and cancel while things break, and write down all they are told.

A submit carries an idempotency key and is sent again until it is accepted or refused, each try a
note of its own; what timed out or met a 5xx is `unknown`, for it may have happened.
"""

import asyncio
import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import aiohttp
import orjson

from tests.faults.history import HistoryWriter, Note, Op, Phase
from tests.harness.fleet import Process

#: Statuses that say no more than that it did not work now.
UNKNOWN_FROM = 500
REFUSED_FROM = 400
OK = 200
BUSY = 429
PAUSE_S = 0.2
TIMEOUT_S = 20.0
FINAL = frozenset({"completed", "failed", "cancelled", "expired"})
ERRORS = (aiohttp.ClientError, TimeoutError, ConnectionError)


@dataclass(frozen=True, slots=True)
class Told:
    """An answer: its status, its body where that is an object, and its Retry-After."""

    status: int
    body: Mapping[str, Any]
    retry_after: str | None = None


@dataclass
class Clients:
    """Some clients of some masters; `acked` maps each accepted task to its texts."""

    masters: Sequence[Process]
    collection: str
    history: HistoryWriter
    dice: random.Random
    acked: dict[str, Sequence[str]] = field(default_factory=dict)
    _http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=200),
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._http is not None
        await self._http.close()

    async def submit(
        self, client: str, key: str, texts: Sequence[str], **fields: object
    ) -> str | None:
        """Submit until accepted; give the task's id, or None where it was refused for good."""
        one = len(texts) == 1
        body = {
            "task_type": "text_vectorization" if one else "batch_vectorization",
            "data": texts[0] if one else list(texts),
            "collection": self.collection,
            **fields,
        }
        masters = itertools.cycle(self.dice.sample(list(self.masters), len(self.masters)))
        while True:
            note = Note(client=client, op=Op.SUBMIT, key=key, texts=len(texts))
            told = await self._noted(
                note, "POST", "/tasks/submit", next(masters), json=body, key=key
            )
            if told is not None and told.status in {200, 202}:
                task_id = str(told.body["task_id"])
                self.acked[task_id] = list(texts)
                return task_id
            if told is not None and told.status < UNKNOWN_FROM and told.status != BUSY:
                return None
            await asyncio.sleep(PAUSE_S)

    async def try_once(self, client: str, key: str, text: str) -> Told | None:
        """Submit one text, once; give the answer, None where there was none."""
        body = {"task_type": "text_vectorization", "data": text, "collection": self.collection}
        note = Note(client=client, op=Op.SUBMIT, key=key, texts=1)
        master = self.dice.choice(self.masters)
        told = await self._noted(note, "POST", "/tasks/submit", master, json=body, key=key)
        if told is not None and told.status in {200, 202}:
            self.acked[str(told.body["task_id"])] = [text]
        return told

    async def read(self, client: str, task_id: str, *, at: Process | None = None) -> str | None:
        """Read a task once, at this master or any; give its state where it was told."""
        note = Note(client=client, op=Op.READ, task=task_id)
        master = at or self.dice.choice(self.masters)
        told = await self._noted(note, "GET", f"/tasks/{task_id}", master)
        return str(told.body["status"]) if told is not None and told.status == OK else None

    async def until_final(self, client: str, task_id: str, *, look_s: float) -> str:
        """Read a task again and again until it is final; give its state."""
        while (state := await self.read(client, task_id)) not in FINAL:  # noqa: ASYNC110  # HTTP
            await asyncio.sleep(look_s)
        return str(state)

    async def cancel(self, client: str, task_id: str) -> int | None:
        """Ask once for a task's end; give the status."""
        note = Note(client=client, op=Op.CANCEL, task=task_id)
        told = await self._noted(
            note, "DELETE", f"/tasks/{task_id}", self.dice.choice(self.masters)
        )
        return None if told is None else told.status

    async def _noted(
        self, note: Note, method: str, path: str, master: Process, **more: Any
    ) -> Told | None:
        """Send one request; write down that it began, and what came of it."""
        note = self.history.add(note)
        try:
            told = await self.ask(method, master.url + path, **more)
        except ERRORS:
            self.history.add(note.ended(Phase.UNKNOWN))
            return None
        self.history.add(_ended(note, told))
        return told

    async def ask(
        self, method: str, url: str, *, json: object = None, key: str | None = None
    ) -> Told:
        """Send one request that is not written down."""
        assert self._http is not None
        headers: Mapping[str, str] = {"Idempotency-Key": key} if key else {}
        async with self._http.request(method, url, json=json, headers=headers) as answer:
            raw = await answer.read()
            parsed = orjson.loads(raw) if "json" in answer.content_type else {}
            body = parsed if isinstance(parsed, dict) else {}
            return Told(answer.status, body, answer.headers.get("Retry-After"))

    async def all_final(self, limit_s: float) -> dict[str, str]:
        """Wait until every accepted task is final; give the states of those that are."""
        states: dict[str, str] = {}
        async with asyncio.timeout(limit_s) as limit:
            try:
                while len(states) < len(self.acked):
                    await self._look(states)
                    await asyncio.sleep(PAUSE_S)
            except asyncio.CancelledError:
                if not limit.expired():
                    raise
                return states
        return states

    async def _look(self, states: dict[str, str]) -> None:
        gate = asyncio.Semaphore(16)

        async def one(task_id: str) -> None:
            async with gate:
                state = await self.read("drain", task_id)
            if state in FINAL:
                states[task_id] = state

        rest = [task_id for task_id in self.acked if task_id not in states]
        await asyncio.gather(*(one(task_id) for task_id in rest))


def _ended(note: Note, told: Told) -> Note:
    """The note of an operation's end: what its answer says."""
    status, body = told.status, told.body
    if status >= UNKNOWN_FROM or status == BUSY:
        return note.ended(Phase.UNKNOWN, status=status)
    if status >= REFUSED_FROM:
        return note.ended(Phase.FAIL, status=status)
    return note.ended(
        Phase.OK,
        status=status,
        task=str(body["task_id"]),
        state=str(body["status"]),
        progress=body.get("progress"),
        stored=body.get("completed_items"),
        failed=body.get("failed_items"),
    )


async def read_for_ever(clients: Clients, name: str) -> None:
    """Read tasks picked at random, the young ones more often, until cancelled."""
    while True:
        known = list(clients.acked)
        if known:
            young = known[-50:]
            await clients.read(name, clients.dice.choice(young))
            await clients.read(name, clients.dice.choice(known))
        await asyncio.sleep(0.05)
