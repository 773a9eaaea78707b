"""Submitting: validate, produce, and where a key or an own id is given ask the fold's verdict."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

import uuid_utils

from embedding.catalog import Catalog
from models.clock import Clock
from models.errors import (
    BlobStoreUnavailable,
    IdempotencyConflict,
    InvalidRequest,
    LimitExceeded,
    OwnerUnavailable,
    VectorizeError,
)
from models.file_sources import source_of
from models.ids import task_id_for_key
from models.rows import TaskRow
from models.task_options import document_facts, task_options
from models.tasks import TaskRequest, body_hash
from models.units import SourcePlace
from stores.blob_errors import BlobsUnavailable
from web.limits import WebLimits
from web.ports import Blobs, TaskLog
from web.reading import TaskReader
from web.shedding import Shedder
from web.validating import shown, task_request
from web.views import Receipt, TaskView, receipt_of, task_view

#: Submits of one batch that wait for the broker at the same time.
AT_ONCE = 128


@dataclass(frozen=True, slots=True)
class Order:
    """A task that is ready to go: validated, named, stamped."""

    request: TaskRequest
    task_id: str
    model_name: str
    submitted_ms: int
    keyed: bool  # the id may have been used before

    def receipt(self) -> Receipt:
        """What is known of it before its row."""
        return receipt_of(self.request, self.task_id, self.model_name, self.submitted_ms)


@dataclass(frozen=True, slots=True)
class Submitted:
    """An order the broker acknowledged; its row, where that was asked for."""

    order: Order
    row: TaskRow | None = None
    replayed: bool = False  # an earlier record under the same key is the task

    @property
    def done(self) -> bool:
        """Whether the answer is about a task that exists, or is final, rather than a promise."""
        return self.replayed or (self.row is not None and self.row.is_final)

    def view(self) -> TaskView | Receipt:
        """What the client is told."""
        return self.order.receipt() if self.row is None else task_view(self.row)


class Submitter:
    """Puts tasks on the log."""

    def __init__(
        self,
        log: TaskLog,
        reader: TaskReader,
        catalog: Catalog,
        *,
        blobs: Blobs,
        shedder: Shedder,
        limits: WebLimits,
        clock: Clock,
    ) -> None:
        """Allow the models of `catalog`."""
        self._shedder = shedder
        self._blobs = blobs
        self._log = log
        self._reader = reader
        self._catalog = catalog
        self._limits = limits
        self._clock = clock

    def order(self, raw: object, *, key: str | None, traceparent: str | None) -> Order:
        """Check a parsed body; raise InvalidRequest. `key` is the caller's `Idempotency-Key`."""
        request = task_request(raw, self._limits.task)
        if key is not None and request.idempotency_key not in {None, key}:
            raise InvalidRequest(
                field="idempotency_key", reason="differs from the header Idempotency-Key"
            )
        return self.stamped(request, key or request.idempotency_key, traceparent)

    def stamped(self, request: TaskRequest, key: str | None, traceparent: str | None) -> Order:
        """Name a valid request and note its time.

        Raises UnknownModel, and InvalidRequest for an option that the model does not have.
        """
        model = self._catalog.resolve(request.model_name)
        chosen = task_options(request, model)  # only refusals count here: intake resolves again
        document_facts(request, model, chosen, self._limits.task.chunks)
        now_ms = self._clock.now_ms()
        if request.task_id is not None:
            task_id = request.task_id
        elif key is not None:
            task_id = str(task_id_for_key(request.tenant, key))
        else:
            task_id = str(uuid_utils.uuid7())
        keyed = request.task_id is not None or key is not None
        stamps = {"task_id": task_id, "submitted_ms": now_ms, "traceparent": traceparent}
        return Order(request.model_copy(update=stamps), task_id, model.name, now_ms, keyed)

    def check_room(self) -> None:
        """Raise QueueFull where a submit would be refused now, whatever it was."""
        self._shedder.check()

    async def submit(self, order: Order, wait_s: float = 0.0) -> Submitted:
        """Produce an order; with a key, wait for its verdict; then up to `wait_s` for its end.

        Raises QueueFull, BrokerUnavailable, IdempotencyConflict, and for an order with a key
        OwnerUnavailable where no verdict came in time.
        """
        self._shedder.check()
        order = await self._claimed(order)
        place = await self._log.submit(order.request)
        judged = await self._judged(order, place) if order.keyed else Submitted(order)
        if wait_s <= 0 or (judged.row is not None and judged.row.is_final):
            return judged
        row = await self._final(order, place, wait_s)
        return judged if row is None else Submitted(order, row, judged.replayed)

    async def _claimed(self, order: Order) -> Order:
        """Put a large file into the blob store: its record carries a claim check instead."""
        request = order.request
        if request.is_document:
            data: str | list[str] = await self._place_of(str(request.data))
        elif request.is_image:
            places = [await self._place_of(image) for image in request.images]
            data = places[0] if isinstance(request.data, str) else places
        else:
            return order
        return replace(order, request=request.model_copy(update={"data": data}))

    async def _place_of(self, data: str) -> str:
        """Where a file is from now on: as it was given, or as a blob."""
        content = source_of(data).content
        if content is None or len(content) <= self._limits.inline_file_bytes:
            return data
        try:
            return str(await self._blobs.put(content))
        except BlobsUnavailable as error:
            raise BlobStoreUnavailable(error.message) from error

    async def _judged(self, order: Order, place: SourcePlace) -> Submitted:
        row = await self._reader.settled(
            order.task_id, patience_s=self._limits.verdict_timeout_s, after_source=place
        )
        if row is None:
            raise OwnerUnavailable(f"there is no verdict on task {order.task_id} yet")
        if row.source == place:
            return Submitted(order, row)
        if row.body_hash != body_hash(order.request):
            raise IdempotencyConflict(task_id=order.task_id)
        return Submitted(order, row, replayed=True)

    async def _final(self, order: Order, place: SourcePlace, wait_s: float) -> TaskRow | None:
        """Hold for the final state. The task is safe, so an owner that is away is no error."""
        try:
            return await self._reader.settled(
                order.task_id, patience_s=wait_s, after_source=place, until_final_s=wait_s
            )
        except OwnerUnavailable:
            return None

    def tasks_of(self, raw: object) -> Sequence[object]:
        """The tasks of a batch's body; raise InvalidRequest or LimitExceeded."""
        if isinstance(raw, dict):
            if others := sorted(raw.keys() - {"tasks"}):
                reason = "unknown field; a batch is a list, or an object with `tasks`"
                raise InvalidRequest(field=others[0][:100], reason=reason)
            raw = raw.get("tasks")
        if not isinstance(raw, list):
            raise InvalidRequest(field="tasks", reason="must be a list of tasks", given=shown(raw))
        if not raw:
            raise InvalidRequest(field="tasks", reason="the list is empty; send at least one task")
        if len(raw) > self._limits.max_batch_tasks:
            raise LimitExceeded(
                field="tasks",
                what="the number of tasks",
                limit=self._limits.max_batch_tasks,
                given=len(raw),
                setting="task.max_batch_tasks",
            )
        return raw

    async def submit_many(
        self, tasks: Sequence[object], *, key: str | None, traceparent: str | None
    ) -> list[Submitted | VectorizeError]:
        """Submit each task by itself; one outcome each, in their order.

        `key` gives each task without one of its own the key `key#index`.
        """
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(index: int, raw: object) -> Submitted | VectorizeError:
            own = isinstance(raw, dict) and raw.get("idempotency_key") is not None
            task_key = None if key is None or own else f"{key}#{index}"
            async with gate:
                try:
                    order = self.order(raw, key=task_key, traceparent=traceparent)
                    return await self.submit(order)
                except VectorizeError as error:
                    return error

        return await asyncio.gather(*(one(index, raw) for index, raw in enumerate(tasks)))
