"""The faults: processes killed, drained and frozen; servers killed, frozen and emptied."""

import asyncio
import signal
import time
from collections.abc import Sequence
from functools import partial

import psutil
import redis.asyncio

from scripts.stack import kill_service, load_state, start_service
from tests.faults.rig import Rig
from tests.faults.striking import Fault, Strike
from tests.harness.fleet import DRAIN_S, Process

#: How long a supervisor may take to start a victim again.
RESTART_S = (0.1, 1.0)
#: Longer than the session timeout of the rig's processes (6 s): its partitions go to another.
PAST_SESSION_S = (8.0, 12.0)


class DrainFailed(Exception):
    """A process told to stop took too long, or left with another code than 0."""


async def kill(rig: Rig) -> Strike:
    """SIGKILL a process; it is started again a moment later."""
    victim = rig.dice.choice(rig.fleet.processes)
    await asyncio.to_thread(victim.kill)
    since_s = time.monotonic()
    return Strike(victim.name, since_s, asyncio.create_task(_start_again(rig, victim)))


async def _start_again(rig: Rig, victim: Process) -> None:
    await asyncio.sleep(rig.dice.uniform(*RESTART_S))
    victim.start()


async def drain(rig: Rig) -> Strike:
    """SIGTERM a process: it must leave in time and in order. Raises DrainFailed."""
    victim = rig.dice.choice(rig.fleet.processes)
    since_s = time.monotonic()
    code, took_s = await victim.terminate()
    if code != 0:
        raise DrainFailed(f"{victim.name} left with {code} after {took_s:.1f} s")
    rig.measured.setdefault("drain s", []).append(took_s)
    assert took_s <= DRAIN_S
    victim.start()
    return Strike(victim.name, since_s)


async def freeze(rig: Rig) -> Strike:
    """SIGSTOP a process past its session, so that another takes over, then wake the zombie."""
    victim = rig.dice.choice(rig.fleet.processes)
    await _held(victim.pid, rig.dice.uniform(*PAST_SESSION_S))
    return Strike(f"{victim.name} woken", time.monotonic())


async def _held(pid: int, seconds: float) -> None:
    process = psutil.Process(pid)
    process.send_signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        process.send_signal(signal.SIGCONT)


async def kill_server(rig: Rig, name: str, away_s: tuple[float, float]) -> Strike:
    """SIGKILL a server of the stack and start it again after a while."""
    directory = rig.stack.directory
    await asyncio.to_thread(kill_service, directory, name)
    await asyncio.sleep(rig.dice.uniform(*away_s))
    await asyncio.to_thread(start_service, directory, name)
    return Strike(f"{name} killed", time.monotonic())


async def freeze_server(rig: Rig, name: str, away_s: tuple[float, float]) -> Strike:
    """SIGSTOP a server of the stack, then wake it."""
    state = load_state(rig.stack.directory)
    assert state is not None
    reference = state.server(name).process
    assert reference is not None
    await _held(reference.pid, rig.dice.uniform(*away_s))
    return Strike(f"{name} frozen", time.monotonic())


async def flush(rig: Rig) -> Strike:
    """Empty Redis."""
    async with redis.asyncio.from_url(rig.stack.settings["database.redis_url"]) as client:
        await client.flushall()
    return Strike("redis emptied", time.monotonic())


def outages(name: str, away_s: tuple[float, float]) -> list[Fault]:
    """The ways in which a server goes away."""
    return [
        partial(kill_server, name=name, away_s=away_s),
        partial(freeze_server, name=name, away_s=away_s),
    ]


def any_of(faults: Sequence[Fault]) -> Fault:
    """One of them, by the dice."""

    async def one(rig: Rig) -> Strike:
        return await rig.dice.choice(faults)(rig)

    return one
