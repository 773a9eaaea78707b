"""Store: vectors go into the store under deterministic ids, then the unit is reported done."""

from collections.abc import Awaitable, Iterator, Sequence
from typing import Protocol

import structlog

from embedding.catalog import Catalog
from models.errors import UnknownModel
from models.events import UnitDone
from models.states import ItemErrorCode
from models.storing import stored_item
from models.units import (
    EncodedUnit,
    ItemFailure,
    ItemOutcome,
    SourcePlace,
    Unit,
    UnitItem,
)
from models.vectors import Space, StoredItem
from stores.vector_store import VectorWriter
from streams import figures
from streams.codec import BadRecord, Matrix, decode_vectors, encode
from streams.records import Record
from streams.tools import StageTools
from streams.turns import Turns

log = structlog.get_logger("agents.store")


class CancelMarks(Protocol):
    """The Redis marks of cancelled tasks."""

    async def cancelled(self, task_ids: Sequence[str]) -> frozenset[str]:
        """Those of `task_ids` that are marked; none when Redis is away."""


class Store:
    """Takes records of `vectorize.vectors.<lane>`."""

    def __init__(
        self,
        tools: StageTools,
        *,
        writer: VectorWriter,
        catalog: Catalog,
        marks: CancelMarks,
        turns: Turns,
        write_objects: int,
    ) -> None:
        """Write by `writer`, which raises VectorStoreUnavailable in an outage: it is waited out.

        A write holds up to `write_objects`; `turns` bounds those under way and lets urgent units
        go first, so one of them waits for a short write at most.
        """
        self._turns = turns
        self._write_objects = write_objects
        self._writer = writer
        self._producer = tools.producer
        self._catalog = catalog
        self._marks = marks
        self._dead_letters = tools.dead_letters
        self._names = tools.names
        self._clock = tools.clock

    async def begin(self, record: Record) -> Awaitable[None]:
        """Take a unit's vectors; units are written beside each other."""
        header, vectors = decode_vectors(record.value)
        _source_of(header.unit)
        return self._store(header, vectors)

    async def poison(self, record: Record, error: Exception, attempts: int) -> None:
        """Fail a unit that cannot be stored; bury a record that is none."""
        try:
            header, _ = decode_vectors(record.value)
            _source_of(header.unit)
        except BadRecord as bad:
            await self._dead_letters.bury(
                record, stage="store", reason=bad.reason, detail=bad.detail, attempts=attempts
            )
            return
        message = f"storing failed {attempts} times: {type(error).__name__}"
        failed = [_failed(item, ItemErrorCode.STAGE_FAILED, message) for item in header.unit.items]
        await self._report(header, failed, [], 0)

    async def _store(self, header: EncodedUnit, vectors: Matrix) -> None:
        unit = header.unit
        if unit.task_id in await self._marks.cancelled([unit.task_id]):
            await self._leave_nothing(unit)
            return
        begun_s = self._clock.monotonic_s()
        refusals = await self._write(header, vectors)
        seconds = self._clock.monotonic_s() - begun_s
        figures.STORE_SECONDS.observe(seconds)
        failures = [refusal for refusal in refusals if refusal is not None]
        stored = [
            outcome
            for outcome, refusal in zip(header.outcomes, refusals, strict=True)
            if refusal is None
        ]
        figures.ITEMS_STORED.inc(len(stored))
        await self._report(header, failures, stored, int(seconds * 1000))

    async def _leave_nothing(self, unit: Unit) -> None:
        """Remove what an earlier try of a cancelled unit wrote, here or in a process that died.

        Nobody else would soon: such a try was not reported, so the sweep at the task's end, which
        may have been before it, does not know of it.
        """
        space = Space(tenant=unit.tenant, collection=unit.collection, fingerprint=unit.fingerprint)
        async with self._turns.turn(unit.lane):
            removed = await self._writer.delete_task(space, unit.task_id)
        if removed:
            log.info("removed_what_a_try_left", task_id=unit.task_id, removed=removed)

    async def _write(self, header: EncodedUnit, vectors: Matrix) -> list[ItemFailure | None]:
        unit = header.unit
        try:
            passport = self._catalog.resolve(unit.model).passport_of(unit.options)
        except UnknownModel as error:
            code = ItemErrorCode.MODEL_UNAVAILABLE
            return [_failed(item, code, str(error)) for item in unit.items]
        items = [
            stored_item(unit, item, passport, vector=vector, outcome=outcome)
            for item, outcome, vector in zip(unit.items, header.outcomes, vectors, strict=True)
        ]
        refusals: list[ItemFailure | None] = []
        for few in batched(items, self._write_objects):
            async with self._turns.turn(unit.lane):
                refusals += await self._writer.write(few)
        return refusals

    async def _report(
        self,
        header: EncodedUnit,
        refused: Sequence[ItemFailure],
        stored: Sequence[ItemOutcome],
        store_ms: int,
    ) -> None:
        unit = header.unit
        event = UnitDone(
            task_id=unit.task_id,
            tenant=unit.tenant,
            traceparent=unit.traceparent,
            at_ms=self._clock.now_ms(),
            unit=unit.number,
            source=_source_of(unit),
            reading=unit.reading,
            stored=len(stored),
            failures=[*header.failures, *refused],
            tokens=sum(outcome.tokens for outcome in stored),
            truncated=sum(outcome.truncated for outcome in stored),
            computed=header.computed,
            deduplicated=header.deduplicated,
            cached=header.cached,
            worker=header.worker,
            queue_ms=header.queue_ms,
            encode_ms=header.encode_ms,
            store_ms=store_ms,
        )
        await self._producer.send(self._names.events, unit.task_id.encode(), encode(event))


def batched(items: Sequence[StoredItem], most: int) -> Iterator[Sequence[StoredItem]]:
    """Cut `items` into parts of at most `most`, in order."""
    for start in range(0, len(items), most):
        yield items[start : start + most]


def _source_of(unit: Unit) -> SourcePlace:
    if unit.source is None:
        raise BadRecord("bad_frame", "vectors of a waiting caller do not go to the store")
    return unit.source


def _failed(item: UnitItem, code: ItemErrorCode, message: str) -> ItemFailure:
    return ItemFailure(index=item.index, code=code, message=message, own_id=item.own_id)
