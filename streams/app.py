"""The Faust app of one role, with the settings that decide the design (FAUST.md, end of part B)."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

import faust
import structlog
from aiohttp.web import Application
from faust.app.base import BootStrategy
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.types import TP
from faust.types.transports import TransportT
from yarl import URL

from models.errors import StartRefused
from streams.delivery import Deliveries, Delivery
from streams.listening import Listening
from streams.records import Place
from streams.side_reader import SideReader
from streams.transport import LedgerConsumer, LedgerTransport
from streams.watchdog import EX_WEDGED, Wedged

log = structlog.get_logger("streams.app")

Background = Callable[[], Awaitable[object]]

#: Exit code for what a restart does not mend (sysexits.h).
EX_CONFIG = 78

#: Pause before a background loop that ended with an error is started again.
RESTART_S = 1.0


@dataclass(frozen=True, slots=True)
class KafkaOptions:
    """How an app speaks with Kafka."""

    bootstrap_servers: str
    batch_size: int = 16_384
    linger_ms: int = 0
    compression: str = "none"
    max_record_bytes: int = 9 * 1024 * 1024
    fetch_max_bytes: int = 10 * 1024 * 1024
    fetch_max_wait_ms: int = 50
    max_poll_records: int = 64
    partitions: int = 8
    """Most partitions of one topic."""
    commit_interval_s: float = 1.0
    request_timeout_s: float = 30.0
    produce_timeout_s: float = 180.0
    session_timeout_s: float = 10.0
    heartbeat_interval_s: float = 3.0
    rebalance_timeout_s: float = 60.0


@dataclass(frozen=True, slots=True)
class WebOptions:
    """Where the app's web server listens, and what it is made with."""

    host: str
    listening: Listening
    canonical_url: str
    application: dict[str, object] = field(default_factory=dict)

    @property
    def port(self) -> int:
        """The port chosen."""
        return self.listening.port


class _WithoutWeb(BootStrategy):
    enable_web = False


class _WithWeb(BootStrategy):
    enable_web = True


class StageApp(faust.App):
    """A Faust app whose deliveries are ours."""

    deliveries: Deliveries
    reader: SideReader
    fetch_max_wait_ms: int

    def __init__(self, app_id: str, **options: Any) -> None:  # noqa: ANN401  # Faust's own 107
        """Begin with nothing to run; see `stage_app`."""
        self.before_start: list[Background] = []
        self.provision: Callable[[], Awaitable[str]] | None = None
        self.after_provision: list[Background] = []
        self.before_stop: list[Background] = []
        self.after_stop: list[Background] = []
        self.companions: list[StageApp] = []
        self.wedges: list[Wedged] = []
        self.stage_deliveries: dict[str, Delivery] = {}
        self._backgrounds: list[tuple[str, Background]] = []
        self._running: list[asyncio.Task[None]] = []
        self._is_up = False
        super().__init__(app_id, **options)

    def _new_transport(self) -> TransportT:
        return cast(TransportT, LedgerTransport(self.conf.broker_consumer, self))

    async def on_first_start(self) -> None:
        """Make sure of ports and topics before anything consumes.

        What refuses the start is one line and exit code 78, which no supervisor restarts.
        """
        try:
            for step in self.before_start:
                await step()
            if self.provision is not None:
                _keep_data_under(self, await self.provision())
            for step in self.after_provision:
                await step()
        except StartRefused as refusal:
            log.critical("start_refused", reason=str(refusal))
            raise SystemExit(EX_CONFIG) from refusal
        await super().on_first_start()

    def background(self, name: str, run: Background) -> None:
        """Run something beside the agents for as long as the app lives, whatever it meets."""
        self._backgrounds.append((name, run))

    def background_once(self, name: str, run: Background) -> None:
        """Run something once beside the agents; a failure is logged and changes nothing."""
        self._backgrounds.append((name, partial(_once, run)))

    async def on_started(self) -> None:
        """Start what runs beside the agents, and the apps that share this process."""
        await super().on_started()
        self._is_up = True
        self._running = [
            asyncio.create_task(_for_ever(name, run), name=name) for name, run in self._backgrounds
        ]
        for companion in self.companions:
            await self.add_runtime_dependency(companion)

    def _crash(self, reason: BaseException) -> None:
        """A part of Faust met an error: end the process at once.

        Faust would stop in good order now, with parts missing, which may hang for a minute. Work
        in flight comes again, as after a kill. A start that fails is told by Faust itself.
        """
        working = self._is_up and not self.should_stop
        super()._crash(reason)
        if working and isinstance(reason, Exception):
            log.critical("crashed", error=repr(reason)[:500], exit_code=EX_WEDGED)
            os._exit(EX_WEDGED)

    async def on_stop(self) -> None:
        """End what runs beside the agents, then the app."""
        for step in self.before_stop:
            await step()
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await super().on_stop()
        for step in self.after_stop:
            await step()
        await self.reader.close()

    def deliver(self, topics: list[str], delivery: Delivery) -> None:
        """Consume `topics`, raw bytes, into `delivery`: one Faust agent."""
        channel = self.topic(
            *topics,
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
            allow_empty=True,
        )
        self.agent(channel, name=delivery.stage.name)(cast(Any, delivery.run))
        for topic in topics:
            self.stage_deliveries[topic] = delivery

    @property
    def http(self) -> Application:
        """The aiohttp application behind Faust's web server."""
        return cast(Application, cast(Any, self.web).web_app)

    def committed(self, place: Place) -> int:
        """The first offset this group has not committed."""
        return cast(LedgerConsumer, self.consumer).committed(TP(*place))

    @property
    def _recovery(self) -> Recovery:
        return cast(TableManager, self.tables).recovery

    def in_standing(self) -> bool:
        """Tell whether partitions are assigned, tables recovered, and no rebalance is under way."""
        return (
            self.started
            and not self.rebalancing
            and not self._recovery.in_recovery
            and self._recovery.completed.is_set()
        )

    def progress(self) -> tuple[bool, bool, int] | None:
        """Where the way to its place in the group stands; None: it has its place.

        While it changes, something happens: a rebalance ends, records of tables are read.
        """
        if self.in_standing():
            return None
        return self.started, self.rebalancing, int(self._recovery.active_remaining_total())

    def assigned(self) -> set[Place]:
        """The source partitions in hand now; none while not in standing.

        Nor one whose committed offset was not read yet: its books would begin at its first record.
        """
        if not self.in_standing():
            return set()
        consumer = cast(LedgerConsumer, self.consumer)
        places = (Place(*tp) for tp in self.consumer.assignment() if consumer.was_sought(tp))
        return {place for place in places if place.topic in self.stage_deliveries}


def _keep_data_under(app: StageApp, cluster_id: str) -> None:
    """Keep tables apart by Kafka cluster: what another log said means nothing here."""
    folder = app.conf.datadir / cluster_id
    folder.mkdir(parents=True, exist_ok=True)
    app.conf.datadir = folder


async def _once(run: Background) -> None:
    await run()
    await asyncio.Event().wait()


async def _for_ever(name: str, run: Background) -> None:
    while True:
        try:
            await run()
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  # Faust ends the app on what leaves a task
            log.warning("background_restarts", name=name, error=repr(error)[:500])
        await asyncio.sleep(RESTART_S)


def stage_app(
    app_id: str,
    kafka: KafkaOptions,
    data_dir: Path,
    *,
    web: WebOptions | None = None,
    logging_config: dict[str, object] | None = None,
) -> StageApp:
    """Make the Faust app of a role; without `web` it opens no port."""
    app = StageApp(
        app_id,
        **_kafka_settings(kafka),
        **_web_settings(web),
        autodiscover=False,
        debug=False,
        store="rocksdb://",
        datadir=data_dir,
        logging_config=logging_config,
        table_standby_replicas=0,
        topic_disable_leader=True,
        stream_wait_empty=True,
        # Faust pauses a partition at 80 % of this and then puts what it has fetched of the others;
        # a buffer that fills up holds the whole consumer, and intake waits for what track reads.
        # So the fifth above 80 % must hold one fetch of every partition.
        stream_buffer_maxsize=kafka.max_poll_records * kafka.partitions * 5,
        # Faust only logs about a slow batch; ours may rightly take as long as a model loads.
        stream_processing_timeout=3600.0,
        broker_commit_livelock_soft_timeout=3600.0,
    )
    app.fetch_max_wait_ms = kafka.fetch_max_wait_ms
    app.reader = SideReader(kafka.bootstrap_servers, kafka.fetch_max_bytes)
    app.deliveries = Deliveries(app, app.reader)
    app.boot_strategy = (_WithWeb if web else _WithoutWeb)(app)
    return app


def _kafka_settings(kafka: KafkaOptions) -> dict[str, Any]:
    brokers = [URL(f"aiokafka://{server.strip()}") for server in kafka.bootstrap_servers.split(",")]
    return {
        "broker": brokers,
        "broker_request_timeout": kafka.request_timeout_s,
        "broker_session_timeout": kafka.session_timeout_s,
        "broker_heartbeat_interval": kafka.heartbeat_interval_s,
        "broker_rebalance_timeout": kafka.rebalance_timeout_s,
        "broker_commit_interval": kafka.commit_interval_s,
        "broker_max_poll_records": kafka.max_poll_records,
        # Faust does not poll without active partitions, and an idle member that is put out never
        # comes back (FAUST 2.3): a spare worker must be able to wait for days.
        "broker_max_poll_interval": 7 * 86_400.0,
        "consumer_max_fetch_size": kafka.fetch_max_bytes,
        "consumer_auto_offset_reset": "earliest",
        "producer_acks": -1,
        "producer_linger": kafka.linger_ms / 1000,
        "producer_max_batch_size": kafka.batch_size,
        "producer_max_request_size": kafka.max_record_bytes,
        "producer_compression_type": None if kafka.compression == "none" else kafka.compression,
        "producer_request_timeout": kafka.produce_timeout_s,
    }


def _web_settings(web: WebOptions | None) -> dict[str, Any]:
    off = {"web_tables_enabled": False, "web_router_enabled": False, "web_stats_enabled": False}
    off |= {"web_graph_enabled": False, "web_metrics_enabled": False}
    if web is None:
        return {**off, "web_enabled": False}
    return {
        **off,
        "web_bind": web.host,
        "web_port": web.port,
        "canonical_url": URL(web.canonical_url),
        "web_application_options": web.application,
    }
