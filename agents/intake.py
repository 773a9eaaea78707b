"""Intake: a record of `vectorize.tasks` becomes an accepted task and its units.

Before the first unit is sent, the `accepted` event is durable and the owner's fold has said that
this record is the one the task is made of. So two records under one id never mix: the second is
a repeat (nothing to do) or a conflict (a dead letter).
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from models.encoding import EncodeOptions
from models.errors import InvalidRequest, UnknownModel
from models.events import Accepted
from models.file_sources import inline_bytes
from models.files import file_of, key_of
from models.fold import Verdict
from models.splitting import TaskLimits, refused_items, split
from models.stranger import Found, read_task
from models.task_options import EncodingModel, document_facts, input_type_of, task_options
from models.tasks import TaskRequest, body_hash
from models.unit_making import unit_of
from models.units import DocumentFacts, ItemFailure, SourcePlace, UnitItem
from streams import figures
from streams.codec import encode, encode_file
from streams.dead_shelf import origin_of
from streams.delivery import Deliveries
from streams.producing import PartitionOf, acknowledged
from streams.records import Record
from streams.task_log import BY_HTTP
from streams.tools import StageTools

log = structlog.get_logger("agents.intake")

HOUR_MS = 3_600_000


class Model(EncodingModel, Protocol):
    """What intake must know of a model."""

    @property
    def collection(self) -> str:
        """Where its vectors go unless the task says otherwise."""


class Verdicts(Protocol):
    """The fold's answers to `accepted` events."""

    def expect(self, task_id: str, source: SourcePlace) -> "asyncio.Future[Verdict]":
        """The answer for this record, once folded; `Verdict.OWN` only while work is left."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A good record, the model it goes to, and how its texts are to be encoded."""

    found: Found
    model: Model
    options: EncodeOptions
    document: DocumentFacts | None = None

    @property
    def request(self) -> TaskRequest:
        """What is asked for."""
        return self.found.request

    @property
    def task_id(self) -> str:
        """The task it is."""
        return self.found.task_id


@dataclass(frozen=True, slots=True)
class IntakeOptions:
    """What intake must know of the settings."""

    limits: TaskLimits
    retention_hours: int


class Intake:
    """Takes records of `vectorize.tasks`."""

    def __init__(
        self,
        tools: StageTools,
        *,
        deliveries: Deliveries,
        verdicts: Verdicts,
        resolve: Callable[[str | None], Model],
        partition_of: PartitionOf,
        options: IntakeOptions,
    ) -> None:
        """`resolve` gives the model of a name (None: the default) or raises UnknownModel."""
        self._producer = tools.producer
        self._deliveries = deliveries
        self._verdicts = verdicts
        self._dead_letters = tools.dead_letters
        self._resolve = resolve
        self._partition_of = partition_of
        self._names = tools.names
        self._options = options
        self._clock = tools.clock

    async def begin(self, record: Record) -> Awaitable[None]:
        """Take a record; each is worked on by itself."""
        return self._take(record)

    async def poison(self, record: Record, error: Exception, attempts: int) -> None:
        """Send a record that intake itself broke on to the dead letters."""
        detail = f"{type(error).__name__}: {error}"
        await self._bury(record, "intake_failed", detail, attempts)

    async def _take(self, record: Record) -> None:
        if record.timestamp_ms < self._clock.now_ms() - self._options.retention_hours * HOUR_MS:
            # By the broker's clock. It was a task once, and is purged by now: no dead letter.
            figures.SOURCES_TOO_OLD.inc()
            log.warning("source_too_old", source=str(record))
            return
        try:
            plan = self._plan(record)
        except UnknownModel as error:
            await self._bury(record, "unknown_model", str(error), 1)
        except InvalidRequest as error:
            await self._bury(record, "invalid_task", str(error), 1)
        else:
            await self._place(record, plan)

    def _plan(self, record: Record) -> Plan:
        """Read and check a record; raise UnknownModel, InvalidRequest or NewerRecord."""
        topic, partition, offset = origin_of(record)
        found = read_task(
            record.value or b"",
            topic=topic,
            partition=partition,
            offset=offset,
            limits=self._options.limits,
        )
        model = self._resolve(found.request.model_name)
        chosen = task_options(found.request, model)
        document = document_facts(found.request, model, chosen, self._options.limits.chunks)
        return Plan(found, model, chosen, document)

    async def _place(self, record: Record, plan: Plan) -> None:
        key = plan.task_id.encode()
        if record.key != key or record.partition != self._partition_of(key):
            await self._send_home(record, plan, key)
        else:
            await self._accept(record, plan)

    async def _send_home(self, record: Record, plan: Plan, key: bytes) -> None:
        """Produce a record that lies under the wrong key again under the right one."""
        submitted_ms = self._submitted_ms(plan.request, record)
        named = {"task_id": plan.task_id, "submitted_ms": submitted_ms}
        value = plan.request.model_copy(update=named).model_dump_json(exclude_defaults=True)
        await self._producer.send(self._names.tasks, key, value.encode())
        log.info("record_sent_home", source=str(record), task_id=plan.task_id)

    async def _accept(self, record: Record, plan: Plan) -> None:
        request = plan.request
        refused = refused_items(request, self._options.limits)
        units = split(request, refused, self._options.limits)
        accepted = self._accepted(record, plan, refused=refused, units=len(units))
        verdict = await self._announce(accepted)
        if verdict is Verdict.CONFLICT:
            detail = f"task {plan.task_id} was submitted before with another body"
            await self._bury(record, "conflict", detail, 1, answered=BY_HTTP in record.headers)
        elif verdict is Verdict.OWN:
            if plan.document is not None:
                await self._send_file(accepted, request)
            await self._send_units(accepted, units)
            figures.TASKS_ACCEPTED.labels(request.task_type).inc()

    async def _announce(self, accepted: Accepted) -> Verdict:
        answer = self._verdicts.expect(accepted.task_id, accepted.source)
        try:
            await self._producer.send(
                self._names.events, accepted.task_id.encode(), encode(accepted)
            )
            await self._deliveries.or_leave(asyncio.wait({answer}))
            return answer.result()
        finally:
            answer.cancel()

    def _submitted_ms(self, request: TaskRequest, record: Record) -> int:
        """When the task was submitted, which is never later than now."""
        return min(request.submitted_ms or record.timestamp_ms, self._clock.now_ms())

    def _accepted(
        self, record: Record, plan: Plan, *, refused: list[ItemFailure], units: int
    ) -> Accepted:
        request, model = plan.request, plan.model
        submitted_ms = self._submitted_ms(request, record)
        return Accepted(
            tenant=request.tenant,
            traceparent=request.traceparent,
            task_id=plan.task_id,
            at_ms=self._clock.now_ms(),
            source=SourcePlace(partition=record.partition, offset=record.offset),
            body_hash=body_hash(request),
            task_type=request.task_type,
            model=model.name,
            fingerprint=model.passport_of(plan.options).fingerprint,
            collection=request.collection or model.collection,
            lane=request.lane,
            submitted_ms=submitted_ms,
            deadline_ms=_deadline_ms(request, submitted_ms),
            queue_timeout_ms=_ms(request.queue_timeout_s),
            run_timeout_ms=_ms(request.run_timeout_s),
            total_items=len(request.texts) + len(request.images),
            total_units=units,
            cut=self._options.limits.cut,
            rejected=refused,
            own_ids=request.item_ids is not None or request.document_id is not None,
            document=plan.document,
            options=plan.options,
            input_type=input_type_of(request),
            encoding=request.encoding,
            metadata=request.metadata,
            callback_url=str(request.callback_url) if request.callback_url else None,
            retry_of=request.retry_of,
        )

    async def _send_file(self, accepted: Accepted, request: TaskRequest) -> None:
        order = file_of(accepted, self._clock.now_ms())
        value = encode_file(order, inline_bytes(request))
        await self._producer.send(self._names.files(accepted.lane), key_of(order), value)

    async def _send_units(self, accepted: Accepted, units: list[list[UnitItem]]) -> None:
        topic = self._names.units(accepted.lane)
        now_ms = self._clock.now_ms()
        numbered = enumerate(units)
        made = (unit_of(accepted, number, items, now_ms) for number, items in numbered)
        sent = [await self._producer.begin(topic, unit.id.encode(), encode(unit)) for unit in made]
        for each in sent:
            await acknowledged(each)

    async def _bury(
        self, record: Record, reason: str, detail: str, attempts: int, *, answered: bool = False
    ) -> None:
        await self._dead_letters.bury(
            record,
            stage="intake",
            reason=reason,
            detail=detail,
            attempts=attempts,
            answered=answered,
        )


def _deadline_ms(request: TaskRequest, submitted_ms: int) -> int | None:
    return submitted_ms + int(request.deadline_s * 1000) if request.deadline_s else None


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds * 1000)
