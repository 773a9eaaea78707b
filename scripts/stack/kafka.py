"""Kafka in KRaft mode: broker and controller in one process, loopback only."""

import base64
import subprocess
import uuid
from pathlib import Path

from scripts.stack import tools
from scripts.stack.errors import ServerFailed
from scripts.stack.places import log_file
from scripts.stack.progress import Say
from scripts.stack.readiness import kafka_answers, last_lines
from scripts.stack.recipe import ADVERTISED, Launch, Ports, Recipe, clean_environment

LARGEST_RECORD_BYTES = 10 * 1024 * 1024

_LOG4J = """<Configuration status="ERROR">
  <Appenders>
    <Console name="console"><PatternLayout pattern="%d %-5p %m (%c{1})%n%throwable{6}"/></Console>
  </Appenders>
  <Loggers>
    <Root level="WARN"><AppenderRef ref="console"/></Root>
    <Logger name="kafka.server.KafkaRaftServer" level="INFO"/>
  </Loggers>
</Configuration>
"""


def _properties(folder: Path, ports: Ports) -> dict[str, object]:
    client, controller = f"127.0.0.1:{ports['main']}", f"127.0.0.1:{ports['controller']}"
    told = f"127.0.0.1:{ports.get(ADVERTISED, ports['main'])}"
    return {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{controller}",
        "listeners": f"PLAINTEXT://{client},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{told}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": folder / "data",
        **_SINGLE_NODE,
        **_SMALL,
    }


_SINGLE_NODE: dict[str, object] = {
    "default.replication.factor": 1,
    "min.insync.replicas": 1,
    "offsets.topic.replication.factor": 1,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "auto.create.topics.enable": "false",
    "message.max.bytes": LARGEST_RECORD_BYTES,
    "replica.fetch.max.bytes": LARGEST_RECORD_BYTES,
}
_SMALL: dict[str, object] = {
    "offsets.topic.num.partitions": 5,
    "transaction.state.log.num.partitions": 5,
    "share.coordinator.state.topic.num.partitions": 1,
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1000,
    "num.network.threads": 2,
    "num.io.threads": 4,
    "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
    # A killed broker may register again only when its old session has run out (9 s usually).
    "broker.session.timeout.ms": 3000,
    "broker.heartbeat.interval.ms": 500,
}


def _prepare(folder: Path, ports: Ports, say: Say) -> Launch:
    folder.mkdir(parents=True, exist_ok=True)
    logging, properties = folder / "log4j2.xml", folder / "server.properties"
    logging.write_text(_LOG4J)
    lines = [f"{name}={value}\n" for name, value in _properties(folder, ports).items()]
    properties.write_text("".join(lines))
    program = [
        tools.java(),
        "-Xmx512m",
        "-XX:+UseSerialGC",
        f"-Dlog4j2.configurationFile={logging}",
        "-cp",
        f"{tools.kafka_jars(say)}/*",
    ]
    if not (folder / "data" / "meta.properties").exists():
        _format(program, properties)
    return Launch([*program, "kafka.Kafka", str(properties)], clean_environment())


def _format(program: list[str], properties: Path) -> None:
    """Gives an empty data folder its identity; raises ServerFailed."""
    tool = [*program, "kafka.tools.StorageTool", "format", "--ignore-formatted"]
    log = log_file(properties.parents[1], "kafka-format")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        done = subprocess.run(
            [*tool, "-t", _cluster_id(), "-c", str(properties)],
            stdout=out,
            stderr=out,
            env=clean_environment(),
            check=False,
        )
    if done.returncode != 0:
        raise ServerFailed("kafka", "could not format its folder", log, last_lines(log))


def _cluster_id() -> str:
    """A random id as Kafka writes it; never one that begins with a dash."""
    random = uuid.uuid4().bytes
    return base64.urlsafe_b64encode(bytes([random[0] & 0x7F]) + random[1:]).decode().rstrip("=")


RECIPE = Recipe(
    ports={"main": 9092, "controller": None},
    prepare=_prepare,
    answers=lambda ports: kafka_answers(ports["main"]),
    url=lambda ports: f"127.0.0.1:{ports['main']}",
    settings=lambda ports: {"kafka.bootstrap_servers": f"127.0.0.1:{ports['main']}"},
    start_limit_s=60,
    stop_limit_s=20,
)
