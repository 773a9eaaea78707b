"""A thread in which models run: it takes call after call, so that the device never waits."""

import gc
import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from embedding import figures
from embedding.batching import padded_tokens
from embedding.encoder import Encoder
from embedding.jobs import Call, Job
from embedding.lane_queues import LaneQueues
from embedding.quality import vector_faults
from models.clock import Clock
from models.vectors import Vector

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class CallDone:
    """A call that gave `(n, dim) float32`, and what is wrong with each row, or None."""

    vectors: Vector
    faults: list[str | None]
    seconds: float
    at_s: float
    """When it ended, on the clock's monotonic scale."""


@dataclass(frozen=True, slots=True)
class CallRaised:
    """A call that raised; only the error's kind is kept, its message may quote a text."""

    kind: str


CallResult = CallDone | CallRaised
Deliver = Callable[[Call, CallResult], None]


class ModelThread:
    """Runs calls one by one on one encoder of each model, off the event loop."""

    def __init__(self, number: int, queues: LaneQueues, deliver: Deliver, clock: Clock) -> None:
        """Use the encoder of this number of each model; `deliver` is called in the thread."""
        self._number = number
        self._queues = queues
        self._deliver = deliver
        self._clock = clock
        self._begun_s: float | None = None
        # A daemon, so that a start that is refused after it began can end the process.
        self._thread = threading.Thread(target=self._run, name=f"encode-{number}", daemon=True)

    @property
    def running_s(self) -> float:
        """How long the call that runs now has been running; 0 between calls."""
        begun_s = self._begun_s
        return 0.0 if begun_s is None else self._clock.monotonic_s() - begun_s

    @property
    def alive(self) -> bool:
        """Whether calls are being run."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to take calls."""
        self._thread.start()

    def join(self) -> None:
        """Wait for the running call; the queues are closed before. Blocking."""
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while (call := self._queues.wait_next_call(self._number)) is not None:
            self._begun_s = self._clock.monotonic_s()
            result = self._attempt(call)
            self._begun_s = None
            self._deliver(call, result)

    def _attempt(self, call: Call) -> CallResult:
        """Run one call and look at what comes out; never raises."""
        try:
            return self._forward(call)
        except MemoryError:
            gc.collect()
            figures.OUT_OF_MEMORY.inc()
            return _raised(call, "MemoryError")
        except BaseException as error:  # noqa: BLE001  (a panic in native code is no Exception)
            return _raised(call, type(error).__name__)

    def _forward(self, call: Call) -> CallDone:
        encoder = call.model.encoders[self._number]
        begun_s = self._clock.monotonic_s()
        vectors = encoder.forward([job.ready for job in call.jobs])
        ended_s = self._clock.monotonic_s()
        _count(call, ended_s - begun_s)
        dimension = call.model.dimension
        faults = vector_faults(vectors, texts=len(call.jobs), dimension=dimension)
        if any(faults):
            vectors, faults = self._mended(encoder, call, vectors, faults)
        return CallDone(vectors, faults, ended_s - begun_s, self._clock.monotonic_s())

    def _mended(
        self, encoder: Encoder, call: Call, vectors: Vector, faults: list[str | None]
    ) -> tuple[Vector, list[str | None]]:
        """Compute each failing row once more, alone and in full precision."""
        mended, left = vectors.copy(), list(faults)
        for row, fault in enumerate(faults):
            if fault is not None:
                mended[row], left[row] = _exact(encoder, call.jobs[row], call.model.dimension)
        return mended, left


def _exact(encoder: Encoder, job: Job, dimension: int) -> tuple[Vector, str | None]:
    found = encoder.forward_exact(job.ready)
    [fault] = vector_faults(found[None, :], texts=1, dimension=dimension)
    figures.RECOMPUTED.labels("mended" if fault is None else "failed").inc()
    return found, fault


def _raised(call: Call, kind: str) -> CallRaised:
    log.warning("encode_failed", model=call.model.name, texts=len(call.jobs), error=kind)
    figures.FAILED_CALLS.labels(kind).inc()
    return CallRaised(kind)


def _count(call: Call, seconds: float) -> None:
    lengths = call.lengths
    figures.FORWARD_SECONDS.observe(seconds)
    figures.BATCH_TOKENS.observe(sum(lengths))
    figures.BATCH_TEXTS.observe(len(lengths))
    figures.TOKENS.labels(call.lane).inc(sum(lengths))
    figures.PADDED_TOKENS.inc(padded_tokens(lengths))
