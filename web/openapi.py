"""`GET /openapi.json`: OpenAPI 3.1, built once from the table of routes and pydantic's schemas."""

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from aiohttp import web
from openapi_pydantic import (
    Components,
    Header,
    Info,
    MediaType,
    OpenAPI,
    Parameter,
    PathItem,
    RequestBody,
    Response,
    SecurityScheme,
)
from openapi_pydantic import Operation as DocumentedOperation
from pydantic import TypeAdapter

from embedding.catalog import Catalog
from models.tasks import TaskRequest
from web.answers import JSON, PROBLEM, raw_answer
from web.auth import KEY_HEADER, OPEN_PATHS
from web.documentation import Operation, Param, ProblemDocument, operations
from web.limits import WebLimits
from web.validating import RESERVED

_REF = "#/components/schemas/{model}"
_IN_PATH = re.compile(r"{(\w+)}")

Key = tuple[str, str]
Schemas = dict[Key, dict[str, Any]]


def openapi_routes(
    catalog: Catalog, limits: WebLimits, *, version: str, guarded: bool
) -> list[web.RouteDef]:
    """`GET /openapi.json`; the document is built at the first request."""
    built: list[bytes] = []

    async def document(request: web.Request) -> web.Response:
        del request
        if not built:
            built.append(openapi(catalog, limits, version=version, guarded=guarded))
        return raw_answer(built[0])

    return [web.get("/openapi.json", document)]


def openapi(catalog: Catalog, limits: WebLimits, *, version: str, guarded: bool) -> bytes:
    """Write the whole document."""
    table = operations(limits)
    schemas, definitions = _schemas(table)
    _narrow(definitions, catalog, limits)
    paths: dict[str, PathItem] = {}
    for operation in table:
        item = paths.setdefault(operation.path, PathItem())
        described = _operation(operation, schemas, guarded=guarded)
        setattr(item, operation.method.lower(), described)
    document = OpenAPI(
        openapi="3.1.1",
        info=Info(title="Vectorize", version=version, description=_description(catalog, limits)),
        paths=paths,
        components=Components(
            schemas=definitions,
            securitySchemes={
                "bearer": SecurityScheme(type="http", scheme="bearer"),
                "api_key": SecurityScheme.model_validate(
                    {"type": "apiKey", "name": KEY_HEADER, "in": "header"}
                ),
            }
            if guarded
            else None,
        ),
    )
    written = document.model_dump_json(by_alias=True, exclude_none=True, exclude_unset=True)
    return written.encode()


def _schemas(table: list[Operation]) -> tuple[Schemas, dict[str, Any]]:
    """The schema of each body and answer, and the definitions they refer to."""
    inputs: list[tuple[Key, Any, TypeAdapter[Any]]] = []
    for operation in table:
        for name, kind in _kinds(operation):
            mode = "validation" if name == "body" else "serialization"
            inputs.append(((_id(operation), name), mode, TypeAdapter(kind)))
    problem: Key = ("problem", "problem")
    inputs.append((problem, "serialization", TypeAdapter(ProblemDocument)))
    keyed, root = TypeAdapter.json_schemas(inputs, ref_template=_REF)
    return {key: schema for (key, _), schema in keyed.items()}, root["$defs"]


def _kinds(operation: Operation) -> Iterator[tuple[str, Any]]:
    if operation.body is not None:
        yield "body", operation.body
    for status, kind in operation.answers.items():
        yield str(status), kind


def _narrow(definitions: dict[str, Any], catalog: Catalog, limits: WebLimits) -> None:
    """Say in the schema of a task what the settings allow, and leave out the service's fields."""
    task = next(schema for name, schema in definitions.items() if name == TaskRequest.__name__)
    fields = task["properties"]
    for name in RESERVED:
        fields.pop(name, None)
    most = {"minItems": 1, "maxItems": limits.task.max_items}
    for branch in fields["data"]["anyOf"]:
        branch.update(most if branch["type"] == "array" else {"minLength": 1})
    fields["model_name"]["examples"] = list(catalog.names())
    for name in ("deadline_s", "queue_timeout_s", "run_timeout_s"):
        seconds = next(b for b in fields[name]["anyOf"] if b["type"] == "number")
        seconds["maximum"] = limits.task.max_deadline_s
    search = definitions["SearchRequest"]["properties"]
    search["limit"]["maximum"] = limits.max_search_limit


def _operation(operation: Operation, schemas: Schemas, *, guarded: bool) -> DocumentedOperation:
    in_path = [
        Parameter.model_validate(
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        )
        for name in _IN_PATH.findall(operation.path)
    ]
    open_to_all = not guarded or operation.path in OPEN_PATHS
    return DocumentedOperation(
        operationId=_id(operation),
        summary=operation.summary,
        tags=[operation.tag],
        parameters=[*in_path, *map(_parameter, operation.params)] or None,
        requestBody=_body(operation, schemas),
        responses={
            **{str(status): _answer(operation, schemas, status) for status in operation.answers},
            **{str(status): _refusal(schemas, status) for status in operation.refusals},
            **({} if open_to_all else {"401": _refusal(schemas, HTTPStatus.UNAUTHORIZED)}),
            "default": _refusal(schemas, None),
        },
        security=[] if open_to_all else [{"bearer": []}, {"api_key": []}],
    )


def _id(operation: Operation) -> str:
    words = re.findall(r"\w+", operation.path)
    return "_".join([operation.method.lower(), *(word.replace("{", "") for word in words)])


def _parameter(param: Param) -> Parameter:
    return Parameter.model_validate(
        {
            "name": param.name,
            "in": param.where,
            "description": param.text,
            "schema": param.schema,
            "required": param.where == "header" and "const" in param.schema,
        }
    )


def _body(operation: Operation, schemas: Schemas) -> RequestBody | None:
    if operation.body is None:
        return None
    schema = schemas[_id(operation), "body"]
    content = {operation.media: MediaType.model_validate({"schema": schema})}
    return RequestBody(required=True, content=content)


def _answer(operation: Operation, schemas: Schemas, status: int) -> Response:
    schema = schemas[_id(operation), str(status)]
    return Response(
        description=HTTPStatus(status).phrase,
        content={JSON: MediaType.model_validate({"schema": schema})},
        headers={"X-Request-ID": Header.model_validate({"schema": {"type": "string"}})},
    )


def _refusal(schemas: Schemas, status: int | None) -> Response:
    phrase = "Any other refusal" if status is None else HTTPStatus(status).phrase
    schema = schemas["problem", "problem"]
    return Response(
        description=phrase, content={PROBLEM: MediaType.model_validate({"schema": schema})}
    )


def _description(catalog: Catalog, limits: WebLimits) -> str:
    task = limits.task
    rows = (
        ("service.max_body_bytes", limits.max_body_bytes, "bytes of a body, unpacked"),
        ("service.max_wait_s", limits.max_wait_s, "seconds of `wait`"),
        ("task.max_items", task.max_items, "items of a task"),
        ("task.max_text_bytes", task.max_text_bytes, "bytes of a text, as JSON"),
        ("task.max_metadata_bytes", task.max_metadata_bytes, "bytes of metadata, as JSON"),
        ("task.max_json_depth", task.max_json_depth, "levels of JSON"),
        ("task.max_deadline_s", task.max_deadline_s, "seconds of a deadline"),
        ("task.max_batch_tasks", limits.max_batch_tasks, "tasks of a batch, files of an upload"),
        ("document.max_file_bytes", task.max_file_bytes, "bytes of a file"),
        ("document.max_upload_bytes", limits.max_upload_bytes, "bytes of an upload"),
        ("task.max_page_size", limits.max_page_size, "rows or items of a page"),
        ("task.max_page_depth", limits.max_page_depth, "rows that `page` reaches"),
        ("task.max_search_limit", limits.max_search_limit, "hits of a search"),
    )
    table = "\n".join(f"| `{name}` | {limit:g} | {what} |" for name, limit, what in rows)
    return (
        "Texts in, embedding vectors out. Refusals are RFC 9457 problem documents; one for a "
        "limit names the limit, the given value and the setting.\n\n"
        f"Models: {', '.join(catalog.names())}.\n\n"
        f"| setting | limit | on |\n|---|---|---|\n{table}\n"
    )
