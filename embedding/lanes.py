"""Where many callers meet the model: texts are tokenized, wait by lane, run in calls, and return.

Images go the same way, but come tokenized so to say: what is text here is image too.

Three stages overlap: tokenizing in a thread of its own, the model in others (one an encoder), and
handing over on the event loop. What waits between them is bounded by the lanes' requests.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain

import structlog

from embedding import figures
from embedding.batching import BatchOptions, Speeds, padded_tokens
from embedding.catalog import ModelEntry
from embedding.encoder import EncodedText, EncodeFailure, ModelInput, Origin, Outcome
from embedding.jobs import Call, Job, Line, Model, Request, Taker
from embedding.lane_queues import LaneQueues
from embedding.model_thread import CallDone, CallResult, ModelThread
from embedding.pool import ModelPool
from embedding.quality import shaped, sound_rows
from embedding.reading import Read, read_all
from embedding.recall import NO_RECALL, Recall, keys_of
from models.clock import SYSTEM_CLOCK, Clock
from models.encoding import EncodeOptions
from models.errors import Unavailable
from models.images import Pixels
from models.states import ItemErrorCode, Lane
from models.vectors import Vector

log = structlog.get_logger(__name__)

#: The documented defaults.
BATCH_DEFAULTS = BatchOptions()


class BatcherStopped(Unavailable):
    """The encoder is shutting down; the texts were not encoded, which says nothing of them."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What one caller wants of a model."""

    lane: Lane
    model: Model
    options: EncodeOptions


class LaneBatcher:
    """Packs the texts of three lanes into model calls, the urgent first."""

    def __init__(
        self,
        pool: ModelPool,
        options: BatchOptions = BATCH_DEFAULTS,
        *,
        recall: Recall | None = None,
        encoders: int = 1,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Take models from `pool`, up to `encoders` of each; nothing runs before `start`."""
        self._pool = pool
        self._recall = recall or NO_RECALL
        self._clock = clock
        self._speeds = Speeds(options)
        self._queues = LaneQueues(options, lambda line: self._speeds.budget_tokens(_pace(line)))
        self._room = {lane: asyncio.Semaphore(options.lane_requests) for lane in Lane}
        self._answers: dict[Request, asyncio.Future[list[Outcome]]] = {}
        # One thread a lane: an urgent text is not read behind bulk ones.
        self._tokenizers = {
            lane: ThreadPoolExecutor(1, thread_name_prefix=f"tokenize-{lane}") for lane in Lane
        }
        self._threads: list[ModelThread] = []
        self._encoders = encoders
        self._stopped = False

    @property
    def running(self) -> bool:
        """Whether calls are being run."""
        return bool(self._threads) and all(thread.alive for thread in self._threads)

    def longest_call_s(self) -> float:
        """How long the oldest of the calls that run now has been running."""
        return max((thread.running_s for thread in self._threads), default=0.0)

    def waiting(self) -> dict[Lane, int]:
        """Texts of each lane that are not in a call yet."""
        return self._queues.waiting()

    async def start(self) -> None:
        """Begin to run what waits; a batcher is started once."""
        deliver = partial(_on_loop, asyncio.get_running_loop(), self._deliver)
        self._threads = [
            ModelThread(number, self._queues, deliver, self._clock)
            for number in range(self._encoders)
        ]
        for thread in self._threads:
            thread.start()

    async def stop(self) -> None:
        """Finish the running call; who still waits gets BatcherStopped."""
        self._stopped = True
        self._queues.close()
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(BatcherStopped())
        for tokenizer in self._tokenizers.values():
            tokenizer.shutdown(wait=False)

    async def encode(
        self, lane: Lane, entry: ModelEntry, texts: Sequence[str | Pixels], options: EncodeOptions
    ) -> list[Outcome]:
        """Encode `texts`, images among them; one outcome each, same order.

        Images are as the model's `pixel_spec` wants them; where it has none they fail. Blocks
        while the lane is full. Raises ModelLoadFailed before anything is encoded, BatcherStopped
        after `stop`.
        """
        async with self._pool.lease(entry) as model, self._room[lane]:
            if self._stopped:
                raise BatcherStopped
            if not texts:
                return []
            asked, keys = _Asked(lane, model, options), keys_of(entry, options, texts)
            recall = self._recall if entry.cache else NO_RECALL
            looking = asyncio.ensure_future(recall.look(keys))
            try:
                read = await self._tokenize(asked, texts)
                known: dict[int, Outcome] = dict(await looking)
            finally:
                looking.cancel()
            outcomes = await self._outcomes(asked, read, known)
            recall.keep(keys, outcomes)
            return outcomes

    async def _tokenize(self, asked: _Asked, texts: Sequence[str | Pixels]) -> list[Read]:
        """Tokenize in the lane's thread, with the first device's copy of the model."""
        begun_s = self._clock.monotonic_s()
        work = partial(read_all, asked.model.encoders[0], texts, asked.options)
        thread = self._tokenizers[asked.lane]
        found = await asyncio.get_running_loop().run_in_executor(thread, work)
        if self._stopped:  # the model may be closed by now: its failures say nothing of the texts
            raise BatcherStopped
        figures.TOKENIZE_SECONDS.observe(self._clock.monotonic_s() - begun_s)
        return found

    async def _outcomes(
        self, asked: _Asked, read: Sequence[Read], known: dict[int, Outcome]
    ) -> list[Outcome]:
        """What is known, what could not be read, and for the rest what the model makes of it."""
        rest: dict[int, ModelInput] = {}
        for at, one in enumerate(read):
            if at in known:
                continue
            if isinstance(one, EncodeFailure):
                known[at] = one
            else:
                rest[at] = one
        if rest:
            begun_s = self._clock.monotonic_s()
            made = await self._answer_to(asked, list(rest.values()))
            figures.WAIT_SECONDS.labels(asked.lane).observe(self._clock.monotonic_s() - begun_s)
            known |= dict(zip(rest, made, strict=True))
        return [known[at] for at in range(len(read))]

    async def _answer_to(self, asked: _Asked, texts: Sequence[ModelInput]) -> list[Outcome]:
        """Queue texts until they are done, or their caller leaves."""
        if self._stopped:
            raise BatcherStopped
        request = Request(asked.options, len(texts), self._finish)
        answer: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        self._answers[request] = answer
        self._queues.add(asked.lane, asked.model, texts, request)
        try:
            return await answer
        finally:
            request.abandoned = True
            del self._answers[request]

    def _finish(self, request: Request) -> None:
        """Hand a complete request to its caller, unless that has left."""
        answer = self._answers.get(request)
        if answer is not None and not answer.done():
            answer.set_result(request.outcomes())

    def _deliver(self, call: Call, result: CallResult) -> None:
        """Hand over; what goes wrong here is told to the callers, for none may wait for ever."""
        try:
            self._hand_over(call, result)
        except Exception as error:
            log.exception("hand_over_failed", model=call.model.name, texts=len(call.jobs))
            self._tell(call, error)

    def _tell(self, call: Call, error: Exception) -> None:
        """Raise `error` in all who wait for a text of this call."""
        for taker in chain.from_iterable(self._queues.finish(call)):
            answer = self._answers.get(taker.request)
            if answer is not None and not answer.done():
                answer.set_exception(error)

    def _hand_over(self, call: Call, result: CallResult) -> None:
        """Settle each text; a call that raised is cut in halves, down to the culprit."""
        if isinstance(result, CallDone):
            self._speeds.note(_pace(call.line), padded_tokens(call.lengths), result.seconds)
            _settle(call, result, self._queues.finish(call))
            figures.HAND_OVER_SECONDS.observe(self._clock.monotonic_s() - result.at_s)
        elif len(call.jobs) > 1:
            self._queues.add_halves(call)
        else:
            message = f"the model failed on this {call.noun}: {result.kind}"
            failure = EncodeFailure(ItemErrorCode.ENCODE_FAILED, message)
            for taker in self._queues.finish(call)[0]:
                taker.request.settle(taker.index, failure)


def _pace(line: Line) -> tuple[str, bool]:
    """What has a speed of its own: a model reads images at another than texts."""
    return line.model.name, line.images


def _on_loop(
    loop: asyncio.AbstractEventLoop,
    deliver: Callable[[Call, CallResult], None],
    call: Call,
    result: CallResult,
) -> None:
    """Carry what a model thread found over to the event loop."""
    loop.call_soon_threadsafe(deliver, call, result)


def _settle(call: Call, done: CallDone, takers: Sequence[Sequence[Taker]]) -> None:
    """Give each taker that is still there the row of its text, shaped as its task wants it."""
    made: dict[tuple[int | None, bool], _Shaped] = {}
    for row, (job, wanting) in enumerate(zip(call.jobs, takers, strict=True)):
        present = [taker for taker in wanting if not taker.request.abandoned]
        for number, taker in enumerate(present):
            options = taker.request.options
            shape = options.dimensions, options.normalize
            if shape not in made:
                made[shape] = _Shaped.of(done, options)
            origin = Origin.DEDUPLICATED if number else Origin.COMPUTED
            taker.request.settle(taker.index, made[shape].outcome(row, job, taker, origin))


@dataclass(frozen=True, slots=True)
class _Shaped:
    """The vectors of a call as some tasks want them, and what is wrong with each row, or None."""

    vectors: Vector
    faults: list[str | None]

    @classmethod
    def of(cls, done: CallDone, options: EncodeOptions) -> "_Shaped":
        vectors = shaped(done.vectors, options)
        zero = f"the first {vectors.shape[1]} values of the vector are all zero"
        pairs = zip(done.faults, sound_rows(vectors), strict=True)
        return cls(vectors, [fault or (None if sound else zero) for fault, sound in pairs])

    def outcome(self, row: int, job: Job, taker: Taker, origin: Origin) -> Outcome:
        fault = self.faults[row]
        if fault is not None:
            return EncodeFailure(ItemErrorCode.BAD_VECTOR, fault)
        if origin is Origin.DEDUPLICATED:
            figures.DEDUPLICATED.inc()
        truncated = taker.tokens > job.ready.length
        return EncodedText(self.vectors[row], taker.tokens, truncated, origin)
