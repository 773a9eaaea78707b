"""Running a long build once: under a lock, with progress, and moved into place whole."""

import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from scripts.stack.errors import BuildFailed, StackError
from scripts.stack.locks import file_lock
from scripts.stack.progress import Say
from scripts.stack.readiness import last_lines

PROGRESS_EVERY_S = 10.0


def build_once(
    target: Path, proof: str, build: Callable[[Path], None], *, what: str, say: Say
) -> Path:
    """Makes the folder `target` by `build(temporary folder)`, unless `target/proof` exists.

    A build that is killed leaves nothing half-made: its temporary folder is swept away by the
    next one. Two stacks never build at once. Returns `target`; raises StackError.
    """
    if (target / proof).exists():
        return target
    with file_lock(target.with_name(f".{target.name}.lock"), waiting_for=what, say=say):
        if not (target / proof).exists():
            _build_into_place(target, proof, build)
    return target


def _build_into_place(target: Path, proof: str, build: Callable[[Path], None]) -> None:
    half = target.with_name(f".{target.name}.half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    try:
        build(half)
        if not (half / proof).exists():
            raise StackError(f"the build of {target.name} made no {proof}. This is a bug.")
        shutil.rmtree(target, ignore_errors=True)
        half.rename(target)
    finally:
        shutil.rmtree(half, ignore_errors=True)


def run_with_progress(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    log: Path,
    what: str,
    expected: str,
    say: Say,
) -> None:
    """Runs `command` to its end, saying every few seconds how long it has been at it.

    `expected` is roughly how long it takes, in words. Raises BuildFailed.
    """
    say(f"{what} ({expected})")
    began = time.monotonic()
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        code = _wait(subprocess.Popen(command, stdout=out, stderr=out, env=env), what, say)
    if code != 0:
        raise BuildFailed(what, log, last_lines(log))
    say(f"{what}: done in {time.monotonic() - began:.0f} s")


def _wait(process: subprocess.Popen[bytes], what: str, say: Say) -> int:
    began = time.monotonic()
    try:
        while True:
            try:
                return process.wait(PROGRESS_EVERY_S)
            except subprocess.TimeoutExpired:
                say(f"{what}: {time.monotonic() - began:.0f} s")
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
