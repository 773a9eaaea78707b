"""Health, readiness, liveness, and the figures."""

import asyncio
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry

from models.states import TaskState
from models.workers import WorkerBeat
from web.assembly import server_options, worker_routes
from web.limits import WebLimits

FIELDS = [
    "status",
    "timestamp",
    "kafka_connected",
    "weaviate_connected",
    "redis_connected",
    "active_workers",
    "queue_size",
]


async def test_health_has_exactly_the_guides_fields(site: Any) -> None:
    await site.submit()
    site.board.change(await site.submit(), state=TaskState.PROCESSING)
    answer = await site.get("/health")
    assert (answer.status, list(answer.body)) == (200, FIELDS)
    assert answer.body["timestamp"].endswith("Z")
    assert {**answer.body, "timestamp": ""} == {
        "timestamp": "",
        "status": "healthy",
        "kafka_connected": True,
        "weaviate_connected": True,
        "redis_connected": True,
        "active_workers": 1,
        "queue_size": 1,
    }


async def test_without_kafka_it_is_unhealthy_and_still_200(site: Any) -> None:
    site.workers.kafka = False
    answer = await site.get("/health")
    assert (answer.status, answer.body["status"]) == (200, "unhealthy")
    assert answer.body["kafka_connected"] is False


async def test_without_weaviate_redis_or_workers_it_is_degraded(site: Any) -> None:
    site.vectors.alive = False
    body = (await site.get("/health")).body
    assert (body["status"], body["weaviate_connected"]) == ("degraded", False)
    site.vectors.alive, site.cache.alive = True, False
    body = (await site.get("/health")).body
    assert (body["status"], body["redis_connected"]) == ("degraded", False)
    site.cache.alive, site.workers.beats = True, []
    body = (await site.get("/health")).body
    assert (body["status"], body["active_workers"]) == ("degraded", 0)
    site.workers.beats = [WorkerBeat(worker="w", roles=["store"], at_ms=1)]
    assert (await site.get("/health")).body["status"] == "degraded"


async def test_checks_that_hang_or_break_cost_a_second_and_count_as_away(site: Any) -> None:
    async def hang() -> bool:
        await asyncio.sleep(60)
        return True

    async def crash() -> bool:
        raise RuntimeError("a bug")

    site.vectors.ping = hang
    site.cache.ping = crash
    began = asyncio.get_running_loop().time()
    body = (await site.get("/health")).body
    assert asyncio.get_running_loop().time() - began < 2
    assert (body["weaviate_connected"], body["redis_connected"]) == (False, False)
    assert body["kafka_connected"] is True


async def test_the_last_queue_size_stands_while_an_owner_is_away(site: Any) -> None:
    await site.submit()
    assert (await site.get("/health")).body["queue_size"] == 1
    site.owners.away = True
    assert (await site.get("/health")).body["queue_size"] == 1


async def test_metrics_have_exactly_the_guides_fields(site: Any) -> None:
    await site.submit()
    site.board.change(await site.submit(), state=TaskState.EXPIRED)
    answer = await site.get("/metrics")
    assert answer.status == 200
    assert answer.body == {
        "total_tasks": 2,
        "pending_tasks": 1,
        "processing_tasks": 0,
        "completed_tasks": 0,
        "failed_tasks": 1,
        "average_processing_time": 0.0,
        "total_vectors_generated": 0,
    }
    site.owners.away = True
    assert (await site.get("/metrics")).status == 503


async def test_readiness_gives_one_reason_per_dependency(site: Any) -> None:
    site.workers.waiting_for = {"kafka": None, "tables": "recovering"}
    answer = await site.get("/readyz")
    assert (answer.status, answer.body["checks"]) == (
        503,
        {"kafka": "ready", "tables": "recovering"},
    )
    assert answer.body["detail"] == "not ready: tables"
    assert answer.headers["Retry-After"] == "1"
    site.workers.waiting_for = {"kafka": None}
    answer = await site.get("/readyz")
    assert (answer.status, answer.body) == (200, {"status": "ready", "checks": {"kafka": "ready"}})
    assert (await site.get("/livez")).body == {"status": "alive"}


@pytest.mark.parametrize("kafka, status", [(True, "healthy"), (False, "unhealthy")])
async def test_a_worker_serves_health_and_nothing_else(site: Any, kafka: bool, status: str) -> None:
    registry = CollectorRegistry()
    options = server_options(api_key="k", limits=WebLimits(), registry=registry)
    app = web.Application(**options)  # type: ignore[arg-type]
    site.workers.kafka = kafka
    app.add_routes(worker_routes(site.workers))
    async with TestClient(TestServer(app)) as client:
        health = await (await client.get("/health")).json()
        assert (health["status"], health["checks"]) == (status, {"kafka": "ready"})
        assert (await client.get("/livez")).status == 200
        assert (await client.get("/readyz")).status == 200
        assert (await client.get("/tasks", headers={"X-API-Key": "k"})).status == 404
