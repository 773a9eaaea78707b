"""The table of all routes as clients read it: what each takes, what it answers, how it refuses."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, NotRequired

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from models.encoding import Encoding
from models.metrics import Tally, TaskMetrics
from models.paging import Page
from models.rows import TaskRow
from models.states import TaskState
from models.tasks import TaskRequest
from models.units import ItemFailure
from web.answers import JSON
from web.dead_letters import DeadLetterPage, DeadLetterView, RedrivenView
from web.health import Health
from web.limits import DEFAULT_PAGE_SIZE, DEFAULT_RESULT_ITEMS, WebLimits
from web.search import SearchAnswer
from web.search_request import SearchRequest
from web.views import CancelRequestedView, Receipt, ResultPage, TaskPage, TaskView

JSON_TYPE = dict[str, object]


@with_config(ConfigDict(extra="allow"))
class ProblemDocument(TypedDict, total=False):
    """A refusal, RFC 9457 (`application/problem+json`)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: Annotated[str, Field(description="Also in the header X-Request-ID.")]
    retryable: bool
    field: Annotated[str, Field(description="What is wrong, e.g. data[3].")]
    reason: str
    limit: int
    given: str | int | float
    setting: Annotated[str, Field(description="The setting that moves the limit.")]
    state: Annotated[str, Field(description="The state the task is in.")]
    task_id: str
    allowed: list[str | int]


class BatchRequest(TypedDict):
    """Tasks, each accepted or refused by itself."""

    tasks: list[TaskRequest]


class UploadRequest(TypedDict):
    """Files as they are, each a document task of its own, and what is the same for all."""

    file: Annotated[list[bytes], Field(description="One part of this name for each file.")]
    task: NotRequired[
        Annotated[str, Field(description="Fields of the tasks as JSON, without data.")]
    ]


class BatchSlot(TypedDict, total=False):
    """What became of one task of a batch: its id and status, or its refusal."""

    index: int
    task_id: str
    status: TaskState
    error: ProblemDocument


class UploadSlot(BatchSlot, total=False):
    """What became of one file."""

    filename: str | None


class UploadAnswer(TypedDict):
    """One slot a file, in their order."""

    tasks: list[UploadSlot]
    accepted: int
    refused: int


class BatchAnswer(TypedDict):
    """One slot a task, in their order."""

    tasks: list[BatchSlot]
    accepted: int
    refused: int


class Alive(TypedDict):
    """The loop turns."""

    status: Literal["alive"]


class Ready(TypedDict):
    """Every dependency with `ready`, or the reason why it is not."""

    status: Literal["ready"]
    checks: dict[str, str]


@dataclass(frozen=True, slots=True)
class Param:
    """A query parameter or header."""

    name: str
    schema: JSON_TYPE
    text: str
    where: Literal["query", "header"] = "query"


@dataclass(frozen=True, slots=True)
class Operation:
    """One route: what it takes and answers. `refusals` are statuses of problem documents."""

    method: str
    path: str
    summary: str
    answers: Mapping[int, object]
    tag: str = "tasks"
    body: object = None
    media: str = JSON
    params: tuple[Param, ...] = ()
    refusals: tuple[int, ...] = ()


_KEY = Param(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255},
    "One key is one task, ever: the same body again gives the same task (200 and the header "
    "Idempotent-Replayed), another body is refused.",
    "header",
)


def _whole(name: str, text: str, *, least: int, default: int, most: int | None = None) -> Param:
    schema: JSON_TYPE = {"type": "integer", "minimum": least, "default": default}
    return Param(name, schema if most is None else {**schema, "maximum": most}, text)


def operations(limits: WebLimits) -> list[Operation]:
    """Every route of a master."""
    return [*_task_operations(limits), *_other_operations(limits), *_peer_operations()]


def _task_operations(limits: WebLimits) -> list[Operation]:
    wait = Param(
        "wait",
        {"type": "number", "minimum": 0, "maximum": limits.max_wait_s, "default": 0},
        "Seconds to hold the answer for the task's final state (limit service.max_wait_s).",
    )
    accepted = {202: Receipt | TaskView, 200: TaskView}
    refused = (400, 408, 413, 422, 503)
    return [
        Operation(
            "POST", "/tasks/submit", "Submit a task", accepted,
            body=TaskRequest, params=(_KEY, wait), refusals=refused,
        ),
        Operation(
            "POST", "/tasks/batch", "Submit many tasks, each accepted or refused by itself",
            {202: BatchAnswer},
            body=BatchRequest | list[TaskRequest], params=(_KEY,), refusals=refused,
        ),
        Operation(
            "POST", "/tasks/upload", "Submit files, a task each",
            {202: UploadAnswer},
            body=UploadRequest, media="multipart/form-data", params=(_KEY,),
            refusals=(400, 408, 413, 422, 503),
        ),
        Operation(
            "GET", "/tasks", "List tasks, newest first", {200: TaskPage},
            params=_list_params(limits), refusals=(422, 503),
        ),
        Operation(
            "GET", "/tasks/{task_id}", "Read a task", {200: TaskView},
            params=(wait,), refusals=(404, 422, 503),
        ),
        Operation(
            "DELETE", "/tasks/{task_id}", "Cancel a task",
            {200: TaskView, 202: CancelRequestedView}, refusals=(404, 409, 503),
        ),
        Operation(
            "POST", "/tasks/{task_id}/retry", "Make a new task of the items without a vector",
            accepted, params=(_KEY, wait), refusals=(404, 409, 410, 422, 503),
        ),
        Operation(
            "GET", "/tasks/{task_id}/result", "Read the outcome of each item, with its vector",
            {200: ResultPage}, params=_result_params(limits), refusals=(404, 422, 503),
        ),
    ]  # fmt: skip


def _list_params(limits: WebLimits) -> tuple[Param, ...]:
    states: JSON_TYPE = {"type": "string", "enum": list(TaskState)}
    return (
        Param("status_filter", states, "Only tasks in this state."),
        _whole(
            "page",
            f"From 1, to {limits.max_page_depth} rows deep (limit task.max_page_depth); past that "
            "use `cursor`.",
            least=1,
            default=1,
        ),
        _whole(
            "page_size",
            "Limit task.max_page_size.",
            least=1,
            default=min(DEFAULT_PAGE_SIZE, limits.max_page_size),
            most=limits.max_page_size,
        ),
        Param("cursor", {"type": "string"}, "`next_cursor` of the page before; instead of `page`."),
    )


def _result_params(limits: WebLimits) -> tuple[Param, ...]:
    return (
        _whole("offset", "Index of the first item.", least=0, default=0),
        _whole(
            "limit",
            "Items of a page (limit task.max_page_size).",
            least=1,
            default=min(DEFAULT_RESULT_ITEMS, limits.max_page_size),
            most=limits.max_page_size,
        ),
        Param(
            "encoding",
            {"type": "string", "enum": list(Encoding)},
            "How vectors are written, by default as the task asks (`encoding`); base64 is of "
            "little-endian float32.",
        ),
        Param("vectors", {"type": "boolean", "default": True}, "Whether vectors are sent at all."),
    )


def _dead_params(limits: WebLimits) -> tuple[Param, ...]:
    return (
        _whole(
            "limit",
            "Letters of a page (limit task.max_page_size).",
            least=1,
            default=min(DEFAULT_PAGE_SIZE, limits.max_page_size),
            most=limits.max_page_size,
        ),
        Param("before", {"type": "integer", "minimum": 0}, "`next_before` of the page before."),
        Param("reason", {"type": "string"}, "Only letters with this reason."),
    )


def _other_operations(limits: WebLimits) -> list[Operation]:
    return [
        Operation(
            "POST", "/search", "Find the stored texts nearest to a text or a vector",
            {200: SearchAnswer}, tag="search", body=SearchRequest,
            refusals=(400, 408, 413, 422, 503),
        ),
        Operation(
            "GET", "/tables/{table}/{key}", "Read a table: `tasks` (a row) or `errors` (a list)",
            {200: TaskRow | list[ItemFailure]}, tag="tables", refusals=(404, 503),
        ),
        Operation(
            "GET", "/dead-letters", "List records that never became a task, newest first",
            {200: DeadLetterPage}, tag="dead letters", params=_dead_params(limits),
            refusals=(422, 503),
        ),
        Operation(
            "GET", "/dead-letters/{number}", "Show a dead letter with its bytes",
            {200: DeadLetterView}, tag="dead letters", refusals=(404, 503),
        ),
        Operation(
            "POST", "/dead-letters/{number}/redrive",
            "Send a dead letter back to the topic it came from", {202: RedrivenView},
            tag="dead letters", refusals=(404, 409, 503),
        ),
        Operation(
            "GET", "/metrics", "Count the tasks of all owners", {200: TaskMetrics},
            tag="system", refusals=(503,),
        ),
        Operation("GET", "/health", "Say how the service is; always 200", {200: Health}, "system"),
        Operation("GET", "/livez", "Say that the process lives", {200: Alive}, "system"),
        Operation(
            "GET", "/readyz", "Say whether the process is ready, with a reason per dependency",
            {200: Ready}, "system", refusals=(503,),
        ),
        Operation("GET", "/openapi.json", "This document", {200: JSON_TYPE}, "system"),
    ]  # fmt: skip


def _peer_operations() -> list[Operation]:
    refused = (404, 422, 503)
    answers: dict[str, tuple[str, object]] = {
        "/owner/tasks/{task_id}": ("Between masters: an owned row", TaskRow),
        "/owner/errors/{task_id}": ("Between masters: an owned task's errors", list[ItemFailure]),
        "/owner/page": ("Between masters: an owner's share of a list", Page),
        "/owner/tally": ("Between masters: an owner's figures", Tally),
    }
    hop = Param("X-Vectorize-Hop", {"const": "1"}, "Sent by masters only.", "header")
    return [
        Operation("GET", path, summary, {200: schema}, "peers", params=(hop,), refusals=refused)
        for path, (summary, schema) in answers.items()
    ]
