"""What the roles of one process share, and how each begins and tells that it lives."""

import os
import socket
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import uuid4

from config import options
from config.logging import logging_config
from config.model import Role, Settings
from embedding.catalog import Catalog, load_catalog
from embedding.pool import ModelPool
from models.clock import SYSTEM_CLOCK
from models.errors import StartRefused
from models.workers import WorkerBeat
from stores.blobs import Blobs
from stores.discard import DiscardStore
from stores.redis_cache import open_cache
from stores.task_cache import TaskCache
from stores.weaviate import WeaviateStore
from streams.app import StageApp, WebOptions, stage_app
from streams.broker_clock import BrokerClock, first_time, keep_time
from streams.data_folder import own_folder
from streams.dead_letters import DeadLetters
from streams.delivery import Delivery, Stage
from streams.producing import FaustProducer, PartitionOf, partitioner
from streams.provision import provision
from streams.tools import StageTools
from streams.topics import TopicNames, topic_specs
from streams.workers import beat_from

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
        _folder_of(settings.data_path / parts.names.group(role), role, web),
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


def _folder_of(parent: Path, role: Role, web: WebOptions | None) -> Path:
    """Where an app keeps its tables.

    A master's goes by its port, which stays. An extract worker's port is any free one, and in
    `all` several may share a machine: it takes a folder that nobody has.
    """
    if role is Role.EXTRACT:
        return own_folder(parent)
    return parent / str(web.port if web else "worker")


def tools_of(parts: Parts, app: StageApp) -> StageTools:
    """What the stages of one app work with."""
    producer, settings = FaustProducer(app), parts.settings
    most = settings.task.deadletter_max_per_minute
    dead = DeadLetters(producer, parts.names.dead, most, CLOCK)
    return StageTools(producer, dead, parts.names, CLOCK)


def attach(app: StageApp, topic: str, stage: Stage) -> None:
    """Let `stage` consume `topic`."""
    app.deliver([topic], Delivery(stage, app.deliveries))


def open_blobs(settings: Settings) -> Blobs:
    """Open the blob store; raise StartRefused where its setting cannot be."""
    try:
        return Blobs(options.blob_options(settings))
    except ValueError as error:
        raise StartRefused(str(error)) from error


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
