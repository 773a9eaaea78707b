"""Topics: their names are promises, and those keyed by task id lie side by side."""

import pytest

from models.errors import StartRefused
from models.states import Lane
from streams.provision import Existing, ProvisionError, _raise_refusals, check
from streams.topics import TABLES, TopicNames, TopicOptions, TopicSpec, topic_specs

OPTIONS = TopicOptions(prefix="p", partitions=6, unit_partitions=12, max_record_bytes=1000)
SPECS = {spec.name: spec for spec in topic_specs(OPTIONS)}


def test_the_public_names_are_the_designs() -> None:
    names = TopicNames("vectorize")
    assert names.tasks == "vectorize.tasks"
    assert names.results == "vectorize.results"
    assert names.dead == "vectorize.dead"
    assert names.units(Lane.HIGH) == "vectorize.units.high"
    assert names.vectors(Lane.LOW) == "vectorize.vectors.low"
    assert names.group("embed") == "vectorize-embed"
    assert names.changelog("tasks") == "vectorize-master-tasks-changelog"
    assert names.documents == "vectorize-extract-documents-changelog"


def test_every_topic_there_is_a_name_for_is_provisioned_once() -> None:
    names = TopicNames("p")
    plain = {names.tasks, names.events, names.results, names.replies, names.workers, names.dead}
    stages = (names.files, names.units, names.vectors)
    lanes = {named(lane) for named in stages for lane in Lane}
    tables = {names.documents, *(names.changelog(table) for table in TABLES)}
    assert set(SPECS) == plain | lanes | tables
    assert len(topic_specs(OPTIONS)) == len(SPECS)


def test_what_is_keyed_by_task_id_has_one_partition_count() -> None:
    together = ["p.tasks", "p.events", *(TopicNames("p").changelog(table) for table in TABLES)]
    assert {SPECS[name].partitions for name in together} == {6}


def test_the_lanes_of_a_stage_have_one_partition_count() -> None:
    counts = {
        SPECS[f"p.{stage}.{lane}"].partitions for stage in ("units", "vectors") for lane in Lane
    }
    assert counts == {12}


def test_every_topic_takes_the_largest_record_and_the_replica_rule() -> None:
    for spec in SPECS.values():
        assert spec.configs["max.message.bytes"] == "1000"
        assert spec.configs["min.insync.replicas"] == "1"


def test_changelogs_are_compacted_and_never_deleted() -> None:
    for name, spec in SPECS.items():
        compacted = "changelog" in name
        assert spec.configs["cleanup.policy"] == ("compact" if compacted else "delete")
        assert ("retention.ms" in spec.configs) != compacted


def test_each_topic_keeps_its_own_time() -> None:
    options = TopicOptions(
        prefix="p",
        task_retention_hours=5,
        internal_retention_hours=4,
        results_retention_hours=3,
        dead_retention_hours=2,
        reply_retention_minutes=1,
    )
    kept = {spec.name: spec.configs.get("retention.ms") for spec in topic_specs(options)}
    hour = 3_600_000
    assert kept["p.tasks"] == str(5 * hour)
    assert kept["p.events"] == kept["p.units.low"] == kept["p.vectors.high"] == str(4 * hour)
    assert kept["p.results"] == str(3 * hour)
    assert kept["p.dead"] == str(2 * hour)
    assert kept["p.replies"] == kept["p.workers"] == str(60_000)


WANTED = [TopicSpec("a", 4), TopicSpec("b", 2)]


@pytest.mark.parametrize(
    "existing, replication",
    [
        ({}, 1),
        ({"a": Existing(4, 1)}, 1),
        ({"a": Existing(4, 3), "b": Existing(2, 3)}, 3),
        ({"a": Existing(4, 3)}, 1),
        ({"other": Existing(9, 1)}, 3),
    ],
    ids=["nothing", "some", "all", "more replicas", "a stranger"],
)
def test_topics_that_are_missing_or_fit_let_the_start_go_on(
    existing: dict[str, Existing], replication: int
) -> None:
    check(WANTED, existing, replication)


@pytest.mark.parametrize(
    "existing, replication, told",
    [
        ({"a": Existing(3, 1)}, 1, ["topic a", "3 partitions", "4", "kafka.partitions"]),
        ({"a": Existing(4, 1), "b": Existing(8, 1)}, 1, ["topic b", "8 partitions", "2"]),
        ({"a": Existing(4, 1)}, 3, ["topic a", "replication factor 1", "3"]),
    ],
)
def test_a_mismatch_stops_the_start_with_one_line(
    existing: dict[str, Existing], replication: int, told: list[str]
) -> None:
    with pytest.raises(ProvisionError) as caught:
        check(WANTED, existing, replication)
    assert isinstance(caught.value, StartRefused)
    assert "\n" not in caught.value.message
    assert all(part in caught.value.message for part in told)


SAFE = {
    "cleanup.policy": "delete",
    "message.timestamp.type": "LogAppendTime",
    "min.insync.replicas": "2",
    "max.message.bytes": "1000",
    "retention.ms": "5000",
}


def checked(**changes: str) -> None:
    """Check a topic whose configuration is the safe one but for this."""
    found = SAFE | {name.replace("_", "."): value for name, value in changes.items()}
    check([TopicSpec("a", 1, SAFE)], {"a": Existing(1, 1, found)}, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"retention_ms": "-1"},
        {"retention_ms": "9000", "max_message_bytes": "2000", "min_insync_replicas": "3"},
        {"segment_ms": "1"},
    ],
    ids=["as wanted", "for ever", "more of all", "what does not matter"],
)
def test_a_safe_configuration_lets_the_start_go_on(changes: dict[str, str]) -> None:
    checked(**changes)


@pytest.mark.parametrize(
    "config, has",
    [
        ("cleanup_policy", "compact"),
        ("cleanup_policy", "compact,delete"),
        ("message_timestamp_type", "CreateTime"),
        ("min_insync_replicas", "1"),
        ("max_message_bytes", "999"),
        ("retention_ms", "4999"),
    ],
)
def test_an_unsafe_configuration_stops_the_start_and_says_what_mends_it(
    config: str, has: str
) -> None:
    name = config.replace("_", ".")
    mends = f"--alter --topic a --add-config {name}={SAFE[name]}"
    with pytest.raises(ProvisionError, match=mends) as caught:
        checked(**{config: has})
    assert f"topic a has {name}={has}" in caught.value.message


def test_a_topic_another_process_made_first_is_no_refusal() -> None:
    _raise_refusals([("a", 0, None), ("b", 36, "exists")])
    with pytest.raises(ProvisionError, match="topic c: policy violation"):
        _raise_refusals([("a", 0, None), ("c", 44, "policy violation")])
    with pytest.raises(ProvisionError, match="error 44"):
        _raise_refusals([("c", 44)])
