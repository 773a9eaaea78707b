"""`POST /search`: by text over an embed worker, by vector without one."""

from typing import Any
from uuid import UUID

import pytest

from models.vectors import Hit

HIT = Hit(id=UUID(int=7), score=0.5, text="a text", task="t", item="t/0", metadata={"file": "a.py"})


async def test_a_search_by_text_shows_the_hits(site: Any) -> None:
    site.vectors.hits = [HIT]
    answer = await site.post("/search", {"query": "four", "limit": 3, "filter": {"file": "a.py"}})
    body = answer.body
    assert answer.status == 200
    assert body.pop("took_ms") >= 0
    assert body == {
        "hits": [
            {
                "id": str(UUID(int=7)),
                "score": 0.5,
                "text": "a text",
                "task": "t",
                "item": "t/0",
                "metadata": {"file": "a.py"},
            }
        ],
        "model_name": "tiny",
        "collection": "Tiny",
    }
    [(space, vector, limit, where)] = site.vectors.searched
    assert (space.collection, space.tenant) == ("Tiny", "default")
    assert (vector, limit, where) == ([4, 1, 0, 0], 3, {"file": "a.py"})


async def test_a_search_by_vector_needs_no_worker(site: Any) -> None:
    site.workers.beats = []
    body = {"vector": [1, 0.5, 0, -1], "model_name": "tiny", "collection": "Mine"}
    answer = await site.post("/search", body)
    assert (answer.status, answer.body["collection"]) == (200, "Mine")
    assert site.vectors.searched[0][1] == [1, 0.5, 0, -1]
    answer = await site.post("/search", {"query": "text"})
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert answer.body["type"] == "urn:vectorize:problem:no-embed-worker"


async def test_a_search_without_the_store_is_503(site: Any) -> None:
    site.vectors.alive = False
    assert (await site.post("/search", {"vector": [1, 0, 0, 0]})).status == 503


@pytest.mark.parametrize(
    "body, field",
    [
        ([], "body"),
        ({}, "query"),
        ({"query": "a", "vector": [1, 0, 0, 0]}, "query"),
        ({"query": " "}, "query"),
        ({"query": 5}, "query"),
        ({"query": "x" * 2000}, "query"),
        ({"vector": [1, 2, 3]}, "vector"),
        ({"vector": [1, 2, 3, "4"]}, "vector[3]"),
        ({"vector": [1, 2, 3, 1e300]}, "vector"),
        ({"vector": [0, 0, 0, 0]}, "vector"),
        ({"vector": "1,2"}, "vector"),
        ({"query": "a", "limit": 0}, "limit"),
        ({"query": "a", "limit": 1001}, "limit"),
        ({"query": "a", "filter": [1]}, "filter"),
        ({"query": "a", "filter": {f"k{at}": at for at in range(65)}}, "filter"),
        ({"query": "a", "model_name": "gpt"}, "model_name"),
        ({"query": "a", "model_name": 5}, "model_name"),
        ({"query": "a", "collection": "x y"}, "collection"),
        ({"query": "a", "top_k": 5}, "top_k"),
    ],
)
async def test_a_search_that_is_wrong_names_its_field(site: Any, body: object, field: str) -> None:
    answer = await site.post("/search", body)
    assert (answer.status, answer.body["field"]) == (422, field)
    assert site.vectors.searched == []


async def test_a_vector_of_another_models_length_names_both(site: Any) -> None:
    body = (await site.post("/search", {"vector": [1, 2, 3, 4], "model_name": "other"})).body
    assert body["reason"] == "model other has 8 dimensions"
    assert body["given"] == 4
