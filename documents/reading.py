"""Documents read in processes of their own, which a file may hang, break or fill.

Each process reads one document at a time and is used again while it behaves; one that ran over
its time, died or grew is replaced. What a document does to its process costs that document alone.
"""

import asyncio
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import structlog

from documents.process import Answer, ProcessEnded, Progress, ReaderProcess
from documents.refusals import out_of_memory, timed_out, unreadable
from models.documents import ChunkOptions, DocumentRefused, Extraction, ReadingLimits
from models.errors import Unavailable
from models.images import Pixels, PixelSpec

log = structlog.get_logger(__name__)

#: What is run; a test may put its own in front of it.
COMMAND = (sys.executable, "-m", "documents.child")
#: A process is replaced after so many documents, whatever it has grown to: what it leaks is more
#: often told by its size. To start one costs as much as 100 small documents or more.
RENEWED_AFTER = 10_000
#: To import what every document needs, on a machine that is busy.
START_TIMEOUT_S = 60.0

_ENDING = re.compile(r"\.([A-Za-z0-9]{1,10})$")


class ReadersUnavailable(Unavailable):
    """No process can be started, or they were closed: no document's fault. Try again later."""


class Readers:
    """A bounded pool of processes that read documents, started when they are needed."""

    def __init__(
        self, count: int, limits: ReadingLimits, command: Sequence[str] | None = None
    ) -> None:
        """Have at most `count` processes at a time; `command` None: COMMAND."""
        self._limits = limits
        self._command = tuple(command or COMMAND)
        self._turns = asyncio.Semaphore(count)
        self._idle: list[ReaderProcess] = []
        self._busy: set[ReaderProcess] = set()
        self._closed = False

    async def read(
        self,
        content: bytes,
        *,
        filename: str | None,
        tokenizer: Path | None,
        options: ChunkOptions,
        progress: Progress,
    ) -> Extraction:
        """Read a document and cut it.

        `filename` gives its ending alone; `tokenizer` None counts words; `progress` gets the
        pages done and how many there are. Raises DocumentRefused, ReadersUnavailable.
        """
        order = {
            "size": len(content),
            "ending": _ending(filename),
            "tokenizer": None if tokenizer is None else str(tokenizer),
            "options": options.model_dump(),
        }
        async with self._turns:
            return _told(await self._answer(order, content, progress))

    async def prepare(self, content: bytes, spec: PixelSpec) -> Pixels:
        """Make an image as a model wants it. Raises DocumentRefused, ReadersUnavailable."""
        order = {
            "size": len(content),
            "ending": "",
            "tokenizer": None,
            "options": ChunkOptions(tokens=1).model_dump(),
            "image": spec.model_dump(),
        }
        async with self._turns:
            return _shown(await self._answer(order, content, _untold))

    async def close(self) -> None:
        """End all processes; a document that is being read raises ReadersUnavailable."""
        self._closed = True
        ending = [*self._idle, *self._busy]
        self._idle.clear()
        for process in ending:
            await process.end()

    async def _answer(self, order: dict[str, Any], content: bytes, progress: Progress) -> Answer:
        """Have it read, a second time where the first ended the process. Raises as `read`."""
        for last in (False, True):
            process = await self._process(fresh=last)
            try:
                return await self._asked(process, order, content, progress)
            except ProcessEnded as error:
                if self._closed:
                    raise ReadersUnavailable("the readers were closed") from error
                log.warning("document_ended_its_process", how=str(error), again=not last)
                if error.out_of_time:
                    raise timed_out(self._limits.timeout_s) from error
                if error.out_of_memory and process.documents == 1:
                    raise out_of_memory(self._limits.memory_mb) from error
                if last:
                    raise unreadable(f"it ended the process that read it: {error}") from error
        raise RuntimeError("neither read nor refused. This is a bug.")

    async def _asked(
        self, process: ReaderProcess, order: dict[str, Any], content: bytes, progress: Progress
    ) -> Answer:
        """Ask one process; keep it only where it answered in time and may go on."""
        self._busy.add(process)
        keep = False
        try:
            async with asyncio.timeout(self._limits.timeout_s):
                answer = await process.ask(order, content, progress)
            used_up = answer.worn or answer.out_of_memory or process.documents >= RENEWED_AFTER
            keep = not (used_up or self._closed)
        except TimeoutError:
            raise timed_out(self._limits.timeout_s) from None
        finally:
            self._busy.discard(process)
            if keep:
                self._idle.append(process)
            else:
                await process.end()
        if answer.out_of_memory and process.documents > 1:
            raise ProcessEnded("it ran out of memory", out_of_memory=True)
        return answer

    async def _process(self, *, fresh: bool) -> ReaderProcess:
        """One that has nothing to do, or a new one. Raises ReadersUnavailable."""
        while self._idle and not fresh and not self._closed:
            process = self._idle.pop()
            if process.lives:
                return process
            await process.end()
        if self._closed:
            raise ReadersUnavailable("the readers were closed")
        try:
            return await ReaderProcess.start(self._command, self._limits, START_TIMEOUT_S)
        except (ProcessEnded, OSError) as error:  # TimeoutError is one of OSError's
            how = str(error) or f"it was not ready within {START_TIMEOUT_S:g} s"
            raise ReadersUnavailable(f"the process that reads documents: {how}") from error


def _told(answer: Answer) -> Extraction:
    """The extraction of an answer. Raises DocumentRefused."""
    if answer.refused is not None:
        raise DocumentRefused(answer.refused.code, answer.refused.message)
    if answer.extraction is None:
        raise RuntimeError("an answer without an extraction. This is a bug.")
    return answer.extraction


def _shown(answer: Answer) -> Pixels:
    """The pixels of an answer. Raises DocumentRefused."""
    if answer.refused is not None:
        raise DocumentRefused(answer.refused.code, answer.refused.message)
    if answer.picture is None:
        raise RuntimeError("an answer without a picture. This is a bug.")
    return Pixels(answer.picture.height, answer.picture.width, answer.picture.data)


def _untold(done: int, total: int | None) -> None:
    """An image has no progress."""


def _ending(filename: str | None) -> str:
    """All that is read of a file's name: what stands behind its last point."""
    found = _ENDING.search((filename or "").strip())
    return found.group(1).lower() if found else ""
