"""Results and search: the right vector for the right text."""

import base64
from typing import Any

import numpy as np
import pytest

from tests.harness import Client, fresh_collection, hashing_vectors
from tests.harness.service import MODEL

TEXTS = [f"text {number} of the results" for number in range(150)]


def _expected(texts: list[str], model: str = MODEL) -> "np.ndarray[Any, Any]":
    return hashing_vectors(texts, model)


def _vectors(items: list[dict[str, Any]]) -> "np.ndarray[Any, Any]":
    return np.array([item["vector"] for item in items], dtype=np.float32)


async def _all_items(client: Client, task_id: str, query: str) -> list[dict[str, Any]]:
    """All items, page by page."""
    items: list[dict[str, Any]] = []
    offset: int | None = 0
    while offset is not None:
        answer = await client.get(f"/tasks/{task_id}/result?offset={offset}&{query}")
        assert answer.status == 200, answer
        items += answer.json["items"]
        offset = answer.json["next_offset"]
    return items


async def test_a_result_is_the_encoders_own_vectors_in_order(client: Client) -> None:
    task = await client.done(TEXTS, batch_size=7)
    status, _, result = await client.get(f"/tasks/{task['task_id']}/result?limit=1000")
    assert status == 200
    assert (result["status"], result["total"], result["next_offset"]) == ("completed", 150, None)
    assert (result["model_name"], result["dimension"]) == (MODEL, 384)
    assert [item["index"] for item in result["items"]] == list(range(150))
    assert {item["status"] for item in result["items"]} == {"stored"}
    np.testing.assert_array_equal(_vectors(result["items"]), _expected(TEXTS))


async def test_base64_is_the_same_vectors(client: Client) -> None:
    task = await client.done(TEXTS[:20])
    path = f"/tasks/{task['task_id']}/result"
    floats = (await client.get(path)).json["items"]
    coded = (await client.get(f"{path}?encoding=base64")).json["items"]
    raw = b"".join(base64.b64decode(item["vector"]) for item in coded)
    decoded = np.frombuffer(raw, dtype="<f4").reshape(20, 384)
    np.testing.assert_array_equal(decoded, _vectors(floats))
    np.testing.assert_array_equal(decoded, _expected(TEXTS[:20]))


@pytest.mark.parametrize("limit", [1, 40, 150])
async def test_pages_of_a_result_hold_every_item_once(client: Client, limit: int) -> None:
    texts = TEXTS[: 3 * limit] if limit == 1 else TEXTS
    task = await client.done(texts)
    items = await _all_items(client, task["task_id"], f"limit={limit}")
    assert [item["index"] for item in items] == list(range(len(texts)))
    np.testing.assert_array_equal(_vectors(items), _expected(texts))


async def test_a_result_beyond_its_end_is_empty_and_without_vectors_is_lean(client: Client) -> None:
    task = await client.done(TEXTS[:3])
    path = f"/tasks/{task['task_id']}/result"
    beyond = (await client.get(f"{path}?offset=3")).json
    assert (beyond["items"], beyond["next_offset"], beyond["total"]) == ([], None, 3)
    lean = (await client.get(f"{path}?vectors=false")).json
    assert [set(item) for item in lean["items"]] == [
        {"index", "item", "status", "tokens", "truncated"}
    ] * 3


async def test_failed_items_stand_in_their_place_with_their_reason(client: Client) -> None:
    texts = ["zero", " ", "two", "x" * 300_000, "four"]
    ids = [f"item-{number}" for number in range(5)]
    task = await client.done(texts, item_ids=ids, collection=fresh_collection())
    items = (await client.get(f"/tasks/{task['task_id']}/result")).json["items"]
    assert [item["status"] for item in items] == ["stored", "failed", "stored", "failed", "stored"]
    assert [item["item"] for item in items] == ids
    assert [items[at]["error"]["code"] for at in (1, 3)] == ["empty_text", "text_too_large"]
    good = [items[at] for at in (0, 2, 4)]
    np.testing.assert_array_equal(_vectors(good), _expected(["zero", "two", "four"]))


async def test_a_second_task_on_the_same_items_supersedes_the_first(
    client: Client, collection: str
) -> None:
    more = {"collection": collection}
    first = await client.done(["old a", "old b", "old c"], item_ids=["a", "b", "c"], **more)
    second = await client.done(["new b", "new c"], item_ids=["b", "c"], **more)
    items = (await client.get(f"/tasks/{first['task_id']}/result")).json["items"]
    assert [item["status"] for item in items] == ["stored", "superseded", "superseded"]
    assert [item["status"] for item in items if "vector" in item] == ["stored"]
    newer = (await client.get(f"/tasks/{second['task_id']}/result")).json["items"]
    np.testing.assert_array_equal(_vectors(newer), _expected(["new b", "new c"]))
    found = await client.post("/search", {"query": "old b", "collection": collection, "limit": 10})
    assert sorted(hit["text"] for hit in found.json["hits"]) == ["new b", "new c", "old a"]


async def test_another_model_gives_another_space(client: Client) -> None:
    task = await client.done("small", model_name="test/hashing-64")
    result = (await client.get(f"/tasks/{task['task_id']}/result")).json
    assert result["dimension"] == 64
    np.testing.assert_array_equal(
        _vectors(result["items"]), _expected(["small"], "test/hashing-64")
    )


async def test_two_models_share_a_collection_and_never_meet(
    client: Client, collection: str
) -> None:
    for model in (MODEL, "test/hashing-64"):
        await client.done(f"made by {model}", model_name=model, collection=collection)
    for model in (MODEL, "test/hashing-64"):
        body = {"query": "made by", "model_name": model, "collection": collection}
        hits = (await client.post("/search", body)).json["hits"]
        assert [hit["text"] for hit in hits] == [f"made by {model}"]


# -- search -------------------------------------------------------------------------------------


async def test_a_text_finds_itself_with_all_that_is_known_of_it(
    client: Client, collection: str
) -> None:
    facts = {"lang": "zh", "year": 2024}
    task = await client.done(
        ["苹果", "香蕉", "樱桃"], item_ids=["a", "b", "c"], metadata=facts, collection=collection
    )
    status, _, answer = await client.post(
        "/search", {"query": "香蕉", "limit": 2, "collection": collection}
    )
    assert status == 200
    assert (answer["model_name"], answer["collection"]) == (MODEL, collection)
    assert answer["took_ms"] > 0
    best, other = answer["hits"]
    assert (best["text"], best["task"], best["item"]) == ("香蕉", task["task_id"], "b")
    assert best["metadata"] == facts
    assert best["score"] == pytest.approx(1.0, abs=1e-5)
    assert other["score"] < best["score"]


async def test_a_vector_finds_its_text(client: Client, collection: str) -> None:
    await client.done(["north", "south"], collection=collection)
    vector = [float(number) for number in _expected(["south"])[0]]
    answer = await client.post("/search", {"vector": vector, "collection": collection, "limit": 1})
    (hit,) = answer.json["hits"]
    assert (hit["text"], hit["score"]) == ("south", pytest.approx(1.0, abs=1e-5))


async def test_filters_leave_only_what_they_allow(client: Client, collection: str) -> None:
    tasks = {}
    for lang, year in (("en", 2023), ("zh", 2024), ("de", 2024)):
        tasks[lang] = await client.done(
            [f"{lang} one", f"{lang} two"],
            item_ids=[f"{lang}-1", f"{lang}-2"],
            metadata={"lang": lang, "year": year, "open": lang == "en"},
            collection=collection,
        )

    async def found(**allowed: object) -> list[str]:
        body = {"query": "one", "filter": allowed, "collection": collection, "limit": 50}
        answer = await client.post("/search", body)
        assert answer.status == 200, answer
        return sorted(hit["item"] for hit in answer.json["hits"])

    assert len(await found()) == 6
    assert await found(lang="zh") == ["zh-1", "zh-2"]
    assert await found(lang=["zh", "en"]) == ["en-1", "en-2", "zh-1", "zh-2"]
    assert await found(year=2024, lang="de") == ["de-1", "de-2"]
    assert await found(open=True) == ["en-1", "en-2"]
    assert await found(task=tasks["en"]["task_id"]) == ["en-1", "en-2"]
    assert await found(item=["en-1", "de-2"]) == ["de-2", "en-1"]
    assert await found(lang="fr") == []
    assert await found(year="2024", lang="de") == ["de-1", "de-2"]


async def test_a_collection_that_nobody_filled_has_no_hits(client: Client) -> None:
    answer = await client.post("/search", {"query": "x", "collection": fresh_collection()})
    assert (answer.status, answer.json["hits"]) == (200, [])
