"""Processes are recognised by pid and start, and ended by both."""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from scripts.stack.processes import (
    ProcessRef,
    end,
    find,
    is_alive,
    kill,
    refer_to,
    spawn,
    wait_for_end,
)

_SHELL = shutil.which("sh") or "/bin/sh"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where a test's process writes."""
    return tmp_path / "logs" / "test.log"


@pytest.fixture
def sleeper(log: Path) -> Iterator[ProcessRef]:
    """A process that does nothing for a minute."""
    process = spawn([_SHELL, "-c", "exec sleep 60"], env={"PATH": os.defpath}, log=log)
    yield process
    kill(process)


def test_a_started_process_is_found_again(sleeper: ProcessRef) -> None:
    found = find(sleeper)
    assert found is not None
    assert found.pid == sleeper.pid


def test_a_recycled_pid_is_not_taken_for_ours() -> None:
    other = refer_to(os.getpid()).model_copy(update={"started": "another boot:1"})
    assert find(other) is None


def test_a_recycled_pid_is_never_signalled(sleeper: ProcessRef) -> None:
    end(sleeper.model_copy(update={"started": "another boot:1"}), limit_s=0)
    assert is_alive(sleeper)


def test_a_process_survives_the_ctrl_c_of_the_shell_that_started_it(sleeper: ProcessRef) -> None:
    assert os.getsid(sleeper.pid) == sleeper.pid
    assert os.getsid(0) != sleeper.pid


def test_an_ended_process_leaves_no_zombie(sleeper: ProcessRef) -> None:
    end(sleeper, limit_s=5)
    assert not psutil.pid_exists(sleeper.pid)


def test_a_process_that_ignores_sigterm_is_killed_after_the_limit(log: Path) -> None:
    deaf = "trap '' TERM; echo deaf; while :; do sleep 0.05; done"
    process = spawn([_SHELL, "-c", deaf], env={"PATH": os.defpath}, log=log)
    _wait_for_words(log)
    end(process, limit_s=0.2)
    assert not is_alive(process)


def test_ending_what_has_ended_is_no_error(sleeper: ProcessRef) -> None:
    kill(sleeper)
    end(sleeper, limit_s=1)
    end(None, limit_s=1)


def test_output_is_appended_to_the_log(log: Path) -> None:
    for word in ("first", "second"):
        process = spawn([_SHELL, "-c", f"echo {word} >&2"], env={}, log=log)
        assert wait_for_end(process, limit_s=5)
    assert log.read_text() == "first\nsecond\n"


def test_a_large_log_moves_aside(log: Path, sleeper: ProcessRef) -> None:
    kill(sleeper)
    log.write_bytes(b"x" * (11 * 1024 * 1024))
    process = spawn([_SHELL, "-c", "exec sleep 60"], env={"PATH": os.defpath}, log=log)
    kill(process)
    assert log.stat().st_size == 0
    assert log.with_suffix(".log.1").exists()


def _wait_for_words(log: Path, limit_s: float = 5) -> None:
    deadline = time.monotonic() + limit_s
    while not log.read_text() and time.monotonic() < deadline:
        time.sleep(0.01)
