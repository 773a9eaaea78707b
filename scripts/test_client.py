"""The guide's test client: its six checks of a running service, then documents; each with its time.

`python scripts/test_client.py [--base-url http://localhost:8000]`; the exit code is 0 when all
pass.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])  # run as a file: it was scripts/

import argparse
import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urlsplit

import aiohttp

from scripts.bad_inputs import bad_inputs
from scripts.checking import CheckFailed, expect, expect_fields
from scripts.service_client import (
    METRICS_PORT,
    Json,
    NotReachable,
    Refused,
    ServiceClient,
    addresses_for,
    api_key_for,
)

INTERRUPTED = 130
TASK_LIMIT_S = 60.0
WAIT_S = 5
FINAL = frozenset({"completed", "failed", "cancelled", "expired"})
HEALTH_FIELDS = {
    "status", "timestamp", "kafka_connected", "weaviate_connected", "redis_connected",
    "active_workers", "queue_size",
}  # fmt: skip
METRICS_FIELDS = {
    "total_tasks", "pending_tasks", "processing_tasks", "completed_tasks", "failed_tasks",
    "average_processing_time", "total_vectors_generated",
}  # fmt: skip
TEXT = "这是一个测试文本"
TEXTS = ["第一个文本", "第二个文本", "第三个文本"]
DOCUMENT = "# 测试文档\n\n## 第一章\n\n这是第一章的文本。\n\n## 第二章\n\n这是第二章的文本。\n"
DOCUMENT_ID = "test-client-document"


@dataclass(slots=True)
class Visit:
    """What the checks share: the client, and the tasks that earlier checks have submitted."""

    client: ServiceClient
    metrics_url: str
    task_limit_s: float = TASK_LIMIT_S
    done: list[Json] = field(default_factory=list)

    def finished_task(self) -> Json:
        """A task that an earlier check has seen through."""
        if not self.done:
            raise CheckFailed("needs a finished task, and no submit before this has made one")
        return self.done[0]


Check = Callable[[Visit], Awaitable[str]]


# -- the checks -------------------------------------------------------------------------------


async def check_health(visit: Visit) -> str:
    """`GET /health` has the guide's fields and says that tasks can be done."""
    health = await visit.client.ask("GET", "/health")
    expect_fields(health, HEALTH_FIELDS, "/health")
    status = health["status"]
    expect(holds=status in {"healthy", "degraded"}, otherwise=f"the status is {status!r}")
    expect(holds=health["kafka_connected"] is True, otherwise="Kafka is not connected")
    return f"{status}, {health['active_workers']} workers"


async def check_single_submit(visit: Visit) -> str:
    """One text becomes one vector."""
    task = await _seen_through(visit, {"task_type": "text_vectorization", "data": TEXT}, 1)
    result = await visit.client.ask("GET", f"/tasks/{task['task_id']}/result")
    expect(holds=len(result["items"]) == 1, otherwise="the result has not one item")
    vector = result["items"][0].get("vector") or []
    expect(holds=len(vector) == result["dimension"], otherwise="the vector has a wrong length")
    return f"task {task['task_id']}, {len(vector)} dimensions"


async def check_batch_submit(visit: Visit) -> str:
    """A list of texts in one task, and several tasks in one request."""
    batch = {"task_type": "batch_vectorization", "data": TEXTS, "batch_size": 2}
    await _seen_through(visit, batch, len(TEXTS))
    single = {"task_type": "text_vectorization", "data": TEXT}
    answer = await visit.client.once("POST", "/tasks/batch", {"tasks": [single, single]})
    expect(holds=answer.status in {200, 202, 207}, otherwise=f"/tasks/batch: {answer.problem}")
    return f"{len(TEXTS)} texts in one task; 2 tasks in one request"


async def check_status_query(visit: Visit) -> str:
    """A task by its id, the list, its filter and its pages."""
    task_id = visit.finished_task()["task_id"]
    task = await visit.client.ask("GET", f"/tasks/{task_id}")
    expect(holds=task["status"] == "completed", otherwise=f"it went back to {task['status']}")
    expect(holds=task["progress"] == 1, otherwise=f"its progress is {task['progress']}")
    page = await visit.client.ask("GET", "/tasks?page=1&page_size=1")
    expect_fields(page, {"tasks", "total", "page", "page_size"}, "/tasks")
    expect(holds=len(page["tasks"]) == 1, otherwise="page_size=1 does not give one task")
    filtered = await visit.client.ask("GET", "/tasks?status_filter=completed")
    states = {shown["status"] for shown in filtered["tasks"]}
    expect(holds=states == {"completed"}, otherwise=f"status_filter=completed gives {states}")
    return f"{page['total']} tasks known, {filtered['total']} completed"


async def check_errors(visit: Visit) -> str:
    """Each bad input gets its problem document, and none stops the service."""
    cases = bad_inputs(str(visit.finished_task()["task_id"]))
    for case in cases:
        answer = await visit.client.once(case.method, case.path, case.body)
        case.examine(answer)
    await visit.client.ask("GET", "/livez")
    return f"{len(cases)} bad inputs refused"


async def check_monitoring(visit: Visit) -> str:
    """`GET /metrics` has the guide's fields, and Prometheus finds its text."""
    metrics = await visit.client.ask("GET", "/metrics")
    expect_fields(metrics, METRICS_FIELDS, "/metrics")
    expect(holds=metrics["total_vectors_generated"] >= 1, otherwise="/metrics counts no vector")
    answer = await visit.client.once("GET", visit.metrics_url)
    text = answer.body if isinstance(answer.body, str) else ""
    told = f"{visit.metrics_url} answers {answer.status} without metrics"
    expect(holds="# TYPE " in text, otherwise=told)
    return f"{metrics['total_tasks']} tasks, {metrics['total_vectors_generated']} vectors"


async def check_document(visit: Visit) -> str:
    """A file in base64 becomes chunks that say where they stand; an uploaded one is known again."""
    encoded = base64.b64encode(DOCUMENT.encode()).decode()
    task = {"task_type": "document_vectorization", "document_id": DOCUMENT_ID}
    sent = await _seen_through(visit, {**task, "filename": "check.md", "data": encoded})
    result = await visit.client.ask("GET", f"/tasks/{sent['task_id']}/result")
    headings = [item["place"]["headings"] for item in result["items"]]
    expect(holds=any(headings), otherwise=f"no chunk names its heading: {headings}")
    form = aiohttp.FormData({"task": json.dumps(task)})
    form.add_field("file", DOCUMENT.encode(), filename="check.md")
    answer = await visit.client.once("POST", "/tasks/upload", form)
    expect(holds=answer.status == HTTPStatus.ACCEPTED, otherwise=f"/tasks/upload: {answer.problem}")
    uploaded = await _followed(visit, answer.body["tasks"][0])
    kept = uploaded["document"]["kept_items"]
    expect(holds=kept == len(headings), otherwise=f"{kept} of {len(headings)} chunks were kept")
    return f"{len(headings)} chunks; uploaded again, {kept} kept"


CHECKS: tuple[tuple[str, Check], ...] = (
    ("Health", check_health),
    ("Single submit", check_single_submit),
    ("Batch submit", check_batch_submit),
    ("Status query", check_status_query),
    ("Error handling", check_errors),
    ("System monitoring", check_monitoring),
    ("Document", check_document),
)


async def _seen_through(visit: Visit, body: Json, items: int | None = None) -> Json:
    """Submit a task and follow it until it is completed, with so many items where that is told."""
    task = await _followed(visit, await visit.client.ask("POST", "/tasks/submit", body))
    told = f"task {task['task_id']} has {task['completed_items']} items, not {items}"
    expect(holds=items is None or task["completed_items"] == items, otherwise=told)
    visit.done.append(task)
    return task


async def _followed(visit: Visit, task: Json) -> Json:
    """Follow a task until it is completed."""
    deadline_s = time.monotonic() + visit.task_limit_s
    while task["status"] not in FINAL:
        still = f"task {task['task_id']} is still {task['status']} after {visit.task_limit_s:g} s"
        expect(holds=time.monotonic() < deadline_s, otherwise=still)
        task = await visit.client.ask("GET", f"/tasks/{task['task_id']}?wait={WAIT_S}")
    told = f"task {task['task_id']} {task['status']}: {task.get('error')}"
    expect(holds=task["status"] == "completed", otherwise=told)
    return task


# -- the command ------------------------------------------------------------------------------


async def run_checks(visit: Visit) -> int:
    """Run all, whatever fails; gives the number of failures."""
    failures = 0
    for number, (name, check) in enumerate(CHECKS, start=1):
        began_s = time.monotonic()
        verdict, told = await _verdict(check, visit)
        failures += verdict != "ok"
        took_s = time.monotonic() - began_s
        print(
            f"{number}/{len(CHECKS)} {name:<18} {took_s:7.3f} s  {verdict:<6}  {told}", flush=True
        )
    return failures


async def _verdict(check: Check, visit: Visit) -> tuple[str, str]:
    try:
        return "ok", await check(visit)
    except (CheckFailed, Refused, NotReachable) as error:
        return "FAILED", str(error)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        return "FAILED", f"an answer of an unexpected shape: {error!r}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the client; gives its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return 1 if asyncio.run(_visit(options)) else 0
    except NotReachable as error:
        print(f"{error}; start it with `make run`", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="test_client.py", description="Checks of a running service."
    )
    parser.add_argument(
        "--base-url", help="the service (default: the one `make run` started, else port 8000)"
    )
    parser.add_argument("--metrics-url", help="its Prometheus metrics (default: port 9090)")
    parser.add_argument("--api-key", help="the service's key, if it asks for one")
    return parser


async def _visit(options: argparse.Namespace) -> int:
    addresses = addresses_for(options.base_url, options.metrics_url)
    host = urlsplit(addresses.url).hostname or "localhost"
    metrics_url = addresses.metrics_url or f"http://{host}:{METRICS_PORT}/metrics"
    async with aiohttp.ClientSession() as session:
        key = api_key_for(options.base_url, options.api_key)
        client = ServiceClient(session, addresses.url, key, patience_s=10)
        await client.once("GET", "/livez")
        print(f"Checking {addresses.url}")
        failures = await run_checks(Visit(client, metrics_url))
    print(f"{failures} of {len(CHECKS)} checks FAILED" if failures else "All checks passed")
    return failures


if __name__ == "__main__":
    sys.exit(main())
