"""A start on topics that exist: fine on its own, refused where one of them is not safe (R34)."""

from functools import partial

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from streams.provision import ProvisionError, provision
from streams.topics import TopicNames, TopicOptions, TopicSpec, topic_specs
from tests.contract.streams.conftest import Broker
from tests.harness import until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]


async def alter(broker: Broker, spec: TopicSpec, config: str, value: str) -> None:
    """Do what an operator may do; what is not named goes back to the broker's defaults."""
    configs = {**spec.configs, config: value}
    resource = ConfigResource(ConfigResourceType.TOPIC, spec.name, configs=configs)
    await broker.admin.alter_configs([resource])

    async def is_altered() -> bool:
        (answer,) = await broker.admin.describe_configs([resource])
        entries = {entry[0]: entry[1] for *_, found in answer.resources for entry in found}
        return bool(entries[config] == value)

    await until("the broker has the new configuration", is_altered)


@pytest.mark.parametrize(
    "topic, config, value",
    [
        ("tasks", "cleanup.policy", "compact"),
        ("tasks", "retention.ms", "1000"),
        ("events", "message.timestamp.type", "CreateTime"),
        ("dead", "max.message.bytes", "1000"),
        ("changelog", "cleanup.policy", "compact,delete"),
    ],
)
async def test_a_second_start_goes_on_but_not_when_somebody_made_a_topic_unsafe(
    broker: Broker, topic: str, config: str, value: str
) -> None:
    options = TopicOptions(prefix=broker.name, partitions=2, unit_partitions=2)
    specs = {spec.name: spec for spec in topic_specs(options)}
    start = partial(provision, broker.servers, specs.values(), 1, 30.0)
    assert await start() == await start()
    names = TopicNames(broker.name)
    name = names.changelog("tasks") if topic == "changelog" else f"{broker.name}.{topic}"
    await alter(broker, specs[name], config, value)
    with pytest.raises(ProvisionError, match=f"topic {name} has {config}={value}"):
        await start()
