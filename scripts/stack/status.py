"""How a stack is, asked of its processes and servers at this moment."""

import time
from pathlib import Path
from typing import Literal

import psutil
from pydantic import BaseModel, ConfigDict

from scripts.stack.processes import find
from scripts.stack.recipes import RECIPES
from scripts.stack.state import ServerState, load_state

Condition = Literal["running", "not answering", "died", "stopped", "off"]


class ServerStatus(BaseModel):
    """One server as it is now."""

    model_config = ConfigDict(frozen=True)

    name: str
    condition: Condition
    url: str
    ports: dict[str, int]
    pid: int | None
    memory_bytes: int | None
    uptime_s: float | None
    log: Path
    why_off: str | None


def stack_status(directory: Path) -> list[ServerStatus]:
    """Each server of the stack in `directory`; empty when there is no stack."""
    state = load_state(directory.resolve())
    return [_status_of(server) for server in state.servers.values()] if state else []


def _status_of(server: ServerState) -> ServerStatus:
    process = find(server.process)
    memory_bytes, uptime_s = _measure(process)
    return ServerStatus(
        name=server.name,
        condition=_condition(server, alive=process is not None),
        url=server.url,
        ports=server.ports,
        pid=process.pid if process else None,
        memory_bytes=memory_bytes,
        uptime_s=uptime_s,
        log=server.log,
        why_off=server.off,
    )


def _condition(server: ServerState, *, alive: bool) -> Condition:
    if server.off is not None:
        return "off"
    if alive:
        return "running" if RECIPES[server.name].answers(server.ports) else "not answering"
    return "died" if server.process else "stopped"


def _measure(process: psutil.Process | None) -> tuple[int | None, float | None]:
    """Resident memory in bytes and age in seconds; (None, None) for a process that is gone."""
    if process is None:
        return None, None
    try:
        return process.memory_info().rss, max(0.0, time.time() - process.create_time())
    except psutil.Error:
        return None, None
