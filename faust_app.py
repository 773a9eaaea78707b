"""The composition root: settings -> stores -> topics -> agents -> routes. Nobody imports it.

`faust -A faust_app worker` runs the role that `VECTORIZE_ROLE` picks: `master` (web, intake,
track; owns the tables), `embed`, `store`, or `all` of them in one process. Every shape uses the
same consumer groups, so a deployment may change shape and loses nothing.
"""

import os
import socket
import sys
from dataclasses import dataclass
from functools import partial
from uuid import uuid4

import click
import structlog
from faust.cli import AppCommand
from prometheus_client import start_http_server

from agents.embed import Embed, Gate, mind_the_backlog
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
from embedding.lanes import LaneBatcher
from embedding.loading import load_encoder
from embedding.pool import ModelPool
from models.clock import SYSTEM_CLOCK
from models.errors import VectorizeError
from models.states import Lane
from models.workers import WorkerBeat
from stores.discard import DiscardStore
from stores.redis_cache import open_cache
from stores.task_cache import TaskCache
from stores.weaviate import WeaviateStore
from streams.app import StageApp, WebOptions, stage_app
from streams.board import Board
from streams.dead_letters import DeadLetters
from streams.delivery import Delivery, Stage
from streams.lag import LagMeter
from streams.lease import Lease
from streams.listening import Listening, choose_port
from streams.membership import Membership
from streams.owners import Owners
from streams.producing import FaustProducer, partitioner
from streams.provision import provision
from streams.replies import Asker, listen_for_ever
from streams.tables import DurableTable
from streams.task_log import TaskLog
from streams.topics import TopicNames, topic_specs
from streams.workers import WorkerWatch, beat_for_ever, send_beat, watch_for_ever

log = structlog.get_logger("faust_app")
clock = SYSTEM_CLOCK


@dataclass
class Parts:
    """What the roles of one process share."""

    settings: Settings
    catalog: Catalog
    cache: TaskCache
    store: WeaviateStore | DiscardStore
    names: TopicNames
    worker: str

    @property
    def bootstrap(self) -> str:
        """Kafka's addresses."""
        return self.settings.kafka.bootstrap_servers


def shared_parts(settings: Settings) -> Parts:
    """Open what every role needs; nothing connects yet."""
    writes = settings.database.vector_store == "weaviate"
    return Parts(
        settings=settings,
        catalog=load_catalog(settings.models_path, settings.task.default_model),
        cache=open_cache(options.redis_options(settings)),
        store=WeaviateStore(options.weaviate_options(settings)) if writes else DiscardStore(),
        names=TopicNames(settings.kafka.topic_prefix),
        worker=f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:6]}",
    )


def new_app(parts: Parts, role: Role, web: WebOptions | None) -> StageApp:
    """Make the Faust app of one role: its consumer group is `<prefix>-<role>`."""
    settings = parts.settings
    mark = str(web.port) if web else str(os.getpid())
    app = stage_app(
        parts.names.group(role),
        options.kafka_options(settings),
        settings.data_path / f"{role}-{mark}",
        web=web,
        logging_config=logging_config(settings),
    )
    app.before_start.append(partial(provision_topics, settings))
    return app


async def provision_topics(settings: Settings) -> None:
    """See to it that every topic exists as it must."""
    kafka = settings.kafka
    await provision(
        kafka.bootstrap_servers,
        topic_specs(options.topic_options(settings)),
        kafka.replication_factor,
        kafka.start_timeout_s,
    )


def dead_letters(parts: Parts, app: StageApp) -> DeadLetters:
    """The way to the dead letters from one app."""
    most = parts.settings.task.deadletter_max_per_minute
    return DeadLetters(FaustProducer(app), parts.names.dead, most, clock)


# -- role master ------------------------------------------------------------------------------


def master_app(parts: Parts, web: WebOptions) -> StageApp:
    """Web, intake, track, and the tables."""
    settings, names = parts.settings, parts.names
    app = new_app(parts, Role.MASTER, web)
    partition_of = partitioner(settings.kafka.partitions)
    tasks, errors = (DurableTable(app, t, settings.kafka.partitions) for t in ("tasks", "errors"))
    lease = Lease(app, settings.kafka.session_timeout_s)
    membership = Membership(app, names.events)
    board = Board(
        tasks,
        errors,
        app.deliveries,
        lease,
        membership,
        names,
        partition_of,
        settings.service.read_timeout_s,
    )
    producer, dead = FaustProducer(app), dead_letters(parts, app)
    verdicts = VerdictDesk()
    limits = options.task_limits(settings)
    intake = Intake(
        producer,
        app.deliveries,
        verdicts,
        dead,
        parts.catalog.resolve,
        partition_of,
        names,
        IntakeOptions(limits, settings.kafka.task_retention_hours),
        clock,
    )
    track = Track(
        board,
        producer,
        verdicts,
        dead,
        parts.cache,
        names,
        TrackOptions(
            int(settings.task.max_run_s * 1000), settings.task.retention_hours * 3600
        ),
        clock,
    )
    window = settings.task.intake_window
    stage = Stage("intake", intake.begin, intake.poison, window)
    app.deliver([names.tasks], Delivery(stage, app.deliveries))
    stage = Stage("track", track.begin, track.poison, window * 16)
    app.deliver([names.events], Delivery(stage, app.deliveries))

    task_log = TaskLog(producer, app.reader, names, settings.kafka.submit_timeout_s, clock)
    lag = LagMeter(parts.bootstrap, app.reader)
    upkeep = Upkeep(
        board,
        producer,
        parts.store,
        task_log.source,
        partial(pipeline_is_idle, parts, lag),
        names,
        options.upkeep_options(settings),
        clock,
    )
    workers = WorkerWatch(settings.monitoring.worker_timeout_s, clock)
    replies = hash(parts.worker) % settings.kafka.unit_partitions
    asker = Asker(producer, names, replies, lambda: embeds(workers), clock)
    app.on_partitions_assigned.connect(lambda *_, **__: lease.watch_heartbeats(), weak=False)
    app.on_partitions_revoked.connect(lambda *_, **__: board.drop_all(), weak=False)
    app.background("tails", membership.watch_tails)
    app.background("board", board.keep_loaded)
    app.background("upkeep", upkeep.run)
    app.background("workers", partial(watch_for_ever, parts.bootstrap, names.workers, workers))
    app.background(
        "replies",
        partial(
            listen_for_ever,
            parts.bootstrap,
            asker,
            names.replies,
            settings.kafka.fetch_max_bytes,
        ),
    )
    app.after_stop += [lag.close, parts.store.close, parts.cache.close]
    return app


def embeds(workers: WorkerWatch) -> bool:
    """Tell whether a worker that embeds is alive."""
    return any(Role.EMBED in beat.roles for beat in workers.active())


async def pipeline_is_idle(parts: Parts, lag: LagMeter) -> bool:
    """Tell whether no lane holds a record that its stage has not finished."""
    names, partitions = parts.names, parts.settings.kafka.unit_partitions
    units = await lag.lag(names.group(Role.EMBED), map(names.units, Lane), partitions)
    vectors = await lag.lag(names.group(Role.STORE), map(names.vectors, Lane), partitions)
    return units == vectors == 0


# -- role embed -------------------------------------------------------------------------------


def embed_app(parts: Parts, web: WebOptions | None) -> StageApp:
    """Units to vectors."""
    settings, names = parts.settings, parts.names
    app = new_app(parts, Role.EMBED, web)
    pool = ModelPool(partial(load_encoder, options=options.torch_options(settings)), clock=clock)
    batcher = LaneBatcher(pool, options.batch_options(settings), clock=clock)
    gate = Gate()
    embed = Embed(
        FaustProducer(app),
        app.deliveries,
        batcher,
        parts.catalog,
        parts.cache,
        dead_letters(parts, app),
        gate,
        names,
        parts.worker,
        clock,
    )
    for lane in Lane:
        stage = Stage(f"embed.{lane}", embed.begin, embed.poison, settings.task.embed_window)
        app.deliver([names.units(lane)], Delivery(stage, app.deliveries))
    lag = LagMeter(parts.bootstrap, app.reader)
    backlog = partial(
        lag.lag, names.group(Role.STORE), [names.vectors(lane) for lane in Lane],
        settings.kafka.unit_partitions,
    )  # fmt: skip
    app.before_start.append(batcher.start)
    app.background("tails", Membership(app, names.units(Lane.NORMAL)).watch_tails)
    app.background("backlog", partial(mind_the_backlog, gate, backlog, settings.task.max_backlog_units))
    if settings.task.warm_up:
        app.background_once("warm_up", partial(pool.get, parts.catalog.resolve(None)))
    beat_as(parts, app, [Role.EMBED], pool)
    app.after_stop += [batcher.stop, pool.close, lag.close]
    return app


def beat_as(parts: Parts, app: StageApp, roles: list[Role], pool: ModelPool | None = None) -> None:
    """Send signs of life from `app`, and a last one at the end."""

    def beat(*, leaving: bool = False) -> WorkerBeat:
        return WorkerBeat(
            worker=f"{parts.worker}-{roles[0]}",
            roles=list(roles),
            models=pool.loaded() if pool else [],
            device=pool.device if pool else "none",
            in_flight=app.deliveries.in_flight,
            at_ms=clock.now_ms(),
            leaving=leaving,
        )

    producer, topic = FaustProducer(app), parts.names.workers
    interval_s = parts.settings.monitoring.heartbeat_interval_s
    app.background("beat", partial(beat_for_ever, producer, topic, interval_s, beat))
    app.before_stop.append(lambda: send_beat(producer, topic, beat(leaving=True)))


# -- role store -------------------------------------------------------------------------------


def store_app(parts: Parts, web: WebOptions | None) -> StageApp:
    """Vectors to the vector store."""
    settings, names = parts.settings, parts.names
    app = new_app(parts, Role.STORE, web)
    store = Store(
        parts.store,
        FaustProducer(app),
        parts.catalog,
        parts.cache,
        dead_letters(parts, app),
        names,
        clock,
    )
    for lane in Lane:
        stage = Stage(f"store.{lane}", store.begin, store.poison, settings.task.store_window)
        app.deliver([names.vectors(lane)], Delivery(stage, app.deliveries))
    app.background("tails", Membership(app, names.vectors(Lane.NORMAL)).watch_tails)
    beat_as(parts, app, [Role.STORE])
    app.after_stop.append(parts.store.close)
    return app


def build(settings: Settings) -> StageApp:
    """Build the app of the role; in `all`, the workers' apps run beside the master's."""
    parts = shared_parts(settings)
    if settings.role is Role.EMBED:
        return embed_app(parts, None)
    if settings.role is Role.STORE:
        return store_app(parts, None)
    web = WebOptions("127.0.0.1", settings.service.port, f"http://127.0.0.1:{settings.service.port}")
    app = master_app(parts, web)
    if settings.role is Role.ALL:
        app.companions += [embed_app(parts, None), store_app(parts, None)]
    return app


def read_settings() -> Settings:
    """Read the settings, or leave with the one line that says what is wrong."""
    try:
        return load_settings()
    except SettingsError as error:
        sys.exit(f"vectorize: {error}")


configure_structlog()
settings = read_settings()
app = build(settings)


@app.command()
async def config(self: AppCommand) -> None:
    """Show each setting in force and where it comes from; secrets are masked."""
    self.say(render_settings(settings))
