"""What only real files show: damage, crash leftovers, a place that cannot be written."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stores.blob_calls import BlobOptions
from stores.blob_errors import BlobDamaged, BlobsUnavailable, reason_of
from stores.blobs import Blobs

LATER_MS = 3_600_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "a store"


@pytest.fixture
def blobs(folder: Path) -> Blobs:
    return Blobs(BlobOptions(url=folder.as_uri()))


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def after_ms() -> int:
    return int(time.time() * 1000) + LATER_MS


def kill_halfway(program: str, folder: Path) -> None:
    """Start a writer, and kill it as soon as it says that it is in the middle."""
    with subprocess.Popen(
        [sys.executable, "-c", program, folder.as_uri()], stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"half\n"
        writer.send_signal(signal.SIGKILL)


async def test_a_blob_lies_under_its_hash(blobs: Blobs, folder: Path) -> None:
    ref = await blobs.put(b"content")
    assert files_in(folder) == [f"blobs/{ref.sha256[:2]}/{ref.sha256}"]


async def test_a_damaged_blob_is_told_and_mended_by_writing_it_again(
    blobs: Blobs, folder: Path
) -> None:
    ref = await blobs.put(b"content")
    (folder / files_in(folder)[0]).write_bytes(b"cOntent")
    with pytest.raises(BlobDamaged, match="another hash"):
        await blobs.get(ref)
    await blobs.put(b"content")
    assert await blobs.get(ref) == b"content"


async def test_a_blob_cut_short_by_a_power_failure_is_damaged(blobs: Blobs, folder: Path) -> None:
    ref = await blobs.put(b"content")
    (folder / files_in(folder)[0]).write_bytes(b"")
    with pytest.raises(BlobDamaged, match="0 bytes"):
        await blobs.get(ref)


async def test_a_blob_that_grew_is_not_read(blobs: Blobs, folder: Path) -> None:
    ref = await blobs.put(b"content")
    with (folder / files_in(folder)[0]).open("wb") as file:
        file.truncate(10**12)
    with pytest.raises(BlobDamaged, match="1000000000000 bytes"):
        await blobs.get(ref)


async def test_leftovers_of_a_killed_writer_are_swept_when_they_are_old(
    blobs: Blobs, folder: Path
) -> None:
    kept = await blobs.put(b"kept")
    program = (
        "import asyncio, sys\n"
        "from stores.blobs import Blobs\n"
        "from stores.blob_calls import BlobOptions\n"
        "async def chunks():\n"
        "    for _ in range(3):\n"
        "        yield b'x' * (8 << 20)\n"
        "    print('half', flush=True)\n"
        "    await asyncio.sleep(600)\n"
        "blobs = Blobs(BlobOptions(url=sys.argv[1]))\n"
        "asyncio.run(blobs.put_stream(chunks(), 1 << 30))\n"
    )
    kill_halfway(program, folder)
    left = [name for name in files_in(folder) if "incoming" in name]
    assert len(left) == 1
    assert await blobs.sweep(after_ms() - 2 * LATER_MS, lambda _: False) == 0
    assert await blobs.sweep(after_ms(), lambda sha256: sha256 == kept.sha256) == 1
    assert files_in(folder) == [f"blobs/{kept.sha256[:2]}/{kept.sha256}"]


async def test_leftovers_of_all_kinds_are_swept_and_nothing_else(
    blobs: Blobs, folder: Path
) -> None:
    ref = await blobs.put(b"content")
    shard = folder / "blobs" / ref.sha256[:2]
    stranger = folder / "blobs" / "notes" / "own#1"
    for path in (
        folder / "blobs" / "incoming" / "0123",  # written whole, never renamed
        folder / "blobs" / "incoming" / "4567#1",
        shard / f"{ref.sha256}#3",
        stranger,
    ):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"left")
    assert await blobs.sweep(after_ms(), lambda _: True) == 3
    assert files_in(folder) == sorted(
        [f"blobs/{ref.sha256[:2]}/{ref.sha256}", str(stranger.relative_to(folder))]
    )


async def test_a_file_that_appears_in_place_of_the_folder_is_unavailable(
    blobs: Blobs, folder: Path
) -> None:
    (folder / "blobs").write_text("in the way")
    with pytest.raises(BlobsUnavailable, match=r"document\.blob_url"):
        await blobs.put(b"content")
    assert not await blobs.ping()


async def test_a_call_that_takes_too_long_is_unavailable(folder: Path) -> None:
    hasty = Blobs(BlobOptions(url=folder.as_uri(), timeout_s=0.0))
    with pytest.raises(BlobsUnavailable) as caught:
        await hasty.put(os.urandom(4_000_000))
    assert caught.value.transient
    await asyncio.sleep(0.2)  # the abandoned write ends by itself
    assert [name for name in files_in(folder) if "#" in name] == []


async def test_no_file_is_written_outside_the_store(
    blobs: Blobs, folder: Path, tmp_path: Path
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"../../outside"

    await blobs.put(b"../../outside")
    await blobs.put_stream(chunks(), max_bytes=100)
    assert {name.partition("/")[0] for name in files_in(tmp_path)} == {folder.name}


@pytest.mark.parametrize(
    "url",
    ["", "store", "/var/blobs", "http://host/x", "https://host/x", "ftp://x", "s3:bucket",
     "file:relative"],
)  # fmt: skip
def test_a_url_of_no_known_store_is_refused_by_name(url: str) -> None:
    with pytest.raises(ValueError, match=r"document\.blob_url: must start with one of file://"):
        Blobs(BlobOptions(url=url))


def test_a_folder_that_cannot_be_made_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ValueError, match=r"document\.blob_url: cannot be opened"):
        Blobs(BlobOptions(url=(tmp_path / "file" / "store").as_uri()))


@pytest.mark.parametrize("prefix", ["", "..", "../x", "/x", "x/", "a//b", "a b", "a/../b", "é"])
def test_a_prefix_is_never_a_way_out(tmp_path: Path, prefix: str) -> None:
    with pytest.raises(ValueError, match="prefix"):
        Blobs(BlobOptions(url=tmp_path.as_uri(), prefix=prefix))


def test_the_url_of_a_store_is_not_printed() -> None:
    assert "secret" not in repr(BlobOptions(url="s3://user:secret@bucket"))


def test_the_reason_of_a_failure_holds_no_secret() -> None:
    error = OSError("PUT https://user:secret@host/b?sig=secret2 failed\nat secret3")
    assert reason_of(error) == "PUT https://host/b failed"


def test_two_stores_in_memory_share_nothing() -> None:
    async def both() -> None:
        first, second = (Blobs(BlobOptions(url="memory:///")) for _ in range(2))
        ref = await first.put(b"content")
        assert await first.get(ref) == b"content"
        await second.delete(ref)
        assert await first.get(ref) == b"content"

    asyncio.run(both())


async def test_a_disk_that_is_nearly_full_takes_no_blob_and_gives_those_it_has(
    blobs: Blobs, folder: Path
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"more"

    ref = await blobs.put(b"kept")
    before = files_in(folder)
    full = Blobs(BlobOptions(url=folder.as_uri(), min_free_bytes=2**62))
    with pytest.raises(BlobsUnavailable, match=r"document\.blob_min_free_bytes"):
        await full.put(b"more")
    with pytest.raises(BlobsUnavailable, match="bytes left"):
        await full.put_stream(chunks(), max_bytes=100)
    assert files_in(folder) == before
    assert await full.get(ref) == b"kept"
    await full.touch(ref)
    await full.delete(ref)
    assert files_in(folder) == []


async def test_a_disk_with_room_takes_what_comes(folder: Path) -> None:
    roomy = Blobs(BlobOptions(url=folder.as_uri(), min_free_bytes=1))
    assert await roomy.get(await roomy.put(b"content")) == b"content"
