"""Too many tasks wait: new ones are refused with a time to come back, all else goes on."""

from typing import Any

import pytest

from tests.unit.web.conftest import Site
from web.limits import WebLimits

TASK = {"task_type": "text_vectorization", "data": "a"}


@pytest.fixture
async def crowded(make_site: Any) -> Site:
    site: Site = await make_site(limits=WebLimits(max_queue_tasks=10, max_queue_age_s=60))
    return site


@pytest.mark.parametrize(
    "waiting, age_s, setting, given",
    [
        (10, 0.0, "service.max_queue_tasks", 10),
        (9, 61.5, "service.max_queue_age_s", 61),
    ],
)
async def test_a_full_queue_refuses_and_says_when_to_come_back(
    crowded: Site, waiting: int, age_s: float, setting: str, given: int
) -> None:
    crowded.queue.waiting, crowded.queue.age_s = waiting, age_s
    answer = await crowded.post("/tasks/submit", TASK)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert answer.body["type"] == "urn:vectorize:problem:queue-full"
    assert (answer.body["setting"], answer.body["given"]) == (setting, given)
    assert answer.body["retryable"] is True
    batch = await crowded.post("/tasks/batch", [TASK, TASK])
    assert [slot["error"]["status"] for slot in batch.body["tasks"]] == [503, 503]
    assert (await crowded.get("/tasks")).status == 200


async def test_below_the_limits_all_are_taken(crowded: Site) -> None:
    crowded.queue.waiting, crowded.queue.age_s = 9, 59.0
    assert (await crowded.post("/tasks/submit", TASK)).status == 202


async def test_without_a_limit_of_age_the_oldest_may_be_any(make_site: Any) -> None:
    site: Site = await make_site(limits=WebLimits())
    site.queue.age_s = 1e9
    assert (await site.post("/tasks/submit", TASK)).status == 202
