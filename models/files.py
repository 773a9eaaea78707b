"""A file on its way to be read: the header of a record on `vectorize.files.<lane>`."""

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from models.encoding import EncodeOptions
from models.events import Accepted
from models.ids import DEFAULT_TENANT
from models.rows import TaskRow
from models.states import Lane
from models.tasks import RECORD_VERSION
from models.units import Cut, DocumentFacts, SourcePlace


class FileOrder(BaseModel):
    """All that the role extract must know of a document task; the file's bytes follow it."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    v: int = RECORD_VERSION
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
    metadata: dict[str, JsonValue] = Field(default_factory=dict)
    options: EncodeOptions = EncodeOptions()
    cut: Cut
    document: DocumentFacts
    reading: str | None = Field(default=None, description="Known once it is read.")


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
