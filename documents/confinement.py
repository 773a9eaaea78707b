"""What a process that reads strangers' files may still do: little, and not for long (Linux)."""

import ctypes
import math
import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

MB = 1_000_000
OPEN_FILES = 64
#: A document may take so much more time of a CPU than its limit, should nobody end it.
SPARE_CPU_S = 5
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC
_FORBIDDEN = (
    "socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork",
    "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate",
    "os.chmod", "os.chown", "shutil.", "tempfile.", "ftplib.", "http.", "urllib.", "smtplib.",
)  # fmt: skip


class Forbidden(PermissionError):
    """A parser tried to write a file, to reach the network or to start a process."""


def confine(memory_mb: int) -> None:
    """Take from this process all it does not need, for ever.

    It may have `memory_mb` more address space than now, reads files and writes none, and dies
    with its parent: a signal to the whole group means the service, which ends its readers itself.
    """
    for asked in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asked, signal.SIG_IGN)
    sys.dont_write_bytecode = True
    _volunteer_for_the_memory_killer()
    _die_with_the_parent()
    _limit(resource.RLIMIT_AS, address_space() + memory_mb * MB)
    _limit(resource.RLIMIT_NOFILE, OPEN_FILES)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    sys.addaudithook(_watch)


def limit_cpu(more_s: float) -> None:
    """Let the process use so much more CPU time from now on; then a signal ends it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = math.ceil(used.ru_utime + used.ru_stime + more_s) + SPARE_CPU_S
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = soft if hard == resource.RLIM_INFINITY else min(soft, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def address_space() -> int:
    """Bytes of address space that this process has."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return pages * resource.getpagesize()


def _limit(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (most, most))


def _volunteer_for_the_memory_killer() -> None:
    """Where the machine has no memory left, this process goes and not the service."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _die_with_the_parent() -> None:
    """The end of standard input is noticed between two documents only."""
    prctl = ctypes.CDLL(None).prctl
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    """Forbid at the door of Python what no parser has to do."""
    if event == "open":
        _, mode, flags = arguments
        writes = isinstance(mode, str) and set(mode) & set("wax+")
        if writes or (isinstance(flags, int) and flags & _WRITING):
            raise Forbidden("a parser opened a file to write")
    elif event.startswith(_FORBIDDEN):
        raise Forbidden(f"a parser called {event}")
