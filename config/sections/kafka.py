"""Settings of Kafka: addresses, topics, producer, consumer, retention."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from config.sections.values import SECTION, HostPorts, Word


class KafkaSettings(BaseModel):
    """Kafka: the queue and the log."""

    model_config = SECTION

    bootstrap_servers: HostPorts = Field(
        "localhost:9092", description="Kafka brokers, host:port, several separated by commas."
    )
    topic_prefix: str = Field(
        "vectorize",
        pattern=r"^[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,99}$",
        description="First part of every topic's name, and of the consumer groups'.",
    )
    partitions: int = Field(
        8,
        ge=1,
        le=1024,
        description="Partitions of tasks, events and the changelogs; "
        "the most masters that share the work.",
    )
    unit_partitions: int = Field(
        8, ge=1, le=1024, description="Partitions of each lane; the most workers that share it."
    )
    replication_factor: int = Field(
        1, ge=1, le=15, description="Copies of each partition; 3 where there are three brokers."
    )
    min_insync_replicas: int = Field(
        1, ge=1, le=15, description="Copies that must hold a record before it counts as written."
    )
    batch_size: int = Field(
        16_384, ge=1, le=16_777_216, description="Bytes the producer gathers per partition."
    )
    linger_ms: int = Field(
        0, ge=0, le=60_000, description="How long the producer waits for more to gather."
    )
    request_timeout_s: float = Field(
        30.0, ge=1, le=600, description="Longest wait for one answer of a broker."
    )
    submit_timeout_s: float = Field(
        5.0,
        gt=0,
        le=600,
        description="How long a submit waits for Kafka's acknowledgement before 503.",
    )
    produce_timeout_s: float = Field(
        180.0, ge=1, le=3600, description="Longest broker outage that a table write rides out."
    )
    session_timeout_s: float = Field(
        10.0, ge=1, le=300, description="Silence after which a process loses its partitions."
    )
    heartbeat_interval_s: float = Field(
        3.0, gt=0, le=100, description="Time between two heartbeats to the group's coordinator."
    )
    rebalance_timeout_s: float = Field(
        60.0, ge=1, le=600, description="Longest time a member may take to join a rebalance."
    )
    max_poll_records: int = Field(
        64, ge=1, le=100_000, description="Most records taken from Kafka at once."
    )
    fetch_max_bytes: int = Field(
        10_485_760,
        ge=65_536,
        le=134_217_728,
        description="Most bytes fetched per partition at once; must hold the largest record.",
    )
    fetch_max_wait_ms: int = Field(
        50,
        ge=1,
        le=5000,
        description="How long the broker holds a fetch that finds nothing; adds to no answer.",
    )
    commit_interval_s: float = Field(
        1.0, gt=0, le=60, description="Time between two commits of offsets."
    )
    max_record_bytes: int = Field(
        9_437_184,
        ge=65_536,
        le=134_217_728,
        description="Largest record on the tasks topic, in bytes.",
    )
    compression: Annotated[Literal["none", "gzip"], Word] = Field(
        "none", description="How the producer compresses."
    )
    task_retention_hours: int = Field(
        168,
        ge=1,
        le=87_600,
        description="How long the tasks topic keeps a record; at least task.retention_hours.",
    )
    internal_retention_hours: int = Field(
        72, ge=1, le=87_600, description="How long units, vectors and events are kept."
    )
    results_retention_hours: int = Field(
        72, ge=1, le=87_600, description="How long the public results topic keeps a record."
    )
    dead_retention_hours: int = Field(
        336, ge=1, le=87_600, description="How long dead letters are kept."
    )
    reply_retention_minutes: int = Field(
        10,
        ge=1,
        le=1440,
        description="How long replies to waiting callers, and workers' heartbeats, are kept.",
    )
    start_timeout_s: float = Field(
        60.0, ge=0, le=3600, description="How long a start waits for a broker to answer."
    )
