"""Where many callers meet the model: texts are tokenized, wait by lane, run in calls, and return.

Three stages overlap: tokenizing in a thread of its own, the model in others (one an encoder), and
handing over on the event loop. What waits between them is bounded by the lanes' requests.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from embedding import figures
from embedding.batching import BatchOptions, Speeds, padded_tokens
from embedding.catalog import ModelEntry
from embedding.encoder import EncodedText, EncodeFailure, Origin, Outcome, Tokenized
from embedding.jobs import Call, Model, Request, Taker
from embedding.lane_queues import LaneQueues
from embedding.model_thread import CallDone, CallResult, ModelThread
from embedding.pool import ModelPool
from embedding.quality import shaped
from embedding.recall import NO_RECALL, Recall, keys_of
from models.clock import SYSTEM_CLOCK, Clock
from models.encoding import EncodeOptions, Truncate
from models.errors import Unavailable
from models.states import ItemErrorCode, Lane
from models.vectors import Vector

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
        self._queues = LaneQueues(options, lambda model: self._speeds.budget_tokens(model.name))
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
        self, lane: Lane, entry: ModelEntry, texts: Sequence[str], options: EncodeOptions
    ) -> list[Outcome]:
        """Encode `texts`; one outcome each, same order. Blocks while the lane is full.

        Raises ModelLoadFailed before anything is encoded, BatcherStopped after `stop`.
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
                tokenized = await self._tokenize(asked, texts)
                known: dict[int, Outcome] = dict(await looking)
            finally:
                looking.cancel()
            known |= _refused(tokenized, known, options)
            outcomes = await self._outcomes(asked, tokenized, known)
            recall.keep(keys, outcomes)
            return outcomes

    async def _tokenize(self, asked: _Asked, texts: Sequence[str]) -> list[Tokenized]:
        """Tokenize in the lane's thread, with the first device's copy of the model."""
        begun_s = self._clock.monotonic_s()
        encoder, options = asked.model.encoders[0], asked.options
        work = partial(encoder.tokenize, texts, prompt=options.prompt, truncate=options.truncate)
        thread = self._tokenizers[asked.lane]
        found = await asyncio.get_running_loop().run_in_executor(thread, work)
        figures.TOKENIZE_SECONDS.observe(self._clock.monotonic_s() - begun_s)
        return found

    async def _outcomes(
        self, asked: _Asked, tokenized: Sequence[Tokenized], known: dict[int, Outcome]
    ) -> list[Outcome]:
        """What is known, and for the rest what the model makes of it."""
        rest = [(at, one) for at, one in enumerate(tokenized) if at not in known]
        if rest:
            begun_s = self._clock.monotonic_s()
            made = await self._answer_to(asked, [one for _, one in rest])
            figures.WAIT_SECONDS.labels(asked.lane).observe(self._clock.monotonic_s() - begun_s)
            known |= {at: outcome for (at, _), outcome in zip(rest, made, strict=True)}
        return [known[at] for at in range(len(tokenized))]

    async def _answer_to(self, asked: _Asked, texts: Sequence[Tokenized]) -> list[Outcome]:
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
        """Settle each text; a call that raised is cut in halves, down to the culprit."""
        if isinstance(result, CallDone):
            self._speeds.note(call.model.name, padded_tokens(call.lengths), result.seconds)
            _settle(call, result, self._queues.finish(call))
            figures.HAND_OVER_SECONDS.observe(self._clock.monotonic_s() - result.at_s)
        elif len(call.jobs) > 1:
            self._queues.add_halves(call)
        else:
            message = f"the model failed on this text: {result.kind}"
            failure = EncodeFailure(ItemErrorCode.ENCODE_FAILED, message)
            for taker in self._queues.finish(call)[0]:
                taker.request.settle(taker.index, failure)


def _on_loop(
    loop: asyncio.AbstractEventLoop,
    deliver: Callable[[Call, CallResult], None],
    call: Call,
    result: CallResult,
) -> None:
    """Carry what a model thread found over to the event loop."""
    loop.call_soon_threadsafe(deliver, call, result)


def _refused(
    tokenized: Sequence[Tokenized], known: dict[int, Outcome], options: EncodeOptions
) -> dict[int, Outcome]:
    """Fail texts that are too long where the task wants no truncation."""
    if options.truncate is not Truncate.ERROR:
        return {}
    return {
        at: _too_long(one) for at, one in enumerate(tokenized) if one.truncated and at not in known
    }


def _too_long(one: Tokenized) -> EncodeFailure:
    message = (
        f"the text has {one.tokens} tokens, the model takes {one.length}"
        " (truncate: error; with end or start it would be cut)"
    )
    return EncodeFailure(ItemErrorCode.TEXT_TOO_LONG, message)


def _settle(call: Call, done: CallDone, takers: Sequence[Sequence[Taker]]) -> None:
    """Give each taker the row of its text, shaped as its task wants it."""
    made: dict[EncodeOptions, Vector] = {}
    for row, (job, wanting) in enumerate(zip(call.jobs, takers, strict=True)):
        for number, taker in enumerate(wanting):
            options = taker.request.options
            if options not in made:
                made[options] = shaped(done.vectors, options)
            fault = done.faults[row]
            origin = Origin.DEDUPLICATED if number else Origin.COMPUTED
            taker.request.settle(
                taker.index,
                _outcome(made[options][row], job.tokenized, fault, origin),
            )


def _outcome(vector: Vector, read: Tokenized, fault: str | None, origin: Origin) -> Outcome:
    if fault is None and not (vector.any() and np.isfinite(vector).all()):
        fault = f"the first {len(vector)} values of the vector are all zero"
    if fault is not None:
        return EncodeFailure(ItemErrorCode.BAD_VECTOR, fault)
    if origin is Origin.DEDUPLICATED:
        figures.DEDUPLICATED.inc()
    return EncodedText(vector, read.tokens, read.truncated, origin)
