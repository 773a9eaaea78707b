"""What stands of a document: chunks by their text, tasks by their rank."""

from models.documents import Chunk, Place
from models.manifests import (
    KeptChunk,
    Manifest,
    Rank,
    chunk_keys,
    document_key,
    is_outdated,
    reading_of,
)

MANIFEST = Manifest(submitted_ms=5, task_id="b", chunks=["x", "y"], standing=["x"])


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
