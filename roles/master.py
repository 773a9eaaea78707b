"""Role master: web, intake, track, upkeep, and the tables."""

from functools import partial
from uuid import uuid4

from agents.blob_expiry import BlobExpiry
from agents.intake import Intake, IntakeOptions
from agents.track import Track, TrackOptions, VerdictDesk
from agents.upkeep import Upkeep
from config import options
from config.model import Role
from models.states import Lane
from roles.parts import CLOCK, Parts, attach, new_app, open_blobs, tools_of
from streams.app import StageApp, WebOptions
from streams.dead_shelf import DeadShelf
from streams.delivery import Stage
from streams.lag import LagMeter
from streams.owned_rows import OwnedRows, own_rows
from streams.producing import FaustProducer
from streams.queue_depth import QueueDepth
from streams.readiness import Readiness
from streams.replies import Asker, listen_for_ever
from streams.side_reader import SideReader
from streams.task_log import TaskLog
from streams.tools import StageTools
from streams.workers import WorkerWatch, watch_for_ever
from web.assembly import WebParts, mount


def master_app(parts: Parts, web: WebOptions) -> tuple[StageApp, Readiness]:
    """Web, intake, track, upkeep, and the tables."""
    settings = parts.settings
    app = new_app(parts, Role.MASTER, web)
    tools, readiness = tools_of(parts, app), Readiness(app)
    owned = own_rows(
        app,
        parts.names,
        parts.partition_of,
        partitions=settings.kafka.partitions,
        session_timeout_s=settings.kafka.session_timeout_s,
        read_timeout_s=settings.service.read_timeout_s,
    )
    rows, dead = owned.rows, tools.dead_letters
    readiness.add("tables", lambda: None if rows.ready else "loading the rows of its partitions")
    readiness.add("dead_letters", lambda: "more than allowed a minute" if dead.held else None)
    attach_intake_and_track(parts, app, tools, owned)
    task_log = attach_upkeep(parts, app, tools, owned)
    queue = queue_depth(parts, app, owned)
    attach_web(parts, app, owned, task_log=task_log, queue=queue, readiness=readiness)
    app.after_stop += [parts.store.close, parts.cache.close]
    return app, readiness


def attach_intake_and_track(
    parts: Parts, app: StageApp, tools: StageTools, owned: OwnedRows
) -> None:
    """The two stages that share the master: intake waits for track's verdicts."""
    settings, verdicts = parts.settings, VerdictDesk()
    retention_hours = settings.kafka.task_retention_hours
    intake = Intake(
        tools,
        deliveries=app.deliveries,
        verdicts=verdicts,
        resolve=parts.catalog.resolve,
        partition_of=parts.partition_of,
        options=IntakeOptions(options.task_limits(settings), retention_hours),
    )
    track = Track(
        tools,
        rows=owned.rows,
        finals=owned.finals,
        verdicts=verdicts,
        cache=parts.cache,
        options=TrackOptions(
            max_run_ms=int(settings.task.max_run_s * 1000),
            row_ttl_s=settings.task.retention_hours * 3600,
        ),
    )
    window = settings.task.intake_window
    attach(app, parts.names.tasks, Stage("intake", intake.begin, intake.poison, window))
    # Track's records are light and come several a task: a wide window keeps the changelog busy.
    attach(app, parts.names.events, Stage("track", track.begin, track.poison, window * 16))


def attach_upkeep(parts: Parts, app: StageApp, tools: StageTools, owned: OwnedRows) -> TaskLog:
    """What is due without anybody asking; gives the task log it reads sources with."""
    settings = parts.settings
    lag = LagMeter(settings.kafka.bootstrap_servers, app.reader)
    task_log = TaskLog(
        producer=tools.producer,
        reader=app.reader,
        names=parts.names,
        submit_timeout_s=settings.kafka.submit_timeout_s,
        clock=CLOCK,
    )
    upkeep = Upkeep(
        tools,
        rows=owned.rows,
        writer=parts.store,
        source=task_log.source,
        pipeline_idle=partial(pipeline_is_idle, parts, lag),
        options=options.upkeep_options(settings),
    )
    app.background("upkeep", upkeep.run)
    app.after_stop.append(lag.close)
    return task_log


def queue_depth(parts: Parts, app: StageApp, owned: OwnedRows) -> QueueDepth:
    """What new tasks are refused by."""
    names, kafka = parts.names, parts.settings.kafka
    lag = LagMeter(kafka.bootstrap_servers, app.reader)
    unread = partial(lag.lag, names.group(Role.MASTER), [names.tasks], kafka.partitions)
    queue = QueueDepth(owned.rows, unread, partitions=kafka.partitions, clock=CLOCK)
    app.background("queue", queue.watch)
    app.after_stop.append(lag.close)
    return queue


async def pipeline_is_idle(parts: Parts, lag: LagMeter) -> bool:
    """Tell whether no lane holds a record that its stage has not finished."""
    names, partitions = parts.names, parts.settings.kafka.unit_partitions
    files = await lag.lag(names.group(Role.EXTRACT), map(names.files, Lane), partitions)
    units = await lag.lag(names.group(Role.EMBED), map(names.units, Lane), partitions)
    vectors = await lag.lag(names.group(Role.STORE), map(names.vectors, Lane), partitions)
    return files == units == vectors == 0


def attach_web(
    parts: Parts,
    app: StageApp,
    owned: OwnedRows,
    *,
    task_log: TaskLog,
    queue: QueueDepth,
    readiness: Readiness,
) -> None:
    """The HTTP API on Faust's own web server, and what it listens to."""
    settings, names = parts.settings, parts.names
    brokers, kafka = settings.kafka.bootstrap_servers, settings.kafka
    # A reader of its own: a person who reads dead letters must not hold up the delivery.
    shelf_reader = SideReader(brokers, kafka.fetch_max_bytes)
    app.after_stop.append(shelf_reader.close)
    workers = WorkerWatch(settings.monitoring.worker_timeout_s, CLOCK)
    asker = Asker(
        producer=FaustProducer(app),
        names=names,
        partition=uuid4().int % kafka.unit_partitions,
        workers_alive=lambda: any(Role.EMBED in beat.roles for beat in workers.active()),
        clock=CLOCK,
    )
    blobs = open_blobs(settings)
    web_parts = WebParts(
        log=task_log,
        board=owned.board,
        owners=owned.owners,
        cache=parts.cache,
        vectors=parts.store,
        blobs=blobs,
        asker=asker,
        queue=queue,
        dead_letters=DeadShelf(shelf_reader, FaustProducer(app), names),
        workers=workers,
        readiness=readiness,
        catalog=parts.catalog,
        limits=options.web_limits(settings),
        api_key=options.api_key(settings),
        clock=CLOCK,
    )
    mount(app.http, web_parts)
    keep_hours = settings.task.retention_hours + settings.document.blob_extra_hours
    expiry = BlobExpiry(owned.rows, blobs, keep_hours=keep_hours, clock=CLOCK)
    app.background("blobs", expiry.run)
    app.background("workers", partial(watch_for_ever, brokers, names.workers, workers))
    listen = partial(listen_for_ever, brokers, asker, names.replies, kafka.fetch_max_bytes)
    app.background("replies", listen)
