"""The enumerations every part agrees on: task types, task states, lanes, item error codes."""

from enum import StrEnum


class TaskType(StrEnum):
    """What a client may ask for; the value is what stands in `task_type`."""

    TEXT = "text_vectorization"
    BATCH = "batch_vectorization"
    DOCUMENT = "document_vectorization"
    IMAGE = "image_vectorization"


class TaskState(StrEnum):
    """Where a task is. The four in `FINAL` are never left."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


FINAL = frozenset({TaskState.COMPLETED, TaskState.FAILED, TaskState.CANCELLED, TaskState.EXPIRED})
#: Final states whose already stored vectors are removed again.
SWEPT = frozenset({TaskState.CANCELLED, TaskState.EXPIRED})


class Lane(StrEnum):
    """A priority's topic at every stage that can queue, most urgent first."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


#: Integer priorities from which a task is urgent, and up to which it is bulk (DESIGN 7).
HIGH_PRIORITY = 5
LOW_PRIORITY = 0


def lane_of(priority: int | str) -> Lane:
    """Map a priority (integer, default 1, or a lane's name) to its lane."""
    if isinstance(priority, str):
        return Lane(priority)
    if priority >= HIGH_PRIORITY:
        return Lane.HIGH
    return Lane.LOW if priority <= LOW_PRIORITY else Lane.NORMAL


class ItemErrorCode(StrEnum):
    """Why one item of a task has no vector."""

    EMPTY_TEXT = "empty_text"
    TEXT_TOO_LARGE = "text_too_large"
    TEXT_TOO_LONG = "text_too_long"
    ENCODE_FAILED = "encode_failed"
    BAD_VECTOR = "bad_vector"
    STORE_REFUSED = "store_refused"
    MODEL_UNAVAILABLE = "model_unavailable"
    STAGE_FAILED = "stage_failed"
    POISON = "poison"
    DOCUMENT_UNSUPPORTED = "document_unsupported"
    DOCUMENT_UNREADABLE = "document_unreadable"
    DOCUMENT_ENCRYPTED = "document_encrypted"
    DOCUMENT_NO_TEXT = "document_no_text"
    DOCUMENT_TOO_LARGE = "document_too_large"
    DOCUMENT_FETCH_FAILED = "document_fetch_failed"
    DOCUMENT_GONE = "document_gone"
    DOCUMENT_TIMEOUT = "document_timeout"
    PAGE_UNREADABLE = "page_unreadable"


class ItemStatus(StrEnum):
    """The outcome of one item as a result page shows it."""

    PENDING = "pending"
    STORED = "stored"
    FAILED = "failed"
    SUPERSEDED = "superseded"
