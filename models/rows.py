"""The row of a task in the table `tasks`: the truth every answer is read from."""

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from models.bitmap import Bitmap
from models.encoding import DOCUMENT, EncodeOptions, Encoding
from models.ids import DEFAULT_TENANT
from models.states import FINAL, Lane, TaskState, TaskType
from models.tasks import RECORD_VERSION
from models.units import Cut, DocumentFacts, SourcePlace


class TaskRow(BaseModel):
    """Everything known about a task, folded from its events."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    v: int = RECORD_VERSION
    task_id: str
    tenant: str = DEFAULT_TENANT
    traceparent: str | None = None
    version: int = Field(description="Offset on `vectorize.events` of the last event folded in.")
    state: TaskState
    source: SourcePlace
    body_hash: str
    task_type: TaskType
    model: str
    fingerprint: str
    collection: str
    lane: Lane
    own_ids: bool = False
    options: EncodeOptions = Field(
        default=EncodeOptions(), description="How its texts become vectors, all resolved."
    )
    input_type: str = Field(
        default=DOCUMENT, description="Whose prompt that is; empty: the task gave its own."
    )
    encoding: Encoding = Field(
        default=Encoding.FLOAT, description="How its result shows vectors by default."
    )
    metadata: dict[str, JsonValue] = Field(default_factory=dict)
    callback_url: str | None = None
    retry_of: str | None = None

    submitted_ms: int
    deadline_ms: int | None = None
    queue_timeout_ms: int | None = None
    run_timeout_ms: int | None = None
    started_ms: int | None = None
    finished_ms: int | None = None
    last_event_ms: int

    total_items: int = Field(description="Of a document: known once it is read.")
    total_units: int
    document: DocumentFacts | None = None
    reading: str | None = Field(
        default=None, description="Of a document: the digest of what it was read into."
    )
    format: str | None = None
    charset: str | None = None
    pages: int | None = None
    pages_read: int = 0
    closes: bool = Field(default=False, description="Its last unit closes a document.")
    kept_items: int = Field(default=0, description="Chunks taken over from an earlier reading.")
    deleted_items: int = Field(default=0, description="Chunks of earlier readings removed.")
    cut: Cut | None = Field(default=None, description="The limits it was cut into units by.")
    done_units: Bitmap = Field(default=0, description="Units whose items are all decided.")
    failed: Bitmap = Field(default=0, description="Indexes of items without a vector.")
    error_units: Bitmap = Field(
        default=0,
        description="Rows of the table `errors`: bit 0 intake's, bit n + 1 those of unit n.",
    )
    first_error: str | None = None
    stored_items: int = 0
    failed_items: int = 0
    truncated_items: int = 0
    tokens: int = 0
    computed_items: int = Field(default=0, description="Vectors that the model computed.")
    deduplicated_items: int = Field(
        default=0, description="Vectors taken from an equal text that was under way."
    )
    cached_items: int = Field(default=0, description="Vectors taken from the cache.")
    resent: int = Field(default=0, description="How often the sweep sent its units again.")
    sweeps_due_ms: list[int] = Field(
        default_factory=list, description="When its stored vectors are to be removed (again)."
    )
    announced: bool = Field(default=False, description="Its record on `vectorize.results` stands.")

    @property
    def is_final(self) -> bool:
        """Whether the task has reached a state it never leaves."""
        return self.state in FINAL

    @property
    def is_open(self) -> bool:
        """Whether it is not known yet what the task makes: a document that was not read."""
        return self.document is not None and self.reading is None

    @property
    def is_to_be_closed(self) -> bool:
        """Whether nothing is left but the unit that closes its document."""
        last = 1 << max(0, self.total_units - 1)
        return not self.is_final and self.closes and self.done_units == last - 1

    @property
    def progress(self) -> float:
        """The share of items decided, 0.0–1.0."""
        if self.is_open:
            return 0.0
        decided = self.stored_items + self.failed_items
        return round(decided / self.total_items, 4) if self.total_items else 1.0

    @property
    def all_units_done(self) -> bool:
        """Whether every unit is decided."""
        return not self.is_open and self.done_units.bit_count() >= self.total_units
