"""What a client asks for: the public record on `vectorize.tasks` and the body of a submit."""

import hashlib
from typing import Annotated, Literal, Self

import orjson
from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field, JsonValue, model_validator

from models.encoding import Dimensions, Encoding, InputType, Normalize, Prompt, Truncate
from models.ids import DEFAULT_TENANT, TASK_ID_PATTERN
from models.states import Lane, TaskType, lane_of

#: The newest version of every record this code writes and understands.
RECORD_VERSION = 1

#: The latest time a record may claim (the year 3000): what lies behind it cannot be shown.
LATEST_MS = 32_503_680_000_000

#: Fields that do not change what is asked for, so they stay out of the body hash.
_NOT_HASHED = {"v", "task_id", "idempotency_key", "submitted_ms", "traceparent", "tenant"}

#: Types whose `data` is one string.
_OF_ONE = frozenset({TaskType.TEXT, TaskType.DOCUMENT})
#: What only a document has.
_NOT_OF_IMAGES = ("document_id", "chunk_tokens", "chunk_overlap")
_OF_DOCUMENTS = ("filename", *_NOT_OF_IMAGES)

ItemId = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$")]
#: A length of time that a client gives: a number, and neither `true` nor a text of one.
Seconds = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]


class TaskRequest(BaseModel):
    """One task as a client submits it over HTTP or produces it to Kafka."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    task_type: TaskType = Field(description="What is to be done.")
    data: str | Annotated[list[str], Field(fail_fast=True)] = Field(
        description="One text for text_vectorization, a list of texts for batch_vectorization."
        " For document_vectorization one file: in base64, its URL, or its name as a blob."
        " For image_vectorization one such image, or a list of them."
    )
    model_name: str | None = Field(
        default=None, max_length=256, description="A model of the catalog; default: the service's."
    )
    priority: Annotated[int, Field(strict=True)] | Literal["high", "normal", "low"] = Field(
        default=1, description="An integer (≥ 5 high, ≤ 0 low, else normal) or a lane's name."
    )
    batch_size: Annotated[int, Field(strict=True)] | None = Field(
        default=None, ge=1, le=10_000, description="A hint: how many texts go to the model at once."
    )
    metadata: dict[str, JsonValue] = Field(
        default_factory=dict, description="The client's own facts, stored beside every vector."
    )
    collection: str | None = Field(
        default=None,
        pattern=r"^[A-Z][A-Za-z0-9_]{0,127}$",
        description="Where to store; default: one collection per model.",
    )
    item_ids: Annotated[list[ItemId], Field(fail_fast=True)] | None = Field(
        default=None, description="The client's ids, one a text: a second run overwrites."
    )
    document_id: ItemId | None = Field(
        default=None,
        description="The client's id of the document: sent again, it overwrites its chunks.",
    )
    filename: str | None = Field(
        default=None,
        min_length=1,
        max_length=255,
        pattern=r"^[^\x00-\x1f\x7f]+$",
        description="What the document is called; its content says what it is.",
    )
    chunk_tokens: Annotated[int, Field(strict=True)] | None = Field(
        default=None,
        ge=8,
        le=32_768,
        description="Most tokens of a document's chunk; default: the service's, or the model's.",
    )
    chunk_overlap: Annotated[int, Field(strict=True)] | None = Field(
        default=None,
        ge=0,
        le=16_384,
        description="Tokens that a chunk repeats of the one before it; default: the service's.",
    )
    deadline_s: Seconds | None = Field(
        default=None, description="Seconds after which an unfinished task expires."
    )
    queue_timeout_s: Seconds | None = Field(
        default=None, description="Seconds after which a task expires that no worker has taken."
    )
    run_timeout_s: Seconds | None = Field(
        default=None,
        description="Seconds after which a task expires that was begun and is not finished.",
    )
    dimensions: Dimensions | None = Field(
        default=None,
        description="Leading numbers of each vector to keep, of those that the model is trained "
        "for (Matryoshka); default: all.",
    )
    normalize: Normalize | None = Field(
        default=None,
        description="Whether vectors are scaled to length 1; default: as the model's entry says.",
    )
    input_type: InputType | None = Field(
        default=None,
        description="Which of the model's prompts stands before each text; default: document.",
    )
    prompt: Prompt | None = Field(
        default=None,
        description="Put before each text instead of the model's prompt; not with input_type.",
    )
    truncate: Truncate = Field(
        default=Truncate.END,
        description="A text longer than the model takes: cut its end or its start, or fail it.",
    )
    encoding: Encoding = Field(
        default=Encoding.FLOAT,
        description="How the task's result shows vectors unless its reader says otherwise.",
    )
    callback_url: AnyHttpUrl | None = Field(
        default=None, description="Where a notice of the final state goes (delivered later)."
    )
    task_id: str | None = Field(
        default=None,
        pattern=rf"^{TASK_ID_PATTERN.pattern}$",
        description="The client's own id for the task.",
    )
    idempotency_key: str | None = Field(
        default=None, min_length=1, max_length=255, description="One key is one task, ever."
    )
    retry_of: str | None = Field(default=None, max_length=128, description="The task retried.")
    v: int = Field(default=RECORD_VERSION, ge=1, strict=True, description="Version of this record.")
    tenant: str = Field(default=DEFAULT_TENANT, pattern=r"^[A-Za-z0-9_-]{1,64}$")
    submitted_ms: int | None = Field(
        default=None, ge=0, le=LATEST_MS, description="When the service took it."
    )
    traceparent: str | None = Field(default=None, max_length=128)

    @model_validator(mode="after")
    def _fields_fit_the_type(self) -> Self:
        for name in self._wrong_fields():
            if getattr(self, name) is not None:
                raise ValueError(f"{name}: {self.task_type} has none")
        return self

    def _wrong_fields(self) -> tuple[str, ...]:
        if self.is_document:
            return ("item_ids",)
        return _NOT_OF_IMAGES if self.is_image else _OF_DOCUMENTS

    @model_validator(mode="after")
    def _data_fits_the_type(self) -> Self:
        takes_both = self.task_type is TaskType.IMAGE
        if not takes_both and (self.task_type in _OF_ONE) != isinstance(self.data, str):
            wanted = "one string" if self.task_type in _OF_ONE else "a list of strings"
            raise ValueError(f"data: {self.task_type} takes {wanted}")
        items = self.images if self.is_image else self.texts
        if self.item_ids is not None and len(self.item_ids) != len(items):
            what = "images" if self.is_image else "texts"
            raise ValueError(f"item_ids: {len(self.item_ids)} ids for {len(items)} {what}")
        if self.item_ids is not None and len(set(self.item_ids)) != len(self.item_ids):
            raise ValueError("item_ids: an id stands twice; each text needs its own")
        return self

    @model_validator(mode="after")
    def _has_one_prompt(self) -> Self:
        if self.prompt is not None and self.input_type is not None:
            raise ValueError("prompt: give either prompt or input_type")
        return self

    @property
    def is_document(self) -> bool:
        """Whether `data` is a file, whose chunks are the items: they are known later."""
        return self.task_type is TaskType.DOCUMENT

    @property
    def is_image(self) -> bool:
        """Whether `data` is one image or several, each an item."""
        return self.task_type is TaskType.IMAGE

    @property
    def images(self) -> list[str]:
        """The images, each as base64, URL or blob; none for another type."""
        if not self.is_image:
            return []
        return [self.data] if isinstance(self.data, str) else self.data

    @property
    def texts(self) -> list[str]:
        """The items that are texts; none for files."""
        if self.is_document or self.is_image:
            return []
        return [self.data] if isinstance(self.data, str) else self.data

    @property
    def lane(self) -> Lane:
        """The lane the task's priority means."""
        return lane_of(self.priority)


def body_hash(request: TaskRequest) -> str:
    """Hash what is asked for, so that a repeat under one key can be told from another body."""
    asked = request.model_dump(mode="json", exclude=_NOT_HASHED, exclude_defaults=True)
    return hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]
