"""Documents a second: the parser alone, in its child process, and through the whole service."""

import asyncio
import time
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

import orjson

from benchmarks.bench import Bench, Contender, rounds_of
from benchmarks.contenders.model import default_assignment
from benchmarks.document_files import KINDS
from benchmarks.figures import Round, Section, Series, ratios
from benchmarks.load import Load
from benchmarks.log import Results, Unfinished, results_of
from benchmarks.services import NO_MODEL_NO_STORE, Service
from documents.extraction import extract
from documents.reading import Readers
from models.documents import ChunkOptions, ReadingLimits

NAME = "documents"
TITLE = "Documents: text and HTML of 8 KB, DOCX of the same, PDFs of 20 pages; hashing encoder"
OPTIONS = ChunkOptions(tokens=256, overlap=32)
CONNECTIONS = 16
#: What is aimed at: of the parser alone per core, and small documents through the service.
LEAST_SHARE = 0.8
LEAST_SMALL = 200.0


class Alone:
    """The parser and the chunker in one process, nothing else."""

    def __init__(self, bench: Bench, kind: str, files: list[bytes], tokenizer: Path) -> None:
        """Read `files` in the bench's other process."""
        self.name = f"{kind}: parser alone"
        self._bench, self._files, self._tokenizer = bench, files, tokenizer

    async def measure(self, number: int) -> Round:
        """Read all files."""
        del number
        loop = asyncio.get_running_loop()
        seconds = await loop.run_in_executor(
            self._bench.peer, read_alone, self._files, self._tokenizer
        )
        return Round(value=len(self._files) / seconds, seconds=seconds, work=len(self._files))


def read_alone(files: Sequence[bytes], tokenizer: Path) -> float:
    """Seconds to read all files, for another process."""
    began_s = time.perf_counter()
    for content in files:
        extract(
            content,
            "",
            tokenizer=tokenizer,
            options=OPTIONS,
            limits=ReadingLimits(),
            progress=_untold,
        )
    return time.perf_counter() - began_s


def _untold(done: int, total: int | None) -> None:
    """Progress is not what is measured."""


class InItsChild:
    """One process as the role extract has it."""

    def __init__(self, readers: Readers, kind: str, files: list[bytes], tokenizer: Path) -> None:
        """Read by `readers`, one file after the other."""
        self.name = f"{kind}: in a child process"
        self._readers, self._files, self._tokenizer = readers, files, tokenizer

    async def measure(self, number: int) -> Round:
        """Read all files."""
        del number
        began_s = time.perf_counter()
        for content in self._files:
            await self._readers.read(
                content,
                filename=None,
                tokenizer=self._tokenizer,
                options=OPTIONS,
                progress=_untold,
            )
        seconds = time.perf_counter() - began_s
        return Round(value=len(self._files) / seconds, seconds=seconds, work=len(self._files))


class Whole:
    """Document tasks over HTTP, until each is announced as completed."""

    def __init__(self, bench: Bench, service: Service, results: Results, kind: str) -> None:
        """Measure `service`, which runs every role."""
        self.name = f"{kind}: through the service"
        self._bench, self._service, self._results = bench, service, results
        self.bodies: list[bytes] = []

    async def measure(self, number: int) -> Round:
        """Submit all and wait for the last."""
        del number
        answered = await self._bench.load(
            Load(self._service.port, "/tasks/submit", self.bodies, CONNECTIONS)
        )
        found = await self._results.next(len(self.bodies))
        if wrong := [each for each in found if each.status != "completed"]:
            raise Unfinished(f"not all completed: {wrong[:3]}")
        seconds = max(each.seen_s for each in found) - answered.began_s
        return Round(value=len(found) / seconds, seconds=seconds, work=len(found))


async def measure(bench: Bench) -> Section:
    """Measure each kind of file, all three ways side by side."""
    tokenizer = default_assignment().folder / "tokenizer.json"
    section = Section(name=NAME, title=TITLE)
    readers = Readers(1, ReadingLimits())
    try:
        async with (
            bench.serving(["all"], NO_MODEL_NO_STORE) as [service],
            results_of(bench.servers, service.prefix) as results,
        ):
            for kind, (write, pages) in KINDS.items():
                count = bench.plan.documents // pages
                files = [write(number) for number in range(count)]
                whole = Whole(bench, service, results, kind)
                whole.bodies = [task_of(content) for content in files]
                ways: list[Contender] = [
                    Alone(bench, kind, files, tokenizer),
                    InItsChild(readers, kind, files, tokenizer),
                    whole,
                ]
                found = await rounds_of(bench, ways, "documents/s")
                section.series.extend(_series(kind, found))
                size = sum(map(len, files)) / count
                section.notes.append(f"{kind}: {count} files of {size:,.0f} bytes, {pages} pages")
    finally:
        await readers.close()
    return section


def task_of(content: bytes) -> bytes:
    """The body of a submit."""
    data = b64encode(content).decode()
    return orjson.dumps({"task_type": "document_vectorization", "data": data})


def _series(kind: str, found: dict[str, list[Round]]) -> list[Series]:
    alone, child, whole = (
        Series(name=name, unit="documents/s", rounds=rounds) for name, rounds in found.items()
    )
    if kind in {"text", "HTML"}:
        whole = whole.model_copy(update={"least": LEAST_SMALL})
    share = Series(
        name=f"{kind}: in a child process ÷ parser alone",
        unit="ratio",
        rounds=ratios(child, alone),
        least=LEAST_SHARE,
    )
    return [alone, child, share, whole]
