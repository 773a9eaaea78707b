"""What must hold between two settings, whatever each allows by itself."""

from dataclasses import dataclass

from config.errors import BadSetting
from config.model import Settings


@dataclass(frozen=True)
class AtLeast:
    """The setting `larger` must not be below `smaller`, and `why`."""

    larger: str
    smaller: str
    why: str


RELATIONS = (
    AtLeast(
        "kafka.task_retention_hours",
        "task.retention_hours",
        "a task must not outlive its source record",
    ),
    AtLeast(
        "kafka.max_record_bytes",
        "service.max_body_bytes",
        "an accepted body must fit into a record",
    ),
    AtLeast("kafka.fetch_max_bytes", "kafka.max_record_bytes", "a record must fit into a fetch"),
    AtLeast(
        "kafka.replication_factor",
        "kafka.min_insync_replicas",
        "no more copies can be in sync than there are",
    ),
    AtLeast("kafka.session_timeout_s", "kafka.heartbeat_interval_s", "a heartbeat must be in time"),
    AtLeast(
        "document.chunk_tokens", "document.chunk_overlap", "a chunk must be more than its overlap"
    ),
    AtLeast("task.unit_bytes", "task.max_text_bytes", "a text must fit into a unit"),
    AtLeast(
        "monitoring.worker_timeout_s",
        "monitoring.heartbeat_interval_s",
        "a heartbeat must be in time",
    ),
)


def check_relations(settings: Settings) -> None:
    """Raises BadSetting for the first relation that does not hold."""
    for relation in RELATIONS:
        larger, smaller = _number(settings, relation.larger), _number(settings, relation.smaller)
        if larger < smaller:
            origin = settings.origin_of(relation.smaller)
            allowed = (
                f"it must be at least {relation.smaller} = {smaller} ({origin}), {relation.why}"
            )
            source = settings.origin_of(relation.larger)
            raise BadSetting(relation.larger, str(larger), source, allowed)


def _number(settings: Settings, path: str) -> float:
    """The number at a path."""
    value = settings.value_of(path)
    if not isinstance(value, int | float):
        raise TypeError(f"{path} is no number. This is a bug.")
    return value
