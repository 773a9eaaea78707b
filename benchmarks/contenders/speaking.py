"""The line protocol, as a contender's process speaks it: JSON in on stdin, JSON out on stdout.

The first line out says that the contender is loaded; then each line in is answered by one line.
The end of stdin ends the process. Texts and vectors travel as files, outside of what is timed.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from models.vectors import Vector


class Assignment(BaseModel):
    """What a contender is started with: its only argument, as JSON."""

    model_config = ConfigDict(frozen=True)

    folder: Path = Field(description="The model's folder.")
    max_tokens: int = Field(description="Longer texts are cut to so many tokens.")
    threads: int = Field(description="Threads it may compute with.")
    settings: dict[str, str] = Field(default_factory=dict)


class Wanted(BaseModel):
    """One question: encode these texts."""

    model_config = ConfigDict(frozen=True)

    texts: Path = Field(description="A JSON list.")
    vectors: Path | None = Field(default=None, description="Where `(n, dim) float32` is put.")
    settings: dict[str, int] = Field(default_factory=dict)


class Told(BaseModel):
    """One answer; `error` says why there is none."""

    model_config = ConfigDict(frozen=True)

    seconds: float = 0.0
    facts: dict[str, float | str] = Field(default_factory=dict)
    error: str = ""


#: Texts and settings to vectors, and facts about how they were made.
Encode = Callable[[list[str], dict[str, int]], tuple[Vector, dict[str, float | str]]]
Answer = Callable[[bytes], Told]


def assignment() -> Assignment:
    """Read what this process was started with."""
    return Assignment.model_validate_json(sys.argv[1])


def serve(load: Callable[[Assignment], Answer]) -> None:
    """Load, then answer until stdin ends. What libraries print goes to stderr."""
    out = _own_stdout()
    began_s = time.perf_counter()
    try:
        answer = load(assignment())
    except Exception as error:  # noqa: BLE001  # the other side says that it cannot be measured
        _say(out, Told(error=_line(error)))
        return
    _say(out, Told(seconds=time.perf_counter() - began_s))
    for line in sys.stdin.buffer:
        _say(out, _answered(answer, line))


def serve_encoder(load: Callable[[Assignment], Encode]) -> None:
    """Serve a contender whose every question is texts to encode; only encoding is timed."""

    def loaded(given: Assignment) -> Answer:
        encode = load(given)
        return lambda line: _encoded(encode, Wanted.model_validate_json(line))

    serve(loaded)


def _encoded(encode: Encode, wanted: Wanted) -> Told:
    texts = json.loads(wanted.texts.read_bytes())
    began_s = time.perf_counter()
    vectors, facts = encode(texts, wanted.settings)
    seconds = time.perf_counter() - began_s
    if wanted.vectors is not None:
        np.save(wanted.vectors, np.asarray(vectors, dtype=np.float32))
    return Told(seconds=seconds, facts=facts)


def _answered(answer: Answer, line: bytes) -> Told:
    try:
        return answer(line)
    except Exception as error:  # noqa: BLE001  # likewise
        return Told(error=_line(error))


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _own_stdout() -> TextIO:
    """Keep stdout for answers alone, whoever prints in this process."""
    own = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return own


def _say(out: TextIO, told: Told) -> None:
    out.write(told.model_dump_json() + "\n")
    out.flush()
