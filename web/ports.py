"""What the HTTP side needs of the rest, as ports of a few verbs; `streams` and `stores` fill them.

Every method that waits is bounded by its implementation or by the caller named in its docstring.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from pydantic import JsonValue

from models.blob_refs import BlobRef
from models.dead_letters import DeadLetter, DeadPage, Redriven
from models.encoding import EncodeOptions
from models.metrics import Tally
from models.paging import Page, PageQuery
from models.rows import TaskRow
from models.tasks import TaskRequest
from models.units import ItemFailure, SourcePlace
from models.vectors import Hit, Passport, Space, StoredVector, Vector
from models.workers import WorkerBeat


class TaskLog(Protocol):
    """The ways onto the log; each returns after the broker's acknowledgement."""

    async def submit(self, request: TaskRequest) -> SourcePlace:
        """Put a task on the log; raise BrokerUnavailable: the outcome is unknown."""

    async def cancel(self, task_id: str) -> int:
        """Ask for a task's end; return the request's offset. Raises BrokerUnavailable."""

    async def source(self, place: SourcePlace) -> TaskRequest | None:
        """Read a task's own record again; None where retention took it."""


class Blobs(Protocol):
    """Where files lie that are too large for a record."""

    async def put(self, content: bytes) -> BlobRef:
        """Keep `content`; raises BlobsUnavailable."""

    async def put_stream(self, chunks: AsyncIterator[bytes], max_bytes: int) -> BlobRef:
        """Keep what comes; raises BlobTooLarge and BlobsUnavailable, and nothing is kept."""


class Queue(Protocol):
    """What waits in the service."""

    def tasks(self) -> int:
        """About how many tasks are not final."""

    def oldest_s(self) -> float:
        """How long the task has waited that waits longest."""


class DeadLetterShelf(Protocol):
    """The dead letters; every call may raise BrokerUnavailable."""

    async def page(self, *, limit: int, before: int | None, reason: str | None) -> DeadPage:
        """List letters, the newest first, those before number `before`, of one `reason`."""

    async def letter(self, number: int) -> DeadLetter:
        """Read one; raise LetterNotFound."""

    async def redrive(self, number: int) -> Redriven:
        """Send one back to its source; raise LetterNotFound or LetterCut."""


class Board(Protocol):
    """The rows this process owns."""

    async def row(
        self,
        task_id: str,
        *,
        after_source: SourcePlace | None = None,
        after_event: int | None = None,
        until_final_s: float = 0.0,
    ) -> TaskRow | None:
        """Read a row once all up to the given places is folded; None: there is no such task.

        `until_final_s` holds the call until the task is final or that time is over. Raises
        OwnerUnavailable where this process is not the owner, or not far enough in time.
        """

    def page(self, query: PageQuery) -> Page:
        """List owned tasks newest first; raise OwnerUnavailable while taking over."""

    def tally(self) -> Tally:
        """Add up what is owned; raise OwnerUnavailable while taking over."""

    def errors(self, row: TaskRow) -> list[ItemFailure]:
        """List the reasons of a task's failed items, by item; raise OwnerUnavailable."""


class Owners(Protocol):
    """Which master owns what."""

    def url_of(self, task_id: str) -> str | None:
        """The owner's base URL; None where it is this process. Raises OwnerUnavailable."""

    def peers(self) -> list[str | None]:
        """Each owner once, None for this process; OwnerUnavailable where a partition has none."""


class RowCache(Protocol):
    """Rows that never change again; a miss where the cache is away."""

    async def get(self, task_id: str) -> TaskRow | None:
        """The task's final row, None where it is not kept."""

    async def ping(self) -> bool:
        """Tell whether the cache answers."""


class VectorReader(Protocol):
    """Where vectors are read and searched; both raise VectorStoreUnavailable."""

    async def results(
        self, space: Space, task_id: str, *, first: int, count: int, with_vectors: bool
    ) -> Mapping[int, StoredVector]:
        """This task's objects with indexes in [`first`, `first + count`), by index."""

    async def search(
        self, space: Space, vector: Vector, *, limit: int, where: Mapping[str, JsonValue]
    ) -> Sequence[Hit]:
        """The `limit` objects nearest to `vector` that meet `where`, best first."""

    async def ping(self) -> bool:
        """Tell whether the store answers."""


class Asker(Protocol):
    """A waiting caller's way to an embed worker."""

    async def embed(
        self, passport: Passport, options: EncodeOptions, text: str, timeout_s: float
    ) -> Vector:
        """The vector of `text`, `(dim,) float32`, as `options` make it and `passport` says.

        Raises NoEmbedWorker where none answers.
        """


class Workers(Protocol):
    """Who works."""

    def active(self) -> Sequence[WorkerBeat]:
        """The workers alive now, by their last sign of life."""


class Readiness(Protocol):
    """What this process waits for."""

    def reasons(self) -> Mapping[str, str | None]:
        """Each dependency with the one reason why it is not ready, or None."""

    async def broker_connected(self) -> bool:
        """Tell whether Kafka answers."""
