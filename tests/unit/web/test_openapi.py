"""`/openapi.json`: valid, complete, and honest about the limits."""

import json
from typing import Any

from openapi_spec_validator import validate

from models.tasks import TaskRequest


async def document(site: Any) -> Any:
    answer = await site.get("/openapi.json")
    assert answer.status == 200
    return json.loads(answer.raw)


async def test_the_document_is_valid_openapi_3_1(site: Any, make_site: Any) -> None:
    validate(await document(site))
    guarded = await make_site(api_key="k")
    answer = await guarded.get("/openapi.json", headers={"X-API-Key": "k"})
    validate(json.loads(answer.raw))
    assert answer.body["openapi"].startswith("3.1")
    assert set(answer.body["components"]["securitySchemes"]) == {"bearer", "api_key"}
    assert answer.body["paths"]["/health"]["get"]["security"] == []


async def test_every_mounted_route_is_documented_and_nothing_else(site: Any) -> None:
    mounted = {
        (route.method.lower(), route.resource.canonical)
        for route in site.app.router.routes()
        if route.method != "HEAD"
    }
    paths = (await document(site))["paths"]
    assert {(method, path) for path, item in paths.items() for method in item} == mounted


async def test_the_limits_stand_in_the_document(site: Any) -> None:
    found = await document(site)
    task = found["components"]["schemas"]["TaskRequest"]["properties"]
    assert [branch.get("maxItems") for branch in task["data"]["anyOf"]] == [None, 10_000]
    assert not {"tenant", "submitted_ms", "retry_of", "traceparent"} & set(task)
    assert set(task) < set(TaskRequest.model_fields)
    assert task["model_name"]["examples"] == ["tiny", "other", "clip"]
    for setting in ("service.max_body_bytes", "task.max_text_bytes", "task.max_page_depth"):
        assert setting in found["info"]["description"]
    parameters = found["paths"]["/tasks"]["get"]["parameters"]
    assert [one["name"] for one in parameters] == ["status_filter", "page", "page_size", "cursor"]
    assert parameters[2]["schema"]["maximum"] == 1000


async def test_every_operation_says_how_it_refuses(site: Any) -> None:
    for item in (await document(site))["paths"].values():
        for operation in item.values():
            content = operation["responses"]["default"]["content"]
            assert list(content) == ["application/problem+json"]
            assert all(
                param.get("description")
                for param in operation.get("parameters", [])
                if param["in"] != "path"
            )
