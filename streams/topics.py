"""Every topic there is: its name, its partitions, how long it keeps what (DESIGN 3)."""

from dataclasses import dataclass, field

from models.states import Lane

#: The table of the role extract.
DOCUMENTS = "documents"
HOUR_MS = 3_600_000
MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class TopicOptions:
    """What an operator may set about topics."""

    prefix: str = "vectorize"
    partitions: int = 8
    unit_partitions: int = 8
    replication_factor: int = 1
    min_insync_replicas: int = 1
    max_record_bytes: int = 9 * 1024 * 1024
    task_retention_hours: int = 168
    internal_retention_hours: int = 72
    results_retention_hours: int = 72
    dead_retention_hours: int = 336
    reply_retention_minutes: int = 10


@dataclass(frozen=True, slots=True)
class TopicNames:
    """The names of all topics and consumer groups under one prefix."""

    prefix: str

    @property
    def tasks(self) -> str:
        """Public: task requests, keyed by task id."""
        return f"{self.prefix}.tasks"

    @property
    def events(self) -> str:
        """What happened to tasks, keyed by task id."""
        return f"{self.prefix}.events"

    @property
    def results(self) -> str:
        """Public: one thin record per finished task."""
        return f"{self.prefix}.results"

    @property
    def replies(self) -> str:
        """Vectors for waiting callers."""
        return f"{self.prefix}.replies"

    @property
    def workers(self) -> str:
        """Signs of life."""
        return f"{self.prefix}.workers"

    @property
    def dead(self) -> str:
        """Records that never became a task."""
        return f"{self.prefix}.dead"

    def files(self, lane: Lane) -> str:
        """Files on their way to be read."""
        return f"{self.prefix}.files.{lane}"

    def units(self, lane: Lane) -> str:
        """Units on their way to a model."""
        return f"{self.prefix}.units.{lane}"

    def vectors(self, lane: Lane) -> str:
        """Vectors on their way to the store."""
        return f"{self.prefix}.vectors.{lane}"

    def group(self, role: str) -> str:
        """The Faust app id of a role, which is its consumer group."""
        return f"{self.prefix}-{role}"

    def changelog(self, table: str) -> str:
        """The changelog of one of the master's tables, named as Faust names it."""
        return f"{self.group('master')}-{table}-changelog"

    @property
    def documents(self) -> str:
        """The changelog of the table of the role extract."""
        return f"{self.group('extract')}-{DOCUMENTS}-changelog"


#: The tables of the master.
TASKS, ERRORS = "tasks", "errors"
TABLES = (TASKS, ERRORS)


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """One topic as it must exist."""

    name: str
    partitions: int
    configs: dict[str, str] = field(default_factory=dict)


def topic_specs(options: TopicOptions) -> list[TopicSpec]:
    """List every topic with its partition count and broker configuration."""
    names = TopicNames(options.prefix)
    internal_ms = options.internal_retention_hours * HOUR_MS
    stages = (names.files, names.units, names.vectors)
    lanes = [named(lane) for named in stages for lane in Lane]
    return [
        _log(options, names.tasks, options.partitions, options.task_retention_hours * HOUR_MS),
        _log(options, names.events, options.partitions, internal_ms),
        *(_log(options, name, options.unit_partitions, internal_ms) for name in lanes),
        _log(options, names.results, options.partitions, options.results_retention_hours * HOUR_MS),
        _log(
            options,
            names.replies,
            options.unit_partitions,
            options.reply_retention_minutes * MINUTE_MS,
        ),
        _log(options, names.workers, 1, options.reply_retention_minutes * MINUTE_MS),
        _log(options, names.dead, 1, options.dead_retention_hours * HOUR_MS),
        *(_changelog(options, names.changelog(table), options.partitions) for table in TABLES),
        _changelog(options, names.documents, options.unit_partitions),
    ]


def _common(options: TopicOptions) -> dict[str, str]:
    return {
        "max.message.bytes": str(options.max_record_bytes),
        "min.insync.replicas": str(options.min_insync_replicas),
    }


def _log(options: TopicOptions, name: str, partitions: int, retention_ms: int) -> TopicSpec:
    kept = {"cleanup.policy": "delete", "retention.ms": str(retention_ms)}
    # The broker's clock: retention, the age of a source and of a worker's beat are judged by it,
    # and a producer's own clock may be an hour off.
    kept["message.timestamp.type"] = "LogAppendTime"
    return TopicSpec(name, partitions, _common(options) | kept)


def _changelog(options: TopicOptions, name: str, partitions: int) -> TopicSpec:
    # Compacted only: with "delete" too, a changelog that lost its head may hang recovery (T7).
    # Small segments, so that compaction keeps recovery short.
    kept = {
        "cleanup.policy": "compact",
        "segment.ms": str(HOUR_MS),
        "max.compaction.lag.ms": str(6 * HOUR_MS),
    }
    return TopicSpec(name, partitions, _common(options) | kept)
