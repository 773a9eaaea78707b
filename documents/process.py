"""One process that reads documents, as its parent sees it: an order in, an answer out."""

import asyncio
import json
import re
import signal
from asyncio import StreamReader, StreamWriter, Task
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from pydantic import Base64Bytes, BaseModel, ConfigDict

from models.documents import Extraction, ReadingLimits
from models.states import ItemErrorCode

#: Of a text's character, in an answer: escaped it takes six bytes at most.
BYTES_PER_CHAR = 6
#: Places and names beside the texts, of ten thousand chunks.
SPARE_ANSWER_BYTES = 64_000_000
#: A document is written to its process in steps; a pipe's buffer would copy the rest each time.
STEP_BYTES = 1 << 20
#: How long a process that closed its answers may take to end.
LINGER_S = 5.0
#: Of what it printed, the end is kept: it says why it died, before a long list of calls.
LAST_WORDS_BYTES = 65_536
_NO_MEMORY = re.compile(rb"memory allocation of \d+ bytes failed|MemoryError|bad_alloc", re.ASCII)
#: How libraries end that get no memory and cannot say so; the last is the machine's own way.
_OF_MEMORY_PERHAPS = {signal.SIGABRT, signal.SIGTRAP, signal.SIGILL, signal.SIGKILL}

Progress = Callable[[int, int | None], None]


class Refusal(BaseModel):
    """Why a document is not read, as the process says it."""

    model_config = ConfigDict(frozen=True)

    code: ItemErrorCode
    message: str


class Picture(BaseModel):
    """An image as its model wants it, as the process says it."""

    model_config = ConfigDict(frozen=True)

    height: int
    width: int
    data: Base64Bytes


class Answer(BaseModel):
    """A line from the process."""

    model_config = ConfigDict(frozen=True)

    ready: bool = False
    number: int | None = None
    """Of the order that it is the last answer to."""
    pages_done: int | None = None
    pages: int | None = None
    extraction: Extraction | None = None
    picture: Picture | None = None
    refused: Refusal | None = None
    worn: bool = False
    """The process had better be replaced."""
    out_of_memory: bool = False
    """It refused for want of memory, which documents before this one may have taken."""

    @property
    def is_last(self) -> bool:
        """Whether it says what became of the document."""
        return (self.extraction or self.picture or self.refused) is not None


class ProcessEnded(Exception):
    """The process is gone or speaks no sense; the message says how, for a person."""

    def __init__(self, how: str, *, out_of_memory: bool = False, out_of_time: bool = False) -> None:
        """Say `how` it ended, and of which of its limits it died, if it did."""
        super().__init__(how)
        self.out_of_memory = out_of_memory
        self.out_of_time = out_of_time


class ReaderProcess:
    """A started process. It must be ended."""

    def __init__(self, process: Process, orders: StreamWriter, answers: StreamReader) -> None:
        """Take a started process and its pipes; `start` is what makes one."""
        self.documents = 0
        """How many it was given."""
        self._process = process
        self._orders = orders
        self._answers = answers
        self._last_words = bytearray()
        self._listening: Task[None] | None = None

    @classmethod
    async def start(
        cls, command: Sequence[str], limits: ReadingLimits, timeout_s: float
    ) -> "ReaderProcess":
        """Start one and wait until it can read. Raises ProcessEnded, TimeoutError, OSError."""
        longest = limits.max_chars * BYTES_PER_CHAR + SPARE_ANSWER_BYTES
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, limit=longest
        )
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise RuntimeError("a process without pipes. This is a bug.")
        made = cls(process, process.stdin, process.stdout)
        made._listening = asyncio.create_task(made._listen(process.stderr))
        try:
            async with asyncio.timeout(timeout_s):
                await made._write(limits.model_dump_json().encode() + b"\n")
                await made._answer()
        except BaseException:
            await made.end()
            raise
        return made

    @property
    def lives(self) -> bool:
        """Whether it has not ended, as far as is known."""
        return self._process.returncode is None

    async def ask(self, order: dict[str, Any], content: bytes, progress: Progress) -> Answer:
        """Have a document read, and give the last answer. Raises ProcessEnded."""
        self.documents += 1
        numbered = {**order, "number": self.documents}
        await self._write(json.dumps(numbered).encode() + b"\n")
        await self._write(content)
        while True:
            answer = await self._answer()
            if answer.is_last:
                if answer.number == self.documents:
                    return answer
                await self.end()
                raise ProcessEnded("it answered another order")
            if answer.pages_done is not None:
                progress(answer.pages_done, answer.pages)

    async def end(self) -> None:
        """Kill it, if it still lives, and wait until it is gone."""
        with suppress(ProcessLookupError):
            self._process.kill()
        self._orders.close()
        if self._listening is not None:
            self._listening.cancel()
        await self._process.wait()

    async def _write(self, data: bytes) -> None:
        """Write it all, or as much as is wanted: the answers say why it was no more."""
        rest = memoryview(data)
        with suppress(ConnectionError):
            for at in range(0, len(rest), STEP_BYTES):
                self._orders.write(rest[at : at + STEP_BYTES])
                await self._orders.drain()

    async def _answer(self) -> Answer:
        try:
            line = await self._answers.readline()
            if line.endswith(b"\n"):
                return Answer.model_validate_json(line)
        except ConnectionError:
            pass
        except ValueError as error:  # a line without end, or no answer at all
            await self.end()
            raise ProcessEnded("it answered with what is no answer") from error
        raise await self._ended()

    async def _listen(self, errors: StreamReader) -> None:
        """Keep the end of what it prints: it may quote the document, so it is never shown."""
        while data := await errors.read(LAST_WORDS_BYTES):
            self._last_words = (self._last_words + data)[-LAST_WORDS_BYTES:]

    async def _ended(self) -> ProcessEnded:
        """Say how the process ended, which closed its answers."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                await self._process.wait()
                if self._listening is not None:
                    await asyncio.wait({self._listening})
        lives = self.lives
        await self.end()
        if lives:
            return ProcessEnded("it stopped answering")
        return how_it_ended(self._process.returncode or 0, bytes(self._last_words))


def how_it_ended(code: int, last_words: bytes) -> ProcessEnded:
    """Read an exit code, below zero a signal, and what was printed last."""
    out_of_memory = _NO_MEMORY.search(last_words) is not None
    if code >= 0:
        return ProcessEnded(f"it left with exit code {code}", out_of_memory=out_of_memory)
    how = f"it was ended by signal {-code} ({_signal_name(-code)})"
    if -code in _OF_MEMORY_PERHAPS:
        how += ", perhaps for want of memory (setting document.memory_mb)"
    return ProcessEnded(how, out_of_memory=out_of_memory, out_of_time=-code == signal.SIGXCPU)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
