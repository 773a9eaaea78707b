"""The demo over a folder: what is taken, under which id, and what is told of it."""

from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from scripts.demo.folder import (
    LARGEST_BYTES,
    Found,
    documents_in,
    progress_of,
    reasons_of,
    task_of,
)
from scripts.demo.folder_cli import main, where_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.md", "a/x.PDF", "README", "a/.hidden/y.md", "picture.png", "empty.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"" if name.startswith("empty") else b"content")
    (tmp_path / "large.txt").write_bytes(b"x" * (LARGEST_BYTES + 1))
    (tmp_path / "gone.md").symlink_to(tmp_path / "nowhere")
    return tmp_path


def test_documents_are_taken_by_their_paths_and_nothing_else_is(folder: Path) -> None:
    assert [found.name for found in documents_in(folder, 10)] == ["README", "a/x.PDF", "b.md"]
    assert [found.name for found in documents_in(folder, 1)] == ["README"]


def test_a_documents_id_is_its_path_so_that_a_second_run_embeds_what_changed(
    folder: Path,
) -> None:
    body = task_of(Found(folder / "a/x.PDF", "a/x.PDF"), b"content", "Docs")
    assert (body["document_id"], body["filename"], body["collection"]) == (
        "a/x.PDF",
        "x.PDF",
        "Docs",
    )
    assert b64decode(body["data"]) == b"content"
    assert "collection" not in task_of(Found(folder, "a"), b"", None)


VIEWS: dict[str, dict[str, Any]] = {
    "a": {"status": "completed", "completed_items": 3, "document": {"kept_items": 1}},
    "b": {"status": "failed", "error": "no text"},
    "c": {"status": "failed", "error": "no text"},
    "d": {"status": "failed", "error": "broken"},
    "e": {"status": "processing"},
}


def test_what_is_told_adds_up() -> None:
    told = progress_of(list(VIEWS.values()), 9, 2.0)
    assert (told.files, told.done, told.failed, told.chunks, told.kept) == (9, 4, 3, 3, 1)


def test_reasons_are_told_once_each_with_an_example() -> None:
    ended = {name: view for name, view in VIEWS.items() if view["status"] != "processing"}
    assert reasons_of(ended) == [("no text", 2, "b"), ("broken", 1, "d")]


@pytest.mark.parametrize(
    "place,told",
    [
        (None, ""),
        ({"page": 3, "sheet": None, "headings": []}, "page 3"),
        ({"page": 2, "sheet": "Costs", "headings": ["A", "B"]}, "page 2 > Costs > A > B"),
    ],
)
def test_where_a_hit_stands_is_said_as_a_person_would(place: Any, told: str) -> None:
    assert where_of({"place": place}) == told


@pytest.mark.parametrize("given", ["", "/nowhere/at/all"])
def test_no_folder_is_told_as_one(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([given])
    assert "is no folder: make demo-docs DIR=" in capsys.readouterr().err
