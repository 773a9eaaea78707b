"""The service in the background: started, awaited, looked at, ended."""

import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from scripts.stack.locks import file_lock
from scripts.stack.processes import find, is_alive, kill, send, spawn, wait_for_end
from scripts.stack.progress import Say, say_to_stderr
from scripts.stack.readiness import last_lines
from scripts.supervisor.log_lines import LogTail, addresses_of
from scripts.supervisor.probing import reasons_not_ready
from scripts.supervisor.record import (
    Addresses,
    ServiceRecord,
    forget_record,
    read_record,
    running_service,
    write_record,
)

READY_LIMIT_S = 120.0
LOOK_EVERY_S = 0.1
SAY_EVERY_S = 10.0
TAIL_LINES = 30


@dataclass(frozen=True, slots=True)
class Launch:
    """What to start in the background; `expected` is used where the log names no address."""

    command: Sequence[str]
    environ: Mapping[str, str]
    role: str
    stop_limit_s: float
    expected: Addresses | None = None


class Background:
    """The one service that a run folder has in the background."""

    def __init__(
        self, run_dir: Path, *, say: Say = say_to_stderr, ready_limit_s: float = READY_LIMIT_S
    ) -> None:
        self._run_dir = run_dir
        self._say = say
        self._ready_limit_s = ready_limit_s

    def start(self, launch: Launch) -> int:
        """Start it unless it runs, and wait until it is ready; gives the exit code."""
        with file_lock(self._run_dir / "service.lock", waiting_for="the service", say=self._say):
            record = running_service(self._run_dir)
            if record is None:
                record = self._spawn(launch)
            else:
                self._say(f"The service runs already (pid {record.process.pid}).")
        return self._await_ready(record, launch.expected)

    def _spawn(self, launch: Launch) -> ServiceRecord:
        log = self._run_dir / "service.log"
        with suppress(FileNotFoundError):
            log.replace(log.with_suffix(".log.1"))
        process = spawn(launch.command, env=launch.environ, log=log)
        record = ServiceRecord(
            process=process, role=launch.role, log=log, stop_limit_s=launch.stop_limit_s
        )
        write_record(self._run_dir, record)
        self._say(f"Starting the service (role {launch.role}, pid {process.pid}, log {log})")
        return record

    def _await_ready(self, record: ServiceRecord, expected: Addresses | None) -> int:
        wait = _Wait(record, expected, self._say)
        deadline_s = time.monotonic() + self._ready_limit_s
        while not wait.is_ready():
            if not is_alive(record.process):
                return self._ended_early(record)
            if time.monotonic() > deadline_s:
                return self._not_in_time(record)
            time.sleep(LOOK_EVERY_S)
        if wait.addresses is not None:
            write_record(self._run_dir, record.model_copy(update={"addresses": wait.addresses}))
            self._say(f"The service is ready after {wait.waited_s:.1f} s: {wait.addresses.url}")
        return 0

    def _ended_early(self, record: ServiceRecord) -> int:
        forget_record(self._run_dir)
        self._say(f"The service ended at its start:\n{last_lines(record.log, TAIL_LINES)}")
        self._say(f"The whole log: {record.log}")
        return _exit_code_of(record.process.pid) or 1

    def _not_in_time(self, record: ServiceRecord) -> int:
        self._say(
            f"The service is not ready after {self._ready_limit_s:g} s; the end of its log:\n"
            f"{last_lines(record.log, TAIL_LINES)}\n"
            f"It keeps trying; --stop ends it. The whole log: {record.log}"
        )
        return 1

    def stop(self) -> int:
        """End it, and wait until it has finished what it had in hand."""
        with file_lock(self._run_dir / "service.lock", waiting_for="the service", say=self._say):
            record = running_service(self._run_dir)
            if record is None:
                self._say("The service does not run in the background.")
            else:
                self._end(record)
            forget_record(self._run_dir)
        return 0

    def _end(self, record: ServiceRecord) -> None:
        self._say(f"Stopping the service (pid {record.process.pid}); it finishes its work first")
        began_s = time.monotonic()
        send(record.process, signal.SIGTERM)
        if not wait_for_end(record.process, limit_s=record.stop_limit_s):
            self._say(f"It did not end within {record.stop_limit_s:g} s: killing it")
            _kill_tree(record)
        self._say(f"The service stopped after {time.monotonic() - began_s:.1f} s.")

    def status(self) -> int:
        """Say how it is; 0 only when it is ready."""
        record = running_service(self._run_dir)
        if record is None:
            gone = read_record(self._run_dir) is not None
            print("it ended by itself; its log says why" if gone else "it does not run")
            return 1
        wait = _Wait(record, record.addresses, lambda _line: None)
        ready = wait.is_ready()
        where = wait.addresses.url if wait.addresses else "no address yet"
        state = "ready" if ready else "not ready"
        print(f"{state}, role {record.role}, pid {record.process.pid}, {where}, log {record.log}")
        sys.stdout.flush()
        return 0 if ready else 1


class _Wait:
    """Looks at a starting service, and says each new thing it learns."""

    def __init__(self, record: ServiceRecord, expected: Addresses | None, say: Say) -> None:
        self.addresses = expected
        self._tail = LogTail(record.log)
        self._say = say
        self._said = ""
        self._said_s = self._began_s = time.monotonic()

    @property
    def waited_s(self) -> float:
        return time.monotonic() - self._began_s

    def is_ready(self) -> bool:
        """Whether it is ready now."""
        for event in self._tail.fresh_events():
            self.addresses = addresses_of(event) or self.addresses
            if event.get("event") == "worker_restarts":
                self._tell(f"the worker ended ({event.get('reason')}) and is started again")
        if self.addresses is None:
            self._tell("waiting for the worker to start")
            return False
        reasons = reasons_not_ready(self.addresses.url)
        if reasons:
            more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
            self._tell(f"waiting for {reasons[0]}{more}")
        return not reasons

    def _tell(self, line: str) -> None:
        now_s = time.monotonic()
        if line != self._said or now_s - self._said_s > SAY_EVERY_S:
            self._say(f"  {self.waited_s:5.1f} s  {line}")
            self._said, self._said_s = line, now_s


def _exit_code_of(pid: int) -> int | None:
    """The exit code of a child of ours that ended; None where somebody else is its parent."""
    try:
        ended, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return None
    return os.waitstatus_to_exitcode(status) if ended else None


def _kill_tree(record: ServiceRecord) -> None:
    """End the supervisor and all below it at once."""
    supervisor = find(record.process)
    if supervisor is None:
        return
    with suppress(psutil.NoSuchProcess):
        for child in supervisor.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                child.kill()
    kill(record.process)
