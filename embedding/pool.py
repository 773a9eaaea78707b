"""The models this process has loaded: each on first use, each once."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from embedding.catalog import ModelEntry
from embedding.encoder import Encoder
from embedding.loading import load_encoder
from models.clock import SYSTEM_CLOCK, Clock
from models.errors import VectorizeError

DEFAULT_RETRY_AFTER_S = 30.0


class ModelLoadFailed(VectorizeError):
    """A model cannot be loaded now."""

    def __init__(self, *, model: str, reason: str) -> None:
        """Name the `model` and why it did not load."""
        super().__init__(f"model {model} cannot be loaded: {reason}")
        self.model = model
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Failure:
    """A load that failed, and until when nobody tries again."""

    reason: str
    until_s: float  # on the clock's monotonic scale


class ModelPool:
    """Loads each model in a thread on first use and keeps it; used from one event loop."""

    def __init__(
        self,
        load: Callable[[ModelEntry], Encoder] = load_encoder,
        *,
        clock: Clock = SYSTEM_CLOCK,
        retry_after_s: float = DEFAULT_RETRY_AFTER_S,
    ) -> None:
        """Take the blocking `load`; a failure is remembered for `retry_after_s`."""
        self._load = load
        self._clock = clock
        self._retry_after_s = retry_after_s
        self._encoders: dict[str, Encoder] = {}
        self._loading: dict[str, asyncio.Task[Encoder]] = {}
        self._failures: dict[str, _Failure] = {}

    @property
    def device(self) -> str:
        """Where the loaded models run, several joined by commas; `none` before the first."""
        return ",".join(sorted({each.device for each in self._encoders.values()})) or "none"

    def loaded(self) -> list[str]:
        """Names of the models that are ready."""
        return list(self._encoders)

    async def get(self, entry: ModelEntry) -> Encoder:
        """Return the loaded model, loading it if need be. Raises ModelLoadFailed."""
        if (ready := self._encoders.get(entry.name)) is not None:
            return ready
        self._refuse_if_failed_lately(entry.name)
        return await asyncio.shield(self._loading_of(entry))

    async def close(self) -> None:
        """Wait for loads under way, then free every model."""
        await asyncio.gather(*self._loading.values(), return_exceptions=True)
        for encoder in self._encoders.values():
            await asyncio.to_thread(encoder.close)
        self._encoders.clear()

    def _loading_of(self, entry: ModelEntry) -> asyncio.Task[Encoder]:
        """Join the load under way, or begin one; it outlives a caller that is cancelled."""
        if (under_way := self._loading.get(entry.name)) is not None:
            return under_way
        task = asyncio.create_task(self._load_in_thread(entry), name=f"load {entry.name}")
        self._loading[entry.name] = task
        task.add_done_callback(_mark_seen)
        return task

    async def _load_in_thread(self, entry: ModelEntry) -> Encoder:
        try:
            encoder = await asyncio.to_thread(self._load, entry)
        except Exception as error:
            raise self._remember(entry.name, error) from error
        finally:
            del self._loading[entry.name]
        self._encoders[entry.name] = encoder
        return encoder

    def _remember(self, model: str, error: Exception) -> ModelLoadFailed:
        """Note a failed load, whatever it was, as one line."""
        reason = " ".join(str(error).split()) or type(error).__name__
        until_s = self._clock.monotonic_s() + self._retry_after_s
        self._failures[model] = _Failure(reason, until_s)
        return ModelLoadFailed(model=model, reason=reason)

    def _refuse_if_failed_lately(self, model: str) -> None:
        failure = self._failures.get(model)
        if failure is None:
            return
        if self._clock.monotonic_s() < failure.until_s:
            raise ModelLoadFailed(model=model, reason=failure.reason)
        del self._failures[model]


def _mark_seen(task: asyncio.Task[Encoder]) -> None:
    """Read the exception, so that asyncio does not report it when every caller has left."""
    if not task.cancelled():
        task.exception()
