"""The routes of tasks: submit, batch, get, list, cancel, retry."""

import re

from aiohttp import web

from models.errors import InvalidRequest, VectorizeError
from models.paging import cursor_from, cursor_of
from models.states import TaskState
from web.answers import json_answer
from web.bodies import read_json
from web.errors import problem_answer, problem_of, request_id_of, rule_of
from web.limits import DEFAULT_PAGE_SIZE, WebLimits
from web.paths import TASK
from web.queries import at_most, choice, wait_seconds, whole_number
from web.submitting import Submitted
from web.task_manager import TaskManager
from web.views import TaskPage, links_of, task_view

IDEMPOTENCY_KEY = "Idempotency-Key"
LONGEST_KEY = 255  # characters
#: A W3C trace context; anything else is left out rather than refused, as the standard says.
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


def task_routes(tasks: TaskManager, limits: WebLimits) -> list[web.RouteDef]:
    """All routes under `/tasks` but the result's."""
    return [*_writing(tasks, limits), *_reading(tasks, limits)]


def _writing(tasks: TaskManager, limits: WebLimits) -> list[web.RouteDef]:
    async def submit(request: web.Request) -> web.Response:
        wait_s = wait_seconds(request, limits.max_wait_s)
        key, trace = idempotency_key(request), traceparent(request)
        raw = await read_json(request, limits)
        order = tasks.order(raw, key=key, traceparent=trace)
        return _submitted(await tasks.submit(order, wait_s))

    async def batch(request: web.Request) -> web.Response:
        key, trace = idempotency_key(request), traceparent(request)
        raw = await read_json(request, limits)
        outcomes = await tasks.submit_many(raw, key=key, traceparent=trace)
        refused = [one for one in outcomes if isinstance(one, VectorizeError)]
        slots = [batch_slot(request, at, outcome) for at, outcome in enumerate(outcomes)]
        if len(refused) == len(outcomes):
            return problem_answer(request, of_all(refused), tasks=slots)
        accepted = len(outcomes) - len(refused)
        body = {"tasks": slots, "accepted": accepted, "refused": len(refused)}
        return json_answer(body, status=202)

    async def cancel(request: web.Request) -> web.Response:
        task_id = request.match_info["task_id"]
        row = await tasks.cancel(task_id)
        if row is not None:
            return json_answer(task_view(row))
        asked = {"task_id": task_id, "status": "cancel_requested", "links": links_of(task_id)}
        return json_answer(asked, status=202, headers={"Retry-After": "1"})

    async def retry(request: web.Request) -> web.Response:
        wait_s = wait_seconds(request, limits.max_wait_s)
        task_id = request.match_info["task_id"]
        key, trace = idempotency_key(request), traceparent(request)
        return _submitted(await tasks.retry(task_id, key=key, traceparent=trace, wait_s=wait_s))

    return [
        web.post("/tasks/submit", submit),
        web.post("/tasks/batch", batch),
        web.delete(TASK, cancel),
        web.post(f"{TASK}/retry", retry),
    ]


def _reading(tasks: TaskManager, limits: WebLimits) -> list[web.RouteDef]:
    async def get(request: web.Request) -> web.Response:
        wait_s = wait_seconds(request, limits.max_wait_s)
        return json_answer(task_view(await tasks.read(request.match_info["task_id"], wait_s)))

    async def listed(request: web.Request) -> web.Response:
        return json_answer(await _page(request, tasks, limits))

    return [web.get("/tasks", listed), web.get(TASK, get)]


async def _page(request: web.Request, tasks: TaskManager, limits: WebLimits) -> TaskPage:
    chosen = choice(request, "status_filter", tuple(TaskState))
    state = None if chosen is None else TaskState(chosen)
    size = at_most(
        whole_number(
            request, "page_size", default=min(DEFAULT_PAGE_SIZE, limits.max_page_size), least=1
        ),
        limits.max_page_size,
        field="page_size",
        what="it",
        setting="task.max_page_size",
    )
    cursor = request.query.get("cursor")
    before = None if cursor is None else cursor_from(cursor)
    by_page = before is None or "page" in request.query
    page = whole_number(request, "page", default=1, least=1) if by_page else None
    found = await tasks.page(state, page=page, page_size=size, before=before)
    rows = found.rows[:size]
    more = len(found.rows) > size
    return {
        "tasks": [task_view(row) for row in rows],
        "total": found.total,
        "page": page,
        "page_size": size,
        "next_cursor": cursor_of(rows[-1]).text() if more else None,
    }


def _submitted(submitted: Submitted) -> web.Response:
    headers = {"Location": f"/tasks/{submitted.order.task_id}"}
    if submitted.replayed:
        headers["Idempotent-Replayed"] = "true"
    if not submitted.done:
        headers["Retry-After"] = "1"
    status = 200 if submitted.done else 202
    return json_answer(submitted.view(), status=status, headers=headers)


def batch_slot(
    request: web.Request, index: int, outcome: Submitted | VectorizeError
) -> dict[str, object]:
    """What became of one task of several: its id and state, or its refusal."""
    if isinstance(outcome, VectorizeError):
        told = problem_of(outcome, instance=request.path, request_id=request_id_of(request))
        return {"index": index, "error": told}
    status = outcome.view()["status"]
    return {"index": index, "task_id": outcome.order.task_id, "status": status}


def of_all(refused: list[VectorizeError]) -> VectorizeError:
    """The one error a batch without any accepted task is answered with."""
    for error in refused:
        if rule_of(error).retryable:
            return error
    return InvalidRequest(field="tasks", reason=f"none of the {len(refused)} tasks was accepted")


def idempotency_key(request: web.Request) -> str | None:
    """The header `Idempotency-Key`; raise InvalidRequest for what is none."""
    key = request.headers.get(IDEMPOTENCY_KEY)
    if key is not None and not (0 < len(key) <= LONGEST_KEY and key.isprintable()):
        reason = f"must be 1–{LONGEST_KEY} printable characters"
        raise InvalidRequest(field=IDEMPOTENCY_KEY, reason=reason)
    return key


def traceparent(request: web.Request) -> str | None:
    """The caller's trace, if it gave a sound one."""
    given = request.headers.get("traceparent")
    return given if given is not None and _TRACEPARENT.fullmatch(given) else None
