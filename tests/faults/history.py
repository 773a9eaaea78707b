"""What clients tried and what they were told, as JSON lines (Jepsen's idea of a history)."""

import threading
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict


class Op(StrEnum):
    """What a client does."""

    SUBMIT = "submit"
    READ = "read"
    CANCEL = "cancel"


class Phase(StrEnum):
    """Where an operation stands, as its client sees it."""

    INVOKE = "invoke"
    OK = "ok"
    FAIL = "fail"
    """It was refused: it did not happen."""
    UNKNOWN = "unknown"
    """No answer, or one that says nothing: it may have happened."""


class Note(BaseModel):
    """One line: an operation begins, or ends. The end repeats what was asked, and its begin."""

    model_config = ConfigDict(frozen=True)

    client: str
    op: Op
    phase: Phase = Phase.INVOKE
    key: str | None = None
    task: str | None = None
    texts: int | None = None
    status: int | None = None
    state: str | None = None
    progress: float | None = None
    stored: int | None = None
    failed: int | None = None
    began_ns: int = 0
    """When the operation was begun, on the machine's monotonic clock."""
    at_ns: int = 0
    """When this line was written, likewise."""

    def ended(self, phase: Phase, **told: Any) -> Self:
        """The same operation at its end, with what was told."""
        return self.model_copy(update={"phase": phase, "began_ns": self.at_ns, **told})


class HistoryWriter:
    """Appends notes to a file, each at once on disk's side of this process."""

    def __init__(self, path: Path, clock_ns: Callable[[], int]) -> None:
        """Write to `path`, which is made anew."""
        self.path = path
        self._clock_ns = clock_ns
        self._lock = threading.Lock()
        self._lines = path.open("w", encoding="utf-8")

    def add(self, note: Note) -> Note:
        """Write a note down; gives it with its time."""
        timed = note.model_copy(update={"at_ns": self._clock_ns()})
        line = timed.model_dump_json(exclude_defaults=True) + "\n"
        with self._lock:
            self._lines.write(line)
            self._lines.flush()
        return timed

    def close(self) -> None:
        """Close the file."""
        self._lines.close()


def read_history(path: Path) -> list[Note]:
    """Read every note, in the order they were written."""
    with path.open(encoding="utf-8") as lines:
        return [Note.model_validate_json(line) for line in lines]


def ends(history: Iterable[Note], op: Op, phase: Phase) -> Iterable[Note]:
    """The notes of one kind of operation in one phase."""
    return (note for note in history if note.op is op and note.phase is phase)
