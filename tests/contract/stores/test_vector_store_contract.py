"""What every store of vectors does, the one in memory and the one in Weaviate."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import JsonValue

from models.documents import Place
from models.errors import InvalidRequest
from models.ids import object_id
from models.states import ItemErrorCode
from models.vectors import Space, StoredItem, StoredVector, Vector
from stores.memory import MemoryStore
from stores.weaviate import WeaviateStore
from tests.unit.stores.items import DIMENSION, stored_item, unit_vector
from web.search_request import MOST_CONDITIONS

Store = MemoryStore | WeaviateStore


async def _results(
    store: Store,
    space: Space,
    task_id: str = "task-a",
    *,
    first: int = 0,
    count: int = 100,
    with_vectors: bool = True,
) -> dict[int, StoredVector]:
    return await store.results(space, task_id, first=first, count=count, with_vectors=with_vectors)


async def test_what_was_written_is_read_back_with_its_own_vector(
    store: Store, space: Space
) -> None:
    items = [stored_item(index=index, space=space) for index in range(20)]
    assert await store.write(items) == [None] * 20
    found = await _results(store, space)
    assert sorted(found) == list(range(20))
    for item in items:
        assert found[item.index].item == item.item
        np.testing.assert_array_equal(found[item.index].vector, item.vector)
        assert found[item.index].vector.dtype == np.float32


async def test_a_page_holds_its_range_and_no_vectors_unless_asked(
    store: Store, space: Space
) -> None:
    await store.write([stored_item(index=index, space=space) for index in range(10)])
    found = await _results(store, space, first=3, count=4, with_vectors=False)
    assert sorted(found) == [3, 4, 5, 6]
    assert all(stored.vector is None for stored in found.values())


@pytest.mark.parametrize("with_vectors", [True, False])
async def test_an_object_says_how_long_its_text_was_and_whether_it_was_cut(
    store: Store, space: Space, with_vectors: bool
) -> None:
    short = replace(stored_item(space=space), tokens=3)
    long = replace(stored_item(index=1, space=space), tokens=100_000, truncated=True)
    assert await store.write([short, long]) == [None, None]
    found = await _results(store, space, with_vectors=with_vectors)
    shown = {index: (one.tokens, one.truncated) for index, one in found.items()}
    assert shown == {0: (3, False), 1: (100_000, True)}


async def test_two_sizes_of_one_models_vectors_share_a_collection_and_never_meet(
    store: Store, space: Space
) -> None:
    small = space.model_copy(update={"fingerprint": "f1of4"})
    cut = stored_item("cut", space=small, vector=unit_vector(0, 4), dimension=4)
    assert await store.write([stored_item(space=space), cut]) == [None, None]
    for one, dimension, task in ((space, DIMENSION, "task-a"), (small, 4, "cut")):
        hits = await store.search(one, unit_vector(0, dimension), limit=9, where={})
        assert [hit.task for hit in hits] == [task]
        (found,) = (await _results(store, one, task)).values()
        assert found.vector is not None
        assert found.vector.shape == (dimension,)


async def test_a_long_result_comes_whole(store: Store, space: Space) -> None:
    items = [stored_item(index=index, space=space) for index in range(1100)]
    assert await store.write(items) == [None] * 1100
    found = await _results(store, space, first=0, count=1200, with_vectors=False)
    assert sorted(found) == list(range(1100))


async def test_writing_twice_gives_one_object(store: Store, space: Space) -> None:
    items = [stored_item(index=index, space=space) for index in range(3)]
    await store.write(items)
    assert await store.write(items) == [None] * 3
    assert len(await store.search(space, unit_vector(0), limit=100, where={})) == 3
    assert await store.delete_task(space, "task-a") == 3


async def test_an_item_twice_in_one_call_is_one_object(store: Store, space: Space) -> None:
    item = stored_item(space=space)
    assert await store.write([item, item]) == [None, None]
    assert len(await _results(store, space)) == 1


@pytest.mark.parametrize("late_first", [False, True], ids=["in order", "the late one first"])
@pytest.mark.parametrize("together", [False, True], ids=["two calls", "one call"])
async def test_of_two_tasks_on_one_item_the_later_submitted_wins(
    store: Store, space: Space, late_first: bool, together: bool
) -> None:
    early = stored_item("early", 0, space=space, own_id="x", submitted_ms=1, text="early")
    late = stored_item("late", 4, space=space, own_id="x", submitted_ms=2, text="late")
    order = [late, early] if late_first else [early, late]
    for call in [order] if together else [[item] for item in order]:
        assert await store.write(call) == [None] * len(call)
    assert await _results(store, space, "early") == {}
    assert list(await _results(store, space, "late")) == [4]
    (hit,) = await store.search(space, late.vector, limit=10, where={})
    assert (hit.text, hit.task, hit.item) == ("late", "late", "x")


async def test_a_superseded_task_removes_nothing_of_its_successor(
    store: Store, space: Space
) -> None:
    await store.write([stored_item("early", space=space, own_id="x", submitted_ms=1)])
    await store.write([stored_item("late", space=space, own_id="x", submitted_ms=2)])
    assert await store.delete_task(space, "early") == 0
    assert list(await _results(store, space, "late")) == [0]


async def test_deleting_a_task_leaves_the_objects_of_others(store: Store, space: Space) -> None:
    await store.write([stored_item("task-a", index, space=space) for index in range(5)])
    await store.write([stored_item("task-b", index, space=space) for index in range(5)])
    assert await store.delete_task(space, "task-a") == 5
    assert await store.delete_task(space, "task-a") == 0
    assert await _results(store, space, "task-a") == {}
    assert len(await _results(store, space, "task-b")) == 5


async def test_task_ids_that_resemble_each_other_are_told_apart(store: Store, space: Space) -> None:
    await store.write([stored_item(one, space=space) for one in ("Task-a", "task-a", "task-a.b")])
    assert len(await _results(store, space, "task-a")) == 1
    assert await store.delete_task(space, "task-a") == 1
    assert len(await _results(store, space, "Task-a")) == 1
    assert len(await _results(store, space, "task-a.b")) == 1


async def test_two_models_share_a_collection_and_never_meet(store: Store, space: Space) -> None:
    other = space.model_copy(update={"fingerprint": "f2"})
    await store.write([stored_item("task-a", space=space)])
    larger = stored_item("task-b", space=other, vector=unit_vector(0, 16), dimension=16)
    assert await store.write([larger]) == [None]
    (hit,) = await store.search(other, unit_vector(0, 16), limit=10, where={})
    assert hit.task == "task-b"
    (hit,) = await store.search(space, unit_vector(0), limit=10, where={})
    assert hit.task == "task-a"


async def test_two_models_in_one_call(store: Store, space: Space) -> None:
    other = space.model_copy(update={"fingerprint": "f2"})
    items = [stored_item(space=space), stored_item(space=other, index=1)]
    assert await store.write(items) == [None, None]
    assert list(await _results(store, space)) == [0]
    assert list(await _results(store, other)) == [1]


async def test_two_tenants_with_the_same_ids_never_meet(store: Store, space: Space) -> None:
    other = space.model_copy(update={"tenant": "acme"})
    mine = stored_item(space=space, own_id="x", text="mine")
    theirs = stored_item(space=other, own_id="x", text="theirs")
    assert await store.write([mine, theirs]) == [None, None]
    for place, text in ((space, "mine"), (other, "theirs")):
        assert [hit.text for hit in await store.search(place, mine.vector, limit=9, where={})] == [
            text
        ]
    assert await store.delete_task(other, "task-a") == 1
    assert len(await _results(store, space)) == 1


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(unit_vector(0, 4), id="a wrong dimension"),
        pytest.param(np.full(DIMENSION, np.nan, np.float32), id="NaN"),
        pytest.param(np.full(DIMENSION, -np.inf, np.float32), id="infinity"),
    ],
)
@pytest.mark.parametrize("at", [0, 2, 4])
async def test_a_bad_vector_harms_only_itself(
    store: Store, space: Space, bad: Vector, at: int
) -> None:
    items = [stored_item(index=index, space=space, own_id=f"id{index}") for index in range(5)]
    items[at] = stored_item(index=at, space=space, own_id=f"id{at}", vector=bad)
    outcomes = await store.write(items)
    failure = outcomes.pop(at)
    assert outcomes == [None] * 4
    assert failure.code is ItemErrorCode.STORE_REFUSED
    assert (failure.index, failure.own_id) == (at, f"id{at}")
    assert at not in await _results(store, space)
    assert len(await _results(store, space)) == 4


async def test_only_bad_vectors_give_only_failures(store: Store, space: Space) -> None:
    items = [stored_item(index=i, space=space, vector=unit_vector(0, 4)) for i in range(3)]
    assert [failure.index for failure in await store.write(items)] == [0, 1, 2]
    assert await _results(store, space) == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\x00\x01\x07\x1b\x7f\r\n",
        "汉字 \U0001f600 \ud7ff\ue000\uffff",
        "e\u0301 ﷽",
        "x" * 262_144,
    ],
    ids=["empty", "control characters", "unicode", "combining", "256 KB"],
)
async def test_every_text_comes_back_as_it_went(store: Store, space: Space, text: str) -> None:
    assert await store.write([stored_item(space=space, text=text, note=text[:64])]) == [None]
    (hit,) = await store.search(space, unit_vector(0), limit=1, where={})
    assert hit.text == text
    assert hit.metadata == {"note": text[:64]}


async def test_a_lone_surrogate_harms_only_itself(store: Store, space: Space) -> None:
    items = [stored_item(space=space, text="\ud800"), stored_item(index=1, space=space)]
    failure, outcome = await store.write(items)
    assert outcome is None
    assert failure.index == 0


async def test_a_search_ranks_by_cosine_whatever_the_length(store: Store, space: Space) -> None:
    far = np.array([0, 1] + [0] * 6, np.float32)
    near = np.array([9, 9] + [0] * 6, np.float32)
    same = np.array([0.1] + [0] * 7, np.float32)
    vectors = [far, near, same]
    await store.write([stored_item(index=i, space=space, vector=v) for i, v in enumerate(vectors)])
    hits = await store.search(space, unit_vector(0), limit=10, where={})
    assert [hit.item for hit in hits] == ["task-a/2", "task-a/1", "task-a/0"]
    np.testing.assert_allclose([hit.score for hit in hits], [1, 0.5**0.5, 0], atol=1e-6)
    assert hits[0].id == object_id("default", space.collection, "task-a/2", 0, fingerprint="f1")


async def test_a_search_gives_no_more_than_its_limit(store: Store, space: Space) -> None:
    await store.write([stored_item(index=index, space=space) for index in range(8)])
    assert len(await store.search(space, unit_vector(1), limit=3, where={})) == 3


@pytest.mark.parametrize(
    "where, found",
    [
        ({}, {0, 1, 2, 3}),
        ({"lang": "en"}, {0, 1}),
        ({"lang": ["en", "de"]}, {0, 1, 2}),
        ({"lang": "EN"}, set()),
        ({"lang": "en", "year": 2020}, {0}),
        ({"year": "2020"}, {0, 2}),
        ({"public": True}, {3}),
        ({"topics": "sea"}, {1}),
        ({"task": "task-b"}, {3}),
        ({"item": ["task-a/0", "task-b/3"]}, {0, 3}),
        ({"task": "task-b", "item": "task-a/0"}, set()),
        ({"nobody has": "this"}, set()),
    ],
    ids=str,
)
async def test_a_search_finds_only_what_passes_its_filters(
    store: Store, space: Space, where: dict[str, JsonValue], found: set[int]
) -> None:
    await store.write(
        [
            stored_item(index=0, space=space, lang="en", year=2020),
            stored_item(index=1, space=space, lang="en", year=2021, topics=["sea", "sun"]),
            stored_item(index=2, space=space, lang="de", year=2020, deep={"lang": "en"}),
            stored_item("task-b", 3, space=space, public=True),
        ]
    )
    hits = await store.search(space, unit_vector(0), limit=10, where=where)
    assert {int(hit.item.rpartition("/")[2]) for hit in hits} == found


async def test_a_search_may_have_as_many_conditions_as_a_caller_may_give(
    store: Store, space: Space
) -> None:
    many: dict[str, JsonValue] = {f"key {at}": f"value {at}" for at in range(MOST_CONDITIONS)}
    await store.write(
        [stored_item(index=0, space=space), stored_item(index=1, space=space, **many)]
    )
    hits = await store.search(space, unit_vector(0), limit=10, where=many)
    assert [hit.item for hit in hits] == ["task-a/1"]


async def test_a_vector_of_another_length_cannot_be_searched(store: Store, space: Space) -> None:
    await store.write([stored_item(space=space)])
    with pytest.raises(InvalidRequest, match="vector"):
        await store.search(space, unit_vector(0, 4), limit=3, where={})


async def test_where_nobody_wrote_nothing_is_found(store: Store, space: Space) -> None:
    assert await store.search(space, unit_vector(0), limit=3, where={}) == []
    assert await _results(store, space) == {}
    assert await store.delete_task(space, "task-a") == 0
    await store.write([stored_item(space=space)])
    for change in ({"tenant": "nobody"}, {"fingerprint": "f9"}):
        elsewhere = space.model_copy(update=change)
        assert await store.search(elsewhere, unit_vector(0), limit=3, where={}) == []


async def test_nothing_to_write_is_no_error(store: Store) -> None:
    assert await store.write([]) == []


async def test_a_store_that_is_there_answers_its_ping(store: Store) -> None:
    assert await store.ping()


def _chunk(
    task_id: str, index: int, space: Space, *, at_ms: int, document: str = "d"
) -> StoredItem:
    own_id = f"{document}/{index}"
    item = stored_item(task_id, index, space=space, own_id=own_id, submitted_ms=at_ms, text=own_id)
    place = Place(page=index + 1, headings=["H", "é"], start=2, end=9)
    return replace(item, place=place, document_id=document, filename="a.pdf", tokens=7)


async def test_a_hit_says_where_in_its_document_a_chunk_stands(store: Store, space: Space) -> None:
    chunk = _chunk("task-a", 3, space, at_ms=1)
    assert await store.write([chunk, stored_item("task-b", 1, space=space)]) == [None, None]
    (hit,) = await store.search(space, chunk.vector, limit=5, where={"document_id": "d"})
    assert (hit.document_id, hit.filename, hit.place) == ("d", "a.pdf", chunk.place)
    (other,) = await store.search(space, chunk.vector, limit=5, where={"task": "task-b"})
    assert (other.document_id, other.filename, other.place) == (None, None, None)
    found = await _results(store, space)
    assert found[3].place == chunk.place


async def test_what_stands_of_some_chunks_is_told_with_text_and_vector(
    store: Store, space: Space
) -> None:
    chunks = [_chunk("task-a", index, space, at_ms=1) for index in range(3)]
    await store.write(chunks[:2])
    ids = [chunk.object_id for chunk in chunks]
    assert await store.standing(space, ids) == frozenset(ids[:2])
    held = await store.chunks(space, ids)
    assert set(held) == set(ids[:2])
    one = held[ids[1]]
    assert (one.text, one.tokens, one.truncated) == ("d/1", 7, False)
    np.testing.assert_array_equal(one.vector, chunks[1].vector)


async def test_nothing_stands_where_nobody_wrote(store: Store, space: Space) -> None:
    ids = [_chunk("task-a", 0, space, at_ms=1).object_id]
    assert await store.standing(space, ids) == frozenset()
    assert await store.chunks(space, ids) == {}
    assert await store.delete_outdated(space, "d", submitted_ms=9, task_id="task-a") == 0


async def test_only_chunks_of_earlier_tasks_on_this_document_are_outdated(
    store: Store, space: Space
) -> None:
    kept = [
        _chunk("mine", 0, space, at_ms=5),
        _chunk("later", 1, space, at_ms=6),
        _chunk("other", 2, space, at_ms=1, document="e"),
        stored_item("texts", 3, space=space, submitted_ms=1),
    ]
    gone = [_chunk("early", 4, space, at_ms=4), _chunk("older", 5, space, at_ms=1)]
    await store.write([*kept, *gone])
    assert await store.delete_outdated(space, "d", submitted_ms=5, task_id="mine") == 2
    ids = [item.object_id for item in [*kept, *gone]]
    assert await store.standing(space, ids) == frozenset(ids[:4])
    assert await store.delete_outdated(space, "d", submitted_ms=5, task_id="mine") == 0
