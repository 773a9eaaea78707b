"""The one thread in which models run, and what it has done."""

import asyncio
import gc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog

from embedding.calls import Call
from embedding.encoder import Outcome
from embedding.quality import screened
from models.clock import Clock

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class CallCounts:
    """What the model thread has done since the start."""

    calls: int = 0
    failed_calls: int = 0
    """Calls that raised; each was split or, with one text, became a failed item."""
    texts: int = 0
    """Texts given to the model, repeats after a split included."""
    busy_s: float = 0.0


@dataclass(frozen=True, slots=True)
class CallRaised:
    """A call that raised; only the error's kind is kept, its message may quote a text."""

    kind: str


class ModelThread:
    """Runs calls one by one, off the event loop."""

    def __init__(self, clock: Clock) -> None:
        """Measure with `clock`; the thread starts with the first call."""
        self.counts = CallCounts()
        self._clock = clock
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="encode")

    async def run(self, call: Call) -> list[Outcome] | CallRaised:
        """Run one call: a screened outcome for each of its texts, or what went wrong."""
        started_s = self._clock.monotonic_s()
        found = await asyncio.get_running_loop().run_in_executor(self._executor, _attempt, call)
        self.counts.busy_s += self._clock.monotonic_s() - started_s
        self.counts.calls += 1
        self.counts.texts += len(call.slots)
        if isinstance(found, CallRaised):
            self.counts.failed_calls += 1
            name = call.entry.name
            log.warning("encode_failed", model=name, texts=len(call.slots), error=found.kind)
        return found

    def close(self) -> None:
        """Let the thread end after the running call."""
        self._executor.shutdown(wait=False)


def _attempt(call: Call) -> list[Outcome] | CallRaised:
    """Run one call in the thread and screen what comes out; never raises."""
    try:
        return _screened_call(call)
    except MemoryError:
        gc.collect()
        return CallRaised("MemoryError")
    except BaseException as error:  # noqa: BLE001  (a panic in the Rust tokenizer is no Exception)
        return CallRaised(type(error).__name__)


def _screened_call(call: Call) -> list[Outcome]:
    outcomes = call.encoder.encode([slot.text for slot in call.slots])
    if len(outcomes) != len(call.slots):
        raise ValueError("the encoder's answer has another length. This is a bug.")
    entry = call.entry
    return screened(outcomes, dimension=entry.dimension, normalized=entry.normalize)
