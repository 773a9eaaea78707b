"""The composition root: settings -> stores -> topics -> agents -> routes. Nobody imports it.

`faust -A faust_app worker` runs the role that `VECTORIZE_ROLE` picks: `master` (web, intake,
track; owns the tables), `embed`, `store`, or `all` of them in one process. Every shape uses the
same consumer groups, so a deployment may change shape and loses nothing.
"""

import os
import socket
import sys
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from uuid import uuid4

from faust.cli import AppCommand
from prometheus_client import REGISTRY

from agents.embed import Embed, Gate, Suspects, mind_the_backlog
from agents.intake import Intake, IntakeOptions
from agents.store import Store
from agents.track import Track, TrackOptions, VerdictDesk
from agents.upkeep import Upkeep
from config import options
from config.errors import SettingsError
from config.logging import configure_structlog, logging_config
from config.model import Role, Settings
from config.settings import load_settings, render_settings
from embedding.catalog import Catalog, load_catalog
from embedding.isolation import Isolation
from embedding.lanes import LaneBatcher
from embedding.loading import load_encoders, most_encoders
from embedding.memory import available_bytes
from embedding.pool import ModelPool
from embedding.recall import Recall
from models.clock import SYSTEM_CLOCK
from models.errors import VectorizeError
from models.states import Lane
from models.workers import WorkerBeat
from stores.attempts import NoAttempts, RedisAttempts
from stores.discard import DiscardStore
from stores.redis_cache import open_cache
from stores.task_cache import TaskCache
from stores.vector_cache import RedisVectorCache
from stores.weaviate import WeaviateStore
from streams.app import EX_CONFIG, StageApp, WebOptions, stage_app
from streams.broker_clock import BrokerClock, first_time, keep_time
from streams.dead_commands import add_dead_commands, open_shelf
from streams.dead_letters import DeadLetters
from streams.dead_shelf import DeadShelf
from streams.delivery import Delivery, Stage
from streams.lag import LagMeter
from streams.listening import choose_port, reachable_host
from streams.membership import Membership
from streams.owned_rows import OwnedRows, own_rows
from streams.producing import FaustProducer, PartitionOf, partitioner
from streams.provision import provision
from streams.queue_depth import QueueDepth
from streams.readiness import Readiness
from streams.replies import Asker, listen_for_ever
from streams.serving import MetricsDoor, tell_where
from streams.side_reader import SideReader
from streams.task_log import TaskLog
from streams.tools import StageTools
from streams.topics import TopicNames, topic_specs
from streams.turns import Turns
from streams.watchdog import Standstill, Watchdog, Wedged, call_check, standing_check
from streams.workers import WorkerWatch, beat_from, watch_for_ever
from web.assembly import WebParts, mount, server_options, worker_routes

#: One for all roles of a process: each asks the broker for its time.
CLOCK = BrokerClock(SYSTEM_CLOCK)


@dataclass(frozen=True)
class Parts:
    """What the roles of one process share; nothing of it connects before its first use."""

    settings: Settings
    catalog: Catalog
    cache: TaskCache
    store: WeaviateStore | DiscardStore
    names: TopicNames
    worker: str
    partition_of: PartitionOf


def shared_parts(settings: Settings) -> Parts:
    """Open what every role needs."""
    writes = settings.database.vector_store == "weaviate"
    return Parts(
        settings=settings,
        catalog=load_catalog(settings.models_path, settings.task.default_model),
        cache=open_cache(options.redis_options(settings)),
        store=WeaviateStore(options.weaviate_options(settings)) if writes else DiscardStore(),
        names=TopicNames(settings.kafka.topic_prefix),
        worker=f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:6]}",
        partition_of=partitioner(settings.kafka.partitions),
    )


def new_app(parts: Parts, role: Role, web: WebOptions | None) -> StageApp:
    """Make the Faust app of one role: its consumer group is `<prefix>-<role>`."""
    settings = parts.settings
    kafka = settings.kafka
    specs = topic_specs(options.topic_options(settings))
    app = stage_app(
        parts.names.group(role),
        options.kafka_options(settings),
        settings.data_path / parts.names.group(role) / str(web.port if web else "worker"),
        web=web,
        logging_config=logging_config(settings),
    )
    app.provision = partial(
        provision, kafka.bootstrap_servers, specs, kafka.replication_factor, kafka.start_timeout_s
    )
    topic, interval_s = parts.names.workers, settings.monitoring.heartbeat_interval_s
    app.after_provision.append(partial(first_time, kafka.bootstrap_servers, topic, CLOCK))
    app.background("clock", partial(keep_time, FaustProducer(app), topic, CLOCK, interval_s))
    return app


def tools_of(parts: Parts, app: StageApp) -> StageTools:
    """What the stages of one app work with."""
    producer, settings = FaustProducer(app), parts.settings
    most = settings.task.deadletter_max_per_minute
    dead = DeadLetters(producer, parts.names.dead, most, CLOCK)
    return StageTools(producer, dead, parts.names, CLOCK)


def attach(app: StageApp, topic: str, stage: Stage) -> None:
    """Let `stage` consume `topic`."""
    app.deliver([topic], Delivery(stage, app.deliveries))


# -- role master ------------------------------------------------------------------------------


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
    units = await lag.lag(names.group(Role.EMBED), map(names.units, Lane), partitions)
    vectors = await lag.lag(names.group(Role.STORE), map(names.vectors, Lane), partitions)
    return units == vectors == 0


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
    web_parts = WebParts(
        log=task_log,
        board=owned.board,
        owners=owned.owners,
        cache=parts.cache,
        vectors=parts.store,
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
    app.background("workers", partial(watch_for_ever, brokers, names.workers, workers))
    listen = partial(listen_for_ever, brokers, asker, names.replies, kafka.fetch_max_bytes)
    app.background("replies", listen)


# -- role embed -------------------------------------------------------------------------------


def embed_app(parts: Parts, web: WebOptions | None) -> tuple[StageApp, Readiness]:
    """Units to vectors."""
    settings, names = parts.settings, parts.names
    app = new_app(parts, Role.EMBED, web)
    readiness, gate = Readiness(app), Gate()
    pool, batcher = attach_encoder(parts, app)
    embed = Embed(
        tools_of(parts, app),
        deliveries=app.deliveries,
        batcher=batcher,
        catalog=parts.catalog,
        suspects=suspects_of(settings, app),
        marks=parts.cache,
        gate=gate,
        worker=parts.worker,
    )
    for lane in Lane:
        stage = Stage(f"embed.{lane}", embed.begin, embed.poison, settings.task.embed_window)
        attach(app, names.units(lane), stage)
    readiness.add(
        "batcher", lambda: None if batcher.running else "the encoder's queue stands still"
    )
    app.background("tails", Membership(app, names.units(Lane.NORMAL)).watch_tails)
    hold_back(parts, app, gate)
    app.wedges.append(call_check(batcher.longest_call_s, settings.encoder.call_timeout_s))
    if settings.encoder.warm_up:
        entry = parts.catalog.resolve(None)
        app.background_once("warm_up", partial(pool.warm_up, entry))
        readiness.add("model", lambda: None if pool.loaded() else f"loading {entry.name}")
    beat_as(parts, app, Role.EMBED, pool)
    return app, readiness


def attach_encoder(parts: Parts, app: StageApp) -> tuple[ModelPool, LaneBatcher]:
    """The models of this process, and where texts wait for them."""
    settings = parts.settings
    load = partial(load_encoders, options=options.load_options(settings))
    pool = ModelPool(load, options.pool_options(settings), memory_left=available_bytes, clock=CLOCK)
    batcher = LaneBatcher(
        pool,
        options.batch_options(settings),
        recall=recall_of(settings, app),
        encoders=most_encoders(options.load_options(settings)),
        clock=CLOCK,
    )
    app.before_start.append(batcher.start)
    app.background("models", pool.keep_small)
    app.after_stop[:0] = [batcher.stop, pool.close]
    return pool, batcher


def suspects_of(settings: Settings, app: StageApp) -> Suspects:
    """How deaths over a unit are counted, and where its texts are encoded then."""
    redis = options.redis_options(settings)
    attempts = RedisAttempts(redis, CLOCK) if redis.url else NoAttempts()
    app.after_stop.append(attempts.close)
    alone = Isolation(options.isolation_options(settings))
    return Suspects(attempts, alone, settings.encoder.suspect_deaths)


def recall_of(settings: Settings, app: StageApp) -> Recall | None:
    """The cache of computed vectors, if there is one."""
    cached = options.vector_cache_options(settings)
    if cached is None:
        return None
    vectors = RedisVectorCache(options.redis_options(settings), cached, CLOCK)
    app.after_stop.append(vectors.close)
    return Recall(vectors)


def hold_back(parts: Parts, app: StageApp, gate: Gate) -> None:
    """Close `gate` while the store is too far behind."""
    settings, names = parts.settings, parts.names
    lag = LagMeter(settings.kafka.bootstrap_servers, app.reader)
    topics = [names.vectors(lane) for lane in Lane]
    backlog = partial(lag.lag, names.group(Role.STORE), topics, settings.kafka.unit_partitions)
    app.background(
        "backlog", partial(mind_the_backlog, gate, backlog, settings.task.max_backlog_units)
    )
    app.after_stop.append(lag.close)


def beat_as(parts: Parts, app: StageApp, role: Role, pool: ModelPool | None = None) -> None:
    """Send signs of life of `role` from `app`."""

    def beat() -> WorkerBeat:
        return WorkerBeat(
            worker=f"{parts.worker}-{role}",
            roles=[role],
            models=pool.loaded() if pool else [],
            device=pool.device if pool else "none",
            in_flight=app.deliveries.in_flight,
            at_ms=CLOCK.now_ms(),
        )

    interval_s = parts.settings.monitoring.heartbeat_interval_s
    beat_from(app, FaustProducer(app), parts.names.workers, beat, interval_s=interval_s)


# -- role store -------------------------------------------------------------------------------


def store_app(parts: Parts, web: WebOptions | None) -> tuple[StageApp, Readiness]:
    """Vectors to the vector store."""
    settings, names = parts.settings, parts.names
    app = new_app(parts, Role.STORE, web)
    store = Store(
        tools_of(parts, app),
        writer=parts.store,
        catalog=parts.catalog,
        marks=parts.cache,
        turns=Turns(settings.task.store_writes),
        write_objects=settings.task.store_objects,
    )
    for lane in Lane:
        stage = Stage(f"store.{lane}", store.begin, store.poison, settings.task.store_window)
        attach(app, names.vectors(lane), stage)
    app.background("tails", Membership(app, names.vectors(Lane.NORMAL)).watch_tails)
    if isinstance(parts.store, WeaviateStore):
        app.background_once("weaviate_client", parts.store.load)
    beat_as(parts, app, Role.STORE)
    app.after_stop += [parts.store.close, parts.cache.close]
    return app, Readiness(app)


# -- the process ------------------------------------------------------------------------------


def build(settings: Settings) -> StageApp:
    """Build the app of the role; in `all`, the workers' apps run beside the master's."""
    parts = shared_parts(settings)
    if settings.role in (Role.EMBED, Role.STORE):
        make = embed_app if settings.role is Role.EMBED else store_app
        web = listen_on(settings, settings.service.worker_port, "service.worker_port")
        app, readiness = make(parts, web)
        app.http.add_routes(worker_routes(readiness))
    else:
        web = listen_on(settings, settings.service.port, "service.port")
        app, readiness = master_app(parts, web)
        if settings.role is Role.ALL:
            for role, make in ((Role.EMBED, embed_app), (Role.STORE, store_app)):
                companion, its_readiness = make(parts, None)
                app.companions.append(companion)
                readiness.share(its_readiness, role)
    app.before_stop.insert(0, readiness.drain)
    watch_over(settings, app)
    tell_where(app, settings.role, web.listening, metrics_door(settings))
    return app


def watch_over(settings: Settings, app: StageApp) -> None:
    """End the process when it is wedged."""
    limit_s = settings.service.standing_timeout_s
    checks: list[Wedged] = []
    for each in (app, *app.companions):
        still = Standstill(limit_s, CLOCK)
        checks += [*each.wedges, standing_check(each.progress, each.reader.broker_answers, still)]
    watchdog = Watchdog(checks, loop_limit_s=settings.service.loop_timeout_s)
    app.background("watchdog", watchdog.run)


def listen_on(settings: Settings, wanted: int, setting: str) -> WebOptions:
    """Choose the HTTP port; a refusal is told when the app starts, not when it is only built."""
    service = settings.service
    chosen = choose_port(
        service.host,
        wanted,
        purpose="HTTP",
        setting=setting,
        on_purpose=wanted != 0 and settings.origin_of(setting) != "default",
    )
    url = service.advertised_url or f"http://{reachable_host(service.host)}:{chosen.port}"
    application = server_options(
        api_key=options.api_key(settings), limits=options.web_limits(settings), registry=REGISTRY
    )
    return WebOptions(service.host, chosen, str(url).rstrip("/"), application)


def metrics_door(settings: Settings) -> MetricsDoor:
    """Where Prometheus text is served; workers take any free port unless one is set."""
    monitoring = settings.monitoring
    on_purpose = settings.origin_of("monitoring.prometheus_port") != "default"
    is_worker = settings.role in (Role.EMBED, Role.STORE)
    wanted = 0 if is_worker and not on_purpose else monitoring.prometheus_port
    return MetricsDoor(settings.service.host, wanted, on_purpose, monitoring.prometheus_enabled)


def built() -> StageApp:
    """Build the app from the settings, or leave with the one line that says what is wrong."""
    try:
        return build(load_settings())
    except (SettingsError, VectorizeError) as error:
        print(f"vectorize: {error}", file=sys.stderr)  # noqa: T201  # logging is not set up yet
        sys.exit(EX_CONFIG)


configure_structlog()
app = built()


@app.command()
async def config(self: AppCommand) -> None:
    """Show each setting in force and where it comes from; secrets are masked."""
    self.say(render_settings(load_settings()))


def dead_shelf() -> AbstractAsyncContextManager[DeadShelf]:
    """Open the dead letters for a command."""
    settings = load_settings()
    return open_shelf(options.kafka_options(settings), TopicNames(settings.kafka.topic_prefix))


add_dead_commands(app, dead_shelf)
