"""Every "Bad input" of the first issue: a problem document that names the field and the limit."""

import asyncio
import gzip
from typing import Any

import pytest

from web.limits import WebLimits

PATH = "/tasks/submit"


def text(**fields: Any) -> dict[str, Any]:
    return {"task_type": "text_vectorization", "data": "a text", **fields}


def batch(data: Any, **fields: Any) -> dict[str, Any]:
    return {"task_type": "batch_vectorization", "data": data, **fields}


NOT_JSON = {
    "empty": b"",
    "no JSON": b"hello",
    "cut off": b'{"task_type": "text_vec',
    "a lone surrogate": b'{"task_type":"text_vectorization","data":"\\ud800"}',
    "NaN": b'{"task_type":"text_vectorization","data":"a","deadline_s":NaN}',
    "an infinite number": b'{"task_type":"text_vectorization","data":"a","deadline_s":1e999}',
    "broken UTF-8": b'{"task_type":"text_vectorization","data":"\xff"}',
}


@pytest.mark.parametrize("raw", NOT_JSON.values(), ids=NOT_JSON)
async def test_what_is_no_json_is_refused_with_400(site: Any, raw: bytes) -> None:
    answer = await site.post(PATH, raw)
    assert answer.status == 400
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.body["type"] == "urn:vectorize:problem:malformed-json"
    assert answer.body["field"] == "body"


WRONG: list[tuple[object, str, str]] = [
    ([], "body", "a task is a JSON object"),
    ("text", "body", "a task is a JSON object"),
    ({}, "task_type", "Field required"),
    ({"task_type": "text_vectorization"}, "data", "Field required"),
    (text(data=5), "data", "string or a valid list"),
    (text(data=None), "data", "string"),
    (text(data=["a"]), "data", "text_vectorization takes one string"),
    (batch("a"), "data", "batch_vectorization takes a list of strings"),
    (batch(["a", "b", 7]), "data[2]", "must be a string"),
    (batch(["a", ["b"]]), "data[1]", "must be a string"),
    (text(data=""), "data", "empty"),
    (text(data=" \n "), "data", "empty"),
    (batch([]), "data", "empty"),
    (text(task_type="video"), "task_type", "allowed: text_vectorization, batch_vectorization"),
    (text(task_type=3), "task_type", "allowed: text_vectorization, batch_vectorization"),
    (text(model_name="gpt"), "model_name", "allowed: tiny, other"),
    (text(model_name=5), "model_name", "valid string"),
    (text(priority="urgent"), "priority", "'high', 'normal' or 'low'"),
    (text(priority=True), "priority", "valid integer"),
    (text(priority=1.5), "priority", "valid integer"),
    (text(batch_size=0), "batch_size", "greater than or equal to 1"),
    (text(metadata=[1]), "metadata", "dictionary"),
    (text(item_ids=["a", "b"]), "item_ids", "2 ids for 1 texts"),
    (batch(["a", "b"], item_ids=["x", "x"]), "item_ids", "stands twice"),
    (batch(["a", "b"], item_ids=["x", ""]), "item_ids[1]", "1–256 characters"),
    (batch(["a"], item_ids=["a\n"]), "item_ids[0]", "none a control character"),
    (text(deadline_s=0), "deadline_s", "greater than 0"),
    (text(deadline_s=True), "deadline_s", "valid number"),
    (text(run_timeout_s="5"), "run_timeout_s", "valid number"),
    (text(callback_url="ftp://x/y"), "callback_url", "'http' or 'https'"),
    (text(callback_url="nowhere"), "callback_url", "URL"),
    (text(collection="lower"), "collection", "pattern"),
    (text(task_id="a b"), "task_id", "pattern"),
    (text(task_id="submit"), "task_id", "paths"),
    (text(tenant="mine"), "tenant", "set by the service"),
    (text(submitted_ms=5), "submitted_ms", "set by the service"),
    (text(retry_of="x"), "retry_of", "set by the service"),
    (text(v=2), "v", "version 1"),
    (text(colour="red"), "colour", "unknown field; there are: task_type, data"),
]


@pytest.mark.parametrize("body, field, reason", WRONG, ids=[f"{w[1]}-{w[2]}" for w in WRONG])
async def test_a_wrong_field_is_named_with_its_reason(
    site: Any, body: object, field: str, reason: str
) -> None:
    answer = await site.post(PATH, body)
    assert answer.status == 422
    assert answer.body["field"] == field
    assert reason in answer.body["reason"]
    assert answer.body["detail"] == f"{field}: {answer.body['reason']}"
    assert site.log.records == []


async def test_what_was_given_is_shown_unless_it_is_the_clients_text(site: Any) -> None:
    given = (await site.post(PATH, text(priority="urgent"))).body["given"]
    assert given == "urgent"
    secret = (await site.post(PATH, text(data={"secret": "words"}))).raw
    assert b"words" not in secret
    long = await site.post(PATH, text(collection="x" * 5000))
    assert long.body["given"] == "a string of 5000 characters"
    assert len(long.raw) < 1000


OVER: list[tuple[dict[str, Any], str, int, int, str]] = [
    (batch(["x"] * 10_001), "data", 10_000, 10_001, "task.max_items"),
    (batch([1] * 20_000), "data", 10_000, 20_000, "task.max_items"),
    (batch(["x"], item_ids=["i"] * 10_001), "item_ids", 10_000, 10_001, "task.max_items"),
    (text(data="é" * 600), "data", 1000, 1202, "task.max_text_bytes"),
    (text(metadata={"a": "x" * 300}), "metadata", 200, 308, "task.max_metadata_bytes"),
    (text(deadline_s=1e9), "deadline_s", 604_800, 1_000_000_000, "task.max_deadline_s"),
]


@pytest.mark.parametrize("body, field, limit, given, setting", OVER, ids=[o[4] for o in OVER])
async def test_a_limit_is_named_with_the_value_given_and_its_setting(
    site: Any, body: object, field: str, limit: int, given: int, setting: str
) -> None:
    answer = await site.post(PATH, body)
    told = answer.body
    assert (answer.status, told["type"]) == (422, "urn:vectorize:problem:limit-exceeded")
    named = (told["field"], told["limit"], told["given"], told["setting"])
    assert named == (field, limit, given, setting)


@pytest.mark.parametrize("field", ["deadline_s", "queue_timeout_s", "run_timeout_s"])
async def test_a_time_larger_than_any_integer_of_an_answer_is_over_the_limit(
    site: Any, field: str
) -> None:
    alone = await site.post(PATH, text(**{field: 1e300}))
    assert (alone.status, alone.body["field"], alone.body["given"]) == (422, field, 1e300)
    beside = await site.post("/tasks/batch", [text(), text(**{field: 1e300})])
    assert (beside.status, beside.body["accepted"], beside.body["refused"]) == (202, 1, 1)


async def test_ten_thousand_items_are_taken(site: Any) -> None:
    assert (await site.post(PATH, batch(["x"] * 10_000))).status == 202


async def test_empty_and_oversized_texts_among_others_are_accepted(site: Any) -> None:
    answer = await site.post(PATH, batch(["good", "", "x" * 5000]))
    assert answer.status == 202


async def test_nine_mebibytes_are_refused_with_413(site: Any) -> None:
    answer = await site.post(PATH, b"[" + b" " * (9 << 20) + b"]")
    told = answer.body
    assert (answer.status, told["limit"], told["setting"]) == (
        413,
        8 << 20,
        "service.max_body_bytes",
    )
    assert told["given"] == (9 << 20) + 2


async def test_nine_mebibytes_without_a_length_are_refused_with_413(site: Any) -> None:
    async def chunks() -> Any:
        for _ in range(9):
            yield b" " * (1 << 20)

    answer = await site.client.post(PATH, data=chunks())
    assert answer.status == 413
    assert (await answer.json(content_type=None))["limit"] == 8 << 20


async def test_a_gzip_bomb_is_refused_with_413(site: Any) -> None:
    bomb = gzip.compress(b" " * (200 << 20), compresslevel=9)
    assert len(bomb) < 1 << 20
    answer = await site.post(PATH, bomb, headers={"Content-Encoding": "gzip"})
    assert (answer.status, answer.body["limit"]) == (413, 8 << 20)


async def test_a_compressed_body_is_taken(site: Any) -> None:
    raw = gzip.compress(b'{"task_type":"text_vectorization","data":"a"}')
    answer = await site.post(PATH, raw, headers={"Content-Encoding": "gzip"})
    assert answer.status == 202


async def test_a_body_that_does_not_unpack_is_refused_with_400(site: Any) -> None:
    answer = await site.post(PATH, b"no gzip at all", headers={"Content-Encoding": "gzip"})
    assert answer.status == 400
    assert "unpack" in answer.body["reason"]


async def test_an_unknown_encoding_is_refused_by_its_name(site: Any) -> None:
    answer = await site.post(PATH, b"{}", headers={"Content-Encoding": "lzma"})
    assert (answer.status, answer.body["field"]) == (422, "Content-Encoding")
    assert answer.body["given"] == "lzma"


async def test_a_depth_bomb_is_refused(site: Any) -> None:
    deep = b'{"task_type":"text_vectorization","data":"a","metadata":{"a":%s}}'
    answer = await site.post(PATH, deep % (b"[" * 500 + b"]" * 500))
    assert (answer.status, answer.body["setting"]) == (422, "task.max_json_depth")
    bomb = await site.post(PATH, b"[" * 1_000_000 + b"]" * 1_000_000)
    assert bomb.status in {400, 422}
    assert bomb.body["field"] == "body"


async def test_four_million_wrong_texts_are_counted_not_validated(site: Any) -> None:
    one = b'{"task_type":"batch_vectorization","data":[' + b"1," * 800_000 + b"1]}"
    raw = b"[" + b",".join([one] * 5) + b"]"
    answer = await site.post("/tasks/batch", raw)
    assert answer.status == 422
    assert {slot["error"]["setting"] for slot in answer.body["tasks"]} == {"task.max_items"}
    small = b'{"task_type":"batch_vectorization","data":[' + b"1," * 9000 + b"1]}"
    assert (await site.post(PATH, small)).body["field"] == "data[0]"


async def test_after_all_this_a_good_task_is_taken(site: Any) -> None:
    for raw in NOT_JSON.values():
        await site.post(PATH, raw)
    assert (await site.post(PATH, text())).status == 202


@pytest.mark.parametrize("wait", ["-1", "x", "nan", "inf"])
async def test_a_wait_that_is_no_time_is_refused(site: Any, wait: str) -> None:
    answer = await site.post(f"{PATH}?wait={wait}", text())
    assert (answer.status, answer.body["field"]) == (422, "wait")


@pytest.mark.parametrize("wait, given", [("6", 6), ("5.2", 6), ("1e300", 10**15)])
async def test_a_wait_that_is_too_long_names_the_limit(site: Any, wait: str, given: int) -> None:
    answer = await site.post(f"{PATH}?wait={wait}", text())
    told = answer.body
    assert (told["limit"], told["given"], told["setting"]) == (5, given, "service.max_wait_s")
    assert site.log.records == []


async def test_too_many_bytes_in_flight_are_429_and_freed_again(make_site: Any) -> None:
    body = text()
    site = await make_site(WebLimits(max_body_bytes=1000, max_in_flight_bytes=60))
    site.board.away = True
    held = asyncio.create_task(site.post(f"{PATH}?wait=1", body))
    await site.until(lambda: site.log.records)
    answer = await site.post(PATH, text())
    told = answer.body
    assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
    assert (told["limit"], told["setting"]) == (60, "service.max_in_flight_bytes")
    assert (await site.get("/livez")).status == 200
    assert (await held).status == 202
    assert (await site.post(PATH, text())).status == 202
