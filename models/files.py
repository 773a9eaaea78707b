"""A file on its way to be read: the header of a record on `vectorize.files.<lane>`."""

from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from models.encoding import EncodeOptions
from models.events import Accepted
from models.ids import DEFAULT_TENANT
from models.manifests import document_key
from models.rows import TaskRow
from models.states import Lane
from models.tasks import RECORD_VERSION
from models.units import Cut, DocumentFacts, SourcePlace


class FileOrder(BaseModel):
    """All that the role extract must know of a document task; the file's bytes follow it."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    v: int = RECORD_VERSION
    closing: bool = Field(
        default=False,
        description="All of its units are done: take over what is kept, remove what is gone. "
        "No bytes follow.",
    )
    unit: int = Field(default=0, description="Of a closing: the number of the unit that it is.")
    kept: int = Field(default=0, description="Of a closing: how many chunks are taken over.")
    whole: bool = Field(
        default=True, description="Of a closing: whether every chunk of its units was stored."
    )
    tenant: str = DEFAULT_TENANT
    traceparent: str | None = None
    task_id: str
    source: SourcePlace
    lane: Lane
    model: str
    fingerprint: str
    collection: str
    submitted_ms: int
    sent_ms: int = Field(description="When it was sent to be read; queue wait counts from here.")
    deadline_ms: int | None = None
    queue_timeout_ms: int | None = Field(
        default=None, description="Where there is one, its begin is told at once: it ends that."
    )
    metadata: dict[str, JsonValue] = Field(default_factory=dict)
    options: EncodeOptions = EncodeOptions()
    cut: Cut
    document: DocumentFacts
    reading: str | None = Field(default=None, description="Known once it is read.")


class Obtained(NamedTuple):
    """A file from elsewhere."""

    content: bytes
    filename: str | None = None
    """What the server that gave it calls it."""


#: What a file takes over from its task, under the same names.
_SHARED = tuple(
    sorted(
        set(FileOrder.model_fields)
        & set(Accepted.model_fields)
        & set(TaskRow.model_fields) - {"v", "reading"}
    )
)


def file_of(task: Accepted | TaskRow, sent_ms: int) -> FileOrder:
    """Build the order to read a task's file."""
    return FileOrder(**{name: getattr(task, name) for name in _SHARED}, sent_ms=sent_ms)


def closing_of(row: TaskRow, sent_ms: int) -> FileOrder:
    """Build the order to close a task's document."""
    told: dict[str, object] = {
        "reading": row.reading,
        "unit": row.total_units - 1,
        "kept": row.kept_items,
        "whole": not row.error_units >> 1,  # bit 0: pages that could not be read
    }
    return file_of(row, sent_ms).model_copy(update={"closing": True, **told})


def key_of(order: FileOrder) -> bytes:
    """The key of an order's record: orders about one document come to one process, in a row."""
    document_id = order.document.document_id
    if document_id is None:
        return order.task_id.encode()
    key = document_key(order.tenant, order.collection, order.fingerprint, document_id)
    return key.encode("utf-8", "surrogatepass")
