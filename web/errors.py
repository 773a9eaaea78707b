"""Errors as RFC 9457 problem documents: the one table error -> answer, and its middleware."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus

import orjson
import structlog
from aiohttp import web

from models.errors import (
    BlobStoreUnavailable,
    BodyTooLarge,
    BodyTooSlow,
    BrokerUnavailable,
    HandedBack,
    IdempotencyConflict,
    InvalidRequest,
    LetterCut,
    LetterNotFound,
    LimitExceeded,
    MalformedJson,
    MalformedMultipart,
    NewerRecord,
    NoEmbedWorker,
    NotAuthorized,
    NothingToRetry,
    OwnerUnavailable,
    StartRefused,
    TaskFinished,
    TaskNotFound,
    TaskUnfinished,
    Unavailable,
    UnknownModel,
    VectorizeError,
    VectorStoreUnavailable,
    WrongState,
)
from web.answers import PROBLEM, raw_answer
from web.refusals import Overloaded, QueueFull, SourceGone, UnknownPath, UnknownTable

log = structlog.get_logger("web.errors")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Problem = dict[str, object]

#: What precedes a problem's name in its `type`.
TYPE_PREFIX = "urn:vectorize:problem:"
REQUEST_ID = web.RequestKey("request_id", str)
REQUEST_ID_HEADER = "X-Request-ID"
#: An error's own facts that a problem document shows.
_FACTS = ("field", "reason", "limit", "given", "setting", "allowed", "task_id", "state")


@dataclass(frozen=True, slots=True)
class Rule:
    """How an error is answered."""

    status: int
    name: str
    title: str
    retryable: bool = False


#: Every error there is; a test walks the tree, so none is missing.
RULES: dict[type[VectorizeError], Rule] = {
    VectorizeError: Rule(500, "internal-error", "Internal error"),
    InvalidRequest: Rule(422, "invalid-request", "The request is not valid"),
    MalformedJson: Rule(400, "malformed-json", "The body is not valid JSON"),
    MalformedMultipart: Rule(
        400, "malformed-multipart", "The body is no whole multipart/form-data"
    ),
    LimitExceeded: Rule(422, "limit-exceeded", "A limit was exceeded"),
    UnknownModel: Rule(422, "unknown-model", "The model is not on the allow list"),
    IdempotencyConflict: Rule(422, "idempotency-conflict", "The key was used with another body"),
    BodyTooLarge: Rule(413, "body-too-large", "The body is too large"),
    BodyTooSlow: Rule(408, "body-too-slow", "The body did not arrive in time"),
    NotAuthorized: Rule(401, "not-authorized", "The API key is missing or wrong"),
    TaskNotFound: Rule(404, "task-not-found", "No such task"),
    LetterNotFound: Rule(404, "dead-letter-not-found", "No such dead letter"),
    LetterCut: Rule(409, "dead-letter-cut", "The dead letter cannot be sent back"),
    UnknownTable: Rule(404, "unknown-table", "No such table"),
    UnknownPath: Rule(404, "not-found", "Nothing is served here"),
    WrongState: Rule(409, "wrong-state", "The task's state does not allow this"),
    TaskFinished: Rule(409, "task-finished", "The task has reached a final state"),
    TaskUnfinished: Rule(409, "task-unfinished", "The task has not reached a final state"),
    NothingToRetry: Rule(409, "nothing-to-retry", "Every item of the task is stored"),
    SourceGone: Rule(410, "source-gone", "The task's texts are not kept any more"),
    Overloaded: Rule(429, "overloaded", "Too much at once", retryable=True),
    QueueFull: Rule(503, "queue-full", "Too many tasks wait", retryable=True),
    Unavailable: Rule(503, "unavailable", "Not available now", retryable=True),
    BrokerUnavailable: Rule(503, "broker-unavailable", "Kafka did not answer", retryable=True),
    OwnerUnavailable: Rule(503, "owner-unavailable", "The owner did not answer", retryable=True),
    VectorStoreUnavailable: Rule(
        503, "vector-store-unavailable", "Weaviate did not answer", retryable=True
    ),
    BlobStoreUnavailable: Rule(
        503, "blob-store-unavailable", "The blob store did not answer", retryable=True
    ),
    NoEmbedWorker: Rule(503, "no-embed-worker", "No embed worker answered", retryable=True),
    StartRefused: Rule(500, "start-refused", "The process cannot start like this"),
    NewerRecord: Rule(503, "newer-record", "Written by a newer version", retryable=True),
    HandedBack: Rule(503, "handed-back", "Given back unfinished", retryable=True),
}


def rule_of(error: VectorizeError) -> Rule:
    """The rule of the error's class, or of the nearest one above it."""
    return next(RULES[kind] for kind in type(error).__mro__ if kind in RULES)


def problem_type(kind: type[VectorizeError]) -> str:
    """The `type` under which errors of this class are answered."""
    return TYPE_PREFIX + RULES[kind].name


def problem_of(error: VectorizeError, *, instance: str, request_id: str) -> Problem:
    """Write an error as a problem document."""
    rule = rule_of(error)
    facts = {name: getattr(error, name, None) for name in _FACTS}
    return {
        "type": TYPE_PREFIX + rule.name,
        "title": rule.title,
        "status": rule.status,
        "detail": error.message,
        "instance": instance,
        "request_id": request_id,
        "retryable": rule.retryable,
        **{name: fact for name, fact in facts.items() if fact is not None},
    }


def problem_answer(request: web.Request, error: VectorizeError, **extra: object) -> web.Response:
    """Answer `request` with the problem document of `error`; `extra` members are added."""
    document = problem_of(error, instance=request.path, request_id=request_id_of(request))
    answer = _answer({**document, **extra}, _headers(error))
    if not request.content.is_eof():
        # aiohttp closes the connection under a body that was not read: say so, or the client's
        # next request on it meets a reset.
        answer.force_close()
    return answer


def request_id_of(request: web.Request) -> str:
    """The request's id, given by the client or made at the door."""
    return str(request.get(REQUEST_ID, ""))


def _headers(error: VectorizeError) -> dict[str, str]:
    rule = rule_of(error)
    if isinstance(error, NotAuthorized):
        return {"WWW-Authenticate": "Bearer"}
    return {"Retry-After": str(getattr(error, "retry_after_s", 1))} if rule.retryable else {}


def _answer(document: Problem, headers: dict[str, str]) -> web.Response:
    return raw_answer(
        orjson.dumps(document),
        status=int(str(document["status"])),
        headers=headers,
        content_type=PROBLEM,
    )


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever a handler raises into a problem document."""
    try:
        return await handler(request)
    except VectorizeError as error:
        if rule_of(error).status == HTTPStatus.INTERNAL_SERVER_ERROR:
            return _bug(request, error)
        return problem_answer(request, error)
    except web.HTTPException as error:
        if error.status < HTTPStatus.BAD_REQUEST:
            raise
        return _from_aiohttp(request, error)
    except Exception as error:  # noqa: BLE001  # the last guard: a bug is answered and logged
        return _bug(request, error)


def _bug(request: web.Request, error: Exception) -> web.Response:
    log.error("request_failed", request_id=request_id_of(request), exc_info=error)
    told = VectorizeError("unexpected error; the service's log names it under this request_id")
    return problem_answer(request, told)


def _from_aiohttp(request: web.Request, error: web.HTTPException) -> web.Response:
    """Answer what aiohttp itself refuses: no route, wrong method, and the rest by its phrase."""
    if isinstance(error, web.HTTPNotFound):
        told = UnknownPath("nothing is served under this path; /openapi.json lists what is")
        return problem_answer(request, told)
    phrase = HTTPStatus(error.status).phrase
    headers: dict[str, str] = {}
    detail = phrase
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        headers, detail = {"Allow": allowed}, f"{request.method} is not allowed; allowed: {allowed}"
    document: Problem = {
        "type": TYPE_PREFIX + phrase.lower().replace(" ", "-"),
        "title": phrase,
        "status": error.status,
        "detail": detail,
        "instance": request.path,
        "request_id": request_id_of(request),
        "retryable": False,
    }
    return _answer(document, headers)
