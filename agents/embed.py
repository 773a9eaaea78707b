"""Embed: a unit of texts becomes vectors, for the store or for a waiting caller."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import structlog

from embedding.catalog import Catalog, ModelEntry
from embedding.encoder import EncodedText, EncodeFailure, Origin, Outcome
from embedding.pool import ModelLoadFailed
from models.encoding import EncodeOptions
from models.errors import UnknownModel
from models.events import DeadlinePassed, UnitDone, UnitStarted
from models.images import Pixels
from models.states import ItemErrorCode, Lane
from models.units import EncodedUnit, ItemFailure, ItemOutcome, Unit, UnitItem
from streams import figures
from streams.codec import BadRecord, decode_unit, encode, encode_vectors
from streams.delivery import Deliveries
from streams.records import Record
from streams.tools import StageTools

log = structlog.get_logger("agents.embed")


#: How often a unit that waits for the model is looked at again: is its task still wanted?
LOOK_AGAIN_S = 1.0


class Batcher(Protocol):
    """Where units of all lanes meet the model."""

    async def encode(
        self, lane: Lane, entry: ModelEntry, texts: Sequence[str | Pixels], options: EncodeOptions
    ) -> list[Outcome]:
        """One outcome a text, in order; raise ModelLoadFailed where the model cannot be had."""


class Attempts(Protocol):
    """How often work was begun without coming to an end: over it, processes died."""

    async def begin(self, key: str) -> int:
        """Count this begin; 1 where it is the first, or nothing is known."""

    def end(self, key: str) -> None:
        """Forget the count: the work ended by itself."""

    def take_back(self, key: str) -> None:
        """Count the last begin no more: it says nothing of the work; earlier ones still do."""


class CancelMarks(Protocol):
    """The Redis marks of cancelled tasks."""

    async def cancelled(self, task_ids: Sequence[str]) -> frozenset[str]:
        """Those of `task_ids` that are marked; none when Redis is away."""


@dataclass(frozen=True, slots=True)
class Suspects:
    """What becomes of units over which processes died: their texts are encoded apart, one by one.

    A begin is counted before the work, so that a death cannot hide it.
    """

    attempts: Attempts
    alone: Batcher
    most_deaths: int
    """At so many deaths a unit is a suspect."""

    async def encode(
        self, unit: Unit, entry: ModelEntry, texts: Sequence[str | Pixels], batcher: Batcher
    ) -> list[Outcome]:
        """Encode a unit's texts by `batcher`, or apart; raises what they raise.

        A unit that was handed back, or was encoded apart, keeps the deaths it was known by: it
        comes again where its commit is lost, and would cost as many more.
        """
        encoder, settle = batcher, self.attempts.end
        try:
            deaths = await self.attempts.begin(unit.id) - 1
            if deaths >= self.most_deaths:
                log.warning("unit_encoded_apart", unit=unit.id, deaths=deaths)
                encoder, settle = self.alone, self.attempts.take_back
            return await encoder.encode(unit.lane, entry, texts, unit.options)
        except asyncio.CancelledError:
            settle = self.attempts.take_back
            raise
        finally:
            settle(unit.id)


@dataclass
class Gate:
    """Open while the store keeps up; units wait here otherwise (DESIGN 2, embed)."""

    open: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        """Begin open."""
        self.open.set()

    def judge(self, backlog: int, limit: int) -> None:
        """Close above `limit` vector records not stored, open again below half of it."""
        figures.VECTORS_BACKLOG.set(backlog)
        if backlog > limit:
            self.open.clear()
        elif backlog <= limit // 2:
            self.open.set()


async def mind_the_backlog(
    gate: Gate, backlog: Callable[[], Awaitable[int]], limit: int, interval_s: float = 1.0
) -> None:
    """Measure the backlog for ever and work the gate; an unmeasured one leaves it as it is."""
    while True:
        gate.judge(await backlog(), limit)
        await asyncio.sleep(interval_s)


class Embed:
    """Takes records of `vectorize.units.<lane>`."""

    def __init__(
        self,
        tools: StageTools,
        *,
        deliveries: Deliveries,
        batcher: Batcher,
        catalog: Catalog,
        suspects: Suspects,
        marks: CancelMarks,
        gate: Gate,
        worker: str,
    ) -> None:
        """Report as `worker`; hold units back at `gate`."""
        self._producer = tools.producer
        self._deliveries = deliveries
        self._batcher = batcher
        self._catalog = catalog
        self._suspects = suspects
        self._marks = marks
        self._dead_letters = tools.dead_letters
        self._gate = gate
        self._names = tools.names
        self._worker = worker
        self._clock = tools.clock

    async def begin(self, record: Record) -> Awaitable[None] | None:
        """Take a unit; units are worked on beside each other."""
        return self._embed(decode_unit(record.value))

    async def poison(self, record: Record, error: Exception, attempts: int) -> None:
        """Fail a unit that cannot be worked on; bury a record that is no unit at all."""
        try:
            unit = decode_unit(record.value)
        except BadRecord as bad:
            await self._dead_letters.bury(
                record, stage="embed", reason=bad.reason, detail=bad.detail, attempts=attempts
            )
            return
        reason = f"the unit failed {attempts} times: {type(error).__name__}"
        await self._hand_on(unit, _all_failed(unit, ItemErrorCode.STAGE_FAILED, reason), 0, 0)

    async def _embed(self, unit: Unit) -> None:
        if not await self._wanted(unit):
            return
        if unit.reply is None:
            await self._deliveries.or_leave(self._gate.open.wait())
        if _is_news(unit):
            await self._tell_started(unit)
        queue_ms = max(0, self._clock.now_ms() - unit.sent_ms)
        begun_s = self._clock.monotonic_s()
        outcomes = await self._outcomes_unless_cancelled(unit)
        if outcomes is None:
            return
        encode_ms = int((self._clock.monotonic_s() - begun_s) * 1000)
        figures.QUEUE_SECONDS.labels(unit.lane).observe(queue_ms / 1000)
        figures.ENCODE_SECONDS.observe(encode_ms / 1000)
        await self._hand_on(unit, outcomes, queue_ms, encode_ms)

    async def _wanted(self, unit: Unit) -> bool:
        """Tell whether anybody still waits for this unit; say so where its time is over."""
        now_ms = self._clock.now_ms()
        if unit.reply is not None:
            return now_ms < unit.reply.deadline_ms
        if unit.deadline_ms is not None and now_ms >= unit.deadline_ms:
            event = DeadlinePassed(task_id=unit.task_id, tenant=unit.tenant, at_ms=now_ms)
            await self._producer.send(self._names.events, unit.task_id.encode(), encode(event))
            return False
        return unit.task_id not in await self._marks.cancelled([unit.task_id])

    async def _tell_started(self, unit: Unit) -> None:
        event = UnitStarted(
            task_id=unit.task_id,
            tenant=unit.tenant,
            at_ms=self._clock.now_ms(),
            unit=unit.number,
            worker=self._worker,
        )
        # Not awaited: the state `processing` is a courtesy, the work does not wait for it.
        await self._producer.begin(self._names.events, unit.task_id.encode(), encode(event))

    async def _outcomes_unless_cancelled(self, unit: Unit) -> list[Outcome] | None:
        """Encode, looking now and then whether the task was cancelled while the unit waited."""
        encoding = asyncio.ensure_future(self._outcomes(unit))
        try:
            while not (await asyncio.wait({encoding}, timeout=LOOK_AGAIN_S))[0]:
                if unit.reply is None and await self._marks.cancelled([unit.task_id]):
                    return None
            return encoding.result()
        finally:
            encoding.cancel()

    async def _outcomes(self, unit: Unit) -> list[Outcome]:
        texts = [item.text for item in unit.items]
        try:
            entry = self._catalog.resolve(unit.model)
            if entry.passport_of(unit.options).fingerprint != unit.fingerprint:
                reason = f"this worker's {unit.model} has another fingerprint than was accepted"
                return _all_failed(unit, ItemErrorCode.MODEL_UNAVAILABLE, reason)
            inputs = _inputs(unit, texts)
            outcomes = await self._suspects.encode(unit, entry, inputs, self._batcher)
        except (UnknownModel, ModelLoadFailed) as error:
            return _all_failed(unit, ItemErrorCode.MODEL_UNAVAILABLE, str(error))
        if len(outcomes) != len(texts):
            raise RuntimeError(f"{len(outcomes)} outcomes for {len(texts)} texts. This is a bug.")
        return outcomes

    async def _hand_on(
        self, unit: Unit, outcomes: Sequence[Outcome], queue_ms: int, encode_ms: int
    ) -> None:
        encoded = [
            (item, outcome)
            for item, outcome in zip(unit.items, outcomes, strict=True)
            if isinstance(outcome, EncodedText)
        ]
        failures = _failures(unit.items, outcomes)
        _count(unit.lane, len(encoded), failures)
        if not encoded and unit.reply is None:
            await self._report_failed(unit, failures, queue_ms, encode_ms)
            return
        header = EncodedUnit(
            unit=unit.model_copy(update={"items": [item for item, _ in encoded]}),
            outcomes=[ItemOutcome(tokens=o.tokens, truncated=o.truncated) for _, o in encoded],
            failures=failures,
            dimension=len(encoded[0][1].vector) if encoded else 0,
            **_counts([outcome for _, outcome in encoded]),
            worker=self._worker,
            queue_ms=queue_ms,
            encode_ms=encode_ms,
        )
        value = encode_vectors(header, _matrix([outcome for _, outcome in encoded]))
        await self._send_vectors(unit, value)

    async def _send_vectors(self, unit: Unit, value: bytes) -> None:
        if unit.reply is not None:
            await self._producer.send(
                self._names.replies,
                unit.reply.correlation_id.encode(),
                value,
                partition=unit.reply.partition,
            )
        else:
            await self._producer.send(self._names.vectors(unit.lane), unit.id.encode(), value)

    async def _report_failed(
        self, unit: Unit, failures: list[ItemFailure], queue_ms: int, encode_ms: int
    ) -> None:
        if unit.source is None:
            raise RuntimeError(f"unit {unit.id} of a task without its source. This is a bug.")
        event = UnitDone(
            task_id=unit.task_id,
            tenant=unit.tenant,
            traceparent=unit.traceparent,
            at_ms=self._clock.now_ms(),
            unit=unit.number,
            source=unit.source,
            reading=unit.reading,
            stored=0,
            failures=failures,
            worker=self._worker,
            queue_ms=queue_ms,
            encode_ms=encode_ms,
        )
        await self._producer.send(self._names.events, unit.task_id.encode(), encode(event))


def _is_news(unit: Unit) -> bool:
    """Whether it is to be told that the work on a task began: of one that was read, it is known."""
    return unit.number == 0 and unit.reply is None and unit.reading is None


def _matrix(encoded: Sequence[EncodedText]) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
    if not encoded:
        return np.empty((0, 0), dtype=np.float32)
    return np.stack([outcome.vector for outcome in encoded]).astype(np.float32, copy=False)


def _counts(encoded: Sequence[EncodedText]) -> dict[str, int]:
    """How many vectors came from where, by the names of the header's fields."""
    return {origin.value: sum(each.origin is origin for each in encoded) for origin in Origin}


def _inputs(unit: Unit, texts: Sequence[str]) -> list[str | Pixels]:
    """What the model reads of each item: its pixels where it is an image, else its text."""
    pairs = zip(unit.items, texts, strict=True)
    return [text if item.pixels is None else item.pixels for item, text in pairs]


def _all_failed(unit: Unit, code: ItemErrorCode, message: str) -> list[Outcome]:
    return [EncodeFailure(code, message) for _ in unit.items]


def _failures(items: Sequence[UnitItem], outcomes: Sequence[Outcome]) -> list[ItemFailure]:
    return [
        ItemFailure(
            index=item.index,
            code=outcome.code,
            message=f"data[{item.index}]: {outcome.message}",
            own_id=item.own_id,
        )
        for item, outcome in zip(items, outcomes, strict=True)
        if isinstance(outcome, EncodeFailure)
    ]


def _count(lane: Lane, encoded: int, failures: Sequence[ItemFailure]) -> None:
    figures.ITEMS_ENCODED.labels(lane).inc(encoded)
    for failure in failures:
        figures.ITEMS_FAILED.labels(failure.code).inc()
