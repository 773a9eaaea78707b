"""Files made to do harm: each is read or refused by name, in time, and the next one is read."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from documents.reading import START_TIMEOUT_S, Readers
from models.documents import ChunkOptions, DocumentRefused, Extraction, ReadingLimits
from models.states import ItemErrorCode
from tests.contract.documents.bombs import SECRET, Canary, counting_pages, locked_pdf
from tests.contract.documents.hostile import CORPUS, Hostile

ROOT = Path(__file__).resolve().parents[3]
RUN = "runpy.run_module('tests.contract.documents.watched', run_name='__main__')"
WATCHED = (
    sys.executable,
    "-c",
    f"import sys, runpy; sys.path.insert(0, {str(ROOT)!r}); {RUN}",
)
LIMITS = ReadingLimits(
    max_pages=2000,
    max_chunks=20_000,
    max_chars=8_000_000,
    max_unpacked_bytes=50_000_000,
    max_entries=5000,
    timeout_s=10,
    memory_mb=512,
)
#: A file that ends its process is read once more, in a new one.
BOUND_S = 2 * (LIMITS.timeout_s + START_TIMEOUT_S)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hits() -> AsyncIterator[list[str]]:
    """Who came to the canary's door: its first entry is the door itself."""
    came: list[str] = []

    def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append("somebody")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    came.append(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/canary")
    yield came
    server.close()
    await server.wait_closed()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def readers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Readers]:
    pool = Readers(1, LIMITS, WATCHED)
    yield pool
    await pool.close()


async def read(readers: Readers, content: bytes, ending: str = "") -> Extraction:
    return await readers.read(
        content,
        filename=f"../../outside.{ending}",
        tokenizer=None,
        options=ChunkOptions(tokens=400),
        progress=lambda done, total: None,
    )


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", CORPUS)
async def test_a_hostile_file_is_read_or_refused_and_the_next_is_read(
    name: str,
    readers: Readers,
    hits: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    canary_file = tmp_path / "canary"
    canary_file.write_text(SECRET)
    monkeypatch.chdir(tmp_path)
    hostile = CORPUS[name]
    content = hostile.make(Canary(str(canary_file), hits[0]))
    found: Extraction | ItemErrorCode
    message = ""
    try:
        async with asyncio.timeout(BOUND_S):
            found = await read(readers, content, hostile.ending)
    except DocumentRefused as refused:
        found, message = refused.code, refused.message
    _check(found, message, hostile)
    assert os.listdir() == ["canary"]  # noqa: PTH208  (the names, of the folder it runs in)
    assert len(hits) == 1
    [(_, chunk)] = (await read(readers, b"next")).chunks()
    assert chunk.text == "next"


@pytest.mark.asyncio(loop_scope="module")
async def test_a_pdf_without_pages_is_not_said_to_have_the_password_of_the_one_before(
    readers: Readers,
) -> None:
    codes = []
    for content in (locked_pdf(), counting_pages(2_147_483_647), locked_pdf(), counting_pages(0)):
        with pytest.raises(DocumentRefused) as refused:
            await read(readers, content)
        codes.append(refused.value.code)
    encrypted, unreadable = ItemErrorCode.DOCUMENT_ENCRYPTED, ItemErrorCode.DOCUMENT_UNREADABLE
    assert codes == [encrypted, unreadable, encrypted, unreadable]


def _check(found: Extraction | ItemErrorCode, message: str, hostile: Hostile) -> None:
    if isinstance(found, Extraction):
        told = " ".join(chunk.text for _, chunk in found.chunks())
        assert hostile.text is not None, f"read: {told[:200]}"
        assert hostile.text in told
        assert SECRET not in told
    else:
        assert found in hostile.codes, message
        assert hostile.ends_process or "ended the process" not in message
        assert "Forbidden" not in message
        assert SECRET not in message
        assert "outside" not in message


def test_the_corpus_is_large_enough() -> None:
    assert len(CORPUS) >= 40
