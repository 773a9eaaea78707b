"""Health: what is connected, what is ready, whether the loop turns. Never guarded, never slow."""

import asyncio
from collections.abc import Awaitable, Mapping
from http import HTTPStatus

from aiohttp import web
from typing_extensions import TypedDict

from models.clock import Clock, iso_time
from models.errors import Unavailable
from models.states import TaskState
from web.answers import json_answer
from web.errors import problem_answer
from web.listing import TaskLister
from web.ports import Readiness, RowCache, VectorReader, Workers

CHECK_S = 1.0
#: The stages a task needs beside the master.
NEEDED_ROLES = frozenset({"extract", "embed", "store"})


class Health(TypedDict):
    """The body of `GET /health`, the guide's fields and no others."""

    status: str
    timestamp: str
    kafka_connected: bool
    weaviate_connected: bool
    redis_connected: bool
    active_workers: int
    queue_size: int


class Probe:
    """Looks at everything a master leans on, all at once and for a second at most."""

    def __init__(
        self,
        readiness: Readiness,
        vectors: VectorReader,
        cache: RowCache,
        *,
        workers: Workers,
        lister: TaskLister,
        clock: Clock,
    ) -> None:
        """Ask each of these for a sign of life."""
        self._readiness = readiness
        self._vectors = vectors
        self._cache = cache
        self._workers = workers
        self._lister = lister
        self._clock = clock
        self._queue_size = 0

    async def health(self) -> Health:
        """Say how it is; never raises."""
        kafka, weaviate, redis, _ = await asyncio.gather(
            _answers(self._readiness.broker_connected()),
            _answers(self._vectors.ping()),
            _answers(self._cache.ping()),
            _answers(self._count_queue()),
        )
        alive = self._workers.active()
        staffed = {role for beat in alive for role in beat.roles} >= NEEDED_ROLES
        return {
            "status": _status(kafka=kafka, rest=weaviate and redis and staffed),
            "timestamp": iso_time(self._clock.now_ms()) or "",
            "kafka_connected": kafka,
            "weaviate_connected": weaviate,
            "redis_connected": redis,
            "active_workers": len(alive),
            "queue_size": self._queue_size,
        }

    async def _count_queue(self) -> bool:
        """Count the pending tasks; while an owner is away the last number stands."""
        self._queue_size = (await self._lister.tally()).states.get(TaskState.PENDING, 0)
        return True


def _status(*, kafka: bool, rest: bool) -> str:
    if not kafka:
        return "unhealthy"
    return "healthy" if rest else "degraded"


async def _answers(check: Awaitable[bool]) -> bool:
    try:
        async with asyncio.timeout(CHECK_S):
            return await check
    except Exception:  # noqa: BLE001  # whatever it is, it is no sign of life
        return False


def health_routes(probe: Probe) -> list[web.RouteDef]:
    """`GET /health` of a master."""

    async def health(request: web.Request) -> web.Response:
        del request
        return json_answer(await probe.health())

    return [web.get("/health", health)]


def liveness_routes(readiness: Readiness) -> list[web.RouteDef]:
    """`GET /livez` and `/readyz`, the same for every role."""

    async def livez(request: web.Request) -> web.Response:
        del request
        return json_answer({"status": "alive"})

    async def readyz(request: web.Request) -> web.Response:
        reasons = readiness.reasons()
        checks = checks_of(reasons)
        waiting = [name for name, reason in reasons.items() if reason is not None]
        if not waiting:
            return json_answer({"status": "ready", "checks": checks})
        told = Unavailable(f"not ready: {', '.join(waiting)}")
        return problem_answer(request, told, checks=checks)

    return [web.get("/livez", livez), web.get("/readyz", readyz)]


def worker_health_routes(readiness: Readiness, clock: Clock) -> list[web.RouteDef]:
    """`GET /health` of an embed or store worker: 200, with what it waits for."""

    async def health(request: web.Request) -> web.Response:
        del request
        reasons = readiness.reasons()
        kafka = await _answers(readiness.broker_connected())
        rest = all(reason is None for reason in reasons.values())
        body = {
            "status": _status(kafka=kafka, rest=rest),
            "timestamp": iso_time(clock.now_ms()),
            "kafka_connected": kafka,
            "checks": checks_of(reasons),
        }
        return json_answer(body, status=HTTPStatus.OK)

    return [web.get("/health", health)]


def checks_of(reasons: Mapping[str, str | None]) -> dict[str, str]:
    """One word or reason per dependency."""
    return {name: reason or "ready" for name, reason in reasons.items()}
