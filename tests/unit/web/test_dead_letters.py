"""`/dead-letters`: listed without bytes, shown with them, sent back unless only a part is left."""

import base64

import pytest

from models.dead_letters import DeadLetter
from models.units import SourcePlace
from tests.unit.web.conftest import Site


def letter(number: int, value: bytes = b'{"data": 5}', **more: object) -> DeadLetter:
    facts = {
        "number": number,
        "reason": "invalid_task",
        "detail": "data: wrong",
        "stage": "intake",
        "attempts": 1,
        "source_topic": "vectorize.tasks",
        "source": SourcePlace(partition=2, offset=40 + number),
        "origin": f"vectorize.tasks[2]@{40 + number}",
        "source_ms": 1_700_000_000_000,
        "buried_ms": 1_700_000_000_500,
        "key": None,
        "value": value,
        "size_bytes": len(value),
    }
    return DeadLetter(**{**facts, **more})  # type: ignore[arg-type]


@pytest.fixture
def shelved(site: Site) -> Site:
    site.shelf.letters = {number: letter(number) for number in range(5)}
    site.shelf.letters[3] = letter(3, reason="unknown_model")
    return site


async def test_the_newest_come_first_and_a_page_says_where_the_next_begins(shelved: Site) -> None:
    first = (await shelved.get("/dead-letters?limit=2")).body
    assert [each["number"] for each in first["dead_letters"]] == [4, 3]
    rest = (await shelved.get(f"/dead-letters?before={first['next_before']}")).body
    assert [each["number"] for each in rest["dead_letters"]] == [2, 1, 0]
    assert rest["next_before"] is None
    assert "value" not in rest["dead_letters"][0]


async def test_a_list_may_be_of_one_reason(shelved: Site) -> None:
    found = (await shelved.get("/dead-letters?reason=unknown_model")).body["dead_letters"]
    source = {"topic": "vectorize.tasks", "partition": 2, "offset": 43}
    assert [(each["number"], each["source"]) for each in found] == [(3, source)]


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=100000", "before=-1", "before=x"])
async def test_a_wrong_query_is_named(shelved: Site, query: str) -> None:
    answer = await shelved.get(f"/dead-letters?{query}")
    assert (answer.status, answer.body["field"]) == (422, query.partition("=")[0])


async def test_one_is_shown_with_its_bytes_and_as_text_where_it_is_text(shelved: Site) -> None:
    shelved.shelf.letters[7] = letter(7, b"\xff\x00", key=b"k\xff")
    text, raw = [(await shelved.get(f"/dead-letters/{number}")).body for number in (1, 7)]
    assert text["text"] == '{"data": 5}'
    assert (text["key"], text["buried_at"]) == (None, "2023-11-14T22:13:20.500Z")
    assert (base64.b64decode(raw["value"]), base64.b64decode(raw["key"])) == (b"\xff\x00", b"k\xff")
    assert "text" not in raw


@pytest.mark.parametrize("number", ["99", "x", "-1", "9" * 40])
async def test_one_that_is_not_there_is_a_404(shelved: Site, number: str) -> None:
    shown = await shelved.get(f"/dead-letters/{number}")
    sent = await shelved.post(f"/dead-letters/{number}/redrive")
    assert shown.status == sent.status == 404
    assert shown.body["type"] == "urn:vectorize:problem:dead-letter-not-found"


async def test_one_is_sent_back_to_where_it_came_from(shelved: Site) -> None:
    answer = await shelved.post("/dead-letters/2/redrive")
    assert answer.status == 202
    assert answer.body == {
        "number": 2, "topic": "vectorize.tasks", "partition": 3, "offset": 17
    }  # fmt: skip
    assert shelved.shelf.sent == [2]


async def test_one_that_is_kept_in_part_is_not_sent_back(shelved: Site) -> None:
    shelved.shelf.letters[6] = letter(6, cut_from_bytes=9_000_000, size_bytes=9_000_000)
    shown = (await shelved.get("/dead-letters/6")).body
    assert (shown["cut"], shown["size_bytes"]) == (True, 9_000_000)
    answer = await shelved.post("/dead-letters/6/redrive")
    assert (answer.status, answer.body["type"]) == (409, "urn:vectorize:problem:dead-letter-cut")
    assert shelved.shelf.sent == []
