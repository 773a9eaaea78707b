"""Who used the processor while something was measured."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import psutil

from benchmarks.figures import OTHERS

#: Below this a difference is the clock's grain (10 ms a tick), not work.
GRAIN_S = 0.02


@dataclass
class CpuWatch:
    """Processor seconds of named processes, and of everything else, between two moments."""

    processes: Mapping[str, int]
    _began: dict[str, float] = field(default_factory=dict)
    _machine_s: float = 0.0
    _began_s: float = 0.0

    def start(self) -> None:
        """Begin to count."""
        self._began = {name: _cpu_seconds(pid) for name, pid in self.processes.items()}
        self._machine_s, self._began_s = _machine_seconds(), time.monotonic()

    def cores(self, **known_s: float) -> dict[str, float]:
        """Mean cores busy since `start`; `known_s` are processor seconds counted elsewhere."""
        wall_s = max(time.monotonic() - self._began_s, GRAIN_S)
        spent = {
            name: _cpu_seconds(pid) - self._began[name] for name, pid in self.processes.items()
        }
        ours = {**spent, **known_s}
        others_s = max(0.0, _machine_seconds() - self._machine_s - sum(ours.values()))
        return {
            name: round(seconds / wall_s, 3) for name, seconds in {**ours, OTHERS: others_s}.items()
        }


def _cpu_seconds(pid: int) -> float:
    """Of a process, its living children, and those that it saw end."""
    process = psutil.Process(pid)
    own = _spent(process, ended_children=True)
    return own + sum(_spent(each) for each in process.children(recursive=True))


def _spent(process: psutil.Process, *, ended_children: bool = False) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    ended = times.children_user + times.children_system if ended_children else 0.0
    return float(times.user + times.system + ended)


def _machine_seconds() -> float:
    """Processor seconds the machine spent on anything but idling; what was stolen counts."""
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    guest = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    return float(sum(times) - idle - guest)
