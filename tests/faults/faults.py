"""The faults: processes killed, drained, frozen; servers too, emptied, or cut off by the net."""

import asyncio
import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import psutil
import redis.asyncio

from scripts.stack import kill_service, load_state, start_service
from tests.faults.mischief import Mischief
from tests.faults.rig import Rig
from tests.faults.striking import Fault, Strike
from tests.harness.fleet import DRAIN_S, Process

#: How long a supervisor may take to start a victim again.
RESTART_S = (0.1, 1.0)
#: Longer than the session timeout of the rig's processes (6 s): its partitions go to another.
PAST_SESSION_S = (8.0, 12.0)
#: How many processes of each role may run at a time.
SIZES = (1, 2, 3, 4)
#: What a network may do.
MISCHIEFS = {
    "resets": Mischief(reset=True),
    "refuses": Mischief(refuse=True),
    "swallows all": Mischief(blackhole=True),
    "carries one way only": Mischief(half_open=True),
    "is slow": Mischief(latency_s=0.3, jitter_s=0.5),
    "is narrow": Mischief(bytes_per_s=20_000, slice_bytes=100),
    "cuts within an answer": Mischief(cut_after_bytes=5_000),
}


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
    """SIGTERM a process that is ready: it must leave in time and in order. Raises DrainFailed.

    One that is still starting has nothing to leave in order, nor a handler to do it with.
    """
    victim = rig.dice.choice(rig.fleet.processes)
    await victim.ready()
    since_s = time.monotonic()
    code, took_s = await victim.terminate()
    if code != 0:
        raise DrainFailed(f"{victim.name} left with {code} after {took_s:.1f} s")
    rig.measured.setdefault("drain s", []).append(took_s)
    assert took_s <= DRAIN_S
    victim.start()
    return Strike(victim.name, since_s)


async def resize(rig: Rig) -> Strike:
    """Run another number of processes of each role: they join, leave in order, or are killed.

    The first master stays: the trial looks through it.
    """
    wanted = rig.dice.choice([size for size in SIZES if size != len(_running(rig, "embed"))])
    for role in ("master", "embed", "store"):
        running = _running(rig, role)
        for _ in range(wanted - len(running)):
            rig.start_another(role)
        for victim in running[wanted:]:
            await (
                victim.terminate() if rig.dice.random() < 0.5 else asyncio.to_thread(victim.kill)
            )
    return Strike(f"{wanted} of each role", time.monotonic())


def _running(rig: Rig, role: str) -> list[Process]:
    return [each for each in rig.of(role) if each.alive]


async def kill_behind_frozen_broker(rig: Rig) -> Strike:
    """Freeze Kafka in the middle of work, SIGKILL a process meanwhile, wake Kafka."""
    frozen = asyncio.create_task(freeze_server(rig, "kafka", (1.0, 30.0)))
    await asyncio.sleep(rig.dice.uniform(0.1, 0.9))
    victim = rig.dice.choice(rig.fleet.processes)
    await asyncio.to_thread(victim.kill)
    strike = await frozen
    victim.start()
    return Strike(f"{victim.name} killed behind a frozen Kafka", strike.since_s)


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


async def fill(rig: Rig, away_s: tuple[float, float]) -> Strike:
    """Leave Redis no memory to write to, for a while: it answers, and refuses every write."""
    async with redis.asyncio.from_url(rig.stack.settings["database.redis_url"]) as client:
        await client.config_set("maxmemory-policy", "noeviction")
        await client.config_set("maxmemory", 1)
        try:
            await asyncio.sleep(rig.dice.uniform(*away_s))
        finally:
            await client.config_set("maxmemory", 0)
    return Strike("redis full", time.monotonic())


async def harm_network(rig: Rig, server: str, away_s: tuple[float, float]) -> Strike:
    """Harm all that passes between the service and a server, for a while."""
    what, mischief = rig.dice.choice(list(MISCHIEFS.items()))
    if mischief.cut_after_bytes is not None:
        mischief = replace(mischief, cut_after_bytes=rig.dice.randrange(mischief.cut_after_bytes))
    rig.net.harm(server, mischief)
    try:
        await asyncio.sleep(rig.dice.uniform(*away_s))
    finally:
        rig.net.heal(server)
    return Strike(f"{server} behind a network that {what}", time.monotonic())


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
