"""Role embed: units to vectors."""

from functools import partial

from agents.embed import Embed, Gate, Suspects, mind_the_backlog
from config import options
from config.model import Role, Settings
from embedding.isolation import Isolation
from embedding.lanes import LaneBatcher
from embedding.loading import load_encoders, most_encoders
from embedding.memory import available_bytes
from embedding.pool import ModelPool
from embedding.recall import Recall
from models.states import Lane
from roles.parts import CLOCK, Parts, attach, beat_as, new_app, tools_of
from stores.attempts import NoAttempts, RedisAttempts
from stores.vector_cache import RedisVectorCache
from streams.app import StageApp, WebOptions
from streams.delivery import Stage
from streams.lag import LagMeter
from streams.membership import Membership
from streams.readiness import Readiness
from streams.watchdog import call_check


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
