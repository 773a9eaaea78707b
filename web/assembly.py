"""Putting the HTTP side together: what it needs, and what it gives the server it is mounted on."""

from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.typedefs import Middleware
from prometheus_client import CollectorRegistry

from embedding.catalog import Catalog
from models.clock import SYSTEM_CLOCK, Clock
from web.access import access
from web.admission import admission
from web.auth import api_key_guard
from web.dead_letters import dead_letter_routes
from web.ending import Canceller, Retrier
from web.errors import problems
from web.figures import figure_routes
from web.health import Probe, health_routes, liveness_routes, worker_health_routes
from web.hop import OwnerHop
from web.limits import WebLimits
from web.listing import TaskLister
from web.metrics import WebMeters
from web.openapi import openapi_routes
from web.owner import owner_routes
from web.ports import (
    Asker,
    Blobs,
    Board,
    DeadLetterShelf,
    Owners,
    Queue,
    Readiness,
    RowCache,
    TaskLog,
    VectorReader,
    Workers,
)
from web.reading import TaskReader
from web.results import ResultReader, result_routes
from web.search import Searcher, search_routes
from web.shedding import Shedder
from web.submitting import Submitter
from web.tables import table_routes
from web.task_manager import TaskManager
from web.tasks import task_routes
from web.uploading import upload_routes


@dataclass(frozen=True, kw_only=True)
class WebParts:
    """All that a master's HTTP side is made of."""

    log: TaskLog
    board: Board
    owners: Owners
    cache: RowCache
    vectors: VectorReader
    blobs: Blobs
    asker: Asker
    queue: Queue
    dead_letters: DeadLetterShelf
    workers: Workers
    readiness: Readiness
    catalog: Catalog
    limits: WebLimits = field(default_factory=WebLimits)
    api_key: str | None = None  # the same at every master: one asks another with it
    version: str = "0.1.0"
    clock: Clock = SYSTEM_CLOCK


def server_options(
    *, api_key: str | None, limits: WebLimits, registry: CollectorRegistry
) -> dict[str, object]:
    """What an aiohttp Application, or Faust's `web_application_options`, is to be made with."""
    return {
        "middlewares": middlewares(api_key=api_key, limits=limits, registry=registry),
        "client_max_size": limits.max_body_bytes,
    }


def middlewares(
    *, api_key: str | None, limits: WebLimits, registry: CollectorRegistry
) -> list[Middleware]:
    """The chain around every handler, outermost first; `registry` gets the door's metrics."""
    guard = [] if api_key is None else [api_key_guard(api_key)]
    return [access(WebMeters(registry)), problems, *guard, admission(limits)]


def mount(app: web.Application, parts: WebParts) -> TaskManager:
    """Give a master's routes to `app`, which was made with `server_options`."""
    hop = OwnerHop(api_key=parts.api_key, timeout_s=parts.limits.read_timeout_s)

    async def close(app: web.Application) -> None:
        del app
        await hop.close()

    tasks = task_manager(parts, hop)

    async def stop_holding(app: web.Application) -> None:
        del app
        tasks.reader.stop_holding()

    app.add_routes(routes(parts, tasks))
    app.on_shutdown.append(stop_holding)
    app.on_cleanup.append(close)
    return tasks


def task_manager(parts: WebParts, hop: OwnerHop) -> TaskManager:
    """Build the manager and its parts; `hop` is closed by whoever made it."""
    limits, clock = parts.limits, parts.clock
    reader = TaskReader(parts.board, parts.owners, parts.cache, hop=hop, clock=clock)
    return TaskManager(
        submitter=Submitter(
            parts.log,
            reader,
            parts.catalog,
            blobs=parts.blobs,
            shedder=Shedder(parts.queue, limits.max_queue_tasks, limits.max_queue_age_s),
            limits=limits,
            clock=clock,
        ),
        reader=reader,
        lister=TaskLister(parts.board, parts.owners, hop=hop, limits=limits),
        canceller=Canceller(parts.log, reader, limits.verdict_timeout_s),
        retrier=Retrier(parts.log, reader),
    )


def routes(parts: WebParts, tasks: TaskManager) -> list[web.RouteDef]:
    """All routes of a master."""
    limits, clock = parts.limits, parts.clock
    results = ResultReader(tasks.reader, parts.vectors, parts.catalog)
    searcher = Searcher(parts.asker, parts.vectors, parts.catalog, limits=limits, clock=clock)
    probe = Probe(
        parts.readiness,
        parts.vectors,
        parts.cache,
        workers=parts.workers,
        lister=tasks.lister,
        clock=clock,
    )
    return [
        *task_routes(tasks, limits),
        *upload_routes(tasks, parts.blobs, limits),
        *result_routes(results, limits),
        *search_routes(searcher, limits),
        *table_routes(tasks.reader),
        *dead_letter_routes(parts.dead_letters, limits),
        *figure_routes(tasks),
        *health_routes(probe),
        *liveness_routes(parts.readiness),
        *owner_routes(parts.board, parts.owners, limits),
        *openapi_routes(parts.catalog, limits, version=parts.version, guarded=bool(parts.api_key)),
    ]


def worker_routes(readiness: Readiness, clock: Clock = SYSTEM_CLOCK) -> list[web.RouteDef]:
    """All routes of an embed or store worker."""
    return [*worker_health_routes(readiness, clock), *liveness_routes(readiness)]
