"""The real process: used again while it behaves, ended when it does not; nobody else notices."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator

import orjson
import psutil
import pytest

from documents import reading
from documents.reading import Readers, ReadersUnavailable
from models.documents import ChunkOptions, DocumentRefused, Extraction, ReadingLimits
from models.states import ItemErrorCode
from tests.contract.documents.misbehaving import (
    BABBLES,
    CONFUSED,
    EATS,
    EXIT_CODE,
    EXITS,
    GROWS,
    HANGS,
    KILLS,
)
from tests.unit.documents import making

MISBEHAVING = (sys.executable, "-m", "tests.contract.documents.misbehaving")
LIMITS = ReadingLimits(timeout_s=2, memory_mb=400)


async def read(readers: Readers, content: bytes, **given: object) -> Extraction:
    named = {
        "filename": None,
        "tokenizer": None,
        "options": ChunkOptions(tokens=100),
        "progress": lambda done, total: None,
        **given,
    }
    return await readers.read(content, **named)  # type: ignore[arg-type]


async def first_chunk(readers: Readers, content: bytes, **given: object) -> str:
    extraction = await read(readers, content, **given)
    return next(chunk.text for _, chunk in extraction.chunks())


async def refusal(readers: Readers, content: bytes) -> DocumentRefused:
    with pytest.raises(DocumentRefused) as raised:
        await read(readers, content)
    return raised.value


#: Processes of this one that other tests left to those after them: the servers of the stack.
OTHERS: set[int] = set()


@pytest.fixture(autouse=True)
def others() -> None:
    OTHERS.clear()
    OTHERS.update(children())


def children() -> set[int]:
    """Those that the test started."""
    return {child.pid for child in psutil.Process().children()} - OTHERS


@pytest.fixture
async def readers() -> AsyncIterator[Readers]:
    pool = Readers(1, LIMITS, MISBEHAVING)
    yield pool
    await pool.close()
    assert children() == set()


async def test_one_process_reads_document_after_document(readers: Readers) -> None:
    assert await first_chunk(readers, b"one") == "one"
    [process] = children()
    assert await first_chunk(readers, making.pdf(["two"])) == "two"
    assert (await refusal(readers, b"")).code is ItemErrorCode.DOCUMENT_NO_TEXT
    assert await first_chunk(readers, "drei – größer".encode()) == "drei – größer"
    assert children() == {process}


async def test_the_end_of_a_name_reaches_the_process_and_nothing_else_of_it(
    readers: Readers,
) -> None:
    found = await read(readers, b"# A\n\nx", filename="../../etc/\0pass wd.MD")
    assert found.format == "markdown"
    found = await read(readers, b"# A\n\nx", filename="no ending at all")
    assert found.format == "text"


async def test_progress_is_told_now_and_then(readers: Readers) -> None:
    told: list[tuple[int, int | None]] = []
    document = making.pdf(["x"] * 35)
    await read(readers, document, progress=lambda done, total: told.append((done, total)))
    assert told == [(10, 35), (20, 35), (30, 35)]


async def test_a_hanging_process_is_ended_in_time_and_the_next_document_is_read(
    readers: Readers,
) -> None:
    await read(readers, b"started")
    start = time.monotonic()
    refused = await refusal(readers, HANGS)
    assert refused.code is ItemErrorCode.DOCUMENT_TIMEOUT
    assert "2 s (setting document.timeout_s)" in refused.message
    assert time.monotonic() - start < 4
    assert children() == set()
    assert await first_chunk(readers, b"next") == "next"


@pytest.mark.parametrize(
    "content, how",
    [(EXITS, f"exit code {EXIT_CODE}"), (KILLS, "SIGSEGV"), (BABBLES, "no answer")],
)
async def test_a_document_that_ends_its_process_is_refused_and_the_next_is_read(
    readers: Readers, content: bytes, how: str
) -> None:
    refused = await refusal(readers, content)
    assert refused.code is ItemErrorCode.DOCUMENT_UNREADABLE
    assert how in refused.message
    assert content.decode() not in refused.message
    assert await first_chunk(readers, b"next") == "next"


async def test_a_signal_to_the_whole_group_is_for_the_service_to_act_on(readers: Readers) -> None:
    await read(readers, b"one")
    [process] = children()
    for asked in (signal.SIGINT, signal.SIGTERM):
        os.kill(process, asked)
    assert await first_chunk(readers, b"two") == "two"
    assert children() == {process}


async def test_a_process_that_something_else_killed_is_no_documents_fault(
    readers: Readers,
) -> None:
    assert await first_chunk(readers, b"one") == "one"
    [process] = children()
    os.kill(process, signal.SIGKILL)
    assert await first_chunk(readers, b"two") == "two"


async def test_too_much_memory_is_refused_by_name_of_the_setting(readers: Readers) -> None:
    refused = await refusal(readers, EATS)
    assert refused.code is ItemErrorCode.DOCUMENT_TOO_LARGE
    assert "400 MB" in refused.message
    assert "document.memory_mb" in refused.message
    assert await first_chunk(readers, b"next") == "next"


async def test_a_process_that_grew_is_replaced(readers: Readers) -> None:
    await read(readers, b"one")
    before = children()
    await read(readers, GROWS)
    assert children() == set()
    await read(readers, b"two")
    assert children().isdisjoint(before)


async def test_a_process_is_replaced_after_many_documents(
    readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "RENEWED_AFTER", 2)
    await read(readers, b"one")
    [process] = children()
    await read(readers, b"two")
    assert children() == set()
    await read(readers, b"three")
    assert children() != {process}


async def test_a_caller_that_leaves_ends_the_process_that_read_for_it(readers: Readers) -> None:
    await read(readers, b"started")
    task = asyncio.create_task(read(readers, HANGS))
    await asyncio.sleep(0.2)
    assert len(children()) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert children() == set()
    assert await first_chunk(readers, b"next") == "next"


async def test_a_caller_that_leaves_during_a_start_leaves_no_process(readers: Readers) -> None:
    for pause in (0.0, 0.01, 0.1):
        task = asyncio.create_task(read(readers, HANGS))
        await asyncio.sleep(pause)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert children() == set()


async def test_no_more_processes_run_than_were_asked_for() -> None:
    pool = Readers(2, LIMITS)
    try:
        texts = [f"text {number}" for number in range(12)]
        found = await asyncio.gather(*(first_chunk(pool, text.encode()) for text in texts))
        assert found == texts
        assert len(children()) == 2
    finally:
        await pool.close()


async def test_closing_ends_what_is_read_and_blames_no_document() -> None:
    pool = Readers(1, LIMITS, MISBEHAVING)
    await read(pool, b"started")
    task = asyncio.create_task(read(pool, HANGS))
    await asyncio.sleep(0.2)
    await pool.close()
    with pytest.raises(ReadersUnavailable):
        await task
    with pytest.raises(ReadersUnavailable):
        await read(pool, b"late")
    assert children() == set()


@pytest.mark.parametrize("command", [("/no/such/program",), (sys.executable, "-c", "exit(3)")])
async def test_a_program_that_does_not_start_is_no_documents_fault(command: tuple[str]) -> None:
    pool = Readers(1, LIMITS, command)
    with pytest.raises(ReadersUnavailable):
        await read(pool, b"text")
    await pool.close()


async def test_a_file_that_its_process_has_no_room_for_is_not_taken_for_orders() -> None:
    """Else whoever sends orders in place of a document gives others a text of his own."""
    order = {"number": 2, "size": 4, "ending": "txt", "tokenizer": None}
    forged = orjson.dumps({**order, "options": {"tokens": 100}}) + b"\nevil"
    pool = Readers(1, ReadingLimits(timeout_s=20, memory_mb=64))
    try:
        refused = await refusal(pool, forged * (90_000_000 // len(forged)))
        assert refused.code is ItemErrorCode.DOCUMENT_TOO_LARGE
        assert "document.memory_mb" in refused.message
        for number in range(3):
            assert await first_chunk(pool, b"mine %d" % number) == f"mine {number}"
    finally:
        await pool.close()


async def test_an_answer_to_another_order_is_none(readers: Readers) -> None:
    refused = await refusal(readers, CONFUSED)
    assert refused.code is ItemErrorCode.DOCUMENT_UNREADABLE
    assert "answered another order" in refused.message
    assert await first_chunk(readers, b"next") == "next"


async def test_a_large_answer_arrives_whole(readers: Readers) -> None:
    text = "größer 😀 words " * 40_000
    found = await read(readers, text.encode(), options=ChunkOptions(tokens=500, overlap=100))
    assert sum(len(chunk.text) for _, chunk in found.chunks()) > len(text)


PARENT = """
import asyncio, sys
from documents.reading import Readers
from models.documents import ChunkOptions, ReadingLimits
from tests.contract.documents.misbehaving import HANGS

async def main():
    readers = Readers(1, ReadingLimits(), (sys.executable, "-m", sys.argv[1]))
    given = dict(filename=None, tokenizer=None, options=ChunkOptions(tokens=9),
                 progress=lambda done, total: None)
    await readers.read(b"one", **given)
    [process] = readers._idle
    print(process._process.pid, flush=True)
    await readers.read(HANGS, **given)

asyncio.run(main())
"""


async def test_a_process_that_reads_does_not_outlive_a_killed_parent() -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, MISBEHAVING[-1], stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    child = psutil.Process(int(await parent.stdout.readline()))
    await asyncio.sleep(0.3)
    parent.kill()
    await parent.wait()
    for _ in range(50):
        if not child.is_running() or child.status() == psutil.STATUS_ZOMBIE:
            return
        await asyncio.sleep(0.1)
    child.kill()
    raise AssertionError("it still runs")
