"""The models this process has loaded: each on first use, each once, freed when nobody needs it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import structlog

from embedding import figures
from embedding.catalog import ModelEntry
from embedding.encoder import Encoder
from models.clock import SYSTEM_CLOCK, Clock
from models.errors import VectorizeError

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 5.0

#: Loads a model on every device that there is; blocking.
Load = Callable[[ModelEntry], Sequence[Encoder]]
#: Memory that could still be had, in bytes.
MemoryLeft = Callable[[], int]


class ModelLoadFailed(VectorizeError):
    """A model cannot be loaded now."""

    def __init__(self, *, model: str, reason: str) -> None:
        """Name the `model` and why it did not load."""
        super().__init__(f"model {model} cannot be loaded: {reason}")
        self.model = model
        self.reason = reason


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """How long models stay."""

    retry_after_s: float = 30.0
    """A failed load is remembered for so long; nobody tries again before."""
    idle_s: float = 0.0
    """A model that nobody used for so long is freed; 0: never."""
    least_free_bytes: int = 0
    """Below so much free memory the model longest unused is freed; 0: never."""


@dataclass(frozen=True, slots=True)
class _Failure:
    """A load that failed, and until when nobody tries again."""

    reason: str
    until_s: float  # on the clock's monotonic scale


class _FailedLoads:
    """Loads that failed lately: nobody tries again before a while."""

    def __init__(self, retry_after_s: float, clock: Clock) -> None:
        self._retry_after_s = retry_after_s
        self._clock = clock
        self._failures: dict[str, _Failure] = {}

    def remember(self, model: str, error: BaseException) -> ModelLoadFailed:
        """Note a failed load, whatever it was, as one line."""
        reason = " ".join(str(error).split()) or type(error).__name__
        until_s = self._clock.monotonic_s() + self._retry_after_s
        self._failures[model] = _Failure(reason, until_s)
        figures.MODEL_LOADS.labels("failed").inc()
        return ModelLoadFailed(model=model, reason=reason)

    def refuse(self, model: str) -> None:
        """Raise ModelLoadFailed where this model's load failed lately."""
        failure = self._failures.get(model)
        if failure is None:
            return
        if self._clock.monotonic_s() < failure.until_s:
            raise ModelLoadFailed(model=model, reason=failure.reason)
        del self._failures[model]


@dataclass(slots=True, eq=False)
class LoadedModel:
    """A model in memory, once on each device."""

    entry: ModelEntry
    encoders: Sequence[Encoder]
    used_s: float = 0.0  # when somebody last let go of it, on the clock's monotonic scale

    @property
    def name(self) -> str:
        """What the catalog calls it."""
        return self.entry.name

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return self.entry.dimension

    @property
    def batch_texts(self) -> int | None:
        """Most texts in one call."""
        return self.entry.batch_texts

    @property
    def batch_tokens(self) -> int | None:
        """Most tokens in one call, padding included."""
        return self.entry.batch_tokens


class ModelPool:
    """Loads each model in a thread on first use and keeps it; used from one event loop."""

    def __init__(
        self,
        load: Load,
        options: PoolOptions | None = None,
        *,
        memory_left: MemoryLeft | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Take the blocking `load`; without `memory_left` no model goes for want of memory."""
        self._load = load
        self._options = options or PoolOptions()
        self._memory_left = memory_left
        self._clock = clock
        self._models: dict[str, LoadedModel] = {}
        self._loading: dict[str, asyncio.Task[LoadedModel]] = {}
        self._failures = _FailedLoads(self._options.retry_after_s, clock)
        self._users: Counter[str] = Counter()

    @property
    def device(self) -> str:
        """Where the loaded models run, several joined by commas; `none` before the first."""
        devices = {each.device for model in self._models.values() for each in model.encoders}
        return ",".join(sorted(devices)) or "none"

    def loaded(self) -> list[str]:
        """Names of the models that are ready."""
        return list(self._models)

    @asynccontextmanager
    async def lease(self, entry: ModelEntry) -> AsyncIterator[LoadedModel]:
        """Give the loaded model, loading it if need be; it stays as long as this is held.

        Raises ModelLoadFailed.
        """
        with self._wanted(entry.name):
            yield self._models.get(entry.name) or await self._loaded(entry)

    @contextmanager
    def _wanted(self, name: str) -> Iterator[None]:
        """Keep a model from being freed meanwhile, one that is still to be loaded too."""
        self._users[name] += 1
        try:
            yield
        finally:
            self._users[name] -= 1
            if (model := self._models.get(name)) is not None:
                model.used_s = self._clock.monotonic_s()

    async def warm_up(self, entry: ModelEntry) -> None:
        """Load a model before anybody needs it. Raises ModelLoadFailed."""
        async with self.lease(entry):
            pass

    async def close(self) -> None:
        """Wait for loads under way, then free every model."""
        await asyncio.gather(*self._loading.values(), return_exceptions=True)
        while self._models:
            await self._unload(next(iter(self._models)), "stop")

    async def keep_small(self) -> None:
        """Free models that are idle, or in the way, for ever."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        """Free what is idle; where memory is short, the model that was longest unused."""
        for name in sorted(self._models, key=lambda name: self._models[name].used_s):
            if (reason := self._why_free(name)) is not None:
                await self._unload(name, reason)

    def _why_free(self, name: str) -> str | None:
        """Why a model is to go now; None: it stays. Asked anew after each wait."""
        model, options = self._models.get(name), self._options
        if model is None or self._users[name]:
            return None
        if options.idle_s and self._clock.monotonic_s() - model.used_s >= options.idle_s:
            return "idle"
        if self._memory_left and self._memory_left() < options.least_free_bytes:
            return "memory"
        return None

    async def _loaded(self, entry: ModelEntry) -> LoadedModel:
        self._failures.refuse(entry.name)
        return await asyncio.shield(self._loading_of(entry))

    def _loading_of(self, entry: ModelEntry) -> asyncio.Task[LoadedModel]:
        """Join the load under way, or begin one; it outlives a caller that is cancelled."""
        if (under_way := self._loading.get(entry.name)) is not None:
            return under_way
        task = asyncio.create_task(self._load_in_thread(entry), name=f"load {entry.name}")
        self._loading[entry.name] = task
        task.add_done_callback(_mark_seen)
        return task

    async def _load_in_thread(self, entry: ModelEntry) -> LoadedModel:
        begun_s = self._clock.monotonic_s()
        try:
            encoders = await asyncio.to_thread(self._load, entry)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # a panic in native code is no Exception
            raise self._failures.remember(entry.name, error) from error
        finally:
            del self._loading[entry.name]
        now_s = self._clock.monotonic_s()
        model = LoadedModel(entry, encoders, used_s=now_s)
        self._models[entry.name] = model
        figures.MODEL_LOADS.labels("loaded").inc()
        figures.MODELS.set(len(self._models))
        backends = [f"{each.backend} on {each.device}" for each in encoders]
        log.info("model_loaded", model=entry.name, runs=backends, seconds=now_s - begun_s)
        return model

    async def _unload(self, name: str, reason: str) -> None:
        """Free a model; who wants it meanwhile loads it again."""
        model = self._models.pop(name)
        figures.MODEL_UNLOADS.labels(reason).inc()
        figures.MODELS.set(len(self._models))
        log.info("model_freed", model=name, reason=reason)
        for encoder in model.encoders:
            await asyncio.to_thread(encoder.close)


def _mark_seen(task: asyncio.Task[LoadedModel]) -> None:
    """Read the exception, so that asyncio does not report it when every caller has left."""
    if not task.cancelled():
        task.exception()
