"""The API key: off by default, on when set, health stays open."""

from typing import Any

import pytest

KEY = "s3cret-ключ"


@pytest.fixture
async def guarded(make_site: Any) -> Any:
    return await make_site(api_key=KEY)


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"Authorization": f"bearer {KEY}"},
        {"X-API-Key": KEY},
    ],
)
async def test_the_key_opens_the_door(guarded: Any, headers: dict[str, str]) -> None:
    assert (await guarded.get("/tasks", headers=headers)).status == 200


@pytest.mark.parametrize(
    "headers",
    [{}, {"X-API-Key": "wrong"}, {"Authorization": "Bearer "}, {"Authorization": f"Basic {KEY}"}],
)
async def test_without_the_key_it_stays_shut(guarded: Any, headers: dict[str, str]) -> None:
    answer = await guarded.get("/tasks", headers=headers)
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert answer.body["type"] == "urn:vectorize:problem:not-authorized"


async def test_all_but_health_is_guarded(guarded: Any) -> None:
    for route in guarded.app.router.routes():
        path = route.resource.canonical.format(task_id="x", table="tasks", key="x", number="1")
        async with guarded.client.request(route.method, path) as answer:
            open_to_all = path in {"/health", "/livez", "/readyz"}
            assert (answer.status == 401) != open_to_all, path


async def test_without_a_key_set_nobody_is_asked_for_one(site: Any) -> None:
    assert (await site.get("/tasks")).status == 200
