"""Keeping one worker alive until somebody asks for its end."""

import asyncio
import random
import signal
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager

import structlog

from scripts.supervisor.children import Command, ask_to_end, kill_with_offspring, start_child
from scripts.supervisor.deciding import (
    Decision,
    Ending,
    RestartPolicy,
    decide_restart,
    shell_code,
)

log = structlog.get_logger("scripts.supervisor")

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Supervisor:
    """Starts a command again whenever it fails, and hands a stop on to it."""

    def __init__(
        self,
        command: Command,
        *,
        drain_s: float,
        policy: RestartPolicy | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Supervise `command`, which may take `drain_s` to finish once it is asked to end."""
        self._command = command
        self._drain_s = drain_s
        self._policy = policy or RestartPolicy()
        self._chance = chance
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._interrupts = 0

    async def run(self) -> int:
        """Run until the end; the exit code is the last worker's."""
        with self._listening():
            return shell_code(await self._run_until_final())

    async def _run_until_final(self) -> int:
        failures = 0
        while True:
            ending = await self._run_once(failures)
            decision = decide_restart(ending, self._policy, self._chance())
            if not decision.restart:
                return ending.code
            failures = decision.failures
            self._tell(decision)
            await _first_of(self._stop.wait(), timeout_s=decision.delay_s)
            if self._stop.is_set():
                return ending.code

    async def _run_once(self, failures: int) -> Ending:
        clock = asyncio.get_running_loop().time
        began_s = clock()
        child = await start_child(self._command)
        ended = asyncio.ensure_future(child.wait())
        await _first_of(ended, self._stop.wait())
        if not ended.done():
            await self._drain(child, ended)
        code = await ended
        return Ending(code, clock() - began_s, failures, stop_asked=self._stop.is_set())

    async def _drain(self, child: Process, ended: asyncio.Future[int]) -> None:
        ask_to_end(child)
        await _first_of(ended, self._hurry.wait(), timeout_s=self._drain_s)
        if ended.done():
            return
        why = "a second Ctrl-C" if self._hurry.is_set() else f"not done after {self._drain_s:g} s"
        log.warning("worker_killed", reason=why, pid=child.pid)
        kill_with_offspring(child)

    @staticmethod
    def _tell(decision: Decision) -> None:
        log.warning(
            "worker_restarts",
            reason=decision.reason,
            in_s=round(decision.delay_s, 1),
            failures_in_a_row=decision.failures,
        )

    @contextmanager
    def _listening(self) -> Generator[None, None, None]:
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, self._heard, number)
        try:
            yield
        finally:
            for number in STOP_SIGNALS:
                loop.remove_signal_handler(number)

    def _heard(self, number: signal.Signals) -> None:
        self._interrupts += number is signal.SIGINT
        if self._interrupts > 1:
            self._hurry.set()
        if not self._stop.is_set():
            log.info("stopping", signal=number.name, drain_s=self._drain_s)
        self._stop.set()


async def _first_of(*waits: Awaitable[object], timeout_s: float | None = None) -> None:
    """Wait for the first to be done, or for the time; what was begun here is taken back."""
    futures = {wait: asyncio.ensure_future(wait) for wait in waits}
    await asyncio.wait(futures.values(), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    for wait, future in futures.items():
        if future is not wait:
            future.cancel()
