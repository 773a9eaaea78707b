"""One contract for blobs in memory and in a folder of real files."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from time import time

import pytest

from models.blob_refs import BlobRef
from stores.blob_calls import BlobOptions
from stores.blob_errors import BlobDamaged, BlobGone, BlobTooLarge
from stores.blob_sweep import DELETES
from stores.blobs import PART_BYTES, Blobs

#: Far above what anything here may take on a slow machine.
HANG_S = 60.0
LATER_MS = 3_600_000


def now_ms() -> int:
    return int(time() * 1000)


def nobody(_: str) -> bool:
    return False


async def pieces(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        await asyncio.sleep(0)
        yield chunk


@pytest.fixture(params=["memory", "folder"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    url = "memory:///" if request.param == "memory" else (tmp_path / "store").as_uri()
    return Blobs(BlobOptions(url=url))


@pytest.mark.parametrize("size", [0, 1, 1_000, 3_000_000])
async def test_what_was_put_is_read_back(blobs: Blobs, size: int) -> None:
    content = os.urandom(size)
    ref = await blobs.put(content)
    assert ref == BlobRef.of(content)
    assert await blobs.get(ref) == content


@pytest.mark.parametrize("parts", [0, 1, 3])
async def test_a_stream_is_kept_under_the_hash_of_the_whole(blobs: Blobs, parts: int) -> None:
    chunks = [os.urandom(PART_BYTES // 2 + 1)] * parts
    ref = await blobs.put_stream(pieces(*chunks), max_bytes=PART_BYTES * 4)
    assert ref == BlobRef.of(b"".join(chunks))
    assert await blobs.get(ref) == b"".join(chunks)
    assert await blobs.sweep(now_ms() + LATER_MS, lambda _: True) == 0, "nothing else is left"


async def test_a_stream_of_exactly_the_limit_is_kept(blobs: Blobs) -> None:
    ref = await blobs.put_stream(pieces(b"ab", b"cd"), max_bytes=4)
    assert await blobs.get(ref) == b"abcd"


@pytest.mark.parametrize("size", [5, PART_BYTES * 2])
async def test_a_stream_over_its_limit_leaves_nothing_behind(blobs: Blobs, size: int) -> None:
    with pytest.raises(BlobTooLarge, match=f"limit of {size - 1} bytes"):
        await blobs.put_stream(pieces(b"x" * (size - 1), b"x"), max_bytes=size - 1)
    assert await blobs.sweep(now_ms() + LATER_MS, nobody) == 0


async def test_a_stream_that_breaks_leaves_nothing_behind(blobs: Blobs) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * PART_BYTES
        yield b"x" * PART_BYTES
        raise ConnectionResetError("the client left")

    with pytest.raises(ConnectionResetError, match="the client left"):
        await blobs.put_stream(broken(), max_bytes=PART_BYTES * 4)
    assert await blobs.sweep(now_ms() + LATER_MS, nobody) == 0


async def test_a_cancelled_stream_leaves_nothing_behind_and_no_task_running(blobs: Blobs) -> None:
    reached = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"x" * PART_BYTES * 2
        reached.set()
        await asyncio.Event().wait()

    running = asyncio.create_task(blobs.put_stream(endless(), max_bytes=PART_BYTES * 4))
    async with asyncio.timeout(HANG_S):
        await reached.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await blobs.sweep(now_ms() + LATER_MS, nobody) == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_fifty_writers_of_the_same_content_keep_one_blob(blobs: Blobs) -> None:
    content = os.urandom(200_000)
    putting = [blobs.put(content) for _ in range(25)]
    streaming = [blobs.put_stream(pieces(content), max_bytes=len(content)) for _ in range(25)]
    refs = await asyncio.gather(*putting, *streaming)
    assert set(refs) == {BlobRef.of(content)}
    assert await blobs.get(refs[0]) == content
    assert await blobs.sweep(now_ms() + LATER_MS, nobody) == 1


async def test_readers_beside_writers_of_the_same_blob_always_see_it_whole(blobs: Blobs) -> None:
    content = os.urandom(500_000)
    ref = await blobs.put(content)
    work = [blobs.get(ref) if at % 2 else blobs.put(content) for at in range(40)]
    answers = await asyncio.gather(*work)
    assert {bytes(one) for one in answers if isinstance(one, bytes)} == {content}


async def test_a_missing_blob_is_gone(blobs: Blobs) -> None:
    ref = BlobRef.of(b"never written")
    with pytest.raises(BlobGone, match=ref.sha256):
        await blobs.get(ref)
    await blobs.delete(ref)


async def test_a_deleted_blob_is_gone(blobs: Blobs) -> None:
    ref = await blobs.put(b"content")
    await blobs.delete(ref)
    with pytest.raises(BlobGone):
        await blobs.get(ref)


async def test_a_reference_with_another_size_is_damaged(blobs: Blobs) -> None:
    ref = await blobs.put(b"content")
    with pytest.raises(BlobDamaged, match="7 bytes"):
        await blobs.get(BlobRef(ref.sha256, 6))


async def test_old_blobs_that_nobody_wants_are_swept(blobs: Blobs) -> None:
    wanted, other = await blobs.put(b"wanted"), await blobs.put(b"other")
    after_ms = now_ms() + LATER_MS
    assert await blobs.sweep(after_ms, lambda sha256: sha256 == wanted.sha256) == 1
    assert await blobs.get(wanted) == b"wanted"
    with pytest.raises(BlobGone):
        await blobs.get(other)


async def test_young_blobs_are_not_swept(blobs: Blobs) -> None:
    ref = await blobs.put(b"young")
    assert await blobs.sweep(now_ms() - LATER_MS, nobody) == 0
    assert await blobs.get(ref) == b"young"


@pytest.mark.parametrize("way", ["put", "streamed", "touched"])
async def test_writing_a_blob_again_makes_it_young(blobs: Blobs, way: str) -> None:
    ref = await blobs.put(b"content")
    await asyncio.sleep(0.02)
    between_ms = now_ms()
    await asyncio.sleep(0.02)
    if way == "streamed":
        await blobs.put_stream(pieces(b"content"), max_bytes=100)
    elif way == "put":
        await blobs.put(b"content")
    else:
        await blobs.touch(ref)
    assert await blobs.sweep(between_ms, nobody) == 0
    assert await blobs.get(ref) == b"content"


async def test_reading_a_blob_does_not_make_it_young(blobs: Blobs) -> None:
    ref = await blobs.put(b"content")
    await asyncio.sleep(0.02)
    between_ms = now_ms()
    await blobs.get(ref)
    assert await blobs.sweep(between_ms, nobody) == 1


async def test_a_blob_that_is_wanted_while_the_sweep_runs_stays(blobs: Blobs) -> None:
    ref = await blobs.put(b"content")
    answers = iter([False, True])  # wanted from the second question on
    assert await blobs.sweep(now_ms() + LATER_MS, lambda _: next(answers)) == 0
    assert await blobs.get(ref) == b"content"


async def test_a_sweep_is_bounded_and_goes_on_where_it_stopped(blobs: Blobs) -> None:
    for first in range(0, DELETES + 200, 100):
        await asyncio.gather(*(blobs.put(str(first + at).encode()) for at in range(100)))
    after_ms = now_ms() + LATER_MS
    assert await blobs.sweep(after_ms, nobody) == DELETES
    assert await blobs.sweep(after_ms, nobody) == 200
    assert await blobs.sweep(after_ms, nobody) == 0


async def test_a_store_that_works_says_so(blobs: Blobs) -> None:
    assert await blobs.ping()
    assert await blobs.sweep(now_ms() + LATER_MS, nobody) == 0
    await blobs.close()
