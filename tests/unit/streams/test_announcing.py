"""The public record of a finished task: thin, and a CloudEvent to those who read headers."""

import orjson
import pytest

from models.states import FINAL, TaskState
from streams.announcing import announcement
from tests.unit.models.making import final_row


def test_the_body_is_counts_and_links_and_no_vectors() -> None:
    counts = {"computed_items": 2, "deduplicated_items": 1, "cached_items": 1}
    row = final_row(metadata={"k": 1}, retry_of="t0", first_error="why", failed_items=1, **counts)
    assert orjson.loads(announcement(row).value) == {
        "v": 1,
        "task_id": "task-a",
        "tenant": "default",
        "status": "completed",
        "task_type": "batch_vectorization",
        "model_name": "tiny",
        "collection": "Tiny",
        "total_items": 4,
        "completed_items": 4,
        "failed_items": 1,
        **counts,
        "error": "why",
        "metadata": {"k": 1},
        "retry_of": "t0",
        "created_at": "2026-07-25T17:19:59.990Z",
        "completed_at": "2026-07-25T17:20:00.300Z",
        "links": {"task": "/tasks/task-a", "result": "/tasks/task-a/result"},
    }


@pytest.mark.parametrize("state", sorted(FINAL))
def test_the_headers_are_a_cloud_event_in_binary_mode(state: TaskState) -> None:
    headers = dict(announcement(final_row(state)).headers)
    assert headers == {
        "ce_specversion": b"1.0",
        "ce_id": f"task-a:{state}".encode(),
        "ce_source": b"/vectorize/tasks",
        "ce_type": f"vectorize.task.{state}".encode(),
        "ce_subject": b"task-a",
        "ce_time": b"2026-07-25T17:20:00.300Z",
        "content-type": b"application/json",
    }


def test_a_trace_goes_on_in_the_headers() -> None:
    headers = dict(announcement(final_row(traceparent="00-aa-bb-01")).headers)
    assert headers["ce_traceparent"] == b"00-aa-bb-01"


def test_announced_again_it_is_the_same_event() -> None:
    row = final_row()
    again = row.model_copy(update={"announced": True, "version": 99, "resent": 3})
    assert announcement(again) == announcement(row)


def test_metadata_of_any_shape_can_be_announced() -> None:
    odd = {"big": 2**64 - 1, "float": 1e300, "deep": [[{"": None}]], "ü\x00": "😀"}
    row = type(final_row()).model_validate_json(final_row(metadata=odd).model_dump_json())
    assert orjson.loads(announcement(row).value)["metadata"] == odd
