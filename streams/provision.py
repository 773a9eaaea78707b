"""Topics exist before anything consumes: Faust ignores a missing topic until restart (FAUST A8)."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaConnectionError, KafkaError, TopicAlreadyExistsError

from models.errors import StartRefused
from streams.topics import TopicSpec

log = structlog.get_logger("streams.provision")

RETRY_S = 0.5
#: What an existing topic's configuration must be, or every promise about it is void.
EQUAL = {
    "cleanup.policy": "else records that are still needed go",
    "message.timestamp.type": "else ages and deadlines go by the senders' clocks",
}
#: What it must be at least, and the setting that asks for it.
AT_LEAST = {
    "min.insync.replicas": "kafka.min_insync_replicas",
    "max.message.bytes": "kafka.max_record_bytes",
    "retention.ms": "kafka.…_retention_hours",
}
FOR_EVER = -1


class ProvisionError(StartRefused):
    """The topics on the broker are not what this service needs; one line says which and how."""


@dataclass(frozen=True, slots=True)
class Existing:
    """What the broker says of one topic."""

    partitions: int
    replication_factor: int
    configs: Mapping[str, str] = field(default_factory=dict)


async def provision(
    bootstrap_servers: str, specs: Iterable[TopicSpec], replication_factor: int, timeout_s: float
) -> str:
    """Create what is missing and check the rest, waiting for a broker that is not there yet.

    Returns the cluster's id.
    Raises ProvisionError on a mismatch, or when no broker answered within `timeout_s`.
    """
    wanted = list(specs)
    try:
        async with asyncio.timeout(timeout_s):
            admin = await _connect(bootstrap_servers)
            try:
                await _ensure(admin, wanted, replication_factor)
                return str((await admin.describe_cluster())["cluster_id"])
            finally:
                await admin.close()
    except TimeoutError as error:
        raise ProvisionError(
            f"no Kafka broker at {bootstrap_servers} made the topics visible within {timeout_s:g} s"
            " (settings kafka.bootstrap_servers, kafka.start_timeout_s)"
        ) from error


async def _connect(bootstrap_servers: str) -> AIOKafkaAdminClient:
    told = False
    while True:
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
        try:
            await admin.start()
        except KafkaConnectionError:
            await admin.close()
            if not told:
                log.warning("waiting_for_broker", bootstrap_servers=bootstrap_servers)
                told = True
            await asyncio.sleep(RETRY_S)
        else:
            return admin


async def _ensure(
    admin: AIOKafkaAdminClient, wanted: list[TopicSpec], replication_factor: int
) -> None:
    while True:
        existing = await _describe(admin, [spec.name for spec in wanted])
        check(wanted, existing, replication_factor)
        missing = [spec for spec in wanted if spec.name not in existing]
        if not missing:
            return
        await _create(admin, missing, replication_factor)
        await asyncio.sleep(RETRY_S / 5)


async def _describe(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, Existing]:
    described = [
        topic
        for topic in await admin.describe_topics(names)
        if not topic["error_code"] and topic["partitions"]
    ]
    configs = await _describe_configs(admin, [topic["topic"] for topic in described])
    return {
        topic["topic"]: Existing(
            partitions=len(topic["partitions"]),
            replication_factor=min(len(part["replicas"]) for part in topic["partitions"]),
            configs=configs.get(topic["topic"], {}),
        )
        for topic in described
    }


async def _describe_configs(
    admin: AIOKafkaAdminClient, names: list[str]
) -> Mapping[str, Mapping[str, str]]:
    """Read what is checked of each topic's configuration; a topic it is refused for is left out."""
    asked = dict.fromkeys([*EQUAL, *AT_LEAST], "")
    wanted = [ConfigResource(ConfigResourceType.TOPIC, name, configs=asked) for name in names]
    answers = await admin.describe_configs(wanted) if wanted else []
    return {
        name: {entry[0]: str(entry[1]) for entry in entries}
        for answer in answers
        for code, _, _, name, entries in answer.resources
        if not code
    }


async def _create(
    admin: AIOKafkaAdminClient, missing: list[TopicSpec], replication_factor: int
) -> None:
    topics = [
        NewTopic(spec.name, spec.partitions, replication_factor, topic_configs=spec.configs)
        for spec in missing
    ]
    try:
        response = await admin.create_topics(topics)
    except TopicAlreadyExistsError:
        return  # another process was faster
    except KafkaError as error:
        raise ProvisionError(f"creating topics failed: {error}") from error
    _raise_refusals(response.topic_errors)


_ALREADY_EXISTS = 36


def _raise_refusals(topic_errors: Iterable[tuple[object, ...]]) -> None:
    for name, code, *message in topic_errors:
        if code not in (0, _ALREADY_EXISTS):
            detail = message[0] if message else f"error {code}"
            raise ProvisionError(f"the broker refused topic {name}: {detail}")


def check(
    wanted: Iterable[TopicSpec], existing: Mapping[str, Existing], replication_factor: int
) -> None:
    """Raise ProvisionError for the first topic whose shape would break co-partitioning."""
    for spec in wanted:
        found = existing.get(spec.name)
        if found is None:
            continue
        if found.partitions != spec.partitions:
            raise ProvisionError(
                f"topic {spec.name} has {found.partitions} partitions, the settings say"
                f" {spec.partitions} (kafka.partitions, kafka.unit_partitions): set them to what"
                " exists, or use another kafka.topic_prefix"
            )
        if found.replication_factor < replication_factor:
            raise ProvisionError(
                f"topic {spec.name} has replication factor {found.replication_factor}, the settings"
                f" say {replication_factor} (kafka.replication_factor)"
            )
        _check_configs(spec, found.configs)


def _check_configs(spec: TopicSpec, found: Mapping[str, str]) -> None:
    """Raise ProvisionError for the first config of a topic that is not safe; unknown ones pass."""
    for config, needed in spec.configs.items():
        has = found.get(config)
        if has is None or has == needed:
            continue
        if config in EQUAL:
            why = EQUAL[config]
        elif config in AT_LEAST and FOR_EVER != int(has) < int(needed):
            why = f"as the settings say ({AT_LEAST[config]})"
        else:
            continue
        raise ProvisionError(
            f"topic {spec.name} has {config}={has}, it must be {needed}, {why}: kafka-configs.sh"
            f" --alter --topic {spec.name} --add-config {config}={needed}"
        )
