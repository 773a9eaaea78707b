"""The options of a task on the real stack: what is stored is what the encoder alone gives for them.

The model `test/hashing-options` takes 32 words, is trained for 64, 32 and 16 dimensions, and has
prompts of one word each.
"""

import base64
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from models.encoding import EncodeOptions, Truncate
from tests.harness import Client, Log, hashing_vectors, until
from tests.harness.client import task_of
from tests.harness.kafka import headers_of

MODEL = "test/hashing-options"
DIMENSION = 64
LIMIT = 32
PASSAGE = "passage: "


def _fresh(count: int = 3) -> list[str]:
    """Texts that no cache knows."""
    return [f"text {number} of {uuid4().hex}" for number in range(count)]


def _long() -> str:
    return " ".join(f"w{number}-{uuid4().hex[:6]}" for number in range(2 * LIMIT))


async def _items(client: Client, task: dict[str, Any], query: str = "") -> list[dict[str, Any]]:
    answer = await client.get(f"/tasks/{task['task_id']}/result?limit=1000{query}")
    assert answer.status == 200, answer
    items: list[dict[str, Any]] = answer.json["items"]
    return items


def _vectors(items: list[dict[str, Any]]) -> "np.ndarray[Any, Any]":
    return np.array([item["vector"] for item in items], dtype=np.float32)


STORED: list[tuple[dict[str, Any], EncodeOptions]] = [
    ({}, EncodeOptions(prompt=PASSAGE)),
    ({"dimensions": 64}, EncodeOptions(prompt=PASSAGE)),
    ({"dimensions": 16}, EncodeOptions(prompt=PASSAGE, dimensions=16)),
    ({"normalize": False}, EncodeOptions(prompt=PASSAGE, normalize=False)),
    ({"input_type": "clustering"}, EncodeOptions(prompt="cluster: ")),
    ({"prompt": ""}, EncodeOptions()),
    (
        {"prompt": "title: ", "dimensions": 32, "normalize": False},
        EncodeOptions(prompt="title: ", dimensions=32, normalize=False),
    ),
]


@pytest.mark.parametrize("chosen, options", STORED, ids=str)
async def test_a_task_stores_the_vectors_that_its_options_make(
    client: Client, collection: str, chosen: dict[str, Any], options: EncodeOptions
) -> None:
    texts = _fresh()
    task = await client.done(texts, model_name=MODEL, collection=collection, **chosen)
    assert (task["status"], task["completed_items"]) == ("completed", 3)
    result = (await client.get(f"/tasks/{task['task_id']}/result")).json
    assert result["dimension"] == (options.dimensions or DIMENSION)
    np.testing.assert_array_equal(_vectors(result["items"]), hashing_vectors(texts, MODEL, options))


async def test_a_task_shows_the_options_that_count_for_it(client: Client) -> None:
    chosen = {"dimensions": 16, "normalize": False, "truncate": "start", "encoding": "base64"}
    task = await client.done(_fresh(1), model_name=MODEL, input_type="query", **chosen)
    assert task["options"] == {**chosen, "input_type": "query"}


@pytest.mark.parametrize("truncate", [Truncate.END, Truncate.START])
async def test_a_long_text_is_cut_where_the_task_says_and_its_item_tells(
    client: Client, collection: str, truncate: Truncate
) -> None:
    texts = ["short", _long()]
    chosen = {"truncate": truncate, "collection": collection}
    task = await client.done(texts, model_name=MODEL, **chosen)
    assert (task["completed_items"], task["truncated_items"]) == (2, 1)
    options = EncodeOptions(prompt=PASSAGE, truncate=truncate)
    items = await _items(client, task)
    np.testing.assert_array_equal(_vectors(items), hashing_vectors(texts, MODEL, options))
    told = [(item["tokens"], item["truncated"]) for item in items]
    assert told == [(2, False), (2 * LIMIT + 1, True)]
    assert task["tokens"] == 2 * LIMIT + 3
    lean = await _items(client, task, "&vectors=false")
    assert [(item["tokens"], item["truncated"]) for item in lean] == told


async def test_a_long_text_fails_alone_under_truncate_error_with_both_numbers(
    client: Client, collection: str
) -> None:
    texts = ["one", _long(), "three"]
    chosen = {"truncate": "error", "collection": collection}
    task = await client.done(texts, model_name=MODEL, **chosen)
    assert (task["status"], task["completed_items"], task["failed_items"]) == ("completed", 2, 1)
    first, long, last = await _items(client, task)
    assert long["error"]["code"] == "text_too_long"
    assert f"{2 * LIMIT + 1} tokens" in long["error"]["message"]
    assert f"{LIMIT}" in long["error"]["message"]
    assert "w1-" not in long["error"]["message"]
    good = hashing_vectors([texts[0], texts[2]], MODEL)
    np.testing.assert_array_equal(_vectors([first, last]), good)


async def test_a_task_may_ask_for_base64_and_its_reader_for_numbers(client: Client) -> None:
    texts = _fresh()
    task = await client.done(texts, model_name=MODEL, encoding="base64")
    coded = await _items(client, task)
    raw = b"".join(base64.b64decode(item["vector"]) for item in coded)
    expected = hashing_vectors(texts, MODEL)
    np.testing.assert_array_equal(np.frombuffer(raw, dtype="<f4").reshape(3, DIMENSION), expected)
    np.testing.assert_array_equal(_vectors(await _items(client, task, "&encoding=float")), expected)


async def test_texts_are_found_only_in_the_space_that_their_task_stored_them_in(
    client: Client, collection: str
) -> None:
    named = {"model_name": MODEL, "collection": collection}
    spaces: dict[str, dict[str, Any]] = {
        "plain": {},
        "small": {"dimensions": 16},
        "long": {"normalize": False},
        "grouped": {"input_type": "clustering"},
        "titled": {"prompt": "title: "},
    }
    for text, chosen in spaces.items():
        await client.done(text, **named, **chosen)

    async def found(text: str, **where: Any) -> list[str]:
        answer = await client.post("/search", {"query": text, **named, **where, "limit": 9})
        assert answer.status == 200, answer
        return [hit["text"] for hit in answer.json["hits"]]

    assert await found("x") == ["plain"]
    assert await found("x", dimensions=16) == ["small"]
    assert await found("x", normalize=False) == ["long"]
    assert await found("x", stored_input_type="clustering") == ["grouped"]
    assert await found("x", stored_prompt="title: ") == ["titled"]
    assert await found("x", dimensions=32) == []


async def test_a_query_is_encoded_with_its_own_prompt(client: Client, collection: str) -> None:
    named = {"model_name": MODEL, "collection": collection}
    text = _fresh(1)[0]
    await client.done(text, **named)
    stored = hashing_vectors([text], MODEL)[0]
    for chosen, prompt in (({}, "query: "), ({"input_type": "document"}, PASSAGE)):
        answer = await client.post("/search", {"query": text, **named, **chosen})
        asked = hashing_vectors([text], MODEL, EncodeOptions(prompt=prompt))[0]
        (hit,) = answer.json["hits"]
        assert hit["score"] == pytest.approx(float(stored @ asked), abs=1e-5)


async def test_equal_texts_are_computed_once_and_then_come_from_the_cache(client: Client) -> None:
    one, other = _fresh(2)
    texts = [one, other, one, one]
    counts = ("computed_items", "deduplicated_items", "cached_items")
    task = await client.done(texts, model_name=MODEL)
    assert [task[count] for count in counts] == [2, 2, 0]
    first = await _items(client, task)

    async def all_cached() -> Any:
        """A look-up that takes too long is a miss, on a busy machine more than once."""
        again = await client.done(texts, model_name=MODEL)
        assert sum(again[count] for count in counts) == 4
        return again if again["cached_items"] == 4 else None

    again = await until("a task takes all from the cache", all_cached)
    items = await _items(client, again)
    np.testing.assert_array_equal(_vectors(items), _vectors(first))
    assert [item["tokens"] for item in items] == [item["tokens"] for item in first]


async def test_a_cached_vector_is_never_that_of_other_options(client: Client) -> None:
    texts = _fresh(2)
    for options in (
        EncodeOptions(prompt=PASSAGE),
        EncodeOptions(prompt=PASSAGE, dimensions=16),
        EncodeOptions(prompt=PASSAGE, normalize=False),
        EncodeOptions(prompt="query: "),
    ):
        chosen = options.model_dump(include={"prompt", "dimensions", "normalize"})
        task = await client.done(texts, model_name=MODEL, **chosen)
        np.testing.assert_array_equal(
            _vectors(await _items(client, task)), hashing_vectors(texts, MODEL, options)
        )


async def test_a_retry_encodes_as_the_first_task_did(client: Client, collection: str) -> None:
    chosen = {"dimensions": 16, "truncate": "error", "encoding": "base64"}
    first = await client.done([_long()], model_name=MODEL, collection=collection, **chosen)
    assert first["status"] == "failed"
    answer = await client.post(f"/tasks/{first['task_id']}/retry")
    assert answer.status == 202, answer
    again = await client.final(answer.json["task_id"])
    assert (again["status"], again["options"]) == ("failed", first["options"])
    (item,) = await _items(client, again)
    assert item["error"]["code"] == "text_too_long"


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"dimensions": 63}, "dimensions", "allowed: 16, 32, 64"),
    ({"input_type": "poem"}, "input_type", "known: document, query, clustering"),
    ({"prompt": "p", "input_type": "query"}, "prompt", "either prompt or input_type"),
    ({"truncate": "middle"}, "truncate", "'end', 'start' or 'error'"),
    ({"encoding": "hex"}, "encoding", "'float' or 'base64'"),
    ({"normalize": "no"}, "normalize", "valid boolean"),
]


@pytest.mark.parametrize("chosen, field, reason", REFUSED, ids=str)
async def test_a_wrong_option_is_refused_before_anything_is_stored(
    client: Client, chosen: dict[str, Any], field: str, reason: str
) -> None:
    answer = await client.post("/tasks/submit", task_of("x", model_name=MODEL, **chosen))
    assert (answer.status, answer.json["field"]) == (422, field)
    assert reason in answer.json["reason"]


async def test_a_wrong_option_from_kafka_is_a_dead_letter_and_the_next_one_a_task(
    client: Client, log: Log
) -> None:
    bad, good = f"bad-{uuid4().hex}", f"good-{uuid4().hex}"
    await log.produce(
        [
            task_of("x", model_name=MODEL, task_id=bad, dimensions=63),
            task_of("x", model_name=MODEL, task_id=good, dimensions=16),
        ]
    )

    async def look() -> Any:
        answer = await client.get(f"/tasks/{good}")
        assert answer.status in {200, 404, 503}, answer
        return answer.json if answer.status == 200 else None

    await until("the good one is there", look)
    task = await client.final(good)
    assert (task["status"], task["options"]["dimensions"]) == ("completed", 16)
    dead = [one for one in await log.awaited("dead", 1) if bad.encode() in (one.value or b"")]
    (letter,) = [headers_of(one) for one in dead]
    assert letter["reason"] == "invalid_task"
    assert "not trained for 63; allowed: 16, 32, 64" in letter["detail"]
