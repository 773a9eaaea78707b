"""Tasks around and above the size of a usual Kafka record: done whole, or refused (R31)."""

import pytest

from tests.harness import Client
from tests.harness.client import task_of

pytestmark = pytest.mark.integration
MB = 1_000_000
#: Some texts of this size make a task; one is below `task.max_text_bytes`.
TEXT_BYTES = 100_000


def body_of(size: int) -> dict[str, object]:
    """A task of about `size` bytes, each of its texts another."""
    texts = [f"{number:06d} ".ljust(TEXT_BYTES, "x") for number in range(size // TEXT_BYTES)]
    return task_of(texts)


@pytest.mark.parametrize("size", [900_000, MB, 1_100_000, 5 * MB, 8 * MB])
async def test_a_task_larger_than_a_usual_record_is_done_whole(client: Client, size: int) -> None:
    status, _, task = await client.post("/tasks/submit?wait=60", body_of(size))
    assert (status, task["status"]) == (200, "completed")
    assert task["completed_items"] == size // TEXT_BYTES


@pytest.mark.parametrize("size", [9 * MB, 20 * MB])
async def test_a_task_over_the_limit_is_refused_and_never_half_taken(
    client: Client, size: int
) -> None:
    before = (await client.get("/tasks?page_size=1")).json["total"]
    status, _, problem = await client.post("/tasks/submit", body_of(size))
    assert (status, problem["setting"]) == (413, "service.max_body_bytes")
    assert (await client.get("/tasks?page_size=1")).json["total"] == before
