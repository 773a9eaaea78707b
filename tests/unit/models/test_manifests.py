"""What stands of a document: chunks by their text, tasks by their rank."""

import pytest

from models.documents import Chunk, Place
from models.manifests import (
    Closing,
    KeptChunk,
    Manifest,
    Rank,
    chunk_keys,
    document_key,
    is_outdated,
    reading_of,
    what_to_close,
)

MANIFEST = Manifest(submitted_ms=5, task_id="b", reading="r1", chunks=["x", "y"], standing=["x"])


def test_a_chunk_is_named_by_its_text_wherever_it_stands() -> None:
    first = chunk_keys([Chunk(text="a"), Chunk(text="b")])
    moved = chunk_keys([Chunk(text="new"), Chunk(text="b", place=Place(page=9)), Chunk(text="a")])
    assert [moved[2], moved[1]] == first
    assert len(set(moved)) == 3


def test_equal_chunks_are_told_apart_by_their_order() -> None:
    keys = chunk_keys([Chunk(text="a"), Chunk(text="b"), Chunk(text="a")])
    assert len(set(keys)) == 3
    assert keys[0].rpartition("-")[0] == keys[2].rpartition("-")[0]


def test_a_chunk_with_half_a_surrogate_pair_has_a_name() -> None:
    assert chunk_keys([Chunk(text="\ud800")])


def test_the_task_submitted_later_has_the_document() -> None:
    assert not is_outdated(None, Rank(0, "a"))
    assert not is_outdated(MANIFEST, Rank(5, "b"))
    assert is_outdated(MANIFEST, Rank(5, "a"))
    assert is_outdated(MANIFEST, Rank(4, "z"))
    assert not is_outdated(MANIFEST, Rank(6, "a"))


def test_a_closed_manifest_lends_all_its_chunks_and_remembers_what_was_kept() -> None:
    kept = [KeptChunk(key="x", index=0, place=Place())]
    closed = MANIFEST.model_copy(update={"kept": kept}).closed()
    assert (closed.standing, closed.kept, closed.rank) == (["x", "y"], kept, MANIFEST.rank)
    assert MANIFEST.closed_by < closed.closed_by == closed.rank


#: What a later task's reading makes of a manifest that the earlier one closed.
READ_SINCE = MANIFEST.model_copy(update={"submitted_ms": 9, "task_id": "c", "reading": "r2"})
CLOSED_BEFORE = READ_SINCE.model_copy(update={"closed_ms": 5, "closed_id": "b"})


def test_a_manifest_is_newer_by_its_latest_task_and_then_by_what_was_closed() -> None:
    written = [MANIFEST, MANIFEST.closed(), CLOSED_BEFORE, CLOSED_BEFORE.closed()]
    assert sorted(written, key=lambda each: each.version) == written
    assert len({each.version for each in written}) == 4
    again = MANIFEST.model_copy(update={"reading": "r2"})
    assert again.version == MANIFEST.version


@pytest.mark.parametrize(
    "manifest, rank, expected",
    [
        (None, Rank(5, "b"), Closing.LEFT),
        (MANIFEST, Rank(6, "c"), Closing.LEFT),
        (MANIFEST, Rank(5, "b"), Closing.NOW),
        (MANIFEST.closed(), Rank(5, "b"), Closing.NOW),
        (MANIFEST.model_copy(update={"reading": "r2"}), Rank(5, "b"), Closing.ANOTHER_READING),
        (READ_SINCE, Rank(5, "b"), Closing.LEFT),
        (CLOSED_BEFORE, Rank(5, "b"), Closing.DONE),
        (CLOSED_BEFORE, Rank(7, "d"), Closing.LEFT),
        (READ_SINCE.closed(), Rank(5, "b"), Closing.SUPERSEDED),
    ],
)
def test_the_latest_task_closes_and_an_earlier_one_goes_once_a_later_one_was_closed(
    manifest: Manifest | None, rank: Rank, expected: Closing
) -> None:
    assert what_to_close(manifest, rank, "r1") is expected


def test_documents_are_told_apart_by_tenant_collection_space_and_id() -> None:
    keys = {
        document_key("t", "C", "f", "d"),
        document_key("t2", "C", "f", "d"),
        document_key("t", "C2", "f", "d"),
        document_key("t", "C", "f2", "d"),
        document_key("t", "C", "f", "d2"),
    }
    assert len(keys) == 5


def test_a_reading_is_another_one_where_other_chunks_are_kept() -> None:
    one, other = (KeptChunk(key=key, index=0, place=Place()) for key in "xy")
    readings = {reading_of("d", []), reading_of("d", [one]), reading_of("d", [other])}
    assert len(readings | {reading_of("e", [])}) == 4
