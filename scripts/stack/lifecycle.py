"""Starting and ending a stack, or one of its servers; every step leaves `state.json` true."""

import shutil
import signal
import time
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from functools import partial
from pathlib import Path

from scripts.stack.errors import MissingTool, PortTaken, ServerFailed, UnknownService
from scripts.stack.locks import file_lock
from scripts.stack.placement import place, taken_port
from scripts.stack.places import data_dir, state_file
from scripts.stack.ports import owner_of
from scripts.stack.processes import ProcessRef, end, is_alive, kill, send, spawn
from scripts.stack.progress import Say, say_nothing
from scripts.stack.readiness import is_ready
from scripts.stack.recipe import ADVERTISED, Launch
from scripts.stack.recipes import RECIPES
from scripts.stack.state import (
    SERVICES,
    ServerState,
    StackState,
    load_state,
    save_state,
)

TRIES = 3
POLL_S = 0.05


def start_stack(
    directory: Path,
    *,
    ephemeral: bool = False,
    services: Sequence[str] = SERVICES,
    say: Say = say_nothing,
) -> StackState:
    """Brings the servers up and returns once all answer; those that run are left alone.

    An ephemeral stack takes only free ports and loses its data at `stop_stack`. When a server
    cannot start, those started by this call are ended and ServerFailed (or another StackError)
    is raised.
    """
    directory = directory.resolve()
    for name in services:
        if name not in RECIPES:
            raise UnknownService(name, ", ".join(SERVICES))
    with _lock(directory, say):
        state = load_state(directory) or StackState(directory=directory, ephemeral=ephemeral)
        state = state.model_copy(update={"directory": directory})
        return _start_with_tries(state, services, say)


def _start_with_tries(state: StackState, services: Sequence[str], say: Say) -> StackState:
    for tries_left in reversed(range(TRIES)):
        try:
            return _start(state, services, say)
        except ServerFailed as error:
            failed = (load_state(state.directory) or state).servers.get(error.service)
            lost = failed and taken_port(failed)
            if not lost or not tries_left:
                raise
            say(f"port {lost} went to {owner_of(lost)} meanwhile: trying again with others")
    raise AssertionError("the last try returns or raises. This is a bug.")


def _start(state: StackState, services: Sequence[str], say: Say) -> StackState:
    launches: dict[str, Launch] = {}
    state = state.model_copy(update={"up": True})
    for name in services:
        if not is_alive(_process_of(state, name)):
            state = _prepare(state, name, launches, say)
    try:
        for name, launch in launches.items():
            state = _spawn(state, name, launch)
        running = [state.server(name) for name in services if state.server(name).off is None]
        _await(running, say)
    except BaseException:
        _give_up(state, launches)
        raise
    save_state(state)
    return state


def _process_of(state: StackState, name: str) -> ProcessRef | None:
    return state.servers[name].process if name in state.servers else None


def _prepare(state: StackState, name: str, launches: dict[str, Launch], say: Say) -> StackState:
    """Places the server and adds its launch, or notes why it must stay off."""
    recipe = RECIPES[name]
    server = place(state, name, recipe, say)
    told = {ADVERTISED: state.advertised[name]} if name in state.advertised else {}
    try:
        launches[name] = recipe.prepare(_own_folder(state, name), {**server.ports, **told}, say)
    except MissingTool as error:
        if recipe.settings_when_off is None:
            raise
        say(f"{name} stays off: {error}")
        update = {"off": str(error), "url": "", "settings": recipe.settings_when_off}
        server = server.model_copy(update=update)
    return state.with_server(server)


def _own_folder(state: StackState, name: str) -> Path:
    folder = data_dir(state.directory, name)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _spawn(state: StackState, name: str, launch: Launch) -> StackState:
    """Starts the process and writes it down at once, so that nobody loses it."""
    server = state.server(name)
    process = spawn(launch.command, env=launch.env, log=server.log)
    state = state.with_server(server.model_copy(update={"process": process}))
    save_state(state)
    return state


def _await(servers: Iterable[ServerState], say: Say) -> None:
    """Returns once all answer; raises ServerFailed as soon as one has died, or is overdue."""
    began = time.monotonic()
    waiting = list(servers)
    while waiting:
        waiting = [server for server in waiting if not _answers(server, began, say)]
        time.sleep(POLL_S if waiting else 0)


def _answers(server: ServerState, began: float, say: Say) -> bool:
    recipe, waited_s = RECIPES[server.name], time.monotonic() - began
    overdue = waited_s > recipe.start_limit_s
    ready = is_ready(server, partial(recipe.answers, server.ports), overdue=overdue)
    if ready:
        say(f"{server.name} answers at {server.url} ({waited_s:.1f} s)")
    return ready


def _give_up(state: StackState, started: Iterable[str]) -> None:
    """Ends what this start began; the logs stay, an ephemeral stack's data does not."""
    for name in started:
        state = _ended(state, name)
        if state.ephemeral:
            shutil.rmtree(data_dir(state.directory, name), ignore_errors=True)
    alive = any(is_alive(server.process) for server in state.servers.values())
    save_state(state.model_copy(update={"up": alive}))


def stop_stack(directory: Path, *, say: Say = say_nothing) -> None:
    """Ends the servers this stack started, and no other; an ephemeral stack's data goes too.

    A folder without a stack is no error.
    """
    directory = directory.resolve()
    if not state_file(directory).exists():
        say(f"no stack in {directory}: nothing to end")
        return
    with _lock(directory, say):
        state = load_state(directory) or StackState(directory=directory)
        _end_all(state, say)
        if state.ephemeral:
            _delete(directory, state.servers)


def _end_all(state: StackState, say: Say) -> None:
    running = [server.name for server in state.servers.values() if is_alive(server.process)]
    for name in running:
        send(state.server(name).process, signal.SIGTERM)
    for name in state.servers:
        state = _ended(state, name)
        save_state(state)
    say(f"ended: {', '.join(running) or 'nothing, no server ran'}")
    save_state(state.model_copy(update={"up": False}))


def _ended(state: StackState, name: str) -> StackState:
    server = state.server(name)
    end(server.process, limit_s=RECIPES[name].stop_limit_s)
    return state.with_server(server.model_copy(update={"process": None}))


def _delete(directory: Path, services: Iterable[str]) -> None:
    """Deletes what a stack wrote, and the folder if nothing else is in it."""
    for name in (*services, "logs"):
        shutil.rmtree(directory / name, ignore_errors=True)
    state_file(directory).unlink(missing_ok=True)
    _lock_file(directory).unlink(missing_ok=True)
    with suppress(OSError):
        directory.rmdir()


def start_service(directory: Path, name: str, *, say: Say = say_nothing) -> StackState:
    """Brings one server of the stack back on the ports it had; returns once it answers.

    Raises PortTaken when a port of it belongs to another process, UnknownService, ServerFailed.
    """
    directory = directory.resolve()
    with _lock(directory, say):
        state = _known(directory, name)
        if is_alive(state.server(name).process):
            return state
        taken = taken_port(state.server(name))
        if taken is not None:
            raise PortTaken(name, taken, owner_of(taken))
        return _start(state, [name], say)


def stop_service(directory: Path, name: str) -> StackState:
    """Ends one server in good order (SIGTERM); its data, port and settings stay."""
    directory = directory.resolve()
    with _lock(directory, say_nothing):
        state = _ended(_known(directory, name), name)
        save_state(state)
        return state


def kill_service(directory: Path, name: str) -> StackState:
    """Ends one server as a crash would (SIGKILL); its data, port and settings stay."""
    state = _known(directory.resolve(), name)
    kill(state.server(name).process)
    return state


def advertise(directory: Path, name: str, port: int) -> None:
    """From its next start on, let a server name this port of a proxy to its clients (Kafka)."""
    directory = directory.resolve()
    with _lock(directory, say_nothing):
        state = _known(directory, name)
        save_state(state.model_copy(update={"advertised": {**state.advertised, name: port}}))


def _known(directory: Path, name: str) -> StackState:
    state = load_state(directory) or StackState(directory=directory)
    state.server(name)
    return state


def _lock_file(directory: Path) -> Path:
    return directory / "lock"


def _lock(directory: Path, say: Say) -> AbstractContextManager[None]:
    return file_lock(_lock_file(directory), waiting_for=f"the stack in {directory}", say=say)
