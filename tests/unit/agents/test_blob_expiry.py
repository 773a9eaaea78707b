"""Blob expiry: old blobs go, but not those of tasks that are not finished."""

from collections.abc import Callable

import pytest

from agents.blob_expiry import HOUR_MS, BlobExpiry
from models.blob_refs import BlobRef
from models.documents import ChunkOptions
from models.states import TaskState
from models.units import DocumentFacts, ImageFacts
from tests.unit.agents.fakes import Tables
from tests.unit.models.making import NOW_MS, final_row, row
from tests.unit.streams.fakes import FakeClock

REF, OTHER = BlobRef.of(b"a"), BlobRef.of(b"b")


class Blobs:
    def __init__(self) -> None:
        self.older_than_ms = 0
        self.kept: list[str] = []
        self.touched: list[BlobRef] = []

    async def sweep(self, older_than_ms: int, keep: Callable[[str], bool]) -> int:
        self.older_than_ms = older_than_ms
        self.kept = [ref.sha256 for ref in (REF, OTHER) if keep(ref.sha256)]
        return 2 - len(self.kept)

    async def touch(self, ref: BlobRef) -> None:
        self.touched.append(ref)


def facts(ref: BlobRef | None) -> DocumentFacts:
    return DocumentFacts(blob=None if ref is None else str(ref), chunks=ChunkOptions(tokens=8))


@pytest.mark.parametrize("state", [TaskState.PENDING, TaskState.COMPLETED])
async def test_a_blob_is_kept_for_an_unfinished_task_however_old(state: TaskState) -> None:
    tables, blobs = Tables(), Blobs()
    unfinished = state is TaskState.PENDING
    task = row(document=facts(REF)) if unfinished else final_row(document=facts(REF))
    await tables.hold(task, row(task_id="b", document=facts(None)), row(task_id="c"))
    expiry = BlobExpiry(tables.rows, blobs, keep_hours=3, clock=FakeClock())
    assert await expiry.look() == (1 if unfinished else 2)
    assert blobs.kept == ([REF.sha256] if unfinished else [])
    assert blobs.older_than_ms == NOW_MS - 3 * HOUR_MS


async def test_blobs_of_images_are_kept_too_and_old_ones_made_young_for_other_masters() -> None:
    tables, blobs = Tables(), Blobs()
    images = [ImageFacts(blob=str(REF)), ImageFacts(url="https://x/"), ImageFacts(blob=str(OTHER))]
    document = DocumentFacts(images=images, chunks=ChunkOptions(tokens=8))
    await tables.hold(row(document=document, submitted_ms=NOW_MS - 2 * HOUR_MS))
    expiry = BlobExpiry(tables.rows, blobs, keep_hours=3, clock=FakeClock())
    assert await expiry.look() == 0
    assert (blobs.kept, blobs.touched) == ([REF.sha256, OTHER.sha256], [REF, OTHER])


async def test_a_master_that_has_not_loaded_its_rows_removes_nothing() -> None:
    tables, blobs = Tables(), Blobs()
    assert await BlobExpiry(tables.rows, blobs, keep_hours=3, clock=FakeClock()).look() == 0
    assert blobs.older_than_ms == 0
