"""What a task looks like to a client. TypedDicts: plain dicts to orjson, schemas to OpenAPI."""

from typing import Annotated, NotRequired

from pydantic import ConfigDict, Field, JsonValue, with_config
from typing_extensions import TypedDict

from models.clock import iso_time
from models.encoding import Encoding, Truncate
from models.rows import TaskRow
from models.states import ItemErrorCode, ItemStatus, Lane, TaskState, TaskType
from models.tasks import TaskRequest
from models.units import DocumentFacts

_CLOSED = ConfigDict(extra="forbid", protected_namespaces=())


@with_config(_CLOSED)
class Links(TypedDict):
    """Where to go from here."""

    self: str
    result: str


@with_config(_CLOSED)
class OptionsView(TypedDict):
    """How a task's texts become vectors, and how its result shows them."""

    dimensions: Annotated[int | None, Field(description="Leading numbers kept; null: all.")]
    normalize: bool
    input_type: NotRequired[Annotated[str, Field(description="Whose prompt stands before texts.")]]
    prompt: NotRequired[Annotated[str, Field(description="The task's own, instead of those.")]]
    truncate: Truncate
    encoding: Encoding


@with_config(_CLOSED)
class DocumentView(TypedDict):
    """The document of a task, and how far it is read."""

    document_id: str | None
    filename: str | None
    format: Annotated[str | None, Field(description="What its content says it is.")]
    charset: Annotated[str | None, Field(description="The guessed one, of plain text.")]
    pages: Annotated[int | None, Field(description="Pages, slides or sheets; null: unknown yet.")]
    pages_read: int
    chunk_tokens: int
    chunk_overlap: int
    kept_items: Annotated[int, Field(description="Chunks of an earlier task, not embedded again.")]
    deleted_items: Annotated[int, Field(description="Chunks of earlier tasks that were removed.")]


@with_config(_CLOSED)
class TaskView(TypedDict):
    """A task as `GET /tasks/{task_id}` shows it."""

    task_id: str
    status: TaskState
    progress: Annotated[float, Field(ge=0, le=1, description="Share of items decided.")]
    task_type: TaskType
    model_name: str
    priority: Annotated[Lane, Field(description="The lane that the given priority means.")]
    total_items: Annotated[int, Field(description="Of a document its chunks: 0 until it is read.")]
    completed_items: Annotated[int, Field(description="Items whose vectors are stored.")]
    failed_items: int
    truncated_items: Annotated[int, Field(description="Texts cut at the model's limit.")]
    tokens: int
    computed_items: Annotated[int, Field(description="Vectors that the model computed.")]
    deduplicated_items: Annotated[
        int, Field(description="Vectors taken from an equal text that was under way.")
    ]
    cached_items: Annotated[int, Field(description="Vectors taken from the cache.")]
    options: OptionsView
    document: NotRequired[DocumentView]
    error: Annotated[
        str | None, Field(description="The first reason of a failed item, or why the task expired.")
    ]
    metadata: dict[str, JsonValue]
    collection: str
    retry_of: str | None
    created_at: str
    started_at: str | None
    completed_at: Annotated[str | None, Field(description="When it reached its final state.")]
    updated_at: str
    processing_time: Annotated[
        float | None, Field(description="Seconds from submit to the final state.")
    ]
    deadline_at: str | None
    links: Links


@with_config(_CLOSED)
class Receipt(TypedDict):
    """The answer to a submit before anything is known of the task but that it is safe."""

    task_id: str
    status: TaskState
    progress: float
    task_type: TaskType
    model_name: str
    priority: Lane
    total_items: int
    metadata: dict[str, JsonValue]
    retry_of: str | None
    created_at: str
    links: Links


@with_config(_CLOSED)
class TaskPage(TypedDict):
    """A page of tasks, newest first."""

    tasks: list[TaskView]
    total: Annotated[int, Field(description="How many tasks match, on all pages.")]
    page: Annotated[int | None, Field(description="From 1; null where a cursor was given.")]
    page_size: int
    next_cursor: Annotated[str | None, Field(description="Give it as `cursor` to go on.")]


@with_config(_CLOSED)
class CancelRequestedView(TypedDict):
    """The answer to a cancel whose verdict is not known yet."""

    task_id: str
    status: Annotated[str, Field(pattern="^cancel_requested$")]
    links: Links


@with_config(_CLOSED)
class ItemErrorView(TypedDict):
    """Why an item has no vector."""

    code: ItemErrorCode | TaskState
    message: str


@with_config(_CLOSED)
class PlaceView(TypedDict):
    """Where a chunk stands in its document."""

    page: Annotated[int | None, Field(description="From 1: page, slide or sheet, if it has any.")]
    sheet: str | None
    headings: Annotated[list[str], Field(description="It stands under these, outermost first.")]
    start: Annotated[int, Field(description="First character in its page's text.")]
    end: Annotated[int, Field(description="Behind its last character there.")]


@with_config(_CLOSED)
class ItemView(TypedDict, total=False):
    """One item of a result page."""

    index: int
    item: Annotated[str | None, Field(description="The client's id, or task/index.")]
    status: ItemStatus
    vector: Annotated[
        list[float] | str, Field(description="Floats, or base64 of little-endian float32.")
    ]
    tokens: Annotated[int, Field(description="Of the text before it was cut, prompt included.")]
    truncated: Annotated[bool, Field(description="Whether the vector speaks for a part only.")]
    place: Annotated[PlaceView, Field(description="Of a chunk of a document.")]
    error: ItemErrorView


@with_config(_CLOSED)
class ResultPage(TypedDict):
    """Items of a task, in their order."""

    task_id: str
    status: TaskState
    total: int
    offset: int
    limit: int
    next_offset: int | None
    model_name: str
    dimension: int | None
    encoding: Annotated[Encoding, Field(description="How the vectors of this page are written.")]
    items: list[ItemView]


def links_of(task_id: str) -> Links:
    """Where a task is found."""
    return {"self": f"/tasks/{task_id}", "result": f"/tasks/{task_id}/result"}


def task_view(row: TaskRow) -> TaskView:
    """Show a row."""
    finished = row.finished_ms
    view: TaskView = {
        "task_id": row.task_id,
        "status": row.state,
        "progress": row.progress,
        "task_type": row.task_type,
        "model_name": row.model,
        "priority": row.lane,
        "total_items": row.total_items,
        "completed_items": row.stored_items,
        "failed_items": row.failed_items,
        "truncated_items": row.truncated_items,
        "tokens": row.tokens,
        "computed_items": row.computed_items,
        "deduplicated_items": row.deduplicated_items,
        "cached_items": row.cached_items,
        "options": options_view(row),
        "error": row.first_error,
        "metadata": row.metadata,
        "collection": row.collection,
        "retry_of": row.retry_of,
        "created_at": _time(row.submitted_ms),
        "started_at": iso_time(row.started_ms),
        "completed_at": iso_time(finished),
        "updated_at": _time(max(row.last_event_ms, finished or 0)),
        "processing_time": _seconds(row.submitted_ms, finished),
        "deadline_at": iso_time(row.deadline_ms),
        "links": links_of(row.task_id),
    }
    if row.document is not None and row.document.images is None:
        view["document"] = _document_view(row, row.document)
    return view


def _document_view(row: TaskRow, document: DocumentFacts) -> DocumentView:
    return {
        "document_id": document.document_id,
        "filename": document.filename,
        "format": row.format,
        "charset": row.charset,
        "pages": row.pages,
        "pages_read": row.pages_read,
        "chunk_tokens": document.chunks.tokens,
        "chunk_overlap": document.chunks.overlap,
        "kept_items": row.kept_items,
        "deleted_items": row.deleted_items,
    }


def options_view(row: TaskRow) -> OptionsView:
    """Show how a task's texts become vectors: the input type, or the prompt that it gave."""
    named: OptionsView = {
        "dimensions": row.options.dimensions,
        "normalize": row.options.normalize,
        "truncate": row.options.truncate,
        "encoding": row.encoding,
    }
    if row.input_type:
        return {**named, "input_type": row.input_type}
    return {**named, "prompt": row.options.prompt}


def receipt_of(request: TaskRequest, task_id: str, model_name: str, now_ms: int) -> Receipt:
    """Show a task that was just accepted."""
    return {
        "task_id": task_id,
        "status": TaskState.PENDING,
        "progress": 0.0,
        "task_type": request.task_type,
        "model_name": model_name,
        "priority": request.lane,
        "total_items": len(request.texts) + len(request.images),
        "metadata": request.metadata,
        "retry_of": request.retry_of,
        "created_at": _time(now_ms),
        "links": links_of(task_id),
    }


def _time(at_ms: int) -> str:
    return iso_time(at_ms) or ""


def _seconds(began_ms: int, ended_ms: int | None) -> float | None:
    return None if ended_ms is None else max(0, ended_ms - began_ms) / 1000
