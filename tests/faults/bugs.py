"""Broken variants of the service: the rig must catch each, or its zeros say nothing."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from uuid import uuid4

import redis

from agents.upkeep import Upkeep
from embedding.encoder import EncodeFailure
from embedding.jobs import Call
from embedding.lane_queues import LaneQueues
from embedding.lanes import LaneBatcher
from embedding.model_thread import CallDone, CallResult
from models import storing
from models.events import Swept
from models.rows import TaskRow
from models.states import ItemErrorCode
from scripts.stack.state import VARIABLES
from stores.attempts import RedisAttempts
from streams.delivery import Delivery
from streams.ledger import OffsetLedger
from streams.producing import FaustProducer, Written
from streams.row_store import RowStore
from streams.tables import DurableTable


@dataclass(frozen=True, slots=True)
class Bug:
    """What is wrong, and how it is put in."""

    what: str
    plant: Callable[[], None]


def _ack_before_work() -> None:
    carry = Delivery._carry

    async def early(self: Delivery, record: Any, ledger: OffsetLedger, begun: Any) -> None:
        ledger.finish(record.offset)
        self._books.moved(record.place)
        await carry(self, record, ledger, begun)

    Delivery._carry = early  # type: ignore[method-assign]
    finish = OffsetLedger.finish

    def once(self: OffsetLedger, offset: int) -> None:
        if offset in self._in_flight:
            finish(self, offset)

    OffsetLedger.finish = once  # type: ignore[method-assign]


def _one_await() -> None:
    async def send(
        self: FaustProducer, topic: str, key: bytes | None, value: bytes | None, **more: Any
    ) -> Written:
        more.pop("timeout_s", None)
        try:
            sent = await self.begin(topic, key, value, **more)
        except Exception:  # noqa: BLE001  # Faust's own send gives a future that fails, and nobody looks at it
            return Written(more.get("partition") or 0, 0)
        waiting = asyncio.ensure_future(_unseen(sent))
        waiting.add_done_callback(lambda _: None)
        return Written(more.get("partition") or 0, 0)

    FaustProducer.send = send  # type: ignore[method-assign]


async def _unseen(sent: Awaitable[Any]) -> None:
    try:
        await sent
    except Exception:  # noqa: BLE001  # that is the bug
        return


def _raise_in_batch() -> None:
    hand_over = LaneBatcher._hand_over

    def all_or_none(self: LaneBatcher, call: Call, result: CallResult) -> None:
        if isinstance(result, CallDone):
            hand_over(self, call, result)
            return
        for takers in self._queues.finish(call):
            for taker in takers:
                failure = EncodeFailure(ItemErrorCode.ENCODE_FAILED, "the batch failed")
                taker.request.settle(taker.index, failure)

    LaneBatcher._hand_over = all_or_none  # type: ignore[method-assign]


def _random_result_ids() -> None:
    _replaced(storing, "object_id", lambda *_, **__: uuid4())


def _replaced(module: ModuleType, name: str, other: object) -> None:
    """Put something else in the place of what a module has; raises where it has no such thing."""
    getattr(module, name)
    setattr(module, name, other)


def _state_in_redis() -> None:
    client = redis.Redis.from_url(os.environ[VARIABLES["database.redis_url"]])
    put = RowStore.put

    async def keep(self: RowStore, partition: int, row: TaskRow) -> Awaitable[None]:
        client.set(f"state:{row.task_id}", row.model_dump_json())
        return await put(self, partition, row)

    def stored(self: RowStore, partition: int, task_id: str) -> TaskRow | None:
        raw: Any = client.get(f"state:{task_id}")
        return TaskRow.model_validate_json(raw) if raw is not None else None

    RowStore.put, RowStore.stored = keep, stored  # type: ignore[method-assign]


def _no_cancel_sweep() -> None:
    async def sweep(self: Upkeep, partition: int, entry: Any) -> None:
        now_ms = self._clock.now_ms()
        await self._send(
            Swept(task_id=entry.task_id, at_ms=now_ms, due_ms=entry.next_sweep_ms), partition
        )

    Upkeep._sweep = sweep  # type: ignore[method-assign]


def _stock_commit() -> None:
    def highest(self: OffsetLedger) -> int:
        if self._finished:
            return max(self._finished) + 1
        return self._in_flight[0] if self._in_flight else self.due

    OffsetLedger.committable = property(highest)  # type: ignore[assignment, method-assign]


def _attempts_after_work() -> None:
    async def begin(self: RedisAttempts, key: str) -> int:
        del self, key
        return 1

    RedisAttempts.begin = begin  # type: ignore[method-assign]


def _swapped_rows() -> None:
    add_halves = LaneQueues.add_halves

    def swap(self: LaneQueues, call: Call) -> None:
        first, second = call.jobs[0], call.jobs[-1]
        first.takers, second.takers = second.takers, first.takers
        add_halves(self, call)

    LaneQueues.add_halves = swap  # type: ignore[method-assign]


def _changelog_not_awaited() -> None:
    put = DurableTable.put

    async def hasty(
        self: DurableTable, partition: int, key: bytes, value: bytes | None
    ) -> Awaitable[None]:
        try:
            durable = await put(self, partition, key, value)
        except Exception:  # noqa: BLE001  # Faust only logs that a changelog record was not sent
            return asyncio.sleep(0)
        waiting = asyncio.ensure_future(_unseen(durable))
        waiting.add_done_callback(lambda _: None)
        return asyncio.sleep(0)

    DurableTable.put = hasty  # type: ignore[method-assign]


def _naive() -> None:
    """What a Faust application does that awaits nothing: the price is measured against it."""
    _one_await()
    _stock_commit()
    _changelog_not_awaited()


#: Not a bug to catch.
NAIVE = Bug("nothing is awaited, and the highest offset is committed", _naive)
BUGS = {
    "ack-before-work": Bug("a record is acknowledged before its work is done", _ack_before_work),
    "one-await": Bug("a send is not awaited for its acknowledgement (T2)", _one_await),
    "raise-in-batch": Bug("an error of one text fails its whole batch (T3)", _raise_in_batch),
    "random-ids": Bug("results are stored under random ids", _random_result_ids),
    "state-in-redis": Bug("the state of tasks is read from Redis", _state_in_redis),
    "no-cancel-sweep": Bug("vectors of cancelled tasks are not swept", _no_cancel_sweep),
    "stock-commit": Bug("the highest finished offset is committed (T1)", _stock_commit),
    "attempts-after-work": Bug("attempts are counted after the work", _attempts_after_work),
    "swapped-rows": Bug("after a retry two rows of a batch are swapped", _swapped_rows),
    "changelog-not-awaited": Bug("a row's changelog record is not awaited (T4)",
                                 _changelog_not_awaited),
}  # fmt: skip
