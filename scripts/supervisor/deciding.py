"""Whether a worker that ended is started again, and when: pure arithmetic."""

import signal
from dataclasses import dataclass

CONFIGURATION_EXIT = 2
"""A worker's exit code for what a restart cannot mend: settings, a taken port, a wrong topic."""

NEVER_RESTARTED = frozenset({CONFIGURATION_EXIT, 78})  # 78: EX_CONFIG of sysexits.h
_SIGNALLED = 128  # what a shell adds to the number of the signal that ended a program
_MOST_DOUBLINGS = 30


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """How long to wait before a restart; there is no last attempt."""

    first_delay_s: float = 1.0
    factor: float = 2.0
    longest_delay_s: float = 30.0
    jitter: float = 0.25
    """Share of a delay that chance may add, so that a fleet does not restart in step."""
    healthy_s: float = 60.0
    """A worker that ran this long was healthy: its end begins a new count."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a worker ended; `code` is negative for a signal, as in `subprocess`."""

    code: int
    ran_s: float
    failures: int = 0
    """Failures in a row before this one."""
    stop_asked: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows from an ending."""

    restart: bool
    reason: str
    delay_s: float = 0.0
    failures: int = 0


def decide_restart(ending: Ending, policy: RestartPolicy, chance: float) -> Decision:
    """Decide what follows; `chance` in 0..1 picks the jitter."""
    if ending.stop_asked:
        return Decision(restart=False, reason="it was asked to stop")
    if ending.code == 0:
        return Decision(restart=False, reason="it finished by itself")
    if ending.code in NEVER_RESTARTED:
        return Decision(restart=False, reason="a restart cannot mend its configuration")
    failures = 1 if ending.ran_s >= policy.healthy_s else ending.failures + 1
    reason = f"{how_it_ended(ending.code)} after {ending.ran_s:.1f} s"
    delay_s = _delay_s(failures, policy) * (1 + policy.jitter * chance)
    return Decision(restart=True, reason=reason, delay_s=delay_s, failures=failures)


def _delay_s(failures: int, policy: RestartPolicy) -> float:
    doublings = min(failures - 1, _MOST_DOUBLINGS)
    return min(policy.longest_delay_s, policy.first_delay_s * policy.factor**doublings)


def how_it_ended(code: int) -> str:
    """An exit code in words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def shell_code(code: int) -> int:
    """An exit code as a shell would give it: 128 and the signal's number for a signal."""
    return code if code >= 0 else _SIGNALLED - code
