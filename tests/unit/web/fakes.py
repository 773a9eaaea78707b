"""Tiny fakes of all that lies below a master's HTTP side."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from embedding.catalog import Catalog, ModelEntry
from models.blob_refs import BlobRef
from models.dead_letters import DeadLetter, DeadPage, Redriven
from models.encoding import EncodeOptions
from models.errors import (
    BrokerUnavailable,
    LetterCut,
    LetterNotFound,
    NoEmbedWorker,
    OwnerUnavailable,
    VectorStoreUnavailable,
)
from models.metrics import Tally
from models.paging import Page, PageQuery, cursor_of
from models.rows import TaskRow
from models.splitting import TaskLimits
from models.states import TaskState
from models.task_options import input_type_of, task_options
from models.tasks import TaskRequest, body_hash
from models.units import ItemFailure, SourcePlace
from models.vectors import Hit, Passport, Space, StoredVector, Vector
from models.workers import WorkerBeat
from stores.blob_errors import BlobsUnavailable, BlobTooLarge
from web.limits import WebLimits

MODEL = ModelEntry(
    name="tiny",
    revision="1",
    dimension=4,
    matryoshka=(2,),
    max_tokens=16,
    backend="hashing",
    prompts={"query": "query: ", "clustering": "cluster: "},
)
OTHER = ModelEntry(name="other", revision="1", dimension=8, max_tokens=16, backend="hashing")
CLIP = ModelEntry(
    name="clip", kind="clip", revision="1", dimension=4, max_tokens=16, backend="hashing"
)
CATALOG = Catalog([MODEL, OTHER, CLIP], MODEL.name)
LIMITS = WebLimits(
    task=TaskLimits(
        max_items=10_000, max_text_bytes=1000, max_metadata_bytes=200, max_file_bytes=5000
    ),
    inline_file_bytes=100,
    max_upload_bytes=20_000,
    read_timeout_s=0.5,
    verdict_timeout_s=0.3,
    max_wait_s=5,
    max_batch_tasks=5,
)


class FakeBoard:
    """Rows in a dict; `away` is an owner in a rebalance."""

    def __init__(self) -> None:
        self.rows: dict[str, TaskRow] = {}
        self.failures: dict[str, list[ItemFailure]] = {}
        self.away = False
        self.asked: list[str] = []

    def accept(self, request: TaskRequest, place: SourcePlace) -> None:
        assert request.task_id is not None
        self.rows.setdefault(request.task_id, row_of(request, place))

    def change(self, task_id: str, **changes: Any) -> TaskRow:
        self.rows[task_id] = self.rows[task_id].model_copy(update=changes)
        return self.rows[task_id]

    async def row(
        self, task_id: str, *, until_final_s: float = 0.0, **after: Any
    ) -> TaskRow | None:
        self.asked.append(task_id)
        left = until_final_s
        while (row := self._row(task_id)) and not row.is_final and left > 0:
            await asyncio.sleep(0.01)
            left -= 0.01
        return row

    def _row(self, task_id: str) -> TaskRow | None:
        if self.away:
            raise OwnerUnavailable
        return self.rows.get(task_id)

    def page(self, query: PageQuery) -> Page:
        if self.away:
            raise OwnerUnavailable
        rows = sorted(self.rows.values(), key=cursor_of, reverse=True)
        rows = [row for row in rows if query.state in {None, row.state}]
        behind = [row for row in rows if not query.before or cursor_of(row) < query.before]
        return Page(rows=behind[query.skip : query.skip + query.limit], total=len(rows))

    def tally(self) -> Tally:
        states = [row.state for row in self.rows.values()]
        return Tally(states={state: states.count(state) for state in TaskState})

    def errors(self, row: TaskRow) -> list[ItemFailure]:
        return self.failures.get(row.task_id, [])


def row_of(request: TaskRequest, place: SourcePlace, **changes: Any) -> TaskRow:
    entry = CATALOG.resolve(request.model_name)
    options = task_options(request, entry)
    facts = {
        "task_id": request.task_id,
        "version": 1,
        "state": TaskState.PENDING,
        "source": place,
        "body_hash": body_hash(request),
        "task_type": request.task_type,
        "model": entry.name,
        "fingerprint": entry.passport_of(options).fingerprint,
        "collection": request.collection or entry.collection,
        "options": options,
        "input_type": input_type_of(request),
        "encoding": request.encoding,
        "lane": request.lane,
        "own_ids": request.item_ids is not None,
        "metadata": request.metadata,
        "retry_of": request.retry_of,
        "submitted_ms": request.submitted_ms,
        "last_event_ms": request.submitted_ms,
        "total_items": len(request.texts),
        "total_units": 1,
    }
    return TaskRow.model_validate({**facts, **changes})


class FakeLog:
    """Records in a list, folded at once; `down` is a broker that is away."""

    def __init__(self, board: FakeBoard) -> None:
        self.board = board
        self.records: list[TaskRequest] = []
        self.down = False
        self.cancel_folds = True
        self.kept = True

    async def submit(self, request: TaskRequest) -> SourcePlace:
        if self.down:
            raise BrokerUnavailable
        await asyncio.sleep(0)
        self.records.append(request)
        place = SourcePlace(partition=0, offset=len(self.records) - 1)
        self.board.accept(request, place)
        return place

    async def cancel(self, task_id: str) -> int:
        row = self.board.rows[task_id]
        if self.cancel_folds and not row.is_final:
            self.board.change(task_id, state=TaskState.CANCELLED, finished_ms=row.submitted_ms + 5)
        return 7

    async def source(self, place: SourcePlace) -> TaskRequest | None:
        return self.records[place.offset] if self.kept else None


@dataclass
class FakeOwners:
    """Who owns what; nothing said means this process owns all."""

    urls: dict[str, str] = field(default_factory=dict)
    all: list[str | None] = field(default_factory=lambda: [None])
    away: bool = False

    def url_of(self, task_id: str) -> str | None:
        if self.away:
            raise OwnerUnavailable
        return self.urls.get(task_id)

    def peers(self) -> list[str | None]:
        if self.away:
            raise OwnerUnavailable
        return self.all


class FakeBlobs:
    """Keeps everything; `down` is an outage."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}
        self.down = False

    async def put(self, content: bytes) -> BlobRef:
        if self.down:
            raise BlobsUnavailable("the blob store is away")
        ref = BlobRef.of(content)
        self.held[str(ref)] = content
        return ref

    async def put_stream(self, chunks: AsyncIterator[bytes], max_bytes: int) -> BlobRef:
        content = b""
        async for chunk in chunks:
            content += chunk
            if len(content) > max_bytes:
                raise BlobTooLarge(limit=max_bytes)
        return await self.put(content)


@dataclass
class FakeCache:
    """Final rows; `alive` is what a ping says."""

    rows: dict[str, TaskRow] = field(default_factory=dict)
    alive: bool = True

    async def get(self, task_id: str) -> TaskRow | None:
        return self.rows.get(task_id)

    async def ping(self) -> bool:
        return self.alive


@dataclass
class FakeVectors:
    """Stored vectors by task and index; searches find `hits`."""

    stored: dict[str, dict[int, StoredVector]] = field(default_factory=dict)
    hits: list[Hit] = field(default_factory=list)
    alive: bool = True
    searched: list[tuple[Space, list[float], int, Mapping[str, Any]]] = field(default_factory=list)

    async def results(
        self, space: Space, task_id: str, *, first: int, count: int, with_vectors: bool
    ) -> dict[int, StoredVector]:
        if not self.alive:
            raise VectorStoreUnavailable
        found = self.stored.get(task_id, {})
        return {at: found[at] for at in range(first, first + count) if at in found}

    async def search(
        self, space: Space, vector: Vector, *, limit: int, where: Mapping[str, Any]
    ) -> list[Hit]:
        if not self.alive:
            raise VectorStoreUnavailable
        self.searched.append((space, vector.tolist(), limit, where))
        return self.hits[:limit]

    async def ping(self) -> bool:
        return self.alive


@dataclass
class FakeWorkers:
    """Who is alive; also answers as embed worker and as readiness."""

    beats: list[WorkerBeat] = field(
        default_factory=lambda: [
            WorkerBeat(worker="w1", roles=["extract", "embed", "store"], at_ms=1)
        ]
    )
    waiting_for: dict[str, str | None] = field(default_factory=lambda: {"kafka": None})
    kafka: bool = True
    asked: list[tuple[Passport, EncodeOptions]] = field(default_factory=list)

    def active(self) -> list[WorkerBeat]:
        return self.beats

    async def embed(
        self, passport: Passport, options: EncodeOptions, text: str, timeout_s: float
    ) -> Vector:
        if not self.beats:
            raise NoEmbedWorker
        self.asked.append((passport, options))
        return np.array([len(text), 1, 0, 0], dtype=np.float32)[: passport.dimension]

    def reasons(self) -> dict[str, str | None]:
        return self.waiting_for

    async def broker_connected(self) -> bool:
        return self.kafka


class FakeQueue:
    """So many tasks wait, the oldest for so long."""

    waiting = 0
    age_s = 0.0

    def tasks(self) -> int:
        return self.waiting

    def oldest_s(self) -> float:
        return self.age_s


class FakeShelf:
    """Dead letters in memory; `sent` are those that were sent back."""

    def __init__(self) -> None:
        self.letters: dict[int, DeadLetter] = {}
        self.sent: list[int] = []

    async def page(self, *, limit: int, before: int | None, reason: str | None) -> DeadPage:
        numbers = [
            number
            for number, letter in sorted(self.letters.items(), reverse=True)
            if (before is None or number < before) and reason in (None, letter.reason)
        ]
        rest = numbers[limit:]
        letters = [self.letters[number] for number in numbers[:limit]]
        return DeadPage(letters, rest[0] + 1 if rest else None)

    async def letter(self, number: int) -> DeadLetter:
        if number not in self.letters:
            raise LetterNotFound(number)
        return self.letters[number]

    async def redrive(self, number: int) -> Redriven:
        letter = await self.letter(number)
        if letter.cut_from_bytes is not None:
            raise LetterCut(number)
        self.sent.append(number)
        return Redriven(letter.source_topic, partition=3, offset=17)
