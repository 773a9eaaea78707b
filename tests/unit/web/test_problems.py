"""Refusals: one shape for all of them, one rule for each error, nothing inside leaks out."""

from collections.abc import Iterator
from typing import Any

import pytest

import models.errors
import web.refusals
from models.errors import VectorizeError
from web.errors import RULES, rule_of


def kinds(kind: type[VectorizeError]) -> Iterator[type[VectorizeError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from kinds(below)


def test_every_error_has_its_rule() -> None:
    ours = {models.errors.__name__, web.refusals.__name__}
    known = {kind for kind in kinds(VectorizeError) if kind.__module__ in ours}
    assert known == set(RULES)
    names = [rule.name for rule in RULES.values()]
    assert len(set(names)) == len(names)
    retryable = {rule.name for rule in RULES.values() if rule.retryable}
    assert retryable == {rule.name for rule in RULES.values() if rule.status in {429, 503}}


def test_an_error_of_another_package_takes_the_rule_above_it() -> None:
    class Elsewhere(models.errors.OwnerUnavailable):
        """Not in the table."""

    assert rule_of(Elsewhere()) is RULES[models.errors.OwnerUnavailable]


MEMBERS = {"type", "title", "status", "detail", "instance", "request_id", "retryable"}


@pytest.mark.parametrize(
    "method, path, status",
    [
        ("GET", "/nowhere", 404),
        ("GET", "/tasks/submit", 405),
        ("GET", "/tasks/batch", 405),
        ("PUT", "/tasks", 405),
        ("GET", "/tasks/bad%20id", 404),
        ("GET", "/tasks/x", 404),
        ("POST", "/tasks/submit", 400),
    ],
)
async def test_every_refusal_is_a_problem_document(
    site: Any, method: str, path: str, status: int
) -> None:
    async with site.client.request(method, path) as answer:
        body = await answer.json(content_type="application/problem+json")
        assert answer.status == body["status"] == status
        assert set(body) >= MEMBERS
        assert body["type"].startswith("urn:vectorize:problem:")
        assert body["request_id"] == answer.headers["X-Request-ID"]


async def test_405_names_what_is_allowed(site: Any) -> None:
    answer = await site.get("/tasks/submit")
    assert answer.headers["Allow"] == "POST"
    assert "POST" in answer.body["detail"]


async def test_a_bug_is_500_and_says_nothing_of_the_inside(site: Any) -> None:
    async def bug(task_id: str) -> None:
        raise RuntimeError("secret inside /some/path.py")

    site.cache.get = bug
    answer = await site.get("/tasks/x")
    assert (answer.status, answer.body["title"]) == (500, "Internal error")
    assert b"secret" not in answer.raw
    assert b".py" not in answer.raw
    assert b"Traceback" not in answer.raw


async def test_a_sane_request_id_is_kept_and_another_replaced(site: Any) -> None:
    kept = await site.get("/livez", headers={"X-Request-ID": "abc-1.2:3"})
    assert kept.headers["X-Request-ID"] == "abc-1.2:3"
    for odd in ("x" * 129, "a b", "<script>"):
        made = await site.get("/livez", headers={"X-Request-ID": odd})
        assert len(made.headers["X-Request-ID"]) == 36


async def test_requests_are_counted_by_route_template_never_by_path(site: Any) -> None:
    for path in ("/tasks/a", "/tasks/b", "/nowhere/secret", "/livez"):
        await site.get(path)
    figures = site.figures()
    counted = (
        'vectorize_http_requests_total{method="GET",route="/tasks/{task_id}",status="404"} 2.0'
    )
    assert counted in figures
    assert 'route="unmatched",status="404"} 1.0' in figures
    assert 'vectorize_http_request_seconds_count{method="GET",route="/livez"} 1.0' in figures
    assert "secret" not in figures
