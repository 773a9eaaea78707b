"""The supervisor over tiny real programs: restarts, stops, and nobody left behind."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from scripts.supervisor.children import Command
from scripts.supervisor.deciding import RestartPolicy
from scripts.supervisor.supervising import Supervisor

Program = Callable[[str], Command]

AT_ONCE = RestartPolicy(first_delay_s=0.01, longest_delay_s=0.01)
COUNT = """
import pathlib, sys
runs = pathlib.Path("runs"); runs.touch(); runs.write_text(runs.read_text() + "x")
"""
READY = """
import pathlib, signal, sys, time, os
def ready(): pathlib.Path("ready.new").write_text(str(os.getpid())); \
    os.rename("ready.new", "ready")
"""
DRAINS = (
    READY
    + """
signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.2), sys.exit(0)))
ready(); time.sleep(60)
"""
)
STUBBORN = (
    READY
    + """
signal.signal(signal.SIGTERM, lambda *_: None)
ready()
while True: time.sleep(60)
"""
)


def supervise(command: Command, *, drain_s: float = 5) -> Supervisor:
    return Supervisor(command, drain_s=drain_s, policy=AT_ONCE, chance=lambda: 0)


async def until(holds: Callable[[], bool], limit_s: float = 10) -> None:
    deadline_s = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < deadline_s, "in vain"
        await asyncio.sleep(0.01)


async def running(command: Command, supervisor: Supervisor) -> tuple[asyncio.Task[int], int]:
    """The supervisor at work, and its worker's pid."""
    work = asyncio.ensure_future(supervisor.run())
    ready = command.folder / "ready"
    await until(ready.exists)
    return work, int(ready.read_text())


async def test_a_worker_that_finishes_ends_its_supervisor(program: Program) -> None:
    assert await supervise(program("pass")).run() == 0


async def test_a_configuration_error_is_shown_once_and_given_on(
    program: Program, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = program(COUNT + "print('the line', file=sys.stderr); sys.exit(2)")
    assert await supervise(command).run() == 2
    assert (tmp_path / "runs").read_text() == "x"
    assert capfd.readouterr().err == "the line\n"


async def test_a_failing_worker_is_started_until_it_succeeds(
    program: Program, tmp_path: Path
) -> None:
    command = program(COUNT + "sys.exit(0 if len(runs.read_text()) == 3 else 1)")
    assert await supervise(command).run() == 0
    assert (tmp_path / "runs").read_text() == "xxx"


async def test_a_killed_worker_is_started_again(program: Program, tmp_path: Path) -> None:
    kill = "import os; len(runs.read_text()) == 2 or os.kill(os.getpid(), 9)"
    assert await supervise(program(COUNT + kill)).run() == 0
    assert (tmp_path / "runs").read_text() == "xx"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_stop_waits_for_the_drain(program: Program, number: signal.Signals) -> None:
    command = program(DRAINS)
    work, worker = await running(command, supervise(command))
    os.kill(os.getpid(), number)
    assert await work == 0
    assert not psutil.pid_exists(worker)


async def test_a_worker_that_ignores_the_stop_is_killed_in_the_end(program: Program) -> None:
    command = program(STUBBORN)
    work, worker = await running(command, supervise(command, drain_s=0.1))
    os.kill(os.getpid(), signal.SIGTERM)
    assert await work == 128 + signal.SIGKILL
    assert not psutil.pid_exists(worker)


async def test_a_second_ctrl_c_kills_at_once(program: Program) -> None:
    command = program(STUBBORN)
    work, worker = await running(command, supervise(command, drain_s=60))
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGINT)
    async with asyncio.timeout(5):
        assert await work == 128 + signal.SIGKILL
    assert not psutil.pid_exists(worker)


async def test_a_stop_between_two_attempts_does_not_wait_for_the_next(program: Program) -> None:
    patient = RestartPolicy(first_delay_s=60)
    command = program(READY + "ready(); sys.exit(3)")
    supervisor = Supervisor(command, drain_s=5, policy=patient, chance=lambda: 0)
    work, worker = await running(command, supervisor)
    await until(lambda: not psutil.pid_exists(worker))
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(5):
        assert await work == 3


async def test_the_terminals_ctrl_c_does_not_reach_the_worker_itself(program: Program) -> None:
    command = program(DRAINS)
    work, worker = await running(command, supervise(command))
    assert os.getpgid(worker) == worker
    os.kill(os.getpid(), signal.SIGTERM)
    await work


@pytest.mark.parametrize("source", [pytest.param(DRAINS, id="a worker that drains")])
def test_a_worker_does_not_outlive_a_killed_supervisor(tmp_path: Path, source: str) -> None:
    child = [sys.executable, "-S", "-c", source]
    parent = (
        "import asyncio, pathlib\n"
        "from scripts.supervisor.children import Command\n"
        "from scripts.supervisor.supervising import Supervisor\n"
        f"command = Command({child!r}, pathlib.Path({str(tmp_path)!r}))\n"
        "asyncio.run(Supervisor(command, drain_s=60).run())\n"
    )
    with psutil.Popen([sys.executable, "-c", parent]) as supervisor:
        asyncio.run(until((tmp_path / "ready").exists))
        worker = int((tmp_path / "ready").read_text())
        supervisor.kill()
    asyncio.run(until(lambda: _is_gone(worker)))


def _is_gone(pid: int) -> bool:
    """Ended; whoever adopts orphans here may not have taken its exit code yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
