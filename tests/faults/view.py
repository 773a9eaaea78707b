"""What the system says after a drain, and what is found wrong with it. Data only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from models.events import Event
from models.vectors import Vector


class Fault(StrEnum):
    """What can be wrong with a history."""

    LOST = "lost"
    """A submit was accepted, and its task is not in a final state."""
    UNEXPECTED = "unexpected"
    """A task that nobody submitted."""
    DUPLICATE_TASK = "duplicate task"
    """One idempotency key became two tasks."""
    DUPLICATE_RESULT = "duplicate result"
    """An item has two objects."""
    MISSING_RESULT = "missing result"
    """A completed task's item has no object."""
    ORPHAN = "orphan"
    """An object of a task that has none: cancelled, expired, failed or unknown."""
    WRONG_VECTOR = "wrong vector"
    """An object's vector is not that of its own text."""
    WRONG_TEXT = "wrong text"
    """An object's text is not the one that was submitted there."""
    INNOCENT_FAILED = "innocent failed"
    """More of a task's items failed than were bad."""
    BAD_STORED = "bad stored"
    """Fewer of a task's items failed than were bad: what breaks the model has a vector."""
    BACKWARD = "backward"
    """A reader saw a task go back."""
    ILLEGAL = "illegal"
    """A final state was left, or two places tell different final states."""
    FORGOTTEN = "forgotten"
    """A task was unknown (404) after its submit was accepted."""
    CANCEL_IGNORED = "cancel ignored"
    """A cancel was confirmed, and the task ended otherwise."""
    OFFSET_PAST_UNFINISHED = "offset past unfinished"
    """An offset was committed above a record whose output did not exist yet."""
    UNACCOUNTED = "unaccounted"
    """A record of the topic of tasks is neither a task's nor a dead letter."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    kind: Fault
    task: str | None
    detail: str


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task as the masters list it."""

    state: str
    total: int
    stored: int
    failed: int


@dataclass(frozen=True, slots=True, eq=False)
class StoredObject:
    """An object of the collection."""

    task: str
    index: int
    object_id: str
    text: str
    vector: Vector
    """`(dim,) float32`"""


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """A record of the topic of tasks, and the task it names, by itself or by its key."""

    partition: int
    offset: int
    task: str | None


@dataclass(frozen=True, slots=True)
class CommitSample:
    """An offset a group had committed, and below which offset all outputs existed then."""

    group: str
    topic: str
    partition: int
    committed: int
    finished_to: int


@dataclass(frozen=True, slots=True)
class Happening:
    """One record of the topic of events, with the time at which the broker has it."""

    offset: int
    at_ms: int
    event: Event


@dataclass(frozen=True, slots=True)
class SystemView:
    """Everything the system says."""

    tasks: Mapping[str, TaskView] = field(default_factory=dict)
    announced: Sequence[tuple[str, str]] = ()
    """Each record of the topic of results: task and state, in the order of the log."""
    objects: Sequence[StoredObject] = ()
    task_records: Sequence[TaskRecord] = ()
    dead: Sequence[tuple[int, int]] = ()
    """Partition and offset, on the topic of tasks, of each dead letter."""
    commits: Sequence[CommitSample] = ()
    happenings: Sequence[Happening] = ()
    """Each record of the topic of events; those of one task in the order of the log."""
