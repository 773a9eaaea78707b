"""What happens to a task: the records on `vectorize.events`, keyed by task id."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter

from models.encoding import DOCUMENT, EncodeOptions, Encoding
from models.ids import DEFAULT_TENANT
from models.states import Lane, TaskType
from models.tasks import RECORD_VERSION
from models.time_limits import TimeLimit
from models.units import Cut, DocumentFacts, ItemFailure, SourcePlace


class _Event(BaseModel):
    """What every event carries."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    v: int = RECORD_VERSION
    tenant: str = DEFAULT_TENANT
    traceparent: str | None = None
    task_id: str
    at_ms: int = Field(description="When it happened, by the sender's clock; orders nothing.")


class Accepted(_Event):
    """Intake took a task and knows how many units it makes."""

    kind: Literal["accepted"] = "accepted"
    source: SourcePlace
    body_hash: str
    task_type: TaskType
    model: str
    fingerprint: str
    collection: str
    lane: Lane
    submitted_ms: int
    deadline_ms: int | None = None
    queue_timeout_ms: int | None = None
    run_timeout_ms: int | None = None
    total_items: int
    total_units: int
    cut: Cut | None = None
    rejected: list[ItemFailure] = Field(
        default_factory=list, description="Items that never became part of a unit."
    )
    own_ids: bool = False
    options: EncodeOptions = EncodeOptions()
    input_type: str = Field(default=DOCUMENT, description="Empty: the task gave its own prompt.")
    encoding: Encoding = Encoding.FLOAT
    metadata: dict[str, JsonValue] = Field(default_factory=dict)
    callback_url: str | None = None
    retry_of: str | None = None
    document: DocumentFacts | None = Field(
        default=None, description="A document: what it makes is told by `extracted`."
    )


class PagesRead(_Event):
    """A document is being read (sent now and then; nothing depends on it)."""

    kind: Literal["pages_read"] = "pages_read"
    source: SourcePlace
    read: int
    pages: int | None = None


class Extracted(_Event):
    """A document was read: its chunks are the task's items, or it cannot be read at all."""

    kind: Literal["extracted"] = "extracted"
    source: SourcePlace
    reading: str = Field(description="The digest of what was read; later units carry it.")
    total_items: int
    total_units: int
    closes: bool = Field(default=False, description="One more unit, the last, closes it.")
    kept: int = Field(default=0, description="Chunks that it takes over from an earlier reading.")
    failures: list[ItemFailure] = Field(
        default_factory=list, description="Pages that could not be read, or the document."
    )
    format: str | None = None
    charset: str | None = None
    pages: int | None = None
    worker: str
    begun_ms: int | None = Field(default=None, description="When the worker took it.")


class UnitStarted(_Event):
    """A worker has a task's first unit, or a document that takes a while to read."""

    kind: Literal["unit_started"] = "unit_started"
    unit: int
    worker: str


class UnitDone(_Event):
    """Every item of a unit is decided: stored, or failed with its reason."""

    kind: Literal["unit_done"] = "unit_done"
    unit: int
    source: SourcePlace
    reading: str | None = Field(default=None, description="Of a document: which reading it was.")
    stored: int
    failures: list[ItemFailure] = Field(default_factory=list)
    tokens: int = 0
    truncated: int = 0
    computed: int = 0
    deduplicated: int = 0
    cached: int = 0
    deleted: int = Field(default=0, description="Chunks of earlier readings that were removed.")
    worker: str
    queue_ms: int = 0
    encode_ms: int = 0
    store_ms: int = 0


class CancelRequested(_Event):
    """A client wants the task to end."""

    kind: Literal["cancel_requested"] = "cancel_requested"


class DeadlinePassed(_Event):
    """Somebody saw that one of the task's limits of time has passed."""

    kind: Literal["deadline_passed"] = "deadline_passed"
    limit: TimeLimit = TimeLimit.TOTAL


class UnitsResent(_Event):
    """The sweep sent the unfinished units of a stalled task again."""

    kind: Literal["units_resent"] = "units_resent"


class Swept(_Event):
    """The vectors of a cancelled or expired task were removed; `due_ms` names the sweep done."""

    kind: Literal["swept"] = "swept"
    due_ms: int


class RetentionPassed(_Event):
    """The task is old enough to be purged."""

    kind: Literal["retention_passed"] = "retention_passed"


Event = Annotated[
    Accepted
    | PagesRead
    | Extracted
    | UnitStarted
    | UnitDone
    | CancelRequested
    | DeadlinePassed
    | UnitsResent
    | Swept
    | RetentionPassed,
    Field(discriminator="kind"),
]
EVENT: TypeAdapter[Event] = TypeAdapter(Event)
