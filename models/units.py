"""Units: micro-batches of items on their way to a model, and back with their vectors."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from models.documents import ChunkOptions, Place
from models.encoding import EncodeOptions
from models.ids import DEFAULT_TENANT, UnitId, unit_id
from models.images import Pixels
from models.states import ItemErrorCode, Lane
from models.tasks import RECORD_VERSION


class SourcePlace(BaseModel):
    """Where on `vectorize.tasks` a task's record lies."""

    model_config = ConfigDict(frozen=True)

    partition: int
    offset: int


class Cut(BaseModel):
    """The limits a task was cut into units by, so that it can be cut the same way again."""

    model_config = ConfigDict(frozen=True)

    max_text_bytes: int
    unit_items: int
    unit_bytes: int
    max_units: int


class ReplyAddress(BaseModel):
    """Where a waiting caller listens: a partition of `vectorize.replies` and its own mark."""

    model_config = ConfigDict(frozen=True)

    partition: int
    correlation_id: str
    deadline_ms: int = Field(description="After this nobody listens any more.")


class UnitItem(BaseModel):
    """One text of a unit."""

    model_config = ConfigDict(frozen=True)

    index: int = Field(description="Position in the task's data, from 0.")
    text: str
    own_id: str | None = Field(default=None, description="The client's id of this item.")
    place: Place | None = Field(default=None, description="Where it stands in its document.")
    chunk: str | None = Field(
        default=None, description="What a document with an id calls this chunk: by its text."
    )
    pixels: Pixels | None = Field(
        default=None, exclude=True, description="Of an image; they travel behind the record."
    )
    shape: tuple[int, int] | None = Field(
        default=None, description="Height and width of an image whose pixels follow."
    )


class ItemFailure(BaseModel):
    """Why one item has no vector."""

    model_config = ConfigDict(frozen=True)

    index: int
    code: ItemErrorCode
    message: str = Field(description="A sentence for a person; never the text itself.")
    own_id: str | None = None


class ImageFacts(BaseModel):
    """Where one image of a task is: a blob, at a URL, or so many bytes of the record."""

    model_config = ConfigDict(frozen=True)

    blob: str | None = None
    url: str | None = None
    size: int = 0
    own_id: str | None = None


class DocumentFacts(BaseModel):
    """What a client said of a document, and how it is to be cut: all resolved by intake."""

    model_config = ConfigDict(frozen=True)

    images: list[ImageFacts] | None = Field(
        default=None, description="It is no document, but these images, each an item."
    )
    document_id: str | None = None
    filename: str | None = None
    blob: str | None = Field(default=None, description="The blob that it is.")
    url: str | None = Field(default=None, description="Where it is fetched from.")
    chunks: ChunkOptions
    batch_size: int | None = None

    @property
    def comes_along(self) -> bool:
        """Whether its bytes travel in its record."""
        return self.blob is None and self.url is None


class Unit(BaseModel):
    """Up to 64 texts of one task (`vectorize.units.<lane>`), or of one waiting caller."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    v: int = RECORD_VERSION
    tenant: str = DEFAULT_TENANT
    traceparent: str | None = None
    task_id: str
    number: int = Field(description="The unit's number within the task, from 0.")
    source: SourcePlace | None = Field(
        default=None, description="The task's record; None for a waiting caller."
    )
    lane: Lane
    model: str
    fingerprint: str
    collection: str
    submitted_ms: int
    sent_ms: int = Field(description="When intake sent this unit; queue wait counts from here.")
    deadline_ms: int | None = None
    metadata: dict[str, JsonValue] = Field(default_factory=dict)
    options: EncodeOptions = Field(
        default=EncodeOptions(), description="How its texts become vectors."
    )
    items: list[UnitItem]
    document: DocumentFacts | None = Field(
        default=None, description="The document that its texts are chunks of."
    )
    reading: str | None = Field(
        default=None, description="Which reading of the document: the digest of its parts."
    )
    reply: ReplyAddress | None = None

    @model_validator(mode="after")
    def _leads_somewhere(self) -> Self:
        if self.source is None and self.reply is None:
            raise ValueError("a unit is a task's or a waiting caller's")
        return self

    @property
    def id(self) -> UnitId:
        """The unit's name and its record's key."""
        return unit_id(self.task_id, self.number)


class ItemOutcome(BaseModel):
    """What the encoder says of an item that has a vector."""

    model_config = ConfigDict(frozen=True)

    tokens: int
    truncated: bool = False


class EncodedUnit(BaseModel):
    """The header of a record on `vectorize.vectors.<lane>`; the vectors follow it as raw bytes.

    `unit.items` are the items that have a vector, in the order of the vectors' rows;
    `outcomes` stand beside them; `failures` are the items that have none.
    """

    model_config = ConfigDict(frozen=True)

    v: int = RECORD_VERSION
    unit: Unit
    outcomes: list[ItemOutcome]
    failures: list[ItemFailure] = Field(default_factory=list)
    computed: int = Field(default=0, ge=0, description="Vectors that the model computed.")
    deduplicated: int = Field(
        default=0, ge=0, description="Vectors taken from an equal text that was under way."
    )
    cached: int = Field(default=0, ge=0, description="Vectors taken from the cache.")
    dimension: int = Field(ge=0)
    worker: str
    queue_ms: int = Field(description="From intake's send to the model's start.")
    encode_ms: int
