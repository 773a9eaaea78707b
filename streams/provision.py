"""Topics exist before anything consumes: Faust ignores a missing topic until restart (FAUST A8)."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaConnectionError, KafkaError, TopicAlreadyExistsError

from models.errors import StartRefused
from streams.topics import TopicSpec

log = structlog.get_logger("streams.provision")

RETRY_S = 0.5


class ProvisionError(StartRefused):
    """The topics on the broker are not what this service needs; one line says which and how."""


@dataclass(frozen=True, slots=True)
class Existing:
    """What the broker says of one topic."""

    partitions: int
    replication_factor: int


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
    described = await admin.describe_topics(names)
    return {
        topic["topic"]: Existing(
            partitions=len(topic["partitions"]),
            replication_factor=min(len(part["replicas"]) for part in topic["partitions"]),
        )
        for topic in described
        if not topic["error_code"] and topic["partitions"]
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
