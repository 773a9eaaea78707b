"""Every bad input of the issue over HTTP: a problem that helps, and a service that goes on."""

import gzip
import zlib
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from tests.harness import Client
from tests.harness.client import Answer, task_of

MIB = 1024 * 1024


def assert_is_problem(answer: Answer, status: int, **facts: object) -> None:
    """The answer is an RFC 9457 document with these members."""
    assert answer.status == status, answer.text[:2000]
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    problem = answer.json
    assert (problem["status"], problem["request_id"]) == (status, answer.headers["X-Request-ID"])
    assert problem["type"].startswith("urn:vectorize:problem:")
    assert problem["title"]
    assert problem["detail"]
    assert {name: problem.get(name) for name in facts} == facts


@pytest.fixture(autouse=True)
async def _the_service_goes_on(client: Client) -> AsyncIterator[None]:
    yield
    status, _, task = await client.post("/tasks/submit?wait=60", task_of("still here"))
    assert (status, task["status"]) == (200, "completed")


TEXT = b'{"task_type": "text_vectorization", "data": '
RAW: dict[str, tuple[bytes, int, dict[str, object]]] = {
    "no JSON": (b"hello", 400, {"field": "body"}),
    "nothing": (b"", 400, {"field": "body"}),
    "half a document": (TEXT, 400, {"field": "body"}),
    "no UTF-8": (TEXT + b'"\xff\xfe"}', 400, {"field": "body"}),
    "a lone surrogate": (TEXT + rb'"\ud800"}', 400, {"field": "body"}),
    "NaN": (TEXT + b'"x", "deadline_s": NaN}', 400, {"field": "body"}),
    "an infinity": (TEXT + b'"x", "deadline_s": Infinity}', 400, {"field": "body"}),
    "a number too large": (TEXT + b'"x", "deadline_s": 1e999}', 400, {"field": "body"}),
    "a depth bomb": (b"[" * 100_000, 400, {"field": "body"}),
    "a closed depth bomb": (b"[" * 100_000 + b"]" * 100_000, 400, {"field": "body"}),
    "a flat depth bomb": (
        TEXT + b'"x", "metadata": {"a": ' + b"[" * 60 + b"]" * 60 + b"}}",
        422,
        {"field": "body", "limit": 32, "setting": "task.max_json_depth"},
    ),
    "a string": (b'"task"', 422, {"field": "body"}),
    "null": (b"null", 422, {"field": "body", "given": "null"}),
    "a list": (b"[]", 422, {"field": "body"}),
}


@pytest.mark.parametrize("name", RAW)
async def test_what_is_no_task_at_all_is_refused(client: Client, name: str) -> None:
    raw, status, facts = RAW[name]
    assert_is_problem(await client.post("/tasks/submit", raw=raw), status, **facts)


BODIES: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "no type": ({"data": "x"}, {"field": "task_type"}),
    "no data": ({"task_type": "text_vectorization"}, {"field": "data"}),
    "an unknown type": (
        {"task_type": "sound_vectorization", "data": "x"},
        {"field": "task_type", "given": "sound_vectorization"},
    ),
    "a type of a wrong type": ({"task_type": 7, "data": "x"}, {"field": "task_type", "given": 7}),
    "a number for a text": ({"task_type": "text_vectorization", "data": 7}, {"field": "data"}),
    "null for a text": ({"task_type": "text_vectorization", "data": None}, {"field": "data"}),
    "a list for a text": ({"task_type": "text_vectorization", "data": ["x"]}, {"field": "data"}),
    "a text for a list": ({"task_type": "batch_vectorization", "data": "x"}, {"field": "data"}),
    "a number in a list": (task_of(["x", 7]), {"field": "data[1]", "given": 7}),
    "an empty text": (task_of(""), {"field": "data"}),
    "a blank text": (task_of(" \n\t"), {"field": "data"}),
    "an empty list": (task_of([]), {"field": "data"}),
    "10,001 items": (
        task_of(["x"] * 10_001),
        {"field": "data", "limit": 10_000, "given": 10_001, "setting": "task.max_items"},
    ),
    "a text too large": (
        task_of("x" * 300_000),
        {"field": "data", "limit": 262_144, "given": 300_002, "setting": "task.max_text_bytes"},
    ),
    "an unknown model": (
        task_of("x", model_name="bert"),
        {
            "field": "model_name",
            "given": "bert",
            "allowed": [
                "sentence-transformers/all-MiniLM-L6-v2",
                "test/hashing-384",
                "test/hashing-64",
                "test/hashing-options",
            ],
        },
    ),
    "a priority no one knows": (task_of("x", priority="urgent"), {"field": "priority"}),
    "a priority with a fraction": (task_of("x", priority=1.5), {"field": "priority", "given": 1.5}),
    "a batch size of none": (task_of(["x"], batch_size=0), {"field": "batch_size", "given": 0}),
    "metadata of a wrong type": (task_of("x", metadata=[1]), {"field": "metadata"}),
    "metadata too large": (
        task_of("x", metadata={"a": "x" * 20_000}),
        {"field": "metadata", "limit": 16_384, "setting": "task.max_metadata_bytes"},
    ),
    "a collection without a name": (task_of("x", collection=""), {"field": "collection"}),
    "a collection with a path": (task_of("x", collection="../x"), {"field": "collection"}),
    "too few ids": (task_of(["x", "y"], item_ids=["a"]), {"field": "item_ids"}),
    "an id twice": (task_of(["x", "y"], item_ids=["a", "a"]), {"field": "item_ids"}),
    "an empty id": (task_of(["x"], item_ids=[""]), {"field": "item_ids[0]"}),
    "a deadline in the past": (task_of("x", deadline_s=-1), {"field": "deadline_s", "given": -1}),
    "a deadline too far": (
        task_of("x", deadline_s=10**7),
        {"field": "deadline_s", "limit": 604_800, "setting": "task.max_deadline_s"},
    ),
    "a callback to nowhere": (task_of("x", callback_url="nowhere"), {"field": "callback_url"}),
    "a callback to a file": (
        task_of("x", callback_url="file:///etc/passwd"), {"field": "callback_url"}
    ),
    "an id with a slash": (task_of("x", task_id="a/b"), {"field": "task_id"}),
    "an id that is a path": (task_of("x", task_id="submit"), {"field": "task_id"}),
    "a field of the service": (task_of("x", tenant="other"), {"field": "tenant"}),
    "a field no one knows": (task_of("x", dat="y"), {"field": "dat"}),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
async def test_a_bad_task_names_its_field(client: Client, name: str) -> None:
    body, facts = BODIES[name]
    assert_is_problem(await client.post("/tasks/submit", body), 422, **facts)


@pytest.mark.parametrize("path", ["/tasks/submit", "/tasks/batch", "/search"])
async def test_a_body_of_9_mib_is_refused_with_the_setting(client: Client, path: str) -> None:
    raw = orjson.dumps(task_of("x" * 9 * MIB))
    facts = {"limit": 8 * MIB, "given": len(raw), "setting": "service.max_body_bytes"}
    assert_is_problem(await client.post(path, raw=raw), 413, **facts)


@pytest.mark.parametrize("encoding, pack", [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_a_compressed_bomb_does_not_unfold(client: Client, encoding: str, pack: Any) -> None:
    bomb = pack(TEXT + b'"' + b"x" * 200 * MIB + b'"}')
    assert len(bomb) < MIB
    answer = await client.post("/tasks/submit", raw=bomb, headers={"Content-Encoding": encoding})
    assert_is_problem(answer, 413, limit=8 * MIB, setting="service.max_body_bytes")


async def test_a_compressed_body_is_taken_and_a_broken_one_refused(client: Client) -> None:
    packed, told = gzip.compress(orjson.dumps(task_of("packed"))), {"Content-Encoding": "gzip"}
    assert (await client.post("/tasks/submit", raw=packed, headers=told)).status == 202
    # Again and again on the same connections: a refusal must not hurt the next request.
    for _ in range(5):
        broken = await client.post("/tasks/submit", raw=packed[:-12], headers=told)
        assert_is_problem(broken, 400, field="body")
        noise = await client.post("/tasks/submit", raw=b"no gzip", headers=told)
        assert_is_problem(noise, 400, field="body")
    other = await client.post("/tasks/submit", raw=packed, headers={"Content-Encoding": "lzma"})
    assert_is_problem(other, 422, field="Content-Encoding", given="lzma")


@pytest.mark.parametrize(
    "method, path",
    [
        ("GET", "/tasks/{}"),
        ("DELETE", "/tasks/{}"),
        ("GET", "/tasks/{}/result"),
        ("POST", "/tasks/{}/retry"),
        ("GET", "/tables/tasks/{}"),
    ],
)
@pytest.mark.parametrize(
    "task_id", ["4f0c6b52-9d0e-4c39-8f0d-6a1f2f3c7b11", "nobody", "%F0%9F%A4%B7", "a" * 500]
)
async def test_an_unknown_id_is_not_found(
    client: Client, method: str, path: str, task_id: str
) -> None:
    assert_is_problem(await client.ask(method, path.format(task_id)), 404)


async def test_a_cancel_of_a_finished_task_tells_its_state(client: Client) -> None:
    task = await client.done("finished")
    answer = await client.delete(f"/tasks/{task['task_id']}")
    assert_is_problem(answer, 409, state="completed", task_id=task["task_id"])
    assert (await client.task(task["task_id"]))["status"] == "completed"


async def test_no_path_and_no_method_are_problems_too(client: Client) -> None:
    assert_is_problem(await client.get("/nowhere"), 404)
    wrong = await client.ask("PUT", "/tasks")
    assert_is_problem(wrong, 405)
    assert wrong.headers["Allow"]


@pytest.mark.parametrize(
    "body, field",
    [
        ({}, "query"),
        ({"query": "x", "vector": [1.0]}, "vector"),
        ({"query": ""}, "query"),
        ({"query": 7}, "query"),
        ({"vector": [1.0, 2.0]}, "vector"),
        ({"vector": ["a"] * 384}, "vector[0]"),
        ({"vector": [0.0] * 384}, "vector"),
        ({"vector": [1e300] * 384}, "vector"),
        ({"query": "x", "limit": 0}, "limit"),
        ({"query": "x", "limit": 10**6}, "limit"),
        ({"query": "x", "model_name": "bert"}, "model_name"),
        ({"query": "x", "collection": "no name"}, "collection"),
        ({"query": "x", "filter": {"a": {"b": 1}}}, None),
        ({"query": "x", "filter": "a"}, "filter"),
        ({"query": "x", "nonsense": 1}, "nonsense"),
    ],
    ids=str,
)
async def test_a_bad_search_names_its_field(
    client: Client, body: dict[str, object], field: str | None
) -> None:
    answer = await client.post("/search", body)
    assert_is_problem(answer, 422, **({"field": field} if field else {}))


@pytest.mark.parametrize(
    "query, field",
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("offset=-1", "offset"),
        ("offset=x", "offset"),
        ("encoding=hex", "encoding"),
        ("vectors=maybe", "vectors"),
    ],
)
async def test_a_bad_result_query_names_its_parameter(
    client: Client, query: str, field: str
) -> None:
    task = await client.done("x")
    answer = await client.get(f"/tasks/{task['task_id']}/result?{query}")
    assert_is_problem(answer, 422, field=field)


@pytest.mark.parametrize("wait", ["-1", "x", "NaN", "61", "1e9"])
async def test_a_bad_wait_is_refused(client: Client, wait: str) -> None:
    answer = await client.post(f"/tasks/submit?wait={wait}", task_of("x"))
    assert_is_problem(answer, 422, field="wait")


@pytest.mark.parametrize("key", ["", "k" * 256])
async def test_a_bad_idempotency_key_is_refused(client: Client, key: str) -> None:
    answer = await client.post("/tasks/submit", task_of("x"), headers={"Idempotency-Key": key})
    assert_is_problem(answer, 422, field="Idempotency-Key")


@pytest.mark.parametrize(
    "body, field", [([], "tasks"), ({}, "tasks"), ({"tasks": "x"}, "tasks"), ({"task": []}, "task")]
)
async def test_a_bad_batch_names_its_field(client: Client, body: object, field: str) -> None:
    assert_is_problem(await client.post("/tasks/batch", body), 422, field=field)


async def test_a_batch_of_too_many_tasks_names_the_limit(client: Client) -> None:
    answer = await client.post("/tasks/batch", [task_of("x")] * 1001)
    facts = {"limit": 1000, "given": 1001, "setting": "task.max_batch_tasks"}
    assert_is_problem(answer, 422, field="tasks", **facts)
