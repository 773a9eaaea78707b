"""Starting, recognising and ending the servers' processes.

A process is named by its pid *and* its start, so a recycled pid is never taken for ours.
"""

import os
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict

LARGEST_KEPT_LOG_BYTES = 10 * 1024 * 1024


class ProcessRef(BaseModel):
    """One process of this machine, for as long as it lives."""

    model_config = ConfigDict(frozen=True)

    pid: int
    started: str
    """The start as `boot id:clock ticks` (Linux), which no clock change and no reboot fakes."""


def spawn(command: Sequence[str], *, env: Mapping[str, str], log: Path) -> ProcessRef:
    """Starts `command` in a session of its own, so that Ctrl-C in the shell passes it by.

    What it prints is appended to `log`, which first moves aside when it is over 10 MiB.
    Raises OSError when the program cannot be started.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    _set_aside_if_large(log)
    # Not subprocess.Popen: it warns when it is dropped while its child lives on, as ours do.
    pid = os.posix_spawn(
        command[0],
        list(command),
        dict(env),
        file_actions=_redirections(log),
        setsid=True,
        setsigdef=[signal.SIGPIPE, signal.SIGINT, signal.SIGTERM],
        setsigmask=[],
    )
    return refer_to(pid)


def refer_to(pid: int) -> ProcessRef:
    """The process that has this pid now. Raises psutil.NoSuchProcess."""
    return ProcessRef(pid=pid, started=_start_of(pid))


def _redirections(log: Path) -> list[tuple[int, int, str, int, int] | tuple[int, int, int]]:
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), append, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]


def _set_aside_if_large(log: Path) -> None:
    if log.exists() and log.stat().st_size > LARGEST_KEPT_LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))


def _start_of(pid: int) -> str:
    """The start of a living process; raises psutil.NoSuchProcess."""
    if not psutil.LINUX:
        return repr(psutil.Process(pid).create_time())
    try:
        fields = (
            Path(f"/proc/{pid}/stat")
            .read_text(encoding="utf-8", errors="replace")
            .rpartition(")")[2]
            .split()
        )
    except (FileNotFoundError, ProcessLookupError) as error:
        raise psutil.NoSuchProcess(pid) from error
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot}:{fields[19]}"


def find(process: ProcessRef | None) -> psutil.Process | None:
    """The living process behind `process`; None when it ended, or its pid is another's now."""
    if process is None:
        return None
    try:
        found = psutil.Process(process.pid)
        mine = _start_of(process.pid) == process.started
        return None if not mine or _has_ended(found) else found
    except psutil.NoSuchProcess:
        return None


def _has_ended(process: psutil.Process) -> bool:
    """Whether nothing of it runs: a zombie whose threads still end holds its ports."""
    return process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1


def is_alive(process: ProcessRef | None) -> bool:
    """Whether the process still runs."""
    return find(process) is not None


def send(process: ProcessRef | None, number: signal.Signals) -> None:
    """Signals the process if it still lives; a process that has ended is no error."""
    found = find(process)
    if found is None:
        return
    try:
        found.send_signal(number)
    except psutil.NoSuchProcess:
        return


def wait_for_end(process: ProcessRef | None, *, limit_s: float) -> bool:
    """Waits until the process is gone, zombie included; False when it outlives the limit."""
    deadline = time.monotonic() + limit_s
    while is_alive(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    _reap(process)
    return True


def _reap(process: ProcessRef | None) -> None:
    """Takes the exit code of a child of ours, else it stays in the process list."""
    try:
        if process is not None and _start_of(process.pid) == process.started:
            os.waitpid(process.pid, os.WNOHANG)
    except (psutil.NoSuchProcess, ChildProcessError):  # taken already, or not our child
        return


def end(process: ProcessRef | None, *, limit_s: float) -> None:
    """Ends the process: SIGTERM, and SIGKILL after the limit."""
    send(process, signal.SIGTERM)
    if not wait_for_end(process, limit_s=limit_s):
        kill(process)


def kill(process: ProcessRef | None) -> None:
    """Ends the process at once, as a crash would."""
    send(process, signal.SIGKILL)
    wait_for_end(process, limit_s=10)
