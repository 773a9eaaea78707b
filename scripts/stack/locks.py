"""File locks between processes: the kernel frees them when their holder dies."""

import fcntl
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from scripts.stack.progress import Say


@contextmanager
def file_lock(path: Path, *, waiting_for: str, say: Say) -> Generator[None, None, None]:
    """Holds `path` alone while the block runs; says so once if another process has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting: another process is at work on {waiting_for}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
