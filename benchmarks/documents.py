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
from benchmarks.usage import CpuWatch
from documents.extraction import extract
from documents.reading import Readers
from models.documents import ChunkOptions, ReadingLimits

NAME = "documents"
TITLE = "Documents: text and HTML of 8 KB, DOCX of the same, PDFs of 20 pages; hashing encoder"
OPTIONS = ChunkOptions(tokens=256, overlap=32)
UNIT = "documents/s"
CONNECTIONS = 16
#: How the service runs: all in one process, or as it is deployed, a process a role.
SHAPES = {"one process": ["all"], "four processes": ["master", "extract", "embed", "store"]}
#: What is aimed at: of the parser alone per core, and small documents through the service.
LEAST_SHARE = 0.8
LEAST_SMALL = 200.0
SMALL = {"text", "HTML"}

#: The files of each kind.
Files = dict[str, list[bytes]]


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

    def __init__(self, bench: Bench, name: str, services: list[Service], results: Results) -> None:
        """Measure these processes, the first of which takes the tasks."""
        self.name = name
        self._bench, self._services, self._results = bench, services, results
        self.bodies: list[bytes] = []

    async def measure(self, number: int) -> Round:
        """Submit all and wait for the last."""
        del number
        watch = CpuWatch(self._bench.pids(*self._services))
        watch.start()
        answered = await self._bench.load(
            Load(self._services[0].port, "/tasks/submit", self.bodies, CONNECTIONS)
        )
        found = await self._results.next(len(self.bodies))
        if wrong := [each for each in found if each.status != "completed"]:
            raise Unfinished(f"not all completed: {wrong[:3]}")
        seconds = max(each.seen_s for each in found) - answered.began_s
        cores = watch.cores(client=answered.cpu_s)
        return Round(value=len(found) / seconds, seconds=seconds, work=len(found), cores=cores)


async def measure(bench: Bench) -> Section:
    """Measure each kind of file: read alone and in a child side by side, then served."""
    section = Section(name=NAME, title=TITLE)
    files: Files = {}
    for kind, (write, pages) in KINDS.items():
        count = bench.plan.documents // pages
        files[kind] = [write(number) for number in range(count)]
        size = sum(map(len, files[kind])) / count
        section.notes.append(f"{kind}: {count} files of {size:,.0f} bytes, {pages} pages")
    read = await _read(bench, files)
    served = [await _served(bench, shape, files) for shape in SHAPES]
    for kind in KINDS:
        section.series.extend([*read[kind], *(by_kind[kind] for by_kind in served)])
    return section


async def _read(bench: Bench, files: Files) -> dict[str, list[Series]]:
    """Read every kind alone and in a child process, and compare them round by round."""
    tokenizer = default_assignment().folder / "tokenizer.json"
    readers = Readers(1, ReadingLimits())
    series: dict[str, list[Series]] = {}
    try:
        for kind, contents in files.items():
            ways: list[Contender] = [
                Alone(bench, kind, contents, tokenizer),
                InItsChild(readers, kind, contents, tokenizer),
            ]
            series[kind] = _compared(kind, await rounds_of(bench, ways, UNIT))
    finally:
        await readers.close()
    return series


async def _served(bench: Bench, shape: str, files: Files) -> dict[str, Series]:
    """Send every kind through the service in one of its shapes."""
    series: dict[str, Series] = {}
    async with (
        bench.serving(SHAPES[shape], NO_MODEL_NO_STORE) as services,
        results_of(bench.servers, services[0].prefix) as results,
    ):
        for kind, contents in files.items():
            whole = Whole(bench, f"{kind}: through the service, {shape}", services, results)
            whole.bodies = [task_of(content) for content in contents]
            found = await rounds_of(bench, [whole], UNIT)
            series[kind] = Series(
                name=whole.name,
                unit=UNIT,
                rounds=found[whole.name],
                least=LEAST_SMALL if kind in SMALL else None,
                loop="all" if len(services) == 1 else None,
            )
    return series


def task_of(content: bytes) -> bytes:
    """The body of a submit."""
    data = b64encode(content).decode()
    return orjson.dumps({"task_type": "document_vectorization", "data": data})


def _compared(kind: str, found: dict[str, list[Round]]) -> list[Series]:
    alone, child = (Series(name=name, unit=UNIT, rounds=found[name]) for name in found)
    share = Series(
        name=f"{kind}: in a child process ÷ parser alone",
        unit="ratio",
        rounds=ratios(child, alone),
        least=LEAST_SHARE,
    )
    return [alone, child, share]
