"""Where many coroutines meet one model thread: requests wait by lane, calls run one by one."""

import asyncio
from collections.abc import Sequence

from embedding.calls import BatchOptions, Call, LaneQueues, Request
from embedding.catalog import ModelEntry
from embedding.encoder import EncodeFailure, Outcome
from embedding.model_thread import CallCounts, CallRaised, ModelThread
from embedding.pool import ModelPool
from models.clock import SYSTEM_CLOCK, Clock
from models.errors import Unavailable
from models.states import ItemErrorCode, Lane

#: The documented defaults.
BATCH_DEFAULTS = BatchOptions()


class BatcherStopped(Unavailable):
    """The encoder is shutting down; the texts were not encoded, which says nothing of them."""


class LaneBatcher:
    """Packs requests of three lanes into model calls, the urgent first, one at a time."""

    def __init__(
        self,
        pool: ModelPool,
        options: BatchOptions = BATCH_DEFAULTS,
        *,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Take models from `pool`; nothing runs before `start`."""
        self._pool = pool
        self._queues = LaneQueues(options)
        self._room = {lane: asyncio.Semaphore(options.lane_requests) for lane in Lane}
        self._answers: dict[Request, asyncio.Future[list[Outcome]]] = {}
        self._work = asyncio.Event()
        self._thread = ModelThread(clock)
        self._runner: asyncio.Task[None] | None = None
        self._stopped = False

    @property
    def counts(self) -> CallCounts:
        """What the model thread has done since the start."""
        return self._thread.counts

    @property
    def running(self) -> bool:
        """Whether calls are being run."""
        return self._runner is not None and not self._runner.done()

    def waiting(self) -> dict[Lane, int]:
        """Requests of each lane that are not wholly in a call yet."""
        return self._queues.waiting()

    async def start(self) -> None:
        """Begin to run what waits; a batcher is started once."""
        self._runner = asyncio.create_task(self._run(), name="lane batcher")

    async def stop(self) -> None:
        """Finish the running call; who still waits gets BatcherStopped."""
        self._stopped = True
        self._work.set()
        if self._runner is not None:
            await self._runner
        self._fail_waiters()
        self._thread.close()

    async def encode(self, lane: Lane, entry: ModelEntry, texts: Sequence[str]) -> list[Outcome]:
        """Encode `texts`; one outcome each, same order. Blocks while the lane is full.

        Raises ModelLoadFailed before anything is encoded, BatcherStopped after `stop`.
        """
        encoder = await self._pool.get(entry)
        if not texts:
            return []
        async with self._room[lane]:
            if self._stopped:
                raise BatcherStopped
            return await self._answer_to(lane, Request(entry, encoder, texts, self._finish))

    async def _answer_to(self, lane: Lane, request: Request) -> list[Outcome]:
        """Queue the request until it is done, or its caller leaves."""
        answer: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        self._answers[request] = answer
        self._queues.add(lane, request)
        self._work.set()
        try:
            return await answer
        finally:
            del self._answers[request]
            self._queues.remove(lane, request)

    def _finish(self, request: Request) -> None:
        """Hand a complete request to its caller, unless that has left."""
        answer = self._answers.get(request)
        if answer is not None and not answer.done():
            answer.set_result(request.outcomes())

    def _fail_waiters(self) -> None:
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(BatcherStopped())

    async def _run(self) -> None:
        """Run call after call; however it ends, nobody is left waiting."""
        try:
            while not self._stopped:
                if (call := self._queues.next_call()) is None:
                    self._work.clear()
                    await self._work.wait()
                else:
                    self._deliver(call, await self._thread.run(call))
        finally:
            self._stopped = True
            self._fail_waiters()

    def _deliver(self, call: Call, found: list[Outcome] | CallRaised) -> None:
        """Settle each text; a call that raised is cut in halves, down to the culprit."""
        if isinstance(found, list):
            call.settle(found)
        elif len(call.slots) > 1:
            self._queues.add_halves(call)
        else:
            message = f"the model failed on this text: {found.kind}"
            call.settle([EncodeFailure(ItemErrorCode.ENCODE_FAILED, message)])
