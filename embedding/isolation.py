"""Texts and images under suspicion, encoded one by one in a child process, which may die of one.

One that ends the model's process, hangs it or eats its memory cannot be caught from within.
Here it costs a child: its own item fails with the reason, all others get their vectors.
"""

import asyncio
import base64
import json
import sys
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import structlog

from embedding import figures
from embedding.catalog import ModelEntry
from embedding.encoder import EncodedText, EncodeFailure, Outcome
from embedding.loading import LoadOptions
from embedding.pool import ModelLoadFailed
from models.encoding import EncodeOptions
from models.images import Pixels
from models.states import ItemErrorCode, Lane

log = structlog.get_logger(__name__)

#: What is run; the composition root of a test may put its own in front of it.
COMMAND = (sys.executable, "-m", "embedding.isolated")
#: The longest line that a child may answer: 65,535 dimensions in base64 are 350 KB.
LINE_BYTES = 1 << 20
#: How long a process that closed its answers may take to end.
LINGER_S = 5.0


@dataclass(frozen=True, slots=True)
class IsolationOptions:
    """What a child may take."""

    load: LoadOptions
    start_timeout_s: float = 120.0
    """To load the model; a conversion comes on top of it."""
    text_timeout_s: float = 60.0
    """For one text, tokenizing included; then the child is killed."""
    memory_mb: int = 2048
    """Beyond what the loaded model takes."""


class ChildEnded(Exception):
    """The child is gone or was killed; the message says how, for a person."""


class Isolation:
    """Encodes suspects. One child at a time; it lives for one unit."""

    def __init__(self, options: IsolationOptions, command: Sequence[str] | None = None) -> None:
        """Start nothing before it is needed; `command` None: COMMAND."""
        self._options = options
        self._command = command or COMMAND
        self._turn = asyncio.Lock()

    async def encode(
        self, lane: Lane, entry: ModelEntry, texts: Sequence[str | Pixels], options: EncodeOptions
    ) -> list[Outcome]:
        """Give one outcome a text or image, in order. Raises ModelLoadFailed."""
        async with self._turn:
            figures.ISOLATED.labels(lane).inc(len(texts))
            outcomes: list[Outcome] = []
            while len(outcomes) < len(texts):
                outcomes += await self._some(entry, texts[len(outcomes) :], options)
            return outcomes

    async def _some(
        self, entry: ModelEntry, texts: Sequence[str | Pixels], options: EncodeOptions
    ) -> list[Outcome]:
        """Encode with one child until it is done, or ends over a text, which then fails."""
        child = await self._started(entry)
        outcomes: list[Outcome] = []
        try:
            while len(outcomes) < len(texts):
                order = _order(texts[len(outcomes)], options)
                outcomes.append(_outcome(await child.ask(order, self._options.text_timeout_s)))
        except ChildEnded as error:
            log.warning("text_ended_its_process", model=entry.name, how=str(error))
            figures.POISON.inc()
            noun = "text" if isinstance(texts[len(outcomes)], str) else "image"
            message = f"this {noun} ended the process of the model: {error}"
            outcomes.append(EncodeFailure(ItemErrorCode.POISON, message))
        finally:
            await child.end()
        return outcomes

    async def _started(self, entry: ModelEntry) -> "_Child":
        """Start a child that has loaded the model. Raises ModelLoadFailed."""
        load = self._options.load
        order = {
            "entry": entry.model_dump(mode="json"),
            "cache_dir": str(load.cache_dir),
            "device": load.device,
            "threads": load.threads,
            "memory_mb": self._options.memory_mb,
        }
        child = await _Child.start(self._command)
        try:
            limit_s = self._options.start_timeout_s + load.convert_timeout_s
            told = await child.ask(order, limit_s)
            failure = told.get("error")
        except ChildEnded as error:
            failure = str(error)
        except BaseException:
            await child.end()
            raise
        if failure is not None:
            await child.end()
            raise ModelLoadFailed(
                model=entry.name, reason=f"in a process of its own: {failure}"
            ) from None
        return child


class _Child:
    """The process: an order in, an answer out."""

    def __init__(self, process: Process, orders: StreamWriter, answers: StreamReader) -> None:
        self._process = process
        self._orders = orders
        self._answers = answers

    @classmethod
    async def start(cls, command: Sequence[str]) -> "_Child":
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, limit=LINE_BYTES
        )
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a child without pipes. This is a bug.")
        return cls(process, process.stdin, process.stdout)

    async def ask(self, order: dict[str, Any], limit_s: float) -> dict[str, Any]:
        """Write an order and read its answer. Raises ChildEnded, with the child dead."""
        try:
            async with asyncio.timeout(limit_s):
                line = await self._line_for(order)
        except TimeoutError:
            await self.end()
            raise ChildEnded(f"it took longer than {limit_s:g} s") from None
        if not line.endswith(b"\n"):
            raise ChildEnded(await self._last_words())
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def _line_for(self, order: dict[str, Any]) -> bytes:
        try:
            # With ASCII escapes: a lone half of a surrogate pair passes too.
            self._orders.write(json.dumps(order).encode() + b"\n")
            await self._orders.drain()
            return await self._answers.readline()
        except ConnectionError:
            return b""

    async def _last_words(self) -> str:
        """Say how the process ended, which closed its answers."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                await self._process.wait()
        await self.end()
        code = await self._process.wait()
        return f"it was ended by signal {-code}" if code < 0 else f"it left with exit code {code}"

    async def end(self) -> None:
        """Kill it, if it still lives."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


def _order(given: str | Pixels, options: EncodeOptions) -> dict[str, Any]:
    """What the child is told of one text or image."""
    told = {"options": options.model_dump(mode="json")}
    if isinstance(given, str):
        return {**told, "text": given}
    pixels = base64.b64encode(given.data).decode("ascii")
    return {**told, "height": given.height, "width": given.width, "pixels": pixels}


def _outcome(answer: dict[str, Any]) -> Outcome:
    if "code" in answer:
        return EncodeFailure(ItemErrorCode(answer["code"]), answer["message"])
    vector = np.frombuffer(base64.b64decode(answer["vector"]), dtype="<f4").astype(np.float32)
    return EncodedText(vector, answer["tokens"], answer["truncated"])
