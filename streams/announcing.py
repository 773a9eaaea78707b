"""The public record of a finished task on `vectorize.results`: thin, with CloudEvents headers.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
(binary content mode). Counts and links, no vectors.
"""

from typing import NamedTuple

import orjson

from models.clock import iso_time
from models.rows import TaskRow
from models.tasks import RECORD_VERSION
from streams.records import Headers


class Note(NamedTuple):
    """A record's value and headers."""

    value: bytes
    headers: Headers


def announcement(row: TaskRow) -> Note:
    """Write the announcement of a final row; the same row gives the same event id."""
    body = {
        "v": RECORD_VERSION,
        "task_id": row.task_id,
        "tenant": row.tenant,
        "status": row.state,
        "task_type": row.task_type,
        "model_name": row.model,
        "collection": row.collection,
        "total_items": row.total_items,
        "completed_items": row.stored_items,
        "failed_items": row.failed_items,
        "computed_items": row.computed_items,
        "deduplicated_items": row.deduplicated_items,
        "cached_items": row.cached_items,
        "error": row.first_error,
        "metadata": row.metadata,
        "retry_of": row.retry_of,
        "created_at": iso_time(row.submitted_ms),
        "completed_at": iso_time(row.finished_ms),
        "links": {"task": f"/tasks/{row.task_id}", "result": f"/tasks/{row.task_id}/result"},
    }
    return Note(orjson.dumps(body), _headers(row))


def _headers(row: TaskRow) -> Headers:
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": f"{row.task_id}:{row.state}",
        "ce_source": "/vectorize/tasks",
        "ce_type": f"vectorize.task.{row.state}",
        "ce_subject": row.task_id,
        "ce_time": iso_time(row.finished_ms) or "",
        "content-type": "application/json",
    }
    if row.traceparent:
        attributes["ce_traceparent"] = row.traceparent
    return tuple((name, value.encode()) for name, value in attributes.items())
