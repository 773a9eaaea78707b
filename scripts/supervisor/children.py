"""The worker as a child process: in a session of its own, and never left behind."""

import asyncio
import ctypes
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Command:
    """What to start, where, and with which environment (None: this process's own)."""

    arguments: Sequence[str]
    folder: Path
    environ: Mapping[str, str] | None = None


async def start_child(command: Command) -> Process:
    """Start it.

    A session of its own, because a Ctrl-C goes to everything in the terminal's foreground: the
    child must hear of it once, from its supervisor. To be called from the main thread, whose
    death is the parent's death to Linux.
    """
    return await asyncio.create_subprocess_exec(
        *command.arguments,
        cwd=command.folder,
        env=command.environ,
        stdin=asyncio.subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=_tie_to_this_process(),
    )


def _tie_to_this_process() -> Callable[[], None] | None:
    """What makes Linux send the child SIGTERM when its parent dies; None where that is unknown."""
    if sys.platform != "linux":
        return None
    try:
        prctl = ctypes.CDLL(None).prctl
    except (OSError, AttributeError):
        return None
    parent = os.getpid()

    def tie() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
        if os.getppid() != parent:  # it died before this line
            os._exit(1)

    return tie


def ask_to_end(child: Process) -> None:
    """Let the child finish what it has in hand."""
    with suppress(ProcessLookupError):
        child.terminate()


def kill_with_offspring(child: Process) -> None:
    """End the child and whatever it started, at once."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
